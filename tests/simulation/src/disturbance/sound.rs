//! What sounds are made of: noise, resonance, envelopes, levels.

use std::f32::consts::{PI, TAU};

use rand::{Rng as _, rngs::SmallRng};

/// Samples per second of everything here.
pub(super) const RATE: f32 = 24_000.0;
/// Samples per millisecond.
pub const PER_MS: usize = 24;

/// Uniform noise between -1 and 1.
pub(super) fn noise(rng: &mut SmallRng, samples: usize) -> Vec<f32> {
    (0..samples).map(|_| rng.random_range(-1.0..1.0)).collect()
}

/// A two-pole resonator whose gain at its own frequency does not depend on its bandwidth.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Resonator {
    gain: f32,
    feedback: [f32; 2],
    memory: [f32; 2],
}

impl Resonator {
    pub(super) fn new(hz: f32, bandwidth: f32) -> Self {
        let mut resonator = Self::default();
        resonator.tune(hz, bandwidth);
        resonator
    }

    /// Changes frequency and bandwidth, in Hz, while it sounds.
    pub(super) fn tune(&mut self, hz: f32, bandwidth: f32) {
        let radius = (-PI * bandwidth / RATE).exp();
        let angle = TAU * hz / RATE;
        self.feedback = [2.0 * radius * angle.cos(), -radius * radius];
        self.gain = (1.0 - radius)
            * (1.0 - 2.0 * radius * (2.0 * angle).cos() + radius * radius).max(0.0).sqrt();
    }

    pub(super) fn push(&mut self, sample: f32) -> f32 {
        let out = self.gain * sample
            + self.feedback[0] * self.memory[0]
            + self.feedback[1] * self.memory[1];
        self.memory = [out, self.memory[0]];
        out
    }

    pub(super) fn run(&mut self, samples: &[f32]) -> Vec<f32> {
        samples.iter().map(|sample| self.push(*sample)).collect()
    }
}

/// Takes away what is below a frequency, 6 dB an octave.
#[derive(Clone, Copy, Debug)]
pub(super) struct HighPass {
    keep: f32,
    before: f32,
    out: f32,
}

impl HighPass {
    /// Below `hz`.
    pub(super) fn new(hz: f32) -> Self {
        Self { keep: 1.0 / (1.0 + TAU * hz / RATE), before: 0.0, out: 0.0 }
    }

    pub(super) fn push(&mut self, sample: f32) -> f32 {
        self.out = self.keep * (self.out + sample - self.before);
        self.before = sample;
        self.out
    }
}

/// Takes away what is below `hz`, 6 dB an octave.
pub(super) fn high_pass(samples: &mut [f32], hz: f32) {
    let mut filter = HighPass::new(hz);
    samples.iter_mut().for_each(|sample| *sample = filter.push(*sample));
}

/// Takes away what is above `hz`, 6 dB an octave.
pub(super) fn low_pass(samples: &mut [f32], hz: f32) {
    let share = 1.0 - (-TAU * hz / RATE).exp();
    let mut out = 0.0;
    for sample in samples {
        out += share * (*sample - out);
        *sample = out;
    }
}

/// Rises within `attack_ms`, then falls by 60 dB in `decay_ms`.
pub(super) fn strike(samples: &mut [f32], attack_ms: f32, decay_ms: f32) {
    for (at, sample) in samples.iter_mut().enumerate() {
        let ms = at as f32 / PER_MS as f32;
        let rise = (ms / attack_ms.max(0.01)).min(1.0);
        *sample *= rise * 10_f32.powf(-3.0 * (ms - attack_ms).max(0.0) / decay_ms);
    }
}

/// Rises over a share of the length, falls over another, as half a cosine.
pub(super) fn swell(samples: &mut [f32], rise: f32, fall: f32) {
    let length = samples.len() as f32;
    for (at, sample) in samples.iter_mut().enumerate() {
        let (gone, left) = (at as f32 / length, 1.0 - at as f32 / length);
        let edge = (gone / rise).min(left / fall).clamp(0.0, 1.0);
        *sample *= 0.5 - 0.5 * (PI * edge).cos();
    }
}

/// Adds `sound` from a sample on; grows the mix if need be.
pub(super) fn mix(into: &mut Vec<f32>, at: usize, sound: &[f32]) {
    if into.len() < at + sound.len() {
        into.resize(at + sound.len(), 0.0);
    }
    into[at..].iter_mut().zip(sound).for_each(|(sum, sample)| *sum += sample);
}

/// Root mean square.
pub(super) fn rms(samples: &[f32]) -> f32 {
    let squares: f32 = samples.iter().map(|sample| sample * sample).sum();
    (squares / samples.len().max(1) as f32).sqrt()
}

/// Scales to a peak, dBFS.
pub(super) fn peak_at(samples: &mut [f32], dbfs: f32) {
    let peak = samples.iter().fold(0.0_f32, |peak, sample| peak.max(sample.abs()));
    let gain = from_db(dbfs) / peak.max(1e-9);
    samples.iter_mut().for_each(|sample| *sample *= gain);
}

/// The factor of a gain.
pub(super) fn from_db(db: f32) -> f32 {
    10_f32.powf(db / 20.0)
}

/// From full scale 1, clipped.
pub fn to_pcm(samples: &[f32]) -> Vec<i16> {
    samples.iter().map(|sample| (sample * 32_767.0).round() as i16).collect()
}

/// To full scale 1.
pub fn from_pcm(pcm: &[i16]) -> Vec<f32> {
    pcm.iter().map(|sample| f32::from(*sample) / 32_768.0).collect()
}

/// Reads samples `step` apart, so that they play `step` times as fast and as high: by a windowed
/// sinc of 12 zero crossings a side, without what would fold.
#[must_use]
pub fn resample(samples: &[f32], step: f32) -> Vec<f32> {
    let cutoff = 0.95 * (1.0 / step).min(1.0);
    let half = 12.0 / cutoff;
    let length = (samples.len() as f32 / step) as usize;
    (0..length)
        .map(|index| {
            let centre = index as f64 * f64::from(step);
            let first = (centre - f64::from(half)).ceil().max(0.0) as usize;
            let last = ((centre + f64::from(half)) as usize).min(samples.len() - 1);
            let weigh = |at: usize| {
                let x = (at as f64 - centre) as f32;
                let sinc =
                    if x.abs() < 1e-6 { 1.0 } else { (PI * cutoff * x).sin() / (PI * cutoff * x) };
                cutoff * sinc * (0.5 + 0.5 * (PI * x / half).cos())
            };
            (first..=last).map(|at| samples[at] * weigh(at)).sum()
        })
        .collect()
}
