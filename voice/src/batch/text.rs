//! From the agent's text to sentences that can be said.
//!
//! An answer comes in pieces. A sentence is let out as soon as the next one begins, so that it can
//! be said while the agent still writes.

use std::sync::LazyLock;

use regex::Regex;
use unicode_segmentation::UnicodeSegmentation as _;

/// Bytes of a sentence after which it is cut at a space, or anywhere if it has none.
const MAX_SENTENCE: usize = 400;

/// Bytes within which a directive must end; beyond that `[[` is text.
const MAX_DIRECTIVE: usize = 200;

/// `[[reply_to_current]]`, `[[audio_as_voice]]`, `[[tts:…]]` and the like: for the delivery of an
/// answer, not for ears.
static DIRECTIVE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\[\[[^\[\]]{0,200}\]\]").expect("the pattern is valid"));

/// Emoji with what belongs to them: variation selectors, keycaps, skin tones, flags, joiners.
static EMOJI: LazyLock<Regex> = LazyLock::new(|| {
    let pattern = "(?:[\\p{Extended_Pictographic}\\p{Emoji_Modifier}\\p{Regional_Indicator}\
                   \\u{FE0F}\\u{20E3}--[©®™]]\\u{200D}?)+";
    Regex::new(pattern).expect("the pattern is valid")
});

/// One answer, as its text comes in.
#[derive(Debug)]
pub(super) struct SpeechText {
    /// What people call the speaker who is answered; models put it in front of answers.
    label: String,
    pending: String,
    began: bool,
}

impl SpeechText {
    pub(super) fn new(label: &str) -> Self {
        Self { label: label.trim().to_owned(), pending: String::new(), began: false }
    }

    /// Takes the next piece; gives the sentences that it completes.
    pub(super) fn push(&mut self, piece: &str) -> Vec<String> {
        self.pending.push_str(piece);
        self.take(false)
    }

    /// No more comes; gives what is left.
    pub(super) fn finish(&mut self) -> Vec<String> {
        self.take(true)
    }

    fn take(&mut self, all: bool) -> Vec<String> {
        let settled = if all { self.pending.len() } else { settled(&self.pending) };
        let rest = self.pending.split_off(settled);
        let text = DIRECTIVE.replace_all(&self.pending, "").into_owned();
        let mut sentences = Vec::new();
        let mut open = String::new();
        let mut is_whole = false;
        for piece in text.split_sentence_bounds() {
            if is_whole {
                self.say(&std::mem::take(&mut open), &mut sentences);
            }
            // What follows one word may be the name to a title, or make more of "Yes.".
            is_whole = has_two_words(piece);
            open.push_str(piece);
            while open.len() > MAX_SENTENCE {
                let tail = open.split_off(cut(&open));
                self.say(&open, &mut sentences);
                open = tail;
            }
        }
        if all || (open.ends_with('\n') && is_whole) {
            self.say(&std::mem::take(&mut open), &mut sentences);
        }
        self.pending = open + &rest;
        sentences
    }

    fn say(&mut self, raw: &str, sentences: &mut Vec<String>) {
        let mut raw = raw.trim_start();
        if !self.began {
            raw = without_label(raw, &self.label);
        }
        let plain = EMOJI.replace_all(raw, " ");
        let words: Vec<&str> = plain.split_whitespace().collect();
        let sentence = words.join(" ");
        if sentence.chars().any(char::is_alphanumeric) {
            self.began = true;
            sentences.push(sentence);
        }
    }
}

/// How much of a text no later piece can change the meaning of: all before an open directive.
fn settled(text: &str) -> usize {
    let open = match text.rfind("[[") {
        Some(at) if !text.get(at..).unwrap_or_default().contains("]]") => Some(at),
        _ if text.ends_with('[') => Some(text.len() - 1),
        _ => None,
    };
    match open {
        Some(at) if text.len() - at <= MAX_DIRECTIVE => at,
        _ => text.len(),
    }
}

fn has_two_words(text: &str) -> bool {
    text.unicode_words().nth(1).is_some()
}

/// Where to cut a sentence that is too long: behind its last space within the limit.
fn cut(text: &str) -> usize {
    let limit = (0..=MAX_SENTENCE).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    let head = text.get(..limit).unwrap_or_default();
    let space = head.char_indices().rev().find(|(_, c)| c.is_whitespace());
    space.map_or(limit, |(at, c)| at + c.len_utf8()).max(1)
}

/// Without a leading `<label>:`, however it is capitalised.
fn without_label<'t>(text: &'t str, label: &str) -> &'t str {
    if label.is_empty() {
        return text;
    }
    let mut rest = text.chars();
    for wanted in label.chars() {
        if !rest.next().is_some_and(|c| c == wanted || c.to_lowercase().eq(wanted.to_lowercase())) {
            return text;
        }
    }
    rest.as_str().trim_start().strip_prefix(':').map_or(text, str::trim_start)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all(label: &str, pieces: &[&str]) -> Vec<String> {
        let mut text = SpeechText::new(label);
        let mut sentences: Vec<String> = pieces.iter().flat_map(|piece| text.push(piece)).collect();
        sentences.extend(text.finish());
        sentences
    }

    #[test]
    fn what_is_not_for_ears_is_left_out() {
        for (label, answer, said) in [
            ("Ada", "[[reply_to_current]] Ada: It is late.", vec!["It is late."]),
            ("Ada", "ADA : It is late.", vec!["It is late."]),
            ("Ada", "Adam: It is late.", vec!["Adam: It is late."]),
            ("", ": odd but said", vec![": odd but said"]),
            ("Ada", "Sunny today ☀️🌡️! Take 👩‍🚀 care 👍🏽 🇩🇪.", vec!["Sunny today !", "Take care ."]),
            ("Ada", "[[tts:voice=x]]One two.[[/tts]]", vec!["One two."]),
            (
                "Ada",
                "Prices © 2026: 3.50 each, #1 of 10.",
                vec!["Prices © 2026: 3.50 each, #1 of 10."],
            ),
            ("Ada", "[[audio_as_voice]] 👍", vec![]),
            ("Ada", " \n ", vec![]),
            ("Ada", "An array a[[0]] b", vec!["An array a b"]),
        ] {
            assert_eq!(all(label, &[answer]), said, "{answer:?}");
        }
    }

    #[test]
    fn a_sentence_is_let_out_when_the_next_one_begins() {
        let mut text = SpeechText::new("Ada");
        assert_eq!(text.push("It is 3.5 deg"), Vec::<String>::new());
        assert_eq!(text.push("rees outside. "), Vec::<String>::new());
        assert_eq!(text.push("Take"), ["It is 3.5 degrees outside."]);
        assert_eq!(text.push(" a coat.\n"), ["Take a coat."]);
        assert_eq!(text.push("Bye."), Vec::<String>::new());
        assert_eq!(text.finish(), ["Bye."]);
    }

    #[test]
    fn one_word_waits_for_company() {
        assert_eq!(all("", &["Yes. Dr. Who is here. Now."]), ["Yes. Dr. Who is here.", "Now."]);
    }

    #[test]
    fn a_directive_split_over_pieces_is_never_said() {
        let mut text = SpeechText::new("");
        assert_eq!(text.push("Fine by me. So be it. ["), ["Fine by me."]);
        assert_eq!(text.push("[reply_to_cur"), Vec::<String>::new());
        assert_eq!(text.push("rent]]"), Vec::<String>::new());
        assert_eq!(text.finish(), ["So be it."]);
    }

    #[test]
    fn an_open_bracket_does_not_hold_an_answer_back_for_ever() {
        let mut text = SpeechText::new("");
        let long = format!("Begin here [[{}", "word ".repeat(100));
        assert!(!text.push(&long).is_empty());
    }

    #[test]
    fn a_long_sentence_is_cut_at_a_space() {
        let long = "word ".repeat(200);
        let said = all("", &[&long]);
        assert!(said.iter().all(|sentence| sentence.len() <= MAX_SENTENCE));
        assert_eq!(said.join(" "), long.trim_end());
        let unbroken = "é".repeat(1_000);
        assert_eq!(all("", &[&unbroken]).concat(), unbroken);
    }

    proptest! {
        /// However an answer is cut into pieces, the same words are said.
        #[test]
        fn pieces_do_not_matter(
            answer in "([A-Za-z]{1,8}[.!?]?[ \n]|\\[\\[[a-z_]{0,9}\\]\\]|[éß]|👍){0,40}",
            cuts in proptest::collection::vec(0_usize..400, 0..6),
        ) {
            let mut at: Vec<usize> =
                cuts.into_iter().filter(|cut| answer.is_char_boundary(*cut)).collect();
            at.sort_unstable();
            let mut text = SpeechText::new("Ada");
            let mut said = Vec::new();
            let mut from = 0;
            for cut in at {
                said.extend(text.push(&answer[from..cut]));
                from = cut;
            }
            said.extend(text.push(&answer[from..]));
            said.extend(text.finish());
            prop_assert_eq!(said.join(" "), all("Ada", &[&answer]).join(" "));
        }
    }
}
