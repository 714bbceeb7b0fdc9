//! Messages, as REST and the gateway show them.

use serde_json::{Value, json};

use super::timestamp;
use crate::world::{
    component::COMPONENTS_V2,
    message_kind,
    state::{Message, State, User, snowflake_ms},
};

/// The files of a message of components alone stand in those and nowhere else.
fn shown_attachments(message: &Message) -> &[Value] {
    if message.flags & COMPONENTS_V2 != 0 { &[] } else { &message.attachments }
}

impl State {
    /// The message object of REST, without reactions: with the message it replies to, if that is
    /// still there, and the thread that was opened on it.
    #[must_use]
    pub fn message_json(&self, message: &Message) -> Value {
        let mut object = self.single_message(message);
        if matches!(message.kind, message_kind::REPLY | message_kind::THREAD_STARTER) {
            let referenced = self.referenced(message);
            object["referenced_message"] =
                referenced.map_or(Value::Null, |one| self.single_message(one));
        }
        let thread = self.channels.get(&message.id);
        if let Some(thread) = thread.filter(|one| one.parent_id == Some(message.channel_id)) {
            object["thread"] = self.channel_json(thread, None);
        }
        object
    }

    /// The message on its own.
    fn single_message(&self, message: &Message) -> Value {
        let mentioned = message.mentions.users.iter().filter_map(|user| self.users.get(user));
        let mut object = json!({
            "id": message.id.to_string(),
            "channel_id": message.channel_id.to_string(),
            "author": self.author_json(message),
            "type": message.kind,
            "content": message.content,
            "timestamp": timestamp(snowflake_ms(message.id)),
            "edited_timestamp": message.edited_at_ms.map(timestamp),
            "flags": message.flags,
            "tts": message.tts,
            "mention_everyone": message.mentions.everyone,
            "mention_roles": super::ids(message.mentions.roles.iter().copied()),
            "mentions": mentioned.map(User::to_json).collect::<Value>(),
            "attachments": shown_attachments(message),
            "embeds": message.embeds,
            "components": message.components,
            "pinned": message.pinned_at_ms.is_some(),
        });
        let optional = [
            ("nonce", &message.nonce),
            ("interaction_metadata", &message.interaction),
            ("message_reference", &message.reference),
        ];
        for (field, value) in optional {
            if let Some(value) = value {
                object[field] = value.clone();
            }
        }
        if !message.snapshots.is_empty() {
            object["message_snapshots"] = message.snapshots.clone().into();
        }
        if !message.stickers.is_empty() {
            object["sticker_items"] = message.stickers.clone().into();
        }
        if let Some(position) = message.position {
            object["position"] = position.into();
        }
        if message.sender.is_some() {
            object["webhook_id"] = message.author_id.to_string().into();
        }
        if let Some(id) = message.application_id {
            object["application_id"] = id.to_string().into();
            if message.interaction.is_some() {
                object["webhook_id"] = id.to_string().into();
            }
        }
        object
    }

    fn author_json(&self, message: &Message) -> Value {
        match &message.sender {
            Some(sender) => sender.to_json(message.author_id),
            None => self.user_json(message.author_id),
        }
    }

    /// The message object of MESSAGE_CREATE and MESSAGE_UPDATE: with `guild_id`, `channel_type`
    /// and `member`.
    #[must_use]
    pub fn message_event_json(&self, message: &Message) -> Value {
        let mut object = self.message_json(message);
        let Some(channel) = self.channels.get(&message.channel_id) else { return object };
        object["channel_type"] = channel.kind.into();
        let guild = channel.guild_id.and_then(|guild| self.guilds.get(&guild));
        let Some(guild) = guild else { return object };
        object["guild_id"] = guild.id.to_string().into();
        if let Some(member) = guild.members.get(&message.author_id) {
            object["member"] = self.partial_member(guild.id, member);
        }
        for mention in object["mentions"].as_array_mut().into_iter().flatten() {
            let user = mention["id"].as_str().and_then(|id| id.parse().ok());
            if let Some(member) = user.and_then(|user: u64| guild.members.get(&user)) {
                mention["member"] = self.partial_member(guild.id, member);
            }
        }
        object
    }

    /// The message as a forward shows it: without its author and its channel.
    #[must_use]
    pub fn snapshot_json(&self, message: &Message) -> Value {
        let full = self.single_message(message);
        let mut shown = json!({});
        for field in [
            "type",
            "content",
            "embeds",
            "attachments",
            "timestamp",
            "edited_timestamp",
            "flags",
            "mentions",
            "mention_roles",
            "components",
            "sticker_items",
        ] {
            if let Some(value) = full.get(field) {
                shown[field] = value.clone();
            }
        }
        json!({ "message": shown })
    }
}
