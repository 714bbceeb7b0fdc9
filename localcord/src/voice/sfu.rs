//! The selective forwarding unit: takes every member's packets, gives them to every other member.
//!
//! Sans-IO. The DAVE payload passes untouched; only the transport layer is opened and made anew,
//! with each receiver's key and nonce counter. Sequence number, timestamp and SSRC stay.
//!
//! Where a member's media goes: to the address of its last SELECT PROTOCOL (op 1), and from then
//! on to another port of the same host when RTP comes from there that only the member can have
//! sent: its tag is right, and its sequence number is ahead of all before, so that no copy of an
//! old packet moves anything. IP discovery is answered at any time and moves nothing: it carries
//! no proof of who asks.

use std::{
    collections::{BTreeMap, HashMap},
    net::SocketAddr,
};

use rand::{Rng, SeedableRng, rngs::StdRng};
use serde::Serialize;

use super::{
    mangle::{Mangler, Sending},
    transport::{
        Additions, Cipher, Kind, Mode, Opened, discovery_response, open, seal, seal_sender_report,
        unsealed,
    },
};
use crate::fault::{Flow, Packet};

/// What the unit does to packets, read anew for each of them.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Treatment {
    /// Share of forwarded packets to drop, percent.
    pub(crate) drop_percent: f64,
    /// Every n-th packet to a receiver is padded; 0 = none.
    pub(crate) padding_every: u32,
    /// Longest padding, bytes.
    pub(crate) padding_max: u8,
    pub(crate) header_extension: bool,
}

/// What became of one datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Forwarded, or answered, or counted and dropped.
    Done,
    /// Genuine RTP of an SSRC that has not announced itself with op 5.
    NotSpeaking { ssrc: u32 },
}

/// Why a member's audio is not forwarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Silenced {
    /// Muted by a moderator.
    Muted,
    /// In a stage's audience, or without SPEAK.
    Suppressed,
}

/// A datagram to send, and whose it is; from 0 is the server's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Datagram {
    pub(crate) flow: Flow,
    pub(crate) packet: Packet,
}

/// Packet counts of one member.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Counts {
    /// Genuine RTP packets from the member.
    received: u64,
    /// Packets sent to the member.
    forwarded: u64,
    /// Packets to the member dropped by the fault settings.
    dropped: u64,
    /// Packets to the member that carried padding.
    padded: u64,
    /// From the member: wrong tag, wrong address or malformed.
    refused: u64,
    rtcp: u64,
    /// From the member and genuine, but not forwarded: it is server-muted.
    muted: u64,
    /// From the member and genuine, but not forwarded: it is suppressed.
    suppressed: u64,
}

#[derive(Debug)]
struct Port {
    user: u64,
    channel: u64,
    key: [u8; 32],
    media: Option<Media>,
    speaking: bool,
    silenced: Option<Silenced>,
    counts: Counts,
    reported: Counts,
}

/// What SELECT PROTOCOL settled.
#[derive(Debug)]
struct Media {
    cipher: Cipher,
    address: SocketAddr,
    nonce: u32,
    /// Highest sequence number that came from the member.
    sequence: Option<u16>,
}

impl Media {
    /// Whether a sequence number is ahead of all that came (RFC 1982 arithmetic).
    fn is_ahead(&self, sequence: u16) -> bool {
        self.sequence.is_none_or(|last| (1..0x8000).contains(&sequence.wrapping_sub(last)))
    }
}

/// All members' media, by SSRC.
#[derive(Debug)]
pub(crate) struct Sfu {
    ports: BTreeMap<u32, Port>,
    channels: HashMap<u64, Vec<u32>>,
    rng: StdRng,
    /// What the fault settings do to packets.
    pub(crate) mangler: Mangler,
    /// Datagrams that belong to nobody.
    pub(crate) strays: u64,
    /// Whose media goes to another port of their host since the last look, and where.
    pub(crate) moved: Vec<(u32, SocketAddr)>,
}

impl Sfu {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            ports: BTreeMap::new(),
            channels: HashMap::new(),
            rng: StdRng::seed_from_u64(seed),
            mangler: Mangler::default(),
            strays: 0,
            moved: Vec::new(),
        }
    }

    pub(crate) fn open_port(&mut self, ssrc: u32, user: u64, channel: u64, key: [u8; 32]) {
        let port = Port {
            user,
            channel,
            key,
            media: None,
            speaking: false,
            silenced: None,
            counts: Counts::default(),
            reported: Counts::default(),
        };
        self.ports.insert(ssrc, port);
        self.channels.entry(channel).or_default().push(ssrc);
    }

    pub(crate) fn close_port(&mut self, ssrc: u32) {
        let Some(port) = self.ports.remove(&ssrc) else { return };
        self.mangler.forget(ssrc);
        if let Some(members) = self.channels.get_mut(&port.channel) {
            members.retain(|member| *member != ssrc);
            if members.is_empty() {
                self.channels.remove(&port.channel);
            }
        }
    }

    /// The member may send and receive from now on, or does so from another address or with another
    /// mode.
    pub(crate) fn select(&mut self, ssrc: u32, mode: Mode, address: SocketAddr) {
        if let Some(port) = self.ports.get_mut(&ssrc) {
            let cipher = Cipher::new(mode, &port.key);
            match &mut port.media {
                // The key stays, so the nonces must go on.
                Some(media) => (media.cipher, media.address) = (cipher, address),
                None => port.media = Some(Media { cipher, address, nonce: 0, sequence: None }),
            }
        }
    }

    /// Op 5 came.
    pub(crate) fn announce(&mut self, ssrc: u32) {
        if let Some(port) = self.ports.get_mut(&ssrc) {
            port.speaking = true;
        }
    }

    /// Whether what the member sends is kept from the others.
    pub(crate) fn set_silenced(&mut self, ssrc: u32, silenced: Option<Silenced>) {
        if let Some(port) = self.ports.get_mut(&ssrc) {
            port.silenced = silenced;
        }
    }

    /// The counts that changed since the last call.
    pub(crate) fn take_counts(&mut self) -> Vec<(u32, Counts)> {
        let mut changed = Vec::new();
        for (ssrc, port) in &mut self.ports {
            if port.counts != port.reported {
                port.reported = port.counts;
                changed.push((*ssrc, port.counts));
            }
        }
        changed
    }

    /// Whose a datagram is, judging by what it says; unlike [`Sfu::handle_datagram`] this believes
    /// everything.
    pub(crate) fn owner(&self, from: SocketAddr, bytes: &[u8]) -> Option<u64> {
        let port = match Kind::of(bytes) {
            Kind::Discovery { ssrc } | Kind::Rtp { ssrc } => self.ports.get(&ssrc),
            _ => {
                let is_sender =
                    |port: &&Port| port.media.as_ref().is_some_and(|m| m.address == from);
                self.ports.values().find(is_sender)
            }
        };
        port.map(|port| port.user)
    }

    /// RTP from a member without its transport encryption; the inner `None`: it cannot be taken
    /// off. The outer one: not RTP of a member.
    pub(crate) fn unsealed_from(&self, bytes: &[u8]) -> Option<Option<Vec<u8>>> {
        let Kind::Rtp { ssrc } = Kind::of(bytes) else { return None };
        let media = self.ports.get(&ssrc)?.media.as_ref();
        Some(media.and_then(|media| unsealed(&media.cipher, bytes)))
    }

    /// The same of RTP to a member.
    pub(crate) fn unsealed_to(&self, to: SocketAddr, bytes: &[u8]) -> Option<Option<Vec<u8>>> {
        let Kind::Rtp { .. } = Kind::of(bytes) else { return None };
        let media = self.ports.values().filter_map(|port| port.media.as_ref());
        // Several at one address: sessions of different guilds, or one that is not forgotten yet.
        let mut media = media.filter(|media| media.address == to);
        Some(media.find_map(|media| unsealed(&media.cipher, bytes)))
    }

    /// Takes a datagram in and pushes what it causes onto `out`.
    pub(crate) fn handle_datagram(
        &mut self,
        treatment: Treatment,
        from: SocketAddr,
        bytes: &[u8],
        out: &mut Vec<Datagram>,
    ) -> Verdict {
        match Kind::of(bytes) {
            Kind::Discovery { ssrc } if self.ports.contains_key(&ssrc) => {
                let user = self.ports.get(&ssrc).map_or(0, |port| port.user);
                let bytes = discovery_response(ssrc, &from.ip().to_string(), from.port());
                out.push(Datagram {
                    flow: Flow { from: 0, to: user },
                    packet: Packet { to: from, bytes, other_port: false },
                });
                Verdict::Done
            }
            Kind::Rtp { ssrc } => self.handle_rtp(treatment, from, ssrc, bytes, out),
            Kind::Rtcp => {
                let port = self
                    .ports
                    .values_mut()
                    .find(|port| port.media.as_ref().is_some_and(|m| m.address == from));
                match port {
                    Some(port) => port.counts.rtcp += 1,
                    None => self.strays += 1,
                }
                Verdict::Done
            }
            Kind::Keepalive => Verdict::Done,
            Kind::Discovery { .. } | Kind::Unknown => {
                self.strays += 1;
                Verdict::Done
            }
        }
    }

    fn handle_rtp(
        &mut self,
        treatment: Treatment,
        from: SocketAddr,
        ssrc: u32,
        bytes: &[u8],
        out: &mut Vec<Datagram>,
    ) -> Verdict {
        let Some(port) = self.ports.get_mut(&ssrc) else {
            self.strays += 1;
            return Verdict::Done;
        };
        let opened = match &mut port.media {
            // Only the owner's host and key may use an SSRC.
            Some(media) if media.address.ip() == from.ip() => {
                let opened = open(&media.cipher, bytes);
                let sequence = opened.as_ref().map(Opened::sequence);
                let is_ahead = sequence.is_ok_and(|sequence| media.is_ahead(sequence));
                if is_ahead {
                    media.sequence = sequence.ok();
                }
                if media.address != from && is_ahead {
                    media.address = from;
                    self.moved.push((ssrc, from));
                }
                opened.ok().filter(|_| media.address == from)
            }
            _ => None,
        };
        let Some(packet) = opened else {
            port.counts.refused += 1;
            return Verdict::Done;
        };
        port.counts.received += 1;
        let verdict = if port.speaking { Verdict::Done } else { Verdict::NotSpeaking { ssrc } };
        match port.silenced {
            Some(Silenced::Muted) => port.counts.muted += 1,
            Some(Silenced::Suppressed) => port.counts.suppressed += 1,
            None => {}
        }
        if port.silenced.is_some() {
            return verdict;
        }
        let (user, channel) = (port.user, port.channel);
        self.forward(treatment, (ssrc, user), channel, &packet, out);
        verdict
    }

    fn forward(
        &mut self,
        treatment: Treatment,
        (from, user): (u32, u64),
        channel: u64,
        packet: &Opened,
        out: &mut Vec<Datagram>,
    ) {
        let Some(members) = self.channels.get(&channel) else { return };
        for member in members.iter().filter(|member| **member != from) {
            let Some(port) = self.ports.get_mut(member) else { continue };
            let Some(media) = &mut port.media else { continue };
            let flow = Flow { from: user, to: port.user };
            if treatment.drop_percent > 0.0
                && self.rng.random::<f64>() * 100.0 < treatment.drop_percent
            {
                port.counts.dropped += 1;
                self.mangler.count(flow, "loss");
                continue;
            }
            let every = u64::from(treatment.padding_every);
            let padding = if every > 0 && port.counts.forwarded % every == every - 1 {
                port.counts.padded += 1;
                self.rng.random_range(1..=treatment.padding_max.max(1))
            } else {
                0
            };
            let additions = Additions { extension: treatment.header_extension, padding };
            let mut push = |wire: Option<Vec<u8>>, other_port| {
                if let Some(bytes) = wire {
                    port.counts.forwarded += 1;
                    out.push(Datagram {
                        flow,
                        packet: Packet { to: media.address, bytes, other_port },
                    });
                }
            };
            let mut next_nonce = || {
                media.nonce = media.nonce.wrapping_add(1);
                media.nonce
            };
            if self.mangler.is_idle() {
                push(seal(&media.cipher, next_nonce(), packet, additions), false);
                continue;
            }
            let ports = (from, *member);
            for sending in self.mangler.handle_packet(flow, ports, packet, additions.into()) {
                match sending {
                    Sending::Packet { packet, shape, other_port } => {
                        let wire = seal(&media.cipher, next_nonce(), &packet, shape);
                        if let Some(wire) = &wire {
                            self.mangler.remember(ports, wire);
                        }
                        push(wire, other_port);
                    }
                    Sending::SenderReport => {
                        push(seal_sender_report(&media.cipher, next_nonce(), from), false);
                    }
                    Sending::AsItIs(bytes) => push(Some(bytes), false),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(port: u16) -> SocketAddr {
        ([127, 0, 0, 1], port).into()
    }

    /// Ports 1, 2 and 3 in channel 10, port 4 in channel 11; address = 1000 + ssrc.
    fn unit() -> Sfu {
        let mut sfu = Sfu::new(1);
        for (ssrc, channel) in [(1, 10), (2, 10), (3, 10), (4, 11)] {
            sfu.open_port(ssrc, ssrc.into(), channel, [ssrc as u8; 32]);
            let mode = if ssrc == 2 { Mode::XChaCha20Poly1305 } else { Mode::Aes256Gcm };
            sfu.select(ssrc, mode, address(1_000 + ssrc as u16));
            sfu.announce(ssrc);
        }
        sfu
    }

    fn frame(sequence: u16, payload: &[u8]) -> Opened {
        let mut rest = [0; 10];
        rest[..2].copy_from_slice(&sequence.to_be_bytes());
        rest[9] = 1;
        Opened { second: 0x78, rest, payload: payload.to_vec() }
    }

    fn wire(sequence: u16) -> Vec<u8> {
        let cipher = Cipher::new(Mode::Aes256Gcm, &[1; 32]);
        let sent = frame(sequence, b"dave");
        seal(&cipher, u32::from(sequence), &sent, Additions { extension: true, padding: 3 })
            .unwrap()
    }

    const PLAIN: Treatment =
        Treatment { drop_percent: 0.0, padding_every: 4, padding_max: 8, header_extension: true };

    #[test]
    fn every_other_member_of_the_channel_gets_the_same_frame() {
        let mut sfu = unit();
        let mut out = Vec::new();
        let verdict = sfu.handle_datagram(PLAIN, address(1_001), &wire(7), &mut out);
        assert_eq!(verdict, Verdict::Done);
        let to: Vec<_> = out.iter().map(|one| one.packet.to).collect();
        assert_eq!(to, [address(1_002), address(1_003)]);
        let second = Cipher::new(Mode::XChaCha20Poly1305, &[2; 32]);
        let third = Cipher::new(Mode::Aes256Gcm, &[3; 32]);
        assert_eq!(open(&second, &out[0].packet.bytes), Ok(frame(7, b"dave")));
        assert_eq!(open(&third, &out[1].packet.bytes), Ok(frame(7, b"dave")));
        assert_eq!(out[0].packet.bytes[0], 0x90);
    }

    #[test]
    fn every_fourth_packet_is_padded() {
        let mut sfu = unit();
        let mut out = Vec::new();
        for sequence in 0..8 {
            sfu.handle_datagram(PLAIN, address(1_001), &wire(sequence), &mut out);
        }
        let second = Cipher::new(Mode::XChaCha20Poly1305, &[2; 32]);
        let to_second = out.iter().filter(|one| one.packet.to == address(1_002));
        let padded: Vec<_> = to_second
            .map(|one| {
                let wire = &one.packet.bytes;
                assert_eq!(open(&second, wire).unwrap().payload, b"dave");
                wire[0] & 0x20 != 0
            })
            .collect();
        assert_eq!(padded, [false, false, false, true, false, false, false, true]);
    }

    #[test]
    fn an_ssrc_belongs_to_its_key_and_host() {
        let mut sfu = unit();
        let mut out = Vec::new();
        let elsewhere = ([127, 0, 0, 2], 1_001).into();
        sfu.handle_datagram(PLAIN, elsewhere, &wire(1), &mut out);
        let forged = seal(
            &Cipher::new(Mode::XChaCha20Poly1305, &[2; 32]),
            1,
            &frame(1, b"dave"),
            Additions::default(),
        );
        sfu.handle_datagram(PLAIN, address(1_001), &forged.unwrap(), &mut out); // another key
        assert!(out.is_empty());
        assert_eq!(sfu.take_counts(), [(1, Counts { refused: 2, ..Counts::default() })]);
        assert_eq!(sfu.take_counts(), []);
    }

    #[test]
    fn whoever_is_silenced_is_counted_and_hears_on() {
        let mut sfu = unit();
        let mut out = Vec::new();
        for (silenced, counts) in [
            (Silenced::Muted, Counts { received: 1, muted: 1, ..Counts::default() }),
            (
                Silenced::Suppressed,
                Counts { received: 2, muted: 1, suppressed: 1, ..Counts::default() },
            ),
        ] {
            sfu.set_silenced(1, Some(silenced));
            sfu.handle_datagram(PLAIN, address(1_001), &wire(1), &mut out);
            assert!(out.is_empty());
            assert_eq!(sfu.take_counts(), [(1, counts)]);
        }
        sfu.set_silenced(2, Some(Silenced::Muted));
        sfu.set_silenced(1, None);
        sfu.handle_datagram(PLAIN, address(1_001), &wire(1), &mut out);
        assert_eq!(out.len(), 2, "the muted one hears");
    }

    #[test]
    fn media_follows_a_port_that_only_its_owner_can_have_sent_from() {
        let mut sfu = unit();
        let mut out = Vec::new();
        sfu.handle_datagram(PLAIN, address(1_001), &wire(65_535), &mut out);
        assert_eq!(out.len(), 2);
        // Copies of old packets and forged ones, from another port: nothing.
        let mut forged = wire(3);
        forged[20] ^= 1;
        for bytes in [wire(65_535), wire(60_000), forged] {
            sfu.handle_datagram(PLAIN, address(7_000), &bytes, &mut out);
        }
        let mut ask = vec![0, 1, 0, 70, 0, 0, 0, 1];
        ask.resize(74, 0);
        out.clear();
        sfu.handle_datagram(PLAIN, address(7_000), &ask, &mut out);
        assert_eq!(out.remove(0).packet.to, address(7_000), "discovery is answered");
        assert!(sfu.moved.is_empty() && out.is_empty());

        // Out of order from the usual port is as good as ever.
        sfu.handle_datagram(PLAIN, address(1_001), &wire(65_534), &mut out);
        sfu.handle_datagram(PLAIN, address(7_000), &wire(0), &mut out);
        assert_eq!((out.len(), std::mem::take(&mut sfu.moved)), (4, vec![(1, address(7_000))]));
        out.clear();
        let cipher = Cipher::new(Mode::XChaCha20Poly1305, &[2; 32]);
        let mut answer = frame(0, b"dave");
        answer.rest[9] = 2;
        let answer = seal(&cipher, 1, &answer, Additions::default()).unwrap();
        sfu.handle_datagram(PLAIN, address(1_002), &answer, &mut out);
        assert_eq!(out[0].packet.to, address(7_000));
        // SELECT PROTOCOL has the last word, and the nonces go on.
        sfu.select(1, Mode::XChaCha20Poly1305, address(8_000));
        sfu.handle_datagram(PLAIN, address(1_002), &answer, &mut out);
        assert_eq!(out[2].packet.to, address(8_000));
        let nonce = |wire: &[u8]| wire.last().copied().unwrap();
        assert_eq!(nonce(&out[2].packet.bytes), nonce(&out[0].packet.bytes) + 1);
    }

    #[test]
    fn rtp_before_op_5_is_told() {
        let mut sfu = Sfu::new(1);
        sfu.open_port(1, 1, 10, [1; 32]);
        sfu.select(1, Mode::Aes256Gcm, address(1_001));
        let mut out = Vec::new();
        let verdict = sfu.handle_datagram(PLAIN, address(1_001), &wire(1), &mut out);
        assert_eq!(verdict, Verdict::NotSpeaking { ssrc: 1 });
        // A forged packet cannot get a member closed.
        let mut forged = wire(2);
        forged[20] ^= 1;
        let verdict = sfu.handle_datagram(PLAIN, address(1_001), &forged, &mut out);
        assert_eq!(verdict, Verdict::Done);
    }

    #[test]
    fn the_dropped_share_is_about_what_was_asked() {
        let mut sfu = unit();
        let mut out = Vec::new();
        let lossy = Treatment { drop_percent: 25.0, ..PLAIN };
        for sequence in 0..1_000 {
            sfu.handle_datagram(lossy, address(1_001), &wire(sequence), &mut out);
        }
        assert!((1_400..1_600).contains(&out.len()), "{}", out.len());
        out.clear();
        let all = Treatment { drop_percent: 100.0, ..PLAIN };
        sfu.handle_datagram(all, address(1_001), &wire(0), &mut out);
        assert!(out.is_empty());
    }

    #[test]
    fn a_closed_port_gets_nothing() {
        let mut sfu = unit();
        let mut out = Vec::new();
        sfu.close_port(2);
        sfu.close_port(1);
        sfu.handle_datagram(PLAIN, address(1_001), &wire(1), &mut out);
        assert!(out.is_empty());
        assert_eq!(sfu.strays, 1);
    }

    #[test]
    fn discovery_answers_only_known_ssrcs() {
        let mut sfu = unit();
        let mut request = vec![0, 1, 0, 70, 0, 0, 0, 1];
        request.resize(74, 0);
        let mut out = Vec::new();
        sfu.handle_datagram(PLAIN, address(9), &request, &mut out);
        let bytes = discovery_response(1, "127.0.0.1", 9);
        let packet = Packet { to: address(9), bytes, other_port: false };
        assert_eq!(out, [Datagram { flow: Flow { from: 0, to: 1 }, packet }]);
        request[7] = 99;
        sfu.handle_datagram(PLAIN, address(9), &request, &mut out);
        assert_eq!(out.len(), 1);
    }
}
