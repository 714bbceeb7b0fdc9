//! The one clock: [`SessionTime`] to the machine's monotonic time and back.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "this is where time comes in; everything else is given a SessionTime"
)]

#[cfg(target_os = "linux")]
use std::sync::atomic::{AtomicU64, Ordering};

use clawvoice_session::SessionTime;
use tokio::time::Instant;

/// The clock of one session; it begins at [`SessionTime::ZERO`] when it is made.
///
/// Monotonic, and the time that the machine slept counts: whoever wakes must find their deadlines
/// past, or dead connections would be waited for as if nothing had been. Otherwise it is tokio's
/// clock, so a paused tokio test drives it too.
#[derive(Clone, Copy, Debug)]
pub struct SessionClock {
    began: Instant,
    /// How long the machine had slept when it began, µs.
    slept_before: u64,
}

impl SessionClock {
    /// A clock that begins now.
    #[must_use]
    pub fn start() -> Self {
        Self { began: Instant::now(), slept_before: slept() }
    }

    /// The time now.
    #[must_use]
    pub fn now(&self) -> SessionTime {
        let awake = u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX);
        let asleep = slept().saturating_sub(self.slept_before);
        SessionTime::from_micros(awake.saturating_add(asleep))
    }

    /// Waits until `at`; for `None`, for ever. Cancel-safe.
    pub async fn sleep_until(&self, at: Option<SessionTime>) {
        match at {
            // tokio's timer counts milliseconds and rounds up: never early.
            Some(at) => tokio::time::sleep(at.since(self.now())).await,
            None => std::future::pending().await,
        }
    }
}

/// How long the machine has slept since it booted, in µs; never less than before.
///
/// Linux stops its monotonic clock while it sleeps and has another that goes on
/// (clock_gettime(2), `CLOCK_BOOTTIME`). The one that is ahead is read first: whatever comes between
/// the two readings makes the difference smaller, and the largest one seen counts.
#[cfg(target_os = "linux")]
fn slept() -> u64 {
    use rustix::time::{ClockId, Timespec, clock_gettime};
    static LARGEST: AtomicU64 = AtomicU64::new(0);
    let micros = |time: Timespec| {
        let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
        seconds.saturating_mul(1_000_000) + u64::try_from(time.tv_nsec).unwrap_or_default() / 1_000
    };
    let with_sleep = micros(clock_gettime(ClockId::Boottime));
    let slept = with_sleep.saturating_sub(micros(clock_gettime(ClockId::Monotonic)));
    LARGEST.fetch_max(slept, Ordering::Relaxed).max(slept)
}

/// Elsewhere it is not known; the heartbeats find out.
#[cfg(not(target_os = "linux"))]
fn slept() -> u64 {
    0
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn time_never_runs_backwards() {
        let clock = SessionClock::start();
        let mut last = SessionTime::ZERO;
        for _ in 0..10_000 {
            let now = clock.now();
            assert!(now >= last, "{now:?} after {last:?}");
            last = now;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn sleeps_to_the_time_asked_for() {
        let clock = SessionClock::start();
        assert!(clock.now() <= SessionTime::from_micros(1), "rounding of two clocks");
        clock.sleep_until(Some(SessionTime::from_millis(20))).await;
        assert!(clock.now() >= SessionTime::from_millis(20));
        assert!(clock.now() < SessionTime::from_millis(22));
        let before = clock.now();
        clock.sleep_until(Some(SessionTime::ZERO)).await;
        let waited = clock.now().since(before);
        assert!(waited <= Duration::from_micros(1), "the past is not waited for: {waited:?}");
    }
}
