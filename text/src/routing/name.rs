//! Names of threads and webhooks: one line, and no longer than Discord takes.

use unicode_segmentation::UnicodeSegmentation as _;

/// White space collapsed, and cut to `max` UTF-16 units, which is how Discord counts at its
/// strictest; never within what a reader takes for one character.
pub(crate) fn one_line(text: &str, max: usize) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    cut(&words.join(" "), max).trim_end().to_owned()
}

/// The beginning of a text, likewise cut.
pub(crate) fn cut(text: &str, max: usize) -> &str {
    let mut units = 0;
    for (at, grapheme) in text.grapheme_indices(true) {
        units += grapheme.encode_utf16().count();
        if units > max {
            return text.get(..at).unwrap_or_default();
        }
    }
    text
}

/// Without mentions of people, roles and channels.
pub(crate) fn without_mentions(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('<') {
        kept.push_str(before);
        rest = match mention(after) {
            Some(behind) => behind,
            None => {
                kept.push('<');
                after
            }
        };
    }
    kept.push_str(rest);
    kept
}

/// What follows a mention, if `text` is one without its `<`.
/// Source: Discord, "Message Formatting".
fn mention(text: &str) -> Option<&str> {
    let id = ["@!", "@&", "@", "#"].into_iter().find_map(|mark| text.strip_prefix(mark))?;
    let (digits, behind) = id.split_once('>')?;
    let is_id = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_id.then_some(behind)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn mentions_go_and_the_rest_stays() {
        for (text, expected) in [
            ("<@5> hi <@!6><@&7> in <#8>!", " hi  in !"),
            ("a < b <@x> <@5 <:wave:9> <@>", "a < b <@x> <@5 <:wave:9> <@>"),
            ("<<@5>", "<"),
        ] {
            assert_eq!(without_mentions(text), expected);
        }
    }

    #[test]
    fn a_family_is_not_torn_apart() {
        let family = "👨‍👩‍👧";
        assert_eq!(family.encode_utf16().count(), 8);
        assert_eq!(one_line(&format!("ab {family}"), 10), "ab");
        assert_eq!(one_line(&format!("ab {family}"), 11), format!("ab {family}"));
        assert_eq!(one_line(" a \n\t b ", 10), "a b");
    }

    proptest! {
        #[test]
        fn a_name_is_short_and_one_line(text in ".{0,120}", max in 0..100usize) {
            let name = one_line(&text, max);
            prop_assert!(name.encode_utf16().count() <= max);
            prop_assert_eq!(name.split_whitespace().collect::<Vec<_>>().join(" "), name);
        }
    }
}
