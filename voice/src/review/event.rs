//! One entry of a recording, whatever form it was written in.

use std::borrow::Cow;

use clawvoice_session::{SessionTime, timeline::Level};
use serde::Serialize;
use serde_json::{Map, Value};

/// One entry and where it stood.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Event {
    /// When, in microseconds since the recording's zero; see [`Clock`](super::Clock).
    #[serde(rename = "at_us")]
    pub at: SessionTime,
    /// The line of the file, from 1.
    pub line: usize,
    /// What was written.
    #[serde(flatten)]
    pub what: What,
}

/// What a line holds.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum What {
    /// A line of the timeline.
    Record(Line),
    /// What a rule was given.
    Input(Input),
    /// What a rule decided.
    Decision(Decision),
    /// A piece of recorded sound.
    Audio(Clip),
    /// An entry of a kind that this version does not know, as it is.
    Other(Map<String, Value>),
}

impl What {
    /// The timeline line, if it is one.
    #[must_use]
    pub fn record(&self) -> Option<&Line> {
        match self {
            Self::Record(line) => Some(line),
            _ => None,
        }
    }

    /// The decision, if it is one.
    #[must_use]
    pub fn decision(&self) -> Option<&Decision> {
        match self {
            Self::Decision(decision) => Some(decision),
            _ => None,
        }
    }
}

/// A timeline line: `<name> <detail> <field>=<value> …`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Line {
    /// How loud, if the file says it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub level: Option<Level>,
    /// The line's name without what varies, as in `realtime user transcript`.
    pub name: String,
    /// What follows the name before the fields: a transcript's words, an event's type. Often empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// Named values in the order of the file.
    #[serde(serialize_with = "as_object")]
    pub fields: Vec<(String, Value)>,
}

impl Line {
    /// A field's value.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&Value> {
        self.fields.iter().find(|(field, _)| field == name).map(|(_, value)| value)
    }

    /// A field's value as text; `None` if it is missing or empty.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<Cow<'_, str>> {
        let text = as_text(self.field(name)?);
        (!text.is_empty()).then_some(text)
    }

    /// A field's value as a whole number.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<u64> {
        match self.field(name)? {
            Value::Number(number) => {
                number.as_u64().or_else(|| number.as_f64().map(|float| float.max(0.0) as u64))
            }
            Value::String(text) => text.parse().ok(),
            _ => None,
        }
    }

    /// A field's value as yes or no.
    #[must_use]
    pub fn flag(&self, name: &str) -> Option<bool> {
        match self.field(name)? {
            Value::Bool(flag) => Some(*flag),
            Value::String(text) => text.parse().ok(),
            _ => None,
        }
    }

    /// Whether the line complains.
    #[must_use]
    pub fn warns(&self) -> bool {
        self.level == Some(Level::Warn)
    }
}

/// What a rule was given before it decided.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Input {
    /// The kind: `start`, `frame`, `quiet`, `words`, `answer`, `delta`, `tick`, or a newer one.
    pub kind: String,
    /// Whose, if it is somebody's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The rest of the entry.
    pub values: Map<String, Value>,
}

/// What a rule decided, and from what.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Decision {
    /// `suspected`, `confirmed`, `dismissed`, `paused`, `resumed`, `cut`, or a newer one.
    pub kind: String,
    /// About whom.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The rule's own word for why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What it looked at.
    pub inputs: Map<String, Value>,
    /// What it compared that with.
    pub thresholds: Map<String, Value>,
    /// Whatever else the entry holds.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub rest: Map<String, Value>,
}

/// A recorded piece of sound.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Clip {
    /// The sound's file, as it was written: relative to the recording.
    pub file: String,
    /// Whose voice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// When its first sample was heard, in microseconds since the recording's zero.
    #[serde(rename = "from_us")]
    pub from: SessionTime,
}

/// A JSON value as a person writes it: text without its quotes.
pub(super) fn as_text(value: &Value) -> Cow<'_, str> {
    match value {
        Value::String(text) => Cow::Borrowed(text),
        Value::Null => Cow::Borrowed(""),
        other => Cow::Owned(other.to_string()),
    }
}

fn as_object<S: serde::Serializer>(
    fields: &[(String, Value)],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_map(fields.iter().map(|(name, value)| (name, value)))
}
