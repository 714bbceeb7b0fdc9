//! What presence wants done.

use clawvoice_session::{
    ChannelId, Generation, GuildId, JoinFailure, JoinOutcome, UserId, timeline::Record,
};
use secrecy::SecretString;

use super::link::{SessionCommand, SessionRequest};

/// Names one request for a join until it is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// Why presence wants to be woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timer {
    /// A join has taken too long.
    Connect,
    /// Discord did not confirm a leave.
    Leave,
    /// A lost session is joined again.
    Rejoin,
    /// The main gateway did not tell why a session ended.
    Move,
    /// A followed user is gone to once more.
    Follow,
    /// Followed users are looked for.
    Reconcile,
}

/// One half of what the main gateway tells about a join.
#[derive(Clone, Debug)]
pub enum Half {
    /// From the bot's own voice state.
    State {
        /// The bot's voice session.
        session_id: String,
        /// The channel it is in.
        channel: ChannelId,
    },
    /// From VOICE_SERVER_UPDATE.
    Server {
        /// `host:port` of the voice server.
        endpoint: String,
        /// The voice connection token.
        token: SecretString,
    },
}

/// Both halves: what a session needs to connect.
#[derive(Clone, Debug)]
pub struct Connection {
    /// The bot's voice session.
    pub session_id: String,
    /// `host:port` of the voice server.
    pub endpoint: String,
    /// The voice connection token.
    pub token: SecretString,
}

/// What the shell does for presence.
#[derive(Debug)]
pub enum Output {
    /// Ask Discord to move the bot into a channel (op 4) and collect both halves.
    Connect {
        /// The guild.
        guild: GuildId,
        /// The channel.
        channel: ChannelId,
        /// Handed back with both halves.
        generation: Generation,
    },
    /// Collect the halves of a move that somebody else made; op 4 is not sent.
    Follow {
        /// The guild.
        guild: GuildId,
        /// The channel the bot is in.
        channel: ChannelId,
        /// Handed back with both halves.
        generation: Generation,
    },
    /// A half of the join with this generation.
    Feed {
        /// The guild.
        guild: GuildId,
        /// The join's generation.
        generation: Generation,
        /// The half.
        half: Half,
    },
    /// Start a session.
    Start(SessionRequest),
    /// Tell the session with this generation something.
    Tell {
        /// The guild.
        guild: GuildId,
        /// The session's generation.
        generation: Generation,
        /// What.
        command: SessionCommand,
    },
    /// End the session with this generation.
    End {
        /// The guild.
        guild: GuildId,
        /// The session's generation.
        generation: Generation,
    },
    /// Tell Discord that the bot leaves (op 4 without a channel).
    Leave {
        /// The guild.
        guild: GuildId,
    },
    /// Ask Discord to let the bot speak in the stage channel it is in.
    AskToSpeak {
        /// The guild.
        guild: GuildId,
        /// The stage channel.
        channel: ChannelId,
    },
    /// Discord has taken the bot out by itself: forget what was collected.
    Forget {
        /// The guild.
        guild: GuildId,
    },
    /// Look at a channel before it is joined; the answer is
    /// [`Presence::handle_room`](super::Presence::handle_room).
    CheckRoom {
        /// The guild.
        guild: GuildId,
        /// The channel.
        channel: ChannelId,
        /// The bot's own user.
        bot: UserId,
    },
    /// Look up where a user is, with
    /// [`Presence::handle_lookup`](super::Presence::handle_lookup) for the answer. One at a time.
    LookUp {
        /// The guild.
        guild: GuildId,
        /// A followed user, or the bot.
        user: UserId,
    },
    /// The final answer to a join.
    Answer {
        /// Which.
        ticket: Ticket,
        /// How it ended.
        result: Result<JoinOutcome, JoinFailure>,
    },
    /// A timeline record.
    Record(Record),
}
