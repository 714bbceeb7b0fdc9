//! What a recording's lines add up to: who spoke from when to when, what was played, which question
//! got which answer.
//!
//! Everything that shows or diagnoses a recording works on these, so that no two of them can
//! disagree about what happened.

mod build;
mod exchange;

use clawvoice_session::SessionTime;
use serde::Serialize;

use super::Timeline;
pub use exchange::{Exchange, Outcome, Stage, StageName};

/// A place in [`Timeline::events`].
pub type EventIndex = usize;

/// What a recording's lines add up to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    /// Everybody who was heard or named, in order of appearance.
    pub speakers: Vec<Speaker>,
    /// Their turns, in order of their beginnings.
    pub turns: Vec<SpeakerTurn>,
    /// Answers that were played.
    pub playbacks: Vec<Playback>,
    /// Stretches during which an answer was held back to listen.
    pub pauses: Vec<Pause>,
    /// Sounds over an answer that might have been interruptions.
    pub doubts: Vec<Doubt>,
    /// Questions and their answers.
    pub exchanges: Vec<Exchange>,
    /// The time of the last entry.
    pub end: SessionTime,
}

impl Facts {
    /// Adds a recording up.
    #[must_use]
    pub fn of(timeline: &Timeline) -> Self {
        build::build(timeline)
    }

    /// The name shown for a user: the label of the log, else the id.
    #[must_use]
    pub fn label<'a>(&'a self, user: &'a str) -> &'a str {
        self.speakers.iter().find(|speaker| speaker.user == user).map_or(user, |speaker| {
            if speaker.label.is_empty() { user } else { speaker.label.as_str() }
        })
    }

    /// The answer that was playing at a time.
    #[must_use]
    pub fn playing_at(&self, at: SessionTime) -> Option<&Playback> {
        let begun = self.playbacks.partition_point(|playback| playback.started <= at);
        let last = self.playbacks[..begun].last()?;
        last.stopped.is_none_or(|stopped| at <= stopped).then_some(last)
    }
}

/// Somebody in the channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Speaker {
    /// The user's id.
    pub user: String,
    /// The name that the log gives them; empty if it gives none.
    pub label: String,
}

/// A turn of a speaker: from the first sign of speech until nothing came for the grace time.
#[derive(Clone, Debug, PartialEq)]
pub struct SpeakerTurn {
    /// The user's id.
    pub user: String,
    /// When it was opened.
    pub opened: SessionTime,
    /// When it was closed; `None` if the recording ends before.
    pub closed: Option<SessionTime>,
    /// Its first audio.
    pub audio_from: Option<SessionTime>,
    /// Its last audio.
    pub audio_to: Option<SessionTime>,
    /// Whether it held audio, as the closing line says.
    pub has_audio: Option<bool>,
    /// Audio of it, in milliseconds.
    pub heard_ms: u64,
    /// Whether it began while an answer was playing.
    pub over_playback: bool,
    /// Whether it stopped an answer, as the closing line says.
    pub interrupted: bool,
    /// Transcripts that came of it.
    pub transcripts: usize,
    /// The entry that opened it.
    pub opening: EventIndex,
    /// The entry that closed it.
    pub closing: Option<EventIndex>,
}

/// The playback of one answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Playback {
    /// Its first sample.
    pub started: SessionTime,
    /// Its end; `None` if the recording ends before.
    pub stopped: Option<SessionTime>,
    /// Why it ended, in the log's word: `player-idle`, `barge-in`, ….
    pub reason: String,
    /// What the provider sent of it, in milliseconds.
    pub received_ms: Option<u64>,
    /// What the channel was given of it, in milliseconds.
    pub heard_ms: Option<u64>,
    /// What was asked to stop it, if anything was.
    pub cut: Option<Cut>,
    /// The answer's words, where the log has them.
    pub words: String,
    /// The exchange whose answer it is.
    pub exchange: Option<usize>,
    /// The entry that began it.
    pub starting: EventIndex,
    /// The entry that ended it.
    pub stopping: Option<EventIndex>,
}

impl Playback {
    /// Whether an interruption ended it.
    #[must_use]
    pub fn was_cut(&self) -> bool {
        self.reason == "barge-in" || (self.reason == "provider-clear-audio" && self.cut.is_some())
    }

    /// How long it was heard, in milliseconds: what the channel was given, else the time it took.
    #[must_use]
    pub fn length_ms(&self) -> u64 {
        let took = self.stopped.map_or(0, |stopped| stopped.since(self.started).as_millis() as u64);
        self.heard_ms.unwrap_or(took)
    }
}

/// What was asked to stop an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cut {
    /// Who spoke.
    pub user: Option<String>,
    /// `speaker-start` or `active-speaker-audio`.
    pub source: Option<String>,
    /// How much of the answer there was by then, in milliseconds.
    pub output_ms: Option<u64>,
    /// The rule's word for why, if the decision is recorded.
    pub reason: Option<String>,
    /// The entries that led to it.
    pub events: Vec<EventIndex>,
}

/// An answer held back to listen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pause {
    /// When it was held back.
    pub from: SessionTime,
    /// When it went on or was given up; `None` if the recording does not say.
    pub to: Option<SessionTime>,
    /// Whether it went on.
    pub resumed: bool,
    /// The deciding entry.
    pub event: EventIndex,
}

/// A sound over an answer that might have been an interruption.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doubt {
    /// Whose sound.
    pub user: String,
    /// When it was first suspected.
    pub from: SessionTime,
    /// When it was decided; `None` if the recording does not say.
    pub to: Option<SessionTime>,
    /// Whether it was an interruption.
    pub verdict: Option<Verdict>,
    /// The rule's word for why: `speech`, `cough`, `echo`, `backchannel`, ….
    pub reason: String,
    /// The deciding entries, in order.
    pub events: Vec<EventIndex>,
}

/// How a doubt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Somebody interrupted.
    Confirmed,
    /// Nobody did.
    Dismissed,
}

#[cfg(test)]
mod tests;
