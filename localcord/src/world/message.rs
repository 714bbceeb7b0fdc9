//! Messages that come, change and go, with the events that tell of it.

use serde_json::{Value, json};

use super::{
    World,
    dispatch::{Audience, Dispatch},
    state::{Message, State, now_ms},
};

/// Messages kept per channel; the oldest go first, without an event.
const KEPT: usize = 10_000;

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
    /// Fills in a deferred answer: it does not count as edited.
    pub first_answer: bool,
}

impl World {
    /// Sends a message; its `id` is set here. The message as it is in the world, whose JSON is
    /// [`State::message_json`]. MESSAGE_CREATE goes to everybody who sees the channel.
    pub fn create_message(&self, message: Message) -> Message {
        self.write(|state| {
            let message = Message { id: state.next_id(), ..message };
            let all = state.messages.entry(message.channel_id).or_default();
            all.insert(message.id, message.clone());
            if all.len() > KEPT {
                all.pop_first();
            }
            self.tell(state, "MESSAGE_CREATE", &message);
            message
        })
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
            let all = state.messages.get_mut(&channel_id).ok_or(UnknownMessage)?;
            let message = all.get_mut(&message_id).ok_or(UnknownMessage)?;
            change.apply(message);
            let message = message.clone();
            self.tell(state, "MESSAGE_UPDATE", &message);
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
            let mut data = json!({
                "id": message_id.to_string(),
                "channel_id": channel_id.to_string(),
            });
            if let Some(guild) =
                state.channels.get(&channel_id).and_then(|channel| channel.guild_id)
            {
                data["guild_id"] = guild.to_string().into();
            }
            let intents = state.message_intent(channel_id);
            let audience = Audience::Channel(channel_id);
            self.dispatch(Dispatch { event: "MESSAGE_DELETE", data, audience, intents });
            Ok(message)
        })
    }

    fn tell(&self, state: &State, event: &'static str, message: &Message) {
        self.dispatch(Dispatch {
            event,
            data: state.message_event_json(message),
            audience: Audience::Channel(message.channel_id),
            intents: state.message_intent(message.channel_id),
        });
    }
}

impl MessageChange {
    fn apply(self, message: &mut Message) {
        fn put<T>(place: &mut T, change: Option<T>) {
            if let Some(value) = change {
                *place = value;
            }
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
