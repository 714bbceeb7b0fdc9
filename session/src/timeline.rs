//! Timeline records: every decision of a session, in order, with the time it was taken.
//!
//! A record has two faces: a log line (`discord voice: joined guild=… channel=…`, the exact names
//! of OpenClaw's log) and a JSON line for machines. Who writes which record is decided by the
//! crate that takes the decision; this module only knows the shape.

use std::{borrow::Cow, fmt::Write as _};

use serde::Serialize;
use serde_json::{Map, Value};

use crate::SessionTime;

/// How loud a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Only with verbose logging.
    Verbose,
    /// State changes an operator reads.
    Info,
    /// Something an operator should act on.
    Warn,
}

/// One decision or state change.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Record {
    /// When, on the session's clock, in microseconds.
    #[serde(rename = "at_us")]
    pub at: SessionTime,
    /// How loud.
    pub level: Level,
    /// The line's name, for example `realtime barge-in detected`.
    pub line: Cow<'static, str>,
    /// Named values in the order they are printed.
    pub fields: Fields,
    /// Where in `line` somebody's words begin.
    #[serde(skip)]
    words_at: Option<usize>,
}

impl Record {
    /// A record without fields.
    #[must_use]
    pub fn new(at: SessionTime, level: Level, line: impl Into<Cow<'static, str>>) -> Self {
        Self { at, level, line: line.into(), fields: Fields::default(), words_at: None }
    }

    /// Adds what somebody said to the line: `<line>: <words>`.
    #[must_use]
    pub fn saying(mut self, words: &str) -> Self {
        self.words_at = Some(self.line.len());
        self.line = format!("{}: {words}", self.line).into();
        self
    }

    /// Adds a field that quotes what somebody said.
    #[must_use]
    pub fn quoting(mut self, name: &'static str, words: impl Into<Value>) -> Self {
        self.fields.0.push(Field { name, value: words.into(), is_quote: true });
        self
    }

    /// The record without anybody's words: for what is kept without being asked for.
    #[must_use]
    pub fn without_words(&self) -> Self {
        let line = match self.words_at.and_then(|at| self.line.get(..at)) {
            Some(line) => Cow::Owned(line.to_owned()),
            None => self.line.clone(),
        };
        let fields = self.fields.0.iter().filter(|field| !field.is_quote).cloned().collect();
        Self { at: self.at, level: self.level, line, fields: Fields(fields), words_at: None }
    }

    /// Adds a field.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.fields.0.push(Field { name, value: value.into(), is_quote: false });
        self
    }

    /// The log line: `discord voice: <line> name=value …`. Text values are printed bare when they
    /// are one word, else quoted as JSON.
    #[must_use]
    pub fn to_line(&self) -> String {
        let mut text = format!("discord voice: {}", self.line);
        for Field { name, value, .. } in &self.fields.0 {
            let _ = write!(text, " {name}=");
            match value {
                Value::String(word) if is_one_word(word) => text.push_str(word),
                other => {
                    let _ = write!(text, "{other}");
                }
            }
        }
        text
    }
}

fn is_one_word(text: &str) -> bool {
    !text.is_empty() && !text.contains(|c: char| c.is_whitespace() || c.is_control() || c == '"')
}

#[derive(Clone, Debug, PartialEq)]
struct Field {
    name: &'static str,
    value: Value,
    /// Whether these are somebody's words.
    is_quote: bool,
}

/// Named values in printing order; serialised as one JSON object.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Fields(Vec<Field>);

impl Fields {
    /// The value of a field.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|field| field.name == name).map(|field| &field.value)
    }
}

impl Serialize for Fields {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let map: Map<String, Value> =
            self.0.iter().map(|field| (field.name.to_owned(), field.value.clone())).collect();
        map.serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_reads_like_openclaws() {
        let record = Record::new(SessionTime::from_millis(5), Level::Info, "joined")
            .with("guild", "1")
            .with("owner", false)
            .with("speaker", "Ada Lovelace");
        assert_eq!(
            record.to_line(),
            r#"discord voice: joined guild=1 owner=false speaker="Ada Lovelace""#
        );
    }

    #[test]
    fn a_forged_line_break_stays_inside_its_quotes() {
        let record = Record::new(SessionTime::ZERO, Level::Info, "x")
            .with("speaker", "a\ndiscord voice: joined");
        assert_eq!(record.to_line().lines().count(), 1);
    }

    #[test]
    fn words_can_be_left_out() {
        let record = Record::new(SessionTime::ZERO, Level::Info, "transcript (2 chars)")
            .with("user", "1")
            .quoting("preview", "hi")
            .saying("hi");
        assert_eq!(record.to_line(), "discord voice: transcript (2 chars): hi user=1 preview=hi");
        let record = record.without_words();
        assert_eq!(record.to_line(), "discord voice: transcript (2 chars) user=1");
    }

    #[test]
    fn json_keeps_microseconds() {
        let record = Record::new(SessionTime::from_micros(7), Level::Warn, "x").with("n", 3);
        assert_eq!(
            serde_json::to_value(&record).expect("records serialise"),
            serde_json::json!({"at_us": 7, "level": "warn", "line": "x", "fields": {"n": 3}})
        );
    }
}
