//! What listens and talks in a session: a realtime provider, or transcriber, agent and
//! synthesizer in turn.

use clawvoice_session::{
    SessionKey, SessionTime, UserId,
    agent::{ControlOutcome, RunReport},
};

use super::{Output, Timer};
use crate::{
    batch::{self, BatchConversation, BatchSettings},
    call::{Attribution, FRAME_SAMPLES, Hear},
    conversation::{self, AgentVoice, AnswerDelay, Conversation, ConversationSettings, Rights},
};

/// What a session's front end is made from.
#[derive(Clone, Debug)]
pub enum FrontEndSettings {
    /// `agent-proxy` and `bidi`.
    Realtime(ConversationSettings),
    /// `stt-tts`.
    Batch(BatchSettings),
}

impl From<ConversationSettings> for FrontEndSettings {
    fn from(settings: ConversationSettings) -> Self {
        Self::Realtime(settings)
    }
}

impl From<BatchSettings> for FrontEndSettings {
    fn from(settings: BatchSettings) -> Self {
        Self::Batch(settings)
    }
}

/// A session's front end.
#[derive(Debug)]
pub(super) enum FrontEnd {
    Realtime(Conversation),
    Batch(BatchConversation),
}

impl FrontEnd {
    pub(super) fn new(settings: FrontEndSettings, now: SessionTime) -> Self {
        match settings {
            FrontEndSettings::Realtime(settings) => {
                Self::Realtime(Conversation::new(settings, now))
            }
            FrontEndSettings::Batch(settings) => Self::Batch(BatchConversation::new(settings)),
        }
    }

    /// The realtime conversation, if that is what it is: only that has provider connections.
    pub(super) fn realtime(&mut self) -> Option<&mut Conversation> {
        match self {
            Self::Realtime(talk) => Some(talk),
            Self::Batch(_) => None,
        }
    }

    /// The batch conversation, if that is what it is: only that has segments and sentences.
    pub(super) fn batch(&mut self) -> Option<&mut BatchConversation> {
        match self {
            Self::Realtime(_) => None,
            Self::Batch(talk) => Some(talk),
        }
    }

    /// Whether it can be used from the start, without a connection of its own.
    pub(super) fn is_ready_at_once(&self) -> bool {
        matches!(self, Self::Batch(_))
    }

    pub(super) fn handle_agent(&mut self, now: SessionTime, report: RunReport) {
        match self {
            Self::Realtime(talk) => talk.handle_agent(now, report),
            Self::Batch(talk) => talk.handle_agent(now, report),
        }
    }

    pub(super) fn handle_control(
        &mut self,
        now: SessionTime,
        ticket: u64,
        outcome: &ControlOutcome,
    ) {
        match self {
            Self::Realtime(talk) => talk.handle_control(now, ticket, outcome),
            Self::Batch(talk) => talk.handle_control(now, ticket, outcome),
        }
    }

    pub(super) fn handle_name(&mut self, user: UserId, label: String, bot: bool) {
        match self {
            Self::Realtime(talk) => talk.handle_name(user, label, bot),
            Self::Batch(talk) => talk.handle_name(user, label, bot),
        }
    }

    pub(super) fn rights(&mut self) -> &mut Rights {
        match self {
            Self::Realtime(talk) => talk.rights(),
            Self::Batch(talk) => talk.rights(),
        }
    }

    pub(super) fn handle_member_left(&mut self, now: SessionTime, user: UserId) {
        match self {
            Self::Realtime(talk) => talk.handle_member_left(now, user),
            Self::Batch(talk) => talk.handle_member_left(now, user),
        }
    }

    pub(super) fn handle_connection_lost(&mut self, now: SessionTime) {
        match self {
            Self::Realtime(talk) => talk.handle_connection_lost(now),
            Self::Batch(talk) => talk.handle_connection_lost(now),
        }
    }

    pub(super) fn handle_timeout(&mut self, now: SessionTime) {
        match self {
            Self::Realtime(talk) => talk.handle_timeout(now),
            Self::Batch(talk) => talk.handle_timeout(now),
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<(SessionTime, Timer)> {
        match self {
            Self::Realtime(talk) => {
                talk.poll_timeout().map(|(at, timer)| (at, Timer::Conversation(timer)))
            }
            Self::Batch(talk) => talk.poll_timeout().map(|(at, timer)| (at, Timer::Batch(timer))),
        }
    }

    pub(super) fn take_frame(
        &mut self,
        now: SessionTime,
        frame: &mut [i16; FRAME_SAMPLES],
    ) -> bool {
        match self {
            Self::Realtime(talk) => talk.take_frame(now, frame),
            Self::Batch(talk) => talk.take_frame(now, frame),
        }
    }

    /// The session that turns go into.
    pub(super) fn agent_session(&self) -> &SessionKey {
        match self {
            Self::Realtime(talk) => talk.agent_session(),
            Self::Batch(talk) => talk.agent_session(),
        }
    }

    /// Somebody's name, and whether they are sending.
    pub(super) fn glimpse(&self, user: UserId) -> (String, bool) {
        match self {
            Self::Realtime(talk) => (talk.label(user), talk.is_talking(user)),
            Self::Batch(talk) => (talk.label(user), talk.is_talking(user)),
        }
    }

    pub(super) fn answer_delay(&self) -> Option<AnswerDelay> {
        match self {
            Self::Realtime(talk) => talk.answer_delay(),
            Self::Batch(talk) => talk.answer_delay(),
        }
    }

    pub(super) fn agent_voice(&self) -> AgentVoice {
        match self {
            Self::Realtime(talk) => talk.agent_voice(),
            Self::Batch(talk) => talk.agent_voice(),
        }
    }

    pub(super) fn wants_frame(&self) -> bool {
        match self {
            Self::Realtime(talk) => talk.wants_frame(),
            Self::Batch(talk) => talk.wants_frame(),
        }
    }

    pub(super) fn close(&mut self, now: SessionTime) {
        match self {
            Self::Realtime(talk) => talk.close(now),
            Self::Batch(talk) => talk.close(now),
        }
    }

    /// Its counters; those that only a realtime conversation has are 0 in a batch one.
    pub(super) fn stats(&self) -> conversation::Stats {
        match self {
            Self::Realtime(talk) => talk.stats(),
            Self::Batch(talk) => {
                let stats = talk.stats();
                conversation::Stats {
                    turns: stats.captures,
                    turns_dropped: stats.ignored + stats.discarded + stats.segments_dropped,
                    barge_ins: stats.barge_ins,
                    barge_ins_skipped: stats.barge_ins_skipped,
                    frames_played: stats.frames_played,
                    input_samples_dropped: stats.samples_dropped,
                    ..conversation::Stats::default()
                }
            }
        }
    }
}

impl Hear for FrontEnd {
    fn speaking_started(&mut self, now: SessionTime, user: UserId) {
        match self {
            Self::Realtime(talk) => talk.speaking_started(now, user),
            Self::Batch(talk) => talk.speaking_started(now, user),
        }
    }

    fn attributed(&mut self, now: SessionTime, user: UserId, attribution: Attribution) {
        match self {
            Self::Realtime(talk) => talk.attributed(now, user, attribution),
            Self::Batch(talk) => talk.attributed(now, user, attribution),
        }
    }

    fn audio(&mut self, now: SessionTime, user: UserId, pcm: &[i16]) {
        match self {
            Self::Realtime(talk) => talk.audio(now, user, pcm),
            Self::Batch(talk) => talk.audio(now, user, pcm),
        }
    }

    fn speaking_stopped(&mut self, now: SessionTime, user: UserId) {
        match self {
            Self::Realtime(talk) => talk.speaking_stopped(now, user),
            Self::Batch(talk) => talk.speaking_stopped(now, user),
        }
    }
}

/// What a batch conversation asks, for the shell; `None`: it is in the timeline already.
pub(super) fn batch_output(output: batch::Output) -> Option<Output> {
    use batch::AgentRequest;
    Some(match output {
        batch::Output::Transcribe { segment, wav } => Output::Transcribe { segment, wav },
        batch::Output::Synthesize { speech, text } => Output::Synthesize { speech, text },
        batch::Output::CancelSynthesis { speech } => Output::CancelSynthesis { speech },
        batch::Output::Agent(AgentRequest::Ask(ask)) => Output::Ask(ask),
        batch::Output::Agent(AgentRequest::Control { ticket, session, control }) => {
            Output::Control { ticket, session, control }
        }
        batch::Output::Agent(AgentRequest::Cancel { session, run }) => {
            Output::CancelRun { session, run }
        }
        batch::Output::Agent(AgentRequest::Heard { session, run, text }) => {
            Output::Heard { session, run, text }
        }
        batch::Output::Timeline(record) => Output::Record(record),
        batch::Output::Transcript { .. } => return None,
    })
}
