//! Step 26: two bots that answer each other are stopped.
//!
//! Source: OpenClaw, "Discord", `botLoopProtection`.

use std::collections::{HashMap, VecDeque};

use clawvoice_config::BotLoopProtection;
use clawvoice_session::{ChannelId, UserId};

/// Pairs of bots that are followed. With more, those that were silent longest are forgotten.
const MOST: usize = 4_096;

/// Two bots in a channel; which of them writes does not matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Pair {
    channel: ChannelId,
    first: UserId,
    second: UserId,
}

#[derive(Clone, Debug, Default)]
struct Talk {
    /// Milliseconds since 1970 of the messages in the window.
    events: VecDeque<u64>,
    quiet_until: u64,
    last: u64,
}

/// Counts what bots say to each other, for one account. The time is the messages' own.
#[derive(Clone, Debug, Default)]
pub struct LoopGuard {
    talks: HashMap<Pair, Talk>,
}

impl LoopGuard {
    /// A bot's message in a channel, to this bot. Whether it is too many
    /// (`bot-loop-cooldown`).
    pub fn handle_message(
        &mut self,
        rules: &BotLoopProtection,
        channel: ChannelId,
        author: UserId,
        own: UserId,
        unix_ms: u64,
    ) -> bool {
        if !rules.enabled || author == own {
            return false;
        }
        let window = millis(rules.window);
        self.make_room(unix_ms, window.max(millis(rules.cooldown)));
        let (first, second) = if author < own { (author, own) } else { (own, author) };
        let talk = self.talks.entry(Pair { channel, first, second }).or_default();
        talk.last = talk.last.max(unix_ms);
        if unix_ms < talk.quiet_until {
            return true;
        }
        // Messages are not always told in order: one that is older counts as well.
        let oldest = talk.last.saturating_sub(window);
        talk.events.retain(|at| *at >= oldest);
        talk.events.push_back(unix_ms);
        let most = usize::try_from(rules.max_events).unwrap_or(usize::MAX);
        if talk.events.len() <= most {
            return false;
        }
        talk.events.clear();
        talk.quiet_until = unix_ms.saturating_add(millis(rules.cooldown));
        true
    }

    /// How many pairs are followed.
    #[must_use]
    pub fn len(&self) -> usize {
        self.talks.len()
    }

    /// Whether no pair is followed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.talks.is_empty()
    }

    fn make_room(&mut self, now: u64, idle: u64) {
        if self.talks.len() < MOST {
            return;
        }
        self.talks.retain(|_, talk| now.saturating_sub(talk.last) < idle);
        if self.talks.len() >= MOST {
            let mut lasts: Vec<u64> = self.talks.values().map(|talk| talk.last).collect();
            lasts.sort_unstable();
            let middle = lasts.get(lasts.len() / 2).copied().unwrap_or(now);
            self.talks.retain(|_, talk| talk.last > middle);
        }
    }
}

fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const ROOM: ChannelId = ChannelId::new(5);
    const PEER: UserId = UserId::new(9);
    const OWN: UserId = UserId::new(1);

    fn rules(max_events: u32, cooldown: u64) -> BotLoopProtection {
        BotLoopProtection {
            enabled: true,
            max_events,
            window: Duration::from_secs(60),
            cooldown: Duration::from_secs(cooldown),
        }
    }

    /// Scenario 8 of the text scenarios.
    #[test]
    fn the_21st_in_a_minute_is_too_many_and_silences_for_a_minute() {
        let (mut guard, rules) = (LoopGuard::default(), rules(20, 60));
        let mut hear = |ms| guard.handle_message(&rules, ROOM, PEER, OWN, ms);
        for event in 0..20 {
            assert!(!hear(event * 1_000), "{event}");
        }
        assert!(hear(20_000));
        assert!(hear(79_999), "what is suppressed does not make it longer");
        assert!(!hear(80_000));
        for event in 1..20 {
            assert!(!hear(80_000 + event), "the count began anew: {event}");
        }
        assert!(hear(80_020));
    }

    /// Scenario 9 of the text scenarios: settings go over one another field by field.
    #[test]
    fn the_account_says_how_many_and_for_how_long() {
        let (mut guard, rules) = (LoopGuard::default(), rules(5, 90));
        let mut hear = |ms| guard.handle_message(&rules, ROOM, PEER, OWN, ms);
        for event in 0..5 {
            assert!(!hear(event * 10_000));
        }
        assert!(hear(59_999), "the sixth in the inherited window of 60 s");
        assert!(hear(149_998) && !hear(149_999));
    }

    #[test]
    fn both_directions_share_a_budget_and_others_do_not() {
        let (mut guard, rules) = (LoopGuard::default(), rules(1, 60));
        assert!(!guard.handle_message(&rules, ROOM, PEER, OWN, 0));
        assert!(guard.handle_message(&rules, ROOM, OWN, PEER, 1));
        assert!(!guard.handle_message(&rules, ROOM, UserId::new(8), OWN, 2));
        assert!(!guard.handle_message(&rules, ChannelId::new(6), PEER, OWN, 3));
        for ms in 0..10 {
            assert!(!guard.handle_message(&rules, ROOM, OWN, OWN, ms), "nobody loops alone");
            let off = BotLoopProtection { enabled: false, ..rules.clone() };
            assert!(!guard.handle_message(&off, ROOM, PEER, OWN, ms));
        }
    }

    #[test]
    fn a_slow_talk_is_never_stopped() {
        let (mut guard, rules) = (LoopGuard::default(), rules(20, 60));
        for event in 0..1_000_u64 {
            assert!(!guard.handle_message(&rules, ROOM, PEER, OWN, event * 3_001));
        }
        assert_eq!(guard.len(), 1);
    }

    #[test]
    fn idle_pairs_are_forgotten() {
        let (mut guard, rules) = (LoopGuard::default(), rules(20, 60));
        for peer in 0..20_000 {
            guard.handle_message(&rules, ROOM, UserId::new(100 + peer), OWN, peer / 100);
        }
        assert!(guard.len() <= MOST, "{}", guard.len());
        for peer in 0..MOST as u64 {
            guard.handle_message(&rules, ROOM, UserId::new(100 + peer), OWN, 1_000_000_000);
        }
        assert!(guard.len() <= MOST);
    }
}
