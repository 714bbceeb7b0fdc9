//! The states of one guild.

use std::{collections::VecDeque, time::Duration};

use clawvoice_session::{ChannelId, Generation, SessionTime, VoiceServerChange};

use super::output::{Ticket, Timer};

/// How often a lost session is joined again before it is given up.
pub(super) const MAX_ATTEMPTS: u32 = 5;

/// The pause before a rejoin: 1, 2, 4, 8, 16 seconds.
pub(super) fn pause(attempt: u32) -> Duration {
    Duration::from_secs(1 << attempt.saturating_sub(1).min(4))
}

/// Who waits for a join.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asker {
    /// Somebody who gets an answer.
    Ticket(Ticket),
    /// The auto-join list, which goes on to its next entry.
    AutoJoin,
}

/// A join that waits for its turn.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    pub(super) channel: ChannelId,
    pub(super) asker: Asker,
}

/// How far a join is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// The main gateway was asked and has not told both halves.
    AtGateway,
    /// A session runs and connects to the voice server.
    AtVoiceServer,
}

/// A join under way.
#[derive(Debug)]
pub(super) struct Joining {
    pub(super) channel: ChannelId,
    pub(super) generation: Generation,
    pub(super) stage: Stage,
    /// When it has taken too long.
    pub(super) deadline: SessionTime,
    pub(super) asked: Vec<Asker>,
    /// 0: asked for. 1 and up: the rejoin of a lost session, counted.
    pub(super) attempt: u32,
    /// Whether the session already ended once within this deadline.
    pub(super) second_try: bool,
}

/// A join that follows a leave.
#[derive(Debug)]
pub(super) struct Again {
    pub(super) channel: ChannelId,
    pub(super) asked: Vec<Asker>,
    /// The deadline of the join that goes on; `None` begins a new one.
    pub(super) deadline: Option<SessionTime>,
    pub(super) attempt: u32,
    pub(super) not_before: SessionTime,
}

/// Where a guild is.
#[derive(Debug, Default)]
pub(super) enum Phase {
    /// In no channel.
    #[default]
    Idle,
    /// On the way into a channel.
    Joining(Joining),
    /// In a channel, with a session that was ready.
    Connected { channel: ChannelId, generation: Generation, since: SessionTime, attempt: u32 },
    /// Discord was told that the bot leaves; its word is awaited, so that it cannot be taken for
    /// an event of the next join.
    Leaving { until: SessionTime, again: Option<Again> },
    /// Out of the channel, until a rejoin.
    Pausing(Again),
    /// The session ended, and the main gateway has not told why.
    Detached { channel: ChannelId, until: SessionTime, attempt: u32 },
    /// The main gateway session is gone, and the voice session with it; joined again when there
    /// is a new one.
    Lost { channel: ChannelId },
}

impl Phase {
    /// Whether the bot is in `channel`, or on its way in.
    pub(super) fn is_in(&self, channel: ChannelId) -> bool {
        match self {
            Self::Joining(joining) => joining.channel == channel,
            Self::Connected { channel: at, .. } => *at == channel,
            _ => false,
        }
    }
}

/// One guild.
#[derive(Debug, Default)]
pub(super) struct Guild {
    pub(super) phase: Phase,
    /// The channel in which nobody hears the bot.
    pub(super) suppressed: Option<ChannelId>,
    /// Joins that wait for the current one.
    pub(super) queue: VecDeque<Wanted>,
    /// The bot's voice session as last told.
    pub(super) session_id: String,
    /// The voice server as last told and not yet used by a join, and when it was told.
    pub(super) server: Option<(SessionTime, VoiceServerChange)>,
}

impl Guild {
    /// The generation of the session that runs, if one runs.
    pub(super) fn session(&self) -> Option<Generation> {
        match &self.phase {
            Phase::Joining(joining) if joining.stage == Stage::AtVoiceServer => {
                Some(joining.generation)
            }
            Phase::Connected { generation, .. } => Some(*generation),
            _ => None,
        }
    }

    /// When time itself changes something, and what.
    pub(super) fn timeout(&self) -> Option<(SessionTime, Timer)> {
        match &self.phase {
            Phase::Idle | Phase::Connected { .. } | Phase::Lost { .. } => None,
            Phase::Joining(joining) => Some((joining.deadline, Timer::Connect)),
            Phase::Leaving { until, .. } => Some((*until, Timer::Leave)),
            Phase::Pausing(again) => Some((again.not_before, Timer::Rejoin)),
            Phase::Detached { until, .. } => Some((*until, Timer::Move)),
        }
    }
}
