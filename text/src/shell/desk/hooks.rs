//! The webhooks that answer in bound threads.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use clawvoice_session::{ChannelId, WebhookId};

use super::{
    super::{clock::unix_ms, rest::DiscordRest, webhook_calls::Webhook},
    Desk, JobEnd,
};
use crate::routing::binding::{self, Bind, BindRefusal, Bindings, BoundPlace};

/// What webhooks are called that nobody sees by their own name.
const NAME: &str = "clawvoice";

/// A handle on the webhooks, by their ids.
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

    /// It is no longer there. A binding that is made or ended has it tried again.
    pub(super) fn forget(&self, webhook: WebhookId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&webhook);
    }
}

/// Makes a webhook in a channel; `None`: the bot writes itself.
pub(super) async fn create(rest: &DiscordRest, channel: ChannelId) -> Option<binding::Webhook> {
    match rest.create_webhook(channel, NAME).await {
        Ok(Webhook { id, token }) => Some(binding::Webhook { id, token }),
        Err(failure) => {
            tracing::info!("no webhook answers in threads of {channel}, the bot does: {failure}");
            None
        }
    }
}

impl Desk {
    /// Binds a place; gives the channel that a webhook is to be made in for it, if it needs one.
    pub(super) fn bind(&mut self, bind: Bind) -> Result<Option<ChannelId>, BindRefusal> {
        let (place, parent) = (bind.place, bind.parent);
        let has_webhook = self.bindings.bind(unix_ms(), bind)?.webhook.is_some();
        let Some(parent) = parent.filter(|_| !has_webhook) else { return Ok(None) };
        let Some(known) = self.bindings.webhook_in(parent).cloned() else {
            return Ok(Some(parent));
        };
        self.bindings.set_webhook(unix_ms(), place, known);
        Ok(None)
    }

    /// A webhook was made for a place; it may be bound no longer.
    pub(super) fn hooked(&mut self, place: BoundPlace, webhook: binding::Webhook) {
        if self.bindings.set_webhook(unix_ms(), place, webhook.clone()).is_none() {
            self.delete_webhook(webhook);
        }
    }

    /// A webhook speaks nowhere any more.
    pub(super) fn delete_webhook(&mut self, webhook: binding::Webhook) {
        let around = Arc::clone(&self.around);
        // What it said last may still come in.
        around.sent.webhook(webhook.id);
        self.jobs.spawn(async move {
            let webhook = Webhook { id: webhook.id, token: webhook.token };
            if let Err(failure) = around.rest.delete_webhook(&webhook).await {
                tracing::debug!("a webhook stays: {failure}");
            }
            JobEnd::Done
        });
    }
}
