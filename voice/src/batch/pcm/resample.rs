//! Any usual sample rate to 24 kHz, as a stream: the filter's state goes from piece to piece, so
//! there is no click between them.

use std::f64::consts::PI;

/// The rate of everything said, Hz.
pub(super) const RATE: u32 = 24_000;

/// Zero crossings of the sinc on each side.
const CROSSINGS: f64 = 12.0;

/// The pass band's end, as part of the lower of the two Nyquist frequencies.
const PASS: f64 = 0.92;

/// Phases of the filter; rates that need more have no simple ratio to 24 kHz.
const MAX_PHASES: u32 = 640;

/// A polyphase windowed-sinc converter.
#[derive(Debug)]
pub(super) struct Resampler {
    /// Outputs for every `down` inputs.
    up: usize,
    down: usize,
    half: usize,
    /// `up` phases of `2 * half` taps.
    taps: Vec<f32>,
    buffer: Vec<f32>,
    /// Index in the buffer of the last input at or before the next output.
    at: usize,
    phase: usize,
    received: u64,
    given: u64,
}

impl Resampler {
    /// From `from_hz`; `None` for a rate that no synthesizer has.
    pub(super) fn new(from_hz: u32) -> Option<Self> {
        if !(4_000..=192_000).contains(&from_hz) {
            return None;
        }
        let common = gcd(from_hz, RATE);
        let (up, down) = (RATE / common, from_hz / common);
        if up > MAX_PHASES {
            return None;
        }
        let ratio = f64::from(RATE) / f64::from(from_hz);
        let cutoff = 0.5 * ratio.min(1.0) * PASS;
        let half = (CROSSINGS / (2.0 * cutoff)).ceil() as usize;
        let taps = (0..up).flat_map(|phase| phase_taps(phase, up, half, cutoff)).collect();
        Some(Self {
            up: up as usize,
            down: down as usize,
            half,
            taps,
            buffer: vec![0.0; half - 1],
            at: half - 1,
            phase: 0,
            received: 0,
            given: 0,
        })
    }

    /// Converts the next piece.
    pub(super) fn push(&mut self, samples: &[i16], out: &mut Vec<i16>) {
        self.received += samples.len() as u64;
        self.buffer.extend(samples.iter().map(|sample| f32::from(*sample)));
        self.convert(u64::MAX, out);
    }

    /// Gives what the filter still holds.
    pub(super) fn finish(&mut self, out: &mut Vec<i16>) {
        self.buffer.resize(self.buffer.len() + self.half, 0.0);
        let whole = (self.received * self.up as u64).div_ceil(self.down as u64);
        self.convert(whole, out);
    }

    fn convert(&mut self, until: u64, out: &mut Vec<i16>) {
        let width = 2 * self.half;
        while self.at + self.half < self.buffer.len() && self.given < until {
            let first = self.at + 1 - self.half;
            let inputs = self.buffer.get(first..first + width).unwrap_or_default();
            let taps = self.taps.get(self.phase * width..(self.phase + 1) * width);
            let products = inputs.iter().zip(taps.unwrap_or_default());
            let sum: f32 = products.map(|(input, tap)| input * tap).sum();
            // A float-to-integer cast saturates.
            out.push(sum.round() as i16);
            self.given += 1;
            self.phase += self.down;
            self.at += self.phase / self.up;
            self.phase %= self.up;
        }
        let used = (self.at + 1 - self.half).min(self.buffer.len());
        self.buffer.drain(..used);
        self.at -= used;
    }
}

/// The taps for an output that is `phase / up` of an input behind the one at its left; their sum
/// is 1.
fn phase_taps(phase: u32, up: u32, half: usize, cutoff: f64) -> Vec<f32> {
    let fraction = f64::from(phase) / f64::from(up);
    let reach = half as f64;
    let taps: Vec<f64> = (0..2 * half)
        .map(|tap| {
            let distance = tap as f64 - (reach - 1.0) - fraction;
            let x = 2.0 * cutoff * distance;
            let sinc = if x.abs() < 1e-9 { 1.0 } else { (PI * x).sin() / (PI * x) };
            let window = 0.5 + 0.5 * (PI * distance / reach).cos();
            if distance.abs() < reach { sinc * window } else { 0.0 }
        })
        .collect();
    let sum: f64 = taps.iter().sum();
    taps.into_iter().map(|tap| (tap / sum) as f32).collect()
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tone(hz: f64, rate: u32, seconds: f64) -> Vec<i16> {
        let count = (f64::from(rate) * seconds) as usize;
        (0..count)
            .map(|n| (10_000.0 * (2.0 * PI * hz * n as f64 / f64::from(rate)).sin()) as i16)
            .collect()
    }

    fn convert(rate: u32, pieces: &[&[i16]]) -> Vec<i16> {
        let mut resampler = Resampler::new(rate).unwrap();
        let mut out = Vec::new();
        for piece in pieces {
            resampler.push(piece, &mut out);
        }
        resampler.finish(&mut out);
        out
    }

    #[test]
    fn a_tone_stays_the_same_tone() {
        for rate in [8_000, 11_025, 16_000, 22_050, 44_100, 48_000] {
            let out = convert(rate, &[&tone(1_000.0, rate, 1.0)]);
            assert_eq!(out.len(), 24_000, "{rate}");
            let wanted = tone(1_000.0, RATE, 1.0);
            let middle = 600..23_400;
            let error = out[middle.clone()]
                .iter()
                .zip(&wanted[middle])
                .map(|(a, b)| (i32::from(*a) - i32::from(*b)).abs())
                .max();
            assert!(error < Some(60), "{rate} Hz: off by {error:?}");
        }
    }

    #[test]
    fn what_24_khz_cannot_hold_does_not_fold_back() {
        let out = convert(48_000, &[&tone(15_000.0, 48_000, 0.5)]);
        let peak = out[600..11_400].iter().map(|s| s.unsigned_abs()).max();
        assert!(peak < Some(60), "{peak:?}");
    }

    #[test]
    fn odd_rates_are_refused() {
        for rate in [0, 100, 22_223, 200_000] {
            assert!(Resampler::new(rate).is_none(), "{rate}");
        }
    }

    proptest! {
        #[test]
        fn pieces_do_not_matter(cuts in proptest::collection::vec(0_usize..4_410, 0..8)) {
            let input = tone(440.0, 22_050, 0.2);
            let mut cuts = cuts;
            cuts.push(input.len());
            cuts.sort_unstable();
            let mut pieces = Vec::new();
            let mut from = 0;
            for cut in cuts {
                pieces.push(&input[from..cut]);
                from = cut;
            }
            prop_assert_eq!(convert(22_050, &pieces), convert(22_050, &[&input]));
        }
    }
}
