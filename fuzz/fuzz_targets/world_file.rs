//! localcord's world files: every text is a world or one complaint with a place in the file.
#![no_main]

use localcord::world::State;

libfuzzer_sys::fuzz_target!(|text: &str| {
    match State::from_json5(text) {
        Ok(state) => {
            let _ = format!("{state:?}");
        }
        Err(error) => {
            assert!(!error.what.is_empty());
            assert!((1..=text.lines().count() + 1).contains(&error.line), "{error}");
            assert!((1..=text.chars().count() + 1).contains(&error.column), "{error}");
        }
    }
});
