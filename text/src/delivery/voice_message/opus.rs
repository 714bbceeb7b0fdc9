//! Opus by libopus, the only file here that imports audiopus.
//!
//! Source: RFC 6716 (Opus).

use audiopus::{
    Application, Bitrate, Channels, MutSignals, SampleRate,
    coder::{Decoder, Encoder},
    packet,
};

use super::failure::PrepareFailure;

/// Samples per second and channel: Opus always plays at 48 kHz.
pub(super) const RATE_HZ: u32 = 48_000;
/// Samples per channel of an encoded frame: 20 ms.
pub(super) const FRAME: usize = 960;
/// Samples per channel of the longest packet: 120 ms.
const MOST_FRAMES: usize = 5_760;
/// Bits per second.
const BITRATE: i32 = 64_000;
/// Bytes of the largest packet (RFC 6716 §3.4: a frame has at most 1275, 20 ms are one frame).
const MOST_BYTES: usize = 1_276;

/// One or two channels.
fn channels(count: usize) -> Channels {
    if count == 2 { Channels::Stereo } else { Channels::Mono }
}

/// Makes 20 ms packets at 64 kbit/s.
pub(super) struct OpusEncoder {
    inner: Encoder,
    channels: usize,
}

impl OpusEncoder {
    /// For two channels, or for one.
    pub(super) fn new(count: usize) -> Result<Self, PrepareFailure> {
        let mut inner = Encoder::new(SampleRate::Hz48000, channels(count), Application::Audio)
            .map_err(refused)?;
        inner.set_bitrate(Bitrate::BitsPerSecond(BITRATE)).map_err(refused)?;
        Ok(Self { inner, channels: count.clamp(1, 2) })
    }

    /// Samples per channel by which what comes out is later than what went in.
    pub(super) fn lookahead(&self) -> Result<u16, PrepareFailure> {
        let samples = self.inner.lookahead().map_err(refused)?;
        u16::try_from(samples).map_err(|_| PrepareFailure::Encode("no lookahead".to_owned()))
    }

    /// Encodes [`FRAME`] interleaved samples per channel.
    pub(super) fn encode(&self, frame: &[f32]) -> Result<Vec<u8>, PrepareFailure> {
        if frame.len() != FRAME * self.channels {
            return Err(PrepareFailure::Encode(format!("a frame of {} samples", frame.len())));
        }
        let mut bytes = vec![0; MOST_BYTES];
        let length = self.inner.encode_float(frame, &mut bytes).map_err(refused)?;
        bytes.truncate(length);
        Ok(bytes)
    }
}

fn refused(error: audiopus::Error) -> PrepareFailure {
    PrepareFailure::Encode(error.to_string())
}

fn damaged(error: audiopus::Error) -> PrepareFailure {
    PrepareFailure::Damaged(format!("Opus: {error}"))
}

/// Decodes to interleaved samples at 48 kHz.
pub(super) struct OpusDecoder {
    inner: Decoder,
    channels: usize,
    pcm: Vec<f32>,
}

impl OpusDecoder {
    /// For two channels, or for one. `gain`: to be applied, in 1/256 dB.
    pub(super) fn new(count: usize, gain: i16) -> Result<Self, PrepareFailure> {
        let inner = Decoder::new(SampleRate::Hz48000, channels(count)).map_err(damaged)?;
        inner.set_gain(i32::from(gain)).map_err(damaged)?;
        let channels = count.clamp(1, 2);
        Ok(Self { inner, channels, pcm: vec![0.0; MOST_FRAMES * channels] })
    }

    /// The samples of a packet, interleaved.
    pub(super) fn decode(&mut self, bytes: &[u8]) -> Result<&[f32], PrepareFailure> {
        let packet = bytes.try_into().map_err(damaged)?;
        let signals = MutSignals::try_from(&mut self.pcm[..]).map_err(damaged)?;
        let frames = self.inner.decode_float(Some(packet), signals, false).map_err(damaged)?;
        Ok(self.pcm.get(..frames * self.channels).unwrap_or_default())
    }
}

/// Samples per channel in a packet, as its first bytes say: 2.5 to 120 ms.
pub(super) fn frames_in(bytes: &[u8]) -> Result<u64, PrepareFailure> {
    let packet = bytes.try_into().map_err(damaged)?;
    let frames = packet::nb_samples(packet, SampleRate::Hz48000).map_err(damaged)?;
    let known = (1..=MOST_FRAMES).contains(&frames);
    match u64::try_from(frames) {
        Ok(frames) if known => Ok(frames),
        _ => Err(PrepareFailure::Damaged("Opus: a packet without a length".to_owned())),
    }
}
