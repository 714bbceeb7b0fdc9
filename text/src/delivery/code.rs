//! Which parts of a text are code: what stands there means only itself.

use std::{collections::HashMap, ops::Range};

use super::fence::{self, Block};

/// Code within a paragraph, between equal runs of backticks.
///
/// Source: CommonMark, "Code spans". One of three or more backticks that goes over several lines
/// does not count: it is a fence that something went wrong with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    /// Its bytes, backticks included.
    pub(crate) range: Range<usize>,
    /// How many backticks it has on either side.
    pub(crate) ticks: usize,
}

impl Span {
    /// What is between the backticks.
    pub(crate) const fn content(&self) -> Range<usize> {
        self.range.start + self.ticks..self.range.end - self.ticks
    }
}

/// The code of a text.
#[derive(Clone, Debug, Default)]
pub(crate) struct Code {
    ranges: Vec<Range<usize>>,
}

impl Code {
    /// Of a text.
    pub(crate) fn of(text: &str) -> Self {
        let blocks = fence::blocks(text, usize::MAX);
        let spans = spans(text, &blocks);
        let mut ranges: Vec<_> = blocks.iter().map(|block| block.range(text)).collect();
        ranges.extend(spans.into_iter().map(|span| span.range));
        ranges.sort_by_key(|range| range.start);
        Self { ranges }
    }

    /// Whether the byte at `at` is code.
    pub(crate) fn covers(&self, at: usize) -> bool {
        let before = self.ranges.partition_point(|range| range.start <= at);
        let last = before.checked_sub(1).and_then(|last| self.ranges.get(last));
        last.is_some_and(|range| at < range.end)
    }
}

/// A run of backticks.
struct Run {
    start: usize,
    len: usize,
    /// A backslash is before it: its first backtick begins nothing.
    is_escaped: bool,
    paragraph: usize,
    line: usize,
}

/// The code spans outside of `blocks`, in order.
pub(crate) fn spans(text: &str, blocks: &[Block]) -> Vec<Span> {
    let runs = runs(text, blocks);
    let mut by_len: HashMap<usize, Vec<usize>> = HashMap::new();
    for (index, run) in runs.iter().enumerate() {
        by_len.entry(run.len).or_default().push(index);
    }
    let mut spans = Vec::new();
    let mut index = 0;
    while let Some(run) = runs.get(index) {
        index += 1;
        let escaped = usize::from(run.is_escaped);
        let ticks = run.len - escaped;
        let Some(same) = by_len.get(&ticks) else { continue };
        let next = same.get(same.partition_point(|other| *other < index)).copied();
        let Some((next, end)) = next.and_then(|next| Some((next, runs.get(next)?))) else {
            continue;
        };
        if end.paragraph == run.paragraph && (ticks < 3 || end.line == run.line) {
            spans.push(Span { range: run.start + escaped..end.start + end.len, ticks });
            index = next + 1;
        }
    }
    spans
}

fn runs(text: &str, blocks: &[Block]) -> Vec<Run> {
    let mut runs = Vec::new();
    let mut blocks = blocks.iter().map(|block| block.range(text)).peekable();
    let mut paragraph = 0;
    for (number, (line, range)) in fence::lines(text).enumerate() {
        while blocks.next_if(|block| block.end < range.start).is_some() {}
        let is_fenced = blocks.peek().is_some_and(|block| block.start <= range.start);
        if is_fenced || line.trim().is_empty() {
            paragraph += 1;
            continue;
        }
        runs_of_line(line, |start, len, is_escaped| {
            let start = range.start + start;
            runs.push(Run { start, len, is_escaped, paragraph, line: number });
        });
    }
    runs
}

fn runs_of_line(line: &str, mut found: impl FnMut(usize, usize, bool)) {
    let mut backslashes = 0usize;
    let mut bytes = line.bytes().enumerate().peekable();
    while let Some((start, byte)) = bytes.next() {
        match byte {
            b'`' => {
                let mut len = 1;
                while bytes.next_if(|(_, byte)| *byte == b'`').is_some() {
                    len += 1;
                }
                found(start, len, backslashes % 2 == 1);
                backslashes = 0;
            }
            b'\\' => backslashes += 1,
            _ => backslashes = 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<&str> {
        let blocks = fence::blocks(text, usize::MAX);
        spans(text, &blocks).into_iter().map(|span| &text[span.range]).collect()
    }

    #[test]
    fn spans_end_at_the_same_number_of_backticks_in_the_same_paragraph() {
        assert_eq!(found("a `b` c ``d ` e`` f"), ["`b`", "``d ` e``"]);
        assert_eq!(found("`two\nlines`"), ["`two\nlines`"]);
        assert_eq!(found("`two\n\nparagraphs`"), Vec::<&str>::new());
        assert_eq!(found("```one line``` ```two\nlines```"), ["```one line```"]);
        assert_eq!(found(r"\`no` `a`"), ["` `"]);
        assert_eq!(found(r"\\`a` \``b`"), ["`a`", "`b`"]);
        assert_eq!(found("`a\n```\nb`\n```\n`"), Vec::<&str>::new());
    }

    #[test]
    fn code_is_spans_and_blocks() {
        let text = "a `b` c\n~~~\nd\n~~~\ne";
        let code = Code::of(text);
        let seen: String = text
            .char_indices()
            .map(|(at, c)| if c.is_alphabetic() && code.covers(at) { '!' } else { c })
            .collect();
        assert_eq!(seen, "a `!` c\n~~~\n!\n~~~\ne");
    }
}
