//! What follows when frames stay lost to encryption: first the group is repaired in place, which
//! costs the room nothing, and only then the channel is left and joined anew.
//!
//! A *failure* is what a listener would call one: the first lost frame of a run, and then one a
//! second ([`super::CallEvent::DecryptFailure`]). The thresholds are those of the reference
//! documentation: three failures, each within 30 s of the one before, and nothing heard between.
//!
//! Frames that come *unencrypted* although DAVE is in force fail in a class of their own. They are
//! never let through outside of the windows that DAVE itself gives, and they say nothing about our
//! group as long as it opens other members' frames. For 30 s after a join and 15 s after somebody
//! is announced, or after one such failure, they are not even counted: the times for which the
//! reference lets them through.

use std::time::Duration;

use clawvoice_session::SessionTime;

/// A failure this long after the one before begins a new count.
const WINDOW: Duration = Duration::from_secs(30);
/// Failures of one count that call for more.
const FAILURES: u32 = 3;
/// A repair in place has this long to show.
const REPAIR_TIME: Duration = Duration::from_secs(3);
/// After a join, unencrypted frames are no failure for this long.
const GRACE_AFTER_JOIN: Duration = Duration::from_secs(30);
/// After an announcement of a speaker or a failure of this class.
const GRACE: Duration = Duration::from_secs(15);

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Remedy {
    /// Op 31 and a new key package; media keys in use stay.
    Reinitialise,
    /// Leave the channel and join it again.
    Rejoin,
    /// Leave the channel: a fresh group was poisoned as well.
    GiveUp,
}

/// What is known of the group when a frame fails.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct GroupState {
    /// The last transition's id.
    pub(crate) last_transition: u16,
    /// Receive keys are in place and no transition is under way.
    pub(crate) settled: bool,
    /// It has opened a frame since the last transition.
    pub(crate) proven: bool,
    /// When it was last repaired in place.
    pub(crate) repaired: Option<SessionTime>,
}

/// See the module's documentation.
#[derive(Debug, Default)]
pub(crate) struct Recovery {
    failures: u32,
    first: SessionTime,
    last: Option<SessionTime>,
    /// Until when unencrypted frames are not counted.
    grace: SessionTime,
    /// When a transition 0 was found poisoned.
    poisoned: Option<SessionTime>,
    due: Option<Remedy>,
}

impl Recovery {
    /// Media flows: the call has just been joined.
    pub(crate) fn joined(&mut self, now: SessionTime) {
        self.grace = self.grace.max(now + GRACE_AFTER_JOIN);
    }

    /// A speaker was announced.
    pub(crate) fn announced(&mut self, now: SessionTime) {
        self.grace = self.grace.max(now + GRACE);
    }

    /// A key opened a frame: whatever failed is over.
    pub(crate) fn heard(&mut self) {
        self.failures = 0;
        self.last = None;
    }

    /// A member's encrypted frames are lost.
    pub(crate) fn undecryptable(&mut self, now: SessionTime, group: GroupState) {
        self.count(now, group);
    }

    /// A member's frames are unencrypted and were refused.
    pub(crate) fn unencrypted(&mut self, now: SessionTime, group: GroupState) {
        if now < self.grace || group.proven {
            return;
        }
        self.grace = now + GRACE;
        if group.settled && group.last_transition == 0 {
            let again = self.poisoned.is_some_and(|at| now.since(at) <= WINDOW);
            self.poisoned = Some(now);
            self.due = Some(if again { Remedy::GiveUp } else { Remedy::Reinitialise });
            return;
        }
        self.count(now, group);
    }

    fn count(&mut self, now: SessionTime, group: GroupState) {
        if self.last.is_none_or(|last| now.since(last) > WINDOW) {
            self.failures = 0;
            self.first = now;
        }
        self.last = Some(now);
        self.failures += 1;
        if self.failures < FAILURES || !group.settled {
            return;
        }
        // Frames begin to fail some seconds before that is known, and a repair may be as old.
        let repaired = group.repaired.filter(|at| *at + REPAIR_TIME >= self.first);
        self.due = match repaired {
            None => Some(Remedy::Reinitialise),
            Some(at) if now.since(at) >= REPAIR_TIME => Some(Remedy::Rejoin),
            Some(_) => None,
        };
    }

    /// What is to be done, once.
    pub(crate) fn take_remedy(&mut self) -> Option<Remedy> {
        self.due.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTLED: GroupState =
        GroupState { last_transition: 5, settled: true, proven: false, repaired: None };

    fn secs(seconds: u64) -> SessionTime {
        SessionTime::from_millis(1_000 * seconds)
    }

    fn repaired(at: u64) -> GroupState {
        GroupState { repaired: Some(secs(at)), ..SETTLED }
    }

    fn fail(recovery: &mut Recovery, at: u64, group: GroupState) -> Option<Remedy> {
        recovery.undecryptable(secs(at), group);
        recovery.take_remedy()
    }

    #[test]
    fn voice_scenario_15_three_failures_within_30_s_each_rejoin_once() {
        let mut recovery = Recovery::default();
        assert_eq!(fail(&mut recovery, 100, repaired(99)), None);
        assert_eq!(fail(&mut recovery, 130, repaired(99)), None);
        assert_eq!(fail(&mut recovery, 160, repaired(99)), Some(Remedy::Rejoin));
        assert_eq!(recovery.take_remedy(), None, "one rejoin");

        let mut recovery = Recovery::default();
        fail(&mut recovery, 100, repaired(99));
        fail(&mut recovery, 101, repaired(99));
        recovery.heard();
        assert_eq!(fail(&mut recovery, 102, repaired(99)), None, "audio after two resets");

        let mut recovery = Recovery::default();
        for at in 0..20 {
            assert_eq!(fail(&mut recovery, 31 * at, repaired(0)), None, "31 s gaps never rejoin");
        }
    }

    #[test]
    fn the_group_is_repaired_in_place_before_the_channel_is_left() {
        let mut recovery = Recovery::default();
        fail(&mut recovery, 100, SETTLED);
        fail(&mut recovery, 101, SETTLED);
        assert_eq!(fail(&mut recovery, 102, SETTLED), Some(Remedy::Reinitialise));
        assert_eq!(fail(&mut recovery, 103, repaired(102)), None, "it has time to show");
        assert_eq!(fail(&mut recovery, 104, repaired(102)), None);
        assert_eq!(fail(&mut recovery, 105, repaired(102)), Some(Remedy::Rejoin));
        // A repair of long ago is not one of this fault.
        let mut recovery = Recovery::default();
        for at in 100..102 {
            fail(&mut recovery, at, repaired(50));
        }
        assert_eq!(fail(&mut recovery, 102, repaired(50)), Some(Remedy::Reinitialise));
    }

    #[test]
    fn nothing_is_done_while_a_transition_is_under_way() {
        let mut recovery = Recovery::default();
        let moving = GroupState { settled: false, ..repaired(99) };
        for at in 100..110 {
            assert_eq!(fail(&mut recovery, at, moving), None);
        }
    }

    #[test]
    fn voice_scenario_16_unencrypted_frames_are_borne_for_30_15_and_15_s() {
        let mut recovery = Recovery::default();
        let counts = |recovery: &mut Recovery, at: u64| {
            let at = SessionTime::from_millis(at);
            recovery.unencrypted(at, SETTLED);
            recovery.last == Some(at)
        };
        recovery.joined(secs(0));
        assert!(!counts(&mut recovery, 29_999));
        assert!(counts(&mut recovery, 30_000), "30 s after the join");
        assert!(!counts(&mut recovery, 44_999));
        assert!(counts(&mut recovery, 45_000), "15 s after a failure");
        recovery.announced(secs(100));
        assert!(!counts(&mut recovery, 114_999));
        assert!(counts(&mut recovery, 115_000), "15 s after a speaker was announced");
    }

    #[test]
    fn voice_scenario_17_a_poisoned_transition_0_is_repaired_once_and_left_the_second_time() {
        let zero = GroupState { last_transition: 0, ..SETTLED };
        let refuse = |recovery: &mut Recovery, at: u64, group| {
            recovery.unencrypted(secs(at), group);
            recovery.take_remedy()
        };
        let mut recovery = Recovery::default();
        assert_eq!(refuse(&mut recovery, 100, zero), Some(Remedy::Reinitialise));
        assert_eq!(refuse(&mut recovery, 115, SETTLED), None, "other ids are left alone");
        assert_eq!(refuse(&mut recovery, 130, zero), Some(Remedy::GiveUp), "again within 30 s");
        let mut recovery = Recovery::default();
        refuse(&mut recovery, 100, zero);
        assert_eq!(
            refuse(&mut recovery, 131, zero),
            Some(Remedy::Reinitialise),
            "later: once more"
        );
        let mut recovery = Recovery::default();
        let proven = GroupState { proven: true, ..zero };
        assert_eq!(refuse(&mut recovery, 100, proven), None, "others are heard: it is the sender");
    }
}
