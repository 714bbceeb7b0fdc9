//! From a file to [`Config`].

use std::{io, path::Path};

use jsonc_parser::{
    CollectOptions, ParseOptions, ast::Value, common::Ranged, errors::ParseErrorKind, parse_to_ast,
};

use crate::{
    Config,
    cursor::{Section, Walk},
    env::Env,
    error::{ConfigError, ConfigErrors, Problem},
    schema, span,
};

const NOT_FOUND_HINT: &str =
    "name your file with --config, or copy fixtures/config/discord.json5 as a start";

/// Reads and checks the file at `path`. Secrets named in it are resolved through `env` now.
///
/// # Errors
///
/// Everything wrong with the file at once, or why it could not be read.
pub fn load(path: &Path, env: &dyn Env) -> Result<Config, ConfigErrors> {
    let origin = path.display().to_string();
    let bytes = std::fs::read(path).map_err(|error| unreadable(&origin, &error))?;
    let text = std::str::from_utf8(&bytes).map_err(|error| {
        let readable = span::readable_part(&bytes);
        let offset = error.valid_up_to();
        let byte = bytes.get(offset).copied().unwrap_or_default();
        ConfigError::at(&origin, readable, offset..offset, Problem::NotUtf8 { offset, byte })
            .with_hint(Some("save the file as UTF-8".to_owned()))
    })?;
    parse(text, path, env)
}

/// Checks the text of a file. `origin` is what messages call the file; relative paths in it start
/// at its folder.
///
/// # Errors
///
/// Everything wrong with the text at once.
pub fn parse(text: &str, origin: &Path, env: &dyn Env) -> Result<Config, ConfigErrors> {
    let name = origin.display().to_string();
    // A byte order mark is no part of the text; JSON5 counts it as white space.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let tree = parse_to_ast(text, &CollectOptions::default(), &json5())
        .map_err(|error| syntax(&name, text, &error))?;
    let walk = Walk::new(&name, text, origin.parent().unwrap_or(Path::new("")), env);
    let object = match &tree.value {
        Some(Value::Object(object)) => object,
        Some(other) => {
            let range = other.range();
            let problem = Problem::Invalid("expected an object `{ … }` at the top".to_owned());
            return Err(ConfigError::at(&name, text, range.start..range.end, problem).into());
        }
        None => {
            let hint = "the smallest file is `{ channels: { discord: { voice: {} } } }`";
            return Err(ConfigError::at(&name, text, 0..0, Problem::EmptyFile)
                .with_hint(Some(hint.to_owned()))
                .into());
        }
    };
    let mut config = schema::read(&Section::root(&walk, object));
    let (errors, warnings) = walk.into_findings();
    if !errors.is_empty() {
        return Err(ConfigErrors::new(errors));
    }
    config.warnings = warnings;
    Ok(config)
}

/// JSON5 and nothing beyond it: jsonc-parser by itself would also let commas be missing.
fn json5() -> ParseOptions {
    ParseOptions { allow_missing_commas: false, ..ParseOptions::default() }
}

fn unreadable(origin: &str, error: &io::Error) -> ConfigError {
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

fn syntax(origin: &str, text: &str, error: &jsonc_parser::errors::ParseError) -> ConfigError {
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
