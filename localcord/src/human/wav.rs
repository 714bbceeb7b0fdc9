//! WAV in and out, and the way from any usual sample rate to the 48 kHz that Opus speaks.

use std::{f64::consts::PI, io::Cursor};

use hound::{SampleFormat, WavReader, WavSpec, WavWriter};

/// Samples per second and channel on the wire, Hz.
pub const SAMPLE_RATE: u32 = 48_000;

/// Longest WAV a human speaks, seconds.
const MAX_SECONDS: u32 = 600;

/// Input samples that one output sample is interpolated from.
const TAPS: usize = 32;

/// Why a WAV could not be used.
#[derive(Debug, thiserror::Error)]
pub enum WavError {
    /// Not a WAV file, cut short, or more than a WAV file can hold.
    #[error("not a usable WAV file: {0}")]
    Malformed(#[from] hound::Error),
    /// Something other than 16-bit integer PCM.
    #[error("expected 16-bit integer PCM, got {bits}-bit {format}")]
    Format {
        /// Bits per sample.
        bits: u16,
        /// `integer` or `float`.
        format: &'static str,
    },
    /// Neither mono nor stereo.
    #[error("expected one or two channels, got {0}")]
    Channels(u16),
    /// A sample rate outside 8 to 48 kHz.
    #[error("expected a sample rate of 8000 to 48000 Hz, got {0}")]
    Rate(u32),
    /// Longer than a human will speak at a stretch.
    #[error("longer than {MAX_SECONDS} seconds")]
    TooLong,
}

/// Reads a mono or stereo 16-bit WAV of 8 to 48 kHz as interleaved 48 kHz stereo.
///
/// # Errors
/// If it is not such a file.
pub fn read_stereo_48k(bytes: &[u8]) -> Result<Vec<i16>, WavError> {
    let reader = WavReader::new(Cursor::new(bytes))?;
    let spec = reader.spec();
    check(spec, reader.duration())?;
    let samples: Vec<i16> = reader.into_samples().collect::<Result<_, _>>()?;
    let channels: Vec<Vec<i16>> = (0..usize::from(spec.channels))
        .map(|channel| {
            let one: Vec<i16> =
                samples.iter().skip(channel).step_by(spec.channels.into()).copied().collect();
            resample_to_48k(&one, spec.sample_rate)
        })
        .collect();
    let (Some(left), Some(right)) = (channels.first(), channels.last()) else {
        return Ok(Vec::new());
    };
    Ok(left.iter().zip(right).flat_map(|(left, right)| [*left, *right]).collect())
}

fn check(spec: WavSpec, duration: u32) -> Result<(), WavError> {
    if spec.sample_format != SampleFormat::Int || spec.bits_per_sample != 16 {
        let format = match spec.sample_format {
            SampleFormat::Int => "integer",
            SampleFormat::Float => "float",
        };
        return Err(WavError::Format { bits: spec.bits_per_sample, format });
    }
    if !(1..=2).contains(&spec.channels) {
        return Err(WavError::Channels(spec.channels));
    }
    if !(8000..=SAMPLE_RATE).contains(&spec.sample_rate) {
        return Err(WavError::Rate(spec.sample_rate));
    }
    if duration / spec.sample_rate >= MAX_SECONDS {
        return Err(WavError::TooLong);
    }
    Ok(())
}

/// Writes mono 16-bit PCM as a WAV file.
///
/// # Errors
/// If it is more than the 4 GiB a WAV file can hold.
pub fn write_mono(pcm: &[i16], sample_rate: u32) -> Result<Vec<u8>, WavError> {
    let spec =
        WavSpec { channels: 1, sample_rate, bits_per_sample: 16, sample_format: SampleFormat::Int };
    let mut file = Cursor::new(Vec::with_capacity(44 + 2 * pcm.len()));
    let mut writer = WavWriter::new(&mut file, spec)?;
    for sample in pcm {
        writer.write_sample(*sample)?;
    }
    writer.finalize()?;
    Ok(file.into_inner())
}

/// Raises one channel to 48 kHz: windowed-sinc interpolation, one filter per phase.
fn resample_to_48k(pcm: &[i16], rate: u32) -> Vec<i16> {
    if rate == SAMPLE_RATE || pcm.is_empty() {
        return pcm.to_vec();
    }
    let divisor = greatest_common_divisor(rate, SAMPLE_RATE);
    let (up, down) = ((SAMPLE_RATE / divisor) as usize, (rate / divisor) as usize);
    let filters: Vec<[f32; TAPS]> = (0..up).map(|phase| filter(phase as f64 / up as f64)).collect();
    let samples = pcm.len() * up / down;
    (0..samples)
        .map(|n| {
            let (whole, phase) = (n * down / up, n * down % up);
            let sum: f32 = filters[phase]
                .iter()
                .enumerate()
                .map(|(tap, weight)| {
                    let at = (whole + tap + 1).checked_sub(TAPS / 2).and_then(|at| pcm.get(at));
                    weight * at.map_or(0.0, |sample| f32::from(*sample))
                })
                .sum();
            // The cast saturates, which is what a peak above full scale should do.
            sum.round() as i16
        })
        .collect()
}

/// The weights of the `TAPS` input samples around a point `fraction` of a sample after the
/// middle one: a sinc under a Hann window, scaled to pass a constant unchanged.
fn filter(fraction: f64) -> [f32; TAPS] {
    let half = (TAPS / 2) as f64;
    let weights: [f64; TAPS] = std::array::from_fn(|tap| {
        let x = tap as f64 + 1.0 - half - fraction;
        let sinc = if x.abs() < 1e-9 { 1.0 } else { (PI * x).sin() / (PI * x) };
        let window = if x.abs() < half { 0.5 + 0.5 * (PI * x / half).cos() } else { 0.0 };
        sinc * window
    });
    let sum: f64 = weights.iter().sum();
    weights.map(|weight| (weight / sum) as f32)
}

fn greatest_common_divisor(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(rate: u32, hz: f64, samples: usize) -> Vec<i16> {
        (0..samples)
            .map(|n| ((2.0 * PI * hz * n as f64 / f64::from(rate)).sin() * 12_000.0) as i16)
            .collect()
    }

    fn stereo_wav(rate: u32, interleaved: &[i16]) -> Vec<u8> {
        let spec = WavSpec {
            channels: 2,
            sample_rate: rate,
            bits_per_sample: 16,
            sample_format: SampleFormat::Int,
        };
        let mut file = Cursor::new(Vec::new());
        let mut writer = WavWriter::new(&mut file, spec).unwrap();
        for sample in interleaved {
            writer.write_sample(*sample).unwrap();
        }
        writer.finalize().unwrap();
        file.into_inner()
    }

    #[test]
    fn every_usual_rate_becomes_the_same_48_khz_tone() {
        for rate in [8000, 16_000, 22_050, 24_000, 44_100, 48_000] {
            let wav = write_mono(&tone(rate, 1000.0, rate as usize), rate).unwrap();
            let stereo = read_stereo_48k(&wav).unwrap();
            assert_eq!(stereo.len(), 96_000, "{rate} Hz");
            let expected = tone(SAMPLE_RATE, 1000.0, 48_000);
            // The filter reaches past both ends, so the edges are left out.
            for n in 1000..47_000 {
                let off = (i32::from(stereo[2 * n]) - i32::from(expected[n])).abs();
                assert!(off < 60, "{rate} Hz: off by {off} at sample {n}");
                assert_eq!(stereo[2 * n], stereo[2 * n + 1]);
            }
        }
    }

    #[test]
    fn stereo_stays_stereo() {
        let wav = stereo_wav(48_000, &[1, -1, 2, -2, 3, -3]);
        assert_eq!(read_stereo_48k(&wav).unwrap(), [1, -1, 2, -2, 3, -3]);
    }

    #[test]
    fn what_is_not_speech_is_refused() {
        assert!(matches!(read_stereo_48k(b"RIFF"), Err(WavError::Malformed(_))));
        let cut = &write_mono(&[0; 100], 24_000).unwrap()[..60];
        assert!(matches!(read_stereo_48k(cut), Err(WavError::Malformed(_))));
        let fast = write_mono(&[0; 100], 96_000).unwrap();
        assert!(matches!(read_stereo_48k(&fast), Err(WavError::Rate(96_000))));
        let long = write_mono(&vec![0; 8000 * 600], 8000).unwrap();
        assert!(matches!(read_stereo_48k(&long), Err(WavError::TooLong)));
    }

    #[test]
    fn an_empty_wav_is_silence_of_no_length() {
        assert!(read_stereo_48k(&write_mono(&[], 24_000).unwrap()).unwrap().is_empty());
    }

    proptest::proptest! {
        #[test]
        fn garbage_never_panics(bytes: Vec<u8>) {
            let _ = read_stereo_48k(&bytes);
        }

        #[test]
        fn a_damaged_file_never_panics(at in 0_usize..200, byte: u8) {
            let mut wav = write_mono(&[7; 100], 24_000).unwrap();
            wav[at] = byte;
            let _ = read_stereo_48k(&wav);
        }
    }
}
