//! What is shown.

use clawvoice_session::{
    ChannelId, GuildId, SessionTime,
    timeline::{Level, Record},
};
use serde::Serialize;

use crate::{
    conversation::AgentVoice,
    session::{Flow, Present},
};

/// A call's stage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "is", rename_all = "lowercase")]
pub enum CallState {
    /// Asked for; media does not flow yet.
    Joining,
    /// Media flows.
    Connected,
    /// The connection is being rebuilt.
    Interrupted {
        /// In words.
        why: String,
    },
    /// Over.
    Ended {
        /// In words.
        why: String,
    },
}

impl CallState {
    /// Whether nothing more will come of the call.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        matches!(self, Self::Ended { .. })
    }
}

/// A line of the timeline, without anybody's words.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Line {
    /// Its number among all lines of the process.
    pub seq: u64,
    /// Milliseconds since the process began.
    pub at_ms: u64,
    /// How loud.
    pub level: Level,
    /// As it is in the log, without `discord voice: `.
    pub text: String,
}

impl Line {
    pub(super) fn new(seq: u64, record: &Record) -> Self {
        let text = record.to_line();
        let text = text.strip_prefix("discord voice: ").map(str::to_owned).unwrap_or(text);
        Self { seq, at_ms: record.at.as_millis(), level: record.level, text }
    }
}

/// One value of a graph.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Point {
    /// Milliseconds since the process began.
    pub at_ms: u64,
    /// The value.
    pub value: f64,
}

/// One call.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CallView {
    /// The guild.
    pub guild: GuildId,
    /// The voice channel.
    pub channel: ChannelId,
    /// `agent-proxy`, `bidi` or `stt-tts`.
    pub mode: String,
    /// Its stage.
    pub state: CallState,
    /// Milliseconds since the process began.
    pub began_ms: u64,
    /// Who is there, the bot aside.
    pub present: Vec<Present>,
    /// The agent's voice.
    pub agent: AgentVoice,
    /// Answers that were heard, at least in part.
    pub answers: u64,
    /// Answers that somebody ended by talking.
    pub interruptions: u64,
    /// Sounds that paused an answer and were no reason to end it.
    pub dismissed: u64,
    /// From the end of somebody's turn to the first sound of the answer, ms.
    pub answer_ms: Vec<Point>,
    /// Of the packets that should have come in the last seconds, how many did not, in percent.
    pub loss_percent: Vec<Point>,
    /// What came in and went out.
    pub flow: Flow,
    /// The newest lines of its timeline that were asked for, oldest first.
    pub lines: Vec<Line>,
}

/// Everything.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BoardView {
    /// Milliseconds since the process began.
    pub now_ms: u64,
    /// The number of the newest line: what to ask from next time.
    pub seq: u64,
    /// Calls under way first, then the newest.
    pub calls: Vec<CallView>,
    /// The newest first.
    pub warnings: Vec<Line>,
}

/// Counters since the process began, and what is so at this moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// Calls under way.
    pub calls: u64,
    /// People in them.
    pub present: u64,
    /// Of these, who is sending.
    pub speaking: u64,
    /// Joins that reached media.
    pub joins: u64,
    /// Joins that did not.
    pub failed_joins: u64,
    /// Answers that began to be heard.
    pub answers: u64,
    /// Answers that somebody ended by talking.
    pub interruptions: u64,
    /// Sounds that paused an answer and were no reason to end it.
    pub dismissed: u64,
    /// Records of level warn.
    pub warnings: u64,
    /// What came in and went out.
    pub flow: Flow,
}

impl Totals {
    pub(super) fn count(&mut self, record: &Record) {
        let counter = match record.line.as_ref() {
            "joined" => &mut self.joins,
            "join failed before ready" => &mut self.failed_joins,
            "realtime audio playback started" | "playback start" => &mut self.answers,
            "realtime barge-in requested" => &mut self.interruptions,
            "realtime barge-in dismissed" => &mut self.dismissed,
            _ => &mut 0,
        };
        *counter += 1;
        self.warnings += u64::from(record.level == Level::Warn);
    }
}

/// Seconds of call for which a graph keeps its points.
pub(super) fn is_recent(now: SessionTime, at_ms: u64, window_ms: u64) -> bool {
    at_ms + window_ms >= now.as_millis()
}
