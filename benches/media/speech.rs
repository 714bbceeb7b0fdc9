//! The fixtures' speech as the Opus packets that Discord's clients send: 48 kHz stereo, 20 ms,
//! 64 kbit/s.

use anyhow::ensure;
use audiopus::{Application, Bitrate, Channels, SampleRate, Signal, coder::Encoder};
use localcord::human::wav;

/// What the packets are made of, once round.
const FIXTURES: [&[u8]; 5] = [
    include_bytes!("../../fixtures/audio/ask.wav"),
    include_bytes!("../../fixtures/audio/answer.wav"),
    include_bytes!("../../fixtures/audio/second.wav"),
    include_bytes!("../../fixtures/audio/cough.wav"),
    include_bytes!("../../fixtures/audio/interrupt.wav"),
];

/// Interleaved samples of a 20 ms frame, 48 kHz stereo.
const FRAME: usize = 2 * 960;
/// Milliseconds of a frame.
pub(crate) const FRAME_MS: u64 = 20;

/// Which of Opus's codecs the packets use. Which one a Discord client ends up in depends on its
/// settings and was not observed, hence both.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Coding {
    /// SILK below 8 kHz and CELT above: what libopus takes for voice.
    Hybrid,
    /// CELT alone: what it takes for everything else at this bitrate.
    Celt,
}

impl Coding {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Hybrid => "hybrid",
            Self::Celt => "celt",
        }
    }

    /// Whether a packet is coded so: the configuration number, RFC 6716 section 3.1.
    fn is_of(self, packet: &[u8]) -> bool {
        let configuration = packet.first().map_or(0, |toc| toc >> 3);
        match self {
            Self::Hybrid => (12..16).contains(&configuration),
            Self::Celt => configuration >= 16,
        }
    }
}

/// `seconds` of speech, interleaved 48 kHz stereo; the fixtures over and over.
pub(crate) fn pcm(seconds: usize) -> anyhow::Result<Vec<i16>> {
    let mut round = Vec::new();
    for fixture in FIXTURES {
        round.extend(wav::read_stereo_48k(fixture)?);
    }
    Ok(round.into_iter().cycle().take(seconds * 50 * FRAME).collect())
}

/// The same as it was recorded: 24 kHz mono. The way to 48 kHz keeps every recorded sample.
pub(crate) fn pcm_24k(seconds: usize) -> anyhow::Result<Vec<i16>> {
    Ok(pcm(seconds)?.into_iter().step_by(4).collect())
}

/// The same as Opus packets.
pub(crate) fn packets(coding: Coding, seconds: usize) -> anyhow::Result<Vec<Vec<u8>>> {
    let application = match coding {
        Coding::Hybrid => Application::Voip,
        Coding::Celt => Application::Audio,
    };
    let mut encoder = Encoder::new(SampleRate::Hz48000, Channels::Stereo, application)?;
    encoder.set_bitrate(Bitrate::BitsPerSecond(64_000))?;
    encoder.set_signal(match coding {
        Coding::Hybrid => Signal::Voice,
        Coding::Celt => Signal::Music,
    })?;
    let mut buffer = [0; 1_275];
    let mut packets = Vec::new();
    for frame in pcm(seconds)?.chunks_exact(FRAME) {
        let bytes = encoder.encode(frame, &mut buffer)?;
        packets.push(buffer[..bytes].to_vec());
    }
    let so_coded = packets.iter().filter(|packet| coding.is_of(packet)).count();
    ensure!(
        so_coded * 10 >= packets.len() * 9,
        "of {} packets only {so_coded} are {}",
        packets.len(),
        coding.name()
    );
    Ok(packets)
}
