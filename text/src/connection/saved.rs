//! What lets the next process resume the sessions of this one.

use std::time::Duration;

use clawvoice_session::UserId;
use serde::{Deserialize, Serialize};

use super::{link::Resumable, recall::Recall};

/// The form's number; another one is not read.
const VERSION: u32 = 1;

/// The largest that is read, in bytes.
pub(crate) const MAX_SAVED: u64 = 64 * 1024 * 1024;

/// Written down while a connection lives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Saved {
    version: u32,
    /// When, in milliseconds since 1970.
    saved_at_ms: u64,
    /// What the sessions were identified with.
    intents: u64,
    /// The bot's own user.
    pub(crate) user: UserId,
    /// One per shard, at the number of the last event that was dealt with.
    pub(crate) sessions: Vec<Option<Resumable>>,
    /// What the sessions told at their beginning.
    pub(crate) recall: Recall,
}

impl Saved {
    /// As of now, in milliseconds since 1970.
    pub(crate) fn new(
        now_ms: u64,
        intents: u64,
        user: UserId,
        sessions: Vec<Option<Resumable>>,
        recall: Recall,
    ) -> Self {
        Self { version: VERSION, saved_at_ms: now_ms, intents, user, sessions, recall }
    }

    /// Reads what was written; `None` if it is of another form, too old, from the future, or of
    /// sessions with other intents.
    pub(crate) fn read(bytes: &[u8], now_ms: u64, ttl: Duration, intents: u64) -> Option<Self> {
        let saved: Self = serde_json::from_slice(bytes).ok()?;
        let age = now_ms.checked_sub(saved.saved_at_ms)?;
        let fresh = Duration::from_millis(age) < ttl;
        let any = saved.sessions.iter().any(Option::is_some);
        (saved.version == VERSION && fresh && saved.intents == intents && any).then_some(saved)
    }

    /// The bytes to write.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TTL: Duration = Duration::from_secs(300);

    fn saved(sessions: Vec<Option<Resumable>>) -> Saved {
        Saved::new(1_000_000, 129, UserId::new(5), sessions, Recall::default())
    }

    fn session() -> Option<Resumable> {
        Some(Resumable { session_id: "abc".to_owned(), sequence: 7, url: None })
    }

    #[test]
    fn five_minutes_long_and_only_with_the_same_intents() {
        let written = saved(vec![session(), None]);
        let bytes = written.bytes();
        assert_eq!(Saved::read(&bytes, 1_299_999, TTL, 129), Some(written));
        assert_eq!(Saved::read(&bytes, 1_300_000, TTL, 129), None);
        assert_eq!(Saved::read(&bytes, 999_999, TTL, 129), None);
        assert_eq!(Saved::read(&bytes, 1_000_001, TTL, 1), None);
    }

    #[test]
    fn what_is_cut_off_or_holds_no_session_is_not_used() {
        let bytes = saved(vec![session()]).bytes();
        for end in 0..bytes.len() {
            assert_eq!(Saved::read(&bytes[..end], 1_000_001, TTL, 129), None);
        }
        assert_eq!(Saved::read(&saved(vec![None]).bytes(), 1_000_001, TTL, 129), None);
    }

    proptest! {
        #[test]
        fn never_panics(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = Saved::read(&bytes, 0, TTL, 0);
        }
    }
}
