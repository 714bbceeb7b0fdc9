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
    spending::{
        self, BudgetWatch, Budgets, COMPARED, Charge, Day, Dollars, Hour, Mark, OverBudget,
        Spender, SpikeRule, SpikeWatch,
    },
};

/// What may be spent, and what of it is worth a warning.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SpendingRules {
    /// What the agents may spend in a day.
    pub budgets: Budgets,
    /// Which hours cost far more than others; `None`: nobody cares.
    pub spike: Option<SpikeRule>,
}

/// What is spent. Cheap to clone; all clones are one.
#[derive(Clone, Debug, Default)]
pub struct SpendingMonitor(Arc<Mutex<Books>>);

#[derive(Debug, Default)]
struct Books {
    budgets: BudgetWatch,
    spikes: SpikeWatch,
    /// Since the process began.
    spent: Spent,
    refused: u64,
    from_cache: u64,
}

/// What was spent, as far as it is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SpendingStatus {
    /// Tokens since the process began.
    pub usage: Usage,
    /// Billionths of a US dollar since the process began.
    pub nano_dollars: i64,
    /// Turns that were refused since the process began, because a budget was used up.
    pub refused: u64,
    /// Turns since the process began that were answered without asking a model, since the answer
    /// was still known.
    pub from_cache: u64,
    /// Today, by agent. What was spent before the process began counts.
    pub today: BTreeMap<String, AgentDay>,
}

/// An agent's day, in billionths of a US dollar.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AgentDay {
    /// What it has spent since midnight UTC.
    pub spent: i64,
    /// What it may spend.
    pub budget: Option<i64>,
}

impl SpendingMonitor {
    /// As it is now.
    #[must_use]
    pub fn snapshot(&self, now: Timestamp) -> SpendingStatus {
        let mut books = self.books();
        let agents: Vec<(String, i64)> =
            books.budgets.agents(now).map(|(id, spent)| (id.to_owned(), spent)).collect();
        let day = |(id, spent): (String, i64)| {
            let budget = books.budgets.budget(&id).daily;
            (id, AgentDay { spent, budget })
        };
        SpendingStatus {
            today: agents.into_iter().map(day).collect(),
            usage: books.spent.usage,
            nano_dollars: books.spent.nano_dollars,
            refused: books.refused,
            from_cache: books.from_cache,
        }
    }

    /// Takes over the rules, and what was spent before the process began.
    pub(super) async fn begin(
        &self,
        rules: SpendingRules,
        store: &Store,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        {
            let mut books = self.books();
            books.budgets.set(rules.budgets);
            books.spikes.set(rules.spike);
        }
        let today = store.spent_on(Day::of(now)).await?;
        let hours = store.spent_by_hour(Hour::of(now).back(COMPARED)).await?;
        let mut books = self.books();
        for (by, nano_dollars) in today {
            books.budgets.restore(now, &by, nano_dollars);
        }
        for (hour, nano_dollars) in hours {
            books.spikes.restore(hour, nano_dollars);
        }
        Ok(())
    }

    /// Whether a turn may run. A refusal is counted.
    pub(super) fn judge(&self, now: Timestamp, by: &Spender) -> Result<(), OverBudget> {
        let mut books = self.books();
        let judged = books.budgets.judge(now, by);
        books.refused += u64::from(judged.is_err());
        judged
    }

    /// Something was spent. What is worth a warning goes to the log.
    pub(super) fn spend(&self, now: Timestamp, by: &Spender, charges: &[Charge]) {
        let spent = spending::total(charges);
        let (mark, spike, today, budget) = {
            let mut books = self.books();
            books.spent.add(&spent);
            books.from_cache += u64::from(charges.iter().any(|charge| charge.is_from_cache));
            let mark = books.budgets.handle_spent(now, by, spent.nano_dollars);
            let spike = books.spikes.handle_spent(now, spent.nano_dollars);
            let today = books.budgets.of(now, by).agent;
            (mark, spike, today, books.budgets.budget(&by.agent).daily)
        };
        let (today, budget) = (Dollars(today), Dollars(budget.unwrap_or(0)));
        match mark {
            Some(Mark::NearlyUsedUp) => tracing::warn!(
                agent = by.agent,
                "the budget of today is nearly used up: {today} of {budget}"
            ),
            Some(Mark::UsedUp) => tracing::warn!(
                agent = by.agent,
                "the budget of today is used up: {today} of {budget}; turns are refused until \
                 midnight UTC"
            ),
            None => {}
        }
        if let Some(spike) = spike {
            tracing::warn!(
                "this hour has cost {}, an hour of the seven days before {} in the mean",
                Dollars(spike.cost),
                Dollars(spike.mean)
            );
        }
    }

    /// What an agent has spent since midnight UTC.
    pub(super) fn today(&self, now: Timestamp, agent: &str) -> i64 {
        let by = Spender { agent: agent.to_owned(), user: None, channel: None };
        self.books().budgets.of(now, &by).agent
    }

    /// Held for moments only. A panic meanwhile leaves numbers that may be behind, nothing worse.
    fn books(&self) -> MutexGuard<'_, Books> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
