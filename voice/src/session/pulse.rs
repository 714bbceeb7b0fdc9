//! A session at this moment, for whoever watches.

use clawvoice_session::{ChannelId, GuildId, UserId};
use serde::Serialize;

use super::VoiceSession;
use crate::{
    call::CallStats,
    conversation::{AgentVoice, AnswerDelay},
};

/// Somebody in the channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Present {
    /// Who.
    pub user: UserId,
    /// Their name, or their id.
    pub label: String,
    /// Whether they are sending.
    pub speaking: bool,
}

/// What came in since the session's connection began. Packets of 20 ms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Flow {
    /// Datagrams that arrived.
    pub received: u64,
    /// Packets that were decoded.
    pub delivered: u64,
    /// Packets that never came and were made up or left silent.
    pub lost: u64,
    /// Packets that came too late to be heard.
    pub late: u64,
    /// Frames that no key opened.
    pub undecryptable: u64,
    /// Frames of the agent that were sent.
    pub sent: u64,
}

/// A session at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Pulse {
    /// The guild.
    pub guild: GuildId,
    /// The channel.
    pub channel: ChannelId,
    /// Who is there, the bot aside, in order of their ids.
    pub present: Vec<Present>,
    /// The agent's voice.
    pub agent: AgentVoice,
    /// How long the last answer was waited for.
    #[serde(skip)]
    pub answer_delay: Option<AnswerDelay>,
    /// What came in and went out.
    pub flow: Flow,
}

impl std::ops::Add for Flow {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            received: self.received + other.received,
            delivered: self.delivered + other.delivered,
            lost: self.lost + other.lost,
            late: self.late + other.late,
            undecryptable: self.undecryptable + other.undecryptable,
            sent: self.sent + other.sent,
        }
    }
}

impl VoiceSession {
    /// The session as it is now. Reading changes nothing.
    #[must_use]
    pub fn pulse(&self) -> Pulse {
        let mut present: Vec<Present> = self
            .call
            .members()
            .map(|user| {
                let (label, speaking) = self.front_end.glimpse(user);
                Present { user, label, speaking }
            })
            .collect();
        present.sort_by_key(|present| present.user);
        Pulse {
            guild: self.connection.guild,
            channel: self.connection.channel,
            present,
            agent: self.front_end.agent_voice(),
            answer_delay: self.front_end.answer_delay(),
            flow: flow(self.call.stats()),
        }
    }
}

fn flow(stats: &CallStats) -> Flow {
    let total = &stats.total;
    Flow {
        received: total.received,
        delivered: total.delivered,
        lost: total.concealed + total.silenced,
        late: total.late,
        undecryptable: total.undecryptable,
        sent: stats.sent.speech,
    }
}
