//! What answers cost, and what is decided about it: pure rules, in billionths of a US dollar and in
//! hours and days of UTC.
//!
//! What was spent is kept in SQLite (see [`crate::shell::store`]), summed by the hour.

mod budget;
mod ledger;
mod spike;
mod time;
mod usage;

use std::fmt;

use crate::history::Spent;
pub use budget::{Budget, BudgetWatch, Budgets, Limit, Mark, OverBudget};
pub use ledger::{DaySums, Ledger, Spender};
pub use spike::{COMPARED, Spike, SpikeRule, SpikeWatch};
pub use time::{Day, Hour};
pub use usage::{UsageBy, UsageRow};

/// An amount in billionths of a US dollar, shown to a hundredth of a cent, as in `$0.0123`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dollars(pub i64);

impl fmt::Display for Dollars {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = self.0.max(0) / 100_000;
        write!(f, "${}.{:04}", units / 10_000, units % 10_000)
    }
}

/// What the calls of one model cost in a turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Charge {
    /// `provider/model` that was called.
    pub model: String,
    /// Tokens and cost of its calls.
    pub spent: Spent,
    /// Whether the model has a price; if not, its tokens are counted and cost nothing.
    pub is_priced: bool,
    /// Whether it was not asked, since its answer was still known.
    pub is_from_cache: bool,
}

/// All of them together.
#[must_use]
pub fn total(charges: &[Charge]) -> Spent {
    let mut total = Spent::default();
    for Charge { spent, .. } in charges {
        total.add(spent);
    }
    total
}
