//! One sender's stream: order, concealment, Opus.

use clawvoice_session::{SessionTime, UserId};

use super::{
    Voice,
    buffer::{Kind, Place, ReorderBuffer, Slot},
    policy::{GAP_PACKETS, GAP_WAIT, concealed_units},
};
use crate::{
    call::{
        decode::{self, DecodeError, OpusDecoder},
        stats::{CallStats, Fate},
    },
    wire::rtp::FRAME_UNITS,
};

/// A packet that is ready to be played: end-to-end encryption is off it.
#[derive(Clone, Copy)]
pub(crate) struct Packet<'a> {
    pub(crate) sequence: u16,
    pub(crate) timestamp: u32,
    pub(crate) kind: Kind,
    pub(crate) payload: &'a [u8],
}

/// See the module's documentation.
pub(crate) struct Stream {
    pub(crate) user: UserId,
    /// Op 5 named the user; otherwise a key did.
    pub(crate) announced: bool,
    /// Consecutive encrypted frames that no key opened on arrival.
    pub(crate) failures: u32,
    /// Consecutive frames lost for good because of encryption.
    pub(crate) lost: u32,
    /// Whether a key ever opened a frame.
    pub(crate) ever_opened: bool,
    /// When the stream goes, because its user left or sends under another SSRC.
    pub(crate) leaving: Option<SessionTime>,
    decoder: OpusDecoder,
    pub(crate) order: ReorderBuffer,
    /// The media time behind the last packet played.
    expected_timestamp: u32,
    /// Duration of the last speech packet, in 1/48000 s.
    packet_units: u32,
    /// The last packet played was speech: what is missing behind it was speech too.
    in_talkspurt: bool,
}

impl Stream {
    pub(crate) fn new(user: UserId, announced: bool) -> Result<Self, DecodeError> {
        Ok(Self {
            user,
            announced,
            failures: 0,
            lost: 0,
            ever_opened: false,
            leaving: None,
            decoder: OpusDecoder::new()?,
            order: ReorderBuffer::default(),
            expected_timestamp: 0,
            packet_units: FRAME_UNITS,
            in_talkspurt: false,
        })
    }

    /// Whether this is where `user` is known to send: op 5 or a key said so, and it stays.
    pub(crate) fn holds(&self, user: UserId) -> bool {
        self.user == user && self.leaving.is_none() && (self.announced || self.ever_opened)
    }

    /// Takes a packet whose sequence number is new: plays it if it is its turn, else keeps it.
    pub(crate) fn accept(&mut self, voice: &mut Voice<'_>, packet: Packet<'_>) {
        if packet.kind == Kind::Speech {
            voice.speakers.arrived(voice.now, self.user);
        }
        match self.order.place(packet.sequence) {
            Place::Next => {
                self.play(voice, packet);
                self.drain(voice);
            }
            Place::Ahead(missing) if usize::from(missing) > 2 * GAP_PACKETS => {
                self.release_all(voice);
                self.jump_to(voice, packet);
            }
            Place::Ahead(_) => self.keep(voice, packet),
            Place::Duplicate | Place::Late | Place::Restart => {
                // Judged before, when the packet came; nothing but speech is left to account for.
                if packet.kind == Kind::Speech {
                    voice.stats.settle(Some(self.user), Fate::Late);
                }
            }
        }
    }

    /// Counts a packet's place as taken without audio, if anything still waits for it.
    pub(crate) fn skip(&mut self, voice: &mut Voice<'_>, sequence: u16, timestamp: u32) {
        if matches!(self.order.place(sequence), Place::Next | Place::Ahead(_)) {
            self.accept(voice, Packet { sequence, timestamp, kind: Kind::Empty, payload: &[] });
        }
    }

    fn keep(&mut self, voice: &mut Voice<'_>, packet: Packet<'_>) {
        let Packet { sequence, timestamp, kind, payload } = packet;
        if kind == Kind::Speech {
            voice.stats.note(Some(self.user), |stats| stats.reordered += 1);
        }
        while !self.order.store(voice.now, sequence, timestamp, kind, payload) {
            self.release_first(voice);
            if self.order.place(sequence) == Place::Next {
                self.play(voice, packet);
                return self.drain(voice);
            }
        }
    }

    /// Gives up the packets missing before the first one that waits.
    fn release_first(&mut self, voice: &mut Voice<'_>) {
        if let Some(slot) = self.order.take_first() {
            self.jump_to(voice, packet_of(&slot));
            self.order.recycle(slot);
            self.drain(voice);
        }
    }

    fn release_all(&mut self, voice: &mut Voice<'_>) {
        while !self.order.is_empty() {
            self.release_first(voice);
        }
    }

    /// Conceals what is missing before `packet`, then plays it.
    fn jump_to(&mut self, voice: &mut Voice<'_>, packet: Packet<'_>) {
        let missing = self.order.missing_before(packet.sequence);
        if missing > 0 {
            self.conceal(voice, missing, packet);
        }
        self.play(voice, packet);
    }

    fn drain(&mut self, voice: &mut Voice<'_>) {
        while let Some(slot) = self.order.take_next() {
            self.play(voice, packet_of(&slot));
            self.order.recycle(slot);
        }
    }

    /// Makes up lost speech: all but the last packet by concealment, the last from the FEC of the
    /// one behind it.
    fn conceal(&mut self, voice: &mut Voice<'_>, missing: u16, next: Packet<'_>) {
        if !self.in_talkspurt || !voice.speakers.speaks(self.user) {
            return;
        }
        let units = self.packet_units;
        let lost = concealed_units(missing, self.expected_timestamp, next.timestamp, units) / units;
        let samples = units as usize / 2;
        for left in (0..lost).rev() {
            let rebuilt = left == 0 && next.kind == Kind::Speech;
            let made = if rebuilt {
                self.decoder.rebuild(next.payload, samples, voice.pcm)
            } else {
                self.decoder.conceal(samples, voice.pcm)
            };
            let Ok(made) = made else { continue };
            voice.stats.note(Some(self.user), |stats| match rebuilt {
                true => stats.fec += 1,
                false => stats.concealed += 1,
            });
            voice.hear.audio(voice.now, self.user, voice.pcm.get(..made).unwrap_or_default());
        }
    }

    fn play(&mut self, voice: &mut Voice<'_>, packet: Packet<'_>) {
        self.order.advance(packet.sequence);
        match packet.kind {
            Kind::Empty => {}
            Kind::Silence => {
                self.in_talkspurt = false;
                self.expected_timestamp = packet.timestamp.wrapping_add(FRAME_UNITS);
                // Lets the decoder fade out as the sender's listeners hear it; silence between
                // talkspurts is nobody's speech.
                if voice.speakers.speaks(self.user)
                    && let Ok(samples) = self.decoder.decode(packet.payload, voice.pcm)
                {
                    voice.hear.audio(voice.now, self.user, &voice.pcm[..samples]);
                }
            }
            Kind::Speech => self.play_speech(voice, packet),
        }
    }

    fn play_speech(&mut self, voice: &mut Voice<'_>, packet: Packet<'_>) {
        let units = decode::duration(packet.payload).unwrap_or(self.packet_units);
        self.packet_units = units;
        self.expected_timestamp = packet.timestamp.wrapping_add(units);
        self.in_talkspurt = true;
        match self.decoder.decode(packet.payload, voice.pcm) {
            Ok(samples) => {
                if voice.speakers.spoke(voice.now, self.user) {
                    voice.hear.speaking_started(voice.now, self.user);
                }
                voice.stats.settle(Some(self.user), Fate::Delivered);
                voice.hear.audio(voice.now, self.user, &voice.pcm[..samples]);
            }
            Err(error) => {
                tracing::trace!(%error, user = %self.user, "opus packet refused");
                voice.stats.settle(Some(self.user), Fate::DecodeFailed);
            }
        }
    }

    /// The sender started over: plays what waits and forgets the order.
    pub(crate) fn restart(&mut self, voice: &mut Voice<'_>) {
        self.release_all(voice);
        self.order.restart();
        self.in_talkspurt = false;
    }

    /// When a gap is to be given up.
    pub(crate) fn gap_deadline(&self) -> Option<SessionTime> {
        self.order.waiting_since().map(|since| since + GAP_WAIT)
    }

    /// Gives up gaps whose time has come.
    pub(crate) fn handle_timeout(&mut self, voice: &mut Voice<'_>) {
        while self.gap_deadline().is_some_and(|at| at <= voice.now) {
            self.release_first(voice);
        }
    }

    /// Speech packets that wait for an earlier one.
    pub(crate) fn waiting(&self) -> usize {
        self.order.waiting_speech()
    }

    /// Accounts for what waits when the stream goes.
    pub(crate) fn discard(&mut self, stats: &mut CallStats) {
        for _ in 0..self.waiting() {
            stats.settle(Some(self.user), Fate::Late);
        }
    }
}

fn packet_of(slot: &Slot) -> Packet<'_> {
    Packet {
        sequence: slot.sequence,
        timestamp: slot.timestamp,
        kind: slot.kind,
        payload: &slot.payload,
    }
}
