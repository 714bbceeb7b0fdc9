//! Messages that go out.

use std::{fmt, str::FromStr};

use jiff::Timestamp;

use super::Outcome;
use crate::{ChannelId, IdError, MessageId, SessionKey, UserId};

/// Where a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Target {
    /// Into a channel or thread.
    Channel(ChannelId),
    /// To a user, in private.
    User(UserId),
}

/// Before a user's id.
const USER: &str = "user:";

/// A channel's id, or `user:<id>`.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Channel(channel) => channel.fmt(f),
            Self::User(user) => write!(f, "{USER}{user}"),
        }
    }
}

impl FromStr for Target {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        match text.strip_prefix(USER) {
            Some(user) => user.parse().map(Self::User),
            None => text.parse().map(Self::Channel),
        }
    }
}

/// The end of a turn: what it dealt with, and whose the answer's parts are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finished {
    /// The account that was spoken to, and that answers.
    pub account: String,
    /// The messages that are dealt with. None: nobody asked, or the turn goes on.
    pub messages: Vec<(ChannelId, MessageId)>,
    /// What became of them.
    pub outcome: Outcome,
    /// The session.
    pub session: Option<SessionKey>,
    /// Whom the answer is for.
    pub asker: Option<UserId>,
    /// Names the answer, for good and within the account: a part of it is queued once.
    pub turn: String,
}

/// One message of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewPart {
    /// Where it goes.
    pub to: Target,
    /// Which part of the answer it is. One that was queued before stays as it was.
    pub part: u32,
    /// The JSON for REST.
    pub body: String,
    /// Under which Discord posts it once, however often it is asked for.
    pub nonce: String,
}

/// Names a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartId(pub(crate) i64);

impl fmt::Display for PartId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A part that waits to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its name.
    pub id: PartId,
    /// The account that sends it.
    pub account: String,
    /// The session it belongs to.
    pub session: Option<SessionKey>,
    /// The answer it is a part of.
    pub turn: String,
    /// What is to be sent.
    pub message: NewPart,
    /// How often that was tried.
    pub attempts: u32,
    /// When it was first tried. Discord knows a nonce for some minutes only, so that much later
    /// nothing tells whether it is there already.
    pub first_try: Option<Timestamp>,
    /// When it was queued.
    pub created: Timestamp,
}

/// A part that Discord does not take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The part.
    pub part: Part,
    /// Why.
    pub error: String,
    /// When it was given up.
    pub at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_written_as_channels_or_users() {
        for (target, text) in [
            (Target::Channel(ChannelId::new(42)), "42"),
            (Target::User(UserId::new(u64::MAX)), "user:18446744073709551615"),
        ] {
            assert_eq!(target.to_string(), text);
            assert_eq!(text.parse(), Ok(target));
        }
        for bad in ["", "user:", "user:x", "channel:1", "users:1"] {
            assert!(bad.parse::<Target>().is_err(), "{bad:?} was taken");
        }
    }
}
