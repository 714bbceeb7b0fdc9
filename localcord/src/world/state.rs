//! Everything a simulated Discord knows, as plain data.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{SystemTime, UNIX_EPOCH},
};

use serde_json::Value;

pub use super::{
    expression::{Emoji, ForumTag, Sticker},
    kind,
    mention::{AllowedMentions, Mentions, Pingable},
    message_kind,
    thread::Thread,
    webhook::{Sender, Webhook},
};

/// First second of 2015 in Unix milliseconds: where snowflakes begin to count.
pub const DISCORD_EPOCH_MS: u64 = 1_420_070_400_000;

/// Bitrate of a voice channel that nobody changed, bits per second.
const USUAL_BITRATE: u32 = 64_000;

/// What the bitrate of a voice channel can be, bits per second: up to 384 kbit/s in a guild with
/// all boosts ("Modify Channel").
pub const BITRATES: std::ops::RangeInclusive<u32> = 8_000..=384_000;

/// Channel flag of a forum: every post needs a tag.
pub const REQUIRE_TAG: u64 = 1 << 4;

/// The world's data. All ids are snowflakes.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// Everybody, bots and humans, by id.
    pub users: BTreeMap<u64, User>,
    /// Guilds by id. The first is the one that new bots and humans join.
    pub guilds: BTreeMap<u64, Guild>,
    /// Channels and threads of all guilds, and direct messages, by id.
    pub channels: BTreeMap<u64, Channel>,
    /// Messages by channel, then by id: oldest first.
    pub messages: BTreeMap<u64, BTreeMap<u64, Message>>,
    /// Applications by id.
    pub applications: BTreeMap<u64, Application>,
    /// Who is in voice where, by guild and user.
    pub voice_states: BTreeMap<(u64, u64), VoiceState>,
    /// Application commands as the server shows them, by application and scope (a guild, or
    /// everywhere).
    pub commands: BTreeMap<(u64, Option<u64>), Vec<Value>>,
    /// The users that localcord itself plays.
    pub humans: BTreeSet<u64>,
    /// Webhooks by id.
    pub webhooks: BTreeMap<u64, Webhook>,
    /// Who takes no direct messages from whom.
    pub privacy: BTreeMap<u64, Privacy>,
    /// The last id that [`State::next_id`] gave out.
    pub last_id: u64,
}

/// A user account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct User {
    /// Its id.
    pub id: u64,
    /// The unique name.
    pub username: String,
    /// The name that is shown instead.
    pub global_name: Option<String>,
    /// The account belongs to an application.
    pub bot: bool,
    /// 0 for everybody but old bots.
    pub discriminator: u16,
    /// Image hash.
    pub avatar: Option<String>,
}

/// From whom a user takes no direct messages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Privacy {
    /// From nobody at all.
    pub closed: bool,
    /// Not from these.
    pub blocked: BTreeSet<u64>,
}

/// A guild ("server").
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Guild {
    /// Its id; also the id of its `@everyone` role.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// Who may do everything in it.
    pub owner_id: u64,
    /// Roles by id.
    pub roles: BTreeMap<u64, Role>,
    /// Members by user id.
    pub members: BTreeMap<u64, Member>,
    /// Custom emoji by id.
    pub emojis: BTreeMap<u64, Emoji>,
    /// Stickers by id.
    pub stickers: BTreeMap<u64, Sticker>,
    /// Where newcomers are announced.
    pub system_channel_id: Option<u64>,
}

/// A role of a guild.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Role {
    /// Its id.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// Permission bits it gives.
    pub permissions: u64,
    /// Higher stands above lower.
    pub position: i64,
    /// Belongs to an integration; nobody can give or take it.
    pub managed: bool,
    /// Anyone may mention it.
    pub mentionable: bool,
}

/// A user's membership in a guild.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Member {
    /// The user.
    pub user_id: u64,
    /// Name in this guild.
    pub nick: Option<String>,
    /// Roles besides `@everyone`.
    pub roles: Vec<u64>,
    /// Unix milliseconds.
    pub joined_at_ms: u64,
}

/// A channel, a thread or a direct message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Channel {
    /// Its id.
    pub id: u64,
    /// One of [`kind`].
    pub kind: u8,
    /// Its guild; direct messages have none.
    pub guild_id: Option<u64>,
    /// The category of a channel, or the channel of a thread.
    pub parent_id: Option<u64>,
    /// Its name; empty for direct messages.
    pub name: String,
    /// What it is about.
    pub topic: Option<String>,
    /// Order in the list.
    pub position: i64,
    /// Exceptions from the roles' permissions.
    pub overwrites: Vec<Overwrite>,
    /// Most users in a voice channel; 0 is no limit.
    pub user_limit: u16,
    /// Bits per second of a voice channel; [`Channel::bitrate`] knows what none means.
    pub bitrate: Option<u32>,
    /// The users of a direct message.
    pub recipients: Vec<u64>,
    /// Who made a thread or a direct message of several users.
    pub owner_id: Option<u64>,
    /// For adults.
    pub nsfw: bool,
    /// Seconds between two messages of a user; shown, not enforced.
    pub slowmode_s: u16,
    /// Channel flags.
    pub flags: u64,
    /// Minutes after which new threads are archived, if it was set.
    pub default_auto_archive: Option<u16>,
    /// The tags that posts of a forum can have.
    pub tags: Vec<ForumTag>,
    /// The tags of a post.
    pub applied_tags: Vec<u64>,
    /// The newest message ever posted, even if it is gone; of a forum, its newest post.
    pub last_message_id: Option<u64>,
    /// When something was last pinned, Unix milliseconds.
    pub last_pin_ms: Option<u64>,
    /// What only threads have.
    pub thread: Thread,
}

impl Channel {
    /// Bits per second that clients are to send in a voice channel: Discord's 64,000 unless it was
    /// set.
    #[must_use]
    pub fn bitrate(&self) -> u32 {
        self.bitrate.unwrap_or(USUAL_BITRATE)
    }

    /// A thread takes its permissions from its parent.
    #[must_use]
    pub fn is_thread(&self) -> bool {
        matches!(self.kind, kind::ANNOUNCEMENT_THREAD | kind::PUBLIC_THREAD | kind::PRIVATE_THREAD)
    }

    /// A channel that holds posts and no messages of its own.
    #[must_use]
    pub fn is_forum(&self) -> bool {
        matches!(self.kind, kind::FORUM | kind::MEDIA)
    }

    /// A channel that users join to talk.
    #[must_use]
    pub fn is_voice(&self) -> bool {
        matches!(self.kind, kind::VOICE | kind::STAGE)
    }

    /// A channel that messages can be sent to: everything but categories and forums.
    #[must_use]
    pub fn takes_messages(&self) -> bool {
        self.kind != kind::CATEGORY && !self.is_forum()
    }
}

/// What an overwrite is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// Everybody with this role (overwrite type 0).
    Role(u64),
    /// One user (overwrite type 1).
    Member(u64),
}

/// An exception to the permissions in one channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overwrite {
    /// Whom it concerns.
    pub target: Target,
    /// Bits given.
    pub allow: u64,
    /// Bits taken.
    pub deny: u64,
}

/// A message.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Message {
    /// Its id; its first bits are when it was sent.
    pub id: u64,
    /// Where it is.
    pub channel_id: u64,
    /// Who wrote it.
    pub author_id: u64,
    /// One of [`message_kind`].
    pub kind: u8,
    /// The text.
    pub content: String,
    /// Message flags.
    pub flags: u64,
    /// Read aloud.
    pub tts: bool,
    /// Embeds as the sender gave them.
    pub embeds: Vec<Value>,
    /// Components as the sender gave them.
    pub components: Vec<Value>,
    /// Attachment objects.
    pub attachments: Vec<Value>,
    /// Unix milliseconds of the last edit.
    pub edited_at_ms: Option<u64>,
    /// The application it was sent by as a webhook (interaction answers).
    pub application_id: Option<u64>,
    /// `interaction_metadata`.
    pub interaction: Option<Value>,
    /// `message_reference`.
    pub reference: Option<Value>,
    /// The sender's `nonce`, given back to it.
    pub nonce: Option<Value>,
    /// Whom it mentions; worked out when it is posted or edited.
    pub mentions: Mentions,
    /// Which marks in the text may mention somebody.
    pub allowed_mentions: AllowedMentions,
    /// Forwarded messages, as `message_snapshots`.
    pub snapshots: Vec<Value>,
    /// `sticker_items`.
    pub stickers: Vec<Value>,
    /// The webhook that posted it, under the name it used; [`Message::author_id`] is its id.
    pub sender: Option<Sender>,
    /// When it was pinned, Unix milliseconds.
    pub pinned_at_ms: Option<u64>,
    /// Its number in its thread.
    pub position: Option<u32>,
}

/// An application with its bot user.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Application {
    /// Its id.
    pub id: u64,
    /// Its bot's user id.
    pub user_id: u64,
    /// Its name.
    pub name: String,
    /// The bot's token; what comes after `Bot ` in the `Authorization` header.
    pub token: String,
    /// Application flags.
    pub flags: u64,
    /// The privileged intents that were switched on for it.
    pub privileged_intents: u64,
}

impl std::fmt::Debug for Application {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Application")
            .field("id", &self.id)
            .field("user_id", &self.user_id)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// A user's place in a voice channel.
#[derive(Clone, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "the flags of Discord's voice state object")]
pub struct VoiceState {
    /// The guild.
    pub guild_id: u64,
    /// The user.
    pub user_id: u64,
    /// The voice or stage channel.
    pub channel_id: u64,
    /// What the voice gateway's IDENTIFY must carry.
    pub session_id: String,
    /// The main gateway's session that joined; humans have none.
    pub gateway_session: Option<String>,
    /// Muted itself.
    pub self_mute: bool,
    /// Deafened itself.
    pub self_deaf: bool,
    /// Muted by a moderator.
    pub mute: bool,
    /// Deafened by a moderator.
    pub deaf: bool,
    /// In a stage's audience, or without SPEAK: not heard.
    pub suppress: bool,
    /// Since when it asks to speak in a stage channel, Unix milliseconds.
    pub request_to_speak_ms: Option<u64>,
}

impl std::fmt::Debug for VoiceState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VoiceState")
            .field("guild_id", &self.guild_id)
            .field("user_id", &self.user_id)
            .field("channel_id", &self.channel_id)
            .finish_non_exhaustive()
    }
}

impl State {
    /// A new snowflake: later ones are greater.
    pub fn next_id(&mut self) -> u64 {
        self.last_id = (self.last_id + 1).max(snowflake(now_ms()));
        self.last_id
    }

    /// The guild that new bots and humans join.
    #[must_use]
    pub fn default_guild(&self) -> Option<&Guild> {
        self.guilds.values().next()
    }

    /// The application of a bot token, without `Bot ` before it.
    #[must_use]
    pub fn application_by_token(&self, token: &str) -> Option<&Application> {
        self.applications.values().find(|application| application.token == token)
    }

    /// The application that a bot user belongs to.
    #[must_use]
    pub fn application_of(&self, user_id: u64) -> Option<&Application> {
        self.applications.values().find(|application| application.user_id == user_id)
    }

    /// The guilds a user is in.
    pub fn guilds_of(&self, user_id: u64) -> impl Iterator<Item = &Guild> {
        self.guilds.values().filter(move |guild| guild.members.contains_key(&user_id))
    }

    /// Channels and threads of a guild.
    pub fn channels_in(&self, guild_id: u64) -> impl Iterator<Item = &Channel> {
        self.channels.values().filter(move |channel| channel.guild_id == Some(guild_id))
    }

    /// Who is in a voice channel.
    pub fn voice_states_in(&self, channel_id: u64) -> impl Iterator<Item = &VoiceState> {
        self.voice_states.values().filter(move |voice| voice.channel_id == channel_id)
    }

    /// Whether a user takes direct messages from another.
    #[must_use]
    pub fn takes_direct_messages(&self, user: u64, from: u64) -> bool {
        let privacy = self.privacy.get(&user);
        privacy.is_none_or(|privacy| !privacy.closed && !privacy.blocked.contains(&from))
    }

    /// The direct message channel of two users; makes it when there is none.
    pub fn direct_message(&mut self, one: u64, other: u64) -> u64 {
        let of_both = |channel: &&Channel| {
            channel.kind == kind::DM
                && channel.recipients.contains(&one)
                && channel.recipients.contains(&other)
        };
        if let Some(channel) = self.channels.values().find(of_both) {
            return channel.id;
        }
        let id = self.next_id();
        let recipients = vec![one, other];
        self.channels.insert(id, Channel { id, kind: kind::DM, recipients, ..Channel::default() });
        id
    }
}

/// Now, in Unix milliseconds.
pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// The smallest snowflake of a Unix millisecond.
#[must_use]
pub fn snowflake(at_ms: u64) -> u64 {
    at_ms.saturating_sub(DISCORD_EPOCH_MS) << 22
}

/// When a snowflake was made, in Unix milliseconds.
#[must_use]
pub fn snowflake_ms(id: u64) -> u64 {
    (id >> 22) + DISCORD_EPOCH_MS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_grow_and_tell_the_time() {
        let mut state = State::default();
        let before = now_ms();
        let (first, second) = (state.next_id(), state.next_id());
        assert!(first < second);
        assert!((before..=now_ms()).contains(&snowflake_ms(first)));
        // "Snowflake ID Format Structure" of Discord's reference.
        assert_eq!(snowflake_ms(175_928_847_299_117_063), 1_462_015_105_796);
        assert_eq!(snowflake(1_462_015_105_796), 175_928_847_299_117_063 >> 22 << 22);
    }

    #[test]
    fn a_direct_message_channel_is_made_once() {
        let mut state = State::default();
        let id = state.direct_message(1, 2);
        assert_eq!(state.direct_message(2, 1), id);
        assert_ne!(state.direct_message(1, 3), id);
        assert_eq!(state.channels.len(), 2);
    }
}
