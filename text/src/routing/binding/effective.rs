//! Where a message is really taken.

use super::{Bindings, BoundPlace};
use crate::routing::{Origin, Route, Router, Tier};

impl Bindings {
    /// To what its place was bound; else to the ACP program that the file binds it to, or, of a
    /// thread, its parent; else where the file's bindings take it. Only looks: a message that is
    /// taken in is told by [`Bindings::touch`].
    #[must_use]
    pub fn effective(&self, now: u64, router: &Router, from: &Origin<'_>) -> Route {
        let is_over = |at: u64| at <= now;
        let bound = self.get(BoundPlace::of(from)).filter(|record| {
            self.settings.enabled && !record.expiry().is_some_and(|(at, _)| is_over(at))
        });
        if let Some(record) = bound {
            // A key has it in small letters; the file knows better.
            let agent = router.agent(&record.agent).unwrap_or(&record.agent);
            return router.to(from, record.key.clone(), agent.to_owned(), Tier::Bound);
        }
        router.acp(from).unwrap_or_else(|| router.route(from))
    }
}
