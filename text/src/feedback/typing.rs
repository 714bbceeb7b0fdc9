//! "… is typing": when it begins, how it is kept up, and that it ends.
//!
//! Source: OpenClaw, "Typing indicators". Discord shows it for ten seconds, or until the bot sends
//! something (Discord, "Trigger Typing Indicator"), so it is repeated. It is a lease: a run that
//! nothing is heard of any more does not type for ever.

use std::time::Duration;

use clawvoice_config::TypingMode;
use clawvoice_session::SessionTime;

use super::Addressed;

/// Without a sign of life for so long it stops; the next one takes it up again.
const IDLE: Duration = Duration::from_secs(2 * 60);

/// It never lasts longer, counted from the first time.
const LONGEST: Duration = Duration::from_secs(20 * 60);

/// What has to happen before it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Awaits {
    /// It has begun.
    Nothing,
    Thinking,
    Text,
    /// It never begins, or is over.
    Never,
}

/// Typing for one turn.
#[derive(Debug)]
pub struct TypingLease {
    awaits: Awaits,
    every: Duration,
    began: SessionTime,
    last_sign: SessionTime,
    next: SessionTime,
}

impl TypingLease {
    /// A message was accepted; nothing of the session need be locked yet. `mode`: the agent's
    /// `typingMode`; `every`: `typingIntervalSeconds`. Unset, it begins at once in direct messages
    /// and after a mention, else at the first text.
    #[must_use]
    pub fn new(
        mode: Option<TypingMode>,
        addressed: Addressed,
        every: Duration,
        now: SessionTime,
    ) -> Self {
        let awaits = match (mode, addressed) {
            (Some(TypingMode::Never), _) => Awaits::Never,
            (Some(TypingMode::Instant), _) | (None, Addressed::Direct | Addressed::Mentioned) => {
                Awaits::Nothing
            }
            (Some(TypingMode::Thinking), _) => Awaits::Thinking,
            (Some(TypingMode::Message), _) | (None, Addressed::Unmentioned) => Awaits::Text,
        };
        Self { awaits, every, began: now, last_sign: now, next: now }
    }

    /// The model thinks.
    pub fn handle_thinking(&mut self, now: SessionTime) {
        self.happens(now, self.awaits == Awaits::Thinking);
    }

    /// A piece of the answer that is certain to be shown: not the beginning of a silent one.
    pub fn handle_text(&mut self, now: SessionTime) {
        self.happens(now, matches!(self.awaits, Awaits::Thinking | Awaits::Text));
    }

    /// The run is alive: a tool began or ended.
    pub fn handle_activity(&mut self, now: SessionTime) {
        self.happens(now, false);
    }

    /// The final was sent, or the run failed or was stopped.
    pub fn handle_over(&mut self) {
        self.awaits = Awaits::Never;
    }

    /// Whether Discord is to be told now. A request that fails is not repeated: the next one comes.
    pub fn poll_output(&mut self, now: SessionTime) -> bool {
        let due = self.poll_timeout().is_some_and(|at| at <= now) && now < self.ends();
        if due {
            self.next = now + self.every;
        }
        due
    }

    /// When Discord is to be told next.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<SessionTime> {
        (self.awaits == Awaits::Nothing && self.next < self.ends()).then_some(self.next)
    }

    fn ends(&self) -> SessionTime {
        (self.last_sign + IDLE).min(self.began + LONGEST)
    }

    fn happens(&mut self, now: SessionTime, begins: bool) {
        if self.awaits == Awaits::Never {
            return;
        }
        if begins {
            (self.awaits, self.began, self.next) = (Awaits::Nothing, now, now);
        }
        self.last_sign = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVERY: Duration = Duration::from_secs(6);

    fn at(seconds: u64) -> SessionTime {
        SessionTime::from_millis(seconds * 1000)
    }

    fn lease(mode: Option<TypingMode>, addressed: Addressed) -> TypingLease {
        TypingLease::new(mode, addressed, EVERY, at(0))
    }

    /// The seconds of `from..to` at which Discord is told.
    fn told(lease: &mut TypingLease, from: u64, to: u64) -> Vec<u64> {
        (from..to).filter(|second| lease.poll_output(at(*second))).collect()
    }

    #[test]
    fn when_it_begins() {
        use Addressed::{Direct, Mentioned, Unmentioned};
        use TypingMode::{Instant, Message, Never, Thinking};
        // Accepted at 0, thinks at 1, writes at 2.
        for (mode, addressed, expected) in [
            (None, Direct, Some(0)),
            (None, Mentioned, Some(0)),
            (None, Unmentioned, Some(2)),
            (Some(Instant), Unmentioned, Some(0)),
            (Some(Thinking), Direct, Some(1)),
            (Some(Message), Direct, Some(2)),
            (Some(Never), Direct, None),
        ] {
            let mut lease = lease(mode, addressed);
            let mut first = told(&mut lease, 0, 1);
            lease.handle_thinking(at(1));
            first.extend(told(&mut lease, 1, 2));
            lease.handle_text(at(2));
            first.extend(told(&mut lease, 2, 3));
            assert_eq!(first.first().copied(), expected, "{mode:?} {addressed:?}");
        }
    }

    #[test]
    fn a_model_that_shows_no_thoughts_begins_with_its_text() {
        let mut lease = lease(Some(TypingMode::Thinking), Addressed::Direct);
        lease.handle_text(at(3));
        assert_eq!(told(&mut lease, 0, 10), [3, 9]);
    }

    #[test]
    fn it_is_repeated_and_ends_with_the_final() {
        let mut lease = lease(None, Addressed::Direct);
        assert_eq!(told(&mut lease, 0, 20), [0, 6, 12, 18]);
        assert_eq!(lease.poll_timeout(), Some(at(24)));
        lease.handle_over();
        assert_eq!(lease.poll_timeout(), None);
        lease.handle_text(at(30));
        assert_eq!(told(&mut lease, 20, 60), [0; 0]);
    }

    #[test]
    fn two_minutes_without_a_sign_of_life_end_it_until_the_next() {
        let mut lease = lease(None, Addressed::Direct);
        assert_eq!(told(&mut lease, 0, 300).last(), Some(&114));
        assert_eq!(lease.poll_timeout(), None);
        lease.handle_activity(at(300));
        assert_eq!(told(&mut lease, 300, 303), [300]);
        lease.handle_text(at(301));
        assert_eq!(told(&mut lease, 303, 310), [306], "no sooner because something happens");
    }

    #[test]
    fn twenty_minutes_end_it_for_good() {
        let mut lease = lease(None, Addressed::Direct);
        let mut last = 0;
        for second in 0..3000 {
            lease.handle_activity(at(second));
            if lease.poll_output(at(second)) {
                last = second;
            }
        }
        assert_eq!(last, 1194);
        assert_eq!(lease.poll_timeout(), None);
    }

    #[test]
    fn text_that_comes_late_has_its_own_twenty_minutes() {
        let mut lease = lease(Some(TypingMode::Message), Addressed::Direct);
        lease.handle_activity(at(1300));
        assert_eq!(told(&mut lease, 1300, 1310), [0; 0]);
        lease.handle_text(at(1310));
        assert_eq!(told(&mut lease, 1310, 1320), [1310, 1316]);
    }
}
