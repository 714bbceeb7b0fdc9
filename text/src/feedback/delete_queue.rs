//! Drafts that could not be deleted and are tried again, one queue per account: it outlives the
//! turns that left them.

use std::{collections::VecDeque, time::Duration};

use clawvoice_session::{ChannelId, MessageId, SessionTime};

/// Drafts that may wait. When one more comes, the one that has waited longest is given up.
const MAX_WAITING: usize = 50;

/// Between two attempts.
const PAUSE: Duration = Duration::from_secs(30);

/// Attempts after the turn's own.
const MAX_ATTEMPTS: u32 = 3;

/// A draft that stays where it is: to be logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeftBehind {
    /// Where.
    pub channel: ChannelId,
    /// The draft.
    pub message: MessageId,
}

#[derive(Debug)]
struct Waiting {
    channel: ChannelId,
    message: MessageId,
    attempts: u32,
    due: SessionTime,
}

/// The queue. One request at a time.
#[derive(Debug, Default)]
pub struct DeleteQueue {
    /// In the order in which they are due: everything waits equally long.
    waiting: VecDeque<Waiting>,
    under_way: Option<Waiting>,
}

impl DeleteQueue {
    /// A draft that was not deleted. Tells which one is given up for it, if there are too many.
    pub fn submit(
        &mut self,
        now: SessionTime,
        channel: ChannelId,
        message: MessageId,
    ) -> Option<LeftBehind> {
        let full = self.waiting.len() >= MAX_WAITING;
        let oldest = if full { self.waiting.pop_front() } else { None };
        self.waiting.push_back(Waiting { channel, message, attempts: 0, due: now + PAUSE });
        oldest.map(|oldest| oldest.left_behind())
    }

    /// The message to delete now; answer with [`Self::handle_deleted`].
    pub fn poll_output(&mut self, now: SessionTime) -> Option<(ChannelId, MessageId)> {
        if self.poll_timeout()? > now {
            return None;
        }
        let next = self.waiting.pop_front()?;
        let what = (next.channel, next.message);
        self.under_way = Some(next);
        Some(what)
    }

    /// What became of it; `gone` also when Discord does not know it. Tells if it is given up.
    pub fn handle_deleted(&mut self, now: SessionTime, gone: bool) -> Option<LeftBehind> {
        let mut tried = self.under_way.take()?;
        tried.attempts += 1;
        if gone {
            return None;
        }
        if tried.attempts >= MAX_ATTEMPTS {
            return Some(tried.left_behind());
        }
        tried.due = now + PAUSE;
        self.waiting.push_back(tried);
        None
    }

    /// When there is something to delete.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<SessionTime> {
        if self.under_way.is_some() {
            return None;
        }
        self.waiting.front().map(|waiting| waiting.due)
    }
}

impl Waiting {
    const fn left_behind(&self) -> LeftBehind {
        LeftBehind { channel: self.channel, message: self.message }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOM: ChannelId = ChannelId::new(5);

    fn at(seconds: u64) -> SessionTime {
        SessionTime::from_millis(seconds * 1000)
    }

    const fn draft(number: u64) -> MessageId {
        MessageId::new(100 + number)
    }

    #[test]
    fn three_more_attempts_half_a_minute_apart() {
        let mut queue = DeleteQueue::default();
        assert_eq!(queue.submit(at(0), ROOM, draft(1)), None);
        for (due, left) in [(30, false), (60, false), (90, true)] {
            assert_eq!(queue.poll_output(at(due - 1)), None);
            assert_eq!(queue.poll_timeout(), Some(at(due)));
            assert_eq!(queue.poll_output(at(due)), Some((ROOM, draft(1))));
            assert_eq!(queue.poll_output(at(due)), None, "it is under way");
            let expected = left.then_some(LeftBehind { channel: ROOM, message: draft(1) });
            assert_eq!(queue.handle_deleted(at(due), false), expected);
        }
        assert_eq!(queue.poll_timeout(), None);
    }

    #[test]
    fn one_that_is_gone_is_forgotten() {
        let mut queue = DeleteQueue::default();
        queue.submit(at(0), ROOM, draft(1));
        queue.submit(at(1), ROOM, draft(2));
        assert_eq!(queue.poll_output(at(40)), Some((ROOM, draft(1))));
        assert_eq!(queue.handle_deleted(at(40), true), None);
        assert_eq!(queue.poll_output(at(40)), Some((ROOM, draft(2))));
        assert_eq!(queue.handle_deleted(at(41), false), None);
        assert_eq!(queue.poll_timeout(), Some(at(71)));
    }

    #[test]
    fn the_fifty_first_costs_the_oldest() {
        let mut queue = DeleteQueue::default();
        for number in 0..50 {
            assert_eq!(queue.submit(at(number), ROOM, draft(number)), None);
        }
        let left = queue.submit(at(50), ROOM, draft(50));
        assert_eq!(left, Some(LeftBehind { channel: ROOM, message: draft(0) }));
        assert_eq!(queue.poll_output(at(60)), Some((ROOM, draft(1))));
    }
}
