//! Fenced code: where it begins and where it ends.
//!
//! A fence is up to three spaces and at least three backticks or tildes; it lasts until a line of
//! as many of the same, or to the end of the text. Source: CommonMark, "Fenced code blocks".

use std::ops::Range;

/// The line that opens a fence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Opening<'t> {
    /// Up to three spaces.
    indent: &'t str,
    /// At least three backticks or tildes.
    marker: &'t str,
    /// What follows: the language.
    info: &'t str,
}

impl<'t> Opening<'t> {
    /// `None` if the line opens no fence.
    pub(crate) fn of(line: &'t str) -> Option<Self> {
        let (indent, marker, info) = run(line)?;
        // With a backtick behind it, it is code within a line.
        let is_inline = marker.starts_with('`') && info.contains('`');
        (marker.len() >= 3 && !is_inline).then_some(Self { indent, marker, info })
    }

    /// Whether a line ends the fence.
    pub(crate) fn is_closed_by(&self, line: &str) -> bool {
        run(line).is_some_and(|(_, marker, rest)| {
            marker.len() >= self.marker.len()
                && marker.as_bytes().first() == self.marker.as_bytes().first()
                && rest.trim().is_empty()
        })
    }

    /// The line without its language, which is also how the fence is closed.
    pub(crate) fn bare(&self) -> String {
        format!("{}{}", self.indent, self.marker)
    }

    /// Bytes of the marker.
    pub(crate) const fn marker_len(&self) -> usize {
        self.marker.len()
    }

    /// What follows the marker.
    pub(crate) const fn info(&self) -> &'t str {
        self.info
    }
}

/// Up to three spaces, a run of backticks or tildes, and the rest of the line.
fn run(line: &str) -> Option<(&str, &str, &str)> {
    let unindented = line.trim_start_matches(' ');
    let (indent, _) = line.split_at_checked(line.len() - unindented.len())?;
    let first = unindented.chars().next().filter(|first| matches!(first, '`' | '~'))?;
    let rest = unindented.trim_start_matches(first);
    let (marker, rest) = unindented.split_at_checked(unindented.len() - rest.len())?;
    (indent.len() <= 3).then_some((indent, marker, rest))
}

/// A block of fenced code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Block {
    /// The bytes of its first line.
    pub(crate) open: Range<usize>,
    /// The bytes of its last line; `None`: the text ends before it does.
    pub(crate) close: Option<Range<usize>>,
}

impl Block {
    /// The bytes from the first line to the last.
    pub(crate) fn range(&self, text: &str) -> Range<usize> {
        self.open.start..self.close.as_ref().map_or(text.len(), |close| close.end)
    }

    /// Whether a line that begins at `at` is inside: after the first line, and not after the last.
    pub(crate) fn holds(&self, at: usize) -> bool {
        self.open.start < at && self.close.as_ref().is_none_or(|close| at <= close.start)
    }

    /// The line that opens it.
    pub(crate) fn opening<'t>(&self, text: &'t str) -> Option<Opening<'t>> {
        Opening::of(text.get(self.open.clone())?)
    }
}

/// The blocks of a text, in order. Markers of more than `longest` bytes are text.
pub(crate) fn blocks(text: &str, longest: usize) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut open: Option<Opening<'_>> = None;
    for (line, range) in lines(text) {
        match open {
            Some(opening) if opening.is_closed_by(line) => {
                open = None;
                if let Some(block) = blocks.last_mut() {
                    block.close = Some(range);
                }
            }
            Some(_) => {}
            None => {
                open = Opening::of(line).filter(|opening| opening.marker_len() <= longest);
                if open.is_some() {
                    blocks.push(Block { open: range, close: None });
                }
            }
        }
    }
    blocks
}

/// The lines of a text without their ends, and where they are.
pub(crate) fn lines(text: &str) -> impl Iterator<Item = (&str, Range<usize>)> {
    let mut at = 0;
    text.split('\n').map(move |line| {
        let range = at..at + line.len();
        at = range.end + 1;
        (line, range)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_opens_a_fence() {
        let cases = [
            ("```", Some(("```", ""))),
            ("```rust", Some(("```", "rust"))),
            ("   ~~~~ a `b`", Some(("   ~~~~", " a `b`"))),
            ("    ```", None),
            ("``", None),
            ("```code```", None),
            ("text ```", None),
            ("", None),
        ];
        for (line, expected) in cases {
            let opening = Opening::of(line);
            let found = opening.map(|opening| (opening.bare(), opening.info));
            let expected = expected.map(|(bare, info)| (bare.to_owned(), info));
            assert_eq!(found, expected, "{line:?}");
        }
    }

    #[test]
    fn what_closes_it() {
        let four = Opening::of("~~~~x").unwrap();
        for (line, closes) in
            [("~~~~", true), (" ~~~~~ ", true), ("~~~", false), ("````", false), ("~~~~x", false)]
        {
            assert_eq!(four.is_closed_by(line), closes, "{line:?}");
        }
    }

    #[test]
    fn blocks_and_the_lines_inside() {
        let text = "a\n```rs\nx\n~~~\n```\nb\n~~~\ny";
        let found = blocks(text, usize::MAX);
        assert_eq!(
            found,
            [Block { open: 2..7, close: Some(14..17) }, Block { open: 20..23, close: None }]
        );
        assert_eq!(found[0].range(text), 2..17);
        assert_eq!(found[1].range(text), 20..text.len());
        let held: Vec<bool> = [2, 8, 14, 18].map(|at| found[0].holds(at)).into();
        assert_eq!(held, [false, true, true, false]);
        assert!(blocks("````\nx\n````", 3).is_empty());
    }
}
