//! What was sent of late, shared by those who send and those who judge.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use clawvoice_session::{MessageId, WebhookId};

use super::super::clock::now;
use crate::inbound::Sent;

/// A handle on what was sent.
#[derive(Clone, Debug, Default)]
pub(super) struct SharedSent(Arc<Mutex<Sent>>);

impl SharedSent {
    /// A message was sent.
    pub(super) fn message(&self, message: MessageId) {
        self.get().message(now(), message);
    }

    /// A webhook of ours was used, or is no longer.
    pub(super) fn webhook(&self, webhook: WebhookId) {
        self.get().webhook(now(), webhook);
    }

    /// What is not over yet, to judge by; held for moments only.
    pub(super) fn get(&self) -> MutexGuard<'_, Sent> {
        let mut sent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sent.forget(now());
        sent
    }
}
