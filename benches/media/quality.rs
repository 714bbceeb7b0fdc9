//! How far decoded speech is from what was encoded, in two numbers over 20 ms segments in which
//! somebody speaks (an RMS above -50 dBFS):
//!
//! - *segmental SNR*, dB: 10 log10(signal energy / error energy) of each segment, bounded to -10 to
//!   35 dB, and the mean of that. It punishes every deviation of the waveform, also those nobody
//!   hears, so it is of use between settings of one codec, less between SILK and CELT.
//! - *log-spectral distance*, dB: the root mean square over the bins up to 12 kHz of the difference
//!   of the two power spectra in dB, and the mean of that over the segments. Spectra are of 512
//!   samples under a Hann window; bins more than 60 dB below the segment's loudest count as that.
//!
//! Not a listening test, and not PESQ or ViSQOL: it ranks settings that are alike.

use std::f64::consts::PI;

/// Samples of a segment: 20 ms at 24 kHz.
const SEGMENT: usize = 480;
/// Samples of a spectrum.
const WINDOW: usize = 512;
/// RMS of the quietest speech, of 32,768: -50 dBFS.
const QUIET: f64 = 103.6;
/// Bounds of a segment's SNR, dB.
const SNR: (f64, f64) = (-10.0, 35.0);
/// Of a spectrum, dB.
const RANGE: f64 = 60.0;
/// Delays of a codec at 24 kHz are shorter, in samples.
const MAX_LAG: usize = 480;

/// What is enough to find it: five seconds.
const LAG_SAMPLES: usize = 120_000;

/// See the module's documentation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Quality {
    pub(crate) segmental_snr_db: f64,
    pub(crate) log_spectral_distance_db: f64,
}

/// Compares 24 kHz mono speech with its decode, which comes later by a delay that is searched for.
pub(crate) fn compare(original: &[i16], decoded: &[i16]) -> Quality {
    let lag = lag(original, decoded);
    let decoded = &decoded[lag.min(decoded.len())..];
    let (mut snr, mut distance, mut segments) = (0.0, 0.0, 0.0);
    let ends = original.len().min(decoded.len());
    for at in (0..ends.saturating_sub(WINDOW)).step_by(SEGMENT) {
        let [original, decoded] = [original, decoded].map(|pcm| &pcm[at..at + WINDOW]);
        let pairs = || original.iter().zip(decoded).take(SEGMENT);
        let energy: f64 = pairs().map(|(o, _)| f64::from(*o).powi(2)).sum();
        if energy < QUIET * QUIET * SEGMENT as f64 {
            continue;
        }
        let error: f64 = pairs().map(|(o, d)| (f64::from(*o) - f64::from(*d)).powi(2)).sum();
        snr += (10.0 * (energy / error.max(1.0)).log10()).clamp(SNR.0, SNR.1);
        distance += spectral_distance(original, decoded);
        segments += 1.0;
    }
    Quality { segmental_snr_db: snr / segments, log_spectral_distance_db: distance / segments }
}

/// The delay, in samples, with which the decode is most like the original.
fn lag(original: &[i16], decoded: &[i16]) -> usize {
    let likeness = |lag: &usize| -> f64 {
        let pairs = original.iter().zip(&decoded[(*lag).min(decoded.len())..]).take(LAG_SAMPLES);
        pairs.map(|(o, d)| f64::from(*o) * f64::from(*d)).sum()
    };
    (0..MAX_LAG).max_by(|a, b| likeness(a).total_cmp(&likeness(b))).unwrap_or_default()
}

fn spectral_distance(original: &[i16], decoded: &[i16]) -> f64 {
    let [original, decoded] = [original, decoded].map(power_spectrum_db);
    let loudest = original.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let bounded = |level: f64| level.max(loudest - RANGE);
    let squares = original.iter().zip(&decoded).map(|(o, d)| (bounded(*o) - bounded(*d)).powi(2));
    (squares.sum::<f64>() / original.len() as f64).sqrt()
}

fn power_spectrum_db(pcm: &[i16]) -> Vec<f64> {
    let mut bins: Vec<(f64, f64)> = pcm
        .iter()
        .enumerate()
        .map(|(n, sample)| {
            let hann = 0.5 - 0.5 * (2.0 * PI * n as f64 / WINDOW as f64).cos();
            (hann * f64::from(*sample), 0.0)
        })
        .collect();
    transform(&mut bins);
    bins[..=WINDOW / 2].iter().map(|(re, im)| 10.0 * (re * re + im * im).max(1.0).log10()).collect()
}

/// Fourier transform of a power of two of values, by halves.
fn transform(values: &mut [(f64, f64)]) {
    let n = values.len();
    if n < 2 {
        return;
    }
    let mut even: Vec<_> = values.iter().step_by(2).copied().collect();
    let mut odd: Vec<_> = values.iter().skip(1).step_by(2).copied().collect();
    transform(&mut even);
    transform(&mut odd);
    for (k, ((er, ei), (or, oi))) in even.into_iter().zip(odd).enumerate() {
        let (sin, cos) = (-2.0 * PI * k as f64 / n as f64).sin_cos();
        let (tr, ti) = (or * cos - oi * sin, or * sin + oi * cos);
        values[k] = (er + tr, ei + ti);
        values[k + n / 2] = (er - tr, ei - ti);
    }
}
