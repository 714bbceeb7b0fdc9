//! Guilds, channels and threads, as far as text needs them: what they are called, what they are,
//! and what they belong to.
//!
//! Source: Discord, "Channel Object", "Channel Types", "Thread Metadata Object".

use clawvoice_session::{ChannelId, GuildId, MessageId, UserId};
use foldhash::HashMap;
use serde::{Deserialize, Serialize};

/// What a channel is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum PlaceKind {
    /// A direct message (1).
    Direct,
    /// A direct message of several people (3).
    GroupDirect,
    /// A text channel of a guild (0), or its announcements (5).
    Text,
    /// A voice (2) or stage (13) channel, whose chat is meant.
    Voice,
    /// A thread (10, 11), open to all who see its parent.
    Thread,
    /// A private thread (12).
    PrivateThread,
    /// A forum (15) or media channel (16): only its posts, which are threads, hold messages.
    Forum,
    /// A category (4), a directory (14), or what is not known.
    Other,
}

impl PlaceKind {
    /// From Discord's channel type number.
    #[must_use]
    pub const fn from_wire(kind: u64) -> Self {
        match kind {
            0 | 5 => Self::Text,
            1 => Self::Direct,
            2 | 13 => Self::Voice,
            3 => Self::GroupDirect,
            10 | 11 => Self::Thread,
            12 => Self::PrivateThread,
            15 | 16 => Self::Forum,
            _ => Self::Other,
        }
    }

    /// Whether it is a thread of either kind.
    #[must_use]
    pub const fn is_thread(self) -> bool {
        matches!(self, Self::Thread | Self::PrivateThread)
    }

    /// Whether it is a direct message of one or several people.
    #[must_use]
    pub const fn is_direct(self) -> bool {
        matches!(self, Self::Direct | Self::GroupDirect)
    }
}

/// A channel or thread. Of a hundred thousand of them one is looked up for every message: what is
/// asked of it then stands together in memory, at its beginning.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[repr(C)]
pub struct Channel {
    /// Its id.
    pub id: ChannelId,
    /// What it is.
    pub kind: PlaceKind,
    /// Of a thread, the channel it belongs to. A channel's category is not kept.
    pub parent: Option<ChannelId>,
    /// Its name; empty in direct messages.
    pub name: String,
    /// Its guild; `None` in direct messages.
    pub guild: Option<GuildId>,
    /// Its topic: words of whoever may edit the channel, so untrusted.
    pub topic: Option<String>,
    /// Who opened the thread.
    pub owner: Option<UserId>,
    /// Whether the thread is archived.
    pub archived: bool,
    /// Whether a forum demands a tag on each post.
    pub requires_tag: bool,
    /// The newest message when the channel was told: what was missed is known by it.
    #[serde(default)]
    pub last_message: Option<MessageId>,
}

#[derive(Deserialize)]
struct Wire {
    id: ChannelId,
    #[serde(default)]
    guild_id: Option<GuildId>,
    #[serde(rename = "type")]
    kind: u64,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    parent_id: Option<ChannelId>,
    #[serde(default)]
    topic: Option<String>,
    #[serde(default)]
    owner_id: Option<UserId>,
    #[serde(default)]
    thread_metadata: Option<ThreadMetadata>,
    #[serde(default)]
    flags: u64,
    #[serde(default)]
    last_message_id: Option<MessageId>,
}

#[derive(Deserialize)]
struct ThreadMetadata {
    #[serde(default)]
    archived: bool,
}

/// Channel flag `REQUIRE_TAG`. Source: Discord, "Channel Flags".
const REQUIRE_TAG: u64 = 1 << 4;

impl Channel {
    /// Of Discord's JSON; `guild` where the event says it and the channel does not.
    ///
    /// # Errors
    ///
    /// Without an id or a type.
    pub fn read(json: &str, guild: Option<GuildId>) -> Result<Self, serde_json::Error> {
        let wire: Wire = serde_json::from_str(json)?;
        let kind = PlaceKind::from_wire(wire.kind);
        Ok(Self {
            id: wire.id,
            guild: wire.guild_id.or(guild),
            kind,
            name: wire.name.unwrap_or_default(),
            parent: wire.parent_id.filter(|_| kind.is_thread()),
            topic: wire.topic.filter(|topic| !topic.trim().is_empty()),
            owner: wire.owner_id.filter(|_| kind.is_thread()),
            archived: wire.thread_metadata.is_some_and(|thread| thread.archived),
            requires_tag: wire.flags & REQUIRE_TAG != 0,
            last_message: wire.last_message_id,
        })
    }
}

/// What is known of guilds and channels. Bounded by what the bot is in.
#[derive(Clone, Debug, Default)]
pub struct Places {
    guilds: HashMap<GuildId, String>,
    channels: HashMap<ChannelId, Channel>,
}

impl Places {
    /// A guild's name.
    pub fn put_guild(&mut self, guild: GuildId, name: String) {
        self.guilds.insert(guild, name);
    }

    /// A channel that is new or has changed.
    pub fn put(&mut self, channel: Channel) {
        self.channels.insert(channel.id, channel);
    }

    /// A channel or thread that is gone.
    pub fn remove(&mut self, channel: ChannelId) -> Option<Channel> {
        self.channels.remove(&channel)
    }

    /// A guild's name; empty if unknown.
    #[must_use]
    pub fn guild(&self, guild: GuildId) -> &str {
        self.guilds.get(&guild).map_or("", String::as_str)
    }

    /// A channel, if it is known.
    #[must_use]
    pub fn channel(&self, channel: ChannelId) -> Option<&Channel> {
        self.channels.get(&channel)
    }

    /// All channels and threads.
    pub fn channels(&self) -> impl Iterator<Item = &Channel> {
        self.channels.values()
    }

    /// A thread's parent, if both are known.
    #[must_use]
    pub fn parent(&self, channel: ChannelId) -> Option<&Channel> {
        self.channel(self.channel(channel)?.parent?)
    }

    /// Forgets everything: a new session tells it again.
    pub fn clear(&mut self) {
        self.guilds.clear();
        self.channels.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_category_is_no_parent() {
        let text = r#"{"id":"5","type":0,"name":"general","parent_id":"4","topic":" "}"#;
        let channel = Channel::read(text, Some(GuildId::new(1))).unwrap();
        assert_eq!((channel.parent, channel.guild), (None, Some(GuildId::new(1))));
        assert_eq!((channel.kind, &channel.topic), (PlaceKind::Text, &None));
        let thread = r#"{"id":"9","guild_id":"1","type":11,"name":"q","parent_id":"5",
            "owner_id":"7","thread_metadata":{"archived":true}}"#;
        let thread = Channel::read(thread, None).unwrap();
        assert!(thread.kind.is_thread() && thread.archived);
        let mut places = Places::default();
        places.put(thread);
        assert_eq!(places.parent(ChannelId::new(9)), None);
        places.put(channel);
        assert_eq!(places.parent(ChannelId::new(9)).unwrap().name, "general");
        assert!(Channel::read(r#"{"id":"5"}"#, None).is_err());
    }
}
