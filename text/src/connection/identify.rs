//! When a shard may identify.
//!
//! Shards whose numbers are equal modulo `max_concurrency` share a rate limit key; each key takes
//! one IDENTIFY per interval, and the bot so many a day. Source: Discord, "Gateway", Sharding,
//! Max Concurrency; Session Start Limit Object.

use std::time::Duration;

use clawvoice_session::SessionTime;

/// What Discord allows, from GET /gateway/bot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StartLimit {
    /// IDENTIFYs left.
    pub(crate) remaining: u32,
    /// IDENTIFYs a day.
    pub(crate) total: u32,
    /// Until `remaining` is `total` again.
    pub(crate) reset_after: Duration,
    /// Rate limit keys.
    pub(crate) max_concurrency: u32,
}

impl Default for StartLimit {
    fn default() -> Self {
        let day = Duration::from_secs(24 * 3600);
        Self { remaining: 1000, total: 1000, reset_after: day, max_concurrency: 1 }
    }
}

/// Hands out moments at which to identify.
#[derive(Debug)]
pub(crate) struct IdentifyPacing {
    interval: Duration,
    limit: StartLimit,
    resets_at: SessionTime,
    /// When each key is free again.
    free_at: Vec<SessionTime>,
}

impl IdentifyPacing {
    /// `interval`: between two IDENTIFYs of one key.
    pub(crate) fn new(interval: Duration) -> Self {
        let limit = StartLimit::default();
        let resets_at = SessionTime::ZERO + limit.reset_after;
        Self { interval, limit, resets_at, free_at: vec![SessionTime::ZERO] }
    }

    /// What Discord says now. What was handed out already still counts.
    pub(crate) fn update(&mut self, now: SessionTime, limit: StartLimit) {
        let latest = self.free_at.iter().max().copied().unwrap_or_default();
        let keys = usize::try_from(limit.max_concurrency).unwrap_or(1).max(1);
        if keys != self.free_at.len() {
            self.free_at = vec![latest; keys];
        }
        self.resets_at = now + limit.reset_after;
        self.limit = limit;
    }

    /// The moment at which this shard may identify; it is taken by this call.
    pub(crate) fn reserve(&mut self, now: SessionTime, shard: u32) -> SessionTime {
        if now >= self.resets_at {
            self.start_day(self.resets_at.max(now));
        }
        let mut at = now;
        if self.limit.remaining == 0 {
            at = self.resets_at;
            self.start_day(at);
        }
        let key = usize::try_from(shard).unwrap_or(0) % self.free_at.len();
        if let Some(free_at) = self.free_at.get_mut(key) {
            at = at.max(*free_at);
            *free_at = at + self.interval;
        }
        self.limit.remaining = self.limit.remaining.saturating_sub(1);
        at
    }

    fn start_day(&mut self, at: SessionTime) {
        self.limit.remaining = self.limit.total.max(1);
        self.resets_at = at + StartLimit::default().reset_after;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: u64) -> SessionTime {
        SessionTime::from_millis(secs * 1000)
    }

    fn limit(max_concurrency: u32, remaining: u32) -> StartLimit {
        let reset_after = Duration::from_secs(3600);
        StartLimit { remaining, total: 1000, reset_after, max_concurrency }
    }

    #[test]
    fn one_key_takes_one_identify_in_five_seconds() {
        let mut pacing = IdentifyPacing::new(Duration::from_secs(5));
        let moments: Vec<_> = (0..3).map(|shard| pacing.reserve(at(10), shard)).collect();
        assert_eq!(moments, [at(10), at(15), at(20)]);
        assert_eq!(pacing.reserve(at(60), 0), at(60));
    }

    #[test]
    fn keys_do_not_wait_for_each_other() {
        let mut pacing = IdentifyPacing::new(Duration::from_secs(5));
        pacing.update(at(0), limit(16, 1000));
        let moments: Vec<_> = (0..32).map(|shard| pacing.reserve(at(1), shard)).collect();
        assert!(moments[..16].iter().all(|moment| *moment == at(1)));
        assert!(moments[16..].iter().all(|moment| *moment == at(6)));
    }

    #[test]
    fn when_the_day_is_used_up_the_next_one_is_awaited() {
        let mut pacing = IdentifyPacing::new(Duration::from_secs(5));
        pacing.update(at(100), limit(1, 2));
        let moments: Vec<_> = (0..3).map(|_| pacing.reserve(at(100), 0)).collect();
        assert_eq!(moments, [at(100), at(105), at(3700)]);
    }

    #[test]
    fn a_new_answer_of_discord_forgets_nothing_that_was_handed_out() {
        let mut pacing = IdentifyPacing::new(Duration::from_secs(5));
        pacing.reserve(at(0), 0);
        pacing.update(at(1), limit(4, 900));
        assert_eq!(pacing.reserve(at(1), 3), at(5));
    }
}
