//! Recordings, and how much of one is in another.

use std::{io::Cursor, path::Path};

use localcord::{human::wav::read_stereo_48k, similarity::similarity};

/// "Stop, wait a moment please.", 1.8 s.
pub(crate) const INTERRUPT: &[u8] = include_bytes!("../../fixtures/audio/interrupt.wav");
/// "And what should I wear if I go outside tonight?", 2.7 s.
pub(crate) const SECOND: &[u8] = include_bytes!("../../fixtures/audio/second.wav");
/// "Hello there. Could you tell me what the weather is like today?", 3.3 s.
pub(crate) const ASK: &[u8] = include_bytes!("../../fixtures/audio/ask.wav");

/// The samples of a mono WAV at 24 kHz, as fixtures and the provider's recordings are.
pub(crate) fn samples(wav: &[u8]) -> Vec<i16> {
    let reader = hound::WavReader::new(Cursor::new(wav)).unwrap();
    let spec = reader.spec();
    assert_eq!((spec.channels, spec.sample_rate), (1, 24_000));
    reader.into_samples().map(Result::unwrap).collect()
}

/// A recording that the local provider has made.
pub(crate) fn recorded(folder: &Path, name: &str) -> Vec<u8> {
    std::fs::read(folder.join(name)).unwrap()
}

/// How much of `reference` is in `recording`, both 24 kHz WAVs.
pub(crate) fn likeness_24k(reference: &[u8], recording: &[u8]) -> f64 {
    similarity(&samples(reference), &samples(recording), 24_000).score
}

/// How much of `reference`, a WAV of any rate, is in what a human heard.
pub(crate) fn likeness_48k(reference: &[u8], heard: &[i16]) -> f64 {
    let stereo = read_stereo_48k(reference).unwrap();
    let left: Vec<i16> = stereo.iter().step_by(2).copied().collect();
    similarity(&left, heard, 48_000).score
}
