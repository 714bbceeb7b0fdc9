//! How many messages a place takes: `rateLimit`.
//!
//! It is a budget beside Discord's own rate limits, which the queue of requests keeps: one talkative
//! answer is not to use up the whole of them. What is over it waits in its line; when too many wait,
//! the next one is refused and whoever sends it is told, nothing that waits is dropped.

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use clawvoice_config::RateLimit;
use clawvoice_session::SessionTime;

/// Messages that go within [`WINDOW`].
const BUDGET: usize = 5;

/// See [`RateLimit::burst_protection`].
const WINDOW: Duration = Duration::from_secs(5);

/// Places that are remembered before those that nothing was sent to lately are forgotten.
const MOST_PLACES: usize = 1_000;

/// The budgets of all places of an account.
#[derive(Debug)]
pub(crate) struct SendBudget {
    settings: RateLimit,
    /// When the newest messages went, oldest first.
    sent: HashMap<String, VecDeque<SessionTime>>,
}

impl SendBudget {
    /// Nothing was sent yet.
    pub(crate) fn new(settings: RateLimit) -> Self {
        Self { settings, sent: HashMap::new() }
    }

    /// The configuration was read again.
    pub(crate) fn set_settings(&mut self, settings: RateLimit) {
        self.settings = settings;
    }

    /// So many may wait for a place.
    pub(crate) fn most_waiting(&self) -> usize {
        match self.settings.enabled {
            true => usize::try_from(self.settings.max_queue).unwrap_or(usize::MAX),
            false => usize::MAX,
        }
    }

    /// A message goes.
    pub(crate) fn handle_sent(&mut self, now: SessionTime, place: &str) {
        if self.sent.len() >= MOST_PLACES {
            self.sent.retain(|_, sent| sent.back().is_some_and(|at| now.since(*at) < WINDOW));
        }
        let sent = self.sent.entry(place.to_owned()).or_default();
        sent.push_back(now);
        if sent.len() > BUDGET {
            sent.pop_front();
        }
    }

    /// From when on the next message may go.
    pub(crate) fn free_at(&self, place: &str) -> SessionTime {
        let sent = self.sent.get(place).filter(|sent| sent.len() >= BUDGET);
        match sent.and_then(VecDeque::front) {
            Some(oldest) if self.settings.enabled && self.settings.burst_protection => {
                *oldest + WINDOW
            }
            _ => SessionTime::ZERO,
        }
    }
}

#[cfg(test)]
mod tests {
    use clawvoice_config::RateStrategy;

    use super::*;

    fn at(millis: u64) -> SessionTime {
        SessionTime::from_millis(millis)
    }

    fn settings(enabled: bool, burst_protection: bool) -> RateLimit {
        RateLimit { enabled, strategy: RateStrategy::Queue, max_queue: 50, burst_protection }
    }

    #[test]
    fn five_within_five_seconds_and_each_place_by_itself() {
        let mut budget = SendBudget::new(settings(true, true));
        for sent in 0..5 {
            assert_eq!(budget.free_at("5"), SessionTime::ZERO);
            budget.handle_sent(at(sent * 100), "5");
        }
        assert_eq!((budget.free_at("5"), budget.free_at("6")), (at(5_000), SessionTime::ZERO));
        budget.handle_sent(at(5_000), "5");
        assert_eq!(budget.free_at("5"), at(5_100));
    }

    #[test]
    fn without_a_limit_nothing_waits() {
        for (enabled, burst, most) in [(false, true, usize::MAX), (true, false, 50)] {
            let mut budget = SendBudget::new(settings(enabled, burst));
            (0..100).for_each(|_| budget.handle_sent(at(0), "5"));
            assert_eq!((budget.free_at("5"), budget.most_waiting()), (SessionTime::ZERO, most));
        }
    }

    #[test]
    fn the_memory_is_bounded_by_what_goes() {
        let mut budget = SendBudget::new(settings(true, true));
        for place in 0..10_000 {
            budget.handle_sent(at(place * 10), &place.to_string());
        }
        assert!(budget.sent.len() <= MOST_PLACES, "{}", budget.sent.len());
    }
}
