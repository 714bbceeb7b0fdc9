//! Whether a sound has a pitch, as vowels have and coughs, keys and hisses have not; and whether it
//! glides, as it does in speech and not in music or hum.
//!
//! The normalised autocorrelation of the last 40 ms at 4 kHz, at its highest between 60 and 400 Hz:
//! near 1 for a vowel, below a half for noise. The period is where it is highest, to a fraction of a
//! sample by a parabola through its neighbours.

use crate::dsp::dot;

/// 24 kHz samples that are averaged into one.
const DECIMATION: usize = 6;
/// Samples of 40 ms at 4 kHz.
const WINDOW: usize = 160;
/// Periods that are tried, in samples at 4 kHz: 400 to 60 Hz.
const SHORTEST: usize = 10;
const LONGEST: usize = 66;

/// What the last 40 ms are like.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Pitch {
    /// How periodic they are, 0 to 1.
    pub(super) strength: f32,
    /// By which share the period differs from that of 20 ms before.
    pub(super) drift: f32,
}

/// One speaker's last 40 ms.
#[derive(Debug)]
pub(super) struct Voicing {
    window: [f32; WINDOW],
    /// The last period, in samples at 4 kHz.
    period: f32,
    /// Samples that do not fill one at 4 kHz yet.
    sum: f32,
    count: usize,
}

impl Voicing {
    pub(super) fn new() -> Self {
        Self { window: [0.0; WINDOW], period: 1.0, sum: 0.0, count: 0 }
    }

    /// Takes a piece of sound, 24 kHz mono, usually 20 ms.
    pub(super) fn push(&mut self, pcm: &[i16]) -> Pitch {
        let mut fresh = [0.0; WINDOW];
        let mut length = 0;
        // What is older than the window is of no interest.
        let recent = pcm.len().saturating_sub(WINDOW * DECIMATION);
        for sample in pcm.iter().skip(recent) {
            self.sum += f32::from(*sample);
            self.count += 1;
            if self.count == DECIMATION {
                if let Some(slot) = fresh.get_mut(length) {
                    *slot = self.sum / DECIMATION as f32;
                    length += 1;
                }
                (self.sum, self.count) = (0.0, 0);
            }
        }
        self.window.copy_within(length.., 0);
        let start = WINDOW - length;
        for (to, from) in self.window.iter_mut().skip(start).zip(fresh) {
            *to = from;
        }
        let (strength, period) = self.periodicity();
        let drift = (period / self.period - 1.0).abs();
        self.period = period;
        Pitch { strength, drift }
    }

    /// The strength of the strongest period, and that period.
    fn periodicity(&self) -> (f32, f32) {
        let mean = self.window.iter().sum::<f32>() / WINDOW as f32;
        let window = self.window.map(|sample| sample - mean);
        // Energy of the first n samples.
        let mut energy = [0.0; WINDOW + 1];
        for (index, sample) in window.iter().enumerate() {
            energy[index + 1] = energy[index] + sample * sample;
        }
        let total = energy[WINDOW];
        let mut correlation = [0.0_f32; LONGEST + 2];
        for (lag, value) in correlation.iter_mut().enumerate().skip(SHORTEST - 1) {
            let (early, late) = (energy[WINDOW - lag], total - energy[lag]);
            if early > WINDOW as f32 && late > WINDOW as f32 {
                let product = dot(&window[lag..], &window[..WINDOW - lag]);
                *value = product / (early * late).sqrt();
            }
        }
        let best = (SHORTEST..=LONGEST)
            .max_by(|a, b| correlation[*a].total_cmp(&correlation[*b]))
            .unwrap_or(SHORTEST);
        let (before, at, after) = (correlation[best - 1], correlation[best], correlation[best + 1]);
        let bend = before - 2.0 * at + after;
        let aside = if bend < -1e-6 { 0.5 * (before - after) / bend } else { 0.0 };
        (at.clamp(0.0, 1.0), best as f32 + aside.clamp(-0.5, 0.5))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::realtime::local::read_wav;

    fn pitches(pcm: &[i16]) -> Vec<Pitch> {
        let mut voicing = Voicing::new();
        pcm.chunks_exact(480).map(|frame| voicing.push(frame)).skip(2).collect()
    }

    fn periodicities(pcm: &[i16]) -> Vec<f32> {
        pitches(pcm).into_iter().map(|pitch| pitch.strength).collect()
    }

    /// Share of the pitched frames whose pitch moves.
    fn gliding(pcm: &[i16]) -> f32 {
        let pitched = pitches(pcm).into_iter().filter(|pitch| pitch.strength >= 0.75);
        let drifts: Vec<f32> = pitched.map(|pitch| pitch.drift).collect();
        let gliding = drifts.iter().filter(|drift| (0.006..0.1).contains(*drift)).count();
        gliding as f32 / drifts.len().max(1) as f32
    }

    #[test]
    fn speech_glides_and_a_held_note_does_not() {
        let bytes = include_bytes!("../../../fixtures/audio/ask.wav");
        assert!(gliding(&read_wav(&bytes[..]).unwrap()) > 0.4);
        let chord: Vec<i16> = (0..48_000)
            .map(|n| {
                let tone = |hz: f32| (n as f32 * hz * std::f32::consts::TAU / 24_000.0).sin();
                (4_000.0 * (tone(110.0) + tone(220.0) + tone(330.0))) as i16
            })
            .collect();
        assert!(gliding(&chord) < 0.02);
    }

    fn share(of: &[f32], above: f32) -> f32 {
        of.iter().filter(|value| **value >= above).count() as f32 / of.len() as f32
    }

    #[test]
    fn a_vowel_has_a_pitch_and_a_hiss_has_none() {
        for hz in [70.0, 120.0, 250.0, 380.0] {
            let tone: Vec<i16> = (0..24_000)
                .map(|n| {
                    (8_000.0 * (n as f32 * hz * std::f32::consts::TAU / 24_000.0).sin()) as i16
                })
                .collect();
            assert!(share(&periodicities(&tone), 0.9) > 0.99, "{hz} Hz");
        }
        let mut state = 1_u32;
        let hiss: Vec<i16> = (0..24_000)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 19) as i16 - 4_096
            })
            .collect();
        assert!(share(&periodicities(&hiss), 0.6) < 0.03);
        assert_eq!(share(&periodicities(&[0; 24_000]), 0.1), 0.0);
    }

    #[test]
    fn speech_is_mostly_voiced_and_a_cough_is_not() {
        let read = |bytes: &[u8]| read_wav(bytes).unwrap();
        let speech = read(include_bytes!("../../../fixtures/audio/second.wav"));
        let cough = read(include_bytes!("../../../fixtures/audio/cough.wav"));
        assert!(share(&periodicities(&speech), 0.6) > 0.6);
        assert_eq!(share(&periodicities(&cough), 0.6), 0.0);
    }

    #[test]
    fn the_size_of_the_pieces_matters_little() {
        let mut small = Voicing::new();
        let tone: Vec<i16> =
            (0..4_800).map(|n| (8_000.0 * (n as f32 * 0.05).sin()) as i16).collect();
        let last = tone.chunks(7).map(|piece| small.push(piece).strength).last().unwrap();
        let whole = Voicing::new().push(&tone).strength;
        assert!((last - whole).abs() < 0.02, "{last} {whole}");
    }
}
