//! The application behind a bot token.

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};

/// The id in the token's first part: the bot user's, which is the application's for every
/// application made since 2016. Used when Discord cannot be asked.
pub(crate) fn application_in(token: &str) -> Option<u64> {
    let token = token.trim();
    let token = token.strip_prefix("Bot ").unwrap_or(token);
    let first = token.split('.').next()?.trim_end_matches('=');
    let decoded = STANDARD_NO_PAD.decode(first).ok()?;
    let text = std::str::from_utf8(&decoded).ok()?;
    let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|id| plain && *id != 0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_first_part_is_read_as_text_never_as_a_number() {
        // 2^53 + 1, which a floating-point number cannot hold.
        let cases = [
            ("OTAwNzE5OTI1NDc0MDk5Mw.x.y", Some(9_007_199_254_740_993)),
            ("Bot OTAwNzE5OTI1NDc0MDk5Mw==.x.y", Some(9_007_199_254_740_993)),
            ("KzE.x.y", None),
            ("MA.x.y", None),
            ("secret", None),
            ("", None),
        ];
        for (token, id) in cases {
            assert_eq!(application_in(token), id, "{token}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(token in ".{0,60}") {
            let _ = application_in(&token);
        }
    }
}
