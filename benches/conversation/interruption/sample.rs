//! What the recordings say of one interruption.

use anyhow::Context as _;
use localcord::{
    human::{FrameArrival, Heard},
    world::default::BOT_USER,
};

use super::{
    provider::Turn,
    room::{Interruption, Room, ms},
    sound::{Clip, end_in, halved},
};

/// A frame whose samples all stay within this, of 32,768, is silence: -60 dBFS.
const SILENT: u16 = 32;
/// The stretch that an answer is recognised by, in samples at 48 kHz: 200 ms.
const STRETCH: usize = 9_600;

/// One interruption.
pub(crate) struct Sample {
    /// See [`Interruption::was_quiet`].
    pub(crate) was_quiet: bool,
    /// See [`Interruption::was_announced`].
    pub(crate) was_announced: bool,
    /// From the interrupter's first packet to the last packet of the answer with sound in it, ms.
    pub(crate) stop_ms: f64,
    /// From the interrupter's first packet to their first audio at the provider, ms.
    pub(crate) append_ms: f64,
    /// Frames of the interruption that the provider was not given.
    pub(crate) lost: usize,
    /// What the provider was told that was heard, less what was, ms: 6.5 more if every frame that
    /// was sent is told, because libopus looks that far ahead and the end of the last frame is in
    /// no packet. NaN if it was not told exactly once, or if what was heard is not of the answer.
    pub(crate) heard_error_ms: f64,
}

/// Every interruption of a room.
pub(crate) fn samples(
    room: &Room,
    clips: &[Clip; 3],
    interruptions: &[Interruption],
) -> anyhow::Result<Vec<Sample>> {
    let (turns, cuts) = (room.provider.turns(), room.provider.cuts());
    let recordings = [0, 1, 2].map(|seat: usize| room.humans[seat].heard(BOT_USER));
    interruptions
        .iter()
        .map(|interruption| {
            let Interruption { answer, reply, .. } = *interruption;
            let answered = turns.get(answer).context("every answer has its turn")?;
            let own = turns.get(answer + 1..=reply).unwrap_or_default();
            let first = own.first().context("the reply comes after the answer")?;
            let said: Vec<i16> = own.iter().flat_map(|turn| turn.pcm.iter().copied()).collect();
            let recording = &recordings[interruption.listener];
            let frames = sounding(recording, answered, first);
            let last = frames.last().context("nothing was heard of an answer")?;
            let told = cuts.get(&answer).and_then(|cut| match cut.truncated[..] {
                [end] if cut.deleted == 0 => Some(end as f64),
                _ => None,
            });
            let heard = heard_ms(recording, &frames, &answered.answer);
            let began = interruption.spoken.started_at;
            Ok(Sample {
                was_quiet: interruption.was_quiet,
                was_announced: interruption.was_announced,
                stop_ms: ms(began, last.at),
                append_ms: ms(began, first.first_append),
                lost: clips[interruption.by].missing(&said),
                heard_error_ms: told.zip(heard).map_or(f64::NAN, |(told, heard)| told - heard),
            })
        })
        .collect()
}

/// The frames of an answer with sound in them: all of the agent's between its first piece and that
/// of the next.
fn sounding(recording: &Heard, answer: &Turn, next: &Turn) -> Vec<FrameArrival> {
    let is_loud = |frame: &FrameArrival| {
        let end = frame.offset_samples + frame.samples;
        let pcm = recording.pcm.get(frame.offset_samples..end).unwrap_or_default();
        pcm.iter().any(|sample| sample.unsigned_abs() > SILENT)
    };
    let of_answer = |frame: &&FrameArrival| {
        frame.at > answer.first_delta && frame.at <= next.first_delta && !frame.silence
    };
    recording.frames.iter().filter(of_answer).filter(|frame| is_loud(frame)).copied().collect()
}

/// How much of an answer was heard, in ms: where in it the last frame ends. The last frame may fade
/// out, so the answer is recognised by those before it.
fn heard_ms(recording: &Heard, frames: &[FrameArrival], answer: &[i16]) -> Option<f64> {
    let (first, last) = (frames.first()?, frames.last()?);
    let from = last.offset_samples.saturating_sub(STRETCH).max(first.offset_samples);
    let stretch = recording.pcm.get(from..last.offset_samples)?;
    Some(end_in(answer, &halved(stretch))? + last.samples as f64 / 48.0)
}
