//! What becomes of a message, and what must be known for it.

use std::{borrow::Cow, sync::Arc};

use clawvoice_config::ToolLists;
use clawvoice_session::{
    ChannelId, GuildId, MessageId, RoleId, UserId, WebhookId, access::Audience,
};

use super::{echo::Sent, plural::PluralMember, reason::DropReason, sender::Sender};
use crate::place::Places;

/// What is known beside the message. Whatever [`Need`] asks for is put here, and the message judged
/// again.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    /// The bot's own user.
    pub own: UserId,
    /// The agent the message is routed to; `None`: the default one.
    pub agent: Option<&'a str>,
    /// Guilds and channels.
    pub places: &'a Places,
    /// Channels that were asked for ([`Need::Channel`]) and that Discord did not tell.
    pub unknown: &'a [ChannelId],
    /// Milliseconds since 1970.
    pub now_unix_ms: u64,
    /// Whether the message was asked for again ([`Need::Hydrate`]). One that came is laid over the
    /// message by [`super::hydrated`] before it is judged again.
    pub hydration: Hydration,
    /// Who speaks through the webhook ([`Need::PluralKit`]). `None`: not asked; inside, `None`:
    /// nobody, or PluralKit did not answer.
    pub plural: Option<Option<&'a PluralMember>>,
    /// Whether the sender was approved by pairing ([`Need::Paired`]).
    pub paired: Option<bool>,
    /// Audiences that were asked for ([`Need::Audience`]), and whether the sender belongs to them;
    /// not knowing is not belonging.
    pub audiences: &'a [(Audience, bool)],
    /// What the first audio file says ([`Need::Transcript`]). Inside, `None`: not to be had.
    pub transcript: Option<Option<&'a str>>,
    /// What the thread or channel is bound to a session by.
    pub bound: Option<BoundThread>,
    /// Whether the direct message is bound to a session.
    pub dm_is_bound: bool,
    /// What was just sent.
    pub sent: &'a Sent,
    /// Whether the message was written while the bot was away.
    pub after_downtime: bool,
    /// Whether it stands for several messages that came at a time.
    pub batch: bool,
}

impl<'a> Known<'a> {
    /// What is known before anything was asked.
    #[must_use]
    pub const fn new(own: UserId, places: &'a Places, sent: &'a Sent, now_unix_ms: u64) -> Self {
        Self {
            own,
            agent: None,
            places,
            unknown: &[],
            now_unix_ms,
            hydration: Hydration::NotAsked,
            plural: None,
            paired: None,
            audiences: &[],
            transcript: None,
            bound: None,
            dm_is_bound: false,
            sent,
            after_downtime: false,
            batch: false,
        }
    }

    /// Whether the sender belongs to an audience, if that was asked.
    pub(crate) fn belongs_to(&self, audience: Audience) -> Option<bool> {
        self.audiences.iter().find(|(it, _)| *it == audience).map(|(_, belongs)| *belongs)
    }
}

/// Whether a message was asked for again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hydration {
    /// No.
    NotAsked,
    /// Discord did not tell it.
    Failed,
    /// The message is the one that Discord told.
    Done,
}

/// A thread or channel that belongs to a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BoundThread {
    /// The webhook that answers there.
    pub webhook: Option<WebhookId>,
}

/// What must be found out before the message can be judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// A channel or thread that is not in `places`.
    Channel(ChannelId),
    /// The message itself, from REST: something in it is missing.
    Hydrate,
    /// Whether PluralKit knows the message.
    PluralKit,
    /// Whether the sender is in the pairing store.
    Paired,
    /// Whether the sender belongs to an audience.
    Audience(Audience),
    /// What the first audio file of the message says.
    Transcript,
}

/// What becomes of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing.
    Drop(Dropped),
    /// Something must be found out first.
    Needs(Need),
    /// It is the agent's.
    Admit(Box<Admitted>),
    /// Discord tells of something; in words, for the session of the place.
    SystemEvent(String),
}

/// A message that becomes no turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dropped {
    /// Why.
    pub reason: DropReason,
    /// What a person would want to know beside the reason.
    pub detail: Option<Cow<'static, str>>,
    /// Whether the agent is shown it as what was said before the next message to it.
    pub remember: bool,
}

impl From<DropReason> for Dropped {
    fn from(reason: DropReason) -> Self {
        Self { reason, detail: None, remember: false }
    }
}

/// Where a message was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Surface {
    /// In private.
    Direct,
    /// In a group of people without a guild.
    GroupDirect,
    /// In a guild.
    Guild,
}

/// A message that the agent is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admitted {
    /// Who wrote it.
    pub sender: Sender,
    /// Their roles.
    pub roles: Vec<RoleId>,
    /// Whether they own the agent.
    pub owner: bool,
    /// Which tools the place lets them use; `None`: nothing is said of it there.
    pub tools: Option<Arc<ToolLists>>,
    /// Where.
    pub surface: Surface,
    /// The guild.
    pub guild: Option<GuildId>,
    /// The channel or thread.
    pub channel: ChannelId,
    /// Of a thread, the channel it belongs to.
    pub parent: Option<ChannelId>,
    /// The id that the message goes by: of a message that PluralKit wrote anew, the first one's.
    pub canonical: MessageId,
    /// Whether it is to the bot: a mention, a reply to it, or in private.
    pub addressed: bool,
    /// Whether it mentions the bot, by id, by a pattern or with all others.
    pub was_mentioned: bool,
    /// Whether messages in its place must be to the bot: others wait to be told with one that is.
    pub gated: bool,
    /// Whether it was let through though it is not to the bot, and is to be taken as something that
    /// happened (`unmentionedInbound: "room_event"`).
    pub ambient: bool,
    /// The text for the model; empty if there are only files.
    pub text: String,
    /// The command it is; its author may give it.
    pub command: Option<TextCommand>,
    /// Whether it stands for several messages that came at a time.
    pub batch: bool,
}

/// A command that is written as a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextCommand {
    /// Its name in small letters, without the slash.
    pub name: String,
    /// What follows, trimmed.
    pub args: String,
}

/// What ends the judging.
pub(crate) enum Stop {
    Drop(Dropped),
    Need(Need),
}

impl From<DropReason> for Stop {
    fn from(reason: DropReason) -> Self {
        Self::Drop(reason.into())
    }
}

impl From<Dropped> for Stop {
    fn from(dropped: Dropped) -> Self {
        Self::Drop(dropped)
    }
}

impl From<Need> for Stop {
    fn from(need: Need) -> Self {
        Self::Need(need)
    }
}

impl From<Stop> for Verdict {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Drop(dropped) => Self::Drop(dropped),
            Stop::Need(need) => Self::Needs(need),
        }
    }
}
