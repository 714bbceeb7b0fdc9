//! WAV files as 24 kHz mono samples.

use std::io::Read;

use hound::{SampleFormat, WavReader};

use super::SAMPLE_RATE;
use crate::realtime::resample::resample;

/// Longest audio that is read: ten minutes.
const MAX_SECONDS: u32 = 600;

/// Why a WAV could not be used.
#[derive(Debug, thiserror::Error)]
pub enum WavError {
    /// Not a WAV, or a broken one.
    #[error("not a readable WAV file: {0}")]
    Format(#[from] hound::Error),
    /// Too long or with impossible figures.
    #[error("a WAV of {channels} channels at {rate} Hz and {samples} samples cannot be used")]
    Unusable {
        /// Channels.
        channels: u16,
        /// Samples per second and channel.
        rate: u32,
        /// Samples over all channels.
        samples: u32,
    },
}

/// Reads a WAV of 8 to 32 bit integers or 32 bit floats, mixes its channels to one and brings it
/// to 24 kHz.
///
/// # Errors
///
/// If it is no WAV, has no or more than 8 channels, or lasts over ten minutes.
pub fn read_wav(reader: impl Read) -> Result<Vec<i16>, WavError> {
    let mut wav = WavReader::new(reader)?;
    let spec = wav.spec();
    let samples = wav.len();
    let usable = (1..=8).contains(&spec.channels)
        && (4_000..=192_000).contains(&spec.sample_rate)
        && wav.duration() / spec.sample_rate.max(1) <= MAX_SECONDS;
    if !usable {
        let (channels, rate) = (spec.channels, spec.sample_rate);
        return Err(WavError::Unusable { channels, rate, samples });
    }
    let scaled: Vec<f32> = match spec.sample_format {
        SampleFormat::Float => {
            wav.samples::<f32>().map(|s| s.map(|s| s * 32_768.0)).collect::<Result<_, _>>()?
        }
        SampleFormat::Int => {
            let scale = 32_768.0 / 2f32.powi(i32::from(spec.bits_per_sample) - 1);
            wav.samples::<i32>().map(|s| s.map(|s| s as f32 * scale)).collect::<Result<_, _>>()?
        }
    };
    let channels = f32::from(spec.channels);
    let mono: Vec<i16> = scaled
        .chunks_exact(usize::from(spec.channels))
        .map(|frame| (frame.iter().sum::<f32>() / channels).round() as i16)
        .collect();
    Ok(resample(&mono, spec.sample_rate, SAMPLE_RATE))
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use hound::{WavSpec, WavWriter};
    use proptest::prelude::*;

    use super::*;

    fn wav(channels: u16, rate: u32, bits: u16, samples: &[i32]) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        let spec = WavSpec {
            channels,
            sample_rate: rate,
            bits_per_sample: bits,
            sample_format: SampleFormat::Int,
        };
        let mut writer = WavWriter::new(&mut bytes, spec).expect("a valid form");
        samples.iter().for_each(|s| writer.write_sample(*s).expect("memory is writable"));
        writer.finalize().expect("memory is writable");
        bytes.into_inner()
    }

    #[test]
    fn the_wire_form_is_taken_bit_for_bit() {
        let bytes = wav(1, 24_000, 16, &[0, 1, -1, 32_767, -32_768]);
        assert_eq!(read_wav(&bytes[..]).expect("valid"), [0, 1, -1, 32_767, -32_768]);
    }

    #[test]
    fn channels_are_mixed_and_depth_is_scaled() {
        let bytes = wav(2, 24_000, 24, &[256_000, 512_000]);
        assert_eq!(read_wav(&bytes[..]).expect("valid"), [1_500]);
        assert_eq!(read_wav(&wav(1, 48_000, 16, &[7; 480])[..]).expect("valid").len(), 240);
    }

    proptest! {
        #[test]
        fn no_bytes_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..200), header: bool) {
            if header {
                let mut whole = wav(1, 24_000, 16, &[1, 2, 3]);
                for (index, byte) in bytes.iter().take(44).enumerate() {
                    if byte % 5 == 0 {
                        whole[index] = *byte;
                    }
                }
                bytes = whole;
            }
            let _ = read_wav(&bytes[..]);
        }
    }
}
