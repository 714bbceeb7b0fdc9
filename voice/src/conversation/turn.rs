//! One speaker's turn: from the first packet until nothing came for the silence grace.

use std::time::Duration;

use clawvoice_session::{SessionTime, UserId};

use super::held::HeldAudio;
use crate::timeline::{Heard, TurnSummary};

/// For how long at most an interruption holds other answers back. Who has something to say has
/// said the beginning of it by then, and finds their end by a pause; an open microphone in a noisy
/// room never pauses, and must not silence the agent for everybody.
const HOLD: Duration = Duration::from_secs(3);

/// Whether a turn is let through to the front end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    /// Heard.
    Admitted,
    /// Dropped whole; it ends with its talkspurt, so that the next one is judged anew.
    Dropped,
}

/// Where a turn's audio goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flow {
    /// To the provider.
    Live,
    /// Into [`Turn::held`], until it is known whether the speaker wants the floor.
    Held,
}

/// One speaker's turn.
#[derive(Debug)]
pub(super) struct Turn {
    pub(super) user: UserId,
    pub(super) admission: Admission,
    pub(super) heard: Heard,
    /// Whether this turn has stopped an answer.
    interrupted_playback: bool,
    /// Until when that holds other answers back.
    hold_until: Option<SessionTime>,
    opened_at: SessionTime,
    last_audio: Option<SessionTime>,
    /// When the turn closes; `None` while the speaker sends.
    closes_at: Option<SessionTime>,
    /// The answer this turn's audio was last checked against, and whether it went on.
    checked: Option<(u64, bool)>,
    /// A name at the beginning of this turn was acknowledged.
    pub(super) acknowledged: bool,
    pub(super) flow: Flow,
    pub(super) held: HeldAudio,
}

impl Turn {
    pub(super) fn new(user: UserId, admission: Admission, now: SessionTime) -> Self {
        Self {
            user,
            admission,
            heard: Heard::default(),
            interrupted_playback: false,
            hold_until: None,
            opened_at: now,
            last_audio: None,
            closes_at: None,
            checked: None,
            acknowledged: false,
            flow: Flow::Live,
            held: HeldAudio::default(),
        }
    }

    /// Whether the speaker is sending.
    pub(super) fn is_talking(&self) -> bool {
        self.closes_at.is_none()
    }

    pub(super) fn closes_at(&self) -> Option<SessionTime> {
        self.closes_at
    }

    /// The speaker sends again within the grace: the same turn goes on.
    pub(super) fn resume(&mut self) {
        self.closes_at = None;
    }

    /// The speaker stopped sending. An answer that this turn did not stop may be tried again by its
    /// next talkspurt.
    pub(super) fn pause(&mut self, now: SessionTime, grace: Duration) {
        self.closes_at = Some(now + grace);
        if let Some((_, true)) = self.checked {
            self.checked = None;
        }
    }

    /// This turn stopped an answer: others wait until the speaker is done, or for [`HOLD`].
    pub(super) fn hold(&mut self, now: SessionTime) {
        self.interrupted_playback = true;
        self.hold_until = Some(now + HOLD);
    }

    /// An answer has come for somebody who talks: it waits for their pause, or for [`HOLD`].
    pub(super) fn hold_answers(&mut self, now: SessionTime) {
        if self.is_talking() {
            self.hold_until.get_or_insert(now + HOLD);
        }
    }

    /// Until when answers wait for this turn; `None`: they do not.
    pub(super) fn holds_until(&self) -> Option<SessionTime> {
        self.hold_until.filter(|_| self.is_talking())
    }

    /// Ends a hold that is over.
    pub(super) fn release_hold(&mut self, now: SessionTime) {
        self.hold_until = self.hold_until.filter(|until| *until > now);
    }

    pub(super) fn count(&mut self, now: SessionTime, samples: usize) {
        self.heard.chunks += 1;
        self.heard.samples += samples as u64;
        self.last_audio = Some(now);
    }

    /// Whether the speaker was heard within the last `span`.
    pub(super) fn spoke_within(&self, now: SessionTime, span: Duration) -> bool {
        self.last_audio.is_some_and(|last| now.since(last) <= span)
    }

    /// Whether audio of this turn has yet to be checked against the answer `serial`.
    pub(super) fn must_check(&self, serial: u64) -> bool {
        self.checked.is_none_or(|(checked, _)| checked != serial)
    }

    pub(super) fn set_checked(&mut self, serial: u64, went_on: bool) {
        self.checked = Some((serial, went_on));
    }

    pub(super) fn summary(&self, now: SessionTime, owner: bool) -> TurnSummary {
        TurnSummary {
            owner,
            heard: self.heard,
            elapsed_ms: duration_ms(now.since(self.opened_at)),
            since_last_audio_ms: self.last_audio.map(|last| duration_ms(now.since(last))),
            interrupted_playback: self.interrupted_playback,
        }
    }
}

/// Whole milliseconds, rounded down.
pub(super) fn duration_ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> SessionTime = SessionTime::from_millis;

    #[test]
    fn a_turn_closes_exactly_one_grace_after_its_last_pause() {
        let mut turn = Turn::new(UserId::new(1), Admission::Admitted, MS(100));
        assert!(turn.is_talking());
        turn.pause(MS(1_000), Duration::from_millis(2_500));
        assert_eq!(turn.closes_at(), Some(MS(3_500)));
        turn.resume();
        assert_eq!(turn.closes_at(), None);
        turn.pause(MS(2_000), Duration::from_millis(2_500));
        assert_eq!(turn.closes_at(), Some(MS(4_500)));
    }

    #[test]
    fn a_hold_ends_with_the_talkspurt_and_for_good_after_three_seconds() {
        let mut turn = Turn::new(UserId::new(1), Admission::Admitted, MS(0));
        assert_eq!(turn.holds_until(), None);
        turn.hold(MS(1_000));
        turn.release_hold(MS(3_999));
        assert_eq!(turn.holds_until(), Some(MS(4_000)));
        turn.pause(MS(3_999), Duration::ZERO);
        assert_eq!(turn.holds_until(), None);
        turn.resume();
        assert_eq!(turn.holds_until(), Some(MS(4_000)));
        turn.release_hold(MS(4_000));
        assert_eq!(turn.holds_until(), None);
        assert!(
            turn.summary(MS(4_000), false).interrupted_playback,
            "the turn's summary still tells"
        );
    }

    #[test]
    fn an_answer_is_checked_once_per_talkspurt_until_it_is_stopped() {
        let mut turn = Turn::new(UserId::new(1), Admission::Admitted, MS(0));
        assert!(turn.must_check(7));
        turn.set_checked(7, true);
        assert!(!turn.must_check(7));
        assert!(turn.must_check(8), "another answer is another question");
        turn.pause(MS(20), Duration::ZERO);
        assert!(turn.must_check(7), "it went on: the next talkspurt may try again");
        turn.set_checked(7, false);
        turn.pause(MS(40), Duration::ZERO);
        assert!(!turn.must_check(7));
    }
}
