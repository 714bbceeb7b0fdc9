//! What presence is told at its start.

use std::time::Duration;

use clawvoice_session::{ChannelId, GuildId, SessionKey};

/// A channel that is joined whenever the bot comes online (`voice.autoJoin[]`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AutoJoin {
    /// The guild.
    pub guild: GuildId,
    /// The channel.
    pub channel: ChannelId,
}

/// Rules of joining.
#[derive(Clone, Debug)]
pub struct PresenceSettings {
    /// `voice.enabled`; off refuses every join.
    pub enabled: bool,
    /// Joined on READY and RESUMED, in order; the last entry of a guild wins.
    pub auto_join: Vec<AutoJoin>,
    /// `voice.connectTimeoutMs`: from asking Discord until media flows and the front end is ready.
    pub connect_timeout: Duration,
    /// What the timeline says of a session.
    pub labels: Labels,
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
