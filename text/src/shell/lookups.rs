//! The door through which voice looks at Discord: voice states and channels, each asked once.
//!
//! Source: Discord, "Get User Voice State", "Get Guild Channels", "JSON Error Codes".

use std::fmt;

use async_trait::async_trait;
use clawvoice_session::{ChannelId, GuildId, LookupDoor, RoomLookup, UserId, VoiceStateLookup};
use serde::de::DeserializeOwned;
use twilight_http::{request::Request, routing::Route};

use super::{
    rest::{DiscordRest, RestFailure},
    room::{self, Channel, Guild, Member},
};

/// JSON error code 10065, "Unknown Voice State": the user is in no voice channel of the guild.
const UNKNOWN_VOICE_STATE: u64 = 10_065;

/// Looks things up by REST.
#[derive(Debug)]
pub struct Lookups {
    discord: DiscordRest,
}

impl Lookups {
    /// As this bot.
    #[must_use]
    pub fn new(discord: DiscordRest) -> Self {
        Self { discord }
    }

    async fn get<T: DeserializeOwned>(&self, route: Route<'_>) -> Result<T, NoAnswer> {
        // Whoever looks up looks again.
        let request = Request::from_route(&route);
        let bytes = self.discord.rest().call_once("a look-up", &request).await?;
        serde_json::from_slice(&bytes).map_err(|error| {
            NoAnswer::Passing(format!("the answer to a look-up cannot be read: {error}"))
        })
    }

    async fn look_at_room(
        &self,
        guild: GuildId,
        channel: ChannelId,
        bot: UserId,
    ) -> Result<RoomLookup, NoAnswer> {
        let guild_id = guild.get();
        let (channels, whole, member) = tokio::try_join!(
            self.get::<Vec<Channel>>(Route::GetChannels { guild_id }),
            self.get::<Guild>(Route::GetGuild { guild_id, with_counts: false }),
            self.get::<Member>(Route::GetMember { guild_id, user_id: bot.get() }),
        )?;
        // All of the guild's channels are listed, those that the bot cannot see as well.
        let Some(found) = channels.iter().find(|one| one.id == channel) else {
            return self.look_elsewhere(guild, channel).await;
        };
        if !found.is_voice() {
            return Ok(RoomLookup::NotVoice);
        }
        Ok(RoomLookup::Voice { missing: room::missing(guild, &whole, &member, found, bot) })
    }

    /// A channel that is not listed is a thread, one of another guild, or none.
    async fn look_elsewhere(
        &self,
        guild: GuildId,
        channel: ChannelId,
    ) -> Result<RoomLookup, NoAnswer> {
        match self.get::<Channel>(Route::GetChannel { channel_id: channel.get() }).await {
            Ok(found) if found.guild_id.is_some_and(|of| of != guild) => Ok(RoomLookup::OtherGuild),
            Ok(_) | Err(NoAnswer::Refused { .. }) => Ok(RoomLookup::NotVoice),
            Err(failed @ NoAnswer::Passing(_)) => Err(failed),
        }
    }
}

#[async_trait]
impl LookupDoor for Lookups {
    async fn voice_state(&self, guild: GuildId, user: UserId) -> VoiceStateLookup {
        let (guild_id, user_id) = (guild.get(), user.get());
        let route = Route::GetUserVoiceState { guild_id, user_id };
        match self.get::<room::VoiceState>(route).await {
            Ok(room::VoiceState { channel_id: Some(channel) }) => VoiceStateLookup::In(channel),
            Ok(_) | Err(NoAnswer::Refused { code: UNKNOWN_VOICE_STATE, .. }) => {
                VoiceStateLookup::NotInVoice
            }
            Err(failure) => VoiceStateLookup::Failed(failure.to_string()),
        }
    }

    async fn room(&self, guild: GuildId, channel: ChannelId, bot: UserId) -> RoomLookup {
        match self.look_at_room(guild, channel, bot).await {
            Ok(answer) => answer,
            Err(failure @ NoAnswer::Refused { .. }) => RoomLookup::Refused(failure.to_string()),
            Err(NoAnswer::Passing(words)) => RoomLookup::Failed(words),
        }
    }
}

/// Why there is nothing to read.
#[derive(Debug)]
enum NoAnswer {
    /// Discord understood, and refused (4xx).
    Refused {
        /// The JSON error code; 0 if there was none.
        code: u64,
        words: String,
    },
    /// No connection, a server error, a rate limit, or an answer that cannot be read.
    Passing(String),
}

impl fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused { words, .. } | Self::Passing(words) => f.write_str(words),
        }
    }
}

impl From<RestFailure> for NoAnswer {
    fn from(failure: RestFailure) -> Self {
        match failure {
            RestFailure::Refused { status, code, message, .. } => Self::Refused {
                code,
                words: format!("Discord refused with status {status}: {message}"),
            },
            other => Self::Passing(other.to_string()),
        }
    }
}
