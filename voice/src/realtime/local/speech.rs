//! Speech for a text: requests to speak something word for word, and a stand-in for a voice.

use std::f64::consts::TAU;

use serde_json::{Deserializer, Value};

use super::{SAMPLE_RATE, SAMPLES_PER_MS};

/// A word lasts this long in tones, and so long is the pause after it.
const WORD_MS: usize = 220;
const PAUSE_MS: usize = 60;

/// Fades of a tone, against clicks.
const FADE_MS: usize = 10;

/// Most words that are sounded; a longer text is cut, so that audio stays bounded (ten minutes).
const MAX_WORDS: usize = 2_000;

/// Whose voice speaks a text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Voice {
    /// One tone a word, the same for the same word: what tests compare.
    #[default]
    Tones,
    /// The owner of the session: it is asked by [`Output::Say`](super::Output::Say).
    Owner,
}

/// A tone of `ms` at `hertz`, 24 kHz mono, at a level that Opus carries well.
pub(super) fn tone(hertz: f64, ms: usize) -> Vec<i16> {
    let length = ms * SAMPLES_PER_MS;
    let fade = (FADE_MS * SAMPLES_PER_MS).min(length / 2).max(1);
    (0..length)
        .map(|n| {
            let edge = n.min(length - 1 - n).min(fade) as f64 / fade as f64;
            let phase = TAU * hertz * n as f64 / f64::from(SAMPLE_RATE);
            (phase.sin() * edge * 9_000.0) as i16
        })
        .collect()
}

/// A text as tones: each word is 220 ms of a pitch made from its letters, then 60 ms of silence.
pub(super) fn tones(text: &str) -> Vec<i16> {
    let mut samples = Vec::new();
    for word in text.split_whitespace().take(MAX_WORDS) {
        let sum = word.bytes().fold(0_u32, |sum, byte| sum.wrapping_mul(31) + u32::from(byte));
        samples.extend(tone(f64::from(220 + sum % 660), WORD_MS));
        samples.resize(samples.len() + PAUSE_MS * SAMPLES_PER_MS, 0);
    }
    samples
}

/// The text that a message wants spoken word for word: its longest JSON string literal, if the
/// message says "verbatim", "exactly", "exact" or "word for word" outside of it.
pub(super) fn exact_speech(message: &str) -> Option<String> {
    let mut wanted: Option<String> = None;
    let mut around = String::new();
    let mut rest = message;
    while let Some(quote) = rest.find('"') {
        around.push_str(&rest[..quote]);
        let from = &rest[quote..];
        let mut literals = Deserializer::from_str(from).into_iter::<Value>();
        match literals.next() {
            Some(Ok(Value::String(text))) => {
                rest = &from[literals.byte_offset()..];
                if wanted.as_ref().is_none_or(|longest| text.len() > longest.len()) {
                    wanted = Some(text);
                }
            }
            _ => rest = &from[1..],
        }
    }
    around.push_str(rest);
    let around = around.to_lowercase();
    let asks = ["verbatim", "exact", "word for word"].iter().any(|word| around.contains(word));
    wanted.filter(|text| asks && !text.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_quoted_text_is_found_with_its_escapes() {
        let text = "He said \"no\".\nThen he left.";
        let quoted = serde_json::to_string(text).expect("a text");
        let message = format!("Call no tool. Speak this text verbatim: {quoted}");
        assert_eq!(exact_speech(&message).as_deref(), Some(text));
        let message = format!("An \"exact\" answer follows; say exactly {quoted} and no more.");
        assert_eq!(exact_speech(&message).as_deref(), Some(text));
    }

    #[test]
    fn a_plain_message_is_no_request() {
        for message in [
            "",
            "What does \"exact\" mean?",
            "Speak verbatim.",
            "verbatim: \"\"",
            "verbatim: \"unfinished",
            "She said \"hello\" to me.",
        ] {
            assert_eq!(exact_speech(message), None, "{message}");
        }
    }

    #[test]
    fn a_word_has_its_own_tone_and_length() {
        let one = tones("alpha");
        assert_eq!(one.len(), (WORD_MS + PAUSE_MS) * SAMPLES_PER_MS);
        assert_eq!(tones("alpha beta alpha")[2 * one.len()..], one);
        assert_ne!(tones("alpha"), tones("beta"));
        assert_eq!(tones("  "), Vec::<i16>::new());
        assert!(one.iter().any(|sample| *sample > 8_000));
    }

    proptest! {
        #[test]
        fn any_message_is_survived(message: String) {
            let _ = exact_speech(&message);
        }

        #[test]
        fn any_text_comes_back(text in ".*[a-z].*") {
            let quoted = serde_json::to_string(&text).expect("a text");
            let message = format!("Say this word for word: {quoted}");
            prop_assert_eq!(exact_speech(&message), Some(text));
        }
    }
}
