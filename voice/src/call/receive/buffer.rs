//! The reorder store of one stream: which sequence numbers have come, and the packets that wait
//! for an earlier one. It holds and orders; how long is `policy`'s.
//!
//! Differences from a jitter buffer on purpose: an in-order packet is never stored, so a clean
//! link adds no delay and copies nothing.

use clawvoice_session::SessionTime;

use super::policy::{Distance, GAP_PACKETS, distance};

/// What a place in the sequence holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Opus to decode.
    Speech,
    /// Opus silence: the talkspurt ends.
    Silence,
    /// Padding only, or a frame known to be undecryptable: the place is taken, there is no audio.
    Empty,
}

/// A packet that waits.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) sequence: u16,
    pub(crate) timestamp: u32,
    pub(crate) kind: Kind,
    pub(crate) arrived: SessionTime,
    pub(crate) payload: Vec<u8>,
}

/// What to do with a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Play it now.
    Next,
    /// This many are missing before it: store it.
    Ahead(u16),
    /// It has come before.
    Duplicate,
    /// Its place was given up.
    Late,
    /// The sender started over: forget the sequence, play it now.
    Restart,
}

/// See the module's documentation.
#[derive(Debug, Default)]
pub(crate) struct ReorderBuffer {
    /// The next sequence number to play; none before the first packet.
    next: Option<u16>,
    /// Bit i: the packet `next - 1 - i` came.
    seen: u64,
    /// The packet that would confirm a restart.
    restart: Option<u16>,
    /// Ascending, at most [`GAP_PACKETS`].
    waiting: Vec<Slot>,
    /// Payload buffers to use again.
    spare: Vec<Vec<u8>>,
}

impl ReorderBuffer {
    /// Judges a sequence number without changing the order; only a suspected restart is noted.
    pub(crate) fn place(&mut self, sequence: u16) -> Place {
        let Some(next) = self.next else { return Place::Next };
        match distance(sequence, next) {
            Distance::Next => Place::Next,
            Distance::Ahead(_) if self.waiting.iter().any(|slot| slot.sequence == sequence) => {
                Place::Duplicate
            }
            Distance::Ahead(missing) => Place::Ahead(missing),
            Distance::Behind(back @ 1..=64) if self.seen & (1 << (back - 1)) != 0 => {
                Place::Duplicate
            }
            Distance::Behind(_) => Place::Late,
            Distance::Elsewhere if self.restart == Some(sequence) => Place::Restart,
            // RFC 3550 A.1: one stray number is noise, two in a row are a new sequence.
            Distance::Elsewhere => {
                self.restart = Some(sequence.wrapping_add(1));
                Place::Late
            }
        }
    }

    /// `sequence` has been played; everything before it is over.
    pub(crate) fn advance(&mut self, sequence: u16) {
        let step = self.next.map_or(1, |next| sequence.wrapping_sub(next).wrapping_add(1));
        self.seen = self.seen.checked_shl(u32::from(step)).unwrap_or(0) | 1;
        self.next = Some(sequence.wrapping_add(1));
        self.restart = None;
    }

    /// Keeps a packet that is ahead. `false`: there is no room; end the wait first.
    pub(crate) fn store(
        &mut self,
        arrived: SessionTime,
        sequence: u16,
        timestamp: u32,
        kind: Kind,
        payload: &[u8],
    ) -> bool {
        if self.waiting.len() >= GAP_PACKETS {
            return false;
        }
        let mut buffer = self.spare.pop().unwrap_or_default();
        buffer.clear();
        buffer.extend_from_slice(payload);
        let next = self.next.unwrap_or(sequence);
        let at = self
            .waiting
            .partition_point(|slot| slot.sequence.wrapping_sub(next) < sequence.wrapping_sub(next));
        self.waiting.insert(at, Slot { sequence, timestamp, kind, arrived, payload: buffer });
        true
    }

    /// Takes the first waiting packet if it is the expected one.
    pub(crate) fn take_next(&mut self) -> Option<Slot> {
        let first = self.waiting.first()?;
        (self.next == Some(first.sequence)).then(|| self.waiting.remove(0))
    }

    /// Takes the first waiting packet, whatever is missing before it.
    pub(crate) fn take_first(&mut self) -> Option<Slot> {
        (!self.waiting.is_empty()).then(|| self.waiting.remove(0))
    }

    /// Gives a taken packet's buffer back.
    pub(crate) fn recycle(&mut self, slot: Slot) {
        if self.spare.len() < GAP_PACKETS {
            self.spare.push(slot.payload);
        }
    }

    /// Gives back the memory of past gaps.
    pub(crate) fn shrink(&mut self) {
        self.spare = Vec::new();
        self.waiting.shrink_to_fit();
    }

    /// Packets missing before `sequence`; 0 if it is not ahead.
    pub(crate) fn missing_before(&self, sequence: u16) -> u16 {
        match self.next.map(|next| distance(sequence, next)) {
            Some(Distance::Ahead(missing)) => missing,
            _ => 0,
        }
    }

    /// When the longest-waiting packet arrived.
    pub(crate) fn waiting_since(&self) -> Option<SessionTime> {
        self.waiting.iter().map(|slot| slot.arrived).min()
    }

    /// Whether nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// How many wait with speech in them.
    pub(crate) fn waiting_speech(&self) -> usize {
        self.waiting.iter().filter(|slot| slot.kind == Kind::Speech).count()
    }

    /// Forgets the sequence; nothing may wait any more.
    pub(crate) fn restart(&mut self) {
        debug_assert!(self.waiting.is_empty(), "waiting packets are played before a restart");
        self.next = None;
        self.seen = 0;
        self.restart = None;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn store(buffer: &mut ReorderBuffer, sequence: u16) -> bool {
        buffer.store(SessionTime::ZERO, sequence, 0, Kind::Speech, &sequence.to_be_bytes())
    }

    #[test]
    fn in_order_packets_are_never_stored() {
        let mut buffer = ReorderBuffer::default();
        for step in 0..200u16 {
            let sequence = 65_500u16.wrapping_add(step);
            assert_eq!(buffer.place(sequence), Place::Next);
            buffer.advance(sequence);
            assert!(buffer.is_empty());
        }
    }

    #[test]
    fn waiting_packets_come_out_in_order_across_the_wrap() {
        let mut buffer = ReorderBuffer::default();
        buffer.advance(65_533);
        for sequence in [1, 65_535, 0] {
            assert!(matches!(buffer.place(sequence), Place::Ahead(_)));
            assert!(store(&mut buffer, sequence));
        }
        assert_eq!(buffer.place(0), Place::Duplicate);
        assert!(buffer.take_next().is_none(), "65534 is missing");
        buffer.advance(65_534);
        for sequence in [65_535, 0, 1] {
            let slot = buffer.take_next().unwrap();
            assert_eq!(slot.sequence, sequence);
            assert_eq!(slot.payload, sequence.to_be_bytes());
            buffer.advance(sequence);
            buffer.recycle(slot);
        }
    }

    #[test]
    fn duplicates_and_late_packets_are_told_apart() {
        let mut buffer = ReorderBuffer::default();
        buffer.advance(10);
        buffer.advance(13); // 11 and 12 given up
        assert_eq!(buffer.place(13), Place::Duplicate);
        assert_eq!(buffer.place(12), Place::Late);
        assert_eq!(buffer.place(11), Place::Late);
        assert_eq!(buffer.place(10), Place::Duplicate);
    }

    #[test]
    fn a_sender_that_starts_over_is_followed_at_its_second_packet() {
        let mut buffer = ReorderBuffer::default();
        buffer.advance(40_000);
        assert_eq!(buffer.place(7), Place::Late);
        assert_eq!(buffer.place(40_001), Place::Next, "the stray number changed nothing");
        assert_eq!(buffer.place(8), Place::Restart);
    }

    #[test]
    fn room_is_bounded() {
        let mut buffer = ReorderBuffer::default();
        buffer.advance(0);
        for sequence in 0..GAP_PACKETS as u16 {
            assert!(store(&mut buffer, 2 + sequence));
        }
        assert!(!store(&mut buffer, 100));
        assert_eq!(buffer.missing_before(2), 1);
        assert_eq!(buffer.take_first().unwrap().sequence, 2);
    }

    proptest! {
        /// Against a plain model: a set of everything that was ever played.
        #[test]
        fn no_sequence_number_is_played_twice(numbers in proptest::collection::vec(0u16..60, 1..200)) {
            let mut buffer = ReorderBuffer::default();
            let mut played = Vec::new();
            let play = |buffer: &mut ReorderBuffer, played: &mut Vec<u16>, sequence| {
                assert!(played.last().is_none_or(|last| *last < sequence), "out of order");
                played.push(sequence);
                buffer.advance(sequence);
            };
            for sequence in numbers {
                match buffer.place(sequence) {
                    Place::Next => play(&mut buffer, &mut played, sequence),
                    Place::Ahead(_) => {
                        if !store(&mut buffer, sequence) {
                            let slot = buffer.take_first().unwrap();
                            play(&mut buffer, &mut played, slot.sequence);
                        }
                    }
                    Place::Duplicate => {
                        let waits = buffer.waiting.iter().any(|slot| slot.sequence == sequence);
                        prop_assert!(waits || played.contains(&sequence));
                    }
                    Place::Late => prop_assert!(!played.contains(&sequence)),
                    Place::Restart => unreachable!("numbers are close together"),
                }
                while let Some(slot) = buffer.take_next() {
                    play(&mut buffer, &mut played, slot.sequence);
                }
            }
        }
    }
}
