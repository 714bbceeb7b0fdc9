//! Scripts: what a scripted provider answers, and what happens to its connections.
//!
//! ```json5
//! {
//!   atEnd: "repeat",               // after the last turn: "repeat" from the first (default),
//!                                  // "last" again and again, or "silent" (empty responses)
//!   heardBy: {                     // transcripts of speech that is like one of these recordings
//!     "../audio/ask.wav": "What is the weather like?",
//!   },
//!   transcribes: true,             // false: no transcripts; a scenario may send them
//!   turns: [
//!     {
//!       heard: "What is the time?",              // transcript of the user's speech, whatever was said;
//!                                                // default by heardBy, else its length
//!       reply: { wav: "../audio/answer.wav", transcript: "Noon." },
//!     },
//!     { reply: { toolCall: { name: "clock", arguments: { asked: "{heard}" } } } },
//!     { needsToolOutput: true, reply: { say: "It is {toolOutput}." } },
//!     { reply: { error: { code: "server_error", message: "Try again." } } },
//!     { reply: { stallMs: 3000 } },              // a response that says nothing for 3 s
//!     { reply: [                                 // several steps in one response
//!       { tone: 440, ms: 900, transcript: "One moment.", chunkMs: 20, speed: 1 },
//!       { stallMs: 500, toolCall: { name: "clock", arguments: {} } },
//!     ] },
//!     { reply: { close: 1011 } },                // closes the websocket
//!     { connection: 1, reply: { stallMs: 1 } },  // only on connection 1; without it, on all
//!   ],
//!   connections: [ /* scenarios, see below */ ],
//! }
//! ```
//!
//! A step of a reply is exactly one of `wav`, `tone` (Hz, with `ms`), `say`, `toolCall`, `error` and
//! `close`, each with an optional `stallMs` that is waited before it, or `stallMs` alone. Audio goes
//! out in pieces of `chunkMs` (100), `speed` times as fast as it plays (the provider's). Every
//! response takes the next turn: one started by the VAD, by `response.create`, or after a tool's
//! output; except that
//!
//! - a user's text message that asks for a quoted text word for word (see `exact_speech`) is
//!   answered with that text, and takes no turn;
//! - a turn that `needsToolOutput` is not taken while a tool call has no output: until then
//!   responses are empty.
//!
//! In `say` and in `arguments`, `{heard}` is the user's last words and `{toolOutput}` the last output
//! of a tool. `say` is spoken by `espeak-ng` where that is installed, else in tones, one a word;
//! `voice: "tones"` at the top wants tones in any case. Each connection (there is one per speaker,
//! numbered from 0 as they open) takes the turns from the first on, leaving out those of another
//! `connection`. Paths start at the script's folder.
//!
//! # Scenarios
//!
//! A scenario is a list of steps for one connection, or for every connection without a scenario of
//! its own. It runs beside the session, which keeps its protocol; in a script without `turns` the
//! responses, too, are made by the scenario alone.
//!
//! ```json5
//! { connection: 0, steps: [
//!   { expect: { type: "session.update", where: { "/session/type": "realtime" }, withinMs: 5000 } },
//!   { wait: { audioMs: 1500 } },        // so much audio of the user
//!   { audio: { tone: 440, ms: 9000, chunkMs: 100, speed: 50 } },     // a response: any reply
//!   { wait: { ms: 500 } },              // and { clientEvent: "…" }, "idle": no response runs
//!   { fault: { stall: 300 } },          // see `Fault`
//!   { send: { type: "response.done", response: { id: "$response", status: "completed" } } },
//!   { expect: { type: "conversation.item.truncate" } },
//!   { assert: { truncateMs: 3000, within: 20 } },
//!   { assert: { event: "response.cancel", times: 0 } },
//! ] }
//! ```
//!
//! `expect` and `wait: {clientEvent}` take the first fitting client event after the one taken before;
//! what does not fit is passed over. `where` compares JSON pointers; `null` fits a missing value,
//! too. An `expect` that is not met in time (10 s) and an `assert` that does not hold end the scenario
//! with a note `script.unmet`; at its end stands `script.done`, and a connection that ends before
//! leaves `script.unfinished`. `audio` (or `respond`) while another response runs is out of band.
//! `send` takes a text, too, and sends it as it is. In its texts,
//! `$response`, `$item`, `$call` and `$userItem` are the ids that events have named last,
//! `$clientEvent` the `event_id` of the client's last event that has one, and `$tone:200` is 200 ms of
//! audio in base64.
//!
//! Faults are `"dropTcp"`, `{close: 1011}`, `"expire"`, `{stall: 300}`, `"unknownEvent"`,
//! `{hugeDelta: 1000000}`, `"badBase64"`, `"oddBytes"`, `"splitUtf8"`, `"duplicate"`,
//! `{reorder: [1, 3]}`, `{legacyNames: true}` and, as the first step only,
//! `{httpStatus: {status: 429, retryAfter: 3}}`.

mod reply;
mod scenario;

#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use jsonc_parser::{ParseOptions, parse_to_serde_value};
use serde::Deserialize;
use serde_json::Value;

use super::{fault::Fault, recognise::Recogniser, speech::Voice};
pub use scenario::{Action, Assertion, Pattern, Scenario, Wait};

/// Longest stall or wait that is taken: ten minutes.
const MAX_WAIT_MS: u64 = 600_000;

/// Why a script could not be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScriptError {
    /// Not JSON5, or of another form.
    #[error("{0}")]
    Syntax(String),
    /// A part that cannot be played.
    #[error("{place}: {problem}")]
    At {
        /// Where it stands, for example `turns[0].reply[1]`.
        place: String,
        /// What is wrong.
        problem: String,
    },
    /// A script without turns and scenarios.
    #[error("turns: needs at least one turn, or connections a scenario")]
    Empty,
}

/// How fast audio goes out.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Pace {
    /// Milliseconds of audio in one delta; `None`: 100.
    pub chunk_ms: Option<usize>,
    /// Times its playing speed; `None`: the provider's.
    pub speed: Option<f64>,
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
        /// How fast it goes out.
        pace: Pace,
    },
    /// Speaks a text.
    Say {
        /// The text.
        text: String,
        /// How fast it goes out.
        pace: Pace,
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
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Turn {
    /// Transcript given for the user's speech before it; `None`: found by the script's recordings,
    /// else its length.
    pub heard: Option<String>,
    /// What the response does, in order.
    pub steps: Vec<Step>,
    /// Number of the only connection that takes it; `None`: all do.
    pub connection: Option<u64>,
    /// Not taken while a tool call has no output.
    pub needs_tool_output: bool,
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
    /// Responses are made by turns; else by the scenario alone.
    answers: bool,
    recogniser: Arc<Recogniser>,
    transcribes: bool,
    tones: bool,
    scenarios: Vec<Arc<Scenario>>,
}

impl Script {
    /// A script of these turns; `None` without any.
    #[must_use]
    pub fn new(turns: Vec<Turn>, at_end: AtEnd) -> Option<Self> {
        (!turns.is_empty()).then(|| Self {
            turns,
            at_end,
            answers: true,
            recogniser: Arc::default(),
            transcribes: true,
            tones: false,
            scenarios: Vec::new(),
        })
    }

    /// Reads a script. `audio` gives the samples (24 kHz mono) of a `wav` path, or why it cannot.
    ///
    /// # Errors
    ///
    /// If the text is no such script, or an audio file is missing. The error says where.
    pub fn parse(
        text: &str,
        mut audio: impl FnMut(&str) -> Result<Vec<i16>, String>,
    ) -> Result<Self, ScriptError> {
        let options = ParseOptions { allow_missing_commas: false, ..ParseOptions::default() };
        let file: ScriptFile = parse_to_serde_value(text, &options)
            .map_err(|error| ScriptError::Syntax(error.to_string()))?;
        let mut turns = Vec::with_capacity(file.turns.len());
        for (turn, entry) in file.turns.into_iter().enumerate() {
            turns.push(Turn {
                heard: entry.heard,
                steps: reply::read(entry.reply, &format!("turns[{turn}].reply"), &mut audio)?,
                connection: entry.connection,
                needs_tool_output: entry.needs_tool_output,
            });
        }
        let mut recogniser = Recogniser::default();
        for (path, words) in file.heard_by {
            let samples = audio(&path).map_err(|problem| ScriptError::At {
                place: format!("heardBy {path:?}"),
                problem,
            })?;
            recogniser.learn(&samples, words);
        }
        let scenarios = scenario::read(file.connections, &mut audio)?;
        if turns.is_empty() && scenarios.is_empty() {
            return Err(ScriptError::Empty);
        }
        Ok(Self {
            answers: !turns.is_empty(),
            turns,
            at_end: file.at_end,
            recogniser: Arc::new(recogniser),
            transcribes: file.transcribes.unwrap_or(true),
            tones: file.voice == VoiceFile::Tones,
            scenarios,
        })
    }

    /// The script as the connection with this number plays it; without turns of its own, it has
    /// nothing to say.
    #[must_use]
    pub fn of_connection(&self, number: u64) -> Self {
        let takes = |turn: &&Turn| turn.connection.is_none_or(|only| only == number);
        Self {
            turns: self.turns.iter().filter(takes).cloned().collect(),
            scenarios: self.scenario(number).into_iter().cloned().collect(),
            ..self.clone()
        }
    }

    /// The refusal with which the connection of this number is met, if its scenario begins with one.
    #[must_use]
    pub fn refusal(&self, number: u64) -> Option<(u16, Option<u32>)> {
        match self.scenario(number)?.steps.first() {
            Some(Action::Fault(Fault::HttpStatus { status, retry_after })) => {
                Some((*status, *retry_after))
            }
            _ => None,
        }
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

    /// Whether responses are made by turns.
    pub(super) fn answers(&self) -> bool {
        self.answers
    }

    /// The words of a recording like this one.
    pub(super) fn recognise(&self, samples: &[i16]) -> Option<&str> {
        self.recogniser.recognise(samples)
    }

    /// Whether speech is transcribed when the client wants it.
    pub(super) fn transcribes(&self) -> bool {
        self.transcribes
    }

    /// Whose voice speaks, if `owner` has one.
    pub(super) fn voice(&self, owner: Voice) -> Voice {
        if self.tones { Voice::Tones } else { owner }
    }

    /// The scenario of one connection's script.
    pub(super) fn own_scenario(&self) -> Option<Arc<Scenario>> {
        self.scenarios.first().cloned()
    }

    fn scenario(&self, number: u64) -> Option<&Arc<Scenario>> {
        let of = |wanted| self.scenarios.iter().find(|found| found.connection == wanted);
        of(Some(number)).or_else(|| of(None))
    }
}

/// The words that stand for something else in a text of a script.
pub(super) struct Placeholders {
    /// `{heard}`.
    pub(super) heard: String,
    /// `{toolOutput}`.
    pub(super) tool_output: String,
}

impl Placeholders {
    /// A step with its placeholders filled in.
    pub(super) fn fill(&self, step: &Step) -> Step {
        match step {
            Step::Say { text, pace } => {
                let text =
                    text.replace("{heard}", &self.heard).replace("{toolOutput}", &self.tool_output);
                Step::Say { text, pace: *pace }
            }
            Step::ToolCall { name, arguments } => {
                let arguments = arguments
                    .replace("{heard}", &escaped(&self.heard))
                    .replace("{toolOutput}", &escaped(&self.tool_output));
                Step::ToolCall { name: name.clone(), arguments }
            }
            other => other.clone(),
        }
    }
}

/// As it stands between the quotes of a JSON string.
fn escaped(text: &str) -> String {
    let quoted = Value::from(text).to_string();
    quoted.trim_start_matches('"').strip_suffix('"').unwrap_or_default().to_owned()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct ScriptFile {
    #[serde(default)]
    at_end: AtEnd,
    #[serde(default)]
    turns: Vec<TurnFile>,
    #[serde(default)]
    heard_by: BTreeMap<String, String>,
    transcribes: Option<bool>,
    #[serde(default)]
    voice: VoiceFile,
    #[serde(default)]
    connections: Vec<scenario::ScenarioFile>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
enum VoiceFile {
    #[default]
    Espeak,
    Tones,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct TurnFile {
    heard: Option<String>,
    connection: Option<u64>,
    #[serde(default)]
    needs_tool_output: bool,
    reply: Value,
}
