//! The ids of what was sent of late: what Discord tells of it is an echo.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use clawvoice_session::MessageId;

/// Messages that are remembered; the oldest go.
const REMEMBERED: usize = 1_024;

/// The newest messages of ours, to be shared.
#[derive(Clone, Debug, Default)]
pub(super) struct Sent(Arc<Mutex<VecDeque<MessageId>>>);

impl Sent {
    /// One more.
    pub(super) fn note(&self, message: MessageId) {
        let mut sent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if sent.len() == REMEMBERED {
            sent.pop_front();
        }
        sent.push_back(message);
    }

    /// Whether it is one of ours.
    pub(super) fn has(&self, message: MessageId) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(&message)
    }
}
