//! How many packets the network loses, as far as we can see it.
//!
//! Discord's voice servers send bots no receiver reports, so the loss of our own packets is not
//! told. What is counted is the loss of others' packets on their way to us, which mostly crosses the
//! same links.

use std::time::Duration;

use clawvoice_session::SessionTime;

use super::stats::PacketStats;

/// One measurement.
const WINDOW: Duration = Duration::from_secs(5);
/// Fewer packets than this in a window (1 s of one speaker) say nothing: it goes on.
const ENOUGH: u64 = 50;

/// See the module's documentation.
#[derive(Debug, Default)]
pub(crate) struct LossWatch {
    since: SessionTime,
    received: u64,
    lost: u64,
}

impl LossWatch {
    /// At the end of a window with enough in it: the loss in percent, rounded up.
    pub(crate) fn observe(&mut self, now: SessionTime, total: &PacketStats) -> Option<u8> {
        if now.since(self.since) < WINDOW {
            return None;
        }
        let all_lost = total.fec + total.concealed + total.silenced;
        let (received, lost) = (total.delivered - self.received, all_lost - self.lost);
        if received + lost < ENOUGH {
            return None;
        }
        *self = Self { since: now, received: total.delivered, lost: all_lost };
        u8::try_from((100 * lost).div_ceil(received + lost)).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loss_of_each_window_is_told_once_enough_was_heard() {
        let mut watch = LossWatch::default();
        let mut total = PacketStats { delivered: 40, ..PacketStats::default() };
        let at = SessionTime::from_millis;
        assert_eq!(watch.observe(at(5_000), &total), None, "too little");
        total.delivered = 95;
        total.concealed = 2;
        total.fec = 3;
        assert_eq!(watch.observe(at(6_000), &total), Some(5));
        total.delivered = 195;
        assert_eq!(watch.observe(at(10_999), &total), None, "the window is open");
        assert_eq!(watch.observe(at(11_000), &total), Some(0));
        total.silenced = 1;
        total.delivered = 1_195;
        assert_eq!(watch.observe(at(16_000), &total), Some(1), "rounded up");
    }
}
