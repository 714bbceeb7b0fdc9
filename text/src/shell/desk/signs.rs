//! Signs of life of turns: what they mean for their lanes, and what is said if none comes.

use std::sync::Arc;

use clawvoice_session::{SessionKey, SessionTime};

use super::{super::clock::now, Desk};
use crate::lane::{Outcome, Progress, RunNumber, StuckOutput};

/// A sign of life of a turn.
#[derive(Debug)]
pub(super) struct Sign {
    pub(super) session: SessionKey,
    pub(super) run: RunNumber,
    pub(super) kind: SignKind,
}

/// What it means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SignKind {
    /// The agent has taken it up.
    Started,
    /// The agent writes, or uses a tool.
    GoesOn,
    /// The agent is done; its answer is still to be sent.
    Over,
}

impl Desk {
    /// A turn has given a sign of life.
    pub(super) fn sign(&mut self, sign: &Sign) {
        let Some(session) = self.sessions.get_mut(&sign.session) else { return };
        if session.active.as_ref().is_none_or(|active| active.number != sign.run) {
            return;
        }
        let progress = match sign.kind {
            SignKind::Started => {
                session.lane.handle_started(now(), sign.run);
                Progress::GoesOn
            }
            SignKind::GoesOn => Progress::GoesOn,
            SignKind::Over => Progress::Terminal,
        };
        session.watch.handle_progress(now(), progress);
    }

    /// When a session may be found to be stuck.
    pub(super) fn stuck_timeout(&self) -> Option<SessionTime> {
        self.sessions.values().filter_map(|session| session.watch.poll_timeout()).min()
    }

    /// Tells of sessions that are stuck. One whose agent is done does not keep others waiting; one
    /// that works is left alone.
    pub(super) fn watch_sessions(&mut self) {
        for session in self.sessions.values_mut() {
            while let Some(output) = session.watch.poll_output(now(), session.lane.depth()) {
                match output {
                    StuckOutput::Warn(stuck) => tracing::warn!("{stuck}"),
                    StuckOutput::Release => {
                        if let Some(active) = session.active.take() {
                            session.lane.handle_over(now(), active.number, Outcome::Ended);
                        }
                        session.watch.handle_over();
                    }
                }
            }
        }
    }

    /// The configuration was read again.
    pub(super) fn reload_sessions(&mut self) {
        let config = Arc::clone(&self.rules.config);
        let written = crate::lane::LaneSettings::new(&config.messages);
        for (key, session) in &mut self.sessions {
            session.lane.set_settings(self.queues.get(key).copied().unwrap_or(written));
            session.watch.set_warn_after(config.diagnostics.stuck_session_warn);
        }
    }
}
