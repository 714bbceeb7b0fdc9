//! Between presence and a running voice session: what starts one, what both say to each other.

use clawvoice_session::{
    ChannelId, Generation, GuildId, JoinFailure, RoleId, UserId, timeline::Record,
};
use secrecy::SecretString;
use tokio::sync::mpsc;

use crate::call::Plan;

/// Starts voice sessions.
pub trait SessionStarter: Send + Sync + 'static {
    /// Starts the session's task and returns at once; success and failure come as events.
    fn start(&self, request: SessionRequest) -> SessionHandle;
}

/// Everything a voice session needs to connect.
#[derive(Clone, Debug)]
pub struct SessionRequest {
    /// The guild.
    pub guild: GuildId,
    /// The voice channel.
    pub channel: ChannelId,
    /// The bot's own user.
    pub user: UserId,
    /// The bot's voice session, from its own voice state.
    pub session_id: String,
    /// The voice connection token.
    pub token: SecretString,
    /// `host:port` of the voice server, without a scheme.
    pub endpoint: String,
    /// The channel's bitrate, bits per second, if the main gateway has told it.
    pub bitrate: Option<u32>,
    /// The guild's name; empty if unknown.
    pub guild_name: String,
    /// The channel's name; empty if unknown.
    pub channel_name: String,
    /// Everybody whose name is known in the guild: user, label, whether it is a bot.
    pub names: Vec<(UserId, String, bool)>,
    /// Everybody whose roles are known in the guild.
    pub roles: Vec<(UserId, Vec<RoleId>)>,
    /// The session's generation.
    pub generation: Generation,
}

/// The ends of a running session.
#[derive(Debug)]
pub struct SessionHandle {
    /// What the session is told. Dropping it means [`SessionCommand::Leave`].
    pub commands: mpsc::Sender<SessionCommand>,
    /// What the session says; closed when its task has ended and its sockets are closed.
    pub events: mpsc::Receiver<SessionEvent>,
}

/// What a session is told.
#[derive(Clone, Debug)]
pub enum SessionCommand {
    /// The voice server was replaced: connect anew there, even if the address is the same.
    ServerChanged {
        /// `host:port` of the voice server.
        endpoint: String,
        /// The voice connection token.
        token: SecretString,
    },
    /// A name became known or changed.
    Name {
        /// Whose.
        user: UserId,
        /// The name to show.
        label: String,
        /// Whether the account is a bot.
        bot: bool,
    },
    /// A member's roles became known or changed.
    Roles {
        /// Whose.
        user: UserId,
        /// All of them.
        roles: Vec<RoleId>,
    },
    /// The channel's bitrate changed, bits per second.
    Bitrate(u32),
    /// Close everything and end.
    Leave,
}

/// What a session says.
#[derive(Clone, Debug)]
pub enum SessionEvent {
    /// Media flows and the front end is ready.
    Ready,
    /// It cannot start; the session is over.
    Failed(JoinFailure),
    /// It is over on its own account.
    Ended {
        /// In words.
        reason: String,
        /// What to do about it.
        plan: EndPlan,
    },
    /// A timeline record.
    Record(Record),
}

/// What follows a session's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndPlan {
    /// Leave the channel and stay out.
    StayDown,
    /// Leave the channel, pause, and join it again.
    Rejoin,
    /// Moved, kicked, or the channel is gone (voice close 4014 says all of them): the main gateway
    /// will tell which.
    WaitForMove,
}

impl From<Plan> for EndPlan {
    fn from(plan: Plan) -> Self {
        match plan {
            // A call never ends in order to be resumed; joining anew is as close.
            Plan::Resume | Plan::Rejoin => Self::Rejoin,
            Plan::WaitForMove => Self::WaitForMove,
            Plan::Fatal => Self::StayDown,
        }
    }
}
