//! Up to where events are dealt with: a message counts only when text has it safely on disk.
//!
//! The next process resumes after the last event that counts, so that Discord tells the others
//! again; those that text took after all are known to it by their ids.

use std::collections::VecDeque;

/// Events that may be under way. Beyond it the newest share a place: more is told again.
const MAX_OPEN: usize = 65_536;

/// The events that were given to text and are not taken yet.
#[derive(Debug, Default)]
pub(crate) struct Handover {
    given: u64,
    taken: u64,
    open: VecDeque<Open>,
}

#[derive(Debug)]
struct Open {
    /// Counts when so many are taken.
    at: u64,
    shard: usize,
    sequence: u64,
}

impl Handover {
    /// Text is given one more.
    pub(crate) fn handle_given(&mut self) {
        self.given += 1;
    }

    /// An event of a shard is dealt with but for what text was given until now.
    pub(crate) fn handle_event(&mut self, shard: usize, sequence: u64) {
        let at = self.given;
        let full = self.open.len() > MAX_OPEN;
        match self.open.back_mut() {
            // Only the newest of a shard says anything.
            Some(last) if last.shard == shard && (last.at == at || full) => {
                (last.at, last.sequence) = (at, sequence);
            }
            _ => self.open.push_back(Open { at, shard, sequence }),
        }
    }

    /// Text has taken so many, from the beginning.
    pub(crate) fn handle_taken(&mut self, taken: u64) {
        self.taken = self.taken.max(taken);
    }

    /// The shard's session is over: its events are numbered anew.
    pub(crate) fn handle_lost(&mut self, shard: usize) {
        self.open.retain(|open| open.shard != shard);
    }

    /// Whether everything counts.
    pub(crate) fn is_settled(&self) -> bool {
        self.open.is_empty()
    }

    /// A shard, and the number of the last of its events that counts.
    pub(crate) fn poll_output(&mut self) -> Option<(usize, u64)> {
        self.open.front().filter(|open| open.at <= self.taken)?;
        let open = self.open.pop_front()?;
        Some((open.shard, open.sequence))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(handover: &mut Handover, shard: usize, sequence: u64, texts: usize) {
        (0..texts).for_each(|_| handover.handle_given());
        handover.handle_event(shard, sequence);
    }

    fn counted(handover: &mut Handover) -> Vec<(usize, u64)> {
        std::iter::from_fn(|| handover.poll_output()).collect()
    }

    #[test]
    fn an_event_counts_when_what_it_told_is_taken() {
        let mut handover = Handover::default();
        event(&mut handover, 0, 1, 0);
        assert_eq!(counted(&mut handover), [(0, 1)]);
        event(&mut handover, 0, 2, 1);
        event(&mut handover, 0, 3, 0);
        event(&mut handover, 1, 9, 0);
        event(&mut handover, 0, 4, 2);
        assert_eq!(counted(&mut handover), []);
        handover.handle_taken(1);
        assert_eq!(counted(&mut handover), [(0, 3), (1, 9)]);
        handover.handle_taken(2);
        assert_eq!(counted(&mut handover), []);
        handover.handle_taken(3);
        assert_eq!(counted(&mut handover), [(0, 4)]);
    }

    #[test]
    fn a_new_session_is_not_given_the_numbers_of_the_old_one() {
        let mut handover = Handover::default();
        event(&mut handover, 0, 700, 1);
        event(&mut handover, 1, 70, 1);
        handover.handle_lost(0);
        handover.handle_taken(2);
        assert_eq!(counted(&mut handover), [(1, 70)]);
    }
}
