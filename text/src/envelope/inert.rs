//! Text of others that looks like an envelope, broken so that it is none.

use std::borrow::Cow;

use super::{
    marker::{Marker, NAME},
    sign::{Sign, bare, sign},
};

/// What breaks a word without being seen: ZERO WIDTH SPACE.
pub(super) const BREAK: char = '\u{200b}';

/// How often one line is broken at most. A line has one beginning and one end that can be signs.
const MOST_BREAKS: usize = 8;

/// A text in which nothing is a marker, a label, a hint or a header; [`super::strip()`] leaves it as
/// it is. Other text comes back unchanged.
pub(super) fn inert(text: &str, marker: &Marker) -> String {
    let text = unmarked(text, marker);
    let mut is_first = true;
    let lines = text.split('\n').map(|line| {
        let line = without_signs(line, is_first);
        is_first = is_first && line.trim().is_empty();
        line
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn without_signs(line: &str, is_first: bool) -> Cow<'_, str> {
    let mut line = Cow::Borrowed(line);
    for _ in 0..MOST_BREAKS {
        let at = match sign(&line, is_first) {
            None => break,
            Some(Sign::Part(part)) => part.start,
            Some(_) => line.find(bare(&line)).unwrap_or(0),
        };
        // Behind the first character: `[` stays `[`, but is not followed by what it needs.
        let after = line.get(at..).and_then(|rest| rest.chars().next()).map_or(0, char::len_utf8);
        line.to_mut().insert(at + after, BREAK);
    }
    line
}

/// A text without the word of the markers and without the code.
pub(super) fn unmarked(text: &str, marker: &Marker) -> String {
    broken(&broken(text, NAME), marker.code())
}

/// Each occurrence of `word`, however it is capitalised, broken in its middle.
fn broken(text: &str, word: &str) -> String {
    // ASCII alone changes its case, so places are the same in both.
    let (mut rest, lower, word) = (text, text.to_ascii_lowercase(), word.to_ascii_lowercase());
    let mut lower = lower.as_str();
    let mut whole = String::with_capacity(text.len());
    while let Some(at) = lower.find(&word) {
        // Whatever overlaps with the occurrence is looked for again behind the break.
        let (before, after) = rest.split_at(at + word.len() / 2);
        whole.push_str(before);
        whole.push(BREAK);
        lower = lower.split_at(before.len()).1;
        rest = after;
    }
    whole.push_str(rest);
    whole
}

/// A text in which no three backticks follow each other.
pub(super) fn unfenced(text: &str) -> String {
    let mut whole = String::with_capacity(text.len());
    let mut run = 0;
    for c in text.chars() {
        run = if c == '`' { run + 1 } else { 0 };
        if run == 3 {
            whole.push(BREAK);
            run = 1;
        }
        whole.push(c);
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fences() {
        assert_eq!(unfenced("`a` ``b``"), "`a` ``b``");
        assert_eq!(unfenced("```"), "``\u{200b}`");
        assert!(!unfenced(&"`".repeat(50)).contains("```"));
    }

    #[test]
    fn overlapping_codes_are_all_broken() {
        let marker = Marker::new([0; 16]);
        for zeros in 30..200 {
            let text = "0".repeat(zeros);
            assert!(!unmarked(&text, &marker).contains(marker.code()), "{zeros}");
        }
        assert_eq!(unmarked("clawvoice_CONTEXT", &marker), "clawvoic\u{200b}e_CONTEXT");
    }

    #[test]
    fn ordinary_text_is_left_as_it_is() {
        let marker = Marker::new([1; 16]);
        for text in ["", "hi\n\n  there\r\n", "```rust\nfn f() {}\n```", "[a](b) [Discord]", "ÄÖÜ"]
        {
            assert_eq!(inert(text, &marker), text);
        }
    }
}
