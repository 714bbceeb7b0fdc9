//! What was heard of answers, and where they are written.

use std::collections::VecDeque;

use crate::{SessionKey, agent::RunId};

/// Runs of which it is known where their answers are written, so that they can be cut to what was
/// heard of them; an older one stays as it is.
const AMENDABLE: usize = 256;

/// Whose answer stands where, and what is known of answers that are not written yet.
#[derive(Debug, Default)]
pub(super) struct Answers {
    written: VecDeque<(SessionKey, RunId, i64)>,
    heard: VecDeque<(SessionKey, RunId, String)>,
}

impl Answers {
    /// Of a run's answer only `text` was heard; gives where it is written, or keeps the text until
    /// it is.
    pub(super) fn heard(&mut self, session: &SessionKey, run: RunId, text: &str) -> Option<i64> {
        // Askers may choose the same number; the last one is meant.
        let written =
            self.written.iter().rev().find(|(of, number, _)| of == session && *number == run);
        if let Some((_, _, exchange)) = written {
            return Some(*exchange);
        }
        if self.heard.len() == AMENDABLE {
            self.heard.pop_front();
        }
        self.heard.push_back((session.clone(), run, text.to_owned()));
        None
    }

    /// What was heard of a run's answer, if that was told before it is written.
    pub(super) fn take_heard(&mut self, session: &SessionKey, run: RunId) -> Option<String> {
        let known =
            self.heard.iter().position(|(of, number, _)| of == session && *number == run)?;
        self.heard.remove(known).map(|(_, _, text)| text)
    }

    /// A run's answer is written; gives what was told of it meanwhile.
    pub(super) fn note(
        &mut self,
        session: &SessionKey,
        run: RunId,
        exchange: i64,
    ) -> Option<String> {
        if self.written.len() == AMENDABLE {
            self.written.pop_front();
        }
        self.written.push_back((session.clone(), run, exchange));
        self.take_heard(session, run)
    }
}
