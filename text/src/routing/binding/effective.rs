//! Where a message is really taken.

use super::{BindingRecord, Bindings, BoundPlace};
use crate::routing::{Origin, Route, Router, Tier};

impl Bindings {
    /// To what its place was bound; else to the ACP program that the file binds it to, or, of a
    /// thread, its parent; else where the file's bindings take it. Only looks: a message that is
    /// taken in is told by [`Bindings::touch`].
    #[must_use]
    pub fn effective(&self, now: u64, router: &Router, from: &Origin<'_>) -> Route {
        if let Some(record) = self.bound(now, from) {
            let agent = agent_of(record, router).to_owned();
            return router.to(from, record.key.clone(), agent, Tier::Bound);
        }
        router.acp(from).unwrap_or_else(|| router.route(from))
    }

    /// The agent of [`Self::effective`]: what is to be known of every message, also of those that
    /// nobody answers.
    #[must_use]
    pub fn agent<'a>(&'a self, now: u64, router: &'a Router, from: &Origin<'_>) -> &'a str {
        if let Some(record) = self.bound(now, from) {
            return agent_of(record, router);
        }
        router.acp_agent(from).map_or_else(|| router.agent_of(from).0, |(_, agent)| agent)
    }

    fn bound(&self, now: u64, from: &Origin<'_>) -> Option<&BindingRecord> {
        let is_over = |at: u64| at <= now;
        self.get(BoundPlace::of(from)).filter(|record| {
            self.settings.enabled && !record.expiry().is_some_and(|(at, _)| is_over(at))
        })
    }
}

/// A key has it in small letters; the file knows better.
fn agent_of<'a>(record: &'a BindingRecord, router: &'a Router) -> &'a str {
    router.agent(&record.agent).unwrap_or(&record.agent)
}
