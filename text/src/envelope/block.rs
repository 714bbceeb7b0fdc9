//! A block of JSON: a label, a fence, and values that cannot leave either.

use serde_json::{Map, Value};

use super::{
    inert::{unfenced, unmarked},
    marker::Marker,
    words::{cut, label},
};

/// A JSON object of other people's words. What is missing or empty is left out.
pub(super) struct Fields<'m> {
    marker: &'m Marker,
    fields: Map<String, Value>,
}

impl<'m> Fields<'m> {
    pub(super) fn new(marker: &'m Marker) -> Self {
        Self { marker, fields: Map::new() }
    }

    /// A name.
    pub(super) fn label(self, key: &str, text: &str) -> Self {
        let text = label(text);
        self.text(key, &text, usize::MAX)
    }

    /// A text, of which at most so many characters are shown.
    pub(super) fn text(mut self, key: &str, text: &str, most: usize) -> Self {
        if !text.is_empty() {
            let text = unmarked(&cut(text, most), self.marker);
            self.fields.insert(key.to_owned(), text.into());
        }
        self
    }

    /// Something that is true.
    pub(super) fn flag(self, key: &str, holds: bool) -> Self {
        if holds { self.value(key, true) } else { self }
    }

    /// What the program itself made.
    pub(super) fn value(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.fields.insert(key.to_owned(), value.into());
        self
    }

    /// How much there is.
    pub(super) fn count(self, key: &str, count: usize) -> Self {
        if count == 0 { self } else { self.value(key, count) }
    }

    pub(super) fn into_value(self) -> Value {
        Value::Object(self.fields)
    }

    /// The block; `None` if there is nothing to tell.
    pub(super) fn block(self, label: &str) -> Option<String> {
        let (marker, is_empty) = (self.marker, self.fields.is_empty());
        let json = self.into_value().to_string();
        (!is_empty).then(|| marker.around(&fenced(label, &json)))
    }
}

/// JSON in a fence. Every line break in a value is escaped, and no three backticks follow each
/// other, so the fence ends where it is ended here.
pub(super) fn fenced(label: &str, json: &str) -> String {
    format!("{label}\n```json\n{}\n```", unfenced(json))
}

/// A list of JSON values, a line each.
pub(super) fn list(values: &[Value]) -> String {
    let lines: Vec<_> = values.iter().map(Value::to_string).collect();
    format!("[\n{}\n]", lines.join(",\n"))
}
