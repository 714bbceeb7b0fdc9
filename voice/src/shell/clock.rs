//! The one clock: [`SessionTime`] to the machine's monotonic time and back.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "this is where time comes in; everything else is given a SessionTime"
)]

use std::time::Duration;

use clawvoice_session::SessionTime;
use tokio::time::Instant;

/// The clock of one session; it begins at [`SessionTime::ZERO`] when it is made.
///
/// Monotonic. It is tokio's clock, so a paused tokio test drives it too.
#[derive(Clone, Copy, Debug)]
pub struct SessionClock {
    began: Instant,
}

impl SessionClock {
    /// A clock that begins now.
    #[must_use]
    pub fn start() -> Self {
        Self { began: Instant::now() }
    }

    /// The time now.
    #[must_use]
    pub fn now(&self) -> SessionTime {
        let micros = u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX);
        SessionTime::from_micros(micros)
    }

    /// Waits until `at`; for `None`, for ever. Cancel-safe.
    pub async fn sleep_until(&self, at: Option<SessionTime>) {
        match at {
            // tokio's timer counts milliseconds and rounds up: never early.
            Some(at) => {
                tokio::time::sleep_until(self.began + Duration::from_micros(at.as_micros())).await;
            }
            None => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn sleeps_to_the_time_asked_for() {
        let clock = SessionClock::start();
        assert_eq!(clock.now(), SessionTime::ZERO);
        clock.sleep_until(Some(SessionTime::from_millis(20))).await;
        assert!(clock.now() >= SessionTime::from_millis(20));
        assert!(clock.now() < SessionTime::from_millis(22));
        let before = clock.now();
        clock.sleep_until(Some(SessionTime::ZERO)).await;
        assert_eq!(clock.now(), before, "the past is not waited for");
    }
}
