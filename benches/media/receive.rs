//! What a received frame costs: datagram bytes in, 24 kHz mono samples out, end-to-end encryption
//! on. On this thread, waiting for nothing; its processor time is what is read.
//!
//! Beside it, on the same packets and in turns:
//!
//! - *bare parts*: what cannot be done without, by the libraries we use and nothing around them:
//!   transport cipher, DAVE decryption, libopus to 24 kHz mono. The rest is ours: header, order,
//!   loss, speakers, counters.
//! - *songbird's building blocks*: the same three steps by the libraries and with the output format
//!   of songbird's driver (48 kHz stereo is its decoder's default), nothing around them either.

use anyhow::ensure;
use audiopus::{Channels, MutSignals, SampleRate, coder::Decoder};
use clawvoice_session::SessionTime;
use clawvoice_voice::{call::MAX_SAMPLES, wire::aead::Mode};

use crate::{
    hear::Sum,
    report::{self, Record},
    room::{FIRST_USER, Room},
    rounds::{cost_each, take_turns},
    speech::{self, Coding, FRAME_MS},
    transport::Cipher,
};

/// Rounds that count.
const ROUNDS: usize = 31;
/// Seconds of speech in all, of which each round takes one of [`PARTS`] parts in turn.
const SECONDS: usize = 60;
const PARTS: usize = 3;
/// Bytes that a frame's media has room for.
const MAX_MEDIA: usize = 2_048;
/// Interleaved samples of the longest packet, 48 kHz stereo.
const MAX_STEREO: usize = 2 * 5_760;

/// One coding in one transport mode.
struct Case {
    name: String,
    room: Room,
    parts: Parts,
    blocks: Blocks,
    opus: Vec<Vec<u8>>,
    /// Ours, the bare parts, songbird's blocks.
    measured: [Vec<f64>; 3],
}

/// Measures, prints and writes.
pub(crate) fn measure() -> anyhow::Result<()> {
    let mut cases = Vec::new();
    for coding in [Coding::Hybrid, Coding::Celt] {
        let opus = speech::packets(coding, SECONDS)?;
        for (mode, cipher) in
            [(Mode::Aes256Gcm, "aes256_gcm"), (Mode::XChaCha20Poly1305, "xchacha20_poly1305")]
        {
            cases.push(Case {
                name: format!("{}.{cipher}", coding.name()),
                room: Room::new(mode, 1)?,
                parts: Parts::new(mode)?,
                blocks: Blocks::new(mode)?,
                opus: opus.clone(),
                measured: Default::default(),
            });
        }
    }
    // The first round warms up and does not count.
    for round in 0..=ROUNDS {
        for case in &mut cases {
            case.run(round)?;
        }
    }
    let records = cases
        .iter()
        .map(|case| {
            let [ours, parts, blocks] = case.measured.each_ref().map(|rounds| &rounds[1..]);
            Record::new(&case.name, "us/frame", ours)?
                .beside("sum of its bare parts", parts, Some(1.25))?
                .beside("songbird 0.6.1's building blocks", blocks, Some(0.75))
        })
        .collect::<anyhow::Result<Vec<_>>>()?;
    report::print(&Record::table("receive_cost", &records));
    report::write("receive_cost", &records)
}

impl Case {
    fn run(&mut self, round: usize) -> anyhow::Result<()> {
        let Self { room, parts, blocks, opus, measured, .. } = self;
        let frames = opus.len() / PARTS;
        let part = &opus[(round % PARTS) * frames..][..frames];
        let mut datagrams = room.packets(part)?;
        let [mut for_parts, mut for_blocks] = [(); 2].map(|()| datagrams.clone());
        let [mut ours_heard, mut parts_heard, mut blocks_heard] = [Sum::default(); 3];
        let Room { call, now, members, .. } = room;
        let mut ours = || {
            cost_each(frames, || {
                for datagram in &mut datagrams {
                    *now = SessionTime::from_millis(now.as_millis() + FRAME_MS);
                    call.handle_datagram(*now, datagram, &mut ours_heard);
                    while call.poll_output().is_some() {}
                    if call.poll_timeout().is_some_and(|(due, _)| due <= *now) {
                        call.handle_timeout(*now, &mut ours_heard);
                        while call.poll_output().is_some() {}
                    }
                }
                Ok(())
            })
        };
        let mut bare = || {
            cost_each(frames, || {
                for_parts
                    .iter_mut()
                    .try_for_each(|bytes| parts.hear(&mut members.newer, bytes, &mut parts_heard))
            })
        };
        let mut songbirds = || {
            cost_each(frames, || {
                for_blocks
                    .iter_mut()
                    .try_for_each(|bytes| blocks.hear(&mut members.older, bytes, &mut blocks_heard))
            })
        };
        take_turns(round, [&mut ours, &mut bare, &mut songbirds], measured)?;
        ensure!(
            ours_heard == parts_heard,
            "{}: heard {ours_heard:?}, bare parts {parts_heard:?}",
            self.name
        );
        ensure!(
            ours_heard.frames == frames as u64
                && blocks_heard.frames == ours_heard.frames
                && blocks_heard.samples == 4 * ours_heard.samples
                && 2 * ours_heard.loud > ours_heard.frames
                && 2 * blocks_heard.loud > blocks_heard.frames,
            "{}: of {frames} frames heard {ours_heard:?}, songbird's blocks {blocks_heard:?}",
            self.name
        );
        Ok(())
    }
}

/// The bare parts of our receive path.
struct Parts {
    cipher: Cipher,
    decoder: Decoder,
    media: [u8; MAX_MEDIA],
    pcm: [i16; MAX_SAMPLES],
}

impl Parts {
    fn new(mode: Mode) -> anyhow::Result<Self> {
        Ok(Self {
            cipher: Cipher::ours(mode)?,
            decoder: Decoder::new(SampleRate::Hz24000, Channels::Mono)?,
            media: [0; MAX_MEDIA],
            pcm: [0; MAX_SAMPLES],
        })
    }

    fn hear(
        &mut self,
        dave: &mut davey::DaveSession,
        datagram: &mut [u8],
        heard: &mut Sum,
    ) -> anyhow::Result<()> {
        let frame = self.cipher.open(datagram)?;
        let audio = davey::MediaType::AUDIO;
        let bytes = dave.decrypt_into(FIRST_USER, audio, &datagram[frame], &mut self.media)?;
        let packet = self.media[..bytes].try_into()?;
        let samples =
            self.decoder.decode(Some(packet), MutSignals::try_from(&mut self.pcm[..])?, false)?;
        heard.add(&self.pcm[..samples]);
        Ok(())
    }
}

/// What songbird's driver builds its receive path from.
struct Blocks {
    cipher: Cipher,
    decoder: opus2::Decoder,
    pcm: Vec<i16>,
}

impl Blocks {
    fn new(mode: Mode) -> anyhow::Result<Self> {
        Ok(Self {
            cipher: Cipher::songbirds(mode),
            decoder: opus2::Decoder::new(48_000, opus2::Channels::Stereo)?,
            pcm: vec![0; MAX_STEREO],
        })
    }

    fn hear(
        &mut self,
        dave: &mut davey_01::DaveSession,
        datagram: &mut [u8],
        heard: &mut Sum,
    ) -> anyhow::Result<()> {
        let frame = self.cipher.open(datagram)?;
        let opus = dave.decrypt(FIRST_USER, davey_01::MediaType::AUDIO, &datagram[frame])?;
        let samples = self.decoder.decode(&opus, &mut self.pcm, false)?;
        heard.add(&self.pcm[..2 * samples]);
        Ok(())
    }
}
