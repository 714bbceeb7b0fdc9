//! Scripts: the turns a scripted provider takes, in order.
//!
//! ```json5
//! {
//!   atEnd: "repeat",               // after the last turn: "repeat" from the first (default),
//!                                  // "last" again and again, or "silent" (empty responses)
//!   turns: [
//!     {
//!       heard: "What is the time?",              // transcript of the user's speech; default its length
//!       reply: { wav: "../audio/answer.wav", transcript: "Noon." },
//!     },
//!     { reply: { toolCall: { name: "clock", arguments: { zone: "UTC" } } } },
//!     { reply: { error: { code: "server_error", message: "Try again." } } },
//!     { reply: { stallMs: 3000 } },              // a response that says nothing for 3 s
//!     { reply: [                                 // several steps in one response
//!       { wav: "one-moment.wav", transcript: "One moment." },
//!       { stallMs: 500, toolCall: { name: "clock", arguments: {} } },
//!     ] },
//!     { reply: { close: 1011 } },                // closes the websocket
//!     { connection: 1, reply: { stallMs: 1 } },  // only on connection 1; without it, on all
//!   ],
//! }
//! ```
//!
//! A step is exactly one of `wav`, `toolCall`, `error` and `close`, each with an optional
//! `stallMs` that is waited before it, or `stallMs` alone. Every response takes the next turn:
//! one started by the VAD, by `response.create`, or after a tool's output. Nothing is matched on
//! what was said. Each connection (there is one per speaker, numbered from 0 as they open) takes the
//! turns from the first on, leaving out those of another `connection`. Paths start at the script's
//! folder.

use std::{sync::Arc, time::Duration};

use jsonc_parser::{ParseOptions, parse_to_serde_value};
use serde::Deserialize;
use serde_json::Value;

/// Longest stall that is taken: ten minutes.
const MAX_STALL_MS: u64 = 600_000;

/// Why a script could not be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScriptError {
    /// Not JSON5, or of another form.
    #[error("{0}")]
    Syntax(String),
    /// A turn that cannot be played.
    #[error("turns[{turn}].reply[{step}]: {problem}")]
    Step {
        /// Index of the turn, from 0.
        turn: usize,
        /// Index of the step, from 0; 0 when the reply is a single step.
        step: usize,
        /// What is wrong.
        problem: String,
    },
    /// A script without turns.
    #[error("turns: needs at least one turn")]
    Empty,
}

/// One thing a response does.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Speaks these samples (24 kHz mono) under this transcript.
    Audio {
        /// The audio.
        samples: Arc<[i16]>,
        /// Its words.
        transcript: String,
    },
    /// Calls a tool.
    ToolCall {
        /// The tool's name.
        name: String,
        /// Its arguments, as JSON text.
        arguments: String,
    },
    /// Does nothing for a while.
    Stall(Duration),
    /// Ends the response as failed.
    Fail {
        /// The error's code.
        code: String,
        /// The error's sentence.
        message: String,
    },
    /// Closes the websocket.
    Close(u16),
}

/// One response.
#[derive(Clone, Debug, PartialEq)]
pub struct Turn {
    /// Transcript given for the user's speech before it; `None`: its length.
    pub heard: Option<String>,
    /// What the response does, in order.
    pub steps: Vec<Step>,
    /// Number of the only connection that takes it; `None`: all do.
    pub connection: Option<u64>,
}

/// What follows the last turn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum AtEnd {
    /// The first turn again.
    #[default]
    Repeat,
    /// The last turn again and again.
    Last,
    /// Responses without output.
    Silent,
}

/// A script, read and with its audio loaded.
#[derive(Clone, Debug, PartialEq)]
pub struct Script {
    turns: Vec<Turn>,
    at_end: AtEnd,
}

impl Script {
    /// A script of these turns; `None` without any.
    #[must_use]
    pub fn new(turns: Vec<Turn>, at_end: AtEnd) -> Option<Self> {
        (!turns.is_empty()).then_some(Self { turns, at_end })
    }

    /// Reads a script. `audio` gives the samples (24 kHz mono) of a `wav` path, or why it cannot.
    ///
    /// # Errors
    ///
    /// If the text is no such script, or an audio file is missing.
    pub fn parse(
        text: &str,
        mut audio: impl FnMut(&str) -> Result<Vec<i16>, String>,
    ) -> Result<Self, ScriptError> {
        let options = ParseOptions { allow_missing_commas: false, ..ParseOptions::default() };
        let file: ScriptFile = parse_to_serde_value(text, &options)
            .map_err(|error| ScriptError::Syntax(error.to_string()))?;
        let mut turns = Vec::with_capacity(file.turns.len());
        for (turn, entry) in file.turns.into_iter().enumerate() {
            let replies = match entry.reply {
                Value::Array(replies) => replies,
                single => vec![single],
            };
            let mut steps = Vec::new();
            for (step, reply) in replies.into_iter().enumerate() {
                let read = serde_json::from_value(reply)
                    .map_err(|error| error.to_string())
                    .and_then(|reply| read_step(reply, &mut audio));
                match read {
                    Ok(read) => steps.extend(read),
                    Err(problem) => return Err(ScriptError::Step { turn, step, problem }),
                }
            }
            turns.push(Turn { heard: entry.heard, steps, connection: entry.connection });
        }
        Self::new(turns, file.at_end).ok_or(ScriptError::Empty)
    }

    /// The script as the connection with this number plays it; without turns of its own, it has
    /// nothing to say.
    #[must_use]
    pub fn of_connection(&self, number: u64) -> Self {
        let takes = |turn: &&Turn| turn.connection.is_none_or(|only| only == number);
        let turns = self.turns.iter().filter(takes).cloned().collect();
        Self { turns, at_end: self.at_end }
    }

    /// The turn that response number `index` (from 0) takes.
    #[must_use]
    pub fn turn(&self, index: usize) -> Option<&Turn> {
        match self.at_end {
            AtEnd::Repeat => self.turns.get(index % self.turns.len().max(1)),
            AtEnd::Last => self.turns.get(index).or(self.turns.last()),
            AtEnd::Silent => self.turns.get(index),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct ScriptFile {
    #[serde(default)]
    at_end: AtEnd,
    turns: Vec<TurnFile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TurnFile {
    heard: Option<String>,
    connection: Option<u64>,
    reply: Value,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct StepFile {
    stall_ms: Option<u64>,
    wav: Option<String>,
    transcript: Option<String>,
    tool_call: Option<ToolCallFile>,
    error: Option<ErrorFile>,
    close: Option<u16>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ToolCallFile {
    name: String,
    #[serde(default)]
    arguments: Value,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ErrorFile {
    code: String,
    message: String,
}

fn read_step(
    file: StepFile,
    audio: &mut impl FnMut(&str) -> Result<Vec<i16>, String>,
) -> Result<Vec<Step>, String> {
    let mut steps = Vec::new();
    if let Some(ms) = file.stall_ms {
        if ms > MAX_STALL_MS {
            return Err(format!("stallMs: at most {MAX_STALL_MS}"));
        }
        steps.push(Step::Stall(Duration::from_millis(ms)));
    }
    if file.transcript.is_some() && file.wav.is_none() {
        return Err("transcript: needs a wav".to_owned());
    }
    let before = steps.len();
    if let Some(path) = file.wav {
        let samples = audio(&path).map_err(|problem| format!("wav {path:?}: {problem}"))?;
        let transcript = file.transcript.unwrap_or_default();
        steps.push(Step::Audio { samples: samples.into(), transcript });
    }
    if let Some(call) = file.tool_call {
        let arguments = match call.arguments {
            Value::Null => "{}".to_owned(),
            // A text goes out as it stands: this is how a script sends broken JSON.
            Value::String(text) => text,
            other => other.to_string(),
        };
        steps.push(Step::ToolCall { name: call.name, arguments });
    }
    if let Some(error) = file.error {
        steps.push(Step::Fail { code: error.code, message: error.message });
    }
    if let Some(code) = file.close {
        if !(1000..5000).contains(&code) {
            return Err("close: a websocket close code, 1000 to 4999".to_owned());
        }
        steps.push(Step::Close(code));
    }
    match (steps.len() - before, steps.len()) {
        (0, 0) => Err("says nothing: give wav, toolCall, error, close or stallMs".to_owned()),
        (0 | 1, _) => Ok(steps),
        _ => Err("more than one of wav, toolCall, error and close: write a list".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Script, ScriptError> {
        Script::parse(text, |path| {
            if path == "a.wav" { Ok(vec![1, 2]) } else { Err("not found".to_owned()) }
        })
    }

    #[test]
    fn every_kind_of_step_is_read() {
        let script = parse(
            "{ atEnd: 'last', turns: [
                { heard: 'hi', reply: { wav: 'a.wav', transcript: 'A.' } },
                { reply: [{ stallMs: 5, toolCall: { name: 'f', arguments: { x: 1 } } }, { stallMs: 7 }] },
                { reply: { error: { code: 'c', message: 'm' } } },
                { reply: { close: 1011 } },
            ] }",
        )
        .expect("a valid script");
        let audio = Step::Audio { samples: vec![1, 2].into(), transcript: "A.".into() };
        let turn = |heard: Option<&str>, steps| Turn {
            heard: heard.map(str::to_owned),
            steps,
            connection: None,
        };
        assert_eq!(script.turn(0), Some(&turn(Some("hi"), vec![audio])));
        let call = Step::ToolCall { name: "f".into(), arguments: "{\"x\":1}".into() };
        let stall = |ms| Step::Stall(Duration::from_millis(ms));
        assert_eq!(script.turn(1), Some(&turn(None, vec![stall(5), call, stall(7)])));
        let fail = Step::Fail { code: "c".into(), message: "m".into() };
        assert_eq!(script.turn(2), Some(&turn(None, vec![fail])));
        assert_eq!(script.turn(3), Some(&turn(None, vec![Step::Close(1_011)])));
    }

    #[test]
    fn the_end_follows_the_policy() {
        let heard = |at_end: &str, index| {
            let text = format!(
                "{{ atEnd: '{at_end}', turns: [{{ heard: 'a', reply: {{ stallMs: 1 }} }}, \
                 {{ heard: 'b', reply: {{ stallMs: 1 }} }}] }}"
            );
            let script = parse(&text).expect("a valid script");
            script.turn(index).and_then(|turn| turn.heard.clone())
        };
        assert_eq!(heard("repeat", 2).as_deref(), Some("a"));
        assert_eq!(heard("last", 2).as_deref(), Some("b"));
        assert_eq!(heard("silent", 2), None);
    }

    #[test]
    fn a_connection_takes_its_own_turns_and_those_of_all() {
        let script = parse(
            "{ atEnd: 'silent', turns: [
                { connection: 0, heard: 'a', reply: { stallMs: 1 } },
                { heard: 'b', reply: { stallMs: 1 } },
                { connection: 1, heard: 'c', reply: { stallMs: 1 } },
            ] }",
        )
        .expect("a valid script");
        for (number, expected) in [(0, vec!["a", "b"]), (1, vec!["b", "c"]), (2, vec!["b"])] {
            let own = script.of_connection(number);
            let heard: Vec<_> = (0..3).filter_map(|turn| own.turn(turn)?.heard.clone()).collect();
            assert_eq!(heard, expected, "connection {number}");
        }
        let only = parse("{ turns: [{ connection: 3, reply: { stallMs: 1 } }] }");
        assert_eq!(only.expect("a valid script").of_connection(0).turn(0), None);
    }

    #[test]
    fn wrong_scripts_say_where() {
        for (text, message) in [
            ("{ turns: [] }", "turns: needs at least one turn"),
            (
                "{ turns: [{ reply: {} }] }",
                "turns[0].reply[0]: says nothing: give wav, toolCall, error, close or stallMs",
            ),
            (
                "{ turns: [{ reply: { wav: 'b.wav' } }] }",
                "turns[0].reply[0]: wav \"b.wav\": not found",
            ),
            (
                "{ turns: [{ reply: { transcript: 'x', stallMs: 1 } }] }",
                "turns[0].reply[0]: transcript: needs a wav",
            ),
            (
                "{ turns: [{ reply: [{ stallMs: 1 }, { close: 1000, wav: 'a.wav' }] }] }",
                "turns[0].reply[1]: more than one of wav, toolCall, error and close: write a list",
            ),
            (
                "{ turns: [{ reply: { close: 7 } }] }",
                "turns[0].reply[0]: close: a websocket close code, 1000 to 4999",
            ),
        ] {
            assert_eq!(parse(text).expect_err("refused").to_string(), message);
        }
        let unknown = parse("{ turn: [] }").expect_err("refused").to_string();
        assert!(unknown.starts_with("unknown field `turn`"), "{unknown}");
        let broken = parse("{\n  turns: [ }").expect_err("refused").to_string();
        assert!(broken.ends_with("on line 2 column 12"), "{broken}");
    }
}
