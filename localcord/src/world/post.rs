//! What becomes of a message when it is posted: whom it mentions, and what it does to the thread
//! it comes into.

use super::{
    World,
    dispatch::{Audience, Dispatch},
    message_kind,
    state::{Message, State, kind},
};

/// Messages kept per channel; the oldest go first, without an event.
const KEPT: usize = 50_000;

impl World {
    /// Posts a message, under its id if it has one. In a thread its author joins, so do those it
    /// mentions, and an archived one is open again.
    pub(crate) fn post(&self, state: &mut State, message: Message) -> Message {
        let id = if message.id == 0 { state.next_id() } else { message.id };
        let mut message = Message { id, ..message };
        message.mentions = state.mentions_of(&message);
        self.enter_thread(state, &mut message);
        if let Some(channel) = state.channels.get_mut(&message.channel_id) {
            channel.last_message_id = Some(id);
        }
        let all = state.messages.entry(message.channel_id).or_default();
        all.insert(id, message.clone());
        if all.len() > KEPT {
            all.pop_first();
        }
        self.tell_message(state, "MESSAGE_CREATE", &message);
        message
    }

    fn enter_thread(&self, state: &mut State, message: &mut Message) {
        let id = message.channel_id;
        let Some(thread) = state.channels.get_mut(&id).filter(|one| one.is_thread()) else {
            return;
        };
        let begins = message.kind == message_kind::THREAD_STARTER || message.id == id;
        if !begins {
            message.position = Some(thread.thread.total_messages);
            thread.thread.messages += 1;
            thread.thread.total_messages += 1;
        }
        if !message_kind::is_written(message.kind) {
            return;
        }
        if thread.thread.archived {
            self.set_archived(state, id, false);
        }
        let (Some(guild), Some(parent)) = state
            .channels
            .get(&id)
            .map_or((None, None), |thread| (thread.guild_id, thread.parent_id))
        else {
            return;
        };
        let mut joining = message.mentions.users.clone();
        if message.sender.is_none() {
            joining.insert(0, message.author_id);
        }
        joining.retain(|user| {
            let guild = state.guilds.get(&guild);
            guild.is_some_and(|guild| guild.members.contains_key(user))
                && state.may(*user, parent, super::bits::VIEW_CHANNEL)
        });
        self.add_to_thread(state, id, &joining);
    }

    /// A message of a thread is gone.
    pub(super) fn uncount(state: &mut State, message: &Message) {
        if let Some(thread) = state.channels.get_mut(&message.channel_id)
            && thread.is_thread()
            && message.position.is_some()
        {
            thread.thread.messages = thread.thread.messages.saturating_sub(1);
        }
    }

    /// An event about a message, to everybody who sees its channel.
    pub(super) fn tell_message(&self, state: &State, event: &'static str, message: &Message) {
        self.dispatch(Dispatch {
            event,
            data: state.message_event_json(message),
            audience: Audience::Channel(message.channel_id),
            intents: state.message_intent(message.channel_id),
        });
    }

    /// An event about a channel or thread, to everybody who sees it.
    pub(super) fn tell_channel(&self, state: &State, event: &'static str, id: u64) {
        let Some(channel) = state.channels.get(&id) else { return };
        // Direct messages come up when they are used; Discord tells bots nothing of them.
        if matches!(channel.kind, kind::DM | kind::GROUP_DM) {
            return;
        }
        self.dispatch(Dispatch {
            event,
            data: state.channel_json(channel, None),
            audience: Audience::Channel(id),
            intents: super::intents::GUILDS,
        });
    }
}
