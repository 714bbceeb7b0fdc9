//! Packets that wait for somebody to say whose they are, or for the key that opens them.
//!
//! Overflow: when [`HELD_TOTAL`] or [`HELD_PER_STREAM`] is reached, the oldest (of that stream)
//! goes, and is counted like one whose time ran out.

use std::collections::{BTreeMap, VecDeque};

use clawvoice_session::{SessionTime, UserId};

/// Packets held of one SSRC: 2.5 s of 20 ms.
const HELD_PER_STREAM: usize = 128;
/// Packets held of all.
const HELD_TOTAL: usize = 2_048;

/// One held packet, transport encryption already removed.
#[derive(Debug)]
pub(crate) struct HeldPacket {
    pub(crate) arrived: SessionTime,
    pub(crate) ssrc: u32,
    /// The sender, if it was known on arrival: the packet lacks a key, not a name.
    pub(crate) user: Option<UserId>,
    pub(crate) sequence: u16,
    pub(crate) timestamp: u32,
    pub(crate) payload: Vec<u8>,
}

impl HeldPacket {
    fn deadline(&self) -> SessionTime {
        let wait = match self.user {
            Some(_) => super::policy::HOLD_KEYLESS,
            None => super::policy::HOLD_UNKNOWN,
        };
        self.arrived + wait
    }
}

/// See the module's documentation.
#[derive(Debug, Default)]
pub(crate) struct Held {
    packets: VecDeque<HeldPacket>,
}

impl Held {
    pub(crate) fn is_empty(&self) -> bool {
        self.packets.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.packets.len()
    }

    /// Whether a packet of this SSRC waits.
    pub(crate) fn has(&self, ssrc: u32) -> bool {
        self.packets.iter().any(|packet| packet.ssrc == ssrc)
    }

    /// Whether this very packet waits already.
    pub(crate) fn contains(&self, ssrc: u32, sequence: u16) -> bool {
        self.packets.iter().any(|packet| packet.ssrc == ssrc && packet.sequence == sequence)
    }

    /// Keeps a packet; returns the one that had to go for it.
    pub(crate) fn push(&mut self, packet: HeldPacket) -> Option<HeldPacket> {
        let of_stream = self.packets.iter().filter(|held| held.ssrc == packet.ssrc).count();
        let victim = if of_stream >= HELD_PER_STREAM {
            self.packets.iter().position(|held| held.ssrc == packet.ssrc)
        } else {
            (self.packets.len() >= HELD_TOTAL).then_some(0)
        };
        let gone = victim.and_then(|at| self.packets.remove(at));
        self.packets.push_back(packet);
        gone
    }

    /// Takes everything, streams together and each in ascending sequence.
    pub(crate) fn take_sorted(&mut self) -> Vec<HeldPacket> {
        let mut packets = Vec::from(std::mem::take(&mut self.packets));
        let mut bases = BTreeMap::new();
        for packet in &packets {
            bases.entry(packet.ssrc).or_insert(packet.sequence);
        }
        // Each stream's numbers are taken from half a circle before its first arrival: ascending
        // across the wrap, and a total order whatever numbers a sender makes up.
        packets.sort_by_key(|packet| {
            let base = bases.get(&packet.ssrc).copied().unwrap_or_default();
            (packet.ssrc, packet.sequence.wrapping_sub(base).wrapping_add(1 << 15))
        });
        packets
    }

    /// Takes what was held of a stream from before `sequence`, ascending.
    pub(crate) fn take_older(&mut self, ssrc: u32, sequence: u16) -> Vec<HeldPacket> {
        let back = |packet: &HeldPacket| sequence.wrapping_sub(packet.sequence);
        let older =
            |packet: &HeldPacket| packet.ssrc == ssrc && (1..u16::MAX / 2).contains(&back(packet));
        let mut taken = Vec::new();
        while let Some(packet) = self.take_if(older) {
            taken.push(packet);
        }
        taken.sort_by_key(|packet| std::cmp::Reverse(back(packet)));
        taken
    }

    /// Takes one packet for which `wanted` holds.
    fn take_if(&mut self, mut wanted: impl FnMut(&HeldPacket) -> bool) -> Option<HeldPacket> {
        let at = self.packets.iter().position(&mut wanted)?;
        self.packets.remove(at)
    }

    /// Takes one packet whose time ran out.
    pub(crate) fn take_expired(&mut self, now: SessionTime) -> Option<HeldPacket> {
        self.take_if(|packet| packet.deadline() <= now)
    }

    /// When the next packet's time runs out.
    pub(crate) fn deadline(&self) -> Option<SessionTime> {
        self.packets.iter().map(HeldPacket::deadline).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(ssrc: u32, sequence: u16, at_ms: u64, user: Option<u64>) -> HeldPacket {
        HeldPacket {
            arrived: SessionTime::from_millis(at_ms),
            ssrc,
            user: user.map(UserId::new),
            sequence,
            timestamp: 0,
            payload: Vec::new(),
        }
    }

    #[test]
    fn replay_is_ascending_per_stream_across_the_wrap() {
        let mut held = Held::default();
        for (ssrc, sequence) in [(2, 5), (1, 1), (1, 65_535), (2, 4), (1, 0)] {
            assert!(held.push(packet(ssrc, sequence, 0, None)).is_none());
        }
        let order: Vec<_> = held.take_sorted().iter().map(|p| (p.ssrc, p.sequence)).collect();
        assert_eq!(order, [(1, 65_535), (1, 0), (1, 1), (2, 4), (2, 5)]);
        assert!(held.is_empty());
    }

    #[test]
    fn numbers_all_around_the_circle_are_sorted_without_panic() {
        let mut held = Held::default();
        for step in 0..100u16 {
            held.push(packet(1, step.wrapping_mul(13_107), 0, None));
        }
        let first = held.take_sorted();
        assert_eq!(first.len(), 100);
        for packet in first.into_iter().rev() {
            held.push(packet);
        }
        assert_eq!(held.take_sorted().len(), 100);
    }

    #[test]
    fn unknown_senders_wait_2_s_and_missing_keys_2_5_s() {
        let mut held = Held::default();
        held.push(packet(1, 0, 100, None));
        held.push(packet(2, 0, 0, Some(9)));
        assert_eq!(held.deadline(), Some(SessionTime::from_millis(2_100)));
        assert!(held.take_expired(SessionTime::from_millis(2_099)).is_none());
        assert_eq!(held.take_expired(SessionTime::from_millis(2_100)).unwrap().ssrc, 1);
        assert_eq!(held.deadline(), Some(SessionTime::from_millis(2_500)));
        assert_eq!(held.take_expired(SessionTime::from_millis(2_500)).unwrap().ssrc, 2);
        assert_eq!(held.deadline(), None);
    }

    #[test]
    fn the_oldest_goes_when_there_is_no_room() {
        let mut held = Held::default();
        for sequence in 0..HELD_PER_STREAM as u16 {
            assert!(held.push(packet(1, sequence, 0, None)).is_none());
        }
        assert_eq!(held.push(packet(1, 999, 0, None)).unwrap().sequence, 0);
        for ssrc in 2..2_000 {
            held.push(packet(ssrc, 0, 0, None));
        }
        assert!(held.len() <= HELD_TOTAL);
    }
}
