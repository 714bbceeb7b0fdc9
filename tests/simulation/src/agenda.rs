//! What is to happen when, in virtual time; what is due at one moment happens in the order it was
//! put down.

use std::collections::BTreeMap;

use clawvoice_session::SessionTime;

/// See the module's documentation.
pub(crate) struct Agenda<T> {
    entries: BTreeMap<(SessionTime, u64), T>,
    next: u64,
}

impl<T> Agenda<T> {
    pub(crate) fn new() -> Self {
        Self { entries: BTreeMap::new(), next: 0 }
    }

    pub(crate) fn add(&mut self, at: SessionTime, entry: T) {
        self.entries.insert((at, self.next), entry);
        self.next += 1;
    }

    /// When the first entry is due.
    pub(crate) fn due(&self) -> Option<SessionTime> {
        self.entries.keys().next().map(|(at, _)| *at)
    }

    /// Takes the first entry.
    pub(crate) fn take(&mut self) -> Option<T> {
        self.entries.pop_first().map(|(_, entry)| entry)
    }
}
