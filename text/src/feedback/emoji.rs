//! Emojis of reactions.

use std::fmt;

/// An emoji as a reaction's route takes it, before it is percent-encoded: the character itself, or
/// `name:id` of a guild's own. Source: Discord, "Create Reaction".
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Emoji(String);

impl Emoji {
    /// From what an operator writes: a character, `name:id`, `<:name:id>` or `<a:name:id>`.
    /// `None` if it is blank.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let text = text.trim();
        let inner = text.strip_prefix('<').and_then(|text| text.strip_suffix('>')).unwrap_or(text);
        // `a:name:id` is animated; the route takes it without the `a`.
        let parts: Vec<&str> = inner.split(':').collect();
        let own = match parts.as_slice() {
            ["" | "a", name, id] | [name, id] if is_own(name, id) => Some(format!("{name}:{id}")),
            _ => None,
        };
        let emoji = own.unwrap_or_else(|| text.to_owned());
        (!emoji.is_empty()).then_some(Self(emoji))
    }

    /// As the route takes it, not yet percent-encoded.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Emoji {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

fn is_own(name: &str, id: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    !name.is_empty() && name.chars().all(word) && id.parse::<u64>().is_ok_and(|id| id > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_written_form_becomes_what_the_route_takes() {
        for (written, expected) in [
            ("👀", Some("👀")),
            (" 👀 ", Some("👀")),
            ("claw:123", Some("claw:123")),
            ("<:claw:123>", Some("claw:123")),
            ("<a:claw:123>", Some("claw:123")),
            ("a:claw:123", Some("claw:123")),
            (":claw:123", Some("claw:123")),
            ("claw:x", Some("claw:x")),
            ("claw:0", Some("claw:0")),
            (":eyes:", Some(":eyes:")),
            ("", None),
            ("  ", None),
        ] {
            let emoji = Emoji::new(written);
            assert_eq!(emoji.as_ref().map(Emoji::as_str), expected, "{written:?}");
        }
    }
}
