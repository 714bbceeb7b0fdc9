//! Whoever hears the answer.

use clawvoice_session::SessionTime;

use super::{FRAME, Heard};

/// Samples of a fade.
const FADE: usize = 240;

/// What is heard of an answer, and when.
#[derive(Debug, Default)]
pub(super) struct Listener {
    frames: Vec<(SessionTime, [i16; FRAME])>,
    /// Which of them take up what had faded out.
    resumed: Vec<usize>,
    /// The answer is over; what comes after it is another.
    pub(super) is_over: bool,
    is_on: bool,
    /// The echo of the last 20 ms.
    pub(super) echo: Vec<f32>,
}

impl Listener {
    /// The answer begins.
    pub(super) fn begin(&mut self) {
        self.is_on = true;
    }

    /// The answer goes on with the next frame.
    pub(super) fn resumed(&mut self) {
        self.resumed.push(self.frames.len());
    }

    /// What is played from now on for 20 ms.
    pub(super) fn hear(&mut self, now: SessionTime, frame: Option<&[i16; FRAME]>) {
        // The answer's last frame is taken before its end is told.
        if let Some(frame) = frame.filter(|_| !self.is_over || self.follows(now)) {
            self.frames.push((now, *frame));
        }
    }

    /// Whether a frame at `now` still belongs to an answer that was ended: it fades out.
    fn follows(&self, now: SessionTime) -> bool {
        self.is_on
            && self.frames.last().is_some_and(|(last, frame)| {
                now.since(*last) <= super::TICK && frame[FADE..].iter().any(|sample| *sample != 0)
            })
    }

    pub(super) fn last_echo(&self) -> &[f32] {
        &self.echo
    }

    pub(super) fn last_frame(&self) -> Option<SessionTime> {
        self.frames.last().map(|(at, _)| *at)
    }

    /// Times at which nothing came between two frames, in ms.
    fn gaps(&self) -> impl Iterator<Item = u64> + '_ {
        self.frames.windows(2).filter_map(|pair| {
            let [(before, _), (after, _)] = pair else { return None };
            let ms = after.since(*before).as_millis() as u64;
            (ms > 20).then_some(ms - 20)
        })
    }

    pub(super) fn pauses(&self) -> usize {
        self.gaps().count()
    }

    pub(super) fn silent_ms(&self) -> u64 {
        self.gaps().sum()
    }

    /// What was heard, each fade put together with the one that takes it up again.
    pub(super) fn heard(&self) -> Heard<'static> {
        let mut joined: Vec<i16> = Vec::new();
        for (index, (_, frame)) in self.frames.iter().enumerate() {
            let mut frame = *frame;
            let is_resumed = self.resumed.contains(&index);
            if is_resumed && let Some(faded) = joined.len().checked_sub(FRAME) {
                let faded: Vec<i16> = joined.drain(faded..).collect();
                frame.iter_mut().zip(faded).take(FADE).for_each(|(sum, rest)| *sum += rest);
            }
            joined.extend(frame);
        }
        Heard::Joined(joined)
    }
}
