//! A speaker's audio that a provider has taken and not yet shown to have understood.
//!
//! If the connection breaks now, nothing of these words is in any history, so they are said again
//! on the next one.

use std::{collections::VecDeque, time::Duration};

use clawvoice_session::SessionTime;

/// Audio kept, in samples: the last 15 s.
const MAX_SAMPLES: usize = 15 * 24_000;
/// Words older than this have had their answer, or were none.
const STALE: Duration = Duration::from_secs(5);

/// The audio of one connection that is in no turn, or in a turn without a transcript or an answer.
#[derive(Debug, Default)]
pub(super) struct Unanswered {
    committed: VecDeque<i16>,
    open: VecDeque<i16>,
    spoken_at: SessionTime,
    /// Whether turns are told when they are committed.
    tells_turns: bool,
}

impl Unanswered {
    /// Audio was sent. Silence is kept only behind words.
    pub(super) fn push(&mut self, now: SessionTime, pcm: &[i16], is_speech: bool) {
        if is_speech {
            self.forget_stale(now);
            self.spoken_at = now;
        } else if self.open.is_empty() {
            return;
        }
        self.open.extend(pcm);
        let excess = self.open.len().saturating_sub(MAX_SAMPLES);
        self.open.drain(..excess);
    }

    /// The words so far are a turn.
    pub(super) fn commit(&mut self) {
        self.tells_turns = true;
        // An earlier turn whose transcript never came is not waited for any longer.
        self.committed = std::mem::take(&mut self.open);
    }

    /// The last turn was understood or is being answered; at a provider that does not tell turns
    /// that is all words so far.
    pub(super) fn answered(&mut self) {
        self.committed = VecDeque::new();
        if !self.tells_turns {
            self.open = VecDeque::new();
        }
    }

    /// Takes out what is to be said again.
    pub(super) fn take(&mut self, now: SessionTime) -> Vec<i16> {
        self.forget_stale(now);
        let mut again = Vec::from(std::mem::take(&mut self.committed));
        again.extend(std::mem::take(&mut self.open));
        let excess = again.len().saturating_sub(MAX_SAMPLES);
        again.drain(..excess);
        again
    }

    /// Whether words wait for their turn or their answer.
    pub(super) fn is_empty(&self) -> bool {
        self.committed.is_empty() && self.open.is_empty()
    }

    /// When the words there are become stale.
    pub(super) fn stale_at(&self) -> SessionTime {
        self.spoken_at + STALE
    }

    fn forget_stale(&mut self, now: SessionTime) {
        if self.stale_at() <= now {
            self.committed = VecDeque::new();
            self.open = VecDeque::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> SessionTime {
        SessionTime::ZERO + Duration::from_millis(ms)
    }

    #[test]
    fn words_are_kept_until_they_are_answered() {
        let mut unanswered = Unanswered::default();
        unanswered.push(at(0), &[0], false);
        assert!(unanswered.is_empty(), "silence alone is nothing");
        unanswered.push(at(10), &[1], true);
        unanswered.push(at(20), &[2], false);
        unanswered.commit();
        unanswered.push(at(30), &[3], true);
        assert_eq!(unanswered.take(at(40)), [1, 2, 3]);
        assert!(unanswered.take(at(40)).is_empty(), "once");

        unanswered.push(at(50), &[1], true);
        unanswered.commit();
        unanswered.answered();
        unanswered.push(at(60), &[3], true);
        assert_eq!(unanswered.take(at(70)), [3]);
    }

    #[test]
    fn noise_that_became_no_turn_is_not_said_again_later() {
        let mut unanswered = Unanswered::default();
        unanswered.push(at(0), &[1], true);
        unanswered.push(at(5_000), &[2], true);
        assert_eq!(unanswered.take(at(9_999)), [2]);
        unanswered.push(at(10_000), &[3], true);
        assert!(unanswered.take(at(15_000)).is_empty());
    }

    #[test]
    fn the_last_fifteen_seconds_are_kept() {
        let mut unanswered = Unanswered::default();
        for second in 0..20 {
            unanswered.push(at(second * 1_000), &[second as i16; 24_000], true);
            if second == 9 {
                unanswered.commit();
            }
        }
        let again = unanswered.take(at(20_000));
        assert_eq!((again.len(), again[0], again[359_999]), (360_000, 5, 19));
    }
}
