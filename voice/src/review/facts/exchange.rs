//! One question and its answer, and where the time between them went.

use clawvoice_session::SessionTime;
use serde::Serialize;

use super::EventIndex;

/// One question and its answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Exchange {
    /// Who asked; `None` if the log does not tell.
    pub user: Option<String>,
    /// The turn that it was said in.
    pub turn: Option<usize>,
    /// The words that were understood.
    pub words: String,
    /// When its speaker fell silent.
    pub speech_ended: Option<SessionTime>,
    /// When its words were there.
    pub transcribed: Option<SessionTime>,
    /// When the agent was asked.
    pub asked: Option<SessionTime>,
    /// When the agent had answered.
    pub answered: Option<SessionTime>,
    /// When the answer's turn to be spoken came, if it had to wait for another one.
    pub dequeued: Option<SessionTime>,
    /// The first audio that the provider sent of the answer, where the log shows it.
    pub audio: Option<SessionTime>,
    /// The first sample that was played.
    pub played: Option<SessionTime>,
    /// The answer's words.
    pub answer: String,
    /// Its playback.
    pub playback: Option<usize>,
    /// What became of it.
    pub outcome: Outcome,
    /// The entries that belong to it.
    pub events: Vec<EventIndex>,
}

/// What became of a question.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "kind", content = "why")]
pub enum Outcome {
    /// The recording shows no answer.
    #[default]
    Unanswered,
    /// Its answer was played to the end.
    Answered,
    /// Its answer was interrupted.
    Cut,
    /// Its answer's playback ended for another reason.
    Stopped(String),
    /// It was left alone on purpose: the log's reason.
    LeftAlone(String),
    /// It was no question but a control of the agent's run.
    Control(String),
    /// The agent chose to say nothing.
    Silent,
    /// Somebody called it off.
    CalledOff,
    /// The agent failed.
    Failed(String),
}

/// A part of the time between the end of a question and the beginning of its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Stage {
    /// What was waited for.
    pub name: StageName,
    /// From here.
    #[serde(rename = "from_us")]
    pub from: SessionTime,
    /// To here.
    #[serde(rename = "to_us")]
    pub to: SessionTime,
}

impl Stage {
    /// Its length in milliseconds.
    #[must_use]
    pub fn millis(&self) -> u64 {
        self.to.since(self.from).as_millis() as u64
    }
}

/// What was waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum StageName {
    /// The provider noticed the end of speech and transcribed it.
    Transcript,
    /// The front end had its time to ask the agent by itself.
    Consult,
    /// The agent thought.
    Agent,
    /// Another answer was being spoken.
    Queue,
    /// The provider made the answer's first sound.
    Provider,
    /// Enough of the answer came to begin it.
    Prebuffer,
}

impl StageName {
    /// What was waited for, in a few words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Transcript => "hearing the end, transcript",
            Self::Consult => "before the agent is asked",
            Self::Agent => "agent",
            Self::Queue => "another answer",
            Self::Provider => "provider's voice",
            Self::Prebuffer => "prebuffer",
        }
    }
}

impl Exchange {
    /// The time from the end of the question to the first sample of the answer, cut into what was
    /// waited for. Empty without an answer. What the log does not show is left out, and its time
    /// goes to the stage after it.
    #[must_use]
    pub fn stages(&self) -> Vec<Stage> {
        let Some(played) = self.played else { return Vec::new() };
        let Some(mut from) = self.speech_ended.or(self.transcribed) else { return Vec::new() };
        let last = if self.audio.is_some() { StageName::Prebuffer } else { StageName::Provider };
        let points = [
            (self.transcribed, StageName::Transcript),
            (self.asked, StageName::Consult),
            (self.answered, StageName::Agent),
            (self.dequeued, StageName::Queue),
            (self.audio, StageName::Provider),
            (Some(played), last),
        ];
        let mut stages = Vec::with_capacity(points.len());
        for (to, name) in points {
            if let Some(to) = to.filter(|to| *to > from && *to <= played) {
                stages.push(Stage { name, from, to });
                from = to;
            }
        }
        stages
    }

    /// From the end of the question to the first sample of the answer, in milliseconds.
    #[must_use]
    pub fn latency_ms(&self) -> Option<u64> {
        let from = self.speech_ended.or(self.transcribed)?;
        Some(self.played?.since(from).as_millis() as u64)
    }

    /// Whether the recording shows what became of it.
    pub(super) fn is_settled(&self) -> bool {
        self.playback.is_some() || self.outcome != Outcome::Unanswered
    }
}
