//! The webhooks that answer in bound threads, by their ids.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use clawvoice_session::WebhookId;

use super::super::webhook_calls::Webhook;
use crate::routing::binding::Bindings;

/// A handle on the webhooks.
#[derive(Clone, Default)]
pub(super) struct Hooks(Arc<Mutex<HashMap<WebhookId, Webhook>>>);

impl Hooks {
    /// Those of all bindings, and no others.
    pub(super) fn learn(&self, bindings: &Bindings) {
        let hooks = bindings.records().filter_map(|record| record.webhook.as_ref());
        let hooks = hooks.map(|hook| (hook.id, Webhook { id: hook.id, token: hook.token.clone() }));
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = hooks.collect();
    }

    /// The one with that id.
    pub(super) fn get(&self, webhook: WebhookId) -> Option<Webhook> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&webhook).cloned()
    }
}
