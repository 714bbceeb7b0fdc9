//! Threads: opened, joined, archived and closed, with the events that tell of it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{
    World,
    dispatch::{Audience, Dispatch, intents},
    json::thread_member_json,
    message_kind,
    state::{Channel, Message, State, kind, now_ms},
};

/// Minutes after which Discord can archive a thread by itself.
pub const ARCHIVE_MINUTES: [u16; 4] = [60, 1440, 4320, 10_080];
/// Message flag: a thread was opened on it.
const HAS_THREAD: u64 = 1 << 5;

/// What a thread has beside other channels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Thread {
    /// Closed until somebody writes in it.
    pub archived: bool,
    /// Only those with MANAGE_THREADS may write in it and open it again.
    pub locked: bool,
    /// One of [`ARCHIVE_MINUTES`]. localcord does not archive by itself.
    pub auto_archive_minutes: u16,
    /// When [`Thread::archived`] last changed, Unix milliseconds; `None`: never.
    pub archive_changed_ms: Option<u64>,
    /// Of a private thread: its members may add others.
    pub invitable: bool,
    /// Who joined it and when, Unix milliseconds.
    pub members: BTreeMap<u64, u64>,
    /// Messages in it, the one it began with aside.
    pub messages: u32,
    /// All messages that ever were in it.
    pub total_messages: u32,
}

impl Default for Thread {
    fn default() -> Self {
        Self {
            archived: false,
            locked: false,
            auto_archive_minutes: 1440,
            archive_changed_ms: None,
            invitable: true,
            members: BTreeMap::new(),
            messages: 0,
            total_messages: 0,
        }
    }
}

impl World {
    /// Puts a new thread into the world and tells of it: THREAD_CREATE, the message of Discord
    /// that points to it, and MESSAGE_UPDATE if it was opened on one. Its owner has joined it.
    pub(crate) fn open_thread(&self, state: &mut State, mut thread: Channel) {
        let (id, parent, owner) = (thread.id, thread.parent_id, thread.owner_id);
        // A webhook can open a post and is nobody who could join it.
        let joins = owner.filter(|owner| state.users.contains_key(owner));
        thread.thread.members.extend(joins.map(|owner| (owner, now_ms())));
        let mut data = state.channel_json(&thread, None);
        data["newly_created"] = true.into();
        let hidden = thread.kind == kind::PRIVATE_THREAD;
        let (name, guild_id) = (thread.name.clone(), thread.guild_id);
        state.channels.insert(id, thread);
        let audience = Audience::Channel(id);
        self.dispatch(Dispatch {
            event: "THREAD_CREATE",
            data,
            audience,
            intents: intents::GUILDS,
        });
        let (Some(parent), Some(owner), Some(guild_id)) = (parent, owner, guild_id) else { return };
        if state.channels.get(&parent).is_some_and(Channel::is_forum) {
            if let Some(forum) = state.channels.get_mut(&parent) {
                forum.last_message_id = Some(id);
            }
            return;
        }
        let source = state.messages.get_mut(&parent).and_then(|all| all.get_mut(&id));
        if let Some(source) = source {
            source.flags |= HAS_THREAD;
            let source = source.clone();
            self.tell_message(state, "MESSAGE_UPDATE", &source);
            let reference = json!({
                "type": 0,
                "message_id": id.to_string(),
                "channel_id": parent.to_string(),
                "guild_id": guild_id.to_string(),
            });
            let kind = message_kind::THREAD_STARTER;
            let reference = Some(reference);
            let starter =
                Message { channel_id: id, author_id: owner, kind, reference, ..Message::default() };
            self.post(state, starter);
        } else if !hidden {
            let reference = json!({
                "type": 0,
                "channel_id": id.to_string(),
                "guild_id": guild_id.to_string(),
            });
            let notice = Message {
                channel_id: parent,
                author_id: owner,
                kind: message_kind::THREAD_CREATED,
                content: name,
                reference: Some(reference),
                ..Message::default()
            };
            self.post(state, notice);
        }
    }

    /// Opens an archived thread or closes an open one.
    pub(super) fn set_archived(&self, state: &mut State, id: u64, archived: bool) {
        let Some(thread) = state.channels.get_mut(&id).filter(|one| one.is_thread()) else {
            return;
        };
        if thread.thread.archived != archived {
            thread.thread.archived = archived;
            thread.thread.archive_changed_ms = Some(now_ms());
            self.tell_channel(state, "THREAD_UPDATE", id);
        }
    }

    /// Lets users join a thread; those who are in it already are left out.
    pub(crate) fn add_to_thread(&self, state: &mut State, id: u64, users: &[u64]) {
        let Some(thread) = state.channels.get_mut(&id).filter(|one| one.is_thread()) else {
            return;
        };
        let mut added = Vec::new();
        for user in users {
            if !thread.thread.members.contains_key(user) {
                thread.thread.members.insert(*user, now_ms());
                added.push(*user);
            }
        }
        let Some(thread) = state.channels.get(&id) else { return };
        let Some(guild_id) = thread.guild_id else { return };
        for user in added {
            if thread.kind == kind::PRIVATE_THREAD {
                // Until now it did not know of the thread.
                self.dispatch(Dispatch {
                    event: "THREAD_CREATE",
                    data: state.channel_json(thread, Some(user)),
                    audience: Audience::User(user),
                    intents: intents::GUILDS,
                });
            }
            let mut member = thread_member_json(thread, user).unwrap_or_default();
            member["member"] = state.member_json(guild_id, user).unwrap_or_default();
            member["presence"] = Value::Null;
            self.tell_thread_members(thread, user, &json!({ "added_members": [member] }));
        }
    }

    /// A user leaves a thread, or is taken out of it; false if it was not in it.
    pub(crate) fn remove_from_thread(&self, state: &mut State, id: u64, user: u64) -> bool {
        let Some(thread) = state.channels.get_mut(&id).filter(|one| one.is_thread()) else {
            return false;
        };
        let was_in_it = thread.thread.members.remove(&user).is_some();
        if was_in_it {
            let removed = json!({ "removed_member_ids": [user.to_string()] });
            self.tell_thread_members(&thread.clone(), user, &removed);
        }
        was_in_it
    }

    /// THREAD_MEMBERS_UPDATE: whom it is about is told in any case, others with GUILD_MEMBERS.
    fn tell_thread_members(&self, thread: &Channel, user: u64, change: &Value) {
        let mut data = json!({
            "id": thread.id.to_string(),
            "guild_id": thread.guild_id.map(|id| id.to_string()),
            "member_count": thread.thread.members.len(),
        });
        for (field, value) in change.as_object().into_iter().flatten() {
            data[field] = value.clone();
        }
        let event = "THREAD_MEMBERS_UPDATE";
        let audiences = [
            (Audience::User(user), intents::GUILDS),
            (Audience::Others { channel: thread.id, user }, intents::GUILD_MEMBERS),
        ];
        for (audience, intents) in audiences {
            self.dispatch(Dispatch { event, data: data.clone(), audience, intents });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        journal::Journal,
        world::default::{ADA, BEN, BOT_USER, GENERAL, GUILD},
    };

    fn thread(id: u64, thread_kind: u8) -> Channel {
        Channel {
            id,
            kind: thread_kind,
            guild_id: Some(GUILD),
            parent_id: Some(GENERAL),
            name: "t".to_owned(),
            owner_id: Some(ADA),
            ..Channel::default()
        }
    }

    fn names(
        events: &mut tokio::sync::broadcast::Receiver<std::sync::Arc<Dispatch>>,
    ) -> Vec<String> {
        std::iter::from_fn(|| events.try_recv().ok())
            .map(|one| format!("{} {}", one.event, one.data["type"]))
            .collect()
    }

    #[test]
    fn a_new_thread_is_told_as_on_discord() {
        let world = World::default_world(Journal::default());
        let asked = Message { channel_id: GENERAL, author_id: BEN, ..Message::default() };
        let asked = world.create_message(asked);
        let mut events = world.subscribe();
        world.write(|state| world.open_thread(state, thread(asked.id, kind::PUBLIC_THREAD)));
        let expected = ["THREAD_CREATE 11", "MESSAGE_UPDATE 0", "MESSAGE_CREATE 21"];
        assert_eq!(names(&mut events), expected);
        world.write(|state| world.open_thread(state, thread(7, kind::PUBLIC_THREAD)));
        assert_eq!(names(&mut events), ["THREAD_CREATE 11", "MESSAGE_CREATE 18"]);
        world.write(|state| world.open_thread(state, thread(8, kind::PRIVATE_THREAD)));
        assert_eq!(names(&mut events), ["THREAD_CREATE 12"]);
        world.read(|state| {
            assert!(state.channels[&8].thread.members.contains_key(&ADA));
            assert_eq!(state.channels[&asked.id].thread.messages, 0);
            let shown = state.message_json(&state.messages[&GENERAL][&asked.id]);
            assert_eq!((&shown["flags"], &shown["thread"]["name"]), (&32.into(), &"t".into()));
            let starter = state.messages[&asked.id].values().next().unwrap();
            let shown = state.message_json(starter);
            assert_eq!(shown["referenced_message"]["id"], asked.id.to_string());
        });
    }

    #[test]
    fn members_of_a_private_thread_come_to_know_of_it() {
        let world = World::default_world(Journal::default());
        world.write(|state| world.open_thread(state, thread(8, kind::PRIVATE_THREAD)));
        let mut events = world.subscribe();
        world.write(|state| world.add_to_thread(state, 8, &[BOT_USER, ADA]));
        let told: Vec<_> = std::iter::from_fn(|| events.try_recv().ok())
            .map(|one| (one.event, one.audience))
            .collect();
        let others = Audience::Others { channel: 8, user: BOT_USER };
        let expected = [
            ("THREAD_CREATE", Audience::User(BOT_USER)),
            ("THREAD_MEMBERS_UPDATE", Audience::User(BOT_USER)),
            ("THREAD_MEMBERS_UPDATE", others),
        ];
        assert_eq!(told, expected);
        assert!(world.write(|state| world.remove_from_thread(state, 8, BOT_USER)));
        assert!(!world.write(|state| world.remove_from_thread(state, 8, BOT_USER)));
        assert!(!world.write(|state| world.remove_from_thread(state, GENERAL, ADA)));
    }

    #[test]
    fn who_writes_in_a_thread_joins_and_opens_it() {
        let world = World::default_world(Journal::default());
        world.write(|state| {
            world.open_thread(state, thread(7, kind::PUBLIC_THREAD));
            world.set_archived(state, 7, true);
        });
        let mut events = world.subscribe();
        let content = format!("<@{BEN}> look");
        let said = Message { channel_id: 7, author_id: BOT_USER, content, ..Message::default() };
        let said = world.create_message(said);
        assert_eq!(names(&mut events).first().map(String::as_str), Some("THREAD_UPDATE 11"));
        world.read(|state| {
            let thread = &state.channels[&7];
            let members: Vec<u64> = thread.thread.members.keys().copied().collect();
            assert_eq!(members, [BOT_USER, ADA, BEN]);
            assert_eq!((thread.thread.archived, thread.thread.messages), (false, 1));
            assert_eq!((said.position, thread.last_message_id), (Some(0), Some(said.id)));
        });
        assert!(world.delete_message(7, said.id).is_ok());
        world.read(|state| {
            let thread = &state.channels[&7];
            assert_eq!((thread.thread.messages, thread.thread.total_messages), (0, 1));
            assert_eq!(thread.last_message_id, Some(said.id), "Discord keeps it");
        });
    }
}
