//! Speech that says who speaks and which frame it is: three tones in every 20 ms.
//!
//! The first tone is the speaker's, the other two write the frame's number modulo 256, so what a
//! decoder gives can be told apart frame by frame without looking into the decoder. Every frame
//! is encoded by an encoder that starts anew and predicts nothing: it needs nothing of the frame
//! before, which may be lost.

use std::{collections::HashMap, f64::consts::TAU, rc::Rc};

use opus2::{Application, Bitrate, Channels, Encoder};

/// Speakers that can be told apart.
pub const VOICES: usize = 16;
/// Frame numbers come again after this many: five seconds, longer than any frame is on its way.
pub const MARKS: u64 = 256;

/// Samples of a frame as it is encoded, 48 kHz.
const ENCODED_SAMPLES: usize = 960;
/// Samples of a frame as it is heard, 24 kHz.
const HEARD_SAMPLES: usize = 480;
/// Where the tones are measured in a heard frame: its first 2.5 ms are the encoder's lookahead,
/// and the rest up to here the overlap with it.
const MEASURED: std::ops::Range<usize> = 100..460;
/// A measured span's frequency step, Hz: tones at its multiples do not disturb each other.
const STEP_HZ: f64 = 24_000.0 / (MEASURED.end - MEASURED.start) as f64;
/// Each tone's peak; the three together stay below full scale.
const AMPLITUDE: f64 = 6_000.0;
/// Below this peak a tone is not there.
const FAINTEST: f64 = 1_500.0;
/// How far the tone of a band is above all others in it, at least.
const CONTRAST: f64 = 2.0;

/// Sixteen tones at every other step, far enough apart for the next not to be taken for it.
struct Band {
    first: usize,
}

const VOICE: Band = Band { first: 6 };
const HIGH_DIGIT: Band = Band { first: 42 };
const LOW_DIGIT: Band = Band { first: 78 };

impl Band {
    fn hz(&self, index: usize) -> f64 {
        (self.first + 2 * index) as f64 * STEP_HZ
    }

    /// Which of its tones sounds, if exactly one does.
    fn sounding(&self, pcm: &[i16]) -> Option<usize> {
        let mut peaks: Vec<(f64, usize)> =
            (0..16).map(|index| (peak(pcm, self.hz(index)), index)).collect();
        peaks.sort_by(|a, b| b.0.total_cmp(&a.0));
        let [(loudest, index), (second, _), ..] = peaks[..] else { return None };
        (loudest >= FAINTEST && loudest >= CONTRAST * second).then_some(index)
    }
}

/// What a frame says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Said {
    /// Whose tone it is, below [`VOICES`].
    pub voice: usize,
    /// The frame's number modulo [`MARKS`].
    pub mark: u64,
}

/// Why speech could not be made.
#[derive(Debug, thiserror::Error)]
#[error("opus: {0}")]
pub struct ToneError(#[from] opus2::Error);

/// Encoded frames, made when first asked for.
pub struct Tones {
    encoder: Encoder,
    made: HashMap<(usize, u64), Rc<[u8]>>,
}

impl Tones {
    /// Nothing is encoded yet.
    ///
    /// # Errors
    /// When libopus has no memory.
    pub fn new() -> Result<Self, ToneError> {
        // CELT only, and without prediction: no frame needs the one before it.
        let mut encoder = Encoder::new(48_000, Channels::Mono, Application::LowDelay)?;
        encoder.set_bitrate(Bitrate::Bits(96_000))?;
        encoder.set_vbr(false)?;
        encoder.set_complexity(1)?;
        encoder.set_prediction_disabled(true)?;
        Ok(Self { encoder, made: HashMap::new() })
    }

    /// The Opus packet of frame `number` in the voice with this index.
    ///
    /// # Errors
    /// When libopus refuses to encode.
    pub fn packet(&mut self, voice: usize, number: u64) -> Result<Rc<[u8]>, ToneError> {
        let mark = number % MARKS;
        if let Some(made) = self.made.get(&(voice, mark)) {
            return Ok(Rc::clone(made));
        }
        let (high, low) = ((mark / 16) as usize, (mark % 16) as usize);
        let tones = [VOICE.hz(voice % VOICES), HIGH_DIGIT.hz(high), LOW_DIGIT.hz(low)];
        let pcm: Vec<i16> = (0..ENCODED_SAMPLES)
            .map(|at| {
                let seconds = at as f64 / 48_000.0;
                let sum: f64 = tones.iter().map(|hz| (TAU * hz * seconds).sin()).sum();
                (AMPLITUDE * sum) as i16
            })
            .collect();
        self.encoder.reset_state()?;
        let packet: Rc<[u8]> = self.encoder.encode_vec(&pcm, 400)?.into();
        self.made.insert((voice, mark), Rc::clone(&packet));
        Ok(packet)
    }
}

/// What 20 ms at 24 kHz say; `None` if they are not one frame's tones.
#[must_use]
pub fn classify(pcm: &[i16]) -> Option<Said> {
    if pcm.len() != HEARD_SAMPLES {
        return None;
    }
    let measured = pcm.get(MEASURED)?;
    let voice = VOICE.sounding(measured)?;
    let high = HIGH_DIGIT.sounding(measured)?;
    let low = LOW_DIGIT.sounding(measured)?;
    Some(Said { voice, mark: (high * 16 + low) as u64 })
}

/// Whether nothing can be heard but the end of the frame before.
#[must_use]
pub fn is_quiet(pcm: &[i16]) -> bool {
    let behind = pcm.get(MEASURED.start..).unwrap_or(pcm);
    behind.iter().all(|sample| sample.unsigned_abs() < 1_000)
}

/// The peak of one tone in `pcm`, 24 kHz (Goertzel's algorithm).
#[must_use]
pub fn peak(pcm: &[i16], hz: f64) -> f64 {
    let coefficient = 2.0 * (TAU * hz / 24_000.0).cos();
    let (mut before, mut last) = (0.0, 0.0);
    for sample in pcm {
        let next = f64::from(*sample) + coefficient * last - before;
        before = last;
        last = next;
    }
    let power = last * last + before * before - coefficient * last * before;
    2.0 * power.max(0.0).sqrt() / pcm.len() as f64
}

#[cfg(test)]
mod tests {
    use opus2::Decoder;

    use super::*;

    fn decoder() -> Decoder {
        Decoder::new(24_000, Channels::Mono).unwrap()
    }

    #[test]
    fn every_voice_and_number_is_recognised_after_any_other_frame() {
        let (mut tones, mut decoder) = (Tones::new().unwrap(), decoder());
        let mut pcm = [0; HEARD_SAMPLES];
        for step in 0..512_u64 {
            let (voice, number) = ((step * 7 % 16) as usize, step * 37);
            let packet = tones.packet(voice, number).unwrap();
            decoder.decode(&packet, &mut pcm, false).unwrap();
            assert_eq!(classify(&pcm), Some(Said { voice, mark: number % MARKS }), "{step}");
        }
    }

    #[test]
    fn silence_and_noise_say_nothing() {
        assert!(is_quiet(&[0; HEARD_SAMPLES]));
        assert_eq!(classify(&[0; HEARD_SAMPLES]), None);
        let noise: Vec<i16> = (0..HEARD_SAMPLES as i64)
            .map(|at| (at * at * 7_919 % 20_011 - 10_000) as i16)
            .collect();
        assert_eq!(classify(&noise), None);
        assert!(!is_quiet(&noise));
    }
}
