//! What is known of a turn.

use clawvoice_session::{ChannelId, MessageId};
use jiff::tz::TimeZone;

use crate::history::Entry;

/// A turn, as its envelope needs it. Names, topics and bodies are as Discord told them.
#[derive(Clone, Copy, Debug)]
pub struct TurnContext<'a> {
    /// The account's name in the configuration.
    pub account: &'a str,
    /// Where the words come from, as in `discord`.
    pub surface: &'a str,
    /// The channel, thread or direct message.
    pub channel: ChannelId,
    /// What it is, and what it is called.
    pub chat: Chat<'a>,
    /// `systemPrompt` of the channel.
    pub system_prompt: Option<&'a str>,
    /// `skills` of the channel; `None` all, empty none.
    pub skills: Option<&'a [String]>,
    /// The channel's topic.
    pub topic: Option<&'a str>,
    /// The forum's name, in the first turn of a post.
    pub forum_parent: Option<&'a str>,
    /// Who writes.
    pub sender: Sender<'a>,
    /// The message; of a batch the last one.
    pub message: MessageId,
    /// All messages of a batch; empty unless it is one.
    pub batch: &'a [MessageId],
    /// When the message was written, in milliseconds since 1970.
    pub at_ms: u64,
    /// Milliseconds since the session was last heard of; `None` in its first turn.
    pub elapsed_ms: Option<u64>,
    /// The zone of the header's time.
    pub zone: &'a TimeZone,
    /// `envelopeTimestamp`.
    pub shows_timestamp: bool,
    /// `envelopeElapsed`.
    pub shows_elapsed: bool,
    /// Whether it mentions the agent.
    pub was_mentioned: bool,
    /// The message it answers, if its sender may be shown.
    pub reply: Option<Quoted<'a>>,
    /// The first message of the thread, in the session's first turn, likewise.
    pub starter: Option<Starter<'a>>,
    /// Messages it forwards, unless they are part of the body.
    pub forwarded: &'a [Forwarded<'a>],
    /// What was said since the last answer, oldest first, likewise.
    pub history: &'a [Entry],
    /// What happened since then, as [`super::Reaction::text`] tells it.
    pub events: &'a [String],
    /// The text; of a batch all of them, a line each.
    pub body: &'a str,
    /// Lines about attachments, such as [`crate::media::note::unavailable_line`].
    pub notes: &'a [String],
}

/// A place, with the names that are known; an unknown name is empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chat<'a> {
    /// A direct message.
    Direct,
    /// A direct message of several people.
    Group {
        /// Its name.
        name: &'a str,
    },
    /// A channel of a guild.
    Channel {
        /// The guild's name.
        guild: &'a str,
        /// Its name.
        name: &'a str,
    },
    /// A thread or a forum's post.
    Thread {
        /// The guild's name.
        guild: &'a str,
        /// Its name.
        name: &'a str,
        /// The name of the channel it belongs to.
        parent: &'a str,
    },
}

impl Chat<'_> {
    /// Its word for the agent.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Group { .. } => "group",
            Self::Channel { .. } => "channel",
            Self::Thread { .. } => "thread",
        }
    }
}

/// Who writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sender<'a> {
    /// The user's id, or a PluralKit member's.
    pub id: &'a str,
    /// What they are called in the header.
    pub label: &'a str,
    /// The name they are shown by.
    pub name: &'a str,
    /// The account's name.
    pub username: &'a str,
    /// `name`, or `name#1234`.
    pub tag: &'a str,
}

/// A message that is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quoted<'a> {
    /// Its id.
    pub message: MessageId,
    /// Who wrote it.
    pub sender: &'a str,
    /// Its text.
    pub body: &'a str,
    /// Whether a part of it was quoted on purpose.
    pub is_quote: bool,
}

/// The first message of a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Starter<'a> {
    /// Who wrote it.
    pub sender: &'a str,
    /// Its text.
    pub body: &'a str,
}

/// A forwarded message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forwarded<'a> {
    /// Who wrote it, where Discord tells.
    pub from: Option<&'a str>,
    /// Its text.
    pub body: &'a str,
}
