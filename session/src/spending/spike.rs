//! Whether an hour costs far more than hours do.

use std::collections::VecDeque;

use jiff::Timestamp;

use super::Hour;

/// The hours that one is compared with: seven days.
pub const COMPARED: i64 = 7 * 24;

/// What is far more.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SpikeRule {
    /// More than so many times the mean hour of the seven days before it.
    pub factor: f64,
    /// And more than this, in billionths of a US dollar.
    pub floor: i64,
}

/// An hour that costs far more than hours do, in billionths of a US dollar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spike {
    /// What it has cost until now.
    pub cost: i64,
    /// What an hour of the seven days before it has cost. Hours in which nothing was spent count,
    /// those before the first use among them.
    pub mean: i64,
}

/// Compares the hour that runs with those before.
#[derive(Clone, Debug, Default)]
pub struct SpikeWatch {
    rule: Option<SpikeRule>,
    /// Hours in which something was spent, oldest first; none is older than [`COMPARED`] hours.
    hours: VecDeque<(Hour, i64)>,
    told: Option<Hour>,
}

impl SpikeWatch {
    /// The rule from now on; `None`: nothing is told.
    pub fn set(&mut self, rule: Option<SpikeRule>) {
        self.rule = rule;
    }

    /// What was spent in an hour before the process began. The hours come in their order.
    pub fn restore(&mut self, hour: Hour, nano_dollars: i64) {
        self.add(hour, nano_dollars);
    }

    /// Something was spent. Tells of a spike once an hour at most.
    pub fn handle_spent(&mut self, now: Timestamp, nano_dollars: i64) -> Option<Spike> {
        let hour = Hour::of(now);
        self.add(hour, nano_dollars);
        let rule = self.rule?;
        let cost = self.cost_of(|of| of == hour);
        let mean = self.cost_of(|of| of < hour && of >= hour.back(COMPARED)) / COMPARED;
        let is_spike = cost > rule.floor && cost as f64 > rule.factor * mean as f64;
        if !is_spike || self.told == Some(hour) {
            return None;
        }
        self.told = Some(hour);
        Some(Spike { cost, mean })
    }

    fn cost_of(&self, wanted: impl Fn(Hour) -> bool) -> i64 {
        self.hours.iter().filter(|(hour, _)| wanted(*hour)).map(|(_, cost)| cost).sum()
    }

    fn add(&mut self, hour: Hour, nano_dollars: i64) {
        match self.hours.back_mut() {
            Some((last, cost)) if *last == hour => *cost += nano_dollars,
            _ => self.hours.push_back((hour, nano_dollars)),
        }
        let most = usize::try_from(COMPARED).unwrap_or(usize::MAX).saturating_add(1);
        while self.hours.len() > most
            || self.hours.front().is_some_and(|(first, _)| *first < hour.back(COMPARED))
        {
            self.hours.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOLLAR: i64 = 1_000_000_000;

    fn watch() -> SpikeWatch {
        let mut watch = SpikeWatch::default();
        watch.set(Some(SpikeRule { factor: 5.0, floor: DOLLAR }));
        watch
    }

    /// So many hours, and minutes, after the seven days.
    fn at(hours: i64, minutes: i64) -> Timestamp {
        Timestamp::from_second((1_000 + hours) * 3_600 + minutes * 60).unwrap()
    }

    /// Seven days in which every hour cost `nano`.
    fn after_a_week_of(nano: i64) -> SpikeWatch {
        let mut watch = watch();
        for hour in 0..COMPARED {
            watch.restore(Hour::new(1_000 - COMPARED + hour), nano);
        }
        watch
    }

    #[test]
    fn an_hour_of_more_than_five_times_the_mean_is_told_once() {
        let mut watch = after_a_week_of(DOLLAR);
        assert_eq!(watch.handle_spent(at(0, 0), 5 * DOLLAR), None, "as much as five");
        let spike = Spike { cost: 5 * DOLLAR + 1, mean: DOLLAR };
        assert_eq!(watch.handle_spent(at(0, 30), 1), Some(spike));
        assert_eq!(watch.handle_spent(at(0, 59), DOLLAR), None, "told in this hour");
        assert_eq!(watch.handle_spent(at(1, 0), DOLLAR), None, "another hour, as others");
        let next = watch.handle_spent(at(1, 1), 9 * DOLLAR).map(|spike| spike.cost);
        assert_eq!(next, Some(10 * DOLLAR));
    }

    #[test]
    fn little_money_is_no_spike() {
        let mut watch = watch();
        assert_eq!(watch.handle_spent(at(0, 0), DOLLAR), None, "the floor");
        let first = Spike { cost: DOLLAR + 1, mean: 0 };
        assert_eq!(watch.handle_spent(at(0, 1), 1), Some(first), "nothing was spent before");
    }

    #[test]
    fn hours_without_cost_count_and_old_ones_do_not() {
        let mut watch = watch();
        watch.restore(Hour::new(1_000 - COMPARED - 1), 1_000 * COMPARED * DOLLAR);
        watch.restore(Hour::new(1_000 - COMPARED), COMPARED * DOLLAR);
        assert_eq!(watch.handle_spent(at(0, 0), 5 * DOLLAR), None);
        let spike = watch.handle_spent(at(0, 0), DOLLAR);
        assert_eq!(spike, Some(Spike { cost: 6 * DOLLAR, mean: DOLLAR }));
        // An hour later the oldest is no longer compared with.
        let spike = watch.handle_spent(at(1, 0), 2 * DOLLAR);
        assert_eq!(spike, Some(Spike { cost: 2 * DOLLAR, mean: 6 * DOLLAR / COMPARED }));
    }

    #[test]
    fn without_a_rule_nothing_is_told() {
        let mut watch = after_a_week_of(0);
        watch.set(None);
        assert_eq!(watch.handle_spent(at(0, 0), 1_000 * DOLLAR), None);
    }

    #[test]
    fn a_week_of_hours_is_kept_at_most() {
        let mut watch = watch();
        for hour in 0..1_000 {
            watch.handle_spent(at(hour, 0), 1);
        }
        assert_eq!(watch.hours.len(), 169);
    }
}
