//! How much a sound is like speech: earshot's model on frames of 16 ms.

use earshot::Detector;

use crate::realtime::To16k;

/// Samples of a frame at the model's 16 kHz.
const FRAME: usize = 256;

/// Scores one stream of sound.
pub(crate) struct SpeechDetector {
    resampler: To16k,
    model: Box<Detector>,
    frame: Vec<i16>,
}

impl SpeechDetector {
    pub(crate) fn new() -> Self {
        Self { resampler: To16k::new(), model: Box::default(), frame: Vec::with_capacity(FRAME) }
    }

    /// Takes a sample, 24 kHz mono. Gives the probability of speech, 0 to 1, of the frame that it
    /// completes: of every 384 samples the last does.
    pub(crate) fn push(&mut self, sample: i16) -> Option<f32> {
        self.frame.extend(self.resampler.push(sample));
        if self.frame.len() < FRAME {
            return None;
        }
        let score = self.model.predict_i16(&self.frame);
        self.frame.clear();
        Some(score)
    }
}
