//! Server VAD: where in the audio speech starts and stops.
//!
//! It counts samples, not time: audio that arrives late or in one burst gives the same events at
//! the same offsets. The frames and the model are earshot's.

use super::{SAMPLES_PER_MS, session_object::TurnDetection};
use crate::detector::SpeechDetector;

/// The 16 ms of the detector's frames in samples of the wire's 24 kHz.
const FRAME: u64 = 384;

/// Frames of speech in a row that start it: 48 ms, so that a click does not.
const START_FRAMES: u64 = 3;

/// How far below the threshold a frame must fall to count as silence once speech runs.
const HYSTERESIS: f64 = 0.15;

/// A change, with the offset in samples since the session's first one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum VadEvent {
    /// Speech began here (padding not included).
    Started { at: u64 },
    /// The silence that ends speech was complete here.
    Stopped { at: u64 },
}

pub(super) struct Vad {
    detector: SpeechDetector,
    /// Frames judged so far, over the whole session.
    frames: u64,
    state: State,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Quiet { speech_frames: u64 },
    Speech { silent_frames: u64 },
}

impl Vad {
    pub(super) fn new() -> Self {
        Self {
            detector: SpeechDetector::new(),
            frames: 0,
            state: State::Quiet { speech_frames: 0 },
        }
    }

    /// Forgets speech that is under way; offsets go on.
    pub(super) fn reset(&mut self) {
        self.state = State::Quiet { speech_frames: 0 };
    }

    /// Takes 24 kHz samples and appends what they change to `events`.
    pub(super) fn push(
        &mut self,
        samples: &[i16],
        rules: &TurnDetection,
        events: &mut Vec<VadEvent>,
    ) {
        for sample in samples {
            if let Some(score) = self.detector.push(*sample) {
                self.frames += 1;
                events.extend(self.judge(f64::from(score), rules));
            }
        }
    }

    fn judge(&mut self, score: f64, rules: &TurnDetection) -> Option<VadEvent> {
        match &mut self.state {
            State::Quiet { speech_frames } => {
                *speech_frames = if score >= rules.threshold { *speech_frames + 1 } else { 0 };
                (*speech_frames == START_FRAMES).then(|| {
                    self.state = State::Speech { silent_frames: 0 };
                    VadEvent::Started { at: (self.frames - START_FRAMES) * FRAME }
                })
            }
            State::Speech { silent_frames } => {
                let silent = score < (rules.threshold - HYSTERESIS).max(0.01);
                *silent_frames = if silent { *silent_frames + 1 } else { 0 };
                let needed = rules.silence_ms * SAMPLES_PER_MS as u64;
                (*silent_frames > 0 && *silent_frames * FRAME >= needed).then(|| {
                    self.state = State::Quiet { speech_frames: 0 };
                    VadEvent::Stopped { at: self.frames * FRAME }
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::realtime::local::read_wav;

    const RULES: TurnDetection = TurnDetection {
        threshold: 0.5,
        prefix_ms: 300,
        silence_ms: 500,
        create_response: true,
        interrupt_response: true,
    };

    fn events(samples: &[i16], chunk: usize) -> Vec<VadEvent> {
        let mut vad = Vad::new();
        let mut events = Vec::new();
        samples.chunks(chunk).for_each(|chunk| vad.push(chunk, &RULES, &mut events));
        events
    }

    fn speech_after(lead: usize, tail: usize) -> (Vec<i16>, usize) {
        let bytes = include_bytes!("../../../../fixtures/audio/interrupt.wav");
        let speech = read_wav(&bytes[..]).expect("the fixture is a WAV");
        let mut samples = vec![0; lead];
        samples.extend(&speech);
        samples.extend(vec![0; tail]);
        (samples, speech.len())
    }

    #[test]
    fn speech_is_found_between_silences() {
        let (samples, length) = speech_after(24_000, 24_000);
        let events = events(&samples, 480);
        let [VadEvent::Started { at: start }, VadEvent::Stopped { at: stop }] = events[..] else {
            panic!("{events:?}");
        };
        // "Stop" begins with a hiss that is not yet taken for a voice; the padding covers it.
        assert!(start.abs_diff(24_000) < 24 * 150, "started at sample {start}");
        let end = 24_000 + length as u64 + 24 * 500;
        assert!(stop.abs_diff(end) < 24 * 200, "stopped at {stop}, the speech ended for {end}");
    }

    #[test]
    fn the_size_of_the_pieces_changes_nothing() {
        let (samples, _) = speech_after(5_000, 24_000);
        let whole = events(&samples, samples.len());
        assert_eq!(whole.len(), 2);
        for chunk in [1, 7, 384, 480, 2_400] {
            assert_eq!(events(&samples, chunk), whole, "pieces of {chunk}");
        }
    }

    #[test]
    fn silence_and_faint_hiss_are_no_speech() {
        assert_eq!(events(&vec![0; 240_000], 480), []);
        let mut state = 1u32;
        let hiss: Vec<i16> = (0..240_000)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 27) as i16 - 16
            })
            .collect();
        assert_eq!(events(&hiss, 480), []);
    }
}
