//! From the websockets' thread to the one that handles events: one bounded queue.

use std::{collections::VecDeque, sync::Arc};

use clawvoice_session::VoiceStateRequest;
use serde_json::json;
use tokio::sync::mpsc;

use super::clock::now;
use crate::connection::{link::Resumable, overflow::Overflow, status::GatewayMonitor};

/// Places kept for what must not be rejected: that sessions begin and end.
const RESERVED: usize = 64;

/// What comes from a shard, in order.
#[derive(Debug)]
pub(super) enum Arrival {
    /// READY.
    Ready {
        /// Which shard.
        shard: usize,
        /// Its new session.
        session: Resumable,
        /// The message.
        text: String,
    },
    /// RESUMED.
    Resumed {
        /// Which shard.
        shard: usize,
        /// The event's number.
        sequence: u64,
    },
    /// Any other event.
    Event {
        /// Which shard.
        shard: usize,
        /// The event's number.
        sequence: u64,
        /// The message.
        text: String,
    },
    /// The websocket is gone.
    Away {
        /// Which shard.
        shard: usize,
    },
    /// The session is lost for good.
    SessionLost {
        /// Which shard.
        shard: usize,
    },
}

/// The queue's end at the websockets.
#[derive(Clone, Debug)]
pub(super) struct Arrivals {
    queue: mpsc::Sender<Arrival>,
    monitor: GatewayMonitor,
}

/// A queue for so many events.
pub(super) fn queue(
    capacity: usize,
    monitor: GatewayMonitor,
) -> (Arrivals, mpsc::Receiver<Arrival>) {
    let (queue, arrivals) = mpsc::channel(capacity.saturating_add(RESERVED));
    (Arrivals { queue, monitor }, arrivals)
}

impl Arrivals {
    /// Waits until it fits.
    pub(super) async fn put(&self, arrival: Arrival) {
        if let Ok(permit) = self.queue.reserve().await {
            self.monitor.queued();
            permit.send(arrival);
        }
    }
}

/// One shard's way into the queue. Never waits.
#[derive(Debug)]
pub(super) struct Intake {
    arrivals: Arrivals,
    overflow: Overflow,
    /// Beginnings and ends of sessions for which there was no place.
    owed: VecDeque<Arrival>,
}

impl Intake {
    pub(super) fn new(arrivals: Arrivals, capacity: usize) -> Self {
        Self { arrivals, overflow: Overflow::new(capacity), owed: VecDeque::new() }
    }

    /// An event: rejected, with a line in the log, when the queue is full.
    pub(super) fn offer(&mut self, name: &str, event: Arrival) {
        let full = self.arrivals.queue.capacity() <= RESERVED || !self.owed.is_empty();
        self.arrivals.monitor.queued();
        if !full && self.arrivals.queue.try_send(event).is_ok() {
            return;
        }
        self.arrivals.monitor.taken();
        self.arrivals.monitor.rejected();
        if let Some(line) = self.overflow.reject(now(), name) {
            tracing::warn!("{line}");
        }
    }

    /// What must not get lost.
    pub(super) fn insist(&mut self, arrival: Arrival) {
        if !self.owed.is_empty() {
            self.owed.push_back(arrival);
            return;
        }
        self.arrivals.monitor.queued();
        if let Err(refused) = self.arrivals.queue.try_send(arrival) {
            self.arrivals.monitor.taken();
            match refused {
                mpsc::error::TrySendError::Full(arrival) => self.owed.push_back(arrival),
                // Nobody handles events any more.
                mpsc::error::TrySendError::Closed(_) => {}
            }
        }
    }

    /// Puts one thing that is owed; pending while there is none or no place.
    pub(super) async fn settle(&mut self) {
        if self.owed.is_empty() {
            return std::future::pending().await;
        }
        match self.arrivals.queue.reserve().await {
            Ok(permit) => {
                if let Some(arrival) = self.owed.pop_front() {
                    self.arrivals.monitor.queued();
                    permit.send(arrival);
                }
            }
            Err(_) => self.owed.clear(),
        }
    }

    /// At the end: waits until nothing is owed.
    pub(super) async fn settle_all(mut self) {
        for arrival in std::mem::take(&mut self.owed) {
            self.arrivals.put(arrival).await;
        }
    }
}

/// Where commands for each shard go in; changes when a connection is started anew.
#[derive(Clone, Debug, Default)]
pub(super) struct Routes {
    shards: Arc<std::sync::Mutex<Vec<mpsc::Sender<String>>>>,
}

/// Commands that may wait for a shard.
const COMMANDS: usize = 256;

impl Routes {
    /// For so many shards, anew.
    pub(super) fn open(&self, count: usize) -> Vec<mpsc::Receiver<String>> {
        let (senders, receivers) = (0..count).map(|_| mpsc::channel(COMMANDS)).unzip();
        *self.shards.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = senders;
        receivers
    }

    /// How many shards there are.
    pub(super) fn count(&self) -> usize {
        self.shards.lock().unwrap_or_else(std::sync::PoisonError::into_inner).len()
    }

    /// Sends op 4 to one; false if it cannot take it.
    /// Source: Discord, "Gateway Events", Update Voice State.
    pub(super) fn send_voice_state(&self, shard: usize, request: &VoiceStateRequest) -> bool {
        let command = json!({"op": 4, "d": {
            "guild_id": request.guild,
            "channel_id": request.channel,
            "self_mute": request.self_mute,
            "self_deaf": request.self_deaf,
        }});
        self.send(shard, command.to_string())
    }

    /// Sends to one; false if it cannot take it.
    pub(super) fn send(&self, shard: usize, command: String) -> bool {
        let shards = self.shards.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        shards.get(shard).is_some_and(|shard| shard.try_send(command).is_ok())
    }
}
