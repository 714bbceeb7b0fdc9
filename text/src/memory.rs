//! Answers that are remembered for a while.

use std::{collections::HashMap, hash::Hash, time::Duration};

use clawvoice_session::SessionTime;

#[derive(Clone, Debug)]
struct Entry<V> {
    value: V,
    put: u64,
    until: SessionTime,
}

/// So many values, each for as long as it was put for. A full one forgets what was put first.
#[derive(Clone, Debug)]
pub(crate) struct Memory<K, V> {
    most: usize,
    entries: HashMap<K, Entry<V>>,
    puts: u64,
}

impl<K: Clone + Eq + Hash, V> Memory<K, V> {
    /// Of so many values at most.
    pub(crate) fn new(most: usize) -> Self {
        Self { most, entries: HashMap::new(), puts: 0 }
    }

    /// Remembers a value, in the place of an older one.
    pub(crate) fn put(&mut self, now: SessionTime, key: K, value: V, keep: Duration) {
        if self.entries.len() >= self.most && !self.entries.contains_key(&key) {
            self.entries.retain(|_, entry| entry.until > now);
        }
        while self.entries.len() >= self.most && !self.entries.contains_key(&key) {
            let oldest = self.entries.iter().min_by_key(|(_, entry)| entry.put);
            let Some(oldest) = oldest.map(|(key, _)| key.clone()) else { return };
            self.entries.remove(&oldest);
        }
        self.puts += 1;
        self.entries.insert(key, Entry { value, put: self.puts, until: now + keep });
    }

    /// What is remembered.
    pub(crate) fn get(&self, now: SessionTime, key: &K) -> Option<&V> {
        self.entries.get(key).filter(|entry| entry.until > now).map(|entry| &entry.value)
    }

    /// Forgets what is about these.
    pub(crate) fn forget(&mut self, about: impl Fn(&K) -> bool) {
        self.entries.retain(|key, _| !about(key));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: u64) -> SessionTime {
        SessionTime::from_millis(secs * 1000)
    }

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn a_value_is_there_until_its_time_is_over() {
        let mut memory = Memory::new(9);
        memory.put(at(0), "a", 1, MINUTE);
        assert_eq!(memory.get(at(59), &"a"), Some(&1));
        assert_eq!(memory.get(at(60), &"a"), None);
        memory.put(at(60), "a", 2, MINUTE);
        assert_eq!(memory.get(at(61), &"a"), Some(&2));
        memory.forget(|key| *key == "a");
        assert_eq!(memory.get(at(61), &"a"), None);
    }

    #[test]
    fn a_full_one_forgets_what_is_over_and_then_the_oldest() {
        let mut memory = Memory::new(2);
        memory.put(at(0), "a", 1, MINUTE);
        memory.put(at(1), "b", 2, Duration::from_secs(1));
        memory.put(at(5), "c", 3, MINUTE);
        assert_eq!(memory.get(at(5), &"a"), Some(&1));
        memory.put(at(6), "d", 4, MINUTE);
        let of = |key| memory.get(at(6), &key).copied();
        assert_eq!([of("a"), of("c"), of("d")], [None, Some(3), Some(4)]);
        memory.put(at(7), "c", 5, MINUTE);
        assert_eq!((memory.get(at(7), &"c"), memory.get(at(7), &"d")), (Some(&5), Some(&4)));
        let mut none = Memory::new(0);
        none.put(at(0), "a", 1, MINUTE);
        assert_eq!(none.get(at(0), &"a"), None);
    }
}
