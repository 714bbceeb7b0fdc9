//! Where a message may end.

use unicode_segmentation::UnicodeSegmentation as _;

use super::{ChunkLimits, Layout, units};

/// What a cut goes through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The text is over.
    End,
    /// A paragraph is over, and no message has two.
    Paragraph,
    /// A line is over.
    Line,
    /// White space in a line, or what stands for it in Chinese and Japanese.
    Space,
    /// Two graphemes of a word.
    Grapheme,
}

/// A place to end a message, as bytes of the whole text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cut {
    pub(super) kind: Kind,
    /// The message ends here.
    pub(super) end: usize,
    /// The next one begins here; white space between is lost.
    pub(super) next: usize,
    /// UTF-16 units of the text before it.
    pub(super) units: usize,
    /// Lines of it.
    pub(super) lines: usize,
}

/// Places to end a message, nearest first.
pub(super) struct Window {
    pub(super) cuts: Vec<Cut>,
    /// Graphemes that were looked at.
    pub(super) work: usize,
}

/// The cuts of a message that begins at `start` and has `room` for so many units.
pub(super) fn window(
    layout: &Layout<'_>,
    start: usize,
    room: usize,
    limits: &ChunkLimits,
) -> Window {
    let mut scan =
        Scan { layout, room, units: 0, lines: 1, window: Window { cuts: Vec::new(), work: 0 } };
    let mut at = start;
    loop {
        let end = layout.line_end(at);
        if !scan.line(at, end) || !scan.end_of_line(at, end, limits) {
            return scan.window;
        }
        at = end + 1;
    }
}

struct Scan<'l, 't> {
    layout: &'l Layout<'t>,
    room: usize,
    units: usize,
    lines: usize,
    window: Window,
}

impl Scan<'_, '_> {
    fn push(&mut self, kind: Kind, end: usize, next: usize, units: usize) {
        self.window.cuts.push(Cut { kind, end, next, units, lines: self.lines });
    }

    /// The cuts within a line; false if it goes beyond the room.
    fn line(&mut self, start: usize, end: usize) -> bool {
        // A unit is at most three bytes; what is beyond that is not looked at.
        let seen = self.layout.slice(start, end, (self.room.saturating_sub(self.units) + 8) * 3);
        if self.layout.is_fence_line(start) {
            self.units += units(seen);
            self.window.work += seen.len();
            return self.units <= self.room;
        }
        let keeps_space = self.layout.is_fenced(start);
        // Where the white space began, and the units before it. A line's indentation is none.
        let mut space: Option<(usize, usize)> = None;
        let mut has_word = false;
        let mut ends_clause = false;
        for (offset, grapheme) in seen.grapheme_indices(true) {
            let at = start + offset;
            let is_space = is_space(grapheme);
            let is_closing = ENDS_CLAUSE.contains(grapheme);
            self.window.work += 1;
            if at > start {
                self.push(Kind::Grapheme, at, at, self.units);
            }
            match space {
                Some((began, before)) if !is_space => {
                    self.space(began, at, before, keeps_space);
                    space = None;
                }
                None if is_space && has_word => space = Some((at, self.units)),
                None if ends_clause && !is_closing => self.push(Kind::Space, at, at, self.units),
                _ => {}
            }
            has_word |= !is_space;
            ends_clause = is_closing;
            self.units += units(grapheme);
            if self.units > self.room {
                if let Some((began, before)) = space.filter(|_| !keeps_space) {
                    // It may go on for long, and all of it is lost.
                    self.space(began, self.layout.space_end(began, end), before, false);
                }
                return false;
            }
        }
        true
    }

    fn space(&mut self, began: usize, end: usize, units_before: usize, keeps_space: bool) {
        if keeps_space {
            self.push(Kind::Space, end, end, self.units);
        } else {
            self.push(Kind::Space, began, end, units_before);
        }
    }

    /// The cut behind a line; false if no other line comes into question.
    fn end_of_line(&mut self, start: usize, end: usize, limits: &ChunkLimits) -> bool {
        let next = end + 1;
        if end >= self.layout.text_len() {
            self.push(Kind::End, end, end, self.units);
            return false;
        }
        let is_fenced = self.layout.is_fenced(next);
        let ends_paragraph = limits.by_paragraph && !is_fenced && self.layout.is_blank(next);
        let kind = if ends_paragraph { Kind::Paragraph } else { Kind::Line };
        let end = if is_fenced { end } else { self.layout.trimmed(start, end) };
        self.push(kind, end, next, self.units);
        self.units += 1;
        self.lines += 1;
        !ends_paragraph && self.units <= self.room && self.lines <= limits.lines(true)
    }
}

/// Behind these a line of Chinese or Japanese may end.
const ENDS_CLAUSE: &str = "、。，．！？；：）］｝〉》」』】〕〗〙";

/// White space at which a line may be cut: not the kinds that hold words together.
pub(super) fn is_space(grapheme: &str) -> bool {
    let holds = ['\u{a0}', '\u{2007}', '\u{202f}'];
    !grapheme.is_empty() && grapheme.chars().all(|c| c.is_whitespace() && !holds.contains(&c))
}
