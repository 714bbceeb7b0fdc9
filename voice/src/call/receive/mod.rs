//! The way in: transport cipher, extension and padding off; who sent it; end-to-end decryption at
//! arrival; order; Opus.
//!
//! Nothing waits that need not: an in-order packet is heard in the same call that brought it. Two
//! kinds of packets wait, bounded in time and number: those behind a gap (`buffer`, `policy`) and
//! those whose sender or key is not known yet (`held`). Decryption happens on arrival and never at
//! playout, because the keys of somebody who leaves are gone by then.

mod attribution;
mod budget;
mod buffer;
mod gap_wait;
mod held;
mod policy;
mod senders;
mod speakers;
mod stream;

use std::collections::BTreeMap;

use clawvoice_session::{SessionTime, UserId};

pub use self::attribution::Attribution;
use self::{
    budget::Budget,
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
    recovery::Recovery,
    stats::{CallStats, Fate},
};
use crate::wire::{
    aead::{KEY_BYTES, Mode, Transport},
    rtp,
};

/// The longest media payload taken, in bytes: more than any path's datagram holds.
const MAX_MEDIA: usize = 2_048;
/// Streams at a time; more than a voice channel has users.
const MAX_STREAMS: usize = 512;
/// Between two [`CallEvent::DecryptFailure`]s of one user, in lost frames: a second of speech.
const FAILURE_EVENT_FRAMES: u32 = 50;

/// What the receive path works with besides its own state.
pub(crate) struct Io<'a> {
    pub(crate) now: SessionTime,
    /// Whether the server can be asked for a recovery now.
    pub(crate) linked: bool,
    pub(crate) dave: &'a mut Dave,
    pub(crate) recovery: &'a mut Recovery,
    pub(crate) stats: &'a mut CallStats,
    pub(crate) out: &'a mut Outbox,
    pub(crate) hear: &'a mut dyn Hear,
}

/// What a stream needs to be heard.
pub(crate) struct Voice<'a> {
    pub(crate) now: SessionTime,
    /// Whether DAVE is in force, so that keys show who speaks.
    pub(crate) keys: bool,
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

    /// The packet without its encryption.
    fn ready<'p>(&self, kind: Kind, payload: &'p [u8]) -> Packet<'p> {
        Packet { sequence: self.sequence, timestamp: self.timestamp, kind, payload }
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
        let keys = io.dave.in_force();
        Voice { now: io.now, keys, stats: io.stats, hear: io.hear, speakers, pcm }
    }
}

/// See the module's documentation.
pub(crate) struct Receiver {
    transport: Option<Transport>,
    streams: BTreeMap<u32, Stream>,
    held: Held,
    /// Since when held packets deserve another try.
    replay_due: Option<SessionTime>,
    /// What may be spent on trying keys for packets of nobody known.
    strangers: Budget,
    /// No stream has anything to do before. Looked up in all of them when it has come, and not for
    /// every packet of hundreds.
    streams_due: Option<(SessionTime, Timer)>,
    playout: Playout,
    /// Where end-to-end encryption is taken off.
    media: Box<[u8; MAX_MEDIA]>,
    /// The same for frames that are played before the one in `media`.
    older: Box<[u8; MAX_MEDIA]>,
}

impl Receiver {
    pub(crate) fn new() -> Self {
        Self {
            transport: None,
            streams: BTreeMap::new(),
            held: Held::default(),
            replay_due: None,
            strangers: Budget::default(),
            streams_due: None,
            playout: Playout { speakers: Speakers::default(), pcm: Box::new([0; MAX_SAMPLES]) },
            media: Box::new([0; MAX_MEDIA]),
            older: Box::new([0; MAX_MEDIA]),
        }
    }

    /// Op 4: how packets are opened.
    pub(crate) fn set_transport(&mut self, mode: Mode, key: &[u8; KEY_BYTES]) {
        self.transport = Some(Transport::new(mode, key));
    }

    /// Op 13: the user left; packets on the way may still come.
    pub(crate) fn user_left(&mut self, now: SessionTime, user: UserId) {
        let leaves = now + LEAVE_GRACE;
        for stream in self.streams.values_mut().filter(|stream| stream.user() == user) {
            stream.leaving.get_or_insert(leaves);
            earlier(&mut self.streams_due, leaves, Timer::StreamEnd);
        }
    }

    /// Keys or the roster changed: held packets deserve another try before the next one.
    pub(crate) fn keys_changed(&mut self, now: SessionTime) {
        if !self.held.is_empty() {
            self.try_again(now);
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
        let mut user = None;
        if let Some(stream) = self.streams.get_mut(&header.ssrc) {
            user = Some(stream.user());
            io.stats.attributed(stream.user());
            if !stream.budget.takes_packet(io.now) {
                return io.stats.settle(user, Fate::Flooded);
            }
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
        self.note_dues(header.ssrc);
    }

    /// A packet of a mapped SSRC. `fresh`: it just arrived and was not held.
    fn handle_known(&mut self, io: &mut Io<'_>, media: Media<'_>, fresh: bool) {
        let Self { streams, held, playout, media: opened, .. } = self;
        let Some(stream) = streams.get_mut(&media.ssrc) else { return };
        let user = Some(stream.user());
        match stream.order.place(media.sequence) {
            Place::Duplicate => return io.stats.settle(user, Fate::Duplicate),
            Place::Late => {
                stream.came_late(io.now, media.sequence);
                return io.stats.settle(user, Fate::Late);
            }
            Place::Restart => stream.restart(&mut playout.voice(io)),
            Place::Next | Place::Ahead(_) => {}
        }
        if fresh && !held.is_empty() && held.contains(media.ssrc, media.sequence) {
            return io.stats.settle(user, Fate::Duplicate);
        }
        if let Some((kind, fate)) = speechless(media.payload) {
            // Behind frames that wait for a key it waits too, or it would end their wait.
            if !held.is_empty() && held.has(media.ssrc) {
                return self.hold(io, media, user);
            }
            io.stats.settle(user, fate);
            return stream.accept(&mut playout.voice(io), media.ready(kind, media.payload));
        }
        match io.dave.open(io.now, stream.user(), media.payload, &mut opened[..]) {
            // Plaintext is evidence of nobody: not of one of two who may have sent it. Where there is
            // nothing but plaintext, the last key decides, and the dispute is told.
            Opened::Plain if io.dave.in_force() && disputed(stream) => {
                self.refuse_plaintext(io, media);
            }
            Opened::Plain => {
                let kind = settled_kind(io, stream.user(), media.payload);
                stream.accept(&mut playout.voice(io), media.ready(kind, media.payload));
            }
            Opened::Decrypted(bytes) => self.play_opened(io, media, bytes, fresh),
            Opened::Refused => self.refuse_plaintext(io, media),
            Opened::NoKey => {
                if let Some((other, bytes)) = self.try_others(io, media) {
                    self.hand_over(io, media.ssrc, other);
                    return self.play_opened(io, media, bytes, fresh);
                }
                self.wait_for_key(io, media, fresh);
            }
        }
    }

    /// Plays the frame in the scratch that the stream's user's key has opened: `bytes` of media. A
    /// second decryption would be a replay.
    fn play_opened(&mut self, io: &mut Io<'_>, media: Media<'_>, bytes: usize, fresh: bool) {
        let Self { streams, held, playout, media: opened, older, .. } = self;
        let Some(stream) = streams.get_mut(&media.ssrc) else { return };
        let user = Some(stream.user());
        let first = !stream.identity.opened();
        settle_older(held, stream, io, playout, older, media);
        stream.note_opened(io.now);
        io.recovery.heard();
        if !fresh {
            io.stats.note(user, |stats| stats.recovered += 1);
        }
        let opus = &opened[..bytes];
        let kind = settled_kind(io, stream.user(), opus);
        stream.accept(&mut playout.voice(io), media.ready(kind, opus));
        if first && let Some(user) = user {
            // Now it is sure where the user sends.
            self.retire_others(io.now, media.ssrc, user, false);
        }
    }

    fn refuse_plaintext(&mut self, io: &mut Io<'_>, media: Media<'_>) {
        let Self { streams, playout, .. } = self;
        let Some(stream) = streams.get_mut(&media.ssrc) else { return };
        io.stats.settle(Some(stream.user()), Fate::PlaintextRefused);
        if lost_frame(stream, io.out)
            && io.linked
            && let Some(group) = io.dave.state_for(io.now, stream.user())
        {
            io.recovery.unencrypted(io.now, group);
        }
        stream.skip(&mut playout.voice(io), media.sequence, media.timestamp);
    }

    /// No key opens the frame, yet.
    fn wait_for_key(&mut self, io: &mut Io<'_>, media: Media<'_>, fresh: bool) {
        let Some(stream) = self.streams.get_mut(&media.ssrc) else { return };
        let user = stream.user();
        if fresh {
            stream.failures += 1;
            let failures = stream.failures;
            io.stats.note(Some(user), |stats| stats.held += 1);
            if io.linked {
                io.dave.failed(io.now, user, failures, io.out, &mut io.stats.gateway);
            }
        }
        self.hold(io, media, Some(user));
    }

    fn hold(&mut self, io: &mut Io<'_>, media: Media<'_>, user: Option<UserId>) {
        if let Some(gone) = self.held.push(media.held(user)) {
            self.give_up(io, &gone);
        }
    }

    /// Held packets deserve another try then.
    fn try_again(&mut self, at: SessionTime) {
        self.replay_due = Some(self.replay_due.map_or(at, |due| due.min(at)));
    }

    fn remove(&mut self, ssrc: u32, stats: &mut CallStats) {
        if let Some(mut stream) = self.streams.remove(&ssrc) {
            stream.discard(stats);
            stats.forget(stream.user());
        }
    }

    /// Replays held packets, each stream's in ascending sequence.
    fn replay(&mut self, io: &mut Io<'_>) {
        self.replay_due = None;
        for packet in self.held.take_sorted() {
            let media = Media::of(&packet);
            match (self.streams.get(&packet.ssrc), packet.user) {
                (Some(stream), None) => {
                    io.stats.attributed(stream.user());
                    self.handle_known(io, media, false);
                }
                (Some(stream), Some(was)) => {
                    if stream.user() != was {
                        io.stats.reattributed(was, stream.user());
                    }
                    self.handle_known(io, media, false);
                }
                (None, None) => self.handle_unknown(io, media, false),
                (None, Some(_)) => self.give_up(io, &packet),
            }
            self.note_dues(packet.ssrc);
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
        if self.replay_due.is_some_and(|at| at <= io.now) {
            self.replay(io);
        }
    }

    /// What the stream has to do next may be earlier than what the others have.
    fn note_dues(&mut self, ssrc: u32) {
        if let Some(stream) = self.streams.get(&ssrc) {
            for (at, timer) in dues(stream).into_iter().flatten() {
                earlier(&mut self.streams_due, at, timer);
            }
        }
    }

    /// The next deadline.
    pub(crate) fn poll_timeout(&self) -> Option<(SessionTime, Timer)> {
        let dues = [
            self.replay_due.map(|at| (at, Timer::HeldFrames)),
            self.held.deadline().map(|at| (at, Timer::HeldFrames)),
            self.playout.speakers.deadline().map(|at| (at, Timer::SpeakingStop)),
            self.streams_due,
        ];
        dues.into_iter().flatten().min_by_key(|(at, _)| *at)
    }

    /// Does what is due.
    pub(crate) fn handle_timeout(&mut self, io: &mut Io<'_>) {
        self.settle_dues(io);
        while let Some(packet) = self.held.take_expired(io.now) {
            self.give_up(io, &packet);
            self.note_dues(packet.ssrc);
        }
        if self.streams_due.is_some_and(|(at, _)| at <= io.now) {
            self.serve_streams(io);
        }
        while let Some(user) = self.playout.speakers.take_stopped(io.now) {
            io.hear.speaking_stopped(io.now, user);
        }
        self.settle_dues(io);
    }

    fn serve_streams(&mut self, io: &mut Io<'_>) {
        for stream in self.streams.values_mut() {
            stream.handle_timeout(&mut self.playout.voice(io));
            stream.rest(io.now);
        }
        let ended = |stream: &Stream| stream.leaving.is_some_and(|at| at <= io.now);
        while let Some(ssrc) = self.streams.iter().find(|(_, s)| ended(s)).map(|(ssrc, _)| *ssrc) {
            self.remove(ssrc, io.stats);
        }
        let all = self.streams.values().flat_map(|stream| dues(stream).into_iter().flatten());
        self.streams_due = all.min_by_key(|(at, _)| *at);
    }

    /// Packets whose fate is not decided yet.
    pub(crate) fn in_flight(&self) -> usize {
        self.held.len() + self.streams.values().map(Stream::waiting).sum::<usize>()
    }
}

/// What a stream has to do, and when.
fn dues(stream: &Stream) -> [Option<(SessionTime, Timer)>; 3] {
    [
        stream.gap_deadline().map(|at| (at, Timer::Gap)),
        stream.leaving.map(|at| (at, Timer::StreamEnd)),
        stream.idle_deadline().map(|at| (at, Timer::StreamEnd)),
    ]
}

/// Lowers a deadline.
fn earlier(due: &mut Option<(SessionTime, Timer)>, at: SessionTime, timer: Timer) {
    if due.is_none_or(|(other, _)| at < other) {
        *due = Some((at, timer));
    }
}

/// Whether the server and the keys name different senders of a stream.
fn disputed(stream: &Stream) -> bool {
    stream.identity.attribution(true) == Attribution::Disputed
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

/// Speech, or what is none: nothing at all, like padding; the end of a talkspurt; and discontinuous
/// transmission (RFC 6716 §2.1.9), which fills pauses with packets of a byte or two.
fn kind_of(opus: &[u8]) -> Kind {
    match opus {
        [] => Kind::Empty,
        opus if opus == rtp::SILENCE || opus.len() <= 2 => Kind::Silence,
        _ => Kind::Speech,
    }
}

/// A frame of this stream was opened: what was held from before it goes first. Most of it waited
/// for a name only, and opens now, or was unencrypted while that was allowed. The rest will not
/// open any more.
fn settle_older(
    held: &mut Held,
    stream: &mut Stream,
    io: &mut Io<'_>,
    playout: &mut Playout,
    older: &mut [u8; MAX_MEDIA],
    opened: Media<'_>,
) {
    if held.is_empty() {
        return;
    }
    for packet in held.take_older(opened.ssrc, opened.sequence) {
        let user = stream.user();
        if packet.user.is_none() {
            io.stats.attributed(user);
        }
        let media = Media::of(&packet);
        let frame = match speechless(media.payload) {
            Some(_) => None,
            None => match io.dave.open(packet.arrived, user, media.payload, older) {
                Opened::Decrypted(bytes) => older.get(..bytes),
                Opened::Plain => Some(media.payload),
                Opened::NoKey | Opened::Refused => None,
            },
        };
        match frame {
            Some(opus) => {
                io.stats.note(Some(user), |stats| stats.recovered += 1);
                let kind = settled_kind(io, user, opus);
                stream.accept(&mut playout.voice(io), media.ready(kind, opus));
            }
            None => give_up_frame(stream, io, playout, &packet),
        }
    }
}

/// What a frame without its encryption is; what is no speech is accounted for.
fn settled_kind(io: &mut Io<'_>, user: UserId, opus: &[u8]) -> Kind {
    let kind = kind_of(opus);
    match kind {
        Kind::Empty => io.stats.settle(Some(user), Fate::PaddingOnly),
        Kind::Silence => io.stats.settle(Some(user), Fate::Silence),
        Kind::Speech => {}
    }
    kind
}

/// Decides what a frame was that never opened, and takes its place in the sequence.
fn give_up_frame(stream: &mut Stream, io: &mut Io<'_>, playout: &mut Playout, packet: &HeldPacket) {
    if let Some((_, fate)) = speechless(&packet.payload) {
        io.stats.settle(Some(stream.user()), fate);
        return stream.skip(&mut playout.voice(io), packet.sequence, packet.timestamp);
    }
    if io.dave.joining(packet.arrived) && !stream.identity.opened() {
        io.stats.settle(Some(stream.user()), Fate::PreJoin);
    } else {
        io.stats.settle(Some(stream.user()), Fate::Undecryptable);
        if lost_frame(stream, io.out)
            && io.linked
            && let Some(group) = io.dave.state_for(io.now, stream.user())
        {
            io.recovery.undecryptable(io.now, group);
        }
    }
    stream.skip(&mut playout.voice(io), packet.sequence, packet.timestamp);
}

/// Tells the owner of frames lost to encryption: the first of a run, then one a second. Returns
/// whether it was told.
fn lost_frame(stream: &mut Stream, out: &mut Outbox) -> bool {
    let tell = stream.lost.is_multiple_of(FAILURE_EVENT_FRAMES);
    if tell {
        let user = stream.user();
        let consecutive = stream.lost + 1;
        out.push_back(Output::Event(CallEvent::DecryptFailure { user, consecutive }));
    }
    stream.lost += 1;
    tell
}
