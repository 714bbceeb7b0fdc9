//! From 24 kHz to what echoes are compared in: 8 and 4 kHz, high tones raised.
//!
//! Speech has most of its energy in a few low harmonics, which resemble those of anybody else;
//! raised high tones make two signals tell apart within fewer milliseconds.

use std::f32::consts::PI;

use crate::dsp::dot;

/// Samples of a block of 20 ms at 8 and 4 kHz.
pub(super) const BLOCK_8K: usize = 160;
pub(super) const BLOCK_4K: usize = 80;
const BLOCK_24K: usize = 480;

const TAPS_8K: usize = 32;
const TAPS_4K: usize = 24;
/// First-order pre-emphasis.
const EMPHASIS: f32 = 0.9;

/// Takes 24 kHz samples in pieces of any length and gives blocks.
#[derive(Debug)]
pub(super) struct Bands {
    /// 24 kHz: what the filter still needs of the block before, and a block.
    samples: [f32; TAPS_8K - 1 + BLOCK_24K],
    filled: usize,
    /// The same at 8 kHz.
    low: [f32; TAPS_4K - 1 + BLOCK_8K],
    taps_8k: [f32; TAPS_8K],
    taps_4k: [f32; TAPS_4K],
    lowest_before: f32,
}

/// Twenty milliseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Block {
    pub(super) at_8k: [f32; BLOCK_8K],
    pub(super) at_4k: [i16; BLOCK_4K],
}

impl Bands {
    pub(super) fn new() -> Self {
        Self {
            samples: [0.0; TAPS_8K - 1 + BLOCK_24K],
            filled: 0,
            low: [0.0; TAPS_4K - 1 + BLOCK_8K],
            taps_8k: low_pass(3_600.0 / 24_000.0),
            taps_4k: low_pass(1_800.0 / 8_000.0),
            lowest_before: 0.0,
        }
    }

    /// Takes samples until a block is complete; gives it and the samples that were not taken.
    pub(super) fn push<'a>(&mut self, pcm: &'a [i16]) -> Option<(Block, &'a [i16])> {
        let free = self.samples.get_mut(TAPS_8K - 1 + self.filled..).unwrap_or_default();
        let (taken, rest) = pcm.split_at(free.len().min(pcm.len()));
        for (cell, sample) in free.iter_mut().zip(taken) {
            *cell = f32::from(*sample);
        }
        self.filled += taken.len();
        if self.filled < BLOCK_24K {
            return None;
        }
        self.filled = 0;
        let block = self.block();
        self.samples.copy_within(BLOCK_24K.., 0);
        self.low.copy_within(BLOCK_8K.., 0);
        Some((block, rest))
    }

    fn block(&mut self) -> Block {
        let mut block = Block { at_8k: [0.0; BLOCK_8K], at_4k: [0; BLOCK_4K] };
        let windows = self.samples.windows(TAPS_8K).step_by(3);
        for (low, window) in self.low[TAPS_4K - 1..].iter_mut().zip(windows) {
            *low = dot(window, &self.taps_8k);
        }
        let pairs = self.low[TAPS_4K - 2..].windows(2);
        for (raised, pair) in block.at_8k.iter_mut().zip(pairs) {
            *raised = pair[1] - EMPHASIS * pair[0];
        }
        let windows = self.low.windows(TAPS_4K).step_by(2);
        for (raised, window) in block.at_4k.iter_mut().zip(windows) {
            let lowest = dot(window, &self.taps_4k);
            // Halved, because what is raised may be twice as large. The cast saturates.
            *raised = (0.5 * (lowest - EMPHASIS * self.lowest_before)) as i16;
            self.lowest_before = lowest;
        }
        block
    }
}

/// A windowed sinc; `cutoff` in cycles per sample.
fn low_pass<const TAPS: usize>(cutoff: f32) -> [f32; TAPS] {
    let middle = (TAPS - 1) as f32 / 2.0;
    std::array::from_fn(|index| {
        let x = index as f32 - middle;
        let sinc = if x == 0.0 { 2.0 * cutoff } else { (2.0 * PI * cutoff * x).sin() / (PI * x) };
        // Hann: 44 dB are enough to compare by, and its slope is steep.
        sinc * (0.5 + 0.5 * (PI * x / (middle + 1.0)).cos())
    })
}

/// The sum of squares.
pub(super) fn energy(samples: &[f32]) -> f32 {
    dot(samples, samples)
}
