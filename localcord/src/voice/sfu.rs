//! The selective forwarding unit: takes every member's packets, gives them to every other member.
//!
//! Sans-IO. The DAVE payload passes untouched; only the transport layer is opened and made anew,
//! with each receiver's key and nonce counter. Sequence number, timestamp and SSRC stay.
//!
//! Where a member's media goes: to the address of its last SELECT PROTOCOL (op 1), and from then
//! on to another port of the same host when RTP comes from there that only the member can have
//! sent: its tag is right, and its sequence number is ahead of all before, so that no copy of an
//! old packet moves anything. What was under way from the address before an op 1 is still taken, and
//! moves nothing. IP discovery is answered at any time and moves nothing: it carries
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
    /// Where the member was before its last SELECT PROTOCOL.
    left: Option<SocketAddr>,
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
    /// How much padding a packet gets.
    rng: StdRng,
    /// Which packets are dropped.
    loss: StdRng,
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
            loss: StdRng::seed_from_u64(seed),
            mangler: Mangler::default(),
            strays: 0,
            moved: Vec::new(),
        }
    }

    /// Which packets are dropped begins anew: the same seed drops the same ones.
    pub(crate) fn reseed(&mut self, seed: u64) {
        self.loss = StdRng::seed_from_u64(seed);
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
                Some(media) => {
                    media.cipher = cipher;
                    let before = std::mem::replace(&mut media.address, address);
                    media.left = (before != address).then_some(before).or(media.left);
                }
                None => {
                    let (nonce, left, sequence) = (0, None, None);
                    port.media = Some(Media { cipher, address, nonce, left, sequence });
                }
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
                let is_known = from == media.address || Some(from) == media.left;
                if !is_known && is_ahead {
                    (media.address, media.left) = (from, None);
                    self.moved.push((ssrc, from));
                }
                opened.ok().filter(|_| is_known || is_ahead)
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
                && self.loss.random::<f64>() * 100.0 < treatment.drop_percent
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
mod tests;
