//! The curve that clients draw beside the play button.
//!
//! Source: Discord, "Voice Messages": the base64 of a byte array, at most 256 points.

use std::f64::consts::TAU;

use base64::{Engine as _, engine::general_purpose::STANDARD};

/// Points of a curve.
const POINTS: usize = 256;

/// Samples per second of what [`Waveform::of`] looks at.
pub(super) const RATE_HZ: u32 = 8_000;

/// 256 loudnesses, from 0 to 255, over the whole recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waveform([u8; POINTS]);

impl Waveform {
    /// The mean amplitudes of 256 pieces of equal length; `None` without samples. Of less than 256
    /// samples each is a point, and silence follows; of more, up to 255 at the end are left over.
    #[must_use]
    pub fn of(samples: &[i16]) -> Option<Self> {
        if samples.is_empty() {
            return None;
        }
        let step = (samples.len() / POINTS).max(1);
        let mut points = [0; POINTS];
        for (point, piece) in points.iter_mut().zip(samples.chunks(step)) {
            let sum: f64 = piece.iter().map(|sample| f64::from(sample.unsigned_abs())).sum();
            #[allow(clippy::cast_precision_loss, reason = "a piece is far shorter than 2^52")]
            let mean = sum / piece.len() as f64;
            // 32768 / 32767 rounds to 255 as well; the cast is saturating.
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 255")]
            let loudness = (mean * 255.0 / 32_767.0).round().min(255.0) as u8;
            *point = loudness;
        }
        Some(Self(points))
    }

    /// What is drawn when the loudness cannot be measured: four waves.
    #[must_use]
    pub fn unmeasured() -> Self {
        let mut points = [0; POINTS];
        for (at, point) in points.iter_mut().enumerate() {
            #[allow(clippy::cast_precision_loss, reason = "below 256")]
            let turns = 4.0 * at as f64 / POINTS as f64;
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "64 to 192")]
            let loudness = (128.0 + 64.0 * (TAU * turns).sin()).round() as u8;
            *point = loudness;
        }
        Self(points)
    }

    /// The points.
    #[must_use]
    pub fn points(&self) -> &[u8] {
        &self.0
    }

    /// As it goes to Discord.
    #[must_use]
    pub fn to_base64(&self) -> String {
        STANDARD.encode(self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn loudness_is_the_mean_amplitude_of_each_piece() {
        // Two samples to a point: 0 and 32767 average to half; -32768 is not louder than all.
        let mut samples = vec![0; 512];
        samples[1] = i16::MAX;
        samples[2] = i16::MIN;
        samples[3] = i16::MIN;
        samples[511] = -257;
        let points = Waveform::of(&samples).unwrap();
        assert_eq!(points.points()[..3], [128, 255, 0]);
        assert_eq!(points.points()[255], 1);
    }

    #[test]
    fn short_recordings_end_in_silence_and_no_recording_has_a_curve_of_its_own() {
        let points = Waveform::of(&[i16::MAX; 3]).unwrap();
        assert_eq!(points.points()[..5], [255, 255, 255, 0, 0]);
        assert_eq!(Waveform::of(&[]), None);
        let waves = Waveform::unmeasured();
        // Peaks a quarter into each of the four periods of 64 points.
        let turns = [(0, 128), (16, 192), (32, 128), (48, 64), (64, 128), (80, 192), (240, 64)];
        for (at, height) in turns {
            assert_eq!(waves.points()[at], height, "{at}");
        }
    }

    proptest! {
        #[test]
        fn there_are_always_256_points_between_the_softest_and_the_loudest_sample(
            samples in proptest::collection::vec(any::<i16>(), 1..3_000)
        ) {
            let waveform = Waveform::of(&samples).unwrap();
            let bytes = STANDARD.decode(waveform.to_base64()).unwrap();
            prop_assert_eq!(bytes.len(), 256);
            let height = |amplitude: u16| f64::from(amplitude) * 255.0 / 32_767.0;
            let loudest = samples.iter().map(|sample| sample.unsigned_abs()).max().unwrap();
            let softest = samples.iter().map(|sample| sample.unsigned_abs()).min().unwrap();
            for (at, point) in bytes.iter().enumerate() {
                if at < samples.len() {
                    prop_assert!(f64::from(*point) <= height(loudest) + 0.5);
                    prop_assert!(f64::from(*point) >= height(softest).min(255.0) - 0.5);
                } else {
                    prop_assert_eq!(*point, 0);
                }
            }
        }
    }
}
