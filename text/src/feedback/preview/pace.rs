//! `humanDelay`: pauses between the messages of an answer, as of somebody who writes them.

use std::time::Duration;

use clawvoice_config::HumanDelay;

/// The pauses of one answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pace {
    delay: HumanDelay,
    seed: u64,
}

impl Pace {
    /// Pauses between these bounds; `seed`: any number, of which their lengths are made.
    #[must_use]
    pub const fn new(delay: HumanDelay, seed: u64) -> Self {
        Self { delay, seed }
    }

    /// The pause after the message of this number.
    pub(super) fn pause(&self, number: u64) -> Duration {
        let HumanDelay { min, max } = self.delay;
        let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        let span = millis(max).saturating_sub(millis(min));
        min + Duration::from_millis(mixed(self.seed.wrapping_add(number)) % (span + 1))
    }
}

/// Neighbours become numbers that have nothing to do with each other. Source: Steele, Lea, Flood,
/// "Fast splittable pseudorandom number generators", SplitMix64.
const fn mixed(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_pause_is_within_its_bounds(min in 0u64..5_000, more in 0u64..5_000, seed: u64, number: u64) {
            let [low, high] = [min, min + more].map(Duration::from_millis);
            let pause = Pace::new(HumanDelay { min: low, max: high }, seed).pause(number);
            prop_assert!(low <= pause && pause <= high, "{pause:?}");
        }
    }

    #[test]
    fn pauses_differ_and_none_is_none() {
        let natural =
            HumanDelay { min: Duration::from_millis(800), max: Duration::from_millis(2_500) };
        let pace = Pace::new(natural, 7);
        assert_ne!(pace.pause(0), pace.pause(1));
        assert_eq!(pace.pause(1), Pace::new(natural, 8).pause(0));
        assert_eq!(Pace::default().pause(3), Duration::ZERO);
    }
}
