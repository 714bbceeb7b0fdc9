//! What of a text is code, and what a cut through it needs.

use std::{borrow::Cow, fmt::Write as _};

use unicode_segmentation::UnicodeSegmentation as _;

use super::{Added, Cut, Kind, cut::is_space, units};
use crate::delivery::{
    code::{Span, spans},
    fence::{Block, Opening, blocks, lines},
};

/// The share of a message that the marks of code may take; where they are longer, it is text.
const MARKER_SHARE: usize = 8;
/// The share that its first line may take where it is written.
const OPENING_SHARE: usize = 2;
/// The share that its first line may take where it is repeated.
const REPEATED_SHARE: usize = 4;

/// A text whose fences leave room for what is in them: where a first line is too long, what follows
/// its marker becomes a line of code.
pub(super) fn tame(text: &str, limit: usize) -> Cow<'_, str> {
    let mut tamed = String::new();
    let mut copied = 0;
    for block in blocks(text, limit / MARKER_SHARE) {
        let line = text.get(block.open.clone()).unwrap_or_default();
        let Some(opening) = Opening::of(line).filter(|_| units(line) > limit / OPENING_SHARE)
        else {
            continue;
        };
        let before = text.get(copied..block.open.start).unwrap_or_default();
        let _ = write!(tamed, "{before}{}\n{}", opening.bare(), opening.info());
        copied = block.open.end;
    }
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    tamed.push_str(text.get(copied..).unwrap_or_default());
    Cow::Owned(tamed)
}

/// A text, its lines and its code.
pub(super) struct Layout<'t> {
    text: &'t str,
    /// Where each line begins.
    line_starts: Vec<usize>,
    blocks: Vec<Block>,
    spans: Vec<Span>,
    /// The most backticks that one of them has on either side.
    longest_ticks: usize,
    limit: usize,
}

impl<'t> Layout<'t> {
    pub(super) fn new(text: &'t str, limit: usize) -> Self {
        let blocks = blocks(text, limit / MARKER_SHARE);
        let mut spans = spans(text, &blocks);
        spans.retain(|span| span.ticks <= limit / MARKER_SHARE);
        let line_starts = lines(text).map(|(_, range)| range.start).collect();
        let longest_ticks = spans.iter().map(|span| span.ticks).max().unwrap_or(0);
        Self { text, line_starts, blocks, spans, longest_ticks, limit }
    }

    pub(super) const fn text_len(&self) -> usize {
        self.text.len()
    }

    /// Where the line that `at` is in ends.
    pub(super) fn line_end(&self, at: usize) -> usize {
        let next = self.line_starts.partition_point(|start| *start <= at);
        self.line_starts.get(next).map_or(self.text.len(), |next| next - 1)
    }

    fn line_start(&self, at: usize) -> usize {
        let next = self.line_starts.partition_point(|start| *start <= at);
        next.checked_sub(1).and_then(|it| self.line_starts.get(it)).copied().unwrap_or_default()
    }

    /// The text from `start` to `end`, of which about `most` bytes are wanted.
    pub(super) fn slice(&self, start: usize, end: usize, most: usize) -> &'t str {
        let mut end = end.min(start.saturating_add(most));
        while !self.text.is_char_boundary(end) {
            end += 1;
        }
        self.text.get(start..end).unwrap_or_default()
    }

    /// Where a line ends without the white space behind it.
    pub(super) fn trimmed(&self, start: usize, end: usize) -> usize {
        start + self.text.get(start..end).unwrap_or_default().trim_end().len()
    }

    /// Whether the line is blank from `at` on.
    pub(super) fn is_blank(&self, at: usize) -> bool {
        self.text.get(at..self.line_end(at)).is_none_or(|line| line.trim().is_empty())
    }

    /// The end of the white space that begins at `at`, in a line that ends at `end`.
    pub(super) fn space_end(&self, at: usize, end: usize) -> usize {
        let rest = self.text.get(at..end).unwrap_or_default();
        let space = rest.graphemes(true).take_while(|grapheme| is_space(grapheme));
        at + space.map(str::len).sum::<usize>()
    }

    /// `at`, or behind what is blank of its line and behind the blank lines that follow; inside
    /// fences they stay.
    pub(super) fn skip_blank_lines(&self, mut at: usize) -> usize {
        while at < self.text.len() && !self.is_fenced(at) && self.is_blank(at) {
            at = self.line_end(at) + 1;
        }
        at
    }

    /// Whether `at` is between the first and the last line of a fence, or in the last.
    pub(super) fn is_fenced(&self, at: usize) -> bool {
        self.block(at).is_some()
    }

    fn block(&self, at: usize) -> Option<&Block> {
        let before = self.blocks.partition_point(|block| block.open.start < at);
        let last = before.checked_sub(1).and_then(|last| self.blocks.get(last));
        last.filter(|block| block.holds(at))
    }

    /// Whether the line that begins at `at` opens or closes a fence.
    pub(super) fn is_fence_line(&self, at: usize) -> bool {
        let index = self.blocks.partition_point(|block| block.open.start < at);
        let opens = self.blocks.get(index).is_some_and(|block| block.open.start == at);
        let block = self.block(at).and_then(|block| block.close.as_ref());
        opens || block.is_some_and(|close| close.start == at)
    }

    /// The code within a paragraph that a cut goes through, if it can: there is something of it on
    /// both sides, and no backtick that would join those that are added.
    fn span(&self, cut: &Cut) -> Option<&Span> {
        let span = self.span_around(cut)?;
        let content = span.content();
        let before = self.text.get(content.start..cut.end)?.trim_end();
        let behind = self.text.get(cut.next..content.end)?;
        let has_both = !before.is_empty() && behind.chars().any(|c| !c.is_whitespace());
        (has_both && !before.ends_with('`') && !behind.starts_with('`')).then_some(span)
    }

    fn span_around(&self, cut: &Cut) -> Option<&Span> {
        let before = self.spans.partition_point(|span| span.range.start < cut.end);
        let last = before.checked_sub(1).and_then(|last| self.spans.get(last));
        last.filter(|span| cut.next < span.range.end)
    }

    /// What ends the message before a cut.
    pub(super) fn suffix(&self, cut: &Cut) -> Added {
        if let Some(opening) = self.opening(cut.next) {
            return Added::new(format!("\n{}", opening.bare()), true);
        }
        let ticks = self.span(cut).map_or(0, |span| span.ticks);
        Added::new("`".repeat(ticks), false)
    }

    /// What begins the message behind a cut.
    pub(super) fn prefix(&self, cut: &Cut) -> Added {
        let Some(block) = self.block(cut.next) else {
            let ticks = self.span(cut).map_or(0, |span| span.ticks);
            return Added::new("`".repeat(ticks), false);
        };
        if block.close.as_ref().is_some_and(|close| close.start == cut.next) {
            return Added::default();
        }
        let line = self.text.get(block.open.clone()).unwrap_or_default();
        let is_short = units(line) <= self.limit / REPEATED_SHARE;
        let bare = || block.opening(self.text).map(|opening| opening.bare()).unwrap_or_default();
        let line = if is_short { line.trim_end().to_owned() } else { bare() };
        Added::new(format!("{line}\n"), true)
    }

    fn opening(&self, at: usize) -> Option<Opening<'t>> {
        self.block(at)?.opening(self.text)
    }

    /// Where the text goes on behind a cut. The last line of a fence was added already.
    pub(super) fn behind(&self, cut: &Cut) -> usize {
        let close = self.block(cut.next).and_then(|block| block.close.as_ref());
        match close {
            Some(close) if close.start == cut.next => (close.end + 1).min(self.text.len()),
            _ => cut.next,
        }
    }

    /// Whether a cut leaves nothing that reads differently than before, or like nothing.
    pub(super) fn is_good(&self, at: usize, cut: &Cut) -> bool {
        match cut.kind {
            Kind::End => true,
            Kind::Paragraph | Kind::Line => !self.is_behind_opening(cut) && self.is_whole(cut),
            Kind::Space | Kind::Grapheme => self.is_whole(cut) && !self.makes_fence(at, cut),
        }
    }

    /// Whether nothing of a block would be in the message but its first line.
    fn is_behind_opening(&self, cut: &Cut) -> bool {
        self.block(cut.next).is_some_and(|block| {
            let is_empty = block.close.as_ref().is_some_and(|close| close.start == cut.next);
            block.open.end + 1 == cut.next && !is_empty
        })
    }

    /// Whether no code is cut that cannot be.
    fn is_whole(&self, cut: &Cut) -> bool {
        self.span_around(cut).is_none() || self.span(cut).is_some()
    }

    /// Whether part of a line, alone in its line now, opens or closes a fence.
    fn makes_fence(&self, at: usize, cut: &Cut) -> bool {
        let before = self.text.get(self.line_start(cut.end).max(at)..cut.end).unwrap_or_default();
        let behind = self.slice(cut.next, self.line_end(cut.next), self.limit * 4);
        let opening = self.opening(cut.next);
        [before, behind].into_iter().any(|part| match opening {
            Some(opening) => opening.is_closed_by(part),
            None => {
                Opening::of(part).is_some_and(|it| it.marker_len() <= self.limit / MARKER_SHARE)
            }
        })
    }

    /// The cut behind the line that begins at `at`, of which about `limit` units are looked at.
    pub(super) fn cut_behind_line(&self, at: usize, limit: usize) -> Cut {
        let end = self.line_end(at);
        let units = units(self.slice(at, end, (limit + 8) * 3));
        Cut { kind: Kind::Line, end, next: (end + 1).min(self.text.len()), units, lines: 1 }
    }

    /// The cut through the text behind as many characters as there is room for, at least one: for
    /// a grapheme that is longer than a message.
    pub(super) fn one_char(&self, at: usize, room: usize) -> Cut {
        let ticks = self.longest_ticks;
        let marks = self.opening(at).map_or(ticks, |opening| units(&opening.bare()) + 1);
        let room = room.saturating_sub(marks);
        let mut taken = 0;
        let mut end = at;
        for c in self.slice(at, self.text.len(), (room + 8) * 3).chars() {
            if end > at && taken + c.len_utf16() > room {
                break;
            }
            taken += c.len_utf16();
            end += c.len_utf8();
        }
        Cut { kind: Kind::Grapheme, end, next: end, units: taken, lines: 1 }
    }
}
