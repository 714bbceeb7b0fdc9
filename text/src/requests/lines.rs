//! Requests in line: one line for each rate limit, of which only the first may go.

use std::collections::{BTreeSet, HashMap};

use super::{
    route::{Priority, Route},
    schedule::{Key, Ticket},
};

/// Requests of one rate limit. Later tickets are larger, so the first is the oldest.
#[derive(Debug, Default)]
struct Line {
    waiting: BTreeSet<Ticket>,
    under_way: usize,
}

/// All lines in which there is somebody.
#[derive(Debug, Default)]
pub(super) struct Lines {
    by_key: HashMap<Key, Line>,
    waiting: usize,
    working: usize,
}

impl Lines {
    /// A request waits, or is under way.
    pub(super) fn add(&mut self, ticket: Ticket, key: &Key, route: &Route, under_way: bool) {
        let line = self.by_key.entry(key.clone()).or_default();
        if under_way {
            line.under_way += 1;
            self.working += usize::from(needs_worker(route));
        } else if line.waiting.insert(ticket) {
            self.waiting += 1;
        }
    }

    /// A request that was added like this is gone.
    pub(super) fn remove(&mut self, ticket: Ticket, key: &Key, route: &Route, under_way: bool) {
        let Some(line) = self.by_key.get_mut(key) else { return };
        if under_way {
            line.under_way = line.under_way.saturating_sub(1);
            self.working = self.working.saturating_sub(usize::from(needs_worker(route)));
        } else if line.waiting.remove(&ticket) {
            self.waiting -= 1;
        }
        if line.waiting.is_empty() && line.under_way == 0 {
            self.by_key.remove(key);
        }
    }

    /// The first of each line, unless one of it is under way.
    pub(super) fn heads(&self) -> impl Iterator<Item = Ticket> {
        let free = self.by_key.values().filter(|line| line.under_way == 0);
        free.filter_map(|line| line.waiting.first().copied())
    }

    /// How many wait.
    pub(super) fn waiting(&self) -> usize {
        self.waiting
    }

    /// How many are under way, callbacks not counted.
    pub(super) fn working(&self) -> usize {
        self.working
    }
}

/// Callbacks go beside the workers.
pub(super) fn needs_worker(route: &Route) -> bool {
    route.priority() != Priority::Callback
}
