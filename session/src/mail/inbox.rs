//! Messages that came in.

use std::borrow::Cow;

use jiff::Timestamp;

use crate::{ChannelId, MessageId, SessionKey, UserId};

/// A message that came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// The account it came to.
    pub account: String,
    /// Where it was written.
    pub channel: ChannelId,
    /// The message.
    pub message: MessageId,
    /// Who wrote it.
    pub author: UserId,
    /// The gateway's JSON.
    pub body: String,
    /// When it came.
    pub received: Timestamp,
}

/// A message that came in and is not dealt with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// The message.
    pub arrival: Arrival,
    /// The session and the turn it was brought to, if it got that far.
    pub turn: Option<(SessionKey, String)>,
}

/// What became of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// An answer to it is on its way, or the agent chose to say nothing.
    Answered,
    /// It was dropped, for that reason.
    Dropped(String),
    /// It could not be answered.
    Failed,
    /// It was answered together with a later one.
    Merged,
    /// It was a command, and carried out.
    Command,
}

/// Before the reason of a drop.
const DROPPED: &str = "dropped:";

impl Outcome {
    /// Its word in the store.
    #[must_use]
    pub fn word(&self) -> Cow<'static, str> {
        match self {
            Self::Answered => "answered".into(),
            Self::Dropped(reason) => format!("{DROPPED}{reason}").into(),
            Self::Failed => "failed".into(),
            Self::Merged => "merged".into(),
            Self::Command => "command".into(),
        }
    }

    /// From its word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        if let Some(reason) = word.strip_prefix(DROPPED) {
            return Some(Self::Dropped(reason.to_owned()));
        }
        [Self::Answered, Self::Failed, Self::Merged, Self::Command]
            .into_iter()
            .find(|outcome| outcome.word() == word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_have_words() {
        for (outcome, word) in [
            (Outcome::Answered, "answered"),
            (Outcome::Dropped("no-mention".into()), "dropped:no-mention"),
            (Outcome::Failed, "failed"),
            (Outcome::Merged, "merged"),
            (Outcome::Command, "command"),
        ] {
            assert_eq!(outcome.word(), word);
            assert_eq!(Outcome::from_word(word), Some(outcome));
        }
        assert_eq!(Outcome::from_word("eaten"), None);
    }
}
