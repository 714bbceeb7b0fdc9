//! How long to wait before trying again.

use std::time::Duration;

/// Powers of a base, up to a longest wait, until [`Backoff::reset`].
///
/// Each wait is shortened by up to a quarter, so that many who lost the same server do not come
/// back to it at the same moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Backoff {
    base: f64,
    unit: Duration,
    longest: Duration,
    failures: u32,
}

impl Backoff {
    /// The n-th wait is `unit` times `base` to the power of n, at most `longest`.
    pub(crate) fn new(base: f64, unit: Duration, longest: Duration) -> Self {
        Self { base: base.max(1.0), unit, longest, failures: 0 }
    }

    /// The wait after one more failure. `roll`: 0 to 1, by chance.
    pub(crate) fn next_wait(&mut self, roll: f64) -> Duration {
        self.failures = self.failures.saturating_add(1);
        let exponent = i32::try_from(self.failures).unwrap_or(i32::MAX);
        let whole = self.unit.as_secs_f64() * self.base.powi(exponent);
        let whole = whole.min(self.longest.as_secs_f64());
        let shortened = whole * (1.0 - 0.25 * (1.0 - roll.clamp(0.0, 1.0)));
        Duration::try_from_secs_f64(shortened).unwrap_or(self.longest)
    }

    /// Failures since the last [`Self::reset`].
    pub(crate) fn failures(&self) -> u32 {
        self.failures
    }

    /// Something worked: the next failure waits shortest again.
    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn gateway() -> Backoff {
        Backoff::new(1.5, Duration::from_secs(1), Duration::from_secs(60))
    }

    #[test]
    fn grows_by_half_up_to_a_minute_and_starts_over() {
        let mut backoff = gateway();
        let waits: Vec<u128> = (0..12).map(|_| backoff.next_wait(1.0).as_millis()).collect();
        assert_eq!(
            waits,
            [1500, 2250, 3375, 5062, 7593, 11390, 17085, 25628, 38443, 57665, 60000, 60000]
        );
        backoff.reset();
        assert_eq!(backoff.next_wait(0.0), Duration::from_millis(1125));
    }

    proptest! {
        #[test]
        fn never_longer_than_the_longest_nor_shorter_than_three_quarters(
            failures in 1u32..5_000, roll in 0.0f64..1.0,
        ) {
            let mut backoff = gateway();
            let mut full = gateway();
            for _ in 0..failures {
                let (wait, whole) = (backoff.next_wait(roll), full.next_wait(1.0));
                prop_assert!(wait <= whole && whole <= Duration::from_secs(60));
                prop_assert!(wait.as_secs_f64() >= whole.as_secs_f64() * 0.75 - 1e-6);
            }
        }
    }
}
