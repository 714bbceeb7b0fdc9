//! Webhooks that spoke for a session until just now: what they said last may still come in.

use std::collections::VecDeque;

use clawvoice_session::WebhookId;

use super::BoundPlace;

/// How long a webhook is known after its binding ended.
const KEPT_MS: u64 = 30_000;

/// Webhooks that are known; more make the oldest unknown.
const MAX_KEPT: usize = 256;

#[derive(Clone, Debug)]
struct Echo {
    place: BoundPlace,
    webhook: WebhookId,
    until: u64,
}

/// The webhooks of bindings that ended.
#[derive(Clone, Debug, Default)]
pub(super) struct Echoes {
    known: VecDeque<Echo>,
}

impl Echoes {
    /// The binding of a place ended, in which a webhook spoke.
    pub(super) fn remember(&mut self, now: u64, place: BoundPlace, webhook: WebhookId) {
        self.known.retain(|echo| now < echo.until);
        if self.known.len() >= MAX_KEPT {
            self.known.pop_front();
        }
        self.known.push_back(Echo { place, webhook, until: now.saturating_add(KEPT_MS) });
    }

    /// Whether it spoke there until just now.
    pub(super) fn has(&self, now: u64, place: BoundPlace, webhook: WebhookId) -> bool {
        let is_it = |echo: &Echo| echo.place == place && echo.webhook == webhook;
        self.known.iter().any(|echo| is_it(echo) && now < echo.until)
    }
}
