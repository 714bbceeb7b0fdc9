//! How long a gap is waited for: as long as packets of this sender have been seen to overtake each
//! other, and little longer.
//!
//! A link that loses but never reorders gains nothing from waiting: what is missing will not come.
//! One that reorders shows by how much with every packet that fills a gap or comes too late for it.
//! So the wait follows a decaying maximum of these, between [`SHORTEST`] and [`LONGEST`].

use std::time::Duration;

use clawvoice_session::SessionTime;

/// One packet's time: overtaking by one place is seen on links that are otherwise fine.
const SHORTEST: Duration = Duration::from_millis(20);
/// Longer than the jitter of most links, short enough that an answer is not delayed noticeably.
const LONGEST: Duration = Duration::from_millis(60);
/// Before anything is known.
const FIRST: Duration = Duration::from_millis(40);
/// A packet later than this tells of a stall, not of reordering.
const OUTLIER: Duration = Duration::from_millis(500);
/// Each gap that nothing fills takes this share off the wait.
const FORGET: u32 = 16;

/// The wait of one stream.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GapWait {
    wait: Duration,
    /// The gap given up last: its first sequence number, its packets, when it was noticed.
    given_up: Option<(u16, u16, SessionTime)>,
}

impl Default for GapWait {
    fn default() -> Self {
        Self { wait: FIRST, given_up: None }
    }
}

impl GapWait {
    /// How long packets behind a gap wait, from the arrival of the first of them.
    pub(crate) fn limit(&self) -> Duration {
        self.wait
    }

    /// A packet filled a gap that was noticed at `since`.
    pub(crate) fn filled(&mut self, now: SessionTime, since: SessionTime) {
        self.overtaken_by(now.since(since));
    }

    /// `missing` packets from `first` on were given up; the gap was noticed at `since`.
    pub(crate) fn gave_up(&mut self, first: u16, missing: u16, since: SessionTime) {
        self.given_up = Some((first, missing, since));
        self.wait = (self.wait - self.wait / FORGET).max(SHORTEST);
    }

    /// A packet came whose place was given up.
    pub(crate) fn came_late(&mut self, now: SessionTime, sequence: u16) {
        if let Some((first, missing, since)) = self.given_up
            && sequence.wrapping_sub(first) < missing
            && now.since(since) <= OUTLIER
        {
            self.overtaken_by(now.since(since));
        }
    }

    /// A quarter more than was seen: the next one may be a little later.
    fn overtaken_by(&mut self, late: Duration) {
        let wanted = late + late / 4;
        self.wait = self.wait.max(wanted).clamp(SHORTEST, LONGEST);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(millis: u64) -> SessionTime {
        SessionTime::from_millis(millis)
    }

    #[test]
    fn loss_without_reordering_shortens_the_wait() {
        let mut wait = GapWait::default();
        assert_eq!(wait.limit(), FIRST);
        for gap in 0..20 {
            wait.gave_up(gap, 1, ms(0));
        }
        assert_eq!(wait.limit(), SHORTEST);
    }

    #[test]
    fn what_fills_a_gap_or_comes_too_late_for_it_lengthens_the_wait() {
        let mut wait = GapWait::default();
        wait.filled(ms(140), ms(100));
        assert_eq!(wait.limit(), Duration::from_millis(50));
        wait.gave_up(7, 2, ms(200));
        wait.came_late(ms(290), 9);
        assert!(wait.limit() < Duration::from_millis(50), "9 is of no gap");
        wait.came_late(ms(290), 8);
        assert_eq!(wait.limit(), LONGEST);
        let mut stalled = GapWait::default();
        stalled.gave_up(7, 2, ms(200));
        let before = stalled.limit();
        stalled.came_late(ms(5_000), 8);
        assert_eq!(stalled.limit(), before, "a stall is no reordering");
    }

    #[test]
    fn numbers_wrap() {
        let mut wait = GapWait::default();
        wait.gave_up(65_535, 3, ms(0));
        wait.came_late(ms(45), 0);
        assert!(wait.limit() > Duration::from_millis(55));
    }
}
