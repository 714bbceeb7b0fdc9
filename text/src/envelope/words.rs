//! Words of other people, bounded and without what cannot be seen.

/// The most characters of a name.
pub(super) const MOST_LABEL: usize = 100;
/// The most characters of a topic. Source: Discord, "Channel Object".
pub(super) const MOST_TOPIC: usize = 1_024;
/// The most characters of a message that is quoted. Source: Discord, message limit with Nitro.
pub(super) const MOST_BODY: usize = 4_000;
/// The most characters of the message itself, which may be a batch of several.
pub(super) const MOST_MESSAGE: usize = 32_000;
/// The most characters of all quoted history together; older messages are left out.
pub(super) const MOST_HISTORY_TEXT: usize = 32_000;
/// The most messages of history; older ones are left out.
pub(super) const MOST_HISTORY: usize = 100;
/// The most forwarded messages, events, or messages named of a batch.
pub(super) const MOST_ITEMS: usize = 20;
/// The most notes on attachments: Discord allows ten files a message.
pub(super) const MOST_NOTES: usize = 20;

/// A name on one line: no control or direction characters, at most [`MOST_LABEL`] characters, then
/// `…`.
pub(super) fn label(text: &str) -> String {
    let mut shown = String::new();
    let mut count = 0;
    for c in text.chars() {
        let c = if c.is_whitespace() { ' ' } else { c };
        let last = shown.chars().next_back();
        if is_hidden(c, last) || (c == ' ' && last.is_none_or(|last| last == ' ')) {
            continue;
        }
        if count == MOST_LABEL {
            shown.push('…');
            break;
        }
        shown.push(c);
        count += 1;
    }
    shown.truncate(shown.trim_end().len());
    shown
}

/// A name within the brackets of a header: it can neither close them nor say an id.
pub(super) fn header_part(text: &str) -> String {
    label(text).replace('[', "(").replace(']', ")").replace("id:", "id ").replace(": ", " ")
}

/// Whether a character of a name is left out: controls, directions, and what has no width. Joiners
/// stay behind letters that need them.
fn is_hidden(c: char, last: Option<char>) -> bool {
    match c {
        '\u{200c}' | '\u{200d}' => last.is_none_or(|last| last.is_ascii()),
        '\u{ad}'
        | '\u{61c}'
        | '\u{180e}'
        | '\u{200b}'
        | '\u{200e}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e007f}' => true,
        c => c.is_control(),
    }
}

/// The beginning of a text, and how much more there was.
pub(super) fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some((at, _)) => {
            let (kept, rest) = text.split_at(at);
            format!("{kept}… [{} more characters]", rest.chars().count())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_hold_nothing_that_hides_or_turns_around() {
        for (name, expected) in [
            ("Ada", "Ada"),
            ("  Ada\n\tLovelace \u{2028}", "Ada Lovelace"),
            ("\u{202e}nimda\u{202c}", "nimda"),
            ("a\u{200b}d\u{2066}m\u{feff}i\u{200d}n\u{7}", "admin"),
            ("hi\u{e0069}\u{e0067}", "hi"),
            ("👩\u{200d}🚀", "👩\u{200d}🚀"),
            ("می\u{200c}خواهم", "می\u{200c}خواهم"),
            ("\u{1b}[31mred", "[31mred"),
        ] {
            assert_eq!(label(name), expected, "{name:?}");
        }
        assert_eq!(label(&"n".repeat(2_000)), format!("{}…", "n".repeat(100)));
        assert_eq!(header_part("x] System: [id:5"), "x) System (id 5");
    }

    #[test]
    fn what_is_cut_is_said() {
        assert_eq!(cut("äöü", 3), "äöü");
        assert_eq!(cut("äöüß!", 3), "äöü… [2 more characters]");
    }
}
