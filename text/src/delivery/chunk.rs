//! Long texts as several messages.
//!
//! A text within the limits is one message. Otherwise messages are filled line by line; a line that
//! is too long for any message goes over several, cut at white space, else between two graphemes.
//! What is cut is whole on both sides: a fence is closed, and opened again with its language; code
//! between backticks likewise.
//!
//! What is lost at a cut outside of fences is white space: the end of the line, the blank lines, or
//! the spaces at which a line was cut. Inside fences nothing is but the end of the line. White space
//! around the whole text is lost too, and so is a message of nothing else.
//!
//! Source: OpenClaw, "Discord", `textChunkLimit`, `chunkMode`, `maxLinesPerMessage`.

mod cut;
mod layout;

use clawvoice_config::{ChunkMode, Delivery};

use self::{
    cut::{Cut, Kind, window},
    layout::{Layout, tame},
};

/// The longest message that Discord takes, in UTF-16 units.
pub const MAX_UNITS: usize = 2000;

/// A character may be two UTF-16 units, so no message can be held shorter.
const MIN_UNITS: usize = 2;

/// A fence in a message needs its first line, its last, and one between.
const MIN_FENCE_LINES: usize = 3;

/// A message is filled with the beginning of a line if that is more than this share of it.
const FILL_SHARE: usize = 8;

/// How long a message may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChunkLimits {
    units: usize,
    lines: usize,
    by_paragraph: bool,
}

impl ChunkLimits {
    /// As it is configured.
    #[must_use]
    pub fn new(delivery: &Delivery) -> Self {
        let number = |value: u32| usize::try_from(value).unwrap_or(usize::MAX);
        let mode = delivery.streaming.chunk_mode;
        Self::of(number(delivery.text_chunk_limit), number(delivery.max_lines), mode)
    }

    /// `units` are UTF-16 units, 2 to [`MAX_UNITS`]. `lines` is kept to, but three are allowed
    /// where a fence is cut.
    #[must_use]
    pub fn of(units: usize, lines: usize, mode: ChunkMode) -> Self {
        Self {
            units: units.clamp(MIN_UNITS, MAX_UNITS),
            lines: lines.max(1),
            by_paragraph: mode == ChunkMode::Newline,
        }
    }

    /// UTF-16 units of the longest message.
    #[must_use]
    pub const fn units(&self) -> usize {
        self.units
    }

    /// Lines, where a fence is cut or not.
    fn lines(&self, with_cut_fence: bool) -> usize {
        if with_cut_fence { self.lines.max(MIN_FENCE_LINES) } else { self.lines }
    }
}

/// How long Discord takes a text to be: UTF-16 units.
#[must_use]
pub fn units(text: &str) -> usize {
    text.chars().map(char::len_utf16).sum()
}

/// Cuts a text into messages, none of which is empty.
#[must_use]
pub fn chunk(text: &str, limits: &ChunkLimits) -> Vec<String> {
    let text = tame(text.trim_end(), limits.units);
    Chunker::new(&text, limits).run()
}

/// What is added to a message because the text was cut before or behind it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Added {
    text: String,
    units: usize,
    /// It is a line of a fence.
    is_line: bool,
}

impl Added {
    fn new(text: String, is_line: bool) -> Self {
        Self { units: units(&text), text, is_line }
    }
}

struct Chunker<'t> {
    text: &'t str,
    layout: Layout<'t>,
    limits: &'t ChunkLimits,
    /// Graphemes that were looked at, so that a test can tell that they are few.
    work: usize,
}

impl<'t> Chunker<'t> {
    fn new(text: &'t str, limits: &'t ChunkLimits) -> Self {
        Self { text, layout: Layout::new(text, limits.units), limits, work: 0 }
    }

    fn run(&mut self) -> Vec<String> {
        let mut chunks = Vec::new();
        let mut at = 0;
        let mut prefix = Added::default();
        loop {
            at = self.layout.skip_blank_lines(at);
            if at >= self.text.len() {
                return chunks;
            }
            let cut = self.next_cut(at, &prefix);
            let suffix = self.layout.suffix(&cut);
            let mut body = self.text.get(at..cut.end).unwrap_or_default();
            if !suffix.is_line {
                body = body.trim_end();
            }
            if !body.trim().is_empty() {
                chunks.push(format!("{}{body}{}", prefix.text, suffix.text));
            }
            prefix = self.layout.prefix(&cut);
            at = self.layout.behind(&cut);
        }
    }

    /// Where the message that begins at `at` ends.
    fn next_cut(&mut self, at: usize, prefix: &Added) -> Cut {
        let room = self.limits.units.saturating_sub(prefix.units);
        let window = window(&self.layout, at, room, self.limits);
        self.work += window.work;
        let cuts = &window.cuts;
        let good = |cut: &&Cut| self.fits(prefix, cut) && self.layout.is_good(at, cut);
        let farthest =
            |kinds: &[Kind]| cuts.iter().rev().filter(|cut| kinds.contains(&cut.kind)).find(good);

        let at_line = farthest(&[Kind::Line, Kind::Paragraph, Kind::End]);
        if let Some(line) = at_line {
            // The next line goes over several messages anyway, so this one is filled with it.
            let fill = (line.kind == Kind::Line && !self.fits_alone(line.next))
                .then(|| farthest(&[Kind::Space]))
                .flatten();
            let worth_it = line.units + self.limits.units / FILL_SHARE;
            return fill.filter(|fill| fill.units > worth_it).unwrap_or(line).clone();
        }
        let anywhere = farthest(&[Kind::Space]).or_else(|| farthest(&[Kind::Grapheme]));
        let forced = || cuts.iter().rev().find(|cut| cut.end > at && self.fits(prefix, cut));
        anywhere.or_else(forced).cloned().unwrap_or_else(|| self.layout.one_char(at, room))
    }

    fn fits(&self, prefix: &Added, cut: &Cut) -> bool {
        let suffix = self.layout.suffix(cut);
        let lines = cut.lines + usize::from(prefix.is_line) + usize::from(suffix.is_line);
        prefix.units + cut.units + suffix.units <= self.limits.units
            && lines <= self.limits.lines(prefix.is_line || suffix.is_line)
    }

    /// Whether the line at `at` could be a message of its own.
    fn fits_alone(&self, at: usize) -> bool {
        let cut = self.layout.cut_behind_line(at, self.limits.units);
        let before = Cut { end: at, next: at, ..cut.clone() };
        self.layout.prefix(&before).units + cut.units + self.layout.suffix(&cut).units
            <= self.limits.units
    }
}

#[cfg(test)]
#[path = "chunk/tests.rs"]
mod tests;

#[cfg(test)]
#[path = "chunk/properties.rs"]
mod properties;
