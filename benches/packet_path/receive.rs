//! Our whole receive path per frame, datagram bytes in and 24 kHz mono samples out, over what it
//! cannot do without: libopus's decoding of the same packets with the same settings. Both run on
//! this thread and wait for nothing; its processor time is what is read, so that other programs do
//! not count.

use std::time::Duration;

use anyhow::ensure;
use audiopus::{Channels, MutSignals, SampleRate, coder::Decoder};
use clawvoice_session::{SessionTime, UserId};
use clawvoice_voice::{
    call::{Hear, MAX_SAMPLES},
    wire::aead::Mode,
};
use rustix::time::{ClockId, clock_gettime};

use crate::{
    report::Record,
    room::Room,
    speech::{self, Coding, FRAME_MS},
};

/// Rounds of each side.
const ROUNDS: usize = 31;
/// Seconds of speech in all, of which each round takes one of [`PARTS`] parts in turn.
const SECONDS: usize = 60;
const PARTS: usize = 2;

/// What was heard, in one number: both sides must have heard the same.
#[derive(Debug, Default, PartialEq, Eq)]
struct Sum {
    frames: u64,
    samples: u64,
    sum: i64,
}

impl Sum {
    fn add(&mut self, pcm: &[i16]) {
        self.frames += 1;
        self.samples += pcm.len() as u64;
        self.sum += pcm.iter().map(|sample| i64::from(*sample)).sum::<i64>();
    }
}

impl Hear for Sum {
    fn speaking_started(&mut self, _: SessionTime, _: UserId) {}
    fn audio(&mut self, _: SessionTime, _: UserId, pcm: &[i16]) {
        self.add(pcm);
    }
    fn speaking_stopped(&mut self, _: SessionTime, _: UserId) {}
}

/// One coding in one transport mode.
struct Case {
    name: String,
    room: Room,
    decoder: Decoder,
    opus: Vec<Vec<u8>>,
    ours: Vec<f64>,
    theirs: Vec<f64>,
}

/// One record for each coding and mode.
pub(crate) fn measure() -> anyhow::Result<Vec<Record>> {
    let mut cases = Vec::new();
    for coding in [Coding::Hybrid, Coding::Celt] {
        let opus = speech::packets(coding, SECONDS)?;
        for (mode, cipher) in
            [(Mode::Aes256Gcm, "aes256_gcm"), (Mode::XChaCha20Poly1305, "xchacha20_poly1305")]
        {
            cases.push(Case {
                name: format!("receive_path_per_frame.{}.{cipher}", coding.name()),
                room: Room::new(mode)?,
                decoder: Decoder::new(SampleRate::Hz24000, Channels::Mono)?,
                opus: opus.clone(),
                ours: Vec::new(),
                theirs: Vec::new(),
            });
        }
    }
    // The first round warms up and does not count.
    for round in 0..=ROUNDS {
        for case in &mut cases {
            case.run(round)?;
        }
    }
    cases
        .iter()
        .map(|case| {
            let (ours, theirs) = (&case.ours[1..], &case.theirs[1..]);
            Record::new(&case.name, "us", ours, "libopus decode to 24 kHz mono", theirs)
        })
        .collect()
}

impl Case {
    fn run(&mut self, round: usize) -> anyhow::Result<()> {
        let length = self.opus.len() / PARTS;
        let part = &self.opus[(round % PARTS) * length..][..length];
        let mut datagrams = self.room.packets(part)?;
        let ((our_time, our_sum), (their_time, their_sum)) = if round.is_multiple_of(2) {
            let ours = receive(&mut self.room, &mut datagrams)?;
            (ours, decode(&mut self.decoder, part)?)
        } else {
            let theirs = decode(&mut self.decoder, part)?;
            (receive(&mut self.room, &mut datagrams)?, theirs)
        };
        ensure!(our_sum == their_sum, "heard {our_sum:?}, libopus {their_sum:?}: {}", self.name);
        let per_frame = |time: Duration| time.as_secs_f64() * 1e6 / length as f64;
        self.ours.push(per_frame(our_time));
        self.theirs.push(per_frame(their_time));
        Ok(())
    }
}

/// As a call's owner drives it: the datagram, then whatever has to be done or is due.
fn receive(room: &mut Room, datagrams: &mut [Vec<u8>]) -> anyhow::Result<(Duration, Sum)> {
    let mut heard = Sum::default();
    let began = cpu_time()?;
    for datagram in datagrams {
        let at = room.now.as_millis() + FRAME_MS;
        room.now = SessionTime::from_millis(at);
        room.call.handle_datagram(room.now, datagram, &mut heard);
        while room.call.poll_output().is_some() {}
        if room.call.poll_timeout().is_some_and(|(due, _)| due <= room.now) {
            room.call.handle_timeout(room.now, &mut heard);
            while room.call.poll_output().is_some() {}
        }
    }
    Ok((cpu_time()? - began, heard))
}

fn decode(decoder: &mut Decoder, opus: &[Vec<u8>]) -> anyhow::Result<(Duration, Sum)> {
    let mut heard = Sum::default();
    let mut pcm = [0; MAX_SAMPLES];
    let began = cpu_time()?;
    for packet in opus {
        let samples =
            decoder.decode(Some(packet.try_into()?), MutSignals::try_from(&mut pcm[..])?, false)?;
        heard.add(&pcm[..samples]);
    }
    Ok((cpu_time()? - began, heard))
}

/// Processor time of this thread so far.
fn cpu_time() -> anyhow::Result<Duration> {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Ok(Duration::new(u64::try_from(time.tv_sec)?, u32::try_from(time.tv_nsec)?))
}
