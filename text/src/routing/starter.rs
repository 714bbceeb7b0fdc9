//! The message a thread began with: when the agent is shown it, where it is, and what is remembered
//! of it.
//!
//! Source: OpenClaw, "Discord", section "Threads".

use std::{collections::HashMap, time::Duration};

use clawvoice_config::GuildChannel;
use clawvoice_session::{ChannelId, MessageId, SessionTime, UserId};

use crate::place::{Channel, PlaceKind};

/// Threads that are remembered; when there are more, the one that was learnt first is forgotten.
const MAX_THREADS: usize = 500;

/// How long a message is remembered.
const HIT: Duration = Duration::from_secs(5 * 60);

/// How long it is remembered that there is none.
const MISS: Duration = Duration::from_secs(30);

/// A thread's first message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Starter {
    /// The message.
    pub message: MessageId,
    /// Who wrote it: whether the agent may be shown it goes by them.
    pub author: UserId,
    /// What people call them.
    pub label: String,
    /// The text.
    pub text: String,
}

/// Whether the agent is shown the message: once, on the session's first turn. `entry`: the
/// channel's in the file, which a thread has of its parent.
#[must_use]
pub fn is_wanted(entry: Option<&GuildChannel>, is_first_turn: bool) -> bool {
    is_first_turn && entry.is_none_or(|entry| entry.include_thread_starter)
}

/// Where a thread's first message is: of a forum's post in the thread itself, of any other in the
/// channel it was opened in. It has the thread's id in both. Source: Discord, "Threads".
#[must_use]
pub fn source(thread: &Channel, parent: &Channel) -> (ChannelId, MessageId) {
    let message = MessageId::new(thread.id.get());
    match parent.kind {
        PlaceKind::Forum => (thread.id, message),
        _ => (parent.id, message),
    }
}

/// What is remembered of a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remembered<'a> {
    /// Its first message.
    Starter(&'a Starter),
    /// That there is none to be seen.
    None,
    /// Nothing: Discord is to be asked.
    Nothing,
}

#[derive(Clone, Debug)]
struct Entry {
    until: SessionTime,
    order: u64,
    starter: Option<Starter>,
}

/// First messages that were asked for lately.
#[derive(Clone, Debug, Default)]
pub struct StarterCache {
    threads: HashMap<ChannelId, Entry>,
    next: u64,
}

impl StarterCache {
    /// What is remembered of a thread.
    #[must_use]
    pub fn get(&self, now: SessionTime, thread: ChannelId) -> Remembered<'_> {
        match self.threads.get(&thread).filter(|entry| now < entry.until) {
            Some(Entry { starter: Some(starter), .. }) => Remembered::Starter(starter),
            Some(Entry { starter: None, .. }) => Remembered::None,
            None => Remembered::Nothing,
        }
    }

    /// Discord answered; `None`: there is no such message (404), or the bot may not see it (403).
    /// Other failures are not remembered.
    pub fn put(&mut self, now: SessionTime, thread: ChannelId, starter: Option<Starter>) {
        let until = now + if starter.is_some() { HIT } else { MISS };
        self.next += 1;
        self.threads.insert(thread, Entry { until, order: self.next, starter });
        if self.threads.len() > MAX_THREADS {
            self.threads.retain(|_, entry| now < entry.until);
        }
        if self.threads.len() > MAX_THREADS {
            let first = self.threads.iter().min_by_key(|(_, entry)| entry.order);
            if let Some(thread) = first.map(|(thread, _)| *thread) {
                self.threads.remove(&thread);
            }
        }
    }

    /// The thread, or its first message, changed or is gone.
    pub fn forget(&mut self, thread: ChannelId) {
        self.threads.remove(&thread);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const THREAD: ChannelId = ChannelId::new(9);

    fn starter(text: &str) -> Starter {
        Starter {
            message: MessageId::new(9),
            author: UserId::new(31),
            label: "Ada".to_owned(),
            text: text.to_owned(),
        }
    }

    #[test]
    fn a_message_is_remembered_longer_than_that_there_is_none() {
        let second = |seconds| SessionTime::ZERO + Duration::from_secs(seconds);
        let mut cache = StarterCache::default();
        assert_eq!(cache.get(second(0), THREAD), Remembered::Nothing);
        cache.put(second(0), THREAD, None);
        assert_eq!(cache.get(second(29), THREAD), Remembered::None);
        assert_eq!(cache.get(second(30), THREAD), Remembered::Nothing);
        cache.put(second(30), THREAD, Some(starter("hi")));
        assert_eq!(cache.get(second(329), THREAD), Remembered::Starter(&starter("hi")));
        assert_eq!(cache.get(second(330), THREAD), Remembered::Nothing);
        cache.put(second(331), THREAD, Some(starter("hi")));
        cache.forget(THREAD);
        assert_eq!(cache.get(second(331), THREAD), Remembered::Nothing);
    }

    #[test]
    fn the_one_learnt_first_makes_room() {
        let mut cache = StarterCache::default();
        for id in 1..=501 {
            cache.put(SessionTime::ZERO, ChannelId::new(id), Some(starter("hi")));
        }
        assert_eq!(cache.threads.len(), 500);
        assert_eq!(cache.get(SessionTime::ZERO, ChannelId::new(1)), Remembered::Nothing);
        assert_eq!(
            cache.get(SessionTime::ZERO, ChannelId::new(2)),
            Remembered::Starter(&starter("hi"))
        );
    }

    #[test]
    fn where_it_is() {
        let read = |json| Channel::read(json, None).unwrap();
        let thread = read(r#"{"id":"9","type":11,"parent_id":"5"}"#);
        let text = read(r#"{"id":"5","type":0}"#);
        let forum = read(r#"{"id":"5","type":15}"#);
        assert_eq!(source(&thread, &text), (ChannelId::new(5), MessageId::new(9)));
        assert_eq!(source(&thread, &forum), (ChannelId::new(9), MessageId::new(9)));
    }

    #[test]
    fn it_is_shown_once_and_where_the_file_says() {
        assert!(is_wanted(None, true));
        assert!(!is_wanted(None, false));
    }
}
