//! Server events of a realtime provider, one per line, on one connection.
#![no_main]

use clawvoice_voice::realtime::{ServerEvent, openai::Decoder};

libfuzzer_sys::fuzz_target!(|text: &str| {
    let mut decoder = Decoder::new();
    let mut unreadable = 0;
    for line in text.lines() {
        match decoder.decode(line) {
            Ok((kind, event)) => {
                assert!(line.len() >= kind.len());
                match event {
                    // At most the odd byte of an earlier delta more than this line's base64.
                    ServerEvent::Audio(delta) => assert!(delta.pcm.len() <= line.len()),
                    ServerEvent::Error(failure) => {
                        let _ = failure.treatment();
                    }
                    _ => {}
                }
            }
            Err(error) => {
                unreadable += 1;
                assert!(!error.to_string().is_empty());
            }
        }
    }
    assert_eq!(decoder.stats().unreadable, unreadable);
});
