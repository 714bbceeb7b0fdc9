//! Events that find the queue full.

use std::time::Duration;

use clawvoice_session::SessionTime;

/// The log says it at most this often.
const SAID_EVERY: Duration = Duration::from_secs(1);

/// Counts rejected events and decides when to say so.
#[derive(Clone, Debug)]
pub(crate) struct Overflow {
    capacity: usize,
    unsaid: u64,
    said_at: Option<SessionTime>,
}

impl Overflow {
    /// Of a queue for so many events.
    pub(crate) fn new(capacity: usize) -> Self {
        Self { capacity, unsaid: 0, said_at: None }
    }

    /// An event is rejected; the line to log, if it is time for one.
    pub(crate) fn reject(&mut self, now: SessionTime, event: &str) -> Option<String> {
        self.unsaid += 1;
        if self.said_at.is_some_and(|at| now.since(at) < SAID_EVERY) {
            return None;
        }
        self.said_at = Some(now);
        let others = std::mem::take(&mut self.unsaid) - 1;
        let others = if others == 0 { String::new() } else { format!(" and {others} before it") };
        Some(format!("event queue is full ({}): {event}{others} rejected", self.capacity))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_said_at_once_and_later_ones_are_counted() {
        let mut overflow = Overflow::new(10_000);
        let at = SessionTime::from_millis;
        assert_eq!(
            overflow.reject(at(5), "MESSAGE_CREATE").as_deref(),
            Some("event queue is full (10000): MESSAGE_CREATE rejected")
        );
        for moment in 6..1005 {
            assert_eq!(overflow.reject(at(moment), "MESSAGE_CREATE"), None);
        }
        assert_eq!(
            overflow.reject(at(1005), "TYPING_START").as_deref(),
            Some("event queue is full (10000): TYPING_START and 999 before it rejected")
        );
    }
}
