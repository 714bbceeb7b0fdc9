//! What happened, in order: every REST call, dispatch and voice event as one JSON line.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use serde::Serialize;
use serde_json::Value;
use tokio::sync::watch;

/// Entries kept; the oldest go first.
const CAPACITY: usize = 100_000;

/// One thing that happened.
#[derive(Clone, Debug, Serialize)]
pub struct Entry {
    /// Position in the journal, from 1, without gaps.
    pub seq: u64,
    /// Milliseconds since localcord started.
    pub at_ms: u64,
    /// What kind: `rest`, `gateway`, `dispatch`, `voice`, `dave`, `udp`, `human`, `fault`, `control`.
    pub kind: &'static str,
    /// The event's name within its kind, for example `identify` or `POST /channels/1/messages`.
    pub name: String,
    /// Details; never a token or a key.
    pub data: Value,
}

/// The shared journal. Cloning gives another handle to the same one.
#[derive(Clone, Debug)]
pub struct Journal {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    began: Instant,
    /// The wall clock at `began`, microseconds since 1970.
    began_unix_us: u64,
    entries: Mutex<Entries>,
    latest: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Entries {
    next_seq: u64,
    kept: VecDeque<Entry>,
}

impl Default for Journal {
    fn default() -> Self {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            inner: Arc::new(Inner {
                began: Instant::now(),
                began_unix_us: u64::try_from(unix.as_micros()).unwrap_or(u64::MAX),
                entries: Mutex::new(Entries { next_seq: 1, kept: VecDeque::new() }),
                latest: watch::Sender::new(0),
            }),
        }
    }
}

impl Journal {
    /// Writes an entry down.
    pub fn record(&self, kind: &'static str, name: impl Into<String>, data: Value) {
        let at_ms = u64::try_from(self.inner.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let mut entries = self.inner.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let seq = entries.next_seq;
        entries.next_seq += 1;
        if entries.kept.len() == CAPACITY {
            entries.kept.pop_front();
        }
        entries.kept.push_back(Entry { seq, at_ms, kind, name: name.into(), data });
        drop(entries);
        self.inner.latest.send_replace(seq);
    }

    /// The time of an instant on the journal's clock: milliseconds since localcord started.
    #[must_use]
    pub fn at_ms(&self, at: Instant) -> u64 {
        let since = at.saturating_duration_since(self.inner.began);
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }

    /// The wall clock at the journal's zero, in microseconds since 1970, so that other programs'
    /// recordings can be laid beside it.
    #[must_use]
    pub fn began_unix_us(&self) -> u64 {
        self.inner.began_unix_us
    }

    /// The entries after position `since` that are still kept.
    #[must_use]
    pub fn since(&self, since: u64) -> Vec<Entry> {
        let entries = self.inner.entries.lock().unwrap_or_else(PoisonError::into_inner);
        // Without gaps: what was seen before is skipped, not searched.
        let first = entries.kept.front().map_or(0, |entry| entry.seq);
        let seen =
            usize::try_from(since.saturating_add(1).saturating_sub(first)).unwrap_or(usize::MAX);
        entries.kept.iter().skip(seen).cloned().collect()
    }

    /// The first entry after position `since` that `wanted` accepts, waiting for it if need be.
    /// Bound the wait with a timeout.
    pub async fn wait_for(&self, since: u64, wanted: impl Fn(&Entry) -> bool) -> Entry {
        let mut latest = self.inner.latest.subscribe();
        let mut seen = since;
        loop {
            let fresh = self.since(seen);
            seen = fresh.last().map_or(seen, |entry| entry.seq);
            if let Some(entry) = fresh.into_iter().find(|entry| wanted(entry)) {
                return entry;
            }
            if latest.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_waiter_sees_what_came_before_and_after() {
        let journal = Journal::default();
        journal.record("voice", "ready", Value::Null);
        assert_eq!(journal.wait_for(0, |e| e.name == "ready").await.seq, 1);
        let waiting = tokio::spawn({
            let journal = journal.clone();
            async move { journal.wait_for(1, |e| e.name == "resumed").await.seq }
        });
        journal.record("voice", "other", Value::Null);
        journal.record("voice", "resumed", Value::Null);
        assert_eq!(waiting.await.unwrap(), 3);
        let numbers =
            |since| journal.since(since).iter().map(|entry| entry.seq).collect::<Vec<_>>();
        assert_eq!((numbers(0), numbers(1), numbers(2)), (vec![1, 2, 3], vec![2, 3], vec![3]));
        assert_eq!((numbers(3), numbers(u64::MAX - 1)), (vec![], vec![]));
    }
}
