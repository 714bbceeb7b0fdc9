//! What presence is told at its start, and again when the configuration changes.

use std::{collections::BTreeSet, time::Duration};

use clawvoice_session::{ChannelId, GuildId, SessionKey, UserId};

/// A channel that is joined whenever the bot comes online (`voice.autoJoin[]`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AutoJoin {
    /// The guild.
    pub guild: GuildId,
    /// The channel.
    pub channel: ChannelId,
    /// `whenOccupied`: joined when the first human comes, left after the last.
    pub when_occupied: bool,
}

/// Rules of joining.
#[derive(Clone, Debug)]
pub struct PresenceSettings {
    /// `voice.enabled`; off refuses every join.
    pub enabled: bool,
    /// Joined on READY and RESUMED, in order; the last entry of a guild wins.
    pub auto_join: Vec<AutoJoin>,
    /// `voice.allowedChannels`: the only channels the bot may be in. `None`: all.
    pub allowed_channels: Option<BTreeSet<(GuildId, ChannelId)>>,
    /// `voice.followUsers`; empty if `followUsersEnabled` is off.
    pub follow_users: BTreeSet<UserId>,
    /// Guilds that the configuration names elsewhere: where followed users are looked for, too.
    pub guilds: BTreeSet<GuildId>,
    /// Whether Discord can be asked by REST: the channel of a join is looked at before it is
    /// joined, and followed users are looked for.
    pub lookups: bool,
    /// `voice.connectTimeoutMs`: from asking Discord until media flows and the front end is ready.
    pub connect_timeout: Duration,
    /// `voice.reconnectGraceMs`: how long the main gateway has to tell where a disconnected
    /// session goes on.
    pub reconnect_grace: Duration,
    /// What the timeline says of a session.
    pub labels: Labels,
}

impl Default for PresenceSettings {
    /// The configuration's defaults: on, nothing joined by itself, every channel allowed.
    fn default() -> Self {
        Self {
            enabled: true,
            auto_join: Vec::new(),
            allowed_channels: None,
            follow_users: BTreeSet::new(),
            guilds: BTreeSet::new(),
            lookups: false,
            connect_timeout: Duration::from_secs(30),
            reconnect_grace: Duration::from_secs(15),
            labels: Labels::default(),
        }
    }
}

impl PresenceSettings {
    /// Whether the bot may be in a channel.
    #[must_use]
    pub fn allows(&self, guild: GuildId, channel: ChannelId) -> bool {
        self.allowed_channels.as_ref().is_none_or(|allowed| allowed.contains(&(guild, channel)))
    }

    /// The guild's entry of [`Self::auto_join`]: the last one.
    #[must_use]
    pub fn auto_join_of(&self, guild: GuildId) -> Option<AutoJoin> {
        self.auto_join.iter().rev().find(|entry| entry.guild == guild).copied()
    }

    /// The one channel of a guild that is allowed, if there is exactly one.
    #[must_use]
    pub fn only_allowed(&self, guild: GuildId) -> Option<ChannelId> {
        let mut of_guild = self.allowed_channels.iter().flatten().filter(|(at, _)| *at == guild);
        match (of_guild.next(), of_guild.next()) {
            (Some((_, channel)), None) => Some(*channel),
            _ => None,
        }
    }
}

/// The values of `joining` and `joined` that do not change.
#[derive(Clone, Debug, Default)]
pub struct Labels {
    /// `agent-proxy`, `bidi` or `stt-tts`.
    pub mode: String,
    /// The agent's id.
    pub agent: String,
    /// `voice` or `target`.
    pub agent_session_mode: String,
    /// The conversation that voice turns go to, with mode `target`.
    pub agent_session_target: Option<String>,
    /// That conversation's key, with mode `target`; else the voice channel's own.
    pub supervisor_session: Option<SessionKey>,
    /// The agent's model for voice turns.
    pub voice_model: String,
    /// The realtime provider's id.
    pub realtime_provider: String,
    /// The realtime model.
    pub realtime_model: String,
    /// The realtime voice.
    pub realtime_voice: String,
}
