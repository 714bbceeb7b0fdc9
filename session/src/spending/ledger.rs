//! What was spent since midnight UTC, by agent, by user and by channel.

use std::{
    collections::{BTreeMap, HashMap},
    hash::Hash,
};

use jiff::Timestamp;

use super::Day;
use crate::{ChannelId, UserId};

/// Users, or channels, of an agent whose sums are kept; beyond it the one that has spent least is
/// forgotten.
const MOST: usize = 10_000;

/// On whose account something is spent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spender {
    /// The agent's id, as in session keys.
    pub agent: String,
    /// Who is answered; `None`: not known any more.
    pub user: Option<UserId>,
    /// Where; `None`: not known.
    pub channel: Option<ChannelId>,
}

/// What was spent since midnight UTC, in billionths of a US dollar.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DaySums {
    /// By the agent.
    pub agent: i64,
    /// Of this, for the user.
    pub user: i64,
    /// Of it, in the channel.
    pub channel: i64,
}

/// The sums of one day. Every question and every sum names its moment; one of another day begins
/// with nothing.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    day: Option<Day>,
    agents: BTreeMap<String, OfAgent>,
}

#[derive(Clone, Debug, Default)]
struct OfAgent {
    total: i64,
    users: Sums<UserId>,
    channels: Sums<ChannelId>,
}

impl Ledger {
    /// Something was spent.
    pub fn handle_spent(&mut self, now: Timestamp, by: &Spender, nano_dollars: i64) {
        self.turn_to(now);
        let agent = self.agents.entry(by.agent.clone()).or_default();
        agent.total += nano_dollars;
        if let Some(user) = by.user {
            agent.users.add(user, nano_dollars);
        }
        if let Some(channel) = by.channel {
            agent.channels.add(channel, nano_dollars);
        }
    }

    /// What was spent today on this account.
    pub fn of(&mut self, now: Timestamp, by: &Spender) -> DaySums {
        self.turn_to(now);
        let Some(agent) = self.agents.get(&by.agent) else { return DaySums::default() };
        DaySums {
            agent: agent.total,
            user: by.user.map_or(0, |user| agent.users.of(user)),
            channel: by.channel.map_or(0, |channel| agent.channels.of(channel)),
        }
    }

    /// What each agent has spent today.
    pub fn agents(&mut self, now: Timestamp) -> impl Iterator<Item = (&str, i64)> {
        self.turn_to(now);
        self.agents.iter().map(|(id, agent)| (id.as_str(), agent.total))
    }

    fn turn_to(&mut self, now: Timestamp) {
        let day = Some(Day::of(now));
        if self.day != day {
            self.day = day;
            self.agents.clear();
        }
    }
}

#[derive(Clone, Debug)]
struct Sums<K>(HashMap<K, i64>);

impl<K> Default for Sums<K> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Copy + Eq + Hash + Ord> Sums<K> {
    fn of(&self, key: K) -> i64 {
        self.0.get(&key).copied().unwrap_or(0)
    }

    fn add(&mut self, key: K, nano_dollars: i64) {
        if nano_dollars == 0 {
            return;
        }
        if self.0.len() >= MOST && !self.0.contains_key(&key) {
            let least = self.0.iter().map(|(key, sum)| (*sum, *key)).min();
            if let Some((_, least)) = least {
                self.0.remove(&least);
            }
        }
        *self.0.entry(key).or_default() += nano_dollars;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn by(agent: &str, user: u64, channel: u64) -> Spender {
        Spender {
            agent: agent.to_owned(),
            user: Some(UserId::new(user)),
            channel: Some(ChannelId::new(channel)),
        }
    }

    #[test]
    fn every_account_has_its_own_sums() {
        let mut ledger = Ledger::default();
        let now = at("2026-05-01T10:00:00Z");
        for (spender, nano) in [
            (by("main", 1, 7), 10),
            (by("main", 1, 8), 20),
            (by("main", 2, 7), 40),
            (by("ops", 1, 7), 80),
            (Spender { user: None, channel: None, ..by("main", 1, 1) }, 160),
        ] {
            ledger.handle_spent(now, &spender, nano);
        }
        let sums = |agent, user, channel| DaySums { agent, user, channel };
        for (spender, expected) in [
            (by("main", 1, 7), sums(230, 30, 50)),
            (by("main", 2, 8), sums(230, 40, 20)),
            (by("ops", 2, 7), sums(80, 0, 80)),
            (by("new", 1, 7), sums(0, 0, 0)),
            (Spender { user: None, channel: None, ..by("main", 1, 1) }, sums(230, 0, 0)),
        ] {
            assert_eq!(ledger.of(now, &spender), expected, "{spender:?}");
        }
        assert_eq!(ledger.agents(now).collect::<Vec<_>>(), [("main", 230), ("ops", 80)]);
    }

    #[test]
    fn midnight_utc_begins_with_nothing() {
        let mut ledger = Ledger::default();
        let ada = by("main", 1, 7);
        ledger.handle_spent(at("2026-05-01T00:00:00Z"), &ada, 10);
        ledger.handle_spent(at("2026-05-01T23:59:59Z"), &ada, 5);
        assert_eq!(ledger.of(at("2026-05-01T23:59:59Z"), &ada).user, 15);
        assert_eq!(ledger.of(at("2026-05-02T00:00:00Z"), &ada), DaySums::default());
        ledger.handle_spent(at("2026-05-02T00:00:01Z"), &ada, 1);
        assert_eq!(ledger.of(at("2026-05-02T12:00:00Z"), &ada).agent, 1);
    }

    #[test]
    fn of_too_many_users_those_who_spent_most_are_known() {
        let mut ledger = Ledger::default();
        let now = at("2026-05-01T10:00:00Z");
        let many = u64::try_from(MOST).unwrap() + 5;
        for user in 1..=many {
            let nano = i64::try_from(user).unwrap();
            ledger.handle_spent(now, &by("main", user, 7), nano);
        }
        let of = |ledger: &mut Ledger, user| ledger.of(now, &by("main", user, 7)).user;
        assert_eq!((of(&mut ledger, 5), of(&mut ledger, 6), of(&mut ledger, many)), (0, 6, 10_005));
        assert_eq!(ledger.agents["main"].users.0.len(), MOST);
        // Who spends nothing takes nobody's place.
        ledger.handle_spent(now, &by("main", many + 1, 7), 0);
        assert_eq!(of(&mut ledger, 6), 6);
    }
}
