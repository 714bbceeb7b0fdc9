//! WAV files: those that a human of localcord speaks, and those of the local provider's scripts.
#![no_main]

use clawvoice_voice::realtime::local::read_wav;
use localcord::human::wav::read_stereo_48k;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(pcm) = read_stereo_48k(data) {
        // Two channels, and at most six times the rate of 8 kHz mono with two bytes a sample.
        assert!(pcm.len() % 2 == 0 && pcm.len() <= 6 * data.len(), "{} samples", pcm.len());
    }
    if let Ok(pcm) = read_wav(data) {
        // At most six times the rate of 4 kHz mono with one byte a sample.
        assert!(pcm.len() <= 6 * data.len() + 8, "{} samples", pcm.len());
    }
});
