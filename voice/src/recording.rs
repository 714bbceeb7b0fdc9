//! A voice session written down: one JSON object a line.
//!
//! ```text
//! {"clawvoice_timeline":1,"session":…,"started":…,"settings":{…}}   first
//! {"at_us":…,"level":"info","line":"realtime barge-in confirmed","fields":{…}}
//! {"at_us":…,"input":"frame","user":"11","level_ddbfs":-312,…}      what a decision came from
//! {"at_us":…,"decision":"suspected","user":"11"}                    the decision
//! ```
//!
//! Times are microseconds on the session's clock. No audio and nobody's words are in it. Inputs and
//! decisions are enough to take every decision again: [`replay()`].

mod replay;

use std::io;

use clawvoice_session::{ChannelId, GuildId, SessionTime, timeline::Record};
use serde::{Deserialize, Serialize};

pub use replay::{Difference, Replay, ReplayError, replay};

use crate::conversation::{ConversationSettings, FloorRules, Trace, floor};

/// The format's version, which readers check.
pub const VERSION: u32 = 1;

/// The first line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// The format's version.
    pub clawvoice_timeline: u32,
    /// The session's name: its file's, without the extension.
    pub session: String,
    /// The guild.
    pub guild: GuildId,
    /// The voice channel.
    pub channel: ChannelId,
    /// When it began, RFC 3339, UTC.
    pub started: String,
    /// That moment on the session's clock, in microseconds.
    pub started_us: SessionTime,
    /// The program's version.
    pub version: String,
    /// What the decisions went by; `None` for a conversation that takes none of them.
    pub settings: Option<Thresholds>,
}

/// The settings behind the decisions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Thresholds {
    /// Whether speech interrupts.
    pub barge_in: bool,
    /// The documented rule's minimum, in ms.
    pub min_barge_in_audio_end_ms: u32,
    /// How a sound is judged; `None`: the documented rule.
    pub floor: Option<FloorRules>,
    /// Whether echo is recognised.
    pub echo_detection: bool,
}

impl From<&ConversationSettings> for Thresholds {
    fn from(settings: &ConversationSettings) -> Self {
        Self {
            barge_in: settings.barges_in(),
            min_barge_in_audio_end_ms: settings.min_barge_in_audio_end_ms,
            floor: settings.floor_rules(),
            echo_detection: settings.echo_detection,
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct TimedInput {
    at_us: SessionTime,
    #[serde(flatten)]
    input: floor::Input,
}

#[derive(Debug, Serialize, Deserialize)]
struct TimedDecision {
    at_us: SessionTime,
    #[serde(flatten)]
    decision: floor::Decision,
}

/// A line of a recording, apart from the first.
#[derive(Clone, Debug)]
pub enum Line {
    /// Something that happened, as in the log.
    Record(Record),
    /// A decision, or what it came from.
    Trace(Trace),
}

impl Line {
    /// Appends the line, with its end.
    ///
    /// # Errors
    ///
    /// Those of `to`.
    pub fn write(&self, to: &mut impl io::Write) -> io::Result<()> {
        match self {
            Self::Record(record) => serde_json::to_writer(&mut *to, &record.without_words())?,
            Self::Trace(Trace::Input { at, input }) => {
                serde_json::to_writer(&mut *to, &TimedInput { at_us: *at, input: *input })?;
            }
            Self::Trace(Trace::Decision { at, decision }) => {
                let line = TimedDecision { at_us: *at, decision: *decision };
                serde_json::to_writer(&mut *to, &line)?;
            }
        }
        to.write_all(b"\n")
    }
}
