//! What the voice side needs of the main gateway, in our own types.
//!
//! The text side owns the main gateway connection; it turns Discord's dispatches into
//! [`VoiceGatewayEvent`] and sends a [`VoiceStateRequest`] as op 4.
//! Source: Discord, "Gateway Events", Voice State Update and Voice Server Update.

use secrecy::SecretString;

use crate::{ChannelId, GuildId, RoleId, UserId};

/// An event of the main gateway that voice follows.
#[derive(Clone, Debug)]
pub enum VoiceGatewayEvent {
    /// READY or RESUMED: the bot is connected; auto-join runs.
    Ready {
        /// The bot's own user.
        user: UserId,
    },
    /// Somebody's voice state, from VOICE_STATE_UPDATE or the `voice_states` of GUILD_CREATE.
    State(VoiceStateChange),
    /// VOICE_SERVER_UPDATE for the bot.
    Server(VoiceServerChange),
    /// A voice channel is there, or changed.
    Channel(VoiceChannel),
    /// Everything known of a user's name, from a member or a message.
    Name {
        /// The guild the name is used in.
        guild: GuildId,
        /// Whose name.
        user: UserId,
        /// Nickname, else global name, else username.
        label: String,
        /// Whether the account is a bot.
        bot: bool,
    },
    /// Everything known of a member's roles.
    Roles {
        /// The guild.
        guild: GuildId,
        /// Whose roles.
        user: UserId,
        /// All of them, without `@everyone`.
        roles: Vec<RoleId>,
    },
    /// What a guild is called.
    GuildName {
        /// The guild.
        guild: GuildId,
        /// Its name.
        name: String,
    },
    /// What a voice channel is called.
    ChannelName {
        /// The channel.
        channel: ChannelId,
        /// Its name.
        name: String,
    },
    /// The main gateway session is lost for good; a new READY will follow.
    SessionLost,
}

/// Where a user is, as the main gateway tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VoiceStateChange {
    /// The guild.
    pub guild: GuildId,
    /// The user.
    pub user: UserId,
    /// The voice channel, or `None`: in no voice channel of the guild.
    pub channel: Option<ChannelId>,
    /// The voice session; for the bot itself, half of what a voice connection needs.
    pub session_id: String,
    /// Nobody hears the user: the audience of a stage, or without the Speak permission.
    pub suppressed: bool,
}

/// A voice or stage channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VoiceChannel {
    /// The guild.
    pub guild: GuildId,
    /// The channel.
    pub channel: ChannelId,
    /// A stage: only those who were invited to speak are heard.
    pub stage: bool,
    /// Bits per second.
    pub bitrate: u32,
}

/// Where the bot's voice server for a guild is.
#[derive(Clone, Debug)]
pub struct VoiceServerChange {
    /// The guild.
    pub guild: GuildId,
    /// `host:port` without a scheme; `None` while the server is being replaced.
    pub endpoint: Option<String>,
    /// The voice connection token.
    pub token: SecretString,
}

/// A request to join, move, or leave (op 4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VoiceStateRequest {
    /// The guild.
    pub guild: GuildId,
    /// The channel to be in, or `None` to leave.
    pub channel: Option<ChannelId>,
    /// Join muted.
    pub self_mute: bool,
    /// Join deafened: hears nothing.
    pub self_deaf: bool,
}
