//! What is said: speech that interrupts, and answers of which every moment can be told apart.

use std::{io::Cursor, ops::Range};

use anyhow::Context as _;
use localcord::{human::wav, similarity::similarity_within};

/// Samples per second of everything here, Hz: the provider's rate and the fixtures'.
pub(crate) const RATE: u32 = 24_000;
/// Samples of a millisecond.
const MS: usize = 24;
/// Samples of 20 ms.
pub(crate) const FRAME: usize = 20 * MS;
/// A frame of speech below this level (root mean square) cannot be told from a missing one.
const AUDIBLE: f64 = 300.0;
/// Less of a frame's waveform than this, and it is another frame or none. What Opus makes of
/// speech at 64 kbit/s stays above 0.8 even in the noise of an S.
const SAME: f64 = 0.5;
/// What a frame and the next one must have in common to be recognised in another place.
const SAME_ELSEWHERE: f64 = 0.85;
/// How far from its place a frame is looked for, in frames.
const FARTHEST: i64 = 100;
/// What a stretch of an answer must have in common with it.
const SAME_STRETCH: f64 = 0.5;

/// What a human says.
pub(crate) struct Clip {
    /// As [`localcord::human::Human::speak`] wants it.
    pub(crate) wav: Vec<u8>,
    pcm: Vec<i16>,
}

impl Clip {
    /// A part of a WAV at [`RATE`], in ms; it must begin and end with sound.
    pub(crate) fn read(file: &[u8], part: Range<usize>) -> anyhow::Result<Self> {
        let samples = hound::WavReader::new(Cursor::new(file))?.into_samples();
        let all = samples.collect::<Result<Vec<i16>, _>>()?;
        let (from, to) = (part.start * MS, (part.end * MS).min(all.len()));
        let pcm = all.get(from..to).context("the fixture is shorter than its part")?.to_vec();
        Ok(Self { wav: wav::write_mono(&pcm, RATE)?, pcm })
    }

    /// Frames of this with sound in them that are missing in what arrived: those that are not in
    /// their place, given the others', in the order of the others. Silence that was put in between
    /// moves what comes after it and loses nothing.
    pub(crate) fn missing(&self, arrived: &[i16]) -> usize {
        let lags = -to_i64(self.pcm.len())..=to_i64(arrived.len());
        let mut lag = similarity_within(&self.pcm, arrived, RATE, lags).lag_samples;
        let (mut missing, mut end) = (0, i64::MIN);
        for (number, frame) in self.pcm.chunks(FRAME).enumerate() {
            let at = to_i64(number * FRAME);
            if level(frame) < AUDIBLE {
                continue;
            }
            if likeness(frame, arrived, at + lag) < SAME {
                let two = self.pcm.iter().skip(number * FRAME).take(2 * FRAME);
                match moved(&two.copied().collect::<Vec<_>>(), arrived, at, lag, end) {
                    Some(found) => lag = found,
                    None => {
                        missing += 1;
                        continue;
                    }
                }
            }
            end = at + lag + to_i64(FRAME);
        }
        missing
    }
}

/// Where two frames are instead of at `at + lag`, as another lag: whole, not before `end`, or
/// continued there from where one of the frames that arrived ends. It takes two, so that no frame
/// is taken for another that sounds alike.
fn moved(two: &[i16], arrived: &[i16], at: i64, lag: i64, end: i64) -> Option<i64> {
    // Frames that arrived begin between two of ours, by the codec's delay.
    let seam = usize::try_from((-lag).rem_euclid(to_i64(FRAME))).unwrap_or_default();
    let (before, after) = two.split_at(seam.min(two.len()));
    let here = stretch(arrived, at + lag, before.len());
    let candidates = (-FARTHEST..=FARTHEST).map(|frames| lag + frames * to_i64(FRAME));
    let found = candidates.map(|moved| {
        let whole = if at + moved >= end { likeness(two, arrived, at + moved) } else { 0.0 };
        let rest = stretch(arrived, at + moved + to_i64(seam), after.len());
        let continued =
            if moved > lag { likeness(two, &[&here[..], &rest].concat(), 0) } else { 0.0 };
        (moved, whole.max(continued))
    });
    let best = found.max_by(|one, other| one.1.total_cmp(&other.1))?;
    (best.1 >= SAME_ELSEWHERE).then_some(best.0)
}

/// So many samples from a place on; silence where there is nothing.
fn stretch(arrived: &[i16], from: i64, count: usize) -> Vec<i16> {
    let sample = |at: i64| usize::try_from(at).ok().and_then(|at| arrived.get(at)).copied();
    (from..from + to_i64(count)).map(|at| sample(at).unwrap_or_default()).collect()
}

/// An answer: low-passed noise, another for every number, so that any piece of it fits in one place.
pub(crate) fn answer(number: usize, ms: usize) -> Vec<i16> {
    let mut state = (number as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mut low = 0.0;
    (0..ms * MS)
        .map(|_| {
            // Knuth's MMIX generator; its upper bits are good enough to be heard.
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let white = (state >> 33) as f64 / f64::from(1_u32 << 30) - 1.0;
            low += (white - low) / 4.0;
            (low * 16_000.0) as i16
        })
        .collect()
}

/// Where in an answer a stretch of it that was heard ends, in ms; `None` if it is not of it.
pub(crate) fn end_in(answer: &[i16], stretch: &[i16]) -> Option<f64> {
    let found = similarity_within(stretch, answer, RATE, 0..=to_i64(answer.len()));
    let end = found.lag_samples + to_i64(stretch.len());
    (found.score >= SAME_STRETCH).then_some(end as f64 / MS as f64)
}

/// The mean of every two samples: 48 kHz, with nothing in the upper half, at [`RATE`].
pub(crate) fn halved(pcm: &[i16]) -> Vec<i16> {
    // The mean of two 16-bit numbers is one.
    pcm.chunks_exact(2).map(|two| ((i32::from(two[0]) + i32::from(two[1])) / 2) as i16).collect()
}

fn level(frame: &[i16]) -> f64 {
    let energy: f64 = frame.iter().map(|sample| f64::from(*sample).powi(2)).sum();
    (energy / frame.len().max(1) as f64).sqrt()
}

/// How much of a frame's waveform is at this place, -1 to 1; 0 outside.
fn likeness(frame: &[i16], arrived: &[i16], place: i64) -> f64 {
    let Ok(place) = usize::try_from(place) else { return 0.0 };
    let Some(there) = arrived.get(place..) else { return 0.0 };
    let (mut both, mut ours, mut theirs) = (0.0, 0.0, 0.0);
    for (one, other) in frame.iter().zip(there) {
        let (one, other) = (f64::from(*one), f64::from(*other));
        both += one * other;
        ours += one * one;
        theirs += other * other;
    }
    if ours * theirs > 0.0 { both / (ours * theirs).sqrt() } else { 0.0 }
}

/// Lengths of sounds fit.
fn to_i64(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}
