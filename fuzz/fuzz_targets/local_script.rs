//! Scripts of the local realtime provider, as a user writes them.
#![no_main]

use clawvoice_voice::realtime::local::Script;

libfuzzer_sys::fuzz_target!(|text: &str| {
    let audio = |path: &str| match path {
        "missing.wav" => Err("no such file".to_owned()),
        _ => Ok(vec![0; 480]),
    };
    match Script::parse(text, audio) {
        Ok(script) => {
            for index in [0, 1, usize::MAX] {
                let _ = script.turn(index);
                let _ = script.refusal(index as u64);
                let _ = script.of_connection(index as u64);
            }
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
});
