//! Step 4: a message that Discord tells twice is taken once.

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use clawvoice_session::{ChannelId, MessageId, SessionTime};

/// How long a message is remembered once it is done. Source: OpenClaw, "Discord".
const REMEMBERED: Duration = Duration::from_secs(5 * 60);
/// So many are remembered; then the oldest go.
const MOST: usize = 5_000;

/// A message of an account.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MessageKey {
    /// The account.
    pub account: String,
    /// The channel or thread.
    pub channel: ChannelId,
    /// The message.
    pub message: MessageId,
}

/// What is known of a message that comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// It is new, and now the caller's: to be ended by [`Dedup::commit`] or [`Dedup::release`].
    Fresh,
    /// It was seen before: `duplicate-message`.
    Duplicate,
}

/// Remembers which messages were taken.
///
/// A claim holds until it is ended, however long that takes; a message that is done is forgotten
/// after five minutes.
#[derive(Clone, Debug, Default)]
pub struct Dedup {
    known: HashMap<MessageKey, Standing>,
    order: VecDeque<(u64, MessageKey)>,
    next: u64,
}

#[derive(Clone, Copy, Debug)]
struct Standing {
    /// Tells this claim from a later one of the same message.
    number: u64,
    done: Option<SessionTime>,
}

impl Dedup {
    /// Takes a message, if nobody has.
    pub fn claim(&mut self, now: SessionTime, key: &MessageKey) -> Claim {
        self.forget(now);
        if self.known.get(key).is_some_and(|it| !is_over(now, it.done)) {
            return Claim::Duplicate;
        }
        self.put(key.clone(), None);
        Claim::Fresh
    }

    /// The message was answered or dropped.
    pub fn commit(&mut self, now: SessionTime, key: &MessageKey) {
        self.forget(now);
        match self.known.get_mut(key) {
            Some(standing) => standing.done = Some(now),
            None => self.put(key.clone(), Some(now)),
        }
    }

    /// The work on the message failed and may be tried again.
    pub fn release(&mut self, key: &MessageKey) {
        if self.known.get(key).is_some_and(|it| it.done.is_none()) {
            self.known.remove(key);
        }
    }

    /// A message that was done at `at`, before this process began.
    pub fn restore(&mut self, at: SessionTime, key: MessageKey) {
        if !self.known.contains_key(&key) {
            self.put(key, Some(at));
        }
    }

    /// How many are remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// Whether none is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    fn put(&mut self, key: MessageKey, done: Option<SessionTime>) {
        let number = self.next;
        self.next = self.next.wrapping_add(1);
        self.known.insert(key.clone(), Standing { number, done });
        self.order.push_back((number, key));
        while self.order.len() > MOST {
            self.forget_first();
        }
    }

    /// Forgets, from the oldest on, what is over or was released. One claim that takes long keeps
    /// those behind it, within [`MOST`]; they count as forgotten all the same.
    fn forget(&mut self, now: SessionTime) {
        while let Some((number, key)) = self.order.front() {
            let standing = self.known.get(key).filter(|it| it.number == *number);
            if standing.is_some_and(|it| !is_over(now, it.done)) {
                return;
            }
            self.forget_first();
        }
    }

    fn forget_first(&mut self) {
        if let Some((number, key)) = self.order.pop_front()
            && self.known.get(&key).is_some_and(|it| it.number == number)
        {
            self.known.remove(&key);
        }
    }
}

fn is_over(now: SessionTime, done: Option<SessionTime>) -> bool {
    done.is_some_and(|done| now.since(done) >= REMEMBERED)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: u64) -> SessionTime {
        SessionTime::from_millis(second * 1_000)
    }

    fn key(message: u64) -> MessageKey {
        MessageKey {
            account: "default".to_owned(),
            channel: ChannelId::new(5),
            message: MessageId::new(message),
        }
    }

    /// Scenario 2 of the text scenarios, the window; the store restores it after a restart.
    #[test]
    fn a_message_is_taken_once_in_five_minutes() {
        let mut dedup = Dedup::default();
        assert_eq!(dedup.claim(at(0), &key(1)), Claim::Fresh);
        assert_eq!(dedup.claim(at(400), &key(1)), Claim::Duplicate, "a claim holds");
        dedup.commit(at(400), &key(1));
        assert_eq!(dedup.claim(at(699), &key(1)), Claim::Duplicate);
        assert_eq!(dedup.claim(at(700), &key(1)), Claim::Fresh);
        let elsewhere = MessageKey { channel: ChannelId::new(6), ..key(1) };
        let other = MessageKey { account: "ops".to_owned(), ..key(1) };
        assert_eq!(dedup.claim(at(700), &elsewhere), Claim::Fresh);
        assert_eq!(dedup.claim(at(700), &other), Claim::Fresh);
        let mut restarted = Dedup::default();
        restarted.restore(at(0), key(9));
        assert_eq!(restarted.claim(at(299), &key(9)), Claim::Duplicate);
        assert_eq!(restarted.claim(at(300), &key(9)), Claim::Fresh);
    }

    /// Scenario 3 of the text scenarios.
    #[test]
    fn a_failure_that_may_be_retried_gives_the_message_back() {
        let mut dedup = Dedup::default();
        assert_eq!(dedup.claim(at(0), &key(1)), Claim::Fresh);
        dedup.release(&key(1));
        assert_eq!(dedup.claim(at(1), &key(1)), Claim::Fresh);
        dedup.commit(at(2), &key(1));
        dedup.release(&key(1));
        assert_eq!(dedup.claim(at(3), &key(1)), Claim::Duplicate, "what is done is done");
    }

    #[test]
    fn a_claim_that_takes_long_keeps_nothing_alive() {
        let mut dedup = Dedup::default();
        dedup.claim(at(0), &key(1));
        dedup.claim(at(0), &key(2));
        dedup.commit(at(0), &key(2));
        assert_eq!(dedup.claim(at(301), &key(2)), Claim::Fresh);
        dedup.commit(at(301), &key(2));
        dedup.commit(at(301), &key(1));
        assert_eq!(dedup.claim(at(302), &key(2)), Claim::Duplicate);
    }

    #[test]
    fn the_memory_is_bounded_and_the_oldest_go() {
        let mut dedup = Dedup::default();
        for message in 1..=20_000 {
            dedup.claim(at(0), &key(message));
        }
        assert_eq!((dedup.len(), dedup.order.len()), (MOST, MOST));
        assert_eq!(dedup.claim(at(0), &key(20_000)), Claim::Duplicate);
        assert_eq!(dedup.claim(at(0), &key(1)), Claim::Fresh);
    }
}
