//! What a key is, what it could be, and why it is what it is.

use serde_json::Value;

use crate::{
    check::near_name,
    describe::{Declarations, Kind},
    origin::{Origins, Source},
};

/// A key of the file, explained.
#[derive(Clone, Debug, PartialEq)]
pub struct Explanation {
    /// The key.
    pub path: String,
    /// What it takes, if that is known.
    pub kind: Option<Kind>,
    /// What it is if nothing is written; `None`: unset, or it depends on other keys.
    pub default: Option<Value>,
    /// What it is, without secrets; `None`: unset.
    pub value: Option<Value>,
    /// Where that came from, as in `clawvoice.json5:12:9`, `env NAME`, `default`.
    pub source: Option<String>,
    /// It is an old name of this key.
    pub legacy_of: Option<String>,
}

/// There is no such key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no key {path}")]
pub struct UnknownKey {
    path: String,
    near: Option<String>,
}

impl UnknownKey {
    /// The key that may have been meant.
    #[must_use]
    pub fn hint(&self) -> String {
        match &self.near {
            Some(near) => format!("did you mean `{near}`?"),
            None => "`clawvoice config schema` lists the keys".to_owned(),
        }
    }
}

/// Explains the key at `path`, or, if it is an object, everything in it that is not unset.
///
/// # Errors
///
/// If neither the schema nor the file knows it.
pub fn explain(
    declared: &Declarations,
    origins: &Origins,
    path: &str,
) -> Result<Vec<Explanation>, UnknownKey> {
    let below: Vec<Explanation> = origins
        .below(path)
        .filter(|(known, _)| *known != path && !is_shown_with_its_list(origins, known, path))
        .map(|(known, _)| one(declared, origins, known))
        .collect();
    let known = declared.of(path).is_some() || origins.at(path).is_some();
    match (known, below.is_empty()) {
        (false, true) => Err(unknown(declared, path)),
        // A list says more as a whole.
        (_, false) if origins.at(path).is_none() => Ok(below),
        _ => Ok(vec![one(declared, origins, path)]),
    }
}

/// Whether it is an element, or within one, of a list that is shown as a whole.
fn is_shown_with_its_list(origins: &Origins, known: &str, asked: &str) -> bool {
    let element = |at: &usize| known[at + 1..].starts_with(|c: char| c.is_ascii_digit());
    let mut brackets = known.match_indices('[').map(|(at, _)| at).filter(element);
    brackets.any(|at| at >= asked.len() && origins.at(&known[..at]).is_some())
}

fn one(declared: &Declarations, origins: &Origins, path: &str) -> Explanation {
    let known = declared.of(path).map(|(_, known)| known.clone()).unwrap_or_default();
    let origin = origins.at(path);
    let source = origin.map(|origin| match &origin.source {
        Source::Default => "default".to_owned(),
        source => origins.describe(source),
    });
    Explanation {
        path: path.to_owned(),
        kind: known.kind,
        default: known.default,
        value: origin.map(|origin| origin.value.clone()),
        source,
        legacy_of: known.legacy_of,
    }
}

fn unknown(declared: &Declarations, path: &str) -> UnknownKey {
    let (parent, key) = path.rsplit_once('.').unwrap_or(("", path));
    let siblings: Vec<&str> = declared
        .iter()
        .filter_map(|(known, _)| {
            let rest = match parent {
                "" => known,
                parent => known.strip_prefix(parent)?.strip_prefix('.')?,
            };
            rest.split(['.', '[']).next()
        })
        .collect();
    let near = near_name(key, &siblings).map(|near| match parent {
        "" => near.to_owned(),
        parent => format!("{parent}.{near}"),
    });
    UnknownKey { path: path.to_owned(), near }
}
