//! From the gateway to what deals with text: a bounded queue, and word of what is safely taken.

use tokio::sync::{mpsc, watch};

use crate::incoming::TextEvent;

/// Events that may wait for text. The gateway waits when it is full.
const EVENTS: usize = 4_096;

/// Events that are taken at once, and share a write to the disk.
const BATCH: usize = 256;

/// The gateway's end.
#[derive(Debug)]
pub struct TextFeed {
    pub(super) events: mpsc::Sender<TextEvent>,
    /// How many events are taken, from the beginning.
    pub(super) taken: watch::Receiver<u64>,
}

/// Text's end.
#[derive(Debug)]
pub struct TextIntake {
    events: mpsc::Receiver<TextEvent>,
    taken: watch::Sender<u64>,
}

/// Both ends.
#[must_use]
pub fn text_feed() -> (TextFeed, TextIntake) {
    let (sender, events) = mpsc::channel(EVENTS);
    let (taken, taken_of) = watch::channel(0);
    (TextFeed { events: sender, taken: taken_of }, TextIntake { events, taken })
}

impl TextIntake {
    /// The next events; none when the gateway has ended.
    pub(super) async fn next(&mut self) -> Vec<TextEvent> {
        let mut batch = Vec::new();
        self.events.recv_many(&mut batch, BATCH).await;
        batch
    }

    /// So many more are safe.
    pub(super) fn took(&self, events: usize) {
        self.taken.send_modify(|taken| *taken += events as u64);
    }
}
