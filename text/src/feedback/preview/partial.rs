//! Mode `partial`: one message that grows with the answer.

use clawvoice_session::SessionTime;

use super::{gate::Gate, status::Status};

/// Characters before the answer is worth a notification.
pub(super) const FIRST_CHARS: usize = 30;

/// Bytes of an answer that are kept: more do not fit into a message, whatever is left out.
pub(super) const MAX_KEPT: usize = 16 * 1024;

/// The answer so far.
#[derive(Debug)]
pub(super) struct Partial {
    text: String,
    /// What comes next belongs to another message of the agent.
    ended: bool,
    status: Status,
}

impl Partial {
    pub(super) const fn new(status: Status) -> Self {
        Self { text: String::new(), ended: false, status }
    }

    pub(super) fn text(&mut self, piece: &str) {
        if std::mem::take(&mut self.ended)
            && !self.text.trim().is_empty()
            && !self.text.ends_with("\n\n")
            && !piece.starts_with("\n\n")
        {
            self.text.push_str("\n\n");
        }
        if self.text.len() < MAX_KEPT {
            self.text.push_str(piece);
        }
    }

    pub(super) fn tool(&mut self, now: SessionTime, name: &str, detail: Option<&str>) {
        self.message_end();
        self.status.tool(now, name, detail);
    }

    pub(super) const fn message_end(&mut self) {
        self.ended = true;
    }

    /// What to show by now; `begins`: nothing is shown yet.
    pub(super) fn wanted(&self, now: SessionTime, gate: &Gate, begins: bool) -> Option<String> {
        let answer = gate.visible(&self.text);
        answer
            .filter(|text| !begins || text.chars().count() >= FIRST_CHARS)
            .or_else(|| self.status.text(now))
    }

    pub(super) const fn due(&self) -> Option<SessionTime> {
        self.status.due()
    }
}
