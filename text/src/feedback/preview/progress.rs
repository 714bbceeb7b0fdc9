//! Mode `progress`: what is being done, never the answer.

use clawvoice_session::SessionTime;

use super::{gate::Gate, status::Status};

/// Bytes of what the agent says between two tools that are kept: a line of it is shown.
const MAX_KEPT: usize = 8 * 1024;

/// The work so far.
#[derive(Debug)]
pub(super) struct Progress {
    status: Status,
    /// Whether what the agent says between two tools is shown.
    commentary: bool,
    said: String,
}

impl Progress {
    pub(super) const fn new(status: Status, commentary: bool) -> Self {
        Self { status, commentary, said: String::new() }
    }

    /// Only a tool after it tells that this is no answer.
    pub(super) fn text(&mut self, piece: &str) {
        if self.commentary && self.said.len() < MAX_KEPT {
            self.said.push_str(piece);
        }
    }

    pub(super) fn tool(&mut self, now: SessionTime, name: &str, detail: Option<&str>, gate: &Gate) {
        if let Some(said) = gate.visible(&std::mem::take(&mut self.said)) {
            self.status.commentary(&said);
        }
        self.status.tool(now, name, detail);
    }

    pub(super) fn wanted(&self, now: SessionTime) -> Option<String> {
        self.status.text(now)
    }

    pub(super) const fn due(&self) -> Option<SessionTime> {
        self.status.due()
    }
}
