//! Messages that come, change and go, with the events that tell of it.

use serde_json::{Value, json};

use super::{
    World, component,
    dispatch::{Audience, Dispatch, intents},
    message_kind,
    state::{AllowedMentions, Mentions, Message, State, now_ms},
};

/// There is no such message in that channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown message")]
pub struct UnknownMessage;

/// What an edit changes; `None` leaves a part as it is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MessageChange {
    /// The text.
    pub content: Option<String>,
    /// The embeds.
    pub embeds: Option<Vec<Value>>,
    /// The components.
    pub components: Option<Vec<Value>>,
    /// The attachments.
    pub attachments: Option<Vec<Value>>,
    /// The flags.
    pub flags: Option<u64>,
    /// Which marks in the new text may mention somebody; all if it is not said.
    pub allowed_mentions: AllowedMentions,
    /// Fills in a deferred answer: it does not count as edited.
    pub first_answer: bool,
}

impl World {
    /// Sends a message; its `id` is set here, and whom it mentions. The message as it is in the
    /// world, whose JSON is [`State::message_json`]. MESSAGE_CREATE goes to everybody who sees the
    /// channel.
    pub fn create_message(&self, message: Message) -> Message {
        self.write(|state| self.post(state, message))
    }

    /// Changes a message. MESSAGE_UPDATE goes to everybody who sees the channel.
    ///
    /// # Errors
    /// When it is not there.
    pub fn edit_message(
        &self,
        channel_id: u64,
        message_id: u64,
        change: MessageChange,
    ) -> Result<Message, UnknownMessage> {
        self.write(|state| {
            let all = state.messages.get(&channel_id).ok_or(UnknownMessage)?;
            let mut message = all.get(&message_id).cloned().ok_or(UnknownMessage)?;
            let says_something_else = change.says_something();
            change.apply(&mut message);
            if says_something_else {
                message.mentions = Mentions::default();
                message.mentions = state.mentions_of(&message);
            }
            self.replace(state, &message);
            Ok(message)
        })
    }

    /// Takes a message away. MESSAGE_DELETE goes to everybody who sees the channel.
    ///
    /// # Errors
    /// When it is not there.
    pub fn delete_message(
        &self,
        channel_id: u64,
        message_id: u64,
    ) -> Result<Message, UnknownMessage> {
        self.write(|state| {
            let all = state.messages.get_mut(&channel_id).ok_or(UnknownMessage)?;
            let message = all.remove(&message_id).ok_or(UnknownMessage)?;
            Self::uncount(state, &message);
            let data = json!({ "id": message_id.to_string() });
            self.tell_deleted(state, "MESSAGE_DELETE", channel_id, data);
            Ok(message)
        })
    }

    /// Takes several messages away, with one MESSAGE_DELETE_BULK; how many there were.
    pub fn delete_messages(&self, channel_id: u64, ids: &[u64]) -> usize {
        self.write(|state| {
            let Some(all) = state.messages.get_mut(&channel_id) else { return 0 };
            let gone: Vec<Message> = ids.iter().filter_map(|id| all.remove(id)).collect();
            gone.iter().for_each(|message| Self::uncount(state, message));
            if !gone.is_empty() {
                let ids: Value = gone.iter().map(|message| message.id.to_string()).collect();
                self.tell_deleted(state, "MESSAGE_DELETE_BULK", channel_id, json!({ "ids": ids }));
            }
            gone.len()
        })
    }

    /// Pins a message or takes the pin away: MESSAGE_UPDATE, CHANNEL_PINS_UPDATE, and for a new
    /// pin Discord's own message that says who did it. False if nothing had to change.
    ///
    /// # Errors
    /// When the message is not there.
    pub fn set_pinned(
        &self,
        (channel_id, message_id): (u64, u64),
        by: u64,
        pinned: bool,
    ) -> Result<bool, UnknownMessage> {
        self.write(|state| {
            let all = state.messages.get(&channel_id).ok_or(UnknownMessage)?;
            let mut message = all.get(&message_id).cloned().ok_or(UnknownMessage)?;
            if message.pinned_at_ms.is_some() == pinned {
                return Ok(false);
            }
            message.pinned_at_ms = pinned.then(now_ms);
            self.replace(state, &message);
            let channel = state.channels.get_mut(&channel_id).ok_or(UnknownMessage)?;
            if pinned {
                channel.last_pin_ms = message.pinned_at_ms;
            }
            let last = channel.last_pin_ms.map(super::timestamp);
            let guild = channel.guild_id;
            let data = json!({ "last_pin_timestamp": last });
            let intents = if guild.is_some() { intents::GUILDS } else { intents::DIRECT_MESSAGES };
            self.tell_in(state, "CHANNEL_PINS_UPDATE", channel_id, data, intents);
            if pinned {
                let mut reference = json!({
                    "type": 0,
                    "message_id": message_id.to_string(),
                    "channel_id": channel_id.to_string(),
                });
                if let Some(guild) = guild {
                    reference["guild_id"] = guild.to_string().into();
                }
                let kind = message_kind::PINNED;
                let reference = Some(reference);
                let notice =
                    Message { channel_id, author_id: by, kind, reference, ..Message::default() };
                self.post(state, notice);
            }
            Ok(true)
        })
    }

    fn replace(&self, state: &mut State, message: &Message) {
        if let Some(all) = state.messages.get_mut(&message.channel_id) {
            all.insert(message.id, message.clone());
        }
        self.tell_message(state, "MESSAGE_UPDATE", message);
    }

    fn tell_deleted(&self, state: &State, event: &'static str, channel_id: u64, data: Value) {
        self.tell_in(state, event, channel_id, data, state.message_intent(channel_id));
    }

    /// An event that names its channel, to everybody who sees that.
    fn tell_in(
        &self,
        state: &State,
        event: &'static str,
        channel_id: u64,
        mut data: Value,
        intents: u64,
    ) {
        data["channel_id"] = channel_id.to_string().into();
        let guild = state.channels.get(&channel_id).and_then(|channel| channel.guild_id);
        if let Some(guild) = guild {
            data["guild_id"] = guild.to_string().into();
        }
        self.dispatch(Dispatch { event, data, audience: Audience::Channel(channel_id), intents });
    }
}

impl MessageChange {
    /// Whether there is new text, which may mention somebody.
    fn says_something(&self) -> bool {
        let new = self.components.as_deref();
        self.content.is_some() || new.is_some_and(|new| !component::texts(new).is_empty())
    }

    /// Changes a message.
    pub(crate) fn apply(self, message: &mut Message) {
        fn put<T>(place: &mut T, change: Option<T>) {
            if let Some(value) = change {
                *place = value;
            }
        }
        if self.says_something() {
            message.allowed_mentions = self.allowed_mentions;
        }
        put(&mut message.content, self.content);
        put(&mut message.embeds, self.embeds);
        put(&mut message.components, self.components);
        put(&mut message.attachments, self.attachments);
        put(&mut message.flags, self.flags);
        if !self.first_answer {
            message.edited_at_ms = Some(now_ms());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        journal::Journal,
        world::{default, intents},
    };

    fn hello(channel_id: u64) -> Message {
        let content = format!("hello <@{}>", default::BOT_USER);
        Message { channel_id, author_id: default::ADA, content, ..Message::default() }
    }

    #[tokio::test]
    async fn a_message_comes_changes_and_goes() {
        let world = World::default_world(Journal::default());
        let mut events = world.subscribe();
        let sent = world.create_message(hello(default::GENERAL));
        let event = events.recv().await.unwrap();
        assert_eq!((event.event, event.intents), ("MESSAGE_CREATE", intents::GUILD_MESSAGES));
        assert_eq!(event.data["guild_id"], default::GUILD.to_string());
        assert_eq!(event.data["author"]["username"], "ada");
        assert_eq!(event.data["mentions"][0]["username"], "clawvoice");
        assert_eq!(event.data["edited_timestamp"], Value::Null);

        let change = MessageChange { content: Some("bye".to_owned()), ..MessageChange::default() };
        let edited = world.edit_message(default::GENERAL, sent.id, change.clone()).unwrap();
        assert_eq!(edited.content, "bye");
        let event = events.recv().await.unwrap();
        assert_eq!(event.event, "MESSAGE_UPDATE");
        assert!(event.data["edited_timestamp"].is_string());

        assert!(world.delete_message(default::GENERAL, sent.id).is_ok());
        assert_eq!(events.recv().await.unwrap().event, "MESSAGE_DELETE");
        assert_eq!(world.edit_message(default::GENERAL, sent.id, change), Err(UnknownMessage));
        assert_eq!(world.delete_message(default::GENERAL, sent.id), Err(UnknownMessage));
    }

    #[test]
    fn pins_are_told_once() {
        let world = World::default_world(Journal::default());
        let sent = world.create_message(hello(default::GENERAL));
        let mut events = world.subscribe();
        let place = (default::GENERAL, sent.id);
        assert_eq!(world.set_pinned(place, default::BEN, true), Ok(true));
        let told: Vec<_> =
            std::iter::from_fn(|| events.try_recv().ok()).map(|one| one.event).collect();
        assert_eq!(told, ["MESSAGE_UPDATE", "CHANNEL_PINS_UPDATE", "MESSAGE_CREATE"]);
        assert_eq!(world.set_pinned(place, default::BEN, true), Ok(false));
        world.read(|state| {
            let notice = state.messages[&default::GENERAL].values().next_back().unwrap();
            assert_eq!((notice.kind, notice.author_id), (6, default::BEN));
            assert_eq!(notice.mentions, Mentions::default());
        });
        assert_eq!(world.set_pinned(place, default::BEN, false), Ok(true));
        assert_eq!(world.set_pinned((5, 5), default::BEN, true), Err(UnknownMessage));
    }

    #[test]
    fn an_edit_mentions_anew() {
        let world = World::default_world(Journal::default());
        let sent = world.create_message(hello(default::GENERAL));
        assert_eq!(sent.mentions.users, [default::BOT_USER]);
        let flags = MessageChange { flags: Some(4), ..MessageChange::default() };
        let edited = world.edit_message(default::GENERAL, sent.id, flags).unwrap();
        assert_eq!(edited.mentions.users, [default::BOT_USER]);
        let content = Some(format!("<@{}>", default::BEN));
        let change = MessageChange { content, ..MessageChange::default() };
        let edited = world.edit_message(default::GENERAL, sent.id, change).unwrap();
        assert_eq!(edited.mentions.users, [default::BEN]);
        assert_eq!(world.delete_messages(default::GENERAL, &[5, sent.id, sent.id]), 1);
        assert_eq!(world.delete_messages(5, &[sent.id]), 0);
    }

    #[tokio::test]
    async fn direct_messages_have_their_own_intent() {
        let world = World::default_world(Journal::default());
        let mut events = world.subscribe();
        let channel = world.write(|state| state.direct_message(default::ADA, default::BOT_USER));
        world.create_message(hello(channel));
        let event = events.recv().await.unwrap();
        assert_eq!(event.intents, intents::DIRECT_MESSAGES);
        assert!(event.data.get("guild_id").is_none());
        world.read(|state| {
            assert!(state.may_see(default::BOT_USER, &event.audience));
            assert!(!state.may_see(default::BEN, &event.audience));
        });
    }
}
