//! What the fault settings make of the packets the server forwards.
//!
//! Sans-IO. A packet goes in as its sender made it; what is to be encrypted and sent to one
//! receiver comes out. Renumbering lasts as long as both ends do, also when the settings change:
//! otherwise clearing a fault would be one more.

use std::{
    collections::{HashMap, VecDeque},
    sync::LazyLock,
};

use rand::{Rng, SeedableRng, rngs::SmallRng};

use super::transport::{Extension, Opened, Padding, Shape};
use crate::fault::{Counts, Flow, PacketChange, PacketFault, TrailerForgery, seed_of};

/// Datagrams kept for replays, per flow.
const MOST_REMEMBERED: usize = 1_000;
/// Tells the random sequences here from those of other faults with the same seed.
const SEQUENCE: u64 = 0x7061_636b;
/// The Opus frame of silence.
const SILENCE: [u8; 3] = [0xF8, 0xFF, 0xFE];

/// SSRCs of sender and receiver.
type Ports = (u32, u32);

/// Something to send to the receiver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Sending {
    /// To be encrypted.
    Packet {
        packet: Opened,
        shape: Shape,
        other_port: bool,
    },
    /// An RTCP sender report, to be encrypted.
    SenderReport,
    AsItIs(Vec<u8>),
}

/// What one rule remembers of one flow.
#[derive(Debug)]
struct Tally {
    seen: u64,
    used: u64,
    dice: SmallRng,
}

/// How a flow is renumbered.
#[derive(Debug, Default)]
struct Renumbering {
    sequence: u16,
    timestamp: u32,
    /// Of the sender's last packet.
    last_timestamp: Option<u32>,
    /// What clock skew has added up to, 48 kHz units.
    skew: f64,
    sent: VecDeque<Vec<u8>>,
}

/// Changes packets.
#[derive(Debug, Default)]
pub(crate) struct Mangler {
    seed: u64,
    rules: Vec<PacketFault>,
    tallies: HashMap<(usize, Ports), Tally>,
    flows: HashMap<Ports, Renumbering>,
    counts: Counts,
}

/// The Opus frame of a 440 Hz tone, 20 ms, stereo; empty only if libopus fails.
static TONE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let samples: Vec<i16> = (0..960_u16)
        .flat_map(|n| {
            let phase = f64::from(n) * 440.0 / 48_000.0 * std::f64::consts::TAU;
            [(phase.sin() * 8_000.0) as i16; 2]
        })
        .collect();
    let encoder = opus2::Encoder::new(48_000, opus2::Channels::Stereo, opus2::Application::Audio);
    encoder.and_then(|mut encoder| encoder.encode_vec(&samples, 400)).unwrap_or_default()
});

impl Mangler {
    /// Puts other rules in force; their counters begin anew.
    pub(crate) fn configure(&mut self, seed: u64, rules: &[PacketFault]) {
        self.seed = seed;
        self.rules = rules.to_vec();
        self.tallies.clear();
        self.flows.retain(|_, flow| flow.sequence != 0 || flow.timestamp != 0 || flow.skew != 0.0);
        for flow in self.flows.values_mut() {
            flow.sent.clear();
        }
    }

    /// Whether packets need not come through here.
    pub(crate) fn is_idle(&self) -> bool {
        self.rules.is_empty() && self.flows.is_empty()
    }

    /// A port was closed.
    pub(crate) fn forget(&mut self, ssrc: u32) {
        self.flows.retain(|ports, _| ports.0 != ssrc && ports.1 != ssrc);
        self.tallies.retain(|(_, ports), _| ports.0 != ssrc && ports.1 != ssrc);
    }

    /// Writes down that something was done to a packet.
    pub(crate) fn count(&mut self, flow: Flow, name: &'static str) {
        *self.counts.entry((flow, name)).or_default() += 1;
    }

    /// What was done since the last call.
    pub(crate) fn take_counts(&mut self) -> Counts {
        std::mem::take(&mut self.counts)
    }

    /// Whether there is something to take.
    pub(crate) fn has_counts(&self) -> bool {
        !self.counts.is_empty()
    }

    /// Keeps a datagram, if one may be asked for.
    pub(crate) fn remember(&mut self, ports: Ports, wire: &[u8]) {
        let wanted = |rule: &PacketFault| matches!(rule.change, PacketChange::Replay { .. });
        if self.rules.iter().any(wanted)
            && let Some(flow) = self.flows.get_mut(&ports)
        {
            if flow.sent.len() == MOST_REMEMBERED {
                flow.sent.pop_front();
            }
            flow.sent.push_back(wire.to_vec());
        }
    }

    /// Every rule that chooses the packet changes it, in the order of the list. What is sent in
    /// addition comes first.
    pub(crate) fn handle_packet(
        &mut self,
        flow: Flow,
        ports: Ports,
        packet: &Opened,
        shape: Shape,
    ) -> Vec<Sending> {
        let chosen = self.choose(flow, ports);
        let numbers = self.flows.entry(ports).or_default();
        let since = numbers.last_timestamp.replace(timestamp_of(packet)).map_or(0, |last| {
            // Wrapping into the signed range: packets may come out of order.
            timestamp_of(packet).wrapping_sub(last).cast_signed()
        });
        let mut out = Vec::new();
        let mut genuine = Draft { packet: packet.clone(), shape, other_port: false };
        for fault in &chosen {
            match fault.change {
                PacketChange::Rtcp => out.push(Sending::SenderReport),
                PacketChange::Runt { bytes } => {
                    let head = [0x80, 0x78].into_iter().chain(std::iter::repeat(0));
                    out.push(Sending::AsItIs(head.take(bytes.into()).collect()));
                }
                PacketChange::Replay { back } => {
                    let at = numbers.sent.len().checked_sub(back.into());
                    out.extend(
                        at.and_then(|at| numbers.sent.get(at)).cloned().map(Sending::AsItIs),
                    );
                }
                PacketChange::ClockSkew { ppm } => {
                    numbers.skew += f64::from(since) * f64::from(ppm) / 1e6;
                }
                PacketChange::SequenceTo { value } => {
                    numbers.sequence = value.wrapping_sub(packet.sequence());
                }
                PacketChange::SequenceBy { value } => {
                    numbers.sequence = numbers.sequence.wrapping_add(value);
                }
                PacketChange::TimestampTo { value } => {
                    numbers.skew = 0.0;
                    numbers.timestamp = value.wrapping_sub(timestamp_of(packet));
                }
                PacketChange::TimestampBy { value } => {
                    numbers.timestamp = numbers.timestamp.wrapping_add(value);
                }
                ref change if fault.insert => {
                    let mut extra = Draft { packet: packet.clone(), shape, other_port: false };
                    numbers.apply(&mut extra.packet);
                    extra.apply(change);
                    numbers.sequence = numbers.sequence.wrapping_add(1);
                    out.push(extra.done());
                }
                ref change => genuine.apply(change),
            }
        }
        // A forged SSRC stays as it is: only the first six bytes are numbers.
        numbers.apply(&mut genuine.packet);
        out.push(genuine.done());
        for fault in chosen {
            self.count(flow, fault.change.name());
        }
        out
    }

    /// The rules that choose the next packet of a flow.
    fn choose(&mut self, flow: Flow, ports: Ports) -> Vec<PacketFault> {
        let mut chosen = Vec::new();
        for (index, rule) in self.rules.iter().enumerate() {
            if !flow.matches(rule.from, rule.to) {
                continue;
            }
            let seed = seed_of(self.seed, &[SEQUENCE, index as u64, flow.from, flow.to]);
            let tally = self.tallies.entry((index, ports)).or_insert_with(|| Tally {
                seen: 0,
                used: 0,
                dice: SmallRng::seed_from_u64(seed),
            });
            let number = tally.seen;
            tally.seen += 1;
            let is_turn = number.checked_sub(rule.skip).is_some_and(|n| n % rule.every.max(1) == 0);
            if is_turn
                && rule.times.is_none_or(|times| tally.used < times)
                && tally.dice.random::<f64>() * 100.0 < rule.percent
            {
                tally.used += 1;
                chosen.push(rule.clone());
            }
        }
        chosen
    }
}

fn timestamp_of(packet: &Opened) -> u32 {
    u32::from_be_bytes([packet.rest[2], packet.rest[3], packet.rest[4], packet.rest[5]])
}

impl Renumbering {
    fn apply(&self, packet: &mut Opened) {
        let sequence = packet.sequence().wrapping_add(self.sequence);
        // Days of drift at any sensible rate stay far inside i32.
        let skew = (self.skew as i32).cast_unsigned();
        let timestamp = timestamp_of(packet).wrapping_add(self.timestamp).wrapping_add(skew);
        packet.rest[..2].copy_from_slice(&sequence.to_be_bytes());
        packet.rest[2..6].copy_from_slice(&timestamp.to_be_bytes());
    }
}

/// A packet in the making.
struct Draft {
    packet: Opened,
    shape: Shape,
    other_port: bool,
}

impl Draft {
    fn apply(&mut self, change: &PacketChange) {
        let Self { packet, shape, other_port } = self;
        match *change {
            PacketChange::Padding { bytes } => shape.padding = Padding::Bytes(bytes),
            PacketChange::PaddingOnly { bytes } => {
                packet.payload.clear();
                shape.padding = Padding::Bytes(bytes);
            }
            PacketChange::PaddingCount { count } => {
                // More than there is: payload and count byte together are one byte short of it.
                if count > 0 {
                    packet.payload.truncate(usize::from(count).saturating_sub(2));
                }
                shape.padding = Padding::Count(count);
            }
            PacketChange::Csrcs { count } => shape.csrcs = count,
            PacketChange::Extension { words } => shape.extension = Extension::Words(words),
            PacketChange::NoExtension => shape.extension = Extension::None,
            PacketChange::ExtensionTruncated => shape.extension = Extension::Truncated,
            PacketChange::DaveTrailer { forgery } => {
                packet.payload = forge_trailer(forgery, &packet.payload);
            }
            PacketChange::Plaintext => packet.payload.clone_from(&TONE),
            PacketChange::Silence => packet.payload = SILENCE.to_vec(),
            PacketChange::PayloadType { value } => {
                packet.second = packet.second & 0x80 | value & 0x7F;
            }
            PacketChange::Ssrc { value } => packet.rest[6..].copy_from_slice(&value.to_be_bytes()),
            PacketChange::SourcePort => *other_port = true,
            PacketChange::WrongTag => shape.flip_tag = true,
            // Not changes of a single packet.
            PacketChange::Rtcp
            | PacketChange::Runt { .. }
            | PacketChange::Replay { .. }
            | PacketChange::ClockSkew { .. }
            | PacketChange::SequenceTo { .. }
            | PacketChange::SequenceBy { .. }
            | PacketChange::TimestampTo { .. }
            | PacketChange::TimestampBy { .. } => {}
        }
    }

    fn done(self) -> Sending {
        Sending::Packet { packet: self.packet, shape: self.shape, other_port: self.other_port }
    }
}

/// A media frame of the same beginning with a trailer that must not be believed: media, 8-byte
/// tag, ULEB128 nonce, ULEB128 pairs of clear ranges, size byte, FA FA (DAVE protocol whitepaper,
/// "Payload Format").
fn forge_trailer(forgery: TrailerForgery, payload: &[u8]) -> Vec<u8> {
    use TrailerForgery as Is;
    const MARKER: [u8; 2] = [0xFA, 0xFA];
    const TAG: [u8; 8] = [0x5A; 8];
    /// Media bytes kept, at most.
    const MEDIA: usize = 40;
    if forgery == Is::MarkerOnly {
        return MARKER.to_vec();
    }
    let mut out = match forgery {
        Is::Empty => Vec::new(),
        _ => payload.iter().copied().take(MEDIA).collect(),
    };
    let nonce: &[u8] = match forgery {
        Is::NonceUnending => &[0xFF; 12],
        Is::NonceTooLarge => &[0xFF, 0xFF, 0xFF, 0xFF, 0x7F],
        Is::Unauthentic => &[0xF0, 0xFF, 0xFF, 0x07],
        _ => &[1],
    };
    let ranges: &[u8] = match forgery {
        Is::RangeOutside => &[0, 0xC8, 0x01],
        Is::RangesOverlap => &[0, 10, 5, 10],
        Is::RangesDescend => &[20, 5, 0, 5],
        Is::RangeOverflows => &[0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01, 0x10],
        Is::RangeIncomplete => &[5],
        _ => &[],
    };
    let honest = u8::try_from(TAG.len() + nonce.len() + ranges.len() + 3).unwrap_or(u8::MAX);
    out.extend_from_slice(&TAG);
    out.extend_from_slice(nonce);
    out.extend_from_slice(ranges);
    out.push(match forgery {
        Is::SizeZero => 0,
        Is::SizeTooSmall => 10,
        Is::SizeTooLarge => u8::MAX,
        _ => honest,
    });
    out.extend_from_slice(&MARKER);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLOW: Flow = Flow { from: 1, to: 2 };
    const PORTS: Ports = (11, 12);

    fn packet(sequence: u16) -> Opened {
        let mut rest = [0; 10];
        rest[..2].copy_from_slice(&sequence.to_be_bytes());
        rest[2..6].copy_from_slice(&(u32::from(sequence) * 960).to_be_bytes());
        rest[9] = 11;
        Opened { second: 0x78, rest, payload: vec![9; 100] }
    }

    fn rule(change: PacketChange) -> PacketFault {
        PacketFault {
            from: None,
            to: None,
            skip: 0,
            every: 1,
            percent: 100.0,
            times: None,
            insert: false,
            change,
        }
    }

    fn mangler(rules: &[PacketFault]) -> Mangler {
        let mut mangler = Mangler::default();
        mangler.configure(1, rules);
        mangler
    }

    /// Sends so many packets through; what came out of each.
    fn run(mangler: &mut Mangler, packets: u16) -> Vec<Vec<Sending>> {
        (0..packets)
            .map(|n| mangler.handle_packet(FLOW, PORTS, &packet(n), Shape::default()))
            .collect()
    }

    fn only(mangler: &mut Mangler) -> (Opened, Shape, bool) {
        let mut out = run(mangler, 1).remove(0);
        assert_eq!(out.len(), 1);
        let Some(Sending::Packet { packet, shape, other_port }) = out.pop() else {
            panic!("a packet")
        };
        (packet, shape, other_port)
    }

    /// Sequence numbers and timestamps, in order.
    fn numbers(out: &[Vec<Sending>]) -> Vec<(u16, u32)> {
        let packets = out.iter().flatten().filter_map(|sending| match sending {
            Sending::Packet { packet, .. } => Some(packet),
            _ => None,
        });
        packets.map(|packet| (packet.sequence(), timestamp_of(packet))).collect()
    }

    #[test]
    fn what_each_change_does() {
        let plain = (packet(0), Shape::default(), false);
        let payload = |payload: &[u8]| Opened { payload: payload.to_vec(), ..packet(0) };
        let shaped = |shape| (packet(0), shape, false);
        let padding = |padding| Shape { padding, ..Shape::default() };
        let extension = |extension| Shape { extension, ..Shape::default() };
        let mut foreign = packet(0);
        foreign.rest[6..].copy_from_slice(&[1, 2, 3, 4]);
        for (change, expected) in [
            (PacketChange::Padding { bytes: 255 }, shaped(padding(Padding::Bytes(255)))),
            (
                PacketChange::PaddingOnly { bytes: 7 },
                (payload(&[]), padding(Padding::Bytes(7)), false),
            ),
            (PacketChange::PaddingCount { count: 0 }, shaped(padding(Padding::Count(0)))),
            (
                PacketChange::PaddingCount { count: 50 },
                (payload(&[9; 48]), padding(Padding::Count(50)), false),
            ),
            (PacketChange::Csrcs { count: 15 }, shaped(Shape { csrcs: 15, ..Shape::default() })),
            (PacketChange::Extension { words: 4 }, shaped(extension(Extension::Words(4)))),
            (PacketChange::NoExtension, plain.clone()),
            (PacketChange::ExtensionTruncated, shaped(extension(Extension::Truncated))),
            (PacketChange::Silence, (payload(&SILENCE), Shape::default(), false)),
            (
                PacketChange::PayloadType { value: 101 },
                (Opened { second: 101, ..packet(0) }, Shape::default(), false),
            ),
            (PacketChange::Ssrc { value: 0x0102_0304 }, (foreign, Shape::default(), false)),
            (PacketChange::SourcePort, (packet(0), Shape::default(), true)),
            (PacketChange::WrongTag, shaped(Shape { flip_tag: true, ..Shape::default() })),
        ] {
            assert_eq!(only(&mut mangler(&[rule(change.clone())])), expected, "{change:?}");
        }
    }

    #[test]
    fn plaintext_is_an_opus_frame_of_20_ms() {
        let (tone, _, _) = only(&mut mangler(&[rule(PacketChange::Plaintext)]));
        let mut decoder = opus2::Decoder::new(48_000, opus2::Channels::Stereo).unwrap();
        let mut pcm = [0_i16; 1_920];
        assert_eq!(decoder.decode(&tone.payload, &mut pcm, false).unwrap(), 960);
        assert!(pcm.iter().any(|sample| sample.unsigned_abs() > 1_000));
    }

    #[test]
    fn forged_trailers_end_in_the_marker_and_are_all_different() {
        use TrailerForgery as Is;
        let all = [
            (Is::SizeZero, 0),
            (Is::SizeTooSmall, 10),
            (Is::SizeTooLarge, 255),
            (Is::NonceUnending, 23),
            (Is::NonceTooLarge, 16),
            (Is::RangeOutside, 15),
            (Is::RangesOverlap, 16),
            (Is::RangesDescend, 16),
            (Is::RangeOverflows, 23),
            (Is::RangeIncomplete, 13),
            (Is::Unauthentic, 15),
            (Is::Empty, 12),
        ];
        let mut made = std::collections::BTreeSet::new();
        for (forgery, size) in all {
            let frame = forge_trailer(forgery, &[3; 100]);
            assert_eq!(frame[frame.len() - 3..], [size, 0xFA, 0xFA], "{forgery:?}");
            assert!(made.insert(frame));
        }
        assert_eq!(forge_trailer(Is::MarkerOnly, &[3; 100]), [0xFA, 0xFA]);
        assert_eq!(forge_trailer(Is::Empty, &[3; 100]).len(), 12);
    }

    #[test]
    fn skip_every_times_and_percent_choose() {
        let padded = |mangler: &mut Mangler| -> Vec<u16> {
            let out = run(mangler, 20);
            out.iter()
                .zip(0..)
                .filter(|(out, _)| {
                    let usual = Shape::default();
                    !matches!(&out[..], [Sending::Packet { shape, .. }] if *shape == usual)
                })
                .map(|(_, n)| n)
                .collect()
        };
        let base = rule(PacketChange::Padding { bytes: 3 });
        let every = PacketFault { skip: 2, every: 5, times: Some(3), ..base.clone() };
        let mut first = mangler(&[every]);
        assert_eq!(padded(&mut first), [2, 7, 12]);
        assert_eq!(first.take_counts()[&(FLOW, "padding")], 3);
        let other = PacketFault { to: Some(9), ..base.clone() };
        assert_eq!(padded(&mut mangler(&[other])), [] as [u16; 0]);
        let some = [PacketFault { percent: 50.0, ..base }];
        let chosen = padded(&mut mangler(&some));
        assert!((4..16).contains(&chosen.len()));
        assert_eq!(padded(&mut mangler(&some)), chosen);
    }

    #[test]
    fn inserted_packets_have_numbers_of_their_own() {
        let insert = PacketFault {
            insert: true,
            skip: 1,
            every: 2,
            times: Some(2),
            ..rule(PacketChange::PaddingOnly { bytes: 20 })
        };
        let mut mangler = mangler(&[insert]);
        let out = run(&mut mangler, 4);
        let sizes: Vec<_> = out.iter().map(Vec::len).collect();
        assert_eq!(sizes, [1, 2, 1, 2]);
        assert_eq!(numbers(&out), [(0, 0), (1, 960), (2, 960), (3, 1_920), (4, 2_880), (5, 2_880)]);
        // Clearing the fault does not renumber back.
        mangler.configure(1, &[]);
        assert!(!mangler.is_idle());
        let out = mangler.handle_packet(FLOW, PORTS, &packet(4), Shape::default());
        assert_eq!(numbers(&[out]), [(6, 3_840)]);
        mangler.forget(PORTS.1);
        assert!(mangler.is_idle());
    }

    #[test]
    fn jumps_go_on_from_where_they_went() {
        let once = |change| PacketFault { skip: 1, times: Some(1), ..rule(change) };
        let mut to = mangler(&[
            once(PacketChange::SequenceTo { value: 65_535 }),
            once(PacketChange::TimestampTo { value: u32::MAX }),
        ]);
        assert_eq!(numbers(&run(&mut to, 3)), [(0, 0), (65_535, u32::MAX), (0, 959)]);
        let mut by = mangler(&[
            once(PacketChange::SequenceBy { value: 100 }),
            once(PacketChange::TimestampBy { value: 9_600 }),
        ]);
        assert_eq!(numbers(&run(&mut by, 3)), [(0, 0), (101, 10_560), (102, 11_520)]);
    }

    #[test]
    fn a_skewed_clock_drifts() {
        for (ppm, drift) in [(1_000, 59), (-1_000, -59)] {
            let mut mangler = mangler(&[rule(PacketChange::ClockSkew { ppm })]);
            let out = run(&mut mangler, 63);
            let (_, last) = numbers(&out)[62];
            // 62 * 960 samples, a thousandth of them.
            assert_eq!(i64::from(last) - 62 * 960, drift);
        }
    }

    #[test]
    fn additional_datagrams() {
        let mut extra = mangler(&[
            PacketFault { times: Some(1), ..rule(PacketChange::Rtcp) },
            PacketFault { times: Some(1), ..rule(PacketChange::Runt { bytes: 11 }) },
        ]);
        let out = run(&mut extra, 2);
        assert_eq!(out[0].len(), 3);
        assert_eq!(out[0][0], Sending::SenderReport);
        let Sending::AsItIs(runt) = &out[0][1] else { panic!("a runt") };
        assert_eq!((runt.len(), runt[0]), (11, 0x80));
        assert_eq!(out[1].len(), 1);

        let mut replay = mangler(&[rule(PacketChange::Replay { back: 2 })]);
        let mut sent = Vec::new();
        for n in 0..4 {
            sent.push(replay.handle_packet(FLOW, PORTS, &packet(n), Shape::default()));
            replay.remember(PORTS, &[n as u8]);
        }
        assert_eq!((sent[0].len(), sent[1].len()), (1, 1));
        assert_eq!(sent[2][0], Sending::AsItIs(vec![0]));
        assert_eq!(sent[3][0], Sending::AsItIs(vec![1]));
    }
}
