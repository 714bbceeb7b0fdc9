//! Channels that come, change and go while the world runs.

use serde_json::Value;

use super::{
    World,
    dispatch::{Audience, Dispatch, intents},
    message_kind,
    state::{BITRATES, Channel, ForumTag, Message, State, kind},
};

/// What changes about a channel or thread; `None` leaves a part as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChannelChange {
    /// The name.
    pub name: Option<String>,
    /// What it is about; `Some(None)` takes that away.
    pub topic: Option<Option<String>>,
    /// For adults.
    pub nsfw: Option<bool>,
    /// Seconds between two messages of a user.
    pub slowmode_s: Option<u16>,
    /// Channel flags.
    pub flags: Option<u64>,
    /// The tags of a forum.
    pub tags: Option<Vec<ForumTag>>,
    /// The tags of a post.
    pub applied_tags: Option<Vec<u64>>,
    /// Minutes after which new threads of a channel are archived.
    pub default_auto_archive: Option<u16>,
    /// Minutes after which a thread is archived.
    pub auto_archive_minutes: Option<u16>,
    /// A thread is open or not.
    pub archived: Option<bool>,
    /// A thread is for moderators alone.
    pub locked: Option<bool>,
    /// The members of a private thread may add others.
    pub invitable: Option<bool>,
}

impl ChannelChange {
    fn apply(self, channel: &mut Channel, now_ms: u64) {
        fn put<T>(place: &mut T, change: Option<T>) {
            if let Some(value) = change {
                *place = value;
            }
        }
        put(&mut channel.name, self.name);
        put(&mut channel.topic, self.topic);
        put(&mut channel.nsfw, self.nsfw);
        put(&mut channel.slowmode_s, self.slowmode_s);
        put(&mut channel.flags, self.flags);
        put(&mut channel.tags, self.tags);
        put(&mut channel.applied_tags, self.applied_tags);
        if self.default_auto_archive.is_some() {
            channel.default_auto_archive = self.default_auto_archive;
        }
        let thread = &mut channel.thread;
        if self.archived.is_some_and(|archived| archived != thread.archived) {
            thread.archive_changed_ms = Some(now_ms);
        }
        put(&mut thread.auto_archive_minutes, self.auto_archive_minutes);
        put(&mut thread.archived, self.archived);
        put(&mut thread.locked, self.locked);
        put(&mut thread.invitable, self.invitable);
    }
}

/// Why a channel's bitrate was not changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BitrateRefused {
    /// There is no such channel.
    #[error("unknown channel")]
    UnknownChannel,
    /// Nobody talks in it.
    #[error("only voice and stage channels have a bitrate")]
    NotAVoiceChannel,
    /// Below 8000 or above 384,000.
    #[error("`bitrate` must be between 8000 and 384000")]
    OutOfRange,
}

impl World {
    /// Puts a new channel into its guild; CHANNEL_CREATE goes to everybody who sees it.
    pub(crate) fn add_channel(&self, state: &mut State, channel: Channel) {
        let id = channel.id;
        state.channels.insert(id, channel);
        self.tell_channel(state, "CHANNEL_CREATE", id);
    }

    /// Changes a channel or thread: CHANNEL_UPDATE or THREAD_UPDATE, and in a thread that is
    /// called otherwise now Discord's own message, in the name of `by`. False if it is not there.
    pub(crate) fn change_channel(
        &self,
        state: &mut State,
        id: u64,
        by: u64,
        change: ChannelChange,
    ) -> bool {
        let Some(channel) = state.channels.get_mut(&id) else { return false };
        let before = channel.clone();
        change.apply(channel, super::state::now_ms());
        if *channel == before {
            return true;
        }
        let (thread, name) = (channel.is_thread(), channel.name.clone());
        let event = if thread { "THREAD_UPDATE" } else { "CHANNEL_UPDATE" };
        self.tell_channel(state, event, id);
        if thread && name != before.name {
            let kind = message_kind::NAME_CHANGE;
            let notice = Message {
                channel_id: id,
                author_id: by,
                kind,
                content: name,
                ..Message::default()
            };
            self.post(state, notice);
        }
        true
    }

    /// Everybody who sees a channel is told of its new overwrites.
    pub(crate) fn tell_channel_changed(&self, state: &State, id: u64) {
        self.tell_channel(state, "CHANNEL_UPDATE", id);
    }

    /// Takes a channel or thread away with everything in it, threads and webhooks included:
    /// CHANNEL_DELETE or THREAD_DELETE. What it was; `None` if it was not there.
    pub(crate) fn delete_channel(&self, id: u64) -> Option<Channel> {
        self.write(|state| {
            let talking: Vec<_> = state.voice_states_in(id).map(|voice| voice.user_id).collect();
            let gone = state.channels.remove(&id)?;
            let inside: Vec<u64> = state
                .channels
                .values()
                .filter(|one| one.is_thread() && one.parent_id == Some(id))
                .map(|one| one.id)
                .collect();
            for id in inside.into_iter().chain([id]) {
                state.channels.remove(&id);
                state.messages.remove(&id);
            }
            state.webhooks.retain(|_, webhook| webhook.channel_id != id);
            if let Some(guild) = gone.guild_id {
                talking.into_iter().for_each(|user| self.leave(state, guild, user));
            }
            self.tell_gone(state, &gone);
            Some(gone)
        })
    }

    fn tell_gone(&self, state: &State, gone: &Channel) {
        let Some(guild) = gone.guild_id else { return };
        let mut data = state.channel_json(gone, None);
        let (event, audience) = match gone.parent_id.filter(|_| gone.is_thread()) {
            Some(parent) => {
                data = serde_json::json!({
                    "id": gone.id.to_string(),
                    "guild_id": guild.to_string(),
                    "parent_id": parent.to_string(),
                    "type": gone.kind,
                });
                ("THREAD_DELETE", Audience::Channel(parent))
            }
            None => ("CHANNEL_DELETE", Audience::Guild(guild)),
        };
        if gone.kind != kind::PRIVATE_THREAD {
            self.dispatch(Dispatch { event, data, audience, intents: intents::GUILDS });
            return;
        }
        for user in gone.thread.members.keys() {
            let (data, audience) = (data.clone(), Audience::User(*user));
            self.dispatch(Dispatch { event, data, audience, intents: intents::GUILDS });
        }
    }

    /// Sets the bitrate of a voice or stage channel, bits per second. CHANNEL_UPDATE goes to
    /// everybody who sees the channel. The channel object.
    ///
    /// # Errors
    /// When there is no such channel, or the bitrate is out of range; nothing has changed then.
    pub fn set_bitrate(&self, channel_id: u64, bitrate: u32) -> Result<Value, BitrateRefused> {
        if !BITRATES.contains(&bitrate) {
            return Err(BitrateRefused::OutOfRange);
        }
        self.write(|state| {
            let channel =
                state.channels.get_mut(&channel_id).ok_or(BitrateRefused::UnknownChannel)?;
            if !channel.is_voice() {
                return Err(BitrateRefused::NotAVoiceChannel);
            }
            channel.bitrate = Some(bitrate);
            let channel = channel.clone();
            let data = state.channel_json(&channel, None);
            self.dispatch(Dispatch {
                event: "CHANNEL_UPDATE",
                data: data.clone(),
                audience: Audience::Channel(channel_id),
                intents: intents::GUILDS,
            });
            Ok(data)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        journal::Journal,
        world::default::{BOT_USER, GENERAL, GUILD, LOUNGE, STAGE},
    };

    #[test]
    fn a_channel_takes_its_threads_along() {
        let world = World::default_world(Journal::default());
        let thread = Channel {
            id: 7,
            kind: kind::PUBLIC_THREAD,
            guild_id: Some(GUILD),
            parent_id: Some(GENERAL),
            ..Channel::default()
        };
        world.write(|state| world.open_thread(state, thread));
        let mut events = world.subscribe();
        let change = ChannelChange { name: Some("new".to_owned()), ..ChannelChange::default() };
        assert!(world.write(|state| world.change_channel(state, 7, BOT_USER, change.clone())));
        assert!(world.write(|state| world.change_channel(state, 7, BOT_USER, change.clone())));
        assert!(!world.write(|state| world.change_channel(state, 5, BOT_USER, change)));
        assert_eq!(world.delete_channel(GENERAL).map(|gone| gone.id), Some(GENERAL));
        assert_eq!(world.delete_channel(7), None);
        let told: Vec<_> =
            std::iter::from_fn(|| events.try_recv().ok()).map(|one| one.event).collect();
        assert_eq!(told, ["THREAD_UPDATE", "MESSAGE_CREATE", "CHANNEL_DELETE"]);
        world.read(|state| assert!(state.messages.is_empty()));
    }

    #[test]
    fn bots_are_told_of_a_bitrate() {
        let world = World::default_world(Journal::default());
        let mut events = world.subscribe();
        for (channel, bitrate) in [(LOUNGE, 96_000), (STAGE, 8_000), (LOUNGE, 384_000)] {
            let answer = world.set_bitrate(channel, bitrate).unwrap();
            let event = events.try_recv().unwrap();
            assert_eq!(
                (event.event, event.audience),
                ("CHANNEL_UPDATE", Audience::Channel(channel))
            );
            assert_eq!((&event.data, &event.data["bitrate"]), (&answer, &bitrate.into()));
            let guild = world.read(|state| state.guild_create_json(GUILD, BOT_USER)).unwrap();
            let channels = guild["channels"].as_array().unwrap();
            assert!(channels.contains(&answer), "{guild:#}");
        }
        for (channel, bitrate, refused) in [
            (LOUNGE, 7_999, BitrateRefused::OutOfRange),
            (LOUNGE, 384_001, BitrateRefused::OutOfRange),
            (GENERAL, 64_000, BitrateRefused::NotAVoiceChannel),
            (5, 64_000, BitrateRefused::UnknownChannel),
        ] {
            assert_eq!(world.set_bitrate(channel, bitrate), Err(refused));
        }
        assert!(events.try_recv().is_err());
    }
}
