//! How long a frame waits between its datagram and its samples on a clean link, in virtual time.

use anyhow::ensure;
use clawvoice_session::{SessionTime, UserId};
use clawvoice_voice::{call::Hear, wire::aead::Mode};

use crate::{
    report::Record,
    room::Room,
    speech::{self, Coding, FRAME_MS},
};

const SECONDS: usize = 20;

/// When which frame came out.
#[derive(Default)]
struct Times(Vec<SessionTime>);

impl Hear for Times {
    fn speaking_started(&mut self, _: SessionTime, _: UserId) {}
    fn audio(&mut self, now: SessionTime, _: UserId, _: &[i16]) {
        self.0.push(now);
    }
    fn speaking_stopped(&mut self, _: SessionTime, _: UserId) {}
}

/// Delay and frames held, beside the playout buffer that songbird always fills first.
pub(crate) fn measure() -> anyhow::Result<Vec<Record>> {
    let mut room = Room::new(Mode::Aes256Gcm)?;
    let mut datagrams = room.packets(&speech::packets(Coding::Hybrid, SECONDS)?)?;
    let mut heard = Times::default();
    let (mut sent, mut held) = (Vec::new(), Vec::new());
    for datagram in &mut datagrams {
        let at = SessionTime::from_millis(room.now.as_millis() + FRAME_MS);
        while let Some((due, _)) = room.call.poll_timeout().filter(|(due, _)| *due <= at) {
            room.now = room.now.max(due);
            room.call.handle_timeout(room.now, &mut heard);
        }
        room.now = at;
        sent.push(at);
        room.call.handle_datagram(at, datagram, &mut heard);
        held.push(room.call.packets_in_flight() as f64);
    }
    ensure!(heard.0.len() == sent.len(), "{} of {} were heard", heard.0.len(), sent.len());
    let delays: Vec<f64> = sent
        .iter()
        .zip(&heard.0)
        .map(|(sent, heard)| heard.since(*sent).as_secs_f64() * 1e3)
        .collect();
    ensure!(delays.iter().all(|delay| *delay == 0.0), "a frame waited on a clean link");
    ensure!(held.iter().all(|held| *held == 0.0), "a frame was held on a clean link");

    let buffer = songbird::Config::default().playout_buffer_length.get();
    let peer = format!("songbird 0.6.1's playout buffer of {buffer} packets");
    let theirs = vec![f64::from(buffer); held.len()];
    let their_delays: Vec<f64> = theirs.iter().map(|frames| frames * FRAME_MS as f64).collect();
    Ok(vec![
        Record::new("datagram_to_pcm_delay", "ms", &delays, &peer, &their_delays)?,
        Record::new("frames_held", "frames", &held, &peer, &theirs)?,
    ])
}
