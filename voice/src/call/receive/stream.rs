//! One sender's stream: order, concealment, Opus.

use clawvoice_session::{SessionTime, UserId};

use super::{
    Voice,
    attribution::{Attribution, Identity},
    budget::Budget,
    buffer::{Kind, Place, ReorderBuffer, Slot},
    gap_wait::GapWait,
    policy::{CONCEALED_UNITS, DECODER_IDLE, GAP_PACKETS, IN_USE, concealment_gain, lost_units},
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

/// 5 ms at 24 kHz.
const FADE_IN_SAMPLES: usize = 120;

/// See the module's documentation.
pub(crate) struct Stream {
    pub(crate) identity: Identity,
    /// Consecutive encrypted frames that no key opened on arrival.
    pub(crate) failures: u32,
    /// Consecutive frames lost for good because of encryption.
    pub(crate) lost: u32,
    /// When the stream goes, because its user left or sends under another SSRC.
    pub(crate) leaving: Option<SessionTime>,
    pub(crate) order: ReorderBuffer,
    pub(crate) budget: Budget,
    gap_wait: GapWait,
    /// None before the first packet and after a long absence.
    decoder: Option<OpusDecoder>,
    last_packet: SessionTime,
    /// When the user's key first and last opened a frame.
    opened: Option<(SessionTime, SessionTime)>,
    /// The media time behind the last packet played.
    expected_timestamp: u32,
    /// Duration of the last speech packet, in 1/48000 s.
    packet_units: u32,
    /// The last packet played was speech: what is missing behind it was speech too.
    in_talkspurt: bool,
    /// How loud the last sample was that was made up; speech after it begins there.
    made_up_gain: f32,
    /// What was said of the attribution in this talkspurt.
    told: Option<Attribution>,
}

impl Stream {
    pub(crate) fn new(now: SessionTime, identity: Identity) -> Self {
        Self {
            identity,
            failures: 0,
            lost: 0,
            leaving: None,
            order: ReorderBuffer::default(),
            budget: Budget::default(),
            gap_wait: GapWait::default(),
            decoder: None,
            last_packet: now,
            opened: None,
            expected_timestamp: 0,
            packet_units: FRAME_UNITS,
            in_talkspurt: false,
            made_up_gain: 1.0,
            told: None,
        }
    }

    /// Under whose name the stream is heard.
    pub(crate) fn user(&self) -> UserId {
        self.identity.user()
    }

    /// A frame of the stream was opened by its user's key.
    pub(crate) fn note_opened(&mut self, now: SessionTime) {
        self.identity.note_opened();
        let first = self.opened.map_or(now, |(first, _)| first);
        self.opened = Some((first, now));
        self.failures = 0;
        self.lost = 0;
    }

    /// Until when the user counts as speaking here, and not where a packet came from at `arrived`:
    /// their key has opened frames of this stream since before, and lately. Not once they left.
    pub(crate) fn in_use_until(&self, arrived: SessionTime) -> Option<SessionTime> {
        let (_, last) = self.opened.filter(|(first, _)| *first <= arrived)?;
        self.leaving.is_none().then(|| last + IN_USE)
    }

    /// Takes a packet whose sequence number is new: plays it if it is its turn, else keeps it.
    pub(crate) fn accept(&mut self, voice: &mut Voice<'_>, packet: Packet<'_>) {
        if packet.kind == Kind::Speech {
            voice.speakers.arrived(voice.now, self.user());
        }
        self.last_packet = voice.now;
        match self.order.place(packet.sequence) {
            Place::Next => {
                if let Some(since) = self.order.waiting_since() {
                    self.gap_wait.filled(voice.now, since);
                }
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
                    voice.stats.settle(Some(self.user()), Fate::Late);
                }
            }
        }
    }

    /// A packet came for whose place there is nothing to wait any more.
    pub(crate) fn came_late(&mut self, now: SessionTime, sequence: u16) {
        self.gap_wait.came_late(now, sequence);
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
            voice.stats.note(Some(self.user()), |stats| stats.reordered += 1);
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
        let since = self.order.waiting_since();
        if let Some(slot) = self.order.take_first() {
            let missing = self.order.missing_before(slot.sequence);
            if missing > 0 {
                let first = slot.sequence.wrapping_sub(missing);
                self.gap_wait.gave_up(first, missing, since.unwrap_or(voice.now));
            }
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

    /// Makes up for what is missing before `packet`, then plays it.
    fn jump_to(&mut self, voice: &mut Voice<'_>, packet: Packet<'_>) {
        let missing = self.order.missing_before(packet.sequence);
        if missing > 0 {
            self.make_up(voice, missing, packet);
        }
        self.play(voice, packet);
    }

    fn drain(&mut self, voice: &mut Voice<'_>) {
        while let Some(slot) = self.order.take_next() {
            self.play(voice, packet_of(&slot));
            self.order.recycle(slot);
        }
    }

    /// Makes up lost speech: the last packet from the FEC of the one behind it, if it has any; what
    /// is before by concealment that fades, then by silence.
    fn make_up(&mut self, voice: &mut Voice<'_>, missing: u16, next: Packet<'_>) {
        if !self.in_talkspurt || !voice.speakers.speaks(self.user()) {
            return;
        }
        let units = self.packet_units;
        let lost = lost_units(missing, self.expected_timestamp, next.timestamp, units) / units;
        for at in 0..lost {
            let last = at + 1 == lost;
            if last && next.kind == Kind::Speech && decode::carries_fec(next.payload) {
                self.rebuild(voice, next.payload);
            } else {
                self.conceal(voice, at * units);
            }
        }
    }

    fn rebuild(&mut self, voice: &mut Voice<'_>, next: &[u8]) {
        let samples = self.packet_units as usize / 2;
        let Some(Ok(made)) = self.decoder.as_mut().map(|it| it.rebuild(next, samples, voice.pcm))
        else {
            return;
        };
        voice.stats.note(Some(self.user()), |stats| stats.fec += 1);
        self.hear_speech(voice, made);
    }

    /// One packet's time that is `into_gap` (1/48000 s) behind the last speech.
    fn conceal(&mut self, voice: &mut Voice<'_>, into_gap: u32) {
        let samples = self.packet_units as usize / 2;
        let faded = into_gap >= CONCEALED_UNITS;
        let made = match &mut self.decoder {
            Some(decoder) if !faded => decoder.conceal(samples, voice.pcm).unwrap_or_default(),
            _ => samples,
        };
        let Some(pcm) = voice.pcm.get_mut(..made) else { return };
        if faded {
            pcm.fill(0);
        } else {
            // Ramped sample by sample: a step would click.
            for (at, sample) in (0u32..).zip(pcm.iter_mut()) {
                *sample = (f32::from(*sample) * concealment_gain(into_gap + 2 * at)) as i16;
            }
        }
        self.made_up_gain = concealment_gain(into_gap + self.packet_units);
        voice.stats.note(Some(self.identity.user()), |stats| match faded {
            true => stats.silenced += 1,
            false => stats.concealed += 1,
        });
        voice.hear.audio(voice.now, self.identity.user(), pcm);
    }

    fn play(&mut self, voice: &mut Voice<'_>, packet: Packet<'_>) {
        self.order.advance(packet.sequence);
        match packet.kind {
            Kind::Empty => {}
            Kind::Silence => {
                self.in_talkspurt = false;
                self.made_up_gain = 1.0;
                self.expected_timestamp = packet.timestamp.wrapping_add(FRAME_UNITS);
                // Lets the decoder fade out as the sender's listeners hear it; silence between
                // talkspurts is nobody's speech.
                if voice.speakers.speaks(self.user())
                    && let Some(decoder) = &mut self.decoder
                    && let Ok(samples) = decoder.decode(packet.payload, voice.pcm)
                {
                    voice.hear.audio(voice.now, self.user(), &voice.pcm[..samples]);
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
        if !self.budget.takes_audio(voice.now, units) {
            return voice.stats.settle(Some(self.user()), Fate::Flooded);
        }
        match self.decode(packet.payload, voice) {
            Ok(samples) => {
                self.tell_speaker(voice);
                voice.stats.settle(Some(self.user()), Fate::Delivered);
                self.hear_speech(voice, samples);
            }
            Err(error) => {
                tracing::trace!(%error, user = %self.user(), "opus packet refused");
                voice.stats.settle(Some(self.user()), Fate::DecodeFailed);
            }
        }
    }

    /// Hands on real speech; behind a faded concealment it comes up from there.
    fn hear_speech(&mut self, voice: &mut Voice<'_>, samples: usize) {
        let Some(pcm) = voice.pcm.get_mut(..samples) else { return };
        if self.made_up_gain < 1.0 {
            let step = (1.0 - self.made_up_gain) / FADE_IN_SAMPLES as f32;
            for (at, sample) in pcm.iter_mut().take(FADE_IN_SAMPLES).enumerate() {
                *sample = (f32::from(*sample) * (self.made_up_gain + step * at as f32)) as i16;
            }
            self.made_up_gain = 1.0;
        }
        voice.hear.audio(voice.now, self.identity.user(), pcm);
    }

    fn decode(&mut self, payload: &[u8], voice: &mut Voice<'_>) -> Result<usize, DecodeError> {
        match &mut self.decoder {
            Some(decoder) => decoder.decode(payload, voice.pcm),
            none => none.insert(OpusDecoder::new()?).decode(payload, voice.pcm),
        }
    }

    /// Who speaks, and how sure that is, before the first sample.
    fn tell_speaker(&mut self, voice: &mut Voice<'_>) {
        let began = voice.speakers.spoke(voice.now, self.user());
        if began {
            voice.hear.speaking_started(voice.now, self.user());
        }
        let attribution = self.identity.attribution(voice.keys);
        if began || self.told != Some(attribution) {
            self.told = Some(attribution);
            voice.hear.attributed(voice.now, self.user(), attribution);
        }
    }

    /// The sender started over: plays what waits and forgets the order.
    pub(crate) fn restart(&mut self, voice: &mut Voice<'_>) {
        self.release_all(voice);
        self.order.restart();
        self.in_talkspurt = false;
    }

    /// Whether something came of it lately.
    pub(crate) fn is_heard(&self, now: SessionTime) -> bool {
        self.decoder.is_some() && now.since(self.last_packet) <= IN_USE
    }

    /// When a gap is to be given up.
    pub(crate) fn gap_deadline(&self) -> Option<SessionTime> {
        self.order.waiting_since().map(|since| since + self.gap_wait.limit())
    }

    /// When the decoder is freed.
    pub(crate) fn idle_deadline(&self) -> Option<SessionTime> {
        self.decoder.as_ref().map(|_| self.last_packet + DECODER_IDLE)
    }

    /// Frees what only a speaker needs, if that has come.
    pub(crate) fn rest(&mut self, now: SessionTime) {
        if self.idle_deadline().is_some_and(|at| at <= now) {
            self.decoder = None;
            self.order.shrink();
        }
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
            stats.settle(Some(self.user()), Fate::Late);
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
