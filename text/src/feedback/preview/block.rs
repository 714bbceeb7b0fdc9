//! Mode `block`: a draft for each of the agent's messages, that grows by whole pieces.

use clawvoice_config::PreviewChunk;
use clawvoice_session::SessionTime;

use super::{
    cut::cut,
    drafts::Drafts,
    gate::Gate,
    partial::{FIRST_CHARS, MAX_KEPT},
    status::Status,
};

/// The agent's current message.
#[derive(Debug)]
pub(super) struct Block {
    chunk: PreviewChunk,
    /// UTF-16 units of a message.
    limit: usize,
    /// The pieces that may be shown, and the beginning of the next.
    pieces: String,
    rest: String,
    /// It is complete; it is shown so once something comes after it. If that is the final, there
    /// would be nothing to see.
    ended: bool,
    /// An earlier message is on show.
    answered: bool,
    status: Status,
}

impl Block {
    pub(super) const fn new(chunk: PreviewChunk, limit: usize, status: Status) -> Self {
        Self {
            chunk,
            limit,
            pieces: String::new(),
            rest: String::new(),
            ended: false,
            answered: false,
            status,
        }
    }

    pub(super) fn text(&mut self, piece: &str, gate: &Gate, drafts: &mut Drafts) {
        if self.ended && !piece.trim().is_empty() {
            self.finish(gate, drafts);
        }
        if self.pieces.len() + self.rest.len() < MAX_KEPT {
            self.rest.push_str(piece);
        }
        let size = |chars: u32| usize::try_from(chars).unwrap_or(usize::MAX).min(self.limit);
        let (min, max) = (size(self.chunk.min_chars), size(self.chunk.max_chars));
        while let Some(at) = cut(&self.rest, min, max, self.chunk.break_preference) {
            self.pieces.extend(self.rest.drain(..at));
        }
    }

    pub(super) fn tool(
        &mut self,
        now: SessionTime,
        name: &str,
        detail: Option<&str>,
        gate: &Gate,
        drafts: &mut Drafts,
    ) {
        self.finish(gate, drafts);
        self.status.tool(now, name, detail);
    }

    pub(super) const fn message_end(&mut self) {
        self.ended = true;
    }

    /// What the current draft is to show by now.
    pub(super) fn wanted(&self, now: SessionTime, gate: &Gate) -> Option<String> {
        let answer = gate.visible(&self.pieces);
        answer.or_else(|| self.status.text(now).filter(|_| !self.answered))
    }

    pub(super) fn due(&self) -> Option<SessionTime> {
        self.status.due().filter(|_| !self.answered)
    }

    fn finish(&mut self, gate: &Gate, drafts: &mut Drafts) {
        self.ended = false;
        let mut whole = std::mem::take(&mut self.pieces);
        whole.push_str(&std::mem::take(&mut self.rest));
        let Some(text) = gate.visible(&whole) else { return };
        if !drafts.begins() || text.chars().count() >= FIRST_CHARS {
            drafts.want(&text);
            drafts.turn();
            self.answered = true;
        }
    }
}
