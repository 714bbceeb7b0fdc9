//! How often people are told why a message was dropped.

use std::{collections::HashMap, time::Duration};

use clawvoice_session::{ChannelId, SessionTime};

use super::reason::DropReason;

/// A channel's reason is told so often.
const APART: Duration = Duration::from_secs(60);
/// Channels and reasons that are remembered. With more, all are told anew.
const MOST: usize = 2_000;

/// Lets each channel's reason through once a minute.
#[derive(Debug, Default)]
pub struct Telling {
    told: HashMap<(ChannelId, DropReason), SessionTime>,
}

impl Telling {
    /// Whether this one is to be told at info; otherwise at debug.
    pub fn may_tell(&mut self, now: SessionTime, channel: ChannelId, reason: DropReason) -> bool {
        if !reason.is_told() {
            return false;
        }
        let last = self.told.get(&(channel, reason));
        if last.is_some_and(|last| now.since(*last) < APART) {
            return false;
        }
        if self.told.len() >= MOST {
            self.told.retain(|_, last| now.since(*last) < APART);
        }
        if self.told.len() >= MOST {
            self.told.clear();
        }
        self.told.insert((channel, reason), now);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channels_reason_is_told_once_a_minute() {
        let mut telling = Telling::default();
        let mut tell = |second: u64, channel, reason| {
            telling.may_tell(
                SessionTime::from_millis(second * 1_000),
                ChannelId::new(channel),
                reason,
            )
        };
        assert!(tell(0, 5, DropReason::NoMention));
        assert!(!tell(59, 5, DropReason::NoMention));
        assert!(tell(59, 5, DropReason::MemberNotAllowed) && tell(59, 6, DropReason::NoMention));
        assert!(tell(60, 5, DropReason::NoMention));
        assert!(!tell(200, 5, DropReason::EmptyContent), "of no use to anybody");
    }

    #[test]
    fn no_number_of_channels_fills_the_memory() {
        let mut telling = Telling::default();
        for channel in 1..=10_000 {
            telling.may_tell(SessionTime::ZERO, ChannelId::new(channel), DropReason::NoMention);
        }
        assert!(telling.told.len() <= MOST);
    }
}
