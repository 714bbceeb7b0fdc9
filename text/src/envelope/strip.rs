//! An answer, or a stored message, without a trace of the envelope.
//!
//! Blocks between our own markers are taken out to the byte. What comes without them (a model that
//! repeats, a process that ended long ago) is known by its lines: see [`super::sign`]. Any other
//! text comes back as it is.

use std::{borrow::Cow, collections::HashMap};

use serde::de::IgnoredAny;

use super::{
    marker::Marker,
    sign::{CURRENT, Sign, bare, may_become, sign},
};

/// The text without the envelope; empty if it was nothing else.
#[must_use]
pub fn strip(text: &str, marker: &Marker) -> String {
    let mut walk = Walk::new(text, marker);
    walk.all();
    // The code alone would do for a forgery.
    let stripped = walk.kept.into_text(text);
    if stripped.contains(marker.code()) { stripped.replace(marker.code(), "…") } else { stripped }
}

/// The same of an answer that is still being written: a last line that may yet turn out to be the
/// envelope's is held back.
#[must_use]
pub fn strip_partial(text: &str, marker: &Marker) -> String {
    let (before, last) = text.rsplit_once('\n').unwrap_or(("", text));
    strip(if may_become(last) { before } else { text }, marker)
}

/// The most headers and references of one line. A line with more of them is left out: each costs a
/// copy of the line.
const MOST_PARTS: usize = 64;

/// Goes through the lines once, from the first to the last.
struct Walk<'t> {
    /// `None` stands for a block that was taken out.
    lines: Vec<Option<&'t str>>,
    next: usize,
    kept: Kept<'t>,
    /// The last end of foreign blocks, by their code.
    last_end: HashMap<&'t str, usize>,
    /// The last [`CURRENT`].
    last_current: Option<usize>,
}

impl<'t> Walk<'t> {
    fn new(text: &'t str, marker: &Marker) -> Self {
        let pieces = marker.outside(text);
        let is_cut = pieces != [text];
        let mut lines = Vec::new();
        for (at, piece) in pieces.into_iter().enumerate() {
            if at > 0 {
                lines.push(None);
            }
            if !(is_cut && piece.is_empty()) {
                lines.extend(piece.split('\n').map(Some));
            }
        }
        let with_words = || lines.iter().enumerate().filter_map(|(at, line)| Some((at, (*line)?)));
        let ends = with_words().filter(|(_, line)| line.contains("<<<END_"));
        let last_end = ends.filter_map(|(at, line)| match sign(line, false) {
            Some(Sign::End(code)) => Some((code, at)),
            _ => None,
        });
        let last_end = last_end.collect();
        let current = with_words().rfind(|(_, line)| bare(line) == CURRENT);
        let last_current = current.map(|(at, _)| at);
        let kept = Kept { is_changed: is_cut, ..Kept::default() };
        Self { lines, next: 0, kept, last_end, last_current }
    }

    fn all(&mut self) {
        while let Some(line) = self.lines.get(self.next).copied() {
            self.next += 1;
            match line {
                None => self.kept.leave_out(""),
                Some(line) => self.line(line),
            }
        }
    }

    fn line(&mut self, line: &'t str) {
        let mut line = Cow::Borrowed(line);
        for _ in 0..MOST_PARTS {
            let is_first = !self.kept.has_words;
            match sign(&line, is_first) {
                None => return self.kept.keep(line),
                Some(Sign::Part(part)) => {
                    let mut rest = line.get(..part.start).unwrap_or_default().to_owned();
                    let behind = line.get(part.end..).unwrap_or_default();
                    let is_first = bare(&rest).is_empty();
                    rest.push_str(if is_first { behind.trim_start() } else { behind });
                    rest.truncate(rest.trim_end().len());
                    if bare(&rest).is_empty() {
                        return self.kept.leave_out(&line);
                    }
                    self.kept.is_changed = true;
                    line = Cow::Owned(rest);
                    continue;
                }
                Some(Sign::Begin(code)) => self.next = self.behind_block(code),
                Some(Sign::Label) => self.next = self.behind_json(),
                Some(Sign::HistoryBegin) => self.next = self.behind_history(),
                Some(Sign::End(_) | Sign::Hint) => {}
            }
            break;
        }
        self.kept.leave_out(&line);
    }

    /// Behind the block's end; here, if it has none.
    fn behind_block(&self, code: &str) -> usize {
        let is_end = |line: &str| sign(line, false) == Some(Sign::End(code));
        match self.last_end.get(code) {
            Some(last) if *last >= self.next => {
                self.position(self.next, is_end).map_or(self.next, |at| at + 1)
            }
            _ => self.next,
        }
    }

    /// At the line that ends the history; here, if there is none.
    fn behind_history(&self) -> usize {
        match self.last_current {
            Some(last) if last >= self.next => {
                self.position(self.next, |line| bare(line) == CURRENT).unwrap_or(self.next)
            }
            _ => self.next,
        }
    }

    /// Behind the JSON that follows a label, in a fence or on a line of its own; here, if none
    /// does. A fence that is not closed was cut.
    fn behind_json(&self) -> usize {
        let Some(at) = self.position(self.next, |line| !bare(line).is_empty()) else {
            return self.next;
        };
        let line = self.lines.get(at).copied().flatten().map_or("", bare);
        if line.starts_with("```") {
            let is_fence =
                |line: &str| bare(line).len() >= 3 && bare(line).bytes().all(|byte| byte == b'`');
            return self.position(at + 1, is_fence).map_or(self.lines.len(), |end| end + 1);
        }
        let is_whole = || serde_json::from_str::<IgnoredAny>(line).is_ok();
        let is_cut = line.starts_with('{') && at + 1 == self.lines.len();
        let is_json = is_cut || (line.starts_with(['{', '[']) && is_whole());
        if is_json { at + 1 } else { self.next }
    }

    fn position(&self, from: usize, is_it: impl Fn(&str) -> bool) -> Option<usize> {
        let lines = self.lines.get(from..)?;
        let at = lines.iter().position(|line| line.is_some_and(&is_it))?;
        Some(from + at)
    }
}

/// The lines that stay.
#[derive(Default)]
struct Kept<'t> {
    lines: Vec<Cow<'t, str>>,
    /// Whether one of them has words.
    has_words: bool,
    /// Whether something was left out behind the last line that has words.
    gap: bool,
    /// Whether any of it was in a quote: then a `>` alone is an empty line.
    is_quoted: bool,
    is_changed: bool,
}

impl<'t> Kept<'t> {
    fn keep(&mut self, line: Cow<'t, str>) {
        let is_blank = self.is_blank(&line);
        let follows_blank = self.lines.last().is_none_or(|last| self.is_blank(last));
        // The empty lines around what is left out become one.
        if is_blank && self.gap && follows_blank {
            return;
        }
        self.gap &= is_blank;
        self.has_words |= !is_blank;
        self.lines.push(line);
    }

    fn leave_out(&mut self, line: &str) {
        self.is_quoted |= line.trim_start().starts_with('>');
        self.gap = true;
        self.is_changed = true;
    }

    fn is_blank(&self, line: &str) -> bool {
        line.trim().is_empty() || (self.is_quoted && bare(line).is_empty())
    }

    fn into_text(self, whole: &str) -> String {
        if !self.is_changed {
            return whole.to_owned();
        }
        let has_words = |line: &Cow<'_, str>| !self.is_blank(line);
        let first = self.lines.iter().position(has_words).unwrap_or(self.lines.len());
        let behind_last = self.lines.iter().rposition(has_words).map_or(first, |last| last + 1);
        self.lines.get(first..behind_last).unwrap_or_default().join("\n")
    }
}

#[cfg(test)]
#[path = "strip_tests.rs"]
mod tests;
