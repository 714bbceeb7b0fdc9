//! How many messages a channel takes: `rateLimit`.
//!
//! What is over the budget waits in order, per channel; when too many wait, the next one is refused
//! and whoever sends it says so. It is a budget beside Discord's own rate limits, which the queue of
//! requests keeps: one talkative answer is not to use up the whole of them.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use clawvoice_config::RateLimit;
use clawvoice_session::{ChannelId, SessionTime};

/// Messages that go within [`WINDOW`].
const BUDGET: usize = 5;

/// See [`RateLimit::burst_protection`].
const WINDOW: Duration = Duration::from_secs(5);

/// Names a message that was handed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SendTicket(u64);

/// Too many messages wait for a channel: the turn fails, and says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{waiting} messages wait to be sent to channel {channel} already")]
pub struct SendQueueFull {
    /// Where.
    pub channel: ChannelId,
    /// So many.
    pub waiting: usize,
}

#[derive(Debug, Default)]
struct Channel {
    waiting: VecDeque<SendTicket>,
    /// When the newest went, oldest first.
    sent: VecDeque<SessionTime>,
}

/// The budgets of all channels of an account.
#[derive(Debug)]
pub struct SendBudget {
    settings: RateLimit,
    channels: BTreeMap<ChannelId, Channel>,
    next: u64,
}

impl SendBudget {
    /// Nothing was sent yet.
    #[must_use]
    pub const fn new(settings: RateLimit) -> Self {
        Self { settings, channels: BTreeMap::new(), next: 0 }
    }

    /// A message is to be sent there. It may be once [`Self::poll_output`] gives its ticket.
    ///
    /// # Errors
    ///
    /// Too many wait already; nothing that waits is dropped.
    pub fn submit(
        &mut self,
        now: SessionTime,
        channel: ChannelId,
    ) -> Result<SendTicket, SendQueueFull> {
        self.forget(now);
        let most = usize::try_from(self.settings.max_queue).unwrap_or(usize::MAX);
        let waits = self.is_limited();
        let entry = self.channels.entry(channel).or_default();
        let at_once = entry.waiting.is_empty() && (!waits || entry.free_at(now) <= now);
        if entry.waiting.len() >= most && !at_once {
            return Err(SendQueueFull { channel, waiting: entry.waiting.len() });
        }
        let ticket = SendTicket(self.next);
        self.next += 1;
        entry.waiting.push_back(ticket);
        Ok(ticket)
    }

    /// Nobody sends it any more.
    pub fn cancel(&mut self, ticket: SendTicket) {
        for channel in self.channels.values_mut() {
            channel.waiting.retain(|waiting| *waiting != ticket);
        }
    }

    /// The next message that may be sent now.
    pub fn poll_output(&mut self, now: SessionTime) -> Option<SendTicket> {
        let limited = self.is_limited();
        let free = |channel: &&mut Channel| {
            !channel.waiting.is_empty() && (!limited || channel.free_at(now) <= now)
        };
        let channel = self.channels.values_mut().find(free)?;
        let ticket = channel.waiting.pop_front()?;
        channel.sent.push_back(now);
        if channel.sent.len() > BUDGET {
            channel.sent.pop_front();
        }
        Some(ticket)
    }

    /// When there may be a message to send.
    #[must_use]
    pub fn poll_timeout(&self, now: SessionTime) -> Option<SessionTime> {
        let waiting = self.channels.values().filter(|channel| !channel.waiting.is_empty());
        let limited = self.is_limited();
        waiting.map(|channel| if limited { channel.free_at(now) } else { now }).min()
    }

    const fn is_limited(&self) -> bool {
        self.settings.enabled && self.settings.burst_protection
    }

    /// Channels that nothing was sent to lately.
    fn forget(&mut self, now: SessionTime) {
        self.channels.retain(|_, channel| {
            let lately = channel.sent.back().is_some_and(|sent| now.since(*sent) < WINDOW);
            lately || !channel.waiting.is_empty()
        });
    }
}

impl Channel {
    /// When the next message may go, not before `now`.
    fn free_at(&self, now: SessionTime) -> SessionTime {
        match self.sent.front() {
            Some(oldest) if self.sent.len() >= BUDGET => now.max(*oldest + WINDOW),
            _ => now,
        }
    }
}

#[cfg(test)]
mod tests {
    use clawvoice_config::RateStrategy;
    use proptest::prelude::*;

    use super::*;

    const ROOM: ChannelId = ChannelId::new(5);
    const OTHER: ChannelId = ChannelId::new(6);

    fn at(millis: u64) -> SessionTime {
        SessionTime::from_millis(millis)
    }

    fn budget(enabled: bool, burst_protection: bool, max_queue: u32) -> SendBudget {
        let strategy = RateStrategy::Queue;
        SendBudget::new(RateLimit { enabled, strategy, max_queue, burst_protection })
    }

    fn sent(budget: &mut SendBudget, now: SessionTime) -> Vec<SendTicket> {
        std::iter::from_fn(|| budget.poll_output(now)).collect()
    }

    #[test]
    fn five_within_five_seconds_and_each_channel_by_itself() {
        let mut budget = budget(true, true, 50);
        let tickets: Vec<_> = (0..7).map(|_| budget.submit(at(0), ROOM).unwrap()).collect();
        assert_eq!(sent(&mut budget, at(0)), tickets[..5]);
        let other = budget.submit(at(1), OTHER).unwrap();
        assert_eq!(sent(&mut budget, at(1)), [other]);
        assert_eq!(budget.poll_timeout(at(1)), Some(at(5000)));
        assert_eq!(sent(&mut budget, at(4999)), []);
        assert_eq!(sent(&mut budget, at(5000)), tickets[5..]);
        assert_eq!(budget.poll_timeout(at(5000)), None);
    }

    #[test]
    fn one_too_many_is_refused_and_nothing_else_is_lost() {
        let mut budget = budget(true, true, 50);
        for _ in 0..5 {
            budget.submit(at(0), ROOM).unwrap();
        }
        sent(&mut budget, at(0));
        let tickets: Vec<_> = (0..50).map(|_| budget.submit(at(0), ROOM).unwrap()).collect();
        let full = budget.submit(at(0), ROOM).unwrap_err();
        assert_eq!(full, SendQueueFull { channel: ROOM, waiting: 50 });
        assert_eq!(full.to_string(), "50 messages wait to be sent to channel 5 already");
        budget.submit(at(0), OTHER).unwrap();
        budget.cancel(tickets[0]);
        let late = budget.submit(at(0), ROOM).unwrap();
        let mut all: Vec<_> = (1..=11).flat_map(|n| sent(&mut budget, at(n * 5000))).collect();
        all.retain(|ticket| tickets.contains(ticket) || *ticket == late);
        assert_eq!(all[..49], tickets[1..]);
        assert_eq!(all[49..], [late]);
    }

    #[test]
    fn without_a_limit_nothing_waits() {
        for (enabled, burst) in [(false, true), (true, false)] {
            let mut budget = budget(enabled, burst, 3);
            for _ in 0..100 {
                let ticket = budget.submit(at(0), ROOM).unwrap();
                assert_eq!(budget.poll_timeout(at(0)), Some(at(0)));
                assert_eq!(sent(&mut budget, at(0)), [ticket]);
            }
        }
    }

    proptest! {
        #[test]
        fn never_more_than_five_in_five_seconds_and_in_order(
            waits in prop::collection::vec(0_u64..2000, 1..80),
        ) {
            let mut budget = budget(true, true, 1000);
            let (mut now, mut times) = (at(0), Vec::new());
            let mut last = None;
            for wait in waits.iter().copied().chain(std::iter::repeat_n(1000, 100)) {
                now += Duration::from_millis(wait);
                if times.len() < waits.len() {
                    budget.submit(now, ROOM).unwrap();
                }
                for ticket in sent(&mut budget, now) {
                    prop_assert!(last < Some(ticket));
                    last = Some(ticket);
                    times.push(now);
                }
            }
            for window in times.windows(BUDGET + 1) {
                prop_assert!(window[BUDGET].since(window[0]) >= WINDOW);
            }
        }
    }
}
