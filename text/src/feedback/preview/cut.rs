//! Where an answer that still grows is cut into pieces.

use clawvoice_config::BreakPreference;

use super::measure::utf16_floor;

/// A mark that opens a block of code: at most three spaces, then three or more backticks or tildes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fence {
    /// The marks alone, as they close the block.
    pub(super) marks: String,
    /// The whole opening line, without its end.
    pub(super) line: String,
}

impl Fence {
    fn opened_by(line: &str) -> Option<Self> {
        let line = line.trim_end();
        let inner = line.trim_start_matches(' ');
        let mark = inner.chars().next().filter(|mark| matches!(mark, '`' | '~'))?;
        let count = inner.chars().take_while(|char| *char == mark).count();
        let indented = line.len() - inner.len();
        // Backticks later in the line make it a piece of inline code.
        let inline = mark == '`' && inner.get(count..).is_some_and(|info| info.contains('`'));
        (count >= 3 && indented <= 3 && !inline)
            .then(|| Self { marks: mark.to_string().repeat(count), line: line.to_owned() })
    }

    fn is_closed_by(&self, line: &str) -> bool {
        let mark = self.marks.chars().next().unwrap_or('`');
        let inner = line.trim();
        inner.len() >= self.marks.len() && inner.chars().all(|char| char == mark)
    }
}

/// The block of code that is open at the end of the text.
pub(super) fn open_fence(text: &str) -> Option<Fence> {
    let mut open = None;
    for line in text.lines() {
        step(&mut open, line);
    }
    open
}

fn step(open: &mut Option<Fence>, line: &str) {
    match open {
        Some(fence) if fence.is_closed_by(line) => *open = None,
        Some(_) => {}
        None => *open = Fence::opened_by(line),
    }
}

/// Where a piece of `min` to `max` UTF-16 units may end, in bytes; `None` while it is worth waiting
/// for more text. As late as possible: at the preferred kind of place, and once there are `max`
/// units, at the next best one. Never inside a block of code, unless nothing else is left.
pub(super) fn cut(
    text: &str,
    min: usize,
    max: usize,
    preference: BreakPreference,
) -> Option<usize> {
    let longest = utf16_floor(text, max);
    let shortest = utf16_floor(text, min.min(max).saturating_sub(1));
    let found = Breaks::of(text, shortest, longest);
    let preferred = match preference {
        BreakPreference::Paragraph => found.paragraph,
        BreakPreference::Newline => found.line,
        BreakPreference::Sentence => found.sentence.max(found.line),
    };
    if preferred.is_some() || longest == text.len() {
        return preferred;
    }
    found.line.or(found.sentence).or(found.space).or(found.code_line).or(Some(longest))
}

/// The latest places of each kind in a stretch of the text.
#[derive(Debug, Default)]
struct Breaks {
    paragraph: Option<usize>,
    line: Option<usize>,
    sentence: Option<usize>,
    space: Option<usize>,
    /// The end of a line within a block of code.
    code_line: Option<usize>,
}

impl Breaks {
    /// Those after `shortest` and not after `longest`, in bytes.
    fn of(text: &str, shortest: usize, longest: usize) -> Self {
        let mut found = Self::default();
        let within = |at: usize| (at > shortest && at <= longest).then_some(at);
        let mut open = None;
        let mut start = 0;
        for line in text.split_inclusive('\n') {
            let was_open = open.is_some();
            step(&mut open, line);
            let end = start + line.len();
            if open.is_none() && line.ends_with('\n') {
                found.line = within(end).or(found.line);
                if line.trim().is_empty() {
                    found.paragraph = within(end).or(found.paragraph);
                }
            }
            if open.is_none() && !was_open {
                found.words(line, start, within);
            } else if open.is_some() && was_open && line.ends_with('\n') {
                found.code_line = within(end).or(found.code_line);
            }
            start = end;
        }
        found
    }

    fn words(&mut self, line: &str, start: usize, within: impl Fn(usize) -> Option<usize>) {
        let mut before = ' ';
        for (index, char) in line.char_indices() {
            if char.is_whitespace() {
                let at = within(start + index + char.len_utf8());
                self.space = at.or(self.space);
                if matches!(before, '.' | '!' | '?' | '。' | '！' | '？') {
                    self.sentence = at.or(self.sentence);
                }
            }
            before = char;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::feedback::preview::measure::utf16_len;

    #[test]
    fn the_preferred_place_or_none_until_it_is_full() {
        use BreakPreference::{Newline, Paragraph, Sentence};
        for (text, min, max, preference, expected) in [
            ("one\n\ntwo", 2, 80, Paragraph, Some("one\n\n")),
            ("one\n\ntwo\n\nthree", 2, 80, Paragraph, Some("one\n\ntwo\n\n")),
            ("one\n\ntwo", 6, 80, Paragraph, None),
            ("one\ntwo", 2, 80, Paragraph, None),
            ("one\ntwo", 2, 80, Newline, Some("one\n")),
            ("One. Two", 2, 80, Newline, None),
            ("One. Two", 2, 80, Sentence, Some("One. ")),
            ("One two", 2, 80, Sentence, None),
            ("one two three", 2, 9, Paragraph, Some("one two ")),
            ("One. two three", 2, 12, Paragraph, Some("One. ")),
            ("one\ntwo three", 2, 9, Paragraph, Some("one\n")),
            ("abcdefghij", 2, 4, Paragraph, Some("abcd")),
            ("🦞🦞🦞", 1, 3, Paragraph, Some("🦞")),
            ("", 1, 10, Sentence, None),
        ] {
            let at = cut(text, min, max, preference);
            assert_eq!(at.and_then(|at| text.get(..at)), expected, "{text:?}");
        }
    }

    #[test]
    fn blocks_of_code_stay_whole_unless_they_are_too_long() {
        let text = "Look:\n```rs\nlet a;\n\nlet b;\n```\nDone.";
        let at = cut(text, 2, 30, BreakPreference::Newline).unwrap();
        assert_eq!(&text[..at], "Look:\n");
        let at = cut(text, 2, 80, BreakPreference::Newline).unwrap();
        assert_eq!(&text[..at], "Look:\n```rs\nlet a;\n\nlet b;\n```\n");
        let code = "```\nabc def\nabc def\nabc def\n";
        assert_eq!(cut(code, 2, 10, BreakPreference::Paragraph), Some(10));
    }

    #[test]
    fn fences() {
        for (text, open) in [
            ("```rs\nlet a;", Some("```rs")),
            ("```rs\nlet a;\n```", None),
            ("~~~\n```\n", Some("~~~")),
            ("````\n```\n", Some("````")),
            ("   ```\n", Some("   ```")),
            ("    ```\n", None),
            ("```inline```", None),
            ("text ```", None),
        ] {
            let fence = open_fence(text);
            assert_eq!(fence.as_ref().map(|fence| fence.line.as_str()), open, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn a_cut_is_within_its_bounds(
            text in "[a-c🦞é .\n`~]{0,80}", min in 1_usize..30, max in 1_usize..40,
        ) {
            for preference in [BreakPreference::Paragraph, BreakPreference::Sentence] {
                let at = cut(&text, min, max, preference);
                if let Some(at) = at {
                    let piece = text.get(..at).unwrap();
                    prop_assert!(!piece.is_empty());
                    prop_assert!(utf16_len(piece) <= max.max(2));
                }
                if utf16_len(&text) > max.max(2) {
                    prop_assert!(at.is_some());
                }
            }
        }
    }
}
