//! The door through which voice looks at Discord: where somebody is, and what a channel is.
//!
//! The main gateway tells both, but not what was missed, and not what the bot may do somewhere.
//! Source: Discord, "Get User Voice State", "Get Guild Channels", "Permissions".

use async_trait::async_trait;

use crate::{ChannelId, GuildId, UserId};

/// What voice may ask of text about voice states and channels.
#[async_trait]
pub trait LookupDoor: Send + Sync {
    /// Where a user is in a guild's voice.
    async fn voice_state(&self, guild: GuildId, user: UserId) -> VoiceStateLookup;

    /// What is behind a channel id, and what the bot lacks there.
    async fn room(&self, guild: GuildId, channel: ChannelId, bot: UserId) -> RoomLookup;
}

/// Where a user is, as Discord answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VoiceStateLookup {
    /// In this channel.
    In(ChannelId),
    /// In no voice channel of the guild (404, code 10065 "Unknown Voice State").
    NotInVoice,
    /// There is no answer, in words: nothing is known.
    Failed(String),
}

/// What a channel is, as Discord answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RoomLookup {
    /// A voice or stage channel of the guild.
    Voice {
        /// What the bot would need there and does not have.
        missing: Vec<RoomPermission>,
    },
    /// Of another kind, or there is none.
    NotVoice,
    /// A channel of another guild.
    OtherGuild,
    /// Discord refused to tell, in words.
    Refused(String),
    /// There is no answer, in words: nothing is known.
    Failed(String),
}

/// What is needed to be in a voice channel and to be heard there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RoomPermission {
    /// `VIEW_CHANNEL`.
    ViewChannel,
    /// `CONNECT`.
    Connect,
    /// `SPEAK`; stages go without it.
    Speak,
}

impl RoomPermission {
    /// As Discord's client names it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ViewChannel => "View Channel",
            Self::Connect => "Connect",
            Self::Speak => "Speak",
        }
    }
}
