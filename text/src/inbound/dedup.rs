//! Step 4, where the store cannot be asked: a message that Discord tells twice is taken once.

use std::time::Duration;

use clawvoice_session::{ChannelId, MessageId, SessionTime};

use crate::recent::Recent;

/// How long a message is remembered. Source: OpenClaw, "Discord".
const REMEMBERED: Duration = Duration::from_secs(5 * 60);
/// So many are remembered; then the oldest go.
const MOST: usize = 5_000;

/// Remembers which messages of an account came of late.
#[derive(Clone, Debug)]
pub struct Dedup {
    came: Recent<(ChannelId, MessageId)>,
}

impl Default for Dedup {
    fn default() -> Self {
        Self { came: Recent::new(REMEMBERED, MOST) }
    }
}

impl Dedup {
    /// A message comes. Whether it is new; if not, it is a `duplicate-message`.
    pub fn handle_message(
        &mut self,
        now: SessionTime,
        channel: ChannelId,
        message: MessageId,
    ) -> bool {
        self.came.forget(now);
        let is_new = !self.came.has(&(channel, message));
        if is_new {
            self.came.put(now, (channel, message));
        }
        is_new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scenario 2 of the text scenarios, the window; over restarts the store knows more.
    #[test]
    fn a_message_is_taken_once_in_five_minutes() {
        let mut dedup = Dedup::default();
        let mut is_new = |second: u64, channel, message| {
            let now = SessionTime::from_millis(second * 1_000);
            dedup.handle_message(now, ChannelId::new(channel), MessageId::new(message))
        };
        assert!(is_new(0, 5, 1) && is_new(1, 5, 2) && is_new(1, 6, 1));
        assert!(!is_new(2, 5, 1) && !is_new(299, 5, 1), "a duplicate does not make it longer");
        assert!(is_new(300, 5, 1) && !is_new(300, 5, 2));
    }
}
