//! The states of one guild.

use std::{
    collections::{BTreeSet, VecDeque},
    time::Duration,
};

use clawvoice_session::{ChannelId, Generation, SessionTime, VoiceServerChange};

use super::{
    follow::Following,
    output::{Ticket, Timer},
};

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
    /// Nobody.
    Nobody,
}

impl Asker {
    /// Whether somebody is told how it ended.
    pub(super) fn is_person(self) -> bool {
        matches!(self, Self::Ticket(_))
    }
}

/// What brought the bot to where it is, or is going. It survives rejoins and moves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Owner {
    /// It is in no channel.
    #[default]
    Nobody,
    /// Somebody asked for it.
    Person,
    /// The auto-join list, or `allowedChannels`.
    Fixed,
    /// An auto-join entry with `whenOccupied`: it leaves after the last human.
    Occupied,
    /// A followed user: it leaves with them.
    Followed,
}

/// A join that waits for its turn.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    pub(super) channel: ChannelId,
    pub(super) owner: Owner,
    pub(super) asker: Asker,
    /// Whether the channel was looked at.
    pub(super) checked: bool,
}

impl Wanted {
    pub(super) fn new(channel: ChannelId, owner: Owner, asker: Asker) -> Self {
        Self { channel, owner, asker, checked: false }
    }
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
    /// Whether Discord has told that the bot is in the channel.
    pub(super) seated: bool,
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

    /// The channel the bot is in, is on its way to, or comes back to.
    pub(super) fn channel(&self) -> Option<ChannelId> {
        match self {
            Self::Joining(joining) => Some(joining.channel),
            Self::Connected { channel, .. }
            | Self::Detached { channel, .. }
            | Self::Lost { channel } => Some(*channel),
            Self::Pausing(again) | Self::Leaving { again: Some(again), .. } => Some(again.channel),
            Self::Idle | Self::Leaving { again: None, .. } => None,
        }
    }
}

/// One guild.
#[derive(Debug, Default)]
pub(super) struct Guild {
    pub(super) phase: Phase,
    /// What brought the bot to [`Phase::channel`].
    pub(super) owner: Owner,
    /// How following goes here.
    pub(super) following: Following,
    /// What kept the bot where it is has gone while another channel was wanted.
    pub(super) overdue: bool,
    /// The first human came into the room that is kept for humans while another join was looked at.
    pub(super) room_waits: bool,
    /// Who is in the channel was forgotten with the gateway session.
    pub(super) uncounted: bool,
    /// A join failed for want of credentials: nothing joins here by itself.
    pub(super) suspended: bool,
    /// Channels that are being looked at.
    pub(super) checking: BTreeSet<ChannelId>,
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

    /// Whether the bot is in no channel of the guild and nothing brings it to one.
    pub(super) fn is_free(&self) -> bool {
        matches!(self.phase, Phase::Idle | Phase::Leaving { again: None, .. })
            && self.queue.is_empty()
    }

    /// When time itself changes something, and what.
    pub(super) fn timeout(&self) -> Option<(SessionTime, Timer)> {
        let follow = self.following.retry.map(|at| (at, Timer::Follow));
        self.phase_timeout().into_iter().chain(follow).min_by_key(|(at, _)| *at)
    }

    fn phase_timeout(&self) -> Option<(SessionTime, Timer)> {
        match &self.phase {
            Phase::Idle | Phase::Connected { .. } | Phase::Lost { .. } => None,
            Phase::Joining(joining) => Some((joining.deadline, Timer::Connect)),
            Phase::Leaving { until, .. } => Some((*until, Timer::Leave)),
            Phase::Pausing(again) => Some((again.not_before, Timer::Rejoin)),
            Phase::Detached { until, .. } => Some((*until, Timer::Move)),
        }
    }
}
