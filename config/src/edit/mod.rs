//! Changes to a configuration file that leave its comments and its layout alone.
//!
//! ```text
//! text → CST → one value set, removed or merged in → text → is it what was meant? → checked → file
//! ```

mod file;
mod key_path;
mod merge;
mod payload;
mod report;

use std::path::Path;

use jsonc_parser::{CollectOptions, cst::CstRootNode, parse_to_ast};
use serde_json::Value;

pub use crate::redact::value as redacted;
pub use file::{Unwritten, Written, read_for_edit, write};
pub use key_path::{BadPath, KeyPath, Step};
pub use payload::Payload;
pub use report::{DryRun, DryRunError, ErrorKind};

use crate::{
    ast::json,
    error::{ConfigError, ConfigErrors},
    load::{json5, syntax},
    redact,
};

/// A change to a configuration.
#[derive(Clone, Debug)]
pub enum Edit {
    /// One value; objects on the way that are missing are made.
    Set {
        /// Where.
        path: KeyPath,
        /// What.
        value: Payload,
    },
    /// One value goes.
    Unset {
        /// Where.
        path: KeyPath,
    },
    /// Objects are merged, lists and plain values replaced, `null` removes.
    Merge {
        /// An object.
        payload: Payload,
        /// What of it becomes exactly what is given, instead of being merged.
        replace: Vec<KeyPath>,
    },
}

/// A text after a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edited {
    /// The text.
    pub text: String,
    /// Values set or removed.
    pub operations: usize,
}

/// Why a change cannot be made.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum EditError {
    /// The text is not JSON5.
    #[error("{0}")]
    Unreadable(ConfigErrors),
    /// The file is not an object.
    #[error("the file is no object")]
    NoObject,
    /// There is nothing at the path.
    #[error("there is nothing at {0}")]
    MissingPath(KeyPath),
    /// What is on the way has no parts, or no part of that name.
    #[error("{at} is {is}, so {path} cannot be in it")]
    NotInThere {
        /// The whole path.
        path: KeyPath,
        /// How far it leads.
        at: KeyPath,
        /// What is there.
        is: &'static str,
    },
    /// A merge takes an object.
    #[error("a patch is an object, as in {{ channels: {{ … }} }}")]
    NoPatch,
    /// The change cannot be made without doing something else too.
    #[error("this change cannot be made by itself; edit the file by hand")]
    Unfaithful,
}

/// Makes a change. The result is not checked against the schema.
///
/// # Errors
///
/// See [`EditError`].
pub fn apply(text: &str, origin: &Path, edit: &Edit) -> Result<Edited, EditError> {
    let (mark, plain) = match text.strip_prefix('\u{feff}') {
        Some(plain) => ("\u{feff}", plain),
        None => ("", text),
    };
    let before = parsed(plain, origin)?;
    let before = if before.is_null() { Value::Object(serde_json::Map::new()) } else { before };
    if !before.is_object() {
        return Err(EditError::NoObject);
    }
    let meant = merge::meant(before, edit)?;
    let root = CstRootNode::parse(plain, &json5()).map_err(|_| EditError::Unfaithful)?;
    let operations = merge::carry_out(&root, edit)?;
    let after = root.to_string();
    // The tree keeps everything else as it was; that it also says what was meant is not taken on
    // trust.
    match parsed(&after, origin) {
        Ok(value) if value == meant => Ok(Edited { text: format!("{mark}{after}"), operations }),
        _ => Err(EditError::Unfaithful),
    }
}

/// What stands at a path, without secrets. `None`: nothing.
///
/// # Errors
///
/// If the text is not JSON5.
pub fn get(text: &str, origin: &Path, path: &KeyPath) -> Result<Option<Value>, ConfigErrors> {
    let plain = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut here = match parsed(plain, origin) {
        Ok(value) => value,
        Err(EditError::Unreadable(errors)) => return Err(errors),
        Err(_) => return Ok(None),
    };
    let mut name = "";
    for step in path.steps() {
        let next = match (step, &mut here) {
            (Step::Key(key), Value::Object(map)) => {
                name = key;
                map.remove(key)
            }
            (Step::Index(index), Value::Array(items)) if *index < items.len() => {
                Some(items.swap_remove(*index))
            }
            _ => None,
        };
        match next {
            Some(next) => here = next,
            None => return Ok(None),
        }
    }
    Ok(Some(redact::value(name, here)))
}

/// The text as a plain value; nothing but comments is null.
fn parsed(text: &str, origin: &Path) -> Result<Value, EditError> {
    let name = origin.display().to_string();
    let tree = parse_to_ast(text, &CollectOptions::default(), &json5()).map_err(|error| {
        let error: ConfigError = syntax(&name, text, &error);
        EditError::Unreadable(error.into())
    })?;
    Ok(tree.value.as_ref().map_or(Value::Null, json))
}
