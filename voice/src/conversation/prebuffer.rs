//! How long an answer waits before it starts, so that it never starves: as little as the
//! provider's own jitter allows.
//!
//! A piece that comes later than the audio before it lasts is *behind*. An answer that starts its
//! playback late by the most that any of its pieces is behind plays without a gap. That is what is
//! learned from answer to answer: a provider that sends faster than it plays is never behind and
//! makes nobody wait, one that sends at the pace of speech is behind by its jitter.
//!
//! The same idea as an adaptive playout delay for network jitter (Ramjee et al., "Adaptive Playout
//! Mechanisms for Packetized Audio Applications", INFOCOM 1994), with the pieces of a provider in
//! the place of packets.

use std::{collections::VecDeque, time::Duration};

use clawvoice_session::SessionTime;

/// Answers that are remembered.
const MEMORY: usize = 16;
/// What is added to the worst that was seen.
const MARGIN: Duration = Duration::from_millis(80);
/// What is expected of a provider nobody has heard yet: a little behind.
const UNKNOWN: Duration = Duration::from_millis(20);
/// A piece further behind than this is a stall: no start that anybody would want to wait for
/// could bridge it.
const STALL: Duration = Duration::from_millis(500);

/// One answer's arrivals.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arrivals {
    first: SessionTime,
    /// The most that a piece was behind, in µs; negative while every piece was early.
    behind: i64,
    pieces: u32,
}

impl Arrivals {
    /// The first piece has come.
    pub(super) fn new(now: SessionTime) -> Self {
        Self { first: now, behind: i64::MIN, pieces: 1 }
    }

    /// A further piece has come, behind `before` of audio.
    pub(super) fn note(&mut self, now: SessionTime, before: Duration) {
        let elapsed = micros(now.since(self.first));
        let behind = elapsed - micros(before);
        self.pieces += 1;
        if behind <= micros(STALL) {
            self.behind = self.behind.max(behind);
        }
    }
}

/// What is known of a room's provider.
#[derive(Debug)]
pub(super) struct Prebuffer {
    most: Duration,
    seen: VecDeque<i64>,
}

impl Prebuffer {
    /// `most`: no answer waits longer.
    pub(super) fn new(most: Duration) -> Self {
        Self { most, seen: VecDeque::with_capacity(MEMORY) }
    }

    /// An answer is whole.
    pub(super) fn learn(&mut self, arrivals: &Arrivals) {
        if arrivals.pieces < 2 {
            return;
        }
        if self.seen.len() == MEMORY {
            self.seen.pop_front();
        }
        // One that stalled at once has shown nothing of the pace.
        self.seen.push_back(if arrivals.behind == i64::MIN {
            micros(STALL)
        } else {
            arrivals.behind
        });
    }

    /// From an answer's first piece to its start.
    pub(super) fn wait(&self) -> Duration {
        let behind = self.seen.iter().copied().max().unwrap_or(micros(UNKNOWN));
        let wait = (behind + micros(MARGIN)).max(0);
        Duration::from_micros(wait.unsigned_abs()).min(self.most)
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    /// An answer in pieces of `piece` ms that come every `gap` ms.
    fn answer(prebuffer: &mut Prebuffer, piece: u64, gap: u64) {
        let start = SessionTime::from_millis(1_000);
        let mut arrivals = Arrivals::new(start);
        for n in 1..20 {
            arrivals.note(start + MS(n * gap), MS(n * piece));
        }
        prebuffer.learn(&arrivals);
    }

    #[test]
    fn whoever_sends_ahead_is_not_waited_for() {
        let mut prebuffer = Prebuffer::new(MS(500));
        assert_eq!(prebuffer.wait(), MS(100), "unknown");
        answer(&mut prebuffer, 100, 10);
        assert_eq!(prebuffer.wait(), Duration::ZERO);
    }

    #[test]
    fn whoever_sends_at_the_pace_of_speech_gets_the_margin() {
        let mut prebuffer = Prebuffer::new(MS(500));
        answer(&mut prebuffer, 100, 100);
        assert_eq!(prebuffer.wait(), MS(80));
        answer(&mut prebuffer, 100, 10);
        assert_eq!(prebuffer.wait(), MS(80), "the worst of the last answers counts");
        for _ in 0..MEMORY {
            answer(&mut prebuffer, 100, 10);
        }
        assert_eq!(prebuffer.wait(), Duration::ZERO, "and is forgotten");
    }

    #[test]
    fn a_slow_provider_is_waited_for_half_a_second_at_most() {
        let mut prebuffer = Prebuffer::new(MS(500));
        answer(&mut prebuffer, 100, 120);
        assert_eq!(prebuffer.wait(), MS(19 * 20 + 80));
        answer(&mut prebuffer, 100, 900);
        assert_eq!(prebuffer.wait(), MS(500), "stalls are no jitter, but nothing else came");
    }

    #[test]
    fn one_piece_shows_nothing() {
        let mut prebuffer = Prebuffer::new(MS(500));
        prebuffer.learn(&Arrivals::new(SessionTime::ZERO));
        assert_eq!(prebuffer.wait(), MS(100));
    }
}
