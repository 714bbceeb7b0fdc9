//! Where a message comes from, and where it is taken.

use clawvoice_session::{ChannelId, GuildId, RoleId, SessionKey, UserId};
use serde::{Deserialize, Serialize};

/// Where a message was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Surface {
    /// A direct message.
    Direct {
        /// The other one: whoever wrote it, also where the bot itself did.
        user: UserId,
    },
    /// A direct message of several people.
    Group,
    /// A channel of a guild; a voice channel's chat too.
    Channel,
    /// A thread, or a post of a forum.
    Thread {
        /// The channel it belongs to.
        parent: ChannelId,
    },
}

/// Where a message comes from.
#[derive(Clone, Copy, Debug)]
pub struct Origin<'a> {
    /// What kind of place it is.
    pub surface: Surface,
    /// The channel, or thread.
    pub channel: ChannelId,
    /// Its name; empty if it has none or it is unknown.
    pub channel_name: &'a str,
    /// The guild; `None` in direct messages.
    pub guild: Option<GuildId>,
    /// Its name; empty if unknown.
    pub guild_name: &'a str,
    /// The sender's roles in the guild.
    pub roles: &'a [RoleId],
    /// Who wrote it.
    pub sender: UserId,
}

impl Origin<'_> {
    /// The channel that the place belongs to, if it is a thread.
    #[must_use]
    pub const fn parent(&self) -> Option<ChannelId> {
        match self.surface {
            Surface::Thread { parent } => Some(parent),
            Surface::Direct { .. } | Surface::Group | Surface::Channel => None,
        }
    }
}

/// What decided on a route; earlier ones go first. Source: OpenClaw, "Multi-agent routing".
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tier {
    /// Somebody bound the place while the program ran.
    Bound,
    /// The file binds the channel to an ACP program.
    Acp,
    /// The person or channel itself.
    Peer,
    /// The channel a thread belongs to.
    ParentPeer,
    /// The guild and a role of the sender's.
    GuildRoles,
    /// The guild.
    Guild,
    /// The account.
    Account,
    /// Discord, for all accounts.
    Channel,
    /// Nothing: the default agent.
    Default,
}

/// Where answers of a session go: to the channel of its latest message, by the account that heard
/// it. Kept with the session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastRoute {
    /// The account's id.
    pub account: String,
    /// The channel or thread.
    pub channel: ChannelId,
}

/// Where a message is taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The agent's id, as the file has it.
    pub agent: String,
    /// The conversation.
    pub key: SessionKey,
    /// Where answers go.
    pub last: LastRoute,
    /// What decided.
    pub matched: Tier,
}

impl Route {
    /// Whether the place is bound to the session, so that nobody need mention the bot in it.
    #[must_use]
    pub const fn is_bound(&self) -> bool {
        matches!(self.matched, Tier::Bound)
    }
}
