//! Audio files that are to become voice messages. The first byte says what the file is called.
#![no_main]

use clawvoice_text::delivery::voice_message::{MOST_OGG_BYTES, MOST_SECONDS, VoiceMessage};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((name, bytes)) = data.split_first() else { return };
    let extension = (name & 1 == 0).then_some("ogg");
    let Ok(voice) = VoiceMessage::from_bytes(bytes.to_vec(), extension) else { return };
    assert!(voice.duration_centis > 0 && u64::from(voice.duration_centis) <= MOST_SECONDS * 100);
    assert!(voice.ogg.len() as u64 <= MOST_OGG_BYTES);
    assert_eq!(voice.waveform.points().len(), 256);
    // What was made is one that goes out as it is, and of the same length.
    let again = VoiceMessage::from_bytes(voice.ogg.clone(), Some("ogg"));
    let again = again.expect("our own file can be read");
    assert_eq!(again.ogg, voice.ogg);
    assert!(again.duration_centis.abs_diff(voice.duration_centis) <= 1);
});
