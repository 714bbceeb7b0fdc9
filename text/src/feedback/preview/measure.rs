//! Lengths as Discord counts them: in UTF-16 units.

/// UTF-16 units of a text.
pub(super) fn utf16_len(text: &str) -> usize {
    text.chars().map(char::len_utf16).sum()
}

/// The longest beginning of at most so many UTF-16 units, in bytes; of a text that is not empty, at
/// least one character.
pub(super) fn utf16_floor(text: &str, units: usize) -> usize {
    let mut used = 0;
    for (index, char) in text.char_indices() {
        used += char.len_utf16();
        if used > units && index > 0 {
            return index;
        }
    }
    text.len()
}

/// The text in at most so many characters; what is cut off becomes `…`.
pub(super) fn ellipsized(text: &str, chars: usize) -> String {
    if text.chars().count() <= chars {
        return text.to_owned();
    }
    let kept: String = text.chars().take(chars.saturating_sub(1)).collect();
    format!("{}…", kept.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn surrogates_count_twice_and_are_never_split() {
        assert_eq!(utf16_len("a🦞é"), 4);
        assert_eq!(utf16_floor("a🦞é", 2), 1);
        assert_eq!(utf16_floor("a🦞é", 3), 5);
        assert_eq!(utf16_floor("a🦞é", 9), 7);
        assert_eq!(utf16_floor("🦞🦞", 1), 4, "something goes on");
        assert_eq!(utf16_floor("", 1), 0);
    }

    #[test]
    fn what_is_cut_off_is_seen_to_be() {
        assert_eq!(ellipsized("lobster", 7), "lobster");
        assert_eq!(ellipsized("lobsters", 7), "lobste…");
        assert_eq!(ellipsized("a lob ster", 7), "a lob…");
    }
}
