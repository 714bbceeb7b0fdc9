//! The way out: every 20 ms a frame of speech or nothing, encoded, encrypted end to end and for
//! transport.
//!
//! After speech, five packets of Opus silence tell receivers that this is a pause and not a loss
//! (Discord "Voice Connections", Voice Data Interpolation). The RTP timestamp counts time, so it
//! advances with every tick; the sequence counts packets (RFC 3550 §5.1).
//!
//! Encoder: application *audio* at complexity 5 and the channel's bitrate, 64 kbit/s at most: what
//! Discord's clients send, and transparent for mono speech at 24 kHz. At this rate *voip* spends
//! three to four times as long on its SILK-hybrid analysis and speech filters meant for low rates;
//! the audio mode stays in CELT, which is also what keeps synthetic voices' highs. Complexity 10
//! costs 1.4 times as much as 5 for 0.7 dB of segmental signal to noise (22.2 against 21.6 dB) and
//! 0.2 dB of log-spectral distance; the benchmark `media` has the table.
//!
//! In-band FEC exists in SILK only (RFC 6716 §2.1.7). So it is off while the network loses nothing;
//! from [`FEC_ON_PERCENT`] of loss on the encoder is told so, takes SILK and repeats each packet's
//! speech in the next.
//!
//! One of this crate's two files that import audiopus.

use audiopus::{Application, Bitrate, Channels, SampleRate, Signal, coder::Encoder};

use super::{Outbox, Output, dave::Dave, decode::FRAME_SAMPLES, stats::SendStats};
use crate::wire::{
    aead::{KEY_BYTES, Mode, Transport},
    gateway,
    rtp::{FRAME_UNITS, HEADER_BYTES, SILENCE, write_header},
};

/// Room that [`super::Call::handle_tick`] needs for a datagram, in bytes. A packet at 64 kbit/s has
/// some 200; the largest that Opus could make fits.
pub const MAX_DATAGRAM_BYTES: usize = 1_500;

/// Bits per second where the channel does not say, and at most.
const BITRATE: u32 = 64_000;
/// The least a Discord channel can be set to, bits per second.
const MIN_BITRATE: u32 = 8_000;
/// Loss at which FEC goes on, and below which it goes off again, percent.
const FEC_ON_PERCENT: u8 = 3;
const FEC_OFF_PERCENT: u8 = 1;
/// More redundancy than for this much loss, in percent, costs more quality than it saves.
const MAX_LOSS_PERCENT: u8 = 25;
/// libopus' effort, of 10.
const COMPLEXITY: u8 = 5;
/// The largest Opus packet of one frame (RFC 6716 §3.4).
const MAX_OPUS: usize = 1_275;
/// Silence packets behind a talkspurt.
const TRAILING_SILENCE: u8 = 5;

/// libopus could not make an encoder.
#[derive(Debug, thiserror::Error)]
#[error("opus: {0}")]
pub(crate) struct EncoderError(#[from] audiopus::Error);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Talk {
    /// Nothing is sent.
    Paused,
    /// Speech is sent.
    Speaking,
    /// This many silence packets are still to be sent.
    Trailing(u8),
}

/// See the module's documentation.
pub(crate) struct Sender {
    encoder: Encoder,
    fec: bool,
    transport: Option<Transport>,
    ssrc: u32,
    sequence: u16,
    timestamp: u32,
    talk: Talk,
    /// Whether op 5 went out on this websocket.
    announced: bool,
    /// Whether op 5 ever went out for this SSRC; packets before it would end the connection.
    introduced: bool,
    opus: [u8; MAX_OPUS],
    frame: Vec<u8>,
}

impl Sender {
    /// `sequence` and `timestamp` are where the stream begins; RFC 3550 wants them random.
    pub(crate) fn new(sequence: u16, timestamp: u32) -> Result<Self, EncoderError> {
        let mut encoder = Encoder::new(SampleRate::Hz24000, Channels::Mono, Application::Audio)?;
        encoder.set_bitrate(Bitrate::BitsPerSecond(BITRATE.cast_signed()))?;
        encoder.set_complexity(COMPLEXITY)?;
        Ok(Self {
            encoder,
            fec: false,
            transport: None,
            ssrc: 0,
            sequence,
            timestamp,
            talk: Talk::Paused,
            announced: false,
            introduced: false,
            opus: [0; MAX_OPUS],
            frame: Vec::with_capacity(MAX_DATAGRAM_BYTES),
        })
    }

    /// The channel's bitrate, bits per second.
    pub(crate) fn set_bitrate(&mut self, bits: u32) {
        let bits = Bitrate::BitsPerSecond(bits.clamp(MIN_BITRATE, BITRATE).cast_signed());
        if let Err(error) = self.encoder.set_bitrate(bits) {
            tracing::warn!(%error, "bitrate not set");
        }
    }

    /// The network loses `percent` of the packets.
    pub(crate) fn set_loss(&mut self, percent: u8) {
        let fec = if self.fec { percent >= FEC_OFF_PERCENT } else { percent >= FEC_ON_PERCENT };
        if let Err(error) = self.protect(fec, percent) {
            tracing::warn!(%error, "FEC not set");
        }
    }

    fn protect(&mut self, fec: bool, percent: u8) -> Result<(), EncoderError> {
        if fec != self.fec {
            tracing::debug!(fec, percent, "in-band FEC");
            // As *voice*, libopus takes SILK at any loss; otherwise only above 5 %.
            self.encoder.set_signal(if fec { Signal::Voice } else { Signal::Auto })?;
            self.encoder.set_inband_fec(fec)?;
            self.fec = fec;
        }
        let percent = if fec { percent.min(MAX_LOSS_PERCENT) } else { 0 };
        Ok(self.encoder.set_packet_loss_perc(percent)?)
    }

    /// Op 2: under which SSRC we send.
    pub(crate) fn set_ssrc(&mut self, ssrc: u32) {
        self.ssrc = ssrc;
        self.introduced = false;
    }

    /// Op 4: how packets are sealed.
    pub(crate) fn set_transport(&mut self, mode: Mode, key: &[u8; KEY_BYTES]) {
        self.transport = Some(Transport::new(mode, key));
    }

    /// Whether there is a transport key.
    pub(crate) fn has_transport(&self) -> bool {
        self.transport.is_some()
    }

    /// A new websocket does not know whether we speak: op 5 comes before the next packet.
    pub(crate) fn forget_announcement(&mut self) {
        self.announced = false;
    }

    /// One 20 ms tick. `linked` is whether the websocket would take an op 5 now.
    pub(crate) fn handle_tick(
        &mut self,
        pcm: Option<&[i16; FRAME_SAMPLES]>,
        linked: bool,
        dave: &mut Dave,
        out: &mut Outbox,
        stats: &mut SendStats,
        datagram: &mut [u8; MAX_DATAGRAM_BYTES],
    ) -> Option<usize> {
        let timestamp = self.timestamp;
        self.timestamp = timestamp.wrapping_add(FRAME_UNITS);
        let may_send = self.has_transport() && (self.introduced || linked) && dave.can_send();
        if pcm.is_some() && !may_send {
            stats.refused += 1;
            return None;
        }
        self.talk = match (pcm, self.talk) {
            (Some(_), _) => Talk::Speaking,
            (None, Talk::Speaking) => Talk::Trailing(TRAILING_SILENCE),
            (None, talk) => talk,
        };
        if self.talk != Talk::Paused && !self.announced && linked {
            out.push_back(Output::Text(gateway::speaking(true, self.ssrc)));
            self.announced = true;
            self.introduced = true;
        }
        match self.talk {
            Talk::Paused => None,
            Talk::Speaking => {
                let sealed = pcm
                    .and_then(|pcm| self.encode(pcm, dave))
                    .and_then(|()| self.seal(timestamp, datagram));
                match sealed {
                    Some(_) => stats.speech += 1,
                    None => stats.failed += 1,
                }
                sealed
            }
            Talk::Trailing(left) => {
                self.frame.clear();
                self.frame.extend_from_slice(&SILENCE);
                let sealed = self.seal(timestamp, datagram);
                stats.silence += u64::from(sealed.is_some());
                self.talk = if left > 1 { Talk::Trailing(left - 1) } else { self.pause(out) };
                sealed
            }
        }
    }

    fn pause(&mut self, out: &mut Outbox) -> Talk {
        if self.announced {
            out.push_back(Output::Text(gateway::speaking(false, self.ssrc)));
            self.announced = false;
        }
        Talk::Paused
    }

    /// Encodes into `self.frame`, end-to-end encryption included.
    fn encode(&mut self, pcm: &[i16; FRAME_SAMPLES], dave: &mut Dave) -> Option<()> {
        let bytes = self.encoder.encode(&pcm[..], &mut self.opus[..]).ok()?;
        dave.seal(self.opus.get(..bytes)?, &mut self.frame).then_some(())
    }

    /// Packs `self.frame` into a datagram.
    fn seal(&mut self, timestamp: u32, datagram: &mut [u8; MAX_DATAGRAM_BYTES]) -> Option<usize> {
        let end = HEADER_BYTES + self.frame.len();
        datagram.get_mut(HEADER_BYTES..end)?.copy_from_slice(&self.frame);
        write_header(datagram.first_chunk_mut()?, self.sequence, timestamp, self.ssrc);
        let bytes = self.transport.as_mut()?.seal(datagram, HEADER_BYTES, end).ok()?;
        self.sequence = self.sequence.wrapping_add(1);
        Some(bytes)
    }
}
