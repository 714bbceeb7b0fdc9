//! From the file's sample rate to another, by rubato's FFT resampler, without shift: what went in
//! at a time comes out at that time, and the length stays what it was.

use rubato::{FftFixedIn, Resampler as _};

use super::{failure::PrepareFailure, source::Planar};

/// Samples per channel that rubato takes at once.
const CHUNK: usize = 1_024;

/// Resamples a stream piece by piece.
pub(super) struct Resampler {
    from_hz: u32,
    to_hz: u32,
    /// `None`: both rates are the same.
    inner: Option<FftFixedIn<f32>>,
    /// What is less than a chunk.
    waiting: Planar,
    /// Samples still to be thrown away: the filter's delay.
    late: usize,
    taken: u64,
    given: u64,
}

impl Resampler {
    /// For this many channels.
    pub(super) fn new(from_hz: u32, to_hz: u32, channels: usize) -> Result<Self, PrepareFailure> {
        let inner = if from_hz == to_hz {
            None
        } else {
            let rates = usize::try_from(from_hz).and_then(|from| Ok((from, to_hz.try_into()?)));
            let (from, to) = rates.map_err(|error| PrepareFailure::Resample(error.to_string()))?;
            let inner = FftFixedIn::new(from, to, CHUNK, 2, channels)
                .map_err(|error| PrepareFailure::Resample(error.to_string()))?;
            Some(inner)
        };
        let late = inner.as_ref().map_or(0, rubato::Resampler::output_delay);
        let waiting = vec![Vec::new(); channels];
        Ok(Self { from_hz, to_hz, inner, waiting, late, taken: 0, given: 0 })
    }

    /// Takes the next piece; what is ready of the result, possibly nothing.
    pub(super) fn push(&mut self, piece: Planar) -> Result<Planar, PrepareFailure> {
        self.taken += frames(&piece);
        let Some(inner) = &mut self.inner else { return Ok(piece) };
        for (waiting, new) in self.waiting.iter_mut().zip(piece) {
            waiting.extend(new);
        }
        let mut out = vec![Vec::new(); self.waiting.len()];
        while self.waiting.iter().all(|channel| channel.len() >= CHUNK) {
            let chunk: Planar =
                self.waiting.iter_mut().map(|channel| channel.drain(..CHUNK).collect()).collect();
            let made = inner.process(&chunk, None).map_err(refused)?;
            append(&mut out, made, &mut self.late);
        }
        self.given += frames(&out);
        Ok(out)
    }

    /// What is still inside.
    pub(super) fn finish(mut self) -> Result<Planar, PrepareFailure> {
        let mut out = vec![Vec::new(); self.waiting.len()];
        let Some(inner) = &mut self.inner else { return Ok(out) };
        let whole = u128::from(self.taken) * u128::from(self.to_hz) / u128::from(self.from_hz);
        let whole = u64::try_from(whole).unwrap_or(u64::MAX);
        // rubato takes a part of a chunk, or nothing, but no part without samples.
        let mut last = Some(self.waiting).filter(|waiting| frames(waiting) > 0);
        // Silence after the end pushes the rest out of the filter.
        while self.given + frames(&out) < whole {
            let made = inner.process_partial(last.as_deref(), None).map_err(refused)?;
            last = None;
            append(&mut out, made, &mut self.late);
        }
        let rest = usize::try_from(whole.saturating_sub(self.given)).unwrap_or(usize::MAX);
        out.iter_mut().for_each(|channel| channel.truncate(rest));
        Ok(out)
    }
}

fn refused(error: rubato::ResampleError) -> PrepareFailure {
    PrepareFailure::Resample(error.to_string())
}

fn frames(piece: &Planar) -> u64 {
    piece.first().map_or(0, |channel| channel.len() as u64)
}

/// Adds `made` to `out`, except what is `late`.
fn append(out: &mut Planar, made: Planar, late: &mut usize) {
    let length = made.first().map_or(0, Vec::len);
    let dropped = length.min(*late);
    *late -= dropped;
    for (out, made) in out.iter_mut().zip(made) {
        out.extend_from_slice(made.get(dropped..).unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use std::f32::consts::TAU;

    use proptest::prelude::*;

    use super::*;

    /// A tone that fades in and out.
    fn tone(rate_hz: u32, frames: usize) -> Vec<f32> {
        #[allow(clippy::cast_precision_loss, reason = "short")]
        let at = |at: usize| {
            let fade = (std::f32::consts::PI * at as f32 / frames as f32).sin();
            fade * (TAU * 440.0 * at as f32 / rate_hz as f32).sin()
        };
        (0..frames).map(at).collect()
    }

    fn resampled(from_hz: u32, to_hz: u32, input: &[f32], piece: usize) -> Vec<f32> {
        let mut resampler = Resampler::new(from_hz, to_hz, 1).unwrap();
        let mut out = Vec::new();
        for piece in input.chunks(piece) {
            out.extend(resampler.push(vec![piece.to_vec()]).unwrap().remove(0));
        }
        out.extend(resampler.finish().unwrap().remove(0));
        out
    }

    #[test]
    fn a_tone_stays_where_it_was() {
        for (from, to) in [(44_100, 48_000), (8_000, 48_000), (96_000, 48_000), (48_000, 8_000)] {
            let frames = usize::try_from(from / 2).unwrap();
            let out = resampled(from, to, &tone(from, frames), 777);
            let wanted = tone(to, usize::try_from(to / 2).unwrap());
            assert_eq!(out.len(), wanted.len(), "{from} to {to}");
            let worst = out.iter().zip(&wanted).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(worst < 0.01, "{from} to {to}: off by {worst}");
        }
    }

    #[test]
    fn whole_chunks_leave_nothing_behind() {
        for chunks in 0..4 {
            let out = resampled(24_000, 48_000, &tone(24_000, chunks * CHUNK), CHUNK);
            assert_eq!(out.len(), chunks * CHUNK * 2);
        }
    }

    #[test]
    fn nothing_is_touched_when_the_rates_are_the_same() {
        let input = tone(48_000, 5_000);
        assert_eq!(resampled(48_000, 48_000, &input, 100), input);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn the_length_stays_and_pieces_do_not_matter(
            rate in prop_oneof![Just(44_100_u32), Just(11_025), Just(22_050), 8_000_u32..96_000],
            frames in 0_usize..6_000,
            piece in 1_usize..5_000,
        ) {
            let input = tone(rate, frames);
            let out = resampled(rate, 48_000, &input, piece);
            let wanted = frames as u64 * 48_000 / u64::from(rate);
            prop_assert_eq!(out.len() as u64, if rate == 48_000 { frames as u64 } else { wanted });
            prop_assert_eq!(out, resampled(rate, 48_000, &input, 6_000));
        }
    }
}
