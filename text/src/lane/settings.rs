//! `messages.queue`.

use clawvoice_config::{Messages, QueueDrop, QueueMode};

/// What becomes of a turn that comes while another one runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LaneSettings {
    /// `mode`.
    pub mode: QueueMode,
    /// `cap`: so many may wait; at least 1.
    pub cap: usize,
    /// `drop`: what goes when one more comes.
    pub drop: QueueDrop,
}

impl LaneSettings {
    /// As they are written.
    #[must_use]
    pub fn new(messages: &Messages) -> Self {
        Self {
            mode: messages.queue_mode,
            cap: usize::try_from(messages.queue_cap).unwrap_or(usize::MAX).max(1),
            drop: messages.queue_drop,
        }
    }
}
