//! What happened, in its order.

use jiff::Timestamp;
use serde_json::Value;

use crate::UserId;

/// What kind of thing happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EventKind {
    /// A message came in.
    Received,
    /// A message was dropped.
    Dropped,
    /// A turn of the agent began.
    TurnStarted,
    /// A turn of the agent ended.
    TurnEnded,
    /// A message was sent.
    Sent,
    /// A message could not be answered, or an answer could not be sent.
    Failed,
    /// The configuration changed.
    ConfigChanged,
    /// Somebody asked to be let in, or was let in.
    Pairing,
    /// A thread was bound to a session, or no longer is.
    Binding,
    /// A credential was used: for the first time, with another outcome, or so often in an hour.
    Credential,
}

impl EventKind {
    const ALL: [Self; 10] = [
        Self::Received,
        Self::Dropped,
        Self::TurnStarted,
        Self::TurnEnded,
        Self::Sent,
        Self::Failed,
        Self::ConfigChanged,
        Self::Pairing,
        Self::Binding,
        Self::Credential,
    ];

    /// Its word in the store.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::Dropped => "dropped",
            Self::TurnStarted => "turn-started",
            Self::TurnEnded => "turn-ended",
            Self::Sent => "sent",
            Self::Failed => "failed",
            Self::ConfigChanged => "config-changed",
            Self::Pairing => "pairing",
            Self::Binding => "binding",
            Self::Credential => "credential",
        }
    }

    /// From its word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }
}

/// One thing that happened. No secrets and nobody's words: ids, reasons and numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The account it happened to.
    pub account: String,
    /// `channel:<id>`, `user:<id>`, a session's key, or empty.
    pub conversation: String,
    /// Whom it is about, so that it can be forgotten with them.
    pub user: Option<UserId>,
    /// Its kind.
    pub kind: EventKind,
    /// What there is to say of it.
    pub detail: Value,
}

/// An event in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logged {
    /// Its place in the log.
    pub number: i64,
    /// When.
    pub at: Timestamp,
    /// What.
    pub event: Event,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_have_words() {
        for kind in EventKind::ALL {
            assert_eq!(EventKind::from_word(kind.word()), Some(kind));
        }
        assert_eq!(EventKind::from_word("guessed"), None);
    }
}
