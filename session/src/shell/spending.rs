//! What is spent while the process runs, for those who decide by it and those who watch.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use jiff::Timestamp;

use super::store::{Store, StoreError};
use crate::{
    agent::Usage,
    history::Spent,
    spending::{self, Charge, Day, Ledger, Spender},
};

/// What is spent. Cheap to clone; all clones are one.
#[derive(Clone, Debug, Default)]
pub struct SpendingMonitor(Arc<Mutex<Books>>);

#[derive(Debug, Default)]
struct Books {
    ledger: Ledger,
    /// Since the process began.
    spent: Spent,
}

/// What was spent, as far as it is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SpendingStatus {
    /// Tokens since the process began.
    pub usage: Usage,
    /// Billionths of a US dollar since the process began.
    pub nano_dollars: i64,
    /// The same since midnight UTC, by agent. What was spent before the process began counts.
    pub today: BTreeMap<String, i64>,
}

impl SpendingMonitor {
    /// As it is now.
    #[must_use]
    pub fn snapshot(&self, now: Timestamp) -> SpendingStatus {
        let mut books = self.books();
        SpendingStatus {
            usage: books.spent.usage,
            nano_dollars: books.spent.nano_dollars,
            today: books.ledger.agents(now).map(|(id, nano)| (id.to_owned(), nano)).collect(),
        }
    }

    /// Takes over what was spent today before the process began.
    pub(super) async fn restore(&self, store: &Store, now: Timestamp) -> Result<(), StoreError> {
        let before = store.spent_on(Day::of(now)).await?;
        let mut books = self.books();
        for (by, nano_dollars) in before {
            books.ledger.handle_spent(now, &by, nano_dollars);
        }
        Ok(())
    }

    /// Something was spent.
    pub(super) fn spend(&self, now: Timestamp, by: &Spender, charges: &[Charge]) {
        let spent = spending::total(charges);
        let mut books = self.books();
        books.spent.add(&spent);
        books.ledger.handle_spent(now, by, spent.nano_dollars);
    }

    /// What an agent has spent since midnight UTC.
    pub(super) fn today(&self, now: Timestamp, agent: &str) -> i64 {
        let by = Spender { agent: agent.to_owned(), user: None, channel: None };
        self.books().ledger.of(now, &by).agent
    }

    /// Held for moments only. A panic meanwhile leaves numbers that may be behind, nothing worse.
    fn books(&self) -> MutexGuard<'_, Books> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
