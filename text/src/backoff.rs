//! How long to wait before trying again.

use std::time::Duration;

/// 1, 2, 4, 8, 16 and then always 30 seconds, until [`Backoff::reset`].
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Backoff {
    failures: u32,
}

impl Backoff {
    const LONGEST: Duration = Duration::from_secs(30);

    /// The wait after one more failure.
    pub(crate) fn next_wait(&mut self) -> Duration {
        let seconds = 1u64.checked_shl(self.failures).unwrap_or(u64::MAX);
        self.failures = self.failures.saturating_add(1).min(16);
        Duration::from_secs(seconds).min(Self::LONGEST)
    }

    /// Something worked: the next failure waits one second again.
    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_up_to_half_a_minute_and_starts_over() {
        let mut backoff = Backoff::default();
        let waits: Vec<u64> = (0..8).map(|_| backoff.next_wait().as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 30, 30, 30]);
        for _ in 0..100 {
            assert_eq!(backoff.next_wait().as_secs(), 30);
        }
        backoff.reset();
        assert_eq!(backoff.next_wait().as_secs(), 1);
    }
}
