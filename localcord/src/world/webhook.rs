//! Webhooks: names under which messages come into one channel.

use serde_json::{Value, json};

use super::{
    World,
    dispatch::{Audience, Dispatch, intents},
    state::State,
};

/// A webhook of a channel.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Webhook {
    /// Its id.
    pub id: u64,
    /// The channel it posts to.
    pub channel_id: u64,
    /// The guild of the channel.
    pub guild_id: u64,
    /// Who made it.
    pub creator_id: u64,
    /// The application whose bot made it.
    pub application_id: Option<u64>,
    /// Its name.
    pub name: String,
    /// Image hash.
    pub avatar: Option<String>,
    /// Who knows it may post.
    pub token: String,
}

impl std::fmt::Debug for Webhook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Webhook")
            .field("id", &self.id)
            .field("channel_id", &self.channel_id)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// The name and picture a webhook used for one message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sender {
    /// The name.
    pub name: String,
    /// Image hash.
    pub avatar: Option<String>,
}

impl Sender {
    /// The user object that stands for a webhook.
    #[must_use]
    pub fn to_json(&self, webhook_id: u64) -> Value {
        json!({
            "id": webhook_id.to_string(),
            "username": self.name,
            "global_name": null,
            "avatar": self.avatar,
            "discriminator": "0000",
            "public_flags": 0,
            "flags": 0,
            "bot": true,
        })
    }
}

impl Webhook {
    /// The webhook object; with its token only for who may manage it.
    #[must_use]
    pub fn to_json(&self, state: &State, with_creator: bool) -> Value {
        let mut object = json!({
            "id": self.id.to_string(),
            "type": 1,
            "channel_id": self.channel_id.to_string(),
            "guild_id": self.guild_id.to_string(),
            "name": self.name,
            "avatar": self.avatar,
            "application_id": self.application_id.map(|id| id.to_string()),
            "token": self.token,
            "url": format!("https://discord.com/api/webhooks/{}/{}", self.id, self.token),
        });
        if with_creator {
            object["user"] = state.user_json(self.creator_id);
        }
        object
    }
}

impl World {
    /// WEBHOOKS_UPDATE: something about the webhooks of a channel has changed.
    pub(crate) fn tell_webhooks(&self, guild_id: u64, channel_id: u64) {
        let data = json!({
            "guild_id": guild_id.to_string(),
            "channel_id": channel_id.to_string(),
        });
        let audience = Audience::Channel(channel_id);
        let intents = intents::GUILD_WEBHOOKS;
        self.dispatch(Dispatch { event: "WEBHOOKS_UPDATE", data, audience, intents });
    }
}
