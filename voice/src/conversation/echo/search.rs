//! Looks for what was played in what comes back, at every delay at once.

use super::band::BLOCK_4K;

/// Delays that are looked at, in samples at 4 kHz: 400 ms. More would cost more than the decoding.
pub(super) const LAGS: usize = 1_600;
/// Played samples that a block is compared with.
pub(super) const REACH: usize = LAGS + BLOCK_4K - 1;
/// What of the sums is kept from block to block: they speak of some 130 ms.
const KEPT: f32 = 0.85;
/// Blocks before anything is said.
const LEAST_BLOCKS: u32 = 4;
/// Around the best delay its own flanks are no rivals: 6 ms.
const FLANK: usize = 24;
/// A block is scaled to this many bits, so that its sums fit 32.
const PEAK: u16 = 1 << 12;

/// A running normalised cross-correlation per delay.
#[derive(Debug)]
pub(super) struct Search {
    /// From the longest delay to none.
    products: Box<[f32]>,
    /// Energy, for every eight delays.
    played: Box<[f32]>,
    scores: Box<[f32]>,
    heard: f32,
    blocks: u32,
}

/// The delay at which the two signals resemble each other most.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Peak {
    /// Samples at 4 kHz.
    pub(super) lag: usize,
    /// Squared correlation: 1 if all is echo, give or take.
    pub(super) score: f32,
    /// The best of all other delays.
    pub(super) rival: f32,
}

impl Search {
    pub(super) fn new() -> Self {
        let zeros = |length| vec![0.0; length].into_boxed_slice();
        Self {
            products: zeros(LAGS),
            played: zeros(LAGS / 8),
            scores: zeros(LAGS),
            heard: 0.0,
            blocks: 0,
        }
    }

    /// Forgets everything.
    pub(super) fn reset(&mut self) {
        if self.blocks > 0 {
            self.products.fill(0.0);
            self.played.fill(0.0);
            (self.heard, self.blocks) = (0.0, 0);
        }
    }

    /// Blocks that were compared.
    pub(super) fn blocks(&self) -> u32 {
        self.blocks
    }

    /// Compares a block with what was played up to its own time; gives the best delay once enough
    /// was compared. Scales both arguments in place.
    pub(super) fn push(
        &mut self,
        heard: &mut [i16; BLOCK_4K],
        played: &mut [i16; REACH],
    ) -> Option<Peak> {
        let (heard_scale, played_scale) = (scale_down(heard), scale_down(played));
        let both = heard_scale * played_scale;
        for (sum, window) in self.products.iter_mut().zip(played.windows(BLOCK_4K)) {
            let product = match window.first_chunk::<BLOCK_4K>() {
                Some(window) => dot(heard, window),
                None => 0,
            };
            *sum = KEPT * *sum + both * product as f32;
        }
        // Energy changes slowly from lag to lag: one for each eight of them.
        let mut eighths = [0.0_f32; REACH / 8];
        for (eighth, samples) in eighths.iter_mut().zip(played.as_chunks::<8>().0) {
            *eighth = samples.iter().map(|sample| i32::from(*sample).pow(2)).sum::<i32>() as f32;
        }
        let squared = played_scale * played_scale;
        for (sum, window) in self.played.iter_mut().zip(eighths.windows(BLOCK_4K / 8)) {
            *sum = KEPT * *sum + squared * window.iter().sum::<f32>();
        }
        let now = dot(heard, heard);
        self.heard = KEPT * self.heard + heard_scale * heard_scale * now as f32;
        self.blocks += 1;
        if self.blocks < LEAST_BLOCKS { None } else { self.peak() }
    }

    fn peak(&mut self) -> Option<Peak> {
        // Faint parts of what was played would be divided by next to nothing.
        let floor = 0.02 * maximum(&self.played) + 1.0;
        let heard = self.heard + 1.0;
        let (scores, products) =
            (self.scores.as_chunks_mut::<8>().0, self.products.as_chunks::<8>().0);
        for ((scores, products), played) in scores.iter_mut().zip(products).zip(&self.played) {
            let scale = 1.0 / ((played + floor) * heard);
            for (score, product) in scores.iter_mut().zip(products) {
                *score = product * product * scale;
            }
        }
        let score = maximum(&self.scores);
        let at = self.scores.iter().position(|other| *other >= score)?;
        let before = self.scores.get(..at.saturating_sub(FLANK)).unwrap_or_default();
        let after = self.scores.get(at + FLANK..).unwrap_or_default();
        let rival = maximum(before).max(maximum(after));
        Some(Peak { lag: LAGS - 1 - at, score, rival })
    }
}

/// The sum of products, in eight sums side by side, so that vectors of eight are multiplied.
///
/// Inlined, it would be computed across delays by vectors of four: twice the time.
#[inline(never)]
fn dot(one: &[i16; BLOCK_4K], two: &[i16; BLOCK_4K]) -> i32 {
    let mut sums = [0_i32; 8];
    for (ones, twos) in one.as_chunks::<8>().0.iter().zip(two.as_chunks::<8>().0) {
        for ((sum, a), b) in sums.iter_mut().zip(ones).zip(twos) {
            *sum += i32::from(*a) * i32::from(*b);
        }
    }
    sums.iter().sum()
}

/// Halves the samples until none is above [`PEAK`]; gives what one of them is worth.
fn scale_down(samples: &mut [i16]) -> f32 {
    let peak = samples.iter().fold(0, |peak: u16, sample| peak.max(sample.unsigned_abs()));
    let mut shift = 0;
    while peak >> shift > PEAK {
        shift += 1;
    }
    if shift > 0 {
        samples.iter_mut().for_each(|sample| *sample >>= shift);
    }
    f32::from(1_u16 << shift)
}

/// The largest of values that are not negative, by vectors.
fn maximum(values: &[f32]) -> f32 {
    let larger = |a: f32, b: f32| if b > a { b } else { a };
    let (chunks, rest) = values.as_chunks::<8>();
    let mut best = [0.0_f32; 8];
    for chunk in chunks {
        for (best, value) in best.iter_mut().zip(chunk) {
            *best = larger(*best, *value);
        }
    }
    best.iter().chain(rest).fold(0.0, |a, b| larger(a, *b))
}
