//! The way in: transport cipher, extension and padding off; who sent it; end-to-end decryption at
//! arrival; order; Opus.
//!
//! Nothing waits that need not: an in-order packet is heard in the same call that brought it. Two
//! kinds of packets wait, bounded in time and number: those behind a gap (`buffer`, `policy`) and
//! those whose sender or key is not known yet (`held`). Decryption happens on arrival and never at
//! playout, because the keys of somebody who leaves are gone by then.

mod buffer;
mod held;
mod policy;
mod speakers;
mod stream;

use std::collections::BTreeMap;

use clawvoice_session::{SessionTime, UserId};

use self::{
    buffer::{Kind, Place},
    held::{Held, HeldPacket},
    policy::LEAVE_GRACE,
    speakers::Speakers,
    stream::{Packet, Stream},
};
use super::{
    CallEvent, Hear, Outbox, Output, Timer,
    dave::{Dave, Opened},
    decode::MAX_SAMPLES,
    stats::{CallStats, Fate},
};
use crate::wire::{
    aead::{KEY_BYTES, Mode, Transport},
    dave as frame, rtp,
};

/// The longest media payload taken, in bytes: more than any path's datagram holds.
const MAX_MEDIA: usize = 2_048;
/// Streams at a time; more than a voice channel has users.
const MAX_STREAMS: usize = 512;
/// Frames lost within this time after the first keys came, from a sender never yet decrypted,
/// are of the epoch before ours.
const PRE_JOIN: std::time::Duration = std::time::Duration::from_secs(3);
/// Between two [`CallEvent::DecryptFailure`]s of one user, in lost frames: a second of speech.
const FAILURE_EVENT_FRAMES: u32 = 50;

/// What the receive path works with besides its own state.
pub(crate) struct Io<'a> {
    pub(crate) now: SessionTime,
    /// Whether the server can be asked for a recovery now.
    pub(crate) linked: bool,
    pub(crate) dave: &'a mut Dave,
    pub(crate) stats: &'a mut CallStats,
    pub(crate) out: &'a mut Outbox,
    pub(crate) hear: &'a mut dyn Hear,
}

/// What a stream needs to be heard.
pub(crate) struct Voice<'a> {
    pub(crate) now: SessionTime,
    pub(crate) stats: &'a mut CallStats,
    pub(crate) hear: &'a mut dyn Hear,
    pub(crate) speakers: &'a mut Speakers,
    pub(crate) pcm: &'a mut [i16; MAX_SAMPLES],
}

/// A media packet whose transport encryption is off.
#[derive(Clone, Copy)]
struct Media<'a> {
    arrived: SessionTime,
    ssrc: u32,
    sequence: u16,
    timestamp: u32,
    payload: &'a [u8],
}

impl<'a> Media<'a> {
    fn of(held: &'a HeldPacket) -> Self {
        Self {
            arrived: held.arrived,
            ssrc: held.ssrc,
            sequence: held.sequence,
            timestamp: held.timestamp,
            payload: &held.payload,
        }
    }

    fn held(self, user: Option<UserId>) -> HeldPacket {
        HeldPacket {
            arrived: self.arrived,
            ssrc: self.ssrc,
            user,
            sequence: self.sequence,
            timestamp: self.timestamp,
            payload: self.payload.to_vec(),
        }
    }
}

/// What all streams share when they are heard.
struct Playout {
    speakers: Speakers,
    /// Where samples are decoded to.
    pcm: Box<[i16; MAX_SAMPLES]>,
}

impl Playout {
    fn voice<'a>(&'a mut self, io: &'a mut Io<'_>) -> Voice<'a> {
        let Self { speakers, pcm } = self;
        Voice { now: io.now, stats: io.stats, hear: io.hear, speakers, pcm }
    }
}

/// See the module's documentation.
pub(crate) struct Receiver {
    transport: Option<Transport>,
    streams: BTreeMap<u32, Stream>,
    held: Held,
    /// Since when held packets deserve another try.
    replay_due: Option<SessionTime>,
    playout: Playout,
    /// Where end-to-end encryption is taken off.
    media: Box<[u8; MAX_MEDIA]>,
}

impl Receiver {
    pub(crate) fn new() -> Self {
        Self {
            transport: None,
            streams: BTreeMap::new(),
            held: Held::default(),
            replay_due: None,
            playout: Playout { speakers: Speakers::default(), pcm: Box::new([0; MAX_SAMPLES]) },
            media: Box::new([0; MAX_MEDIA]),
        }
    }

    /// Op 4: how packets are opened.
    pub(crate) fn set_transport(&mut self, mode: Mode, key: &[u8; KEY_BYTES]) {
        self.transport = Some(Transport::new(mode, key));
    }

    /// Op 5: whose packets these are. What was held for want of it is replayed before the next.
    pub(crate) fn map(&mut self, now: SessionTime, ssrc: u32, user: UserId, stats: &mut CallStats) {
        if let Some(stream) = self.streams.get_mut(&ssrc) {
            if stream.user == user {
                stream.announced = true;
                stream.leaving = None;
                return self.retire_others(now, ssrc, user);
            }
            tracing::warn!(ssrc, was = %stream.user, is = %user, "SSRC has another user");
            self.remove(ssrc, stats);
        }
        self.bind(now, ssrc, user, true, stats);
        if self.held.has(ssrc) {
            self.replay_due.get_or_insert(now);
        }
    }

    /// Op 13: the user left; packets on the way may still come.
    pub(crate) fn user_left(&mut self, now: SessionTime, user: UserId) {
        for stream in self.streams.values_mut().filter(|stream| stream.user == user) {
            stream.leaving.get_or_insert(now + LEAVE_GRACE);
        }
    }

    /// Keys or the roster changed: held packets deserve another try before the next one.
    pub(crate) fn keys_changed(&mut self, now: SessionTime) {
        if !self.held.is_empty() {
            self.replay_due.get_or_insert(now);
        }
    }

    /// One datagram of the voice server. Decrypts it in place.
    pub(crate) fn handle_datagram(&mut self, io: &mut Io<'_>, datagram: &mut [u8]) {
        self.settle_dues(io);
        io.stats.arrived();
        let header = match rtp::parse(datagram) {
            Ok(rtp::Packet::Rtp(header)) => header,
            Ok(rtp::Packet::Rtcp) => return io.stats.settle(None, Fate::Rtcp),
            Err(error) => {
                tracing::trace!(%error, "datagram skipped");
                return io.stats.settle(None, Fate::Malformed);
            }
        };
        if header.payload_type != rtp::OPUS_PAYLOAD_TYPE {
            return io.stats.settle(None, Fate::OtherPayload);
        }
        let Some(transport) = &self.transport else {
            return io.stats.settle(None, Fate::BeforeSession);
        };
        let Ok(plaintext) = transport.open(datagram, header.clear_bytes) else {
            return io.stats.settle(None, Fate::TransportFailed);
        };
        let user = self.streams.get(&header.ssrc).map(|stream| stream.user);
        if let Some(user) = user {
            io.stats.attributed(user);
        }
        let payload = match rtp::media(&header, &datagram[plaintext]) {
            Ok(payload) if payload.len() <= MAX_MEDIA => payload,
            Ok(_) => return io.stats.settle(user, Fate::Malformed),
            Err(error) => {
                tracing::trace!(%error, "packet skipped");
                return io.stats.settle(user, Fate::BadPadding);
            }
        };
        let media = Media {
            arrived: io.now,
            ssrc: header.ssrc,
            sequence: header.sequence,
            timestamp: header.timestamp,
            payload,
        };
        match user {
            Some(_) => self.handle_known(io, media, true),
            None => self.handle_unknown(io, media, true),
        }
    }

    /// A packet of a mapped SSRC. `fresh`: it just arrived and was not held.
    fn handle_known(&mut self, io: &mut Io<'_>, media: Media<'_>, fresh: bool) {
        let Self { streams, held, playout, media: opened, .. } = self;
        let Some(stream) = streams.get_mut(&media.ssrc) else { return };
        let user = Some(stream.user);
        match stream.order.place(media.sequence) {
            Place::Duplicate => return io.stats.settle(user, Fate::Duplicate),
            Place::Late => return io.stats.settle(user, Fate::Late),
            Place::Restart => stream.restart(&mut playout.voice(io)),
            Place::Next | Place::Ahead(_) => {}
        }
        let packet = |kind, payload| Packet {
            sequence: media.sequence,
            timestamp: media.timestamp,
            kind,
            payload,
        };
        if fresh && !held.is_empty() && held.contains(media.ssrc, media.sequence) {
            return io.stats.settle(user, Fate::Duplicate);
        }
        if let Some((kind, fate)) = speechless(media.payload) {
            // Behind frames that wait for a key it waits too, or it would end their wait.
            if !held.is_empty() && held.has(media.ssrc) {
                if let Some(gone) = held.push(media.held(user)) {
                    self.give_up(io, &gone);
                }
                return;
            }
            io.stats.settle(user, fate);
            return stream.accept(&mut playout.voice(io), packet(kind, media.payload));
        }
        match io.dave.open(io.now, stream.user, media.payload, &mut opened[..]) {
            Opened::Plain => {
                let speech = packet(Kind::Speech, media.payload);
                stream.accept(&mut playout.voice(io), speech);
            }
            Opened::Decrypted(bytes) => {
                stream.failures = 0;
                stream.lost = 0;
                give_up_older(held, stream, io, playout, media);
                stream.ever_opened = true;
                if !fresh {
                    io.stats.note(user, |stats| stats.recovered += 1);
                }
                // An empty frame has no audio, like padding.
                let (kind, opus) = match &opened[..bytes] {
                    [] => (Kind::Empty, &[][..]),
                    opus => (Kind::Speech, opus),
                };
                if kind == Kind::Empty {
                    io.stats.settle(user, Fate::PaddingOnly);
                }
                stream.accept(&mut playout.voice(io), packet(kind, opus));
            }
            Opened::Refused => {
                io.stats.settle(user, Fate::PlaintextRefused);
                lost_frame(stream, io.out);
                let voice = &mut playout.voice(io);
                stream.skip(voice, media.sequence, media.timestamp);
            }
            Opened::NoKey => {
                if fresh {
                    stream.failures += 1;
                    let failures = stream.failures;
                    io.stats.note(user, |stats| stats.held += 1);
                    if io.linked {
                        let stats = &mut io.stats.gateway;
                        io.dave.failed(io.now, stream.user, failures, io.out, stats);
                    }
                }
                if let Some(gone) = held.push(media.held(user)) {
                    self.give_up(io, &gone);
                }
            }
        }
    }

    /// A packet of an SSRC that op 5 has not named yet: a key may name it, else it waits.
    fn handle_unknown(&mut self, io: &mut Io<'_>, media: Media<'_>, fresh: bool) {
        if let Some((_, fate)) = speechless(media.payload) {
            return io.stats.settle(None, fate);
        }
        if fresh && self.held.contains(media.ssrc, media.sequence) {
            return io.stats.settle(None, Fate::Duplicate);
        }
        if let Some((user, bytes)) = self.try_members(io, media.payload) {
            tracing::debug!(ssrc = media.ssrc, %user, "sender found by its key");
            if self.bind(io.now, media.ssrc, user, false, io.stats) {
                io.stats.attributed(user);
                return self.first_opened(io, media, bytes, fresh);
            }
        }
        if fresh {
            io.stats.note(None, |stats| stats.held += 1);
        }
        if let Some(gone) = self.held.push(media.held(None)) {
            self.give_up(io, &gone);
        }
    }

    /// Plays the packet that named its sender; its `bytes` of media are in the scratch, because a
    /// second decryption would be a replay.
    fn first_opened(&mut self, io: &mut Io<'_>, media: Media<'_>, bytes: usize, fresh: bool) {
        let Self { streams, held, playout, media: opened, .. } = self;
        let Some(stream) = streams.get_mut(&media.ssrc) else { return };
        let user = Some(stream.user);
        give_up_older(held, stream, io, playout, media);
        stream.ever_opened = true;
        if !fresh {
            io.stats.note(user, |stats| stats.recovered += 1);
        }
        let packet = Packet {
            sequence: media.sequence,
            timestamp: media.timestamp,
            kind: if bytes == 0 { Kind::Empty } else { Kind::Speech },
            payload: &opened[..bytes],
        };
        if bytes == 0 {
            io.stats.settle(user, Fate::PaddingOnly);
        }
        stream.accept(&mut playout.voice(io), packet);
    }

    /// Tries the keys of the others in the call who have no stream in use; those who have one move
    /// by op 5. A frame of theirs under a foreign SSRC is a copy: its key tells who made it, and
    /// nothing of who sent it here. Only a protocol frame is tried: plaintext and silence would
    /// "open" for anybody.
    fn try_members(&mut self, io: &mut Io<'_>, payload: &[u8]) -> Option<(UserId, usize)> {
        frame::check(payload)?;
        let taken = |user| self.streams.values().any(|stream| stream.holds(user));
        let members: Vec<_> = io.dave.others().filter(|user| !taken(*user)).collect();
        members.into_iter().find_map(|user| {
            match io.dave.open(io.now, user, payload, &mut self.media[..]) {
                Opened::Decrypted(bytes) => Some((user, bytes)),
                _ => None,
            }
        })
    }

    /// Makes a stream for an SSRC. One that the user had before goes soon.
    fn bind(
        &mut self,
        now: SessionTime,
        ssrc: u32,
        user: UserId,
        announced: bool,
        stats: &mut CallStats,
    ) -> bool {
        if self.streams.len() >= MAX_STREAMS {
            tracing::warn!(ssrc, %user, "too many streams");
            return false;
        }
        let stream = match Stream::new(user, announced) {
            Ok(stream) => stream,
            Err(error) => {
                tracing::error!(%error, "no decoder");
                return false;
            }
        };
        stats.speakers.entry(user).or_default();
        self.streams.insert(ssrc, stream);
        self.retire_others(now, ssrc, user);
        true
    }

    /// Lets the user's streams go, but for the one of this SSRC.
    fn retire_others(&mut self, now: SessionTime, ssrc: u32, user: UserId) {
        let others = self.streams.iter_mut().filter(|(other, _)| **other != ssrc);
        for (_, old) in others.filter(|(_, stream)| stream.user == user) {
            old.leaving.get_or_insert(now + LEAVE_GRACE);
        }
    }

    fn remove(&mut self, ssrc: u32, stats: &mut CallStats) {
        if let Some(mut stream) = self.streams.remove(&ssrc) {
            stream.discard(stats);
        }
    }

    /// Replays held packets, each stream's in ascending sequence.
    fn replay(&mut self, io: &mut Io<'_>) {
        self.replay_due = None;
        for packet in self.held.take_sorted() {
            let media = Media::of(&packet);
            match (self.streams.get(&packet.ssrc), packet.user) {
                (Some(stream), None) => {
                    io.stats.attributed(stream.user);
                    self.handle_known(io, media, false);
                }
                (Some(_), Some(_)) => self.handle_known(io, media, false),
                (None, None) => self.handle_unknown(io, media, false),
                (None, Some(_)) => self.give_up(io, &packet),
            }
        }
    }

    fn give_up(&mut self, io: &mut Io<'_>, packet: &HeldPacket) {
        let Self { streams, playout, .. } = self;
        match streams.get_mut(&packet.ssrc).filter(|_| packet.user.is_some()) {
            Some(stream) => give_up_frame(stream, io, playout, packet),
            None => {
                let fate = match packet.user {
                    Some(_) => Fate::Undecryptable,
                    None => Fate::UnknownSender,
                };
                io.stats.settle(packet.user, fate);
            }
        }
    }

    /// What has to happen before a newer packet is looked at.
    fn settle_dues(&mut self, io: &mut Io<'_>) {
        if self.replay_due.is_some() {
            self.replay(io);
        }
    }

    /// The next deadline.
    pub(crate) fn poll_timeout(&self) -> Option<(SessionTime, Timer)> {
        let streams = self.streams.values().flat_map(|stream| {
            [
                stream.gap_deadline().map(|at| (at, Timer::Gap)),
                stream.leaving.map(|at| (at, Timer::StreamEnd)),
            ]
        });
        let dues = [
            self.replay_due.map(|at| (at, Timer::HeldFrames)),
            self.held.deadline().map(|at| (at, Timer::HeldFrames)),
            self.playout.speakers.deadline().map(|at| (at, Timer::SpeakingStop)),
        ];
        streams.chain(dues).flatten().min_by_key(|(at, _)| *at)
    }

    /// Does what is due.
    pub(crate) fn handle_timeout(&mut self, io: &mut Io<'_>) {
        self.settle_dues(io);
        while let Some(packet) = self.held.take_expired(io.now) {
            self.give_up(io, &packet);
        }
        for stream in self.streams.values_mut() {
            stream.handle_timeout(&mut self.playout.voice(io));
        }
        while let Some(user) = self.playout.speakers.take_stopped(io.now) {
            io.hear.speaking_stopped(io.now, user);
        }
        let ended = |stream: &Stream| stream.leaving.is_some_and(|at| at <= io.now);
        while let Some(ssrc) = self.streams.iter().find(|(_, s)| ended(s)).map(|(ssrc, _)| *ssrc) {
            self.remove(ssrc, io.stats);
        }
        self.settle_dues(io);
    }

    /// Packets whose fate is not decided yet.
    pub(crate) fn in_flight(&self) -> usize {
        self.held.len() + self.streams.values().map(Stream::waiting).sum::<usize>()
    }
}

/// What a payload without speech is: padding only, or the silence that senders and servers put
/// in unencrypted.
fn speechless(payload: &[u8]) -> Option<(Kind, Fate)> {
    match payload {
        [] => Some((Kind::Empty, Fate::PaddingOnly)),
        payload if payload == rtp::SILENCE => Some((Kind::Silence, Fate::Silence)),
        _ => None,
    }
}

/// A frame of this stream was opened: what was held from before it will not open any more.
fn give_up_older(
    held: &mut Held,
    stream: &mut Stream,
    io: &mut Io<'_>,
    playout: &mut Playout,
    opened: Media<'_>,
) {
    let older = |packet: &HeldPacket| {
        packet.ssrc == opened.ssrc
            && opened.sequence.wrapping_sub(packet.sequence) < u16::MAX / 2
            && packet.sequence != opened.sequence
    };
    while let Some(packet) = held.take_if(older) {
        if packet.user.is_none() {
            io.stats.attributed(stream.user);
        }
        give_up_frame(stream, io, playout, &packet);
    }
}

/// Decides what a frame was that never opened, and takes its place in the sequence.
fn give_up_frame(stream: &mut Stream, io: &mut Io<'_>, playout: &mut Playout, packet: &HeldPacket) {
    if let Some((_, fate)) = speechless(&packet.payload) {
        io.stats.settle(Some(stream.user), fate);
        return stream.skip(&mut playout.voice(io), packet.sequence, packet.timestamp);
    }
    let joining = io.dave.ready_since().is_none_or(|since| packet.arrived <= since + PRE_JOIN);
    if joining && !stream.ever_opened {
        io.stats.settle(Some(stream.user), Fate::PreJoin);
    } else {
        io.stats.settle(Some(stream.user), Fate::Undecryptable);
        lost_frame(stream, io.out);
    }
    stream.skip(&mut playout.voice(io), packet.sequence, packet.timestamp);
}

/// Tells the owner of frames lost to encryption: the first of a run, then one a second.
fn lost_frame(stream: &mut Stream, out: &mut Outbox) {
    if stream.lost.is_multiple_of(FAILURE_EVENT_FRAMES) {
        let user = stream.user;
        let consecutive = stream.lost + 1;
        out.push_back(Output::Event(CallEvent::DecryptFailure { user, consecutive }));
    }
    stream.lost += 1;
}
