//! Words that only say "I am listening".

/// Said alone, or one after the other, they want no answer and no floor. English and what many
/// languages share; lower case without punctuation.
const BACKCHANNELS: [&str; 31] = [
    "ah", "aha", "ahh", "alright", "cool", "hm", "hmm", "hmmm", "huh", "mhm", "mhmm", "mm", "mmhm",
    "mmhmm", "mmm", "oh", "ok", "okay", "ooh", "right", "sure", "uh", "uhhuh", "uhuh", "um", "wow",
    "yah", "yea", "yeah", "yep", "yup",
];
/// More words than this are a sentence.
const MOST_WORDS: usize = 3;

/// Whether `text` is a backchannel and nothing else.
pub(super) fn is_backchannel(text: &str) -> bool {
    let mut count = 0;
    for word in text.split(|c: char| c.is_whitespace() || c == ',' || c == '.' || c == '!') {
        let plain: String =
            word.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
        if plain.is_empty() {
            continue;
        }
        count += 1;
        if count > MOST_WORDS || !BACKCHANNELS.contains(&plain.as_str()) {
            return false;
        }
    }
    count > 0 && !text.contains('?')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listening_is_told_from_talking() {
        for text in ["Mm-hmm.", "uh-huh", "Yeah", "yeah, yeah.", "Okay.", "Oh, wow!", "Mhm… right"]
        {
            assert!(is_backchannel(text), "{text}");
        }
        for text in [
            "stop",
            "no",
            "yeah but wait",
            "right?",
            "okay okay okay okay",
            "",
            "...",
            "what",
            "yes sir",
        ] {
            assert!(!is_backchannel(text), "{text}");
        }
    }
}
