//! Discord's markup, as far as it says what is a mention: code and escapes are none.

use std::ops::Range;

/// A mention in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    /// `<@id>` or `<@!id>`.
    User(u64),
    /// `<@&id>`.
    Role(u64),
}

/// The mentions in a text, outside of code and unescaped, with the bytes they take up.
pub(crate) fn tokens(text: &str) -> Tokens<'_> {
    Tokens { text, at: if text.contains("<@") { 0 } else { text.len() } }
}

/// See [`tokens`].
pub(crate) struct Tokens<'t> {
    text: &'t str,
    at: usize,
}

impl Iterator for Tokens<'_> {
    type Item = (Range<usize>, Token);

    fn next(&mut self) -> Option<Self::Item> {
        while let Some(rest) = self.text.get(self.at..).filter(|rest| !rest.is_empty()) {
            let begin = self.at;
            self.at += match rest.as_bytes().first() {
                // A backslash takes what follows along, whatever it is.
                Some(b'\\') => 1 + rest.chars().nth(1).map_or(0, char::len_utf8),
                Some(b'`') => code(rest),
                Some(b'<') => match token(rest) {
                    Some((token, length)) => {
                        self.at += length;
                        return Some((begin..self.at, token));
                    }
                    None => 1,
                },
                _ => rest.find(['\\', '`', '<']).unwrap_or(rest.len()),
            };
        }
        None
    }
}

/// Bytes of the code that begins here: up to as many backticks as it begins with. Without those
/// the backticks are just letters.
fn code(text: &str) -> usize {
    let fence = text.bytes().take_while(|byte| *byte == b'`').count();
    let mut at = fence;
    while let Some(next) = text.get(at..).and_then(|rest| rest.find('`')) {
        at += next;
        let run = text.bytes().skip(at).take_while(|byte| *byte == b'`').count();
        at += run;
        if run == fence {
            return at;
        }
    }
    fence
}

fn token(text: &str) -> Option<(Token, usize)> {
    let rest = text.strip_prefix("<@")?;
    let (id, _) = rest.split_once('>')?;
    let length = "<@".len() + id.len() + ">".len();
    let number = |digits: &str| {
        // No id is written with a leading zero.
        let plain = digits.len() <= 20
            && !digits.starts_with('0')
            && digits.bytes().all(|byte| byte.is_ascii_digit());
        digits.parse().ok().filter(|_| plain)
    };
    let token = match id.strip_prefix('&') {
        Some(role) => Token::Role(number(role)?),
        None => Token::User(number(id.strip_prefix('!').unwrap_or(id))?),
    };
    Some((token, length))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<Token> {
        tokens(text).map(|(_, token)| token).collect()
    }

    #[test]
    fn code_and_escapes_mention_nobody() {
        for (text, expected) in [
            ("hi <@5>, <@!6> and <@&7>", &[Token::User(5), Token::User(6), Token::Role(7)][..]),
            ("`<@5>`", &[]),
            ("``a ` <@5>`` <@6>", &[Token::User(6)]),
            ("```rust\n<@5>\n```<@6>", &[Token::User(6)]),
            (r"\<@5> \\<@6>", &[Token::User(6)]),
            (r"\`<@5>`", &[Token::User(5)]),
            ("`<@5> is not closed", &[Token::User(5)]),
            ("<@> <@x> <@5 <@-5> <@05> <#5> <@999999999999999999999>", &[]),
            ("<<@5>>", &[Token::User(5)]),
            ("日本<@5>\\", &[Token::User(5)]),
        ] {
            assert_eq!(found(text), expected, "{text}");
        }
        assert_eq!(tokens("é <@5>!").next().map(|(range, _)| range), Some(3..7));
    }

    proptest::proptest! {
        #[test]
        fn any_text_can_be_read(text in "[<@!&>0-9`\\\\ a日]{0,60}") {
            for (range, _) in tokens(&text) {
                assert!(text[range].starts_with("<@"));
            }
        }
    }
}
