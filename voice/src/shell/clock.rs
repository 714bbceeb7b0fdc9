//! The one clock: [`SessionTime`] to the machine's monotonic time and back.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "this is where time comes in; everything else is given a SessionTime"
)]

#[cfg(target_os = "linux")]
use std::sync::atomic::{AtomicU64, Ordering};

use std::{pin::Pin, time::Duration};

use clawvoice_session::SessionTime;
use tokio::time::{Instant, Sleep};

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
}

/// Wakes its owner not later than a deadline that changes all the time.
///
/// A deadline that moves away, as most do with every packet, leaves the timer alone: it rings too
/// early then, at most once, and is set again. That spares the runtime's timer wheel an entry per
/// packet.
#[derive(Debug)]
pub struct Alarm {
    clock: SessionClock,
    sleep: Pin<Box<Sleep>>,
    /// When the timer rings; none: it is not set.
    rings: Option<SessionTime>,
}

impl Alarm {
    /// Not set.
    #[must_use]
    pub fn new(clock: SessionClock) -> Self {
        Self { clock, sleep: Box::pin(tokio::time::sleep(Duration::ZERO)), rings: None }
    }

    /// Sets it to ring at `at` or before.
    pub fn set(&mut self, at: Option<SessionTime>) {
        if let Some(at) = at
            && self.rings.is_none_or(|rings| at < rings)
        {
            // tokio's timer counts milliseconds and rounds up: never early.
            self.sleep.as_mut().reset(Instant::now() + at.since(self.clock.now()));
            self.rings = Some(at);
        }
    }

    /// Waits until it rings. Cancel-safe.
    pub async fn rung(&mut self) {
        match self.rings {
            Some(_) => {
                self.sleep.as_mut().await;
                self.rings = None;
            }
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
    async fn an_alarm_rings_at_the_earliest_time_it_was_set_to() {
        let clock = SessionClock::start();
        let mut alarm = Alarm::new(clock);
        let rung_at = async |alarm: &mut Alarm| {
            alarm.rung().await;
            clock.now().as_millis()
        };
        let ms = SessionTime::from_millis;
        alarm.set(Some(ms(50)));
        alarm.set(Some(ms(20)));
        alarm.set(Some(ms(90)));
        alarm.set(None);
        assert!((20..22).contains(&rung_at(&mut alarm).await), "later ones leave it alone");
        alarm.set(Some(ms(90)));
        assert!((90..92).contains(&rung_at(&mut alarm).await));
        let silent = tokio::time::timeout(Duration::from_secs(60), alarm.rung()).await;
        assert!(silent.is_err(), "nothing is set");
        alarm.set(Some(ms(1)));
        assert!(
            (60_090..60_095).contains(&rung_at(&mut alarm).await),
            "the past is not waited for"
        );
    }
}
