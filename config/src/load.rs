//! From a file to [`Config`].

use std::{collections::BTreeMap, io, path::Path};

use jsonc_parser::{
    CollectOptions, ParseOptions, ast::Value, common::Ranged, errors::ParseErrorKind, parse_to_ast,
};

use crate::{
    Config,
    cursor::Section,
    describe::Declarations,
    env::Env,
    error::{ConfigError, ConfigErrors, Problem},
    origin::Origins,
    schema, span,
    walk::{ExecRefs, Walk},
};

const NOT_FOUND_HINT: &str = "name your file with --config, or run `clawvoice init` to write one";

/// Reads and checks the file at `path`. Secrets named in it are resolved through `env` now.
///
/// # Errors
///
/// Everything wrong with the file at once, or why it could not be read.
pub fn load(path: &Path, env: &dyn Env) -> Result<Config, ConfigErrors> {
    let origin = path.display().to_string();
    let bytes = std::fs::read(path).map_err(|error| unreadable(&origin, &error))?;
    parse(utf8(&origin, &bytes)?, path, env)
}

/// The text of a file.
pub(crate) fn utf8<'b>(origin: &str, bytes: &'b [u8]) -> Result<&'b str, ConfigErrors> {
    std::str::from_utf8(bytes).map_err(|error| {
        let readable = span::readable_part(bytes);
        let offset = error.valid_up_to();
        let byte = bytes.get(offset).copied().unwrap_or_default();
        ConfigError::at(origin, readable, offset..offset, Problem::NotUtf8 { offset, byte })
            .with_hint(Some("save the file as UTF-8".to_owned()))
            .into()
    })
}

/// Checks the text of a file. `origin` is what messages call the file; relative paths in it start
/// at its folder.
///
/// # Errors
///
/// Everything wrong with the text at once.
pub fn parse(text: &str, origin: &Path, env: &dyn Env) -> Result<Config, ConfigErrors> {
    check(text, origin, env, ExecRefs::Run).outcome
}

/// What checking a text found.
#[derive(Clone, Debug)]
pub struct Checked {
    /// The settings, or everything wrong with them. With [`ExecRefs::Skip`] the settings are not to
    /// be used: secrets are missing from them.
    pub outcome: Result<Config, ConfigErrors>,
    /// Where every value came from, as far as they could be read.
    pub origins: Origins,
    /// References to secrets that were resolved, or could not be.
    pub refs_checked: usize,
    /// References to programs that were not run.
    pub refs_skipped: usize,
}

/// As [`parse`], with a choice of what becomes of programs that give out secrets.
#[must_use]
pub fn check(text: &str, origin: &Path, env: &dyn Env, exec: ExecRefs) -> Checked {
    let name = origin.display().to_string();
    let refused = |error: ConfigError| Checked {
        outcome: Err(error.into()),
        origins: Origins::of(&name),
        refs_checked: 0,
        refs_skipped: 0,
    };
    // A byte order mark is no part of the text; JSON5 counts it as white space.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let tree = match parse_to_ast(text, &CollectOptions::default(), &json5()) {
        Ok(tree) => tree,
        Err(error) => return refused(syntax(&name, text, &error)),
    };
    let folder = origin.parent().unwrap_or(Path::new(""));
    let walk = Walk::new(&name, text, folder, env, exec);
    let object = match &tree.value {
        Some(Value::Object(object)) => object,
        Some(other) => {
            let range = other.range();
            let problem = Problem::Invalid("expected an object `{ … }` at the top".to_owned());
            return refused(ConfigError::at(&name, text, range.start..range.end, problem));
        }
        None => {
            let hint = "the smallest file is `{ channels: { discord: { voice: {} } } }`";
            let error = ConfigError::at(&name, text, 0..0, Problem::EmptyFile);
            return refused(error.with_hint(Some(hint.to_owned())));
        }
    };
    let mut config = schema::read(&Section::root(&walk, Some(object)));
    let found = walk.into_findings();
    config.warnings = found.warnings;
    config.numeric_ids = found.numeric_ids;
    config.old_names = found.old_names;
    config.origins = found.origins.clone();
    let outcome = match found.errors.is_empty() {
        true => Ok(config),
        false => Err(ConfigErrors::new(found.errors)),
    };
    Checked {
        outcome,
        origins: found.origins,
        refs_checked: found.refs_checked,
        refs_skipped: found.refs_skipped,
    }
}

/// Every key that is read, with what it takes: the same code reads no file and is asked what it
/// looked for.
#[must_use]
pub fn declarations() -> Declarations {
    let nothing: BTreeMap<String, String> = BTreeMap::new();
    let walk = Walk::describing(&nothing);
    let _ = schema::read(&Section::root(&walk, None));
    walk.into_declarations()
}

/// JSON5 and nothing beyond it: jsonc-parser by itself would also let commas be missing.
pub(crate) fn json5() -> ParseOptions {
    ParseOptions { allow_missing_commas: false, ..ParseOptions::default() }
}

pub(crate) fn unreadable(origin: &str, error: &io::Error) -> ConfigError {
    match error.kind() {
        io::ErrorKind::NotFound => ConfigError::of_file(origin, Problem::NotFound, NOT_FOUND_HINT),
        io::ErrorKind::PermissionDenied => ConfigError::of_file(
            origin,
            Problem::Unreadable("permission denied".to_owned()),
            "let the user that runs clawvoice read the file",
        ),
        io::ErrorKind::IsADirectory => ConfigError::of_file(
            origin,
            Problem::Unreadable("it is a folder".to_owned()),
            "name the file in it",
        ),
        _ => ConfigError::of_file(
            origin,
            Problem::Unreadable(error.to_string()),
            "check the path and the disk",
        ),
    }
}

pub(crate) fn syntax(
    origin: &str,
    text: &str,
    error: &jsonc_parser::errors::ParseError,
) -> ConfigError {
    let sentence = error.kind().to_string();
    let mut chars = sentence.chars();
    let sentence: String =
        chars.next().map(|c| c.to_ascii_lowercase()).into_iter().chain(chars).collect();
    let hint = match error.kind() {
        ParseErrorKind::ExpectedComma => Some("put a comma between this and the next"),
        ParseErrorKind::UnterminatedObject => Some("the `{` that opens here is never closed"),
        ParseErrorKind::UnterminatedArray => Some("the `[` that opens here is never closed"),
        ParseErrorKind::UnexpectedWord => Some("put texts in quotes"),
        ParseErrorKind::String(_) => Some("close the quote on the same line"),
        ParseErrorKind::MultipleRootJsonValues => {
            Some("the file is one object; remove what follows it")
        }
        _ => None,
    };
    let range = error.range();
    ConfigError::at(origin, text, range.start..range.end, Problem::Syntax(sentence))
        .with_hint(hint.map(str::to_owned))
}
