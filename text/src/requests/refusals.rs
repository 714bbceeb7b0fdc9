//! Answers that count towards Discord's ban.
//!
//! 10,000 answers of 401, 403 and 429 (but of scope `shared`) within ten minutes ban the address.
//! Source: Discord, "Rate Limits", Invalid Request Limit.

use std::{collections::VecDeque, time::Duration};

use clawvoice_session::SessionTime;

/// Discord's window.
const WINDOW: Duration = Duration::from_secs(600);

/// Counted together in steps of so long.
const STEP: Duration = Duration::from_secs(10);

/// From here on one request per second goes out: 600 in a window, far from the ban.
const SLOW_AT: u32 = 5_000;

/// From here on nothing does until the oldest leave the window.
const STOP_AT: u32 = 9_000;

/// Between requests when it has become slow.
const SLOW_PAUSE: Duration = Duration::from_secs(1);

/// Refusals within ten minutes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RefusalCounts {
    /// 401.
    pub unauthorized: u32,
    /// 403.
    pub forbidden: u32,
    /// 429.
    pub rate_limited: u32,
}

impl RefusalCounts {
    fn total(self) -> u32 {
        self.unauthorized + self.forbidden + self.rate_limited
    }
}

/// Counts them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Refusals {
    steps: VecDeque<(SessionTime, RefusalCounts)>,
}

impl Refusals {
    /// An answer came.
    pub(crate) fn count(&mut self, now: SessionTime, status: u16) {
        self.forget(now);
        let young = self.steps.back().is_some_and(|(began, _)| now.since(*began) < STEP);
        if !young {
            self.steps.push_back((now, RefusalCounts::default()));
        }
        if let Some((_, counts)) = self.steps.back_mut() {
            match status {
                401 => counts.unauthorized += 1,
                403 => counts.forbidden += 1,
                429 => counts.rate_limited += 1,
                _ => {}
            }
        }
    }

    /// How many there were in the last ten minutes.
    pub(crate) fn counts(&self, now: SessionTime) -> RefusalCounts {
        let recent = self.steps.iter().filter(|(began, _)| now.since(*began) < WINDOW);
        recent.fold(RefusalCounts::default(), |sum, (_, counts)| RefusalCounts {
            unauthorized: sum.unauthorized + counts.unauthorized,
            forbidden: sum.forbidden + counts.forbidden,
            rate_limited: sum.rate_limited + counts.rate_limited,
        })
    }

    /// How long the next request is to stay away from the last one.
    pub(crate) fn pause(&self, now: SessionTime) -> Duration {
        match self.counts(now).total() {
            0..SLOW_AT => Duration::ZERO,
            SLOW_AT..STOP_AT => SLOW_PAUSE,
            STOP_AT.. => {
                let oldest = self.steps.iter().find(|(began, _)| now.since(*began) < WINDOW);
                oldest.map_or(SLOW_PAUSE, |(began, _)| WINDOW.saturating_sub(now.since(*began)))
            }
        }
    }

    fn forget(&mut self, now: SessionTime) {
        while self.steps.front().is_some_and(|(began, _)| now.since(*began) >= WINDOW) {
            self.steps.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: u64) -> SessionTime {
        SessionTime::from_millis(secs * 1000)
    }

    #[test]
    fn ten_minutes_are_counted_by_kind() {
        let mut refusals = Refusals::default();
        for (secs, status) in [(0, 401), (5, 403), (300, 429), (599, 403), (599, 404)] {
            refusals.count(at(secs), status);
        }
        let counts = RefusalCounts { unauthorized: 1, forbidden: 2, rate_limited: 1 };
        assert_eq!(refusals.counts(at(599)), counts);
        let counts = RefusalCounts { unauthorized: 0, forbidden: 1, rate_limited: 1 };
        assert_eq!(refusals.counts(at(605)), counts);
    }

    #[test]
    fn it_becomes_slow_and_stops_before_discord_would_ban() {
        let mut refusals = Refusals::default();
        for count in 1..=9_000u32 {
            let pause = refusals.pause(at(1));
            let expected = if count > 5_000 { Duration::from_secs(1) } else { Duration::ZERO };
            assert_eq!(pause, expected, "{count}");
            refusals.count(at(1), 403);
        }
        assert_eq!(refusals.pause(at(101)), Duration::from_secs(500));
        assert_eq!(refusals.pause(at(601)), Duration::ZERO);
    }
}
