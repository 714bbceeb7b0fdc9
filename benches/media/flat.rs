//! Whether a packet costs the same however many others speak: one call, 1 to 500 speakers at the
//! same time, end-to-end encryption on, each packet driven as the shell drives it (outputs drained
//! and the next deadline asked for after every datagram).
//!
//! Every 20 ms each speaker's packet comes, spread evenly, as a server forwards them. Beside it:
//! the same call with one speaker, and what libopus alone costs when as many decoders are visited
//! in turn, which is what caches take.

use std::time::Instant;

use anyhow::ensure;
use audiopus::{Channels, MutSignals, SampleRate, coder::Decoder};
use clawvoice_session::SessionTime;
use clawvoice_voice::{call::MAX_SAMPLES, wire::aead::Mode};

use crate::{
    hear::Sum,
    report::{self, Record},
    room::Room,
    rounds::{cost_each, take_turns},
    speech::{self, Coding, FRAME_MS},
};

const SPEAKERS: [usize; 6] = [1, 8, 50, 100, 250, 500];
/// More than a packet with one speaker costs: at most this factor.
const TARGET: f64 = 1.15;
const ROUNDS: usize = 15;
/// Packets of a round, of all speakers together.
const PACKETS: usize = 2_000;
/// Ticks of 20 ms are at least so many in a round.
const TICKS: usize = 4;
/// Seconds of speech that are said over and over.
const SPEECH_SECONDS: usize = 30;
/// Frames between where two speakers are in it.
const APART: usize = 37;

struct Crowd {
    room: Room,
    /// As many as speakers, with nothing around them.
    decoders: Vec<Decoder>,
    /// Frames that every speaker has said.
    said: usize,
    /// Ours, libopus alone.
    measured: [Vec<f64>; 2],
}

/// Measures, prints and writes.
pub(crate) fn measure() -> anyhow::Result<()> {
    let opus = speech::packets(Coding::Hybrid, SPEECH_SECONDS)?;
    let mut crowds = Vec::new();
    for speakers in SPEAKERS {
        let began = Instant::now();
        crowds.push(Crowd::new(speakers)?);
        eprintln!("a group of {speakers} speakers: {:.1} s", began.elapsed().as_secs_f64());
    }
    // The first round warms up and does not count.
    for round in 0..=ROUNDS {
        for crowd in &mut crowds {
            crowd.run(round, &opus)?;
        }
    }
    let [alone_ours, alone_bare] = crowds[0].measured.clone();
    let mut records = Vec::new();
    for (crowd, speakers) in crowds.iter().zip(SPEAKERS) {
        let [ours, bare] = &crowd.measured;
        let plural = if speakers == 1 { "" } else { "s" };
        records.push(
            Record::new(format!("call, {speakers} speaker{plural}"), "us/packet", &ours[1..])?
                .beside("the call with 1 speaker", &alone_ours[1..], Some(TARGET))?
                .beside(format!("libopus alone, {speakers} decoder{plural}"), &bare[1..], None)?,
        );
        records.push(
            Record::new(
                format!("libopus alone, {speakers} decoder{plural}"),
                "us/packet",
                &bare[1..],
            )?
            .beside("libopus alone, 1 decoder", &alone_bare[1..], None)?,
        );
    }
    report::print(&Record::table("cost_per_speaker", &records));
    report::write("cost_per_speaker", &records)
}

impl Crowd {
    fn new(speakers: usize) -> anyhow::Result<Self> {
        let decoders = (0..speakers)
            .map(|_| Decoder::new(SampleRate::Hz24000, Channels::Mono))
            .collect::<Result<Vec<_>, _>>()?;
        let room = Room::new(Mode::Aes256Gcm, speakers)?;
        Ok(Self { room, decoders, said: 0, measured: Default::default() })
    }

    fn run(&mut self, round: usize, opus: &[Vec<u8>]) -> anyhow::Result<()> {
        let Self { room, decoders, said, measured } = self;
        let speakers = decoders.len();
        let ticks = (PACKETS / speakers).max(TICKS);
        let mut arrivals = Vec::new();
        for tick in 0..ticks {
            for speaker in 0..speakers {
                let packet = &opus[(*said + tick + APART * speaker) % opus.len()];
                let us = FRAME_MS * 1_000 * (tick * speakers + speaker) as u64 / speakers as u64;
                let at = SessionTime::from_micros(room.now.as_micros() + FRAME_MS * 1_000 + us);
                arrivals.push((at, speaker, packet, room.packet(speaker, packet)?));
            }
        }
        *said += ticks;
        let packets = arrivals.len();
        let [mut heard, mut bare_heard] = [Sum::default(); 2];
        let played: Vec<_> =
            arrivals.iter().map(|(_, speaker, packet, _)| (*speaker, *packet)).collect();
        let mut ours = || {
            cost_each(packets, || {
                for (at, _, _, datagram) in &mut arrivals {
                    room.hear(*at, datagram, &mut heard);
                }
                Ok(())
            })
        };
        let mut pcm = [0; MAX_SAMPLES];
        let mut bare = || {
            cost_each(packets, || {
                for (speaker, packet) in &played {
                    let pcm = &mut pcm[..];
                    let packet = Some((*packet).try_into()?);
                    let samples = decoders[*speaker].decode(
                        packet,
                        MutSignals::try_from(&mut *pcm)?,
                        false,
                    )?;
                    bare_heard.add(&pcm[..samples]);
                }
                Ok(())
            })
        };
        take_turns(round, [&mut ours, &mut bare], measured)?;
        ensure!(
            heard == bare_heard && heard.frames == packets as u64,
            "{speakers} speakers: of {packets} packets heard {heard:?}, libopus {bare_heard:?}"
        );
        Ok(())
    }
}
