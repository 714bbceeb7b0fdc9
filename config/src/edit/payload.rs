//! What is put into a file: a JSON5 value, its numbers letter for letter.

use std::path::Path;

use jsonc_parser::{CollectOptions, ast, cst::CstInputValue, parse_to_ast};
use serde_json::Value;

use crate::{
    ast::{json, prop_name},
    error::{ConfigError, ConfigErrors, Problem},
    load::{json5, syntax},
};

/// A value to be put into a file.
#[derive(Clone, Debug)]
pub struct Payload {
    pub(super) input: CstInputValue,
    pub(super) value: Value,
}

impl Payload {
    /// A text as it is.
    #[must_use]
    pub fn text(text: &str) -> Self {
        Self { input: text.into(), value: text.into() }
    }

    /// A JSON5 value.
    ///
    /// # Errors
    ///
    /// If the text is none. `origin` is what the message calls it.
    pub fn json5(text: &str, origin: &Path) -> Result<Self, ConfigErrors> {
        let name = origin.display().to_string();
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let tree = parse_to_ast(text, &CollectOptions::default(), &json5())
            .map_err(|error| syntax(&name, text, &error))?;
        match &tree.value {
            Some(value) => Ok(Self { input: input(value), value: json(value) }),
            None => Err(ConfigError::at(&name, text, 0..0, Problem::EmptyFile).into()),
        }
    }

    /// The value.
    #[must_use]
    pub const fn value(&self) -> &Value {
        &self.value
    }
}

fn input(value: &ast::Value<'_>) -> CstInputValue {
    match value {
        ast::Value::StringLit(literal) => CstInputValue::String(literal.value.to_string()),
        ast::Value::NumberLit(literal) => CstInputValue::Number(literal.value.to_owned()),
        ast::Value::BooleanLit(literal) => CstInputValue::Bool(literal.value),
        ast::Value::NullKeyword(_) => CstInputValue::Null,
        ast::Value::Array(array) => {
            CstInputValue::Array(array.elements.iter().map(input).collect())
        }
        ast::Value::Object(object) => {
            // Of a key given twice the last counts, as in the plain value.
            let mut properties: Vec<(String, CstInputValue)> = Vec::new();
            for prop in &object.properties {
                let name = prop_name(prop);
                properties.retain(|(known, _)| known != name);
                properties.push((name.to_owned(), input(&prop.value)));
            }
            CstInputValue::Object(properties)
        }
    }
}
