//! Faults that hit by chance: which of a list hits next, the same for the same seed and calls.

use super::user::seed_of;

/// How often each fault of a list was asked and hit.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally(Vec<(u64, u32)>);

impl Tally {
    /// Makes room for a list of so many.
    pub(super) fn fit(&mut self, count: usize) {
        self.0.resize(count, (0, 0));
    }

    /// Whether the fault at a position hits now, with a share of it and so many times at most; a
    /// random number from 0 to just below 1 for the rest. `seed`: of the settings, and one that
    /// sets this list apart.
    pub(super) fn hit(
        &mut self,
        seed: (u64, u64),
        at: usize,
        percent: f64,
        times: Option<u32>,
    ) -> Option<f64> {
        let (asked, hit) = self.0.get_mut(at)?;
        if times.is_some_and(|times| *hit >= times) {
            return None;
        }
        let at = u64::try_from(at).unwrap_or(u64::MAX);
        let random = |what: u64| share(seed_of(seed.0, &[at, *asked, what + 2 * seed.1]));
        let (hits, rest) = (random(0) * 100.0 < percent, random(1));
        *asked += 1;
        *hit += u32::from(hits);
        hits.then_some(rest)
    }
}

/// From 0 to just below 1.
fn share(random: u64) -> f64 {
    // The upper 32 bits: as many as a fraction can hold and more than enough.
    let upper = u32::try_from(random >> 32).unwrap_or(u32::MAX);
    f64::from(upper) / (f64::from(u32::MAX) + 1.0)
}

/// A random part of a number.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share of what is a u32 already"
)]
pub(super) fn part(whole: u32, random: f64) -> u32 {
    (f64::from(whole) * random) as u32
}
