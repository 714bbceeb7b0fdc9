//! Block streaming: the answer is sent in pieces, as messages of their own, while it is written.
//!
//! No previews: what is sent stays. Source: OpenClaw, "Streaming and chunking", sections "Block
//! streaming" and "Coalescing".

use clawvoice_config::{BreakPreference, Coalesce};
use clawvoice_session::SessionTime;

use super::{
    cut::{Fence, cut, open_fence},
    gate::Gate,
    measure::utf16_len,
    pace::Pace,
};

/// The pieces of one answer.
#[derive(Debug)]
pub(super) struct Sends {
    min: usize,
    max: usize,
    idle: std::time::Duration,
    /// Not sent yet. Bounded by the answer.
    buffer: String,
    /// So many bytes of it wait for nothing: a tool or another message came after them.
    due: usize,
    /// The block of code that the last piece ended in.
    open: Option<Fence>,
    /// The agent's current message is complete.
    ended: bool,
    last_text: SessionTime,
    /// The piece that is being sent, and the block of code that it ends in.
    under_way: Option<(String, Option<Fence>)>,
    /// What was sent, without white space.
    sent: String,
    failed: bool,
    pace: Pace,
    /// Pieces that were sent.
    pieces: u64,
    /// The last one is there, and how long is paused after it is not known yet.
    just_sent: bool,
    /// Until then nothing is sent.
    rests_until: Option<SessionTime>,
}

impl Sends {
    /// `limit`: UTF-16 units of a message.
    pub(super) fn new(coalesce: &Coalesce, limit: usize) -> Self {
        let size = |chars: u32| usize::try_from(chars).unwrap_or(usize::MAX).min(limit);
        Self {
            min: size(coalesce.min_chars),
            max: coalesce.max_chars.map_or(limit, size),
            idle: coalesce.idle,
            buffer: String::new(),
            due: 0,
            open: None,
            ended: false,
            last_text: SessionTime::ZERO,
            under_way: None,
            sent: String::new(),
            failed: false,
            pace: Pace::default(),
            pieces: 0,
            just_sent: false,
            rests_until: None,
        }
    }

    pub(super) const fn pace(&mut self, pace: Pace) {
        self.pace = pace;
    }

    /// Whether the pause after the last piece is not over.
    pub(super) fn rests(&mut self, now: SessionTime) -> bool {
        if std::mem::take(&mut self.just_sent) {
            self.rests_until = Some(now + self.pace.pause(self.pieces));
        }
        self.rests_until = self.rests_until.filter(|until| now < *until);
        self.rests_until.is_some()
    }

    /// The end of the pause, once it has begun.
    pub(super) const fn rests_until(&self) -> Option<SessionTime> {
        self.rests_until
    }

    pub(super) fn text(&mut self, now: SessionTime, piece: &str) {
        if self.ended && !piece.trim().is_empty() {
            self.ended = false;
            self.due = self.buffer.len();
        }
        self.buffer.push_str(piece);
        self.last_text = now;
    }

    pub(super) const fn tool(&mut self) {
        self.due = self.buffer.len();
    }

    pub(super) const fn message_end(&mut self, now: SessionTime) {
        self.ended = true;
        self.last_text = now;
    }

    /// The next piece to send.
    pub(super) fn poll(&mut self, now: SessionTime, gate: &Gate) -> Option<String> {
        while self.under_way.is_none() && !self.failed && !self.rests(now) {
            let at = self.piece(now, gate)?;
            let raw: String = self.buffer.drain(..at).collect();
            self.due = self.due.saturating_sub(at);
            if let Some(text) = gate.cleaned(&raw) {
                let (text, open) = self.fenced(&raw, &text);
                self.under_way = Some((raw, open));
                return Some(text);
            }
            self.note(&raw);
        }
        None
    }

    /// When there may be a piece to send.
    pub(super) fn timeout(&self, gate: &Gate) -> Option<SessionTime> {
        if self.under_way.is_some() || self.failed {
            return None;
        }
        let free = self.free(gate);
        if self.rests_until.is_some() {
            return self.rests_until.filter(|_| !free.is_empty());
        }
        let waits = !free.is_empty() && (self.ended || utf16_len(free) >= self.min);
        waits.then(|| self.last_text + self.idle)
    }

    /// Whether a piece is being sent.
    pub(super) const fn is_waiting(&self) -> bool {
        self.under_way.is_some()
    }

    /// The piece was sent, or not: then the final has it.
    pub(super) fn handle_ended(&mut self, success: bool) {
        let Some((raw, open)) = self.under_way.take() else { return };
        if success {
            self.open = open;
            self.note(&raw);
            self.pieces += 1;
            self.just_sent = true;
        } else {
            self.failed = true;
        }
    }

    /// What of the final was not sent yet. All of it, if it is not what was written before.
    pub(super) fn rest_of(&self, whole: &str) -> String {
        let Some(rest) = after(whole, &self.sent) else { return whole.to_owned() };
        let rest = rest.trim_end().trim_start_matches(['\n', '\r']);
        match &self.open {
            Some(fence) if !rest.is_empty() => format!("{}\n{rest}", fence.line),
            _ => rest.to_owned(),
        }
    }

    /// Where the next piece ends, in bytes of the buffer.
    fn piece(&self, now: SessionTime, gate: &Gate) -> Option<usize> {
        let free = self.free(gate);
        let quiet = now.since(self.last_text) >= self.idle;
        let long = utf16_len(free) >= self.min;
        let due = if quiet && (long || self.ended) { free.len() } else { self.due.min(free.len()) };
        let waiting = if due > 0 { free.get(..due).unwrap_or_default() } else { free };
        if utf16_len(waiting) > self.max {
            return cut(free, self.min, self.max, BreakPreference::Paragraph);
        }
        (due > 0).then_some(due)
    }

    /// What may be sent at all.
    fn free(&self, gate: &Gate) -> &str {
        self.buffer.get(..gate.held_from(&self.buffer)).unwrap_or_default()
    }

    /// The piece as it is sent: a block of code that goes on is opened again, one that will go on
    /// is closed. And the block that it ends in.
    fn fenced(&self, raw: &str, text: &str) -> (String, Option<Fence>) {
        let before = self.open.as_ref().map(|fence| format!("{}\n", fence.line));
        let before = before.unwrap_or_default();
        let open = open_fence(&format!("{before}{raw}"));
        let after = open.as_ref().map(|fence| format!("\n{}", fence.marks));
        (format!("{before}{text}{}", after.unwrap_or_default()), open)
    }

    fn note(&mut self, raw: &str) {
        self.sent.extend(raw.chars().filter(|char| !char.is_whitespace()));
    }
}

/// What comes after `gone`, which is without white space.
fn after<'a>(whole: &'a str, gone: &str) -> Option<&'a str> {
    let mut rest = whole.chars();
    for expected in gone.chars() {
        let next = rest.by_ref().find(|char| !char.is_whitespace())?;
        if next != expected {
            return None;
        }
    }
    Some(rest.as_str())
}
