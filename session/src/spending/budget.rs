//! What may be spent in a day of UTC: a turn runs as long as less was spent, and is refused from
//! then on until midnight. Turns that run already are finished, so a day may cost a little more.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{Day, DaySums, Dollars, Ledger, Spender};

/// What an agent may spend in a day, in billionths of a US dollar; `None`: whatever it takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Budget {
    /// For everybody.
    pub daily: Option<i64>,
    /// From here on `daily` is said to be nearly used up.
    pub warn_from: Option<i64>,
    /// For each user.
    pub per_user: Option<i64>,
    /// In each channel.
    pub per_channel: Option<i64>,
}

impl Budget {
    /// Whether it limits anything.
    #[must_use]
    pub const fn is_limited(&self) -> bool {
        self.daily.is_some() || self.per_user.is_some() || self.per_channel.is_some()
    }
}

/// What every agent of a process may spend.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Budgets {
    /// Of agents that are not among the others.
    pub default: Budget,
    /// Of the others, by their ids in the letters of session keys.
    pub others: BTreeMap<String, Budget>,
}

impl Budgets {
    /// That of an agent.
    #[must_use]
    pub fn of(&self, agent: &str) -> &Budget {
        self.others.get(agent).unwrap_or(&self.default)
    }
}

/// Whose budget it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// The agent's.
    Agent,
    /// The user's.
    User,
    /// The channel's.
    Channel,
}

/// A turn is refused. Displayed in words for an operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} budget of today is used up: {} of {}", whose(*limit), Dollars(*spent), Dollars(*budget))]
pub struct OverBudget {
    /// Whose budget it is.
    pub limit: Limit,
    /// What was spent of it today, in billionths of a US dollar.
    pub spent: i64,
    /// The budget.
    pub budget: i64,
}

const fn whose(limit: Limit) -> &'static str {
    match limit {
        Limit::Agent => "the agent's",
        Limit::User => "the user's",
        Limit::Channel => "the channel's",
    }
}

impl OverBudget {
    /// The sentence that the person is told, written or spoken.
    #[must_use]
    pub const fn told(&self) -> &'static str {
        match self.limit {
            Limit::Agent => {
                "My budget for today is used up. I can answer again after midnight UTC."
            }
            Limit::User => {
                "Your budget for today is used up. I can answer you again after midnight UTC."
            }
            Limit::Channel => {
                "The budget of this channel is used up for today. I can answer here again after \
                 midnight UTC."
            }
        }
    }
}

/// How far an agent's day has gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mark {
    /// [`Budget::warn_from`] was reached.
    NearlyUsedUp,
    /// [`Budget::daily`] was reached.
    UsedUp,
}

/// The budgets, and what was spent of them.
#[derive(Clone, Debug, Default)]
pub struct BudgetWatch {
    budgets: Budgets,
    ledger: Ledger,
    day: Option<Day>,
    /// The last mark of each agent's day.
    marks: BTreeMap<String, Mark>,
}

impl BudgetWatch {
    /// Other budgets are in force from now on.
    pub fn set(&mut self, budgets: Budgets) {
        self.budgets = budgets;
    }

    /// The budget of an agent.
    #[must_use]
    pub fn budget(&self, agent: &str) -> &Budget {
        self.budgets.of(agent)
    }

    /// Something was spent. Gives a mark the first time that it is reached in a day; of two that
    /// are reached at once, the higher one.
    pub fn handle_spent(&mut self, now: Timestamp, by: &Spender, nano: i64) -> Option<Mark> {
        self.turn_to(now);
        self.ledger.handle_spent(now, by, nano);
        let mark = self.mark(now, by)?;
        let before = self.marks.insert(by.agent.clone(), mark);
        (before < Some(mark)).then_some(mark)
    }

    /// The same of what was spent before the process began: the marks were told then.
    pub fn restore(&mut self, now: Timestamp, by: &Spender, nano: i64) {
        let _told = self.handle_spent(now, by, nano);
    }

    /// Whether a turn may run.
    ///
    /// # Errors
    ///
    /// When a budget is used up. Of several, the narrowest is named: it tells the person most.
    pub fn judge(&mut self, now: Timestamp, by: &Spender) -> Result<(), OverBudget> {
        let DaySums { agent, user, channel } = self.ledger.of(now, by);
        let budget = self.budgets.of(&by.agent);
        for (limit, spent, budget) in [
            (Limit::User, user, budget.per_user.filter(|_| by.user.is_some())),
            (Limit::Channel, channel, budget.per_channel.filter(|_| by.channel.is_some())),
            (Limit::Agent, agent, budget.daily),
        ] {
            if let Some(budget) = budget.filter(|budget| spent >= *budget) {
                return Err(OverBudget { limit, spent, budget });
            }
        }
        Ok(())
    }

    /// What was spent today on this account.
    pub fn of(&mut self, now: Timestamp, by: &Spender) -> DaySums {
        self.ledger.of(now, by)
    }

    /// What each agent has spent today.
    pub fn agents(&mut self, now: Timestamp) -> impl Iterator<Item = (&str, i64)> {
        self.ledger.agents(now)
    }

    fn mark(&mut self, now: Timestamp, by: &Spender) -> Option<Mark> {
        let spent = self.ledger.of(now, by).agent;
        let budget = self.budgets.of(&by.agent);
        let reached = |limit: Option<i64>| limit.is_some_and(|limit| spent >= limit);
        match (reached(budget.daily), reached(budget.warn_from)) {
            (true, _) => Some(Mark::UsedUp),
            (false, true) => Some(Mark::NearlyUsedUp),
            (false, false) => None,
        }
    }

    fn turn_to(&mut self, now: Timestamp) {
        let day = Some(Day::of(now));
        if self.day != day {
            self.day = day;
            self.marks.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{ChannelId, UserId};

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn noon() -> Timestamp {
        at("2026-05-01T12:00:00Z")
    }

    fn by(agent: &str, user: u64, channel: u64) -> Spender {
        Spender {
            agent: agent.to_owned(),
            user: Some(UserId::new(user)),
            channel: Some(ChannelId::new(channel)),
        }
    }

    fn watch(default: Budget) -> BudgetWatch {
        let mut watch = BudgetWatch::default();
        let others = BTreeMap::from([("free".to_owned(), Budget::default())]);
        watch.set(Budgets { default, others });
        watch
    }

    fn daily() -> Budget {
        Budget { daily: Some(100), warn_from: Some(80), ..Budget::default() }
    }

    #[test]
    fn a_day_is_told_once_that_it_is_nearly_used_up_and_once_that_it_is() {
        let mut watch = watch(daily());
        let (ada, ben) = (by("main", 1, 7), by("main", 2, 8));
        for (spender, nano, mark) in [
            (&ada, 79, None),
            (&ben, 1, Some(Mark::NearlyUsedUp)),
            (&ada, 1, None),
            (&ada, 18, None),
            (&ben, 1, Some(Mark::UsedUp)),
            (&ada, 50, None),
        ] {
            assert_eq!(watch.handle_spent(noon(), spender, nano), mark, "{nano}");
        }
        let tomorrow = at("2026-05-02T00:00:00Z");
        assert_eq!(watch.handle_spent(tomorrow, &ada, 80), Some(Mark::NearlyUsedUp));
        assert_eq!(watch.handle_spent(noon(), &by("free", 1, 7), 1_000), None, "no budget");
    }

    #[test]
    fn of_two_marks_at_once_the_higher_one_is_told() {
        let mut watch = watch(daily());
        assert_eq!(watch.handle_spent(noon(), &by("main", 1, 7), 100), Some(Mark::UsedUp));
        assert_eq!(watch.handle_spent(noon(), &by("main", 1, 7), 1), None);
    }

    #[test]
    fn a_turn_is_refused_from_the_limit_on_until_midnight_utc() {
        let mut watch = watch(daily());
        let (ada, ben) = (by("main", 1, 7), by("main", 2, 8));
        assert_eq!(watch.judge(noon(), &ada), Ok(()));
        watch.handle_spent(noon(), &ada, 99);
        assert_eq!(watch.judge(noon(), &ada), Ok(()));
        watch.handle_spent(noon(), &ada, 1);
        let over = OverBudget { limit: Limit::Agent, spent: 100, budget: 100 };
        for spender in [&ada, &ben] {
            assert_eq!(watch.judge(at("2026-05-01T23:59:59Z"), spender), Err(over));
        }
        assert_eq!(watch.judge(noon(), &by("free", 1, 7)), Ok(()), "each agent has its own");
        assert_eq!(watch.judge(at("2026-05-02T00:00:00Z"), &ada), Ok(()));
    }

    #[test]
    fn a_user_and_a_channel_have_their_own_limits() {
        let budget = Budget { per_user: Some(10), per_channel: Some(15), ..Budget::default() };
        let mut watch = watch(budget);
        watch.handle_spent(noon(), &by("main", 1, 7), 10);
        let judge = |watch: &mut BudgetWatch, user, channel| {
            let judged = watch.judge(noon(), &by("main", user, channel));
            judged.map_err(|over| (over.limit, over.spent))
        };
        assert_eq!(judge(&mut watch, 1, 8), Err((Limit::User, 10)), "wherever they ask");
        assert_eq!(judge(&mut watch, 2, 7), Ok(()));
        watch.handle_spent(noon(), &by("main", 2, 7), 5);
        assert_eq!(judge(&mut watch, 3, 7), Err((Limit::Channel, 15)));
        assert_eq!(judge(&mut watch, 3, 8), Ok(()));
        assert_eq!(judge(&mut watch, 1, 7), Err((Limit::User, 10)), "the narrowest");
        let nobody = Spender { user: None, channel: None, ..by("main", 1, 7) };
        assert_eq!(watch.judge(noon(), &nobody), Ok(()));
    }

    #[test]
    fn what_was_spent_before_counts_and_was_told() {
        let mut watch = watch(daily());
        let ada = by("main", 1, 7);
        watch.restore(noon(), &ada, 90);
        assert_eq!(watch.handle_spent(noon(), &ada, 5), None);
        assert_eq!(watch.handle_spent(noon(), &ada, 5), Some(Mark::UsedUp));
    }

    #[test]
    fn a_refusal_says_what_was_spent_of_what() {
        let over = OverBudget { limit: Limit::User, spent: 1_250_000_000, budget: 1_000_000_000 };
        assert_eq!(over.to_string(), "the user's budget of today is used up: $1.2500 of $1.0000");
    }

    proptest! {
        /// Nothing that may run is beyond a limit, and nothing that may not is below all of them.
        #[test]
        fn a_turn_runs_exactly_while_all_budgets_have_something_left(
            spent in prop::collection::vec((1_u64..4, 1_u64..4, 0_i64..40), 0..40),
            asks in (1_u64..4, 1_u64..4),
        ) {
            let budget = Budget {
                daily: Some(300),
                warn_from: None,
                per_user: Some(120),
                per_channel: Some(150),
            };
            let mut watch = watch(budget);
            for (user, channel, nano) in &spent {
                watch.handle_spent(noon(), &by("main", *user, *channel), *nano);
            }
            let sum = |of: &dyn Fn(&(u64, u64, i64)) -> bool| -> i64 {
                spent.iter().filter(|row| of(row)).map(|row| row.2).sum()
            };
            let left = sum(&|_| true) < 300
                && sum(&|row| row.0 == asks.0) < 120
                && sum(&|row| row.1 == asks.1) < 150;
            prop_assert_eq!(watch.judge(noon(), &by("main", asks.0, asks.1)).is_ok(), left);
        }
    }
}
