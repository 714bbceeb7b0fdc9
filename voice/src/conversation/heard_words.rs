//! Which words of a text were heard, when so much of its sound was.

use unicode_segmentation::UnicodeSegmentation as _;

/// Samples that a letter takes to say, where the length of a text's sound is not known yet: 15
/// letters a second.
const SAMPLES_PER_LETTER: u64 = 1_600;

/// The length of a text's sound, of which `received` samples have come so far.
pub(crate) fn expected_samples(text: &str, received: u64) -> u64 {
    received.max(text.chars().count() as u64 * SAMPLES_PER_LETTER)
}

/// The whole words that `heard` of `total` samples of a sentence hold, as if all its letters took
/// the same time.
pub(crate) fn heard_words(text: &str, heard: u64, total: u64) -> &str {
    if total == 0 || heard >= total {
        return if total == 0 { "" } else { text };
    }
    let letters = text.chars().count() as u64;
    let reached = usize::try_from(letters * heard / total).unwrap_or(usize::MAX);
    let mut end = 0;
    let mut count = 0;
    for (at, word) in text.split_word_bound_indices() {
        count += word.chars().count();
        if count > reached {
            break;
        }
        end = at + word.len();
    }
    text.get(..end).unwrap_or_default().trim_end()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn heard_words_are_whole() {
        let text = "One two three four.";
        for (heard, words) in
            [(0, ""), (2, ""), (3, "One"), (8, "One two"), (18, "One two three four"), (19, text)]
        {
            assert_eq!(heard_words(text, heard, 19), words, "{heard}");
        }
        assert_eq!(heard_words(text, 5, 0), "");
    }

    #[test]
    fn what_is_not_all_there_takes_as_long_as_its_letters() {
        assert_eq!(expected_samples("abc", 0), 4_800);
        assert_eq!(expected_samples("abc", 9_000), 9_000);
    }

    proptest! {
        #[test]
        fn heard_words_are_a_beginning(text in ".{0,60}", heard in 0_u64..100, total in 0_u64..100) {
            prop_assert!(text.starts_with(heard_words(&text, heard, total)));
        }
    }
}
