//! What happened of late: the newest, for a while.

use std::{
    collections::{HashMap, VecDeque},
    hash::Hash,
    time::Duration,
};

use clawvoice_session::SessionTime;

/// So many things, each for as long after it last happened. With more, the oldest go.
#[derive(Clone, Debug)]
pub(crate) struct Recent<T> {
    keep: Duration,
    most: usize,
    order: VecDeque<Happened<T>>,
    /// The last number of each.
    last: HashMap<T, u64>,
    next: u64,
}

#[derive(Clone, Debug)]
struct Happened<T> {
    at: SessionTime,
    /// Several may happen at one time.
    number: u64,
    it: T,
}

impl<T: Clone + Eq + Hash> Recent<T> {
    /// Nothing yet.
    pub(crate) fn new(keep: Duration, most: usize) -> Self {
        Self { keep, most, order: VecDeque::new(), last: HashMap::new(), next: 0 }
    }

    /// It happened now.
    pub(crate) fn put(&mut self, now: SessionTime, it: T) {
        let number = self.next;
        self.next = self.next.wrapping_add(1);
        self.last.insert(it.clone(), number);
        self.order.push_back(Happened { at: now, number, it });
        self.forget(now);
        while self.order.len() > self.most {
            self.forget_first();
        }
    }

    /// Forgets what is over.
    pub(crate) fn forget(&mut self, now: SessionTime) {
        while self.order.front().is_some_and(|it| now.since(it.at) >= self.keep) {
            self.forget_first();
        }
    }

    fn forget_first(&mut self) {
        if let Some(Happened { number, it, .. }) = self.order.pop_front()
            && self.last.get(&it) == Some(&number)
        {
            self.last.remove(&it);
        }
    }

    /// Whether it happened, and was not forgotten since.
    pub(crate) fn has(&self, it: &T) -> bool {
        self.last.contains_key(it)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: u64) -> SessionTime {
        SessionTime::from_millis(second * 1_000)
    }

    #[test]
    fn a_thing_is_known_for_a_while_after_it_last_happened() {
        let mut recent = Recent::new(Duration::from_secs(30), 9);
        recent.put(at(0), 'a');
        recent.put(at(10), 'b');
        recent.put(at(20), 'a');
        recent.forget(at(39));
        assert!(recent.has(&'a') && recent.has(&'b') && !recent.has(&'c'));
        recent.forget(at(49));
        assert!(recent.has(&'a') && !recent.has(&'b'));
        recent.forget(at(50));
        assert!(!recent.has(&'a'));
    }

    #[test]
    fn the_memory_is_bounded_and_the_oldest_go() {
        let mut recent = Recent::new(Duration::from_secs(30), 100);
        for number in 0..1_000 {
            recent.put(at(0), number);
        }
        assert_eq!((recent.order.len(), recent.last.len()), (100, 100));
        assert!(!recent.has(&899) && recent.has(&900));
        for _ in 0..1_000 {
            recent.put(at(1), 7);
        }
        assert_eq!((recent.order.len(), recent.last.len()), (100, 1));
    }
}
