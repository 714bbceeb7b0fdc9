//! Looks at channels, guilds and members, and opens direct messages.
//!
//! Source: Discord, "Get Channel", "Get Guild", "Get Guild Channels", "Get Guild Member",
//! "Create DM".

use std::{sync::PoisonError, time::Duration};

use clawvoice_session::{ChannelId, GuildId, UserId};
use serde::Deserialize;
use serde_json::{json, value::RawValue};
use twilight_http::routing::Route;

use super::{
    clock::now,
    rest::{DiscordRest, RestFailure, read},
};
use crate::{
    audience::Overwrite,
    guild::{GuildInfo, MemberInfo},
    place::Channel,
};

/// How long a direct message is remembered; it stays the same for good.
const KEEP_DIRECT: Duration = Duration::from_secs(24 * 60 * 60);

/// A channel, and what it allows and denies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelInfo {
    /// What it is.
    pub channel: Channel,
    /// What it allows and denies; a thread has none of its own.
    pub overwrites: Vec<Overwrite>,
}

#[derive(Deserialize)]
struct Overwrites {
    #[serde(default)]
    permission_overwrites: Vec<Overwrite>,
}

#[derive(Deserialize)]
struct Named {
    id: ChannelId,
}

impl DiscordRest {
    /// A channel or thread.
    ///
    /// # Errors
    ///
    /// 10003: there is none; 50001: the bot does not see it.
    pub async fn channel(&self, channel: ChannelId) -> Result<Channel, RestFailure> {
        let what = "GET /channels/{id}";
        let body: Box<RawValue> =
            self.rest().get(what, &Route::GetChannel { channel_id: channel.get() }).await?;
        Channel::read(body.get(), None).map_err(|_| RestFailure::unreadable(what))
    }

    /// A channel or thread with its overwrites.
    ///
    /// # Errors
    ///
    /// As [`Self::channel`].
    pub async fn channel_info(&self, channel: ChannelId) -> Result<ChannelInfo, RestFailure> {
        let what = "GET /channels/{id}";
        let body: Box<RawValue> =
            self.rest().get(what, &Route::GetChannel { channel_id: channel.get() }).await?;
        let channel = Channel::read(body.get(), None).map_err(|_| RestFailure::unreadable(what))?;
        let Overwrites { permission_overwrites } = read(what, body.get().as_bytes())?;
        Ok(ChannelInfo { channel, overwrites: permission_overwrites })
    }

    /// A guild's channels, without its threads. What cannot be read is left out.
    ///
    /// # Errors
    ///
    /// 10004 or 50001: the bot is not in the guild.
    pub async fn guild_channels(&self, guild: GuildId) -> Result<Vec<Channel>, RestFailure> {
        let what = "GET /guilds/{id}/channels";
        let all: Vec<Box<RawValue>> =
            self.rest().get(what, &Route::GetChannels { guild_id: guild.get() }).await?;
        Ok(all.iter().filter_map(|one| Channel::read(one.get(), Some(guild)).ok()).collect())
    }

    /// A guild with its roles.
    ///
    /// # Errors
    ///
    /// 10004 or 50001: the bot is not in it.
    pub async fn guild(&self, guild: GuildId) -> Result<GuildInfo, RestFailure> {
        let path = Route::GetGuild { guild_id: guild.get(), with_counts: false };
        self.rest().get("GET /guilds/{id}", &path).await
    }

    /// A member of a guild.
    ///
    /// # Errors
    ///
    /// 10007: they are none.
    pub async fn member(&self, guild: GuildId, user: UserId) -> Result<MemberInfo, RestFailure> {
        let path = Route::GetMember { guild_id: guild.get(), user_id: user.get() };
        self.rest().get("GET /guilds/{id}/members/{id}", &path).await
    }

    /// The channel of the direct messages with a user. It is asked for once; writing to one who does
    /// not take them fails later, with 50007.
    ///
    /// # Errors
    ///
    /// There is no such user, or Discord did not answer.
    pub async fn open_direct_message(&self, user: UserId) -> Result<ChannelId, RestFailure> {
        let known = {
            let direct = self.direct.lock().unwrap_or_else(PoisonError::into_inner);
            direct.get(now(), &user).copied()
        };
        if let Some(channel) = known {
            return Ok(channel);
        }
        let what = "POST /users/@me/channels";
        let body = json!({ "recipient_id": user });
        let answer = self.rest().send(what, &Route::CreatePrivateChannel, Some(&body)).await?;
        let Named { id } = read(what, &answer)?;
        let mut direct = self.direct.lock().unwrap_or_else(PoisonError::into_inner);
        direct.put(now(), user, id, KEEP_DIRECT);
        Ok(id)
    }
}
