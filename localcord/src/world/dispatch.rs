//! Events on their way to the gateway sessions, and who gets to see them.

use std::borrow::Cow;

use serde_json::Value;

use super::{permissions::bits, state::State};

/// Gateway intents ("Gateway Intents").
pub mod intents {
    /// Guilds, channels, roles, threads.
    pub const GUILDS: u64 = 1 << 0;
    /// Members; privileged.
    pub const GUILD_MEMBERS: u64 = 1 << 1;
    /// Emoji and stickers.
    pub const GUILD_EXPRESSIONS: u64 = 1 << 3;
    /// Webhooks.
    pub const GUILD_WEBHOOKS: u64 = 1 << 5;
    /// Who is in voice.
    pub const GUILD_VOICE_STATES: u64 = 1 << 7;
    /// Who is online; privileged.
    pub const GUILD_PRESENCES: u64 = 1 << 8;
    /// Messages in guilds.
    pub const GUILD_MESSAGES: u64 = 1 << 9;
    /// Reactions in guilds.
    pub const GUILD_MESSAGE_REACTIONS: u64 = 1 << 10;
    /// Typing in guilds.
    pub const GUILD_MESSAGE_TYPING: u64 = 1 << 11;
    /// Direct messages.
    pub const DIRECT_MESSAGES: u64 = 1 << 12;
    /// Reactions in direct messages.
    pub const DIRECT_MESSAGE_REACTIONS: u64 = 1 << 13;
    /// Typing in direct messages.
    pub const DIRECT_MESSAGE_TYPING: u64 = 1 << 14;
    /// What the messages of others say; privileged.
    pub const MESSAGE_CONTENT: u64 = 1 << 15;
    /// Those an application must have been allowed.
    pub const PRIVILEGED: u64 = GUILD_MEMBERS | GUILD_PRESENCES | MESSAGE_CONTENT;
    /// Every intent there is (bits 17 to 19, 22 and 23 have no meaning).
    pub const ALL: u64 = ((1 << 17) - 1) | (1 << 20) | (1 << 21) | (1 << 24) | (1 << 25);
}

/// Whom an event is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// Every member of a guild.
    Guild(u64),
    /// The same but for one member.
    OtherMembers {
        /// The guild.
        guild: u64,
        /// Who is told otherwise.
        user: u64,
    },
    /// Everybody who can see a channel, a thread or a direct message.
    Channel(u64),
    /// The same but for one user.
    Others {
        /// The channel.
        channel: u64,
        /// Who is told otherwise, or not at all.
        user: u64,
    },
    /// One user.
    User(u64),
    /// All.
    Everyone,
}

/// A gateway event (op 0) before it is addressed.
#[derive(Clone, Debug, PartialEq)]
pub struct Dispatch {
    /// The event's name, `t`.
    pub event: &'static str,
    /// Its data, `d`.
    pub data: Value,
    /// Whom it is for.
    pub audience: Audience,
    /// A session needs one of these intents; 0: none.
    pub intents: u64,
}

impl Dispatch {
    /// The data as a session of this bot user with these intents sees it, or `None` if it does
    /// not see the event.
    ///
    /// Without MESSAGE_CONTENT the contents of messages are empty, unless the bot wrote the
    /// message, is mentioned in it, or it is a direct message.
    #[must_use]
    pub fn for_session(&self, state: &State, user: u64, intents: u64) -> Option<Cow<'_, Value>> {
        let wanted = self.intents == 0 || self.intents & intents != 0;
        if !wanted || !state.may_see(user, &self.audience) {
            return None;
        }
        let message = matches!(self.event, "MESSAGE_CREATE" | "MESSAGE_UPDATE");
        if !message || intents & intents::MESSAGE_CONTENT != 0 {
            return Some(Cow::Borrowed(&self.data));
        }
        let direct = self.data.get("guild_id").is_none();
        if direct || !hides_something(&self.data, user) {
            return Some(Cow::Borrowed(&self.data));
        }
        let mut data = self.data.clone();
        hide_content(&mut data, user);
        Some(Cow::Owned(data))
    }
}

/// What a message says.
const CONTENTS: [&str; 5] = ["embeds", "components", "attachments", "message_snapshots", "content"];

/// Whether a message, or the one it refers to, is not this user's to read without the content
/// intent.
fn hides_something(message: &Value, user: u64) -> bool {
    let hidden = |message: &Value| message.is_object() && !concerns(message, user);
    hidden(message) || hidden(&message["referenced_message"])
}

/// Empties what a message and the one it refers to say, unless the user wrote it or is mentioned
/// in it.
pub(crate) fn hide_content(message: &mut Value, user: u64) {
    if !concerns(message, user) {
        for field in CONTENTS {
            if let Some(value) = message.get_mut(field) {
                *value = if field == "content" { "".into() } else { Value::Array(Vec::new()) };
            }
        }
    }
    if let Some(referenced) = message.get_mut("referenced_message").filter(|one| one.is_object()) {
        hide_content(referenced, user);
    }
}

/// The user wrote the message or is mentioned in it.
fn concerns(message: &Value, user: u64) -> bool {
    let user = user.to_string();
    let is_user = |object: &Value| object["id"].as_str() == Some(&user);
    is_user(&message["author"])
        || message["mentions"].as_array().is_some_and(|mentions| mentions.iter().any(is_user))
}

impl State {
    /// Whether a user belongs to an audience.
    #[must_use]
    pub fn may_see(&self, user: u64, audience: &Audience) -> bool {
        match *audience {
            Audience::Guild(guild) => {
                self.guilds.get(&guild).is_some_and(|guild| guild.members.contains_key(&user))
            }
            Audience::OtherMembers { guild, user: not } => {
                user != not
                    && self.guilds.get(&guild).is_some_and(|one| one.members.contains_key(&user))
            }
            Audience::Channel(channel) => self.may(user, channel, bits::VIEW_CHANNEL),
            Audience::Others { channel, user: not } => {
                user != not && self.may(user, channel, bits::VIEW_CHANNEL)
            }
            Audience::User(only) => only == user,
            Audience::Everyone => true,
        }
    }

    /// The intent for messages in a channel.
    #[must_use]
    pub fn message_intent(&self, channel_id: u64) -> u64 {
        match self.channels.get(&channel_id) {
            Some(channel) if channel.guild_id.is_none() => intents::DIRECT_MESSAGES,
            _ => intents::GUILD_MESSAGES,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::world::default::{self, default_state};

    #[test]
    fn intents_and_audience_decide() {
        let mut state = default_state();
        let hidden = state.channels.get_mut(&default::GENERAL).unwrap();
        hidden.overwrites.push(crate::world::state::Overwrite {
            target: crate::world::state::Target::Member(default::BEN),
            allow: 0,
            deny: bits::VIEW_CHANNEL,
        });
        let guild = intents::GUILDS;
        let members = |user| Audience::OtherMembers { guild: default::GUILD, user };
        let others = |user| Audience::Others { channel: default::GENERAL, user };
        let cases = [
            (Audience::Guild(default::GUILD), guild, default::BOT_USER, guild, true),
            (Audience::Guild(default::GUILD), guild, default::BOT_USER, 1 << 7, false),
            (Audience::Guild(default::GUILD), 0, default::BOT_USER, 0, true),
            (Audience::Guild(default::GUILD), 0, 5, 0, false),
            (Audience::Guild(5), 0, default::BOT_USER, 0, false),
            (members(default::ADA), 0, default::BOT_USER, 0, true),
            (members(default::ADA), 0, default::ADA, 0, false),
            (members(default::ADA), 0, 5, 0, false),
            (Audience::Channel(default::GENERAL), 0, default::ADA, 0, true),
            (Audience::Channel(default::GENERAL), 0, default::BEN, 0, false),
            (others(default::BEN), 0, default::ADA, 0, true),
            (others(default::ADA), 0, default::ADA, 0, false),
            (Audience::User(default::ADA), 0, default::ADA, 0, true),
            (Audience::User(default::ADA), 0, default::BEN, 0, false),
            (Audience::Everyone, 0, 5, 0, true),
        ];
        for (audience, needs, user, has, seen) in cases {
            let dispatch = Dispatch { event: "X", data: json!({}), audience, intents: needs };
            let found = dispatch.for_session(&state, user, has);
            assert_eq!(found.is_some(), seen, "{audience:?} {user} {has}");
        }
    }

    #[test]
    fn content_needs_its_intent() {
        let state = default_state();
        let bot = default::BOT_USER;
        let message = |author: u64, mentions: Value| Dispatch {
            event: "MESSAGE_CREATE",
            data: json!({
                "guild_id": "1",
                "content": "hi",
                "embeds": [{}],
                "author": { "id": author.to_string() },
                "mentions": mentions,
            }),
            audience: Audience::Everyone,
            intents: 0,
        };
        let text = |dispatch: &Dispatch, intents| {
            let data = dispatch.for_session(&state, bot, intents).unwrap();
            (data["content"].clone(), data["embeds"].as_array().unwrap().len())
        };
        let others = message(default::ADA, json!([]));
        assert_eq!(text(&others, 0), (json!(""), 0));
        assert_eq!(text(&others, intents::MESSAGE_CONTENT), (json!("hi"), 1));
        assert_eq!(text(&message(bot, json!([])), 0), (json!("hi"), 1));
        let mentioned = message(default::ADA, json!([{ "id": bot.to_string() }]));
        assert_eq!(text(&mentioned, 0), (json!("hi"), 1));
    }
}
