//! One way from our player through a room into a microphone: a delay and a filter.

use super::{
    band::{BLOCK_8K, energy},
    played::Played,
    ring::Ring,
};
use crate::dsp::dot;

/// Length of the filter: 32 ms at 8 kHz.
const TAPS: usize = 256;
/// Of these, before the strongest delay: 5 ms.
const LEAD: i64 = 40;
/// Played samples that a block is predicted from.
const SPAN: usize = TAPS + BLOCK_8K - 1;
/// How far a delay is looked for after a pause, either way: 40 ms.
const SHIFT: usize = 320;
/// Adaptation per sample, of 1.
const STEP: f32 = 0.35;
/// Keeps the filter still where next to nothing was played: a sine of -54 dBFS.
const REGULARISATION: f32 = 2_000.0 * TAPS as f32;
/// Energy of a block below which no echo is expected: about -74 dBFS.
const FAINT: f32 = 6_400.0;
/// How the echo of a room dies away within a block: 60 dB in 540 ms, more than most rooms need.
const DECAY: f32 = 0.6;
/// Blocks that a path is learned from and tested by.
const LEARNED: i64 = 8;
const PASSES: usize = 4;
/// What is left of a block may be so many times what usually is left, within bounds that are
/// relative to echo and reverberation: while somebody goes on speaking, -6 dB of the echo at the
/// least, and a little louder than the echo at the most.
const MARGIN: f32 = 3.0;
const LEAST_BOUND: f32 = 0.1;
const MOST_BOUND: f32 = 0.5;

/// Predicts echo.
#[derive(Clone, Debug)]
pub(super) struct Path {
    /// From the longest delay to the shortest.
    taps: [f32; TAPS],
    /// Samples at 8 kHz.
    lag: i64,
    /// What usually stays unexplained, of the energy of echo and reverberation.
    leak: f32,
    /// Energy of the predicted echo and of what of earlier ones is left in the room: a filter of
    /// 32 ms does not know it.
    reverberation: f32,
}

/// A block, as a path sees it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Match {
    /// Share of the energy that the path explains, 0 to 1.
    pub(super) explained: f32,
    /// Whether what is left is no more than what this path usually leaves.
    pub(super) is_echo: bool,
    /// Whether any echo was to be expected.
    pub(super) expected: bool,
}

impl Path {
    /// Learns the path with this delay (samples at 8 kHz) from the newest `blocks` of `heard`, the
    /// last of which ends at `end`. Every other block is not learned from at first: what the path
    /// leaves of these says whether it is one.
    pub(super) fn learn(
        lag: i64,
        heard: &Ring<f32>,
        blocks: i64,
        end: i64,
        played: &Played,
    ) -> Self {
        let mut path = Self { taps: [0.0; TAPS], lag, leak: 1.0, reverberation: 0.0 };
        let offset = heard.end() - end;
        let mut near = [0.0; BLOCK_8K];
        let mut each = |parity: i64, each: &mut dyn FnMut(i64, &[f32; BLOCK_8K])| {
            for back in (0..blocks.min(LEARNED)).rev().filter(|back| back % 2 == parity) {
                let start = end - (back + 1) * BLOCK_8K as i64;
                heard.read(start + offset, &mut near);
                each(start, &near);
            }
        };
        for _ in 0..PASSES {
            each(0, &mut |start, near| {
                path.filter(start, near, played, STEP);
            });
        }
        let (mut all, mut left) = (0.0, 0.0);
        each(1, &mut |start, near| {
            let sums = path.filter(start, near, played, 0.0);
            all += energy(near);
            left += sums.left_with(sums.gain(), energy(near));
        });
        path.leak = left / all.max(1.0);
        for parity in [1, 0] {
            each(parity, &mut |start, near| {
                path.filter(start, near, played, STEP);
            });
        }
        path
    }

    /// Samples at 8 kHz.
    pub(super) fn lag(&self) -> i64 {
        self.lag
    }

    /// What usually stays unexplained, of the energy of echo and reverberation.
    pub(super) fn leak(&self) -> f32 {
        self.leak
    }

    /// Judges the block that begins at `start`, and follows the room's changes while there is
    /// nothing but echo.
    pub(super) fn judge(&mut self, start: i64, near: &[f32; BLOCK_8K], played: &Played) -> Match {
        let before = self.taps;
        let all = energy(near);
        let sums = self.filter(start, near, played, STEP);
        let gain = sums.gain();
        let left = sums.left_with(gain, all);
        let echo = gain * gain * sums.predicted;
        let expected = sums.predicted > FAINT;
        self.reverberation = echo + DECAY * self.reverberation;
        let unexplained = left / self.reverberation.max(1.0);
        let bound = (MARGIN * self.leak).clamp(LEAST_BOUND, MOST_BOUND);
        let is_echo = unexplained <= bound;
        if is_echo && expected {
            self.leak += 0.05 * (unexplained - self.leak);
        } else {
            self.taps = before;
        }
        let explained = (1.0 - left / all.max(1.0)).clamp(0.0, 1.0);
        Match { explained, is_echo, expected }
    }

    /// Corrects the delay by the block that begins at `start`, for the time at which a talkspurt
    /// arrives is not exact. Gives whether it was found.
    pub(super) fn align(&mut self, start: i64, near: &[f32; BLOCK_8K], played: &Played) -> bool {
        let mut far = [0.0; SPAN + 2 * SHIFT];
        played.read_8k(self.first(start) - SHIFT as i64, &mut far);
        let mut echo = [0.0; BLOCK_8K + 2 * SHIFT];
        for (echo, window) in echo.iter_mut().zip(far.windows(TAPS)) {
            *echo = dot(window, &self.taps);
        }
        let all = energy(near).max(1.0);
        let (mut best, mut best_at) = (0.0, 0);
        for (at, window) in echo.windows(BLOCK_8K).enumerate() {
            let (product, power) = (dot(window, near), energy(window));
            let score = product.max(0.0).powi(2) / (power + FAINT) / all;
            if score > best {
                (best, best_at) = (score, at);
            }
        }
        if best > 0.5 {
            self.lag -= best_at as i64 - SHIFT as i64;
        }
        best > 0.5
    }

    /// Where the played samples of the block at `start` begin.
    fn first(&self, start: i64) -> i64 {
        start - (self.lag - LEAD) - (TAPS as i64 - 1)
    }

    /// Predicts a block and adapts to it (normalised least mean squares).
    fn filter(&mut self, start: i64, near: &[f32; BLOCK_8K], played: &Played, step: f32) -> Sums {
        let mut far = [0.0; SPAN];
        played.read_8k(self.first(start), &mut far);
        let mut sums = Sums::default();
        let mut power = energy(&far[..TAPS - 1]);
        for (window, near) in far.windows(TAPS).zip(near) {
            let newest = window[TAPS - 1];
            power += newest * newest;
            let echo = dot(window, &self.taps);
            sums.product += echo * near;
            sums.predicted += echo * echo;
            if step > 0.0 {
                let gain = step * (near - echo) / (power.max(0.0) + REGULARISATION);
                for (tap, far) in self.taps.iter_mut().zip(window) {
                    *tap += gain * far;
                }
            }
            power -= window[0] * window[0];
        }
        sums
    }
}

/// Of a block and its prediction.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    product: f32,
    predicted: f32,
}

impl Sums {
    /// The loudness at which the prediction fits best: a listener may turn a knob.
    fn gain(&self) -> f32 {
        (self.product / self.predicted.max(1.0)).clamp(0.3, 3.0)
    }

    fn left_with(&self, gain: f32, all: f32) -> f32 {
        (all - 2.0 * gain * self.product + gain * gain * self.predicted).max(0.0)
    }
}
