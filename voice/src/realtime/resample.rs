//! Sample rate conversion: 24 → 16 kHz as a stream, any rate once for WAV files.

use std::f32::consts::PI;

use crate::dsp::dot;

/// Taps of each of the two phases. 32 at 24 kHz put the stop band 70 dB down from 8.8 kHz on.
const TAPS: usize = 32;

/// Where the pass band ends, in Hz: a little under the 8 kHz that 16 kHz audio can hold.
const CUTOFF_HZ: f32 = 7_400.0;

/// 24 → 16 kHz by a two-phase filter: up by 2, low-pass at 48 kHz, down by 3.
///
/// Of every three input samples the first and the second give an output. Delay 0.65 ms.
#[derive(Debug)]
pub(crate) struct To16k {
    phases: [[f32; TAPS]; 2],
    /// The inputs, each twice, so that the last ones stand in a row wherever they begin.
    history: [f32; 2 * TAPS],
    /// Where the newest stands; older ones follow.
    newest: usize,
    position: u8,
}

impl To16k {
    pub(crate) fn new() -> Self {
        let mut phases = [[0.0; TAPS]; 2];
        let length = 2 * TAPS;
        let middle = (length - 1) as f32 / 2.0;
        for tap in 0..length {
            // 2 × for the zeros that going up by 2 puts between samples.
            let value = 2.0 * low_pass(tap as f32 - middle, CUTOFF_HZ / 48_000.0, middle + 0.5);
            phases[tap % 2][tap / 2] = value;
        }
        Self { phases, history: [0.0; 2 * TAPS], newest: 0, position: 0 }
    }

    /// The output this sample completes, if any.
    pub(crate) fn push(&mut self, sample: i16) -> Option<i16> {
        self.newest = (self.newest + TAPS - 1) % TAPS;
        self.history[self.newest] = f32::from(sample);
        self.history[self.newest + TAPS] = f32::from(sample);
        let phase = self.position;
        self.position = (phase + 1) % 3;
        let taps = self.phases.get(usize::from(phase))?;
        let sum = dot(taps, self.history.get(self.newest..self.newest + TAPS)?);
        // A float-to-integer cast saturates.
        Some(sum.round() as i16)
    }
}

/// The whole of `input` at another rate, by a windowed sinc of 24 zero crossings a side.
pub(super) fn resample(input: &[i16], from_hz: u32, to_hz: u32) -> Vec<i16> {
    if from_hz == to_hz || from_hz == 0 {
        return input.to_vec();
    }
    let ratio = f64::from(to_hz) / f64::from(from_hz);
    let cutoff = (0.5 * ratio.min(1.0) * 0.92) as f32;
    let half = 12.0 / cutoff;
    let length = (input.len() as f64 * ratio).round() as usize;
    let at = |index: i64| {
        usize::try_from(index)
            .ok()
            .and_then(|index| input.get(index))
            .map_or(0.0, |s| f32::from(*s))
    };
    (0..length)
        .map(|output| {
            let centre = output as f64 / ratio;
            let (first, last) = (
                (centre - f64::from(half)).ceil() as i64,
                (centre + f64::from(half)).floor() as i64,
            );
            let sum: f32 = (first..=last)
                .map(|index| at(index) * low_pass((index as f64 - centre) as f32, cutoff, half))
                .sum();
            sum.round() as i16
        })
        .collect()
}

/// A low-pass kernel: sinc under a Blackman window. `cutoff` in cycles per sample, `half` is where
/// the window ends, in samples from the middle.
fn low_pass(x: f32, cutoff: f32, half: f32) -> f32 {
    let sinc = if x.abs() < 1e-6 { 2.0 * cutoff } else { (2.0 * PI * cutoff * x).sin() / (PI * x) };
    let phase = PI * x / half;
    sinc * (0.42 + 0.5 * phase.cos() + 0.08 * (2.0 * phase).cos())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(hz: f64, rate: u32, samples: usize) -> Vec<i16> {
        let step = std::f64::consts::TAU * hz / f64::from(rate);
        (0..samples).map(|n| (8_000.0 * (step * n as f64).sin()).round() as i16).collect()
    }

    /// Level of the middle of a signal, in dB of the amplitude 8,000.
    fn level(samples: &[i16]) -> f32 {
        let middle = &samples[samples.len() / 4..samples.len() * 3 / 4];
        let power: f32 =
            middle.iter().map(|s| f32::from(*s).powi(2)).sum::<f32>() / middle.len() as f32;
        10.0 * (power.max(1e-9) / (8_000.0f32.powi(2) / 2.0)).log10()
    }

    #[test]
    fn the_stream_keeps_speech_and_stops_what_would_fold() {
        for (hz, least, most) in [
            (100.0, -0.1, 0.1),
            (3_000.0, -0.1, 0.1),
            (6_000.0, -0.6, 0.1),
            (9_500.0, -200.0, -60.0),
            (11_500.0, -200.0, -60.0),
        ] {
            let mut stream = To16k::new();
            let out: Vec<i16> =
                tone(hz, 24_000, 24_000).into_iter().filter_map(|s| stream.push(s)).collect();
            assert_eq!(out.len(), 16_000);
            let level = level(&out);
            assert!(level > least && level < most, "{hz} Hz came out at {level} dB");
        }
    }

    #[test]
    fn files_of_other_rates_keep_length_and_level() {
        for rate in [8_000, 16_000, 22_050, 44_100, 48_000] {
            let out = resample(&tone(1_000.0, rate, rate as usize), rate, 24_000);
            assert_eq!(out.len(), 24_000, "{rate}");
            assert!(level(&out).abs() < 0.1, "{rate} Hz came out at {} dB", level(&out));
        }
        let folding = resample(&tone(15_000.0, 48_000, 48_000), 48_000, 24_000);
        assert!(level(&folding) < -60.0, "{} dB", level(&folding));
    }
}
