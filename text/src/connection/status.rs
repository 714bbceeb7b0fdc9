//! How the main gateway is doing, for others to read at any time.
//!
//! The connection writes numbers, never under a lock; who reads cannot hold it up.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use clawvoice_session::SessionTime;

use crate::requests::refusals::RefusalCounts;

/// A picture of the main gateway connection. Ages are those at the moment it was taken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GatewayStatus {
    /// One per shard; empty before the first connection.
    pub shards: Vec<ShardStatus>,
    /// Events that wait for their handlers.
    pub queue_depth: usize,
    /// Events that were rejected because too many waited.
    pub rejected_events: u64,
    /// Handlers that run.
    pub listeners: usize,
    /// Whole connections that were started anew.
    pub restarts: u64,
    /// REST answers of the last ten minutes that count towards Discord's ban, when it was last
    /// called.
    pub refusals: RefusalCounts,
}

impl GatewayStatus {
    /// Every shard is connected. One whose heartbeats are not acknowledged is not, by the second
    /// heartbeat at the latest: its websocket is given up.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        !self.shards.is_empty() && self.shards.iter().all(|shard| shard.connected)
    }
}

/// A picture of one shard.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShardStatus {
    /// READY or RESUMED was there, and the websocket is still open.
    pub connected: bool,
    /// Since READY or RESUMED was last there.
    pub ready_age: Option<Duration>,
    /// Since the last heartbeat was sent.
    pub heartbeat_sent_age: Option<Duration>,
    /// Since Discord acknowledged one.
    pub heartbeat_ack_age: Option<Duration>,
    /// How long the last acknowledgement took.
    pub heartbeat_latency: Option<Duration>,
    /// Since anything came.
    pub frame_age: Option<Duration>,
    /// Since the last event.
    pub event_age: Option<Duration>,
    /// The last close code; 1006: without one.
    pub last_close_code: Option<u16>,
    /// Websockets that were lost.
    pub reconnects: u64,
    /// Sessions that went on.
    pub resumed: u64,
    /// Sessions that began.
    pub identified: u64,
}

/// Where the connection writes how it is doing. Cloning gives another handle to the same.
#[derive(Clone, Debug, Default)]
pub struct GatewayMonitor {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// The clock of the connection that writes; locked only when one begins and when it is read.
    now: Mutex<Option<fn() -> SessionTime>>,
    shards: Mutex<Vec<Arc<ShardMonitor>>>,
    queue_depth: AtomicU64,
    rejected_events: AtomicU64,
    listeners: AtomicU64,
    restarts: AtomicU64,
    refusals: Mutex<RefusalCounts>,
}

/// What one shard writes. Times are microseconds plus one; 0: never.
#[derive(Debug, Default)]
pub(crate) struct ShardMonitor {
    connected: AtomicBool,
    ready_at: AtomicU64,
    heartbeat_sent_at: AtomicU64,
    heartbeat_acked_at: AtomicU64,
    heartbeat_latency: AtomicU64,
    frame_at: AtomicU64,
    event_at: AtomicU64,
    close_code: AtomicU32,
    reconnects: AtomicU64,
    resumed: AtomicU64,
    identified: AtomicU64,
}

fn stamp(cell: &AtomicU64, now: SessionTime) {
    cell.store(now.as_micros().saturating_add(1), Relaxed);
}

fn age(cell: &AtomicU64, now: SessionTime) -> Option<Duration> {
    let at = cell.load(Relaxed).checked_sub(1)?;
    Some(now.since(SessionTime::from_micros(at)))
}

impl ShardMonitor {
    pub(crate) fn frame(&self, now: SessionTime) {
        stamp(&self.frame_at, now);
    }

    pub(crate) fn event(&self, now: SessionTime) {
        stamp(&self.event_at, now);
    }

    pub(crate) fn heartbeat_sent(&self, now: SessionTime) {
        stamp(&self.heartbeat_sent_at, now);
    }

    pub(crate) fn heartbeat_acked(&self, now: SessionTime, latency: Duration) {
        stamp(&self.heartbeat_acked_at, now);
        let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        self.heartbeat_latency.store(micros.saturating_add(1), Relaxed);
    }

    pub(crate) fn established(&self, now: SessionTime, resumed: bool) {
        stamp(&self.ready_at, now);
        let counter = if resumed { &self.resumed } else { &self.identified };
        counter.fetch_add(1, Relaxed);
        self.connected.store(true, Relaxed);
    }

    pub(crate) fn closed(&self, code: Option<u16>) {
        self.close_code.store(u32::from(code.unwrap_or(1006)), Relaxed);
    }

    pub(crate) fn lost(&self) {
        self.connected.store(false, Relaxed);
        self.reconnects.fetch_add(1, Relaxed);
    }

    pub(crate) fn ended(&self) {
        self.connected.store(false, Relaxed);
    }

    fn status(&self, now: SessionTime) -> ShardStatus {
        let latency = self.heartbeat_latency.load(Relaxed).checked_sub(1);
        let code = u16::try_from(self.close_code.load(Relaxed)).ok();
        ShardStatus {
            connected: self.connected.load(Relaxed),
            ready_age: age(&self.ready_at, now),
            heartbeat_sent_age: age(&self.heartbeat_sent_at, now),
            heartbeat_ack_age: age(&self.heartbeat_acked_at, now),
            heartbeat_latency: latency.map(Duration::from_micros),
            frame_age: age(&self.frame_at, now),
            event_age: age(&self.event_at, now),
            last_close_code: code.filter(|code| *code != 0),
            reconnects: self.reconnects.load(Relaxed),
            resumed: self.resumed.load(Relaxed),
            identified: self.identified.load(Relaxed),
        }
    }
}

impl GatewayMonitor {
    /// How the connection is doing.
    #[must_use]
    pub fn snapshot(&self) -> GatewayStatus {
        let inner = &self.inner;
        let clock = *inner.now.lock().unwrap_or_else(PoisonError::into_inner);
        let now = clock.map_or(SessionTime::ZERO, |now| now());
        let shards = inner.shards.lock().unwrap_or_else(PoisonError::into_inner).clone();
        GatewayStatus {
            shards: shards.iter().map(|shard| shard.status(now)).collect(),
            queue_depth: usize::try_from(inner.queue_depth.load(Relaxed)).unwrap_or(usize::MAX),
            rejected_events: inner.rejected_events.load(Relaxed),
            listeners: usize::try_from(inner.listeners.load(Relaxed)).unwrap_or(usize::MAX),
            restarts: inner.restarts.load(Relaxed),
            refusals: *inner.refusals.lock().unwrap_or_else(PoisonError::into_inner),
        }
    }

    /// A connection of so many shards begins; what each writes to. Counters of shards that were
    /// there before go on.
    pub(crate) fn shards(&self, count: usize, now: fn() -> SessionTime) -> Vec<Arc<ShardMonitor>> {
        *self.inner.now.lock().unwrap_or_else(PoisonError::into_inner) = Some(now);
        let mut shards = self.inner.shards.lock().unwrap_or_else(PoisonError::into_inner);
        shards.resize_with(count, Arc::default);
        shards.clone()
    }

    pub(crate) fn queued(&self) {
        self.inner.queue_depth.fetch_add(1, Relaxed);
    }

    pub(crate) fn taken(&self) {
        self.inner.queue_depth.fetch_sub(1, Relaxed);
    }

    pub(crate) fn rejected(&self) {
        self.inner.rejected_events.fetch_add(1, Relaxed);
    }

    pub(crate) fn listeners(&self, count: usize) {
        self.inner.listeners.store(count as u64, Relaxed);
    }

    /// Not for the websockets' thread.
    pub(crate) fn refused(&self, refusals: RefusalCounts) {
        *self.inner.refusals.lock().unwrap_or_else(PoisonError::into_inner) = refusals;
    }

    pub(crate) fn restarted(&self) {
        self.inner.restarts.fetch_add(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> SessionTime {
        SessionTime::from_millis(10_000)
    }

    #[test]
    fn a_picture_tells_ages_and_counts() {
        let monitor = GatewayMonitor::default();
        assert_eq!(monitor.snapshot(), GatewayStatus::default());
        assert!(!monitor.snapshot().is_connected());

        let shards = monitor.shards(2, now);
        let at = SessionTime::from_millis;
        shards[0].established(at(1_000), false);
        shards[0].heartbeat_sent(at(8_000));
        shards[0].heartbeat_acked(at(8_040), Duration::from_millis(40));
        shards[0].event(at(9_500));
        assert!(!monitor.snapshot().is_connected(), "the other shard is not");
        shards[1].established(at(0), true);
        let status = monitor.snapshot();
        assert!(status.is_connected());
        let first = &status.shards[0];
        assert_eq!(first.ready_age, Some(Duration::from_secs(9)));
        assert_eq!(first.heartbeat_sent_age, Some(Duration::from_secs(2)));
        assert_eq!(first.heartbeat_ack_age, Some(Duration::from_millis(1_960)));
        assert_eq!(first.heartbeat_latency, Some(Duration::from_millis(40)));
        assert_eq!(first.event_age, Some(Duration::from_millis(500)));
        assert_eq!((first.identified, first.resumed, first.last_close_code), (1, 0, None));
        assert_eq!(status.shards[1].ready_age, Some(Duration::from_secs(10)));

        shards[0].closed(Some(4009));
        shards[0].lost();
        monitor.shards(2, now);
        let first = &monitor.snapshot().shards[0];
        assert_eq!(
            (first.connected, first.last_close_code, first.reconnects),
            (false, Some(4009), 1)
        );
    }
}
