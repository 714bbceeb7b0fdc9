//! What one sender may cost: a flood of packets is refused before it takes the processor from the
//! others.
//!
//! Two limits, each by the generic cell rate algorithm (ITU-T I.371; one time stamp, no refill
//! timer): packets, before they are decrypted, and audio, before it is decoded. Both are above what
//! any honest sender needs, a catch-up after a stall included.

use std::time::Duration;

use clawvoice_session::SessionTime;

/// One packet's share of the packet limit: 500 a second (the shortest Opus packets make 400).
const PACKET: Duration = Duration::from_millis(2);
/// Packets that may come at once, in their share: 1,000.
const PACKET_BURST: Duration = Duration::from_secs(2);
/// Audio costs less than its time: 1.5 times real time is borne.
const AUDIO_SHARE: (u64, u64) = (2, 3);
/// Audio that may come at once, in its share: 3 s, which is what may be held for want of a key
/// (2.5 s) and some more.
const AUDIO_BURST: Duration = Duration::from_secs(2);

/// One limit.
#[derive(Clone, Copy, Debug, Default)]
struct Rate {
    /// When what was taken so far will have been earned.
    earned: SessionTime,
}

impl Rate {
    fn take(&mut self, now: SessionTime, cost: Duration, burst: Duration) -> bool {
        let from = self.earned.max(now);
        if from.since(now) > burst {
            return false;
        }
        self.earned = from + cost;
        true
    }
}

/// The limits of one sender.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Budget {
    packets: Rate,
    audio: Rate,
}

impl Budget {
    /// Whether one more packet may be looked at.
    pub(crate) fn takes_packet(&mut self, now: SessionTime) -> bool {
        self.packets.take(now, PACKET, PACKET_BURST)
    }

    /// Whether `units` (1/48000 s) of audio may be decoded.
    pub(crate) fn takes_audio(&mut self, now: SessionTime, units: u32) -> bool {
        let micros = u64::from(units) * 1_000 / 48 * AUDIO_SHARE.0 / AUDIO_SHARE.1;
        let cost = Duration::from_micros(micros);
        self.audio.take(now, cost, AUDIO_BURST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn honest_senders_never_meet_a_limit() {
        for units in [120, 240, 480, 960, 1_920, 2_880, 5_760] {
            let mut budget = Budget::default();
            // A stall of two seconds, then a minute on time.
            for packet in 0..62 * 48_000 / units {
                let due = SessionTime::from_micros(u64::from(packet * units) * 1_000 / 48);
                let now = due.max(SessionTime::from_millis(2_000));
                assert!(budget.takes_packet(now), "packet {packet} of {units}");
                assert!(budget.takes_audio(now, units), "packet {packet} of {units}");
            }
        }
    }

    #[test]
    fn a_flood_gets_its_share_and_no_more() {
        let mut budget = Budget::default();
        let (mut packets, mut audio) = (0, 0);
        // 10,000 packets a second for 10 s.
        for at in 0..100_000 {
            let now = SessionTime::from_micros(at * 100);
            if budget.takes_packet(now) {
                packets += 1;
                audio += u64::from(budget.takes_audio(now, 960));
            }
        }
        assert_eq!(packets, 6_000, "1,000 at once and 500 a second");
        // 3 s at once and 1.5 s a second, in packets of 20 ms.
        assert!((900..=902).contains(&audio), "{audio}");
    }
}
