//! Outcomes of controls, each heard once: the same sentence within five seconds is a repetition,
//! whoever says it.

use std::time::Duration;

use clawvoice_session::SessionTime;

use super::question::same_words;

/// Within this time the same sentence is a repetition.
const REPEATED_WITHIN: Duration = Duration::from_secs(5);

/// What was said last about a control.
#[derive(Debug, Default)]
pub(crate) struct Outcomes {
    last: Option<(SessionTime, String)>,
}

impl Outcomes {
    /// Whether an outcome is to be said, and not one that the room has just been told.
    pub(crate) fn admit(&mut self, now: SessionTime, words: &str) -> bool {
        if self.is_repeated(now, words) {
            return false;
        }
        self.last = Some((now, words.to_owned()));
        true
    }

    /// Whether `words` are those of the outcome that was admitted last, a moment ago.
    pub(crate) fn is_repeated(&self, now: SessionTime, words: &str) -> bool {
        self.last
            .as_ref()
            .is_some_and(|(at, last)| now.since(*at) <= REPEATED_WITHIN && same_words(last, words))
    }

    /// Words were cut before they were heard: if they told an outcome, it may be told again.
    pub(crate) fn forget(&mut self, words: &str) {
        self.last.take_if(|(_, last)| last == words);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> SessionTime = SessionTime::from_millis;

    #[test]
    fn the_same_sentence_within_five_seconds_is_a_repetition() {
        let mut outcomes = Outcomes::default();
        assert!(!outcomes.is_repeated(MS(0), "Cancelled."));
        assert!(outcomes.admit(MS(0), "Cancelled."));
        assert!(!outcomes.admit(MS(5_000), "Cancelled."));
        assert!(outcomes.is_repeated(MS(5_000), "cancelled"), "punctuation is not heard");
        assert!(outcomes.admit(MS(5_001), "Cancelled."));
        assert!(outcomes.admit(MS(5_002), "Steered."), "another one is news");
        assert!(outcomes.admit(MS(5_003), "Cancelled."), "and so is the first after it");
    }

    #[test]
    fn what_was_not_heard_may_be_said_again() {
        let mut outcomes = Outcomes::default();
        outcomes.admit(MS(0), "Cancelled.");
        outcomes.forget("Steered.");
        assert!(!outcomes.admit(MS(100), "Cancelled."));
        outcomes.forget("Cancelled.");
        assert!(outcomes.admit(MS(200), "Cancelled."));
    }
}
