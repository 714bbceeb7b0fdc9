//! How much of one recording is in another: peak normalised cross-correlation.
//!
//! For a lag `L` the score is `Σ r[i]·x[i+L] / √(Σ r[i]² · Σ x[i+L]²)`, `r` being the whole
//! reference and `x` the recording, which counts as zero outside its ends. 1 means the same
//! waveform at any volume, 0 nothing in common. Whatever part of the reference the recording
//! lacks lowers the score; what the recording holds before and after it does not.
//!
//! The search is coarse to fine: every lag at 2 kHz, the best of these at 12 kHz, the best of
//! those at full rate. A waveform that repeats itself exactly may be found at any of its repetitions.

use std::{collections::BTreeSet, ops::RangeInclusive};

use serde::Serialize;

/// Rate of the coarse search, Hz. Voiced speech has most of its energy below half of this.
const COARSE_HZ: u32 = 2000;

/// Rate of the second search, Hz.
const MIDDLE_HZ: u32 = 12_000;

/// Coarse peaks looked at in the second search.
const CANDIDATES: usize = 8;

/// Peaks of the second search looked at at full rate.
const FINALISTS: usize = 2;

/// Where and how well the reference was found.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Similarity {
    /// Peak normalised cross-correlation, -1 to 1. 0 if either side is silent.
    pub score: f64,
    /// The reference's first sample is at this sample of the recording; negative if the
    /// recording starts later.
    pub lag_samples: i64,
}

/// Looks for `reference` anywhere in `recording`; both mono at `sample_rate` Hz.
///
/// Up to half of the reference may lie before the start or after the end of the recording.
#[must_use]
pub fn similarity(reference: &[i16], recording: &[i16], sample_rate: u32) -> Similarity {
    let slack = to_i64(reference.len() / 2);
    let last = (to_i64(recording.len()) - slack).max(0);
    similarity_within(reference, recording, sample_rate, -slack..=last)
}

/// Looks for `reference` in `recording` at the given lags, in samples; both mono at
/// `sample_rate` Hz.
#[must_use]
pub fn similarity_within(
    reference: &[i16],
    recording: &[i16],
    sample_rate: u32,
    lags: RangeInclusive<i64>,
) -> Similarity {
    let factor = |hz| usize::try_from(sample_rate / hz).unwrap_or(1).max(1);
    let (coarse, middle) = (factor(COARSE_HZ), factor(MIDDLE_HZ));
    let step = to_i64(coarse);
    let all = lags.start().div_euclid(step)..=lags.end().div_euclid(step);
    let found = scores(reference, recording, coarse, all.map(|lag| lag * step));
    let near = around(&peaks(&found, CANDIDATES), coarse, middle, &lags);
    let found = scores(reference, recording, middle, near);
    let near = around(&peaks(&found, FINALISTS), middle, 1, &lags);
    let found = scores(reference, recording, 1, near);
    let best =
        found.into_iter().filter(|(_, score)| *score > 0.0).max_by(|a, b| a.1.total_cmp(&b.1));
    let (lag_samples, score) = best.unwrap_or_default();
    Similarity { score, lag_samples }
}

/// The scores at the given lags, with `factor` samples averaged into one.
fn scores(
    reference: &[i16],
    recording: &[i16],
    factor: usize,
    lags: impl IntoIterator<Item = i64>,
) -> Vec<(i64, f64)> {
    let reference = decimate(reference, factor);
    let search = Search::new(&reference, decimate(recording, factor));
    let step = to_i64(factor);
    lags.into_iter().map(|lag| (lag, search.score(lag.div_euclid(step)))).collect()
}

/// The lags within one coarse step of the candidates, in fine steps, each once and in order.
fn around(
    candidates: &[i64],
    coarse: usize,
    fine: usize,
    lags: &RangeInclusive<i64>,
) -> BTreeSet<i64> {
    let (reach, slack) = (to_i64(coarse), to_i64(fine) - 1);
    // A fine step may begin outside the range and still reach into it.
    let wanted = lags.start().saturating_sub(slack)..=lags.end().saturating_add(slack);
    candidates
        .iter()
        .flat_map(|lag| (lag - reach..=lag + reach).step_by(fine))
        .filter(|lag| wanted.contains(lag))
        .collect()
}

/// Averages every `factor` samples into one: a crude low-pass filter is enough to find a lag.
fn decimate(pcm: &[i16], factor: usize) -> Vec<f32> {
    pcm.chunks(factor)
        .map(|chunk| chunk.iter().map(|sample| f32::from(*sample)).sum::<f32>() / factor as f32)
        .collect()
}

/// The lags of the highest local maxima, best first.
fn peaks(scores: &[(i64, f64)], count: usize) -> Vec<i64> {
    let at = |index: Option<usize>| index.and_then(|i| scores.get(i)).map_or(f64::MIN, |s| s.1);
    let mut maxima: Vec<(i64, f64)> = scores
        .iter()
        .enumerate()
        .filter(|(i, (_, score))| *score >= at(i.checked_sub(1)) && *score >= at(Some(i + 1)))
        .map(|(_, peak)| *peak)
        .collect();
    maxima.sort_by(|a, b| b.1.total_cmp(&a.1));
    maxima.truncate(count);
    maxima.into_iter().map(|(lag, _)| lag).collect()
}

/// A reference and a recording at one rate, with running energies of the recording.
struct Search<'a> {
    reference: &'a [f32],
    recording: Vec<f32>,
    /// `energy[i]` is the energy of the first `i` samples of the recording.
    energy: Vec<f64>,
    reference_energy: f64,
}

impl<'a> Search<'a> {
    fn new(reference: &'a [f32], recording: Vec<f32>) -> Self {
        let mut energy = Vec::with_capacity(recording.len() + 1);
        let mut sum = 0.0;
        energy.push(sum);
        for sample in &recording {
            sum += f64::from(*sample).powi(2);
            energy.push(sum);
        }
        let reference_energy = reference.iter().map(|sample| f64::from(*sample).powi(2)).sum();
        Self { reference, recording, energy, reference_energy }
    }

    fn score(&self, lag: i64) -> f64 {
        let from = usize::try_from(lag.max(0)).unwrap_or(usize::MAX).min(self.recording.len());
        let skipped = usize::try_from((-lag).max(0)).unwrap_or(usize::MAX);
        let Some(reference) = self.reference.get(skipped..) else { return 0.0 };
        let to = from.saturating_add(reference.len()).min(self.recording.len());
        let window = self.recording.get(from..to).unwrap_or_default();
        let product: f64 = reference
            .chunks(1024)
            .zip(window.chunks(1024))
            .map(|(r, x)| f64::from(r.iter().zip(x).map(|(r, x)| r * x).sum::<f32>()))
            .sum();
        let window_energy = self.energy[to] - self.energy[from];
        let scale = (self.reference_energy * window_energy).sqrt();
        if scale > 0.0 { product / scale } else { 0.0 }
    }
}

fn to_i64(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Noise from a linear congruential generator, the same in every run.
    fn noise(seed: u32, samples: usize) -> Vec<i16> {
        let mut state = seed;
        let mut smooth = 0.0_f32;
        (0..samples)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let white = (state >> 16) as f32 / 32768.0 - 1.0;
                smooth += 0.1 * (white - smooth);
                (smooth * 20000.0) as i16
            })
            .collect()
    }

    fn placed(what: &[i16], before: usize, after: usize) -> Vec<i16> {
        let mut recording = vec![0; before];
        recording.extend_from_slice(what);
        recording.resize(before + what.len() + after, 0);
        recording
    }

    #[test]
    fn finds_the_exact_lag_at_any_volume() {
        let reference = noise(1, 12_000);
        for (before, divisor) in [(0, 1), (1, 1), (777, 2), (20_011, 5)] {
            let quieter: Vec<i16> = reference.iter().map(|s| s / divisor).collect();
            let found = similarity(&reference, &placed(&quieter, before, 3000), 48_000);
            assert_eq!(found.lag_samples, before as i64);
            assert!(found.score > 0.999, "{found:?} at {before}");
        }
    }

    #[test]
    fn a_cut_off_start_gives_a_negative_lag_and_a_lower_score() {
        let reference = noise(2, 12_000);
        let found = similarity(&reference, &reference[3000..], 24_000);
        assert_eq!(found.lag_samples, -3000);
        assert!(found.score > 0.8 && found.score < 0.92, "{found:?}");
    }

    #[test]
    fn half_of_the_reference_missing_cannot_pass_as_a_match() {
        let reference = noise(3, 12_000);
        let mut recording = reference.clone();
        recording[6000..].fill(0);
        assert!(similarity(&reference, &recording, 48_000).score < 0.8);
    }

    #[test]
    fn other_audio_silence_and_nothing_do_not_match() {
        let reference = noise(4, 12_000);
        let other = noise(5, 24_000);
        assert!(similarity(&reference, &other, 48_000).score < 0.4);
        for recording in [vec![0; 5000], vec![]] {
            assert_eq!(similarity(&reference, &recording, 48_000).score, 0.0);
        }
        assert_eq!(similarity(&[], &other, 48_000).score, 0.0);
    }

    #[test]
    fn lags_outside_the_range_are_not_looked_at() {
        let reference = noise(6, 6000);
        let recording = placed(&reference, 9000, 0);
        assert!(similarity_within(&reference, &recording, 48_000, 0..=4000).score < 0.8);
        let found = similarity_within(&reference, &recording, 48_000, 8000..=10_000);
        assert_eq!(found.lag_samples, 9000);
        let found = similarity_within(&reference, &placed(&reference, 5, 0), 48_000, 5..=5);
        assert_eq!(found.lag_samples, 5);
        assert!(found.score > 0.999, "{found:?}");
    }
}
