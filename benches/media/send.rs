//! What a sent frame costs: 24 kHz mono samples in, a datagram out, end-to-end encryption on. On
//! this thread, waiting for nothing; its processor time is what is read.
//!
//! Beside it, for the same speech and in turns:
//!
//! - *bare parts*: libopus with the call's settings, DAVE encryption and the transport cipher, by
//!   the libraries we use, nothing around them.
//! - *songbird's building blocks*: the same steps as songbird's driver does them by default: 48 kHz
//!   stereo at 128 kbit/s, its libraries, nothing around them either.

use anyhow::{Context, ensure};
use audiopus::{
    Application, Bitrate, Channels, MutSignals, SampleRate,
    coder::{Decoder, Encoder},
};
use clawvoice_session::SessionTime;
use clawvoice_voice::{
    call::{FRAME_SAMPLES, MAX_DATAGRAM_BYTES},
    wire::aead::Mode,
};

use crate::{
    group::BOT,
    hear::Sum,
    report::{self, Record},
    room::Room,
    rounds::{cost_each, take_turns},
    speech::{self, FRAME_MS},
    transport::Cipher,
};

/// Rounds that count.
const ROUNDS: usize = 21;
/// Seconds of speech in all, of which each round takes one of [`PARTS`] parts in turn.
const SECONDS: usize = 45;
const PARTS: usize = 3;
/// The call's encoder, which is made anew for the bare parts. A test of each round finds out if the
/// call's has changed.
const APPLICATION: Application = Application::Audio;
const COMPLEXITY: u8 = 5;
const BITRATE: i32 = 64_000;
/// songbird's default, bits per second.
const SONGBIRD_BITRATE: i32 = 128_000;
/// Samples of a 20 ms frame, 48 kHz stereo.
const STEREO_FRAME: usize = 1_920;
/// The largest Opus packet of one frame.
const MAX_OPUS: usize = 1_275;

type Datagram = [u8; MAX_DATAGRAM_BYTES];

struct Case {
    name: &'static str,
    cipher: Cipher,
    room: Room,
    parts: Parts,
    blocks: Blocks,
    /// Decodes what the call sent.
    decoder: Decoder,
    /// Ours, the bare parts, songbird's blocks.
    measured: [Vec<f64>; 3],
}

/// Measures, prints and writes.
pub(crate) fn measure() -> anyhow::Result<()> {
    let speech = Speech::new()?;
    let modes = [(Mode::Aes256Gcm, "aes256_gcm"), (Mode::XChaCha20Poly1305, "xchacha20_poly1305")];
    let mut cases = Vec::new();
    for (mode, name) in modes {
        cases.push(Case {
            name,
            cipher: Cipher::ours(mode)?,
            room: Room::new(mode, 0)?,
            parts: Parts::new(mode)?,
            blocks: Blocks::new(mode)?,
            decoder: Decoder::new(SampleRate::Hz24000, Channels::Mono)?,
            measured: Default::default(),
        });
    }
    // The first round warms up and does not count.
    for round in 0..=ROUNDS {
        for case in &mut cases {
            case.run(round, &speech)?;
        }
    }
    let records = cases
        .iter()
        .map(|case| {
            let [ours, parts, blocks] = case.measured.each_ref().map(|rounds| &rounds[1..]);
            Record::new(case.name, "us/frame", ours)?
                .beside("sum of its bare parts", parts, Some(1.25))?
                .beside("songbird 0.6.1's building blocks", blocks, None)
        })
        .collect::<anyhow::Result<Vec<_>>>()?;
    report::print(&Record::table("send_cost", &records));
    report::write("send_cost", &records)
}

/// The same speech as each side takes it.
struct Speech {
    mono: Vec<i16>,
    stereo: Vec<f32>,
}

impl Speech {
    fn new() -> anyhow::Result<Self> {
        let stereo = speech::pcm(SECONDS)?.into_iter().map(|sample| f32::from(sample) / 32_768.0);
        Ok(Self { mono: speech::pcm_24k(SECONDS)?, stereo: stereo.collect() })
    }
}

impl Case {
    fn run(&mut self, round: usize, speech: &Speech) -> anyhow::Result<()> {
        let Self { room, parts, blocks, measured, .. } = self;
        let frames = speech.mono.len() / FRAME_SAMPLES / PARTS;
        let first = (round % PARTS) * frames;
        let mono: Vec<&[i16; FRAME_SAMPLES]> =
            speech.mono.as_chunks().0.iter().skip(first).take(frames).collect();
        let stereo: Vec<&[f32; STEREO_FRAME]> =
            speech.stereo.as_chunks().0.iter().skip(first).take(frames).collect();
        let empty: Vec<(usize, Datagram)> = vec![(0, [0; MAX_DATAGRAM_BYTES]); frames];
        let [mut sent, mut parts_sent, mut blocks_sent] = [(); 3].map(|()| empty.clone());
        let Room { call, now, members, .. } = room;
        let mut ours = || {
            cost_each(frames, || {
                for (pcm, (length, datagram)) in mono.iter().zip(&mut sent) {
                    *now = SessionTime::from_millis(now.as_millis() + FRAME_MS);
                    let bytes = call.handle_tick(*now, Some(pcm), datagram);
                    *length = bytes.context("nothing was sent")?;
                    while call.poll_output().is_some() {}
                }
                Ok(())
            })
        };
        let mut bare = || {
            cost_each(frames, || {
                for (pcm, (length, datagram)) in mono.iter().zip(&mut parts_sent) {
                    *length = parts.say(&mut members.newer, &pcm[..], datagram)?;
                }
                Ok(())
            })
        };
        let mut songbirds = || {
            cost_each(frames, || {
                for (pcm, (length, datagram)) in stereo.iter().zip(&mut blocks_sent) {
                    *length = blocks.say(&mut members.older, &pcm[..], datagram)?;
                }
                Ok(())
            })
        };
        take_turns(round, [&mut ours, &mut bare, &mut songbirds], measured)?;
        let bytes = |sent: &[(usize, Datagram)]| sent.iter().map(|(length, _)| length).sum();
        let (ours, bare): (usize, usize) = (bytes(&sent), bytes(&parts_sent));
        ensure!(ours == bare, "{ours} bytes, the bare parts {bare}: their encoders differ");
        self.check(&mut sent)
    }

    /// Another member of the group hears what was sent.
    fn check(&mut self, sent: &mut [(usize, Datagram)]) -> anyhow::Result<()> {
        let (mut media, mut pcm) = ([0; MAX_DATAGRAM_BYTES], [0; FRAME_SAMPLES]);
        let mut heard = Sum::default();
        for (length, datagram) in sent.iter_mut() {
            let datagram = &mut datagram[..*length];
            let frame = self.cipher.open(datagram)?;
            let audio = davey::MediaType::AUDIO;
            let dave = &mut self.room.members.newer;
            let bytes = dave.decrypt_into(BOT, audio, &datagram[frame], &mut media)?;
            let packet = Some(media[..bytes].try_into()?);
            let samples =
                self.decoder.decode(packet, MutSignals::try_from(&mut pcm[..])?, false)?;
            heard.add(&pcm[..samples]);
        }
        ensure!(
            heard.frames == sent.len() as u64 && 2 * heard.loud > heard.frames,
            "of {} frames sent heard {heard:?}",
            sent.len()
        );
        Ok(())
    }
}

/// The bare parts of our send path.
struct Parts {
    encoder: Encoder,
    cipher: Cipher,
    opus: [u8; MAX_OPUS],
    frame: Vec<u8>,
    sequence: u16,
}

impl Parts {
    fn new(mode: Mode) -> anyhow::Result<Self> {
        let mut encoder = Encoder::new(SampleRate::Hz24000, Channels::Mono, APPLICATION)?;
        encoder.set_bitrate(Bitrate::BitsPerSecond(BITRATE))?;
        encoder.set_complexity(COMPLEXITY)?;
        let cipher = Cipher::ours(mode)?;
        Ok(Self { encoder, cipher, opus: [0; MAX_OPUS], frame: Vec::new(), sequence: 0 })
    }

    fn say(
        &mut self,
        dave: &mut davey::DaveSession,
        pcm: &[i16],
        datagram: &mut [u8],
    ) -> anyhow::Result<usize> {
        let bytes = self.encoder.encode(pcm, &mut self.opus)?;
        let (audio, codec) = (davey::MediaType::AUDIO, davey::Codec::OPUS);
        dave.encrypt_into(audio, codec, &self.opus[..bytes], &mut self.frame)?;
        self.sequence = self.sequence.wrapping_add(1);
        self.cipher.seal(self.sequence, &self.frame, datagram)
    }
}

/// What songbird's driver builds its send path from.
struct Blocks {
    encoder: opus2::Encoder,
    cipher: Cipher,
    opus: [u8; MAX_OPUS],
    sequence: u16,
}

impl Blocks {
    fn new(mode: Mode) -> anyhow::Result<Self> {
        let (stereo, audio) = (opus2::Channels::Stereo, opus2::Application::Audio);
        let mut encoder = opus2::Encoder::new(48_000, stereo, audio)?;
        encoder.set_bitrate(opus2::Bitrate::Bits(SONGBIRD_BITRATE))?;
        Ok(Self { encoder, cipher: Cipher::songbirds(mode), opus: [0; MAX_OPUS], sequence: 0 })
    }

    fn say(
        &mut self,
        dave: &mut davey_01::DaveSession,
        pcm: &[f32],
        datagram: &mut [u8],
    ) -> anyhow::Result<usize> {
        let bytes = self.encoder.encode_float(pcm, &mut self.opus)?;
        let frame = dave.encrypt_opus(&self.opus[..bytes])?;
        self.sequence = self.sequence.wrapping_add(1);
        self.cipher.seal(self.sequence, &frame, datagram)
    }
}
