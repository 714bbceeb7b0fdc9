//! The word by which the agent says that it has nothing to say.
//!
//! Source: OpenClaw, "Discord", silent replies.

use std::borrow::Cow;

/// Stands for no answer.
const TOKEN: &str = "NO_REPLY";

/// A text without the token; `None` if nothing else is in it.
///
/// A text that broke off within the token is silent too, as long as it is no word: `NO` is one.
pub(crate) fn without_token(text: &str) -> Option<Cow<'_, str>> {
    let core = bare(text);
    if core == TOKEN || (core.contains('_') && TOKEN.starts_with(core)) {
        return None;
    }
    let end = text.trim_end().trim_end_matches(is_emphasis);
    let Some(kept) = end.strip_suffix(TOKEN) else { return Some(Cow::Borrowed(text)) };
    let kept_words = kept.trim_end_matches(is_emphasis);
    // In the middle of a word or in code it is something that is talked about.
    if kept_words.ends_with(char::is_whitespace) {
        Some(Cow::Borrowed(kept_words.trim_end()))
    } else {
        Some(Cow::Borrowed(text))
    }
}

/// Whether a text that is still growing may turn out to be no answer, so that nothing of it should
/// be shown yet. So may one that is empty.
#[must_use]
pub fn may_become_silent(partial: &str) -> bool {
    TOKEN.starts_with(bare(partial))
}

/// Without white space and emphasis around it.
fn bare(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || c == '*')
}

fn is_emphasis(c: char) -> bool {
    c == '*'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_is_taken_out() {
        for text in ["NO_REPLY", " \nNO_REPLY\n", "**NO_REPLY**", "NO_", "NO_REP"] {
            assert_eq!(without_token(text), None, "{text:?}");
        }
        let cases = [
            ("Done.\n\nNO_REPLY", "Done."),
            ("Done. **NO_REPLY**\n", "Done."),
            ("NO", "NO"),
            ("_", "_"),
            ("N", "N"),
            ("", ""),
            ("NO_REPLY is the token", "NO_REPLY is the token"),
            ("say `NO_REPLY`", "say `NO_REPLY`"),
            ("xNO_REPLY", "xNO_REPLY"),
            ("no_reply", "no_reply"),
        ];
        for (text, kept) in cases {
            assert_eq!(without_token(text).as_deref(), Some(kept), "{text:?}");
        }
    }

    #[test]
    fn every_beginning_of_the_token_is_held_back() {
        for len in 0..=TOKEN.len() {
            assert!(may_become_silent(&TOKEN[..len]), "{len}");
        }
        for text in ["NOT", "No", "NO_REPLY, but", "Hello"] {
            assert!(!may_become_silent(text), "{text:?}");
        }
    }
}
