//! What the room was played.

use std::time::Duration;

use clawvoice_session::SessionTime;

use super::{
    band::{BLOCK_4K, BLOCK_8K, Bands},
    ring::Ring,
};

/// Kept: the longest echo path, the longest piece that is looked at again, and room to spare.
const KEPT_8K: usize = 16_384;
const KEPT_4K: usize = KEPT_8K / 2;
/// Frames come by a clock that trembles; only this much is a gap in what was played.
const GAP_8K: i64 = 2 * BLOCK_8K as i64;
/// Below this peak nobody hears anything: about -60 dBFS.
const AUDIBLE: u16 = 32;
/// So long after the last audible frame its echo may still come: the longest path and a room.
const ECHO_LIFETIME: Duration = Duration::from_millis(1_000);

/// What was played of late, shared by all speakers of a room.
///
/// Positions count samples from the first frame on; time without frames is silence.
#[derive(Debug)]
pub(crate) struct Played {
    bands: Bands,
    origin: Option<SessionTime>,
    audible: Option<SessionTime>,
    at_8k: Ring<f32>,
    at_4k: Ring<i16>,
}

impl Played {
    /// Nothing was played yet.
    pub(crate) fn new() -> Self {
        Self {
            bands: Bands::new(),
            origin: None,
            audible: None,
            at_8k: Ring::new(KEPT_8K),
            at_4k: Ring::new(KEPT_4K),
        }
    }

    /// Takes a frame of 20 ms, 24 kHz mono, that begins to play at `now`.
    pub(crate) fn push(&mut self, now: SessionTime, frame: &[i16; 480]) {
        self.origin.get_or_insert(now);
        let expected = self.position(now);
        if expected - self.at_8k.end() >= GAP_8K {
            // Whole blocks, so that both rates stay in step; the nearest, because the clock that
            // frames are played by may tick a little early.
            let gap = expected - self.at_8k.end();
            let blocks = (gap + BLOCK_8K as i64 / 2) / BLOCK_8K as i64;
            let start = self.at_8k.end() / BLOCK_8K as i64 + blocks;
            self.at_8k.skip_to(start * BLOCK_8K as i64);
            self.at_4k.skip_to(start * BLOCK_4K as i64);
        }
        if frame.iter().any(|sample| sample.unsigned_abs() >= AUDIBLE) {
            self.audible = Some(now);
        }
        if let Some((block, _)) = self.bands.push(frame) {
            self.at_8k.extend(&block.at_8k);
            self.at_4k.extend(&block.at_4k);
        }
    }

    /// Whether nothing audible was played for so long that no echo of it can come any more.
    pub(crate) fn is_silent(&self, now: SessionTime) -> bool {
        self.audible.is_none_or(|at| now.since(at) > ECHO_LIFETIME)
    }

    /// Where `now` is, in samples at 8 kHz.
    pub(super) fn position(&self, now: SessionTime) -> i64 {
        let Some(origin) = self.origin else { return 0 };
        (now.since(origin).as_micros() / 125) as i64
    }

    pub(super) fn read_8k(&self, start: i64, out: &mut [f32]) {
        self.at_8k.read(start, out);
    }

    pub(super) fn read_4k(&self, start: i64, out: &mut [i16]) {
        self.at_4k.read(start, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_as_long_as_it_was_however_the_clock_trembles() {
        for early_or_late_us in [-4_000_i64, 0, 4_000] {
            let mut played = Played::new();
            let frame = [1_000; 480];
            for at_us in [0, 20_000, 200_000 + early_or_late_us] {
                played.push(SessionTime::from_micros(at_us.unsigned_abs()), &frame);
            }
            // The last frame is the eleventh that could have been played.
            assert_eq!(played.at_8k.end(), 11 * BLOCK_8K as i64, "{early_or_late_us}");
        }
    }
}
