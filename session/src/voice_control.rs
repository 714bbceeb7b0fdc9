//! The door through which text (`/vc`) and the shell steer voice.

use async_trait::async_trait;

use crate::{ChannelId, GuildId};

/// What text may ask of voice. Every answer is final: the reply is written from it.
#[async_trait]
pub trait VoiceControl: Send + Sync {
    /// Joins `channel`, leaving another channel of the same guild first. Returns when media flows,
    /// the connect timeout is over, or the join was refused.
    async fn join(&self, guild: GuildId, channel: ChannelId) -> Result<JoinOutcome, JoinFailure>;

    /// Leaves the guild's voice channel and cancels a pending join.
    async fn leave(&self, guild: GuildId) -> LeaveOutcome;

    /// The guild's sessions, or all of them.
    async fn status(&self, guild: Option<GuildId>) -> Vec<VoiceStatus>;
}

/// A join that ended well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JoinOutcome {
    /// The session is new.
    Joined,
    /// The bot was in that channel already.
    AlreadyConnected,
}

/// Why a join did not happen.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JoinFailure {
    /// `channels.discord.voice.enabled` is off.
    #[error("Discord voice is disabled (channels.discord.voice.enabled).")]
    Disabled,
    /// `channels.discord.voice.allowedChannels` does not name the channel.
    #[error("<#{0}> is not allowed by channels.discord.voice.allowedChannels.")]
    NotAllowed(ChannelId),
    /// The channel is of another kind, or there is none.
    #[error("Channel {0} is not a voice channel.")]
    NotVoice(ChannelId),
    /// The channel belongs to another guild.
    #[error("Voice channel is not in this guild.")]
    OtherGuild,
    /// Discord did not answer or the voice server refused, in words.
    #[error("Failed to join voice channel: {0}")]
    Connect(String),
    /// The realtime provider could not be reached or refused, in words.
    #[error("Failed to start Discord realtime voice: {0}")]
    Realtime(String),
    /// A leave came while the join was pending.
    #[error("Discord voice join was cancelled.")]
    Cancelled,
    /// The process is shutting down.
    #[error("Discord voice manager is stopped.")]
    Stopped,
}

/// How a leave ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaveOutcome {
    /// Left this channel.
    Left(ChannelId),
    /// A join to this channel was pending and is cancelled.
    CancelledPending(ChannelId),
    /// There was nothing to leave.
    NotConnected,
}

/// One live voice session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VoiceStatus {
    /// The guild.
    pub guild: GuildId,
    /// The voice channel.
    pub channel: ChannelId,
}
