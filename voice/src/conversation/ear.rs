//! What a speaker's frames are like, in the whole numbers that [`super::floor`] decides by.

use clawvoice_session::UserId;
use earshot::Detector;

use super::{floor::Features, voicing::Voicing};
use crate::realtime::To16k;

/// Samples of a frame of the detector: 16 ms at its 16 kHz.
const DETECTOR_FRAME: usize = 256;
/// What digital silence is said to be, in dBFS.
const SILENCE_DBFS: f32 = -100.0;
/// Speakers whose sound is followed.
const MAX_EARS: usize = 128;

/// One speaker's sound.
struct Ear {
    user: UserId,
    resampler: To16k,
    detector: Box<Detector>,
    frame: Vec<i16>,
    /// Of the last frame that was full.
    score: f32,
    voicing: Voicing,
}

impl Ear {
    fn new(user: UserId) -> Self {
        Self {
            user,
            resampler: To16k::new(),
            detector: Box::default(),
            frame: Vec::with_capacity(DETECTOR_FRAME),
            score: 0.0,
            voicing: Voicing::new(),
        }
    }

    /// The highest probability of speech in `pcm`, 24 kHz mono.
    fn speech(&mut self, pcm: &[i16]) -> f32 {
        let mut highest: Option<f32> = None;
        for sample in pcm {
            self.frame.extend(self.resampler.push(*sample));
            if self.frame.len() == DETECTOR_FRAME {
                self.score = self.detector.predict_i16(&self.frame);
                self.frame.clear();
                highest = Some(highest.map_or(self.score, |so_far| so_far.max(self.score)));
            }
        }
        highest.unwrap_or(self.score)
    }
}

/// The ears for everybody in a room.
#[derive(Default)]
pub(super) struct Ears {
    ears: Vec<Ear>,
}

impl std::fmt::Debug for Ears {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Ears").field("speakers", &self.ears.len()).finish()
    }
}

impl Ears {
    /// Listens to a piece of a speaker's sound, 24 kHz mono.
    pub(super) fn listen(&mut self, user: UserId, pcm: &[i16]) -> Features {
        let level = level_dbfs(pcm);
        let index = match self.ears.iter().position(|ear| ear.user == user) {
            Some(index) => index,
            None => {
                if self.ears.len() == MAX_EARS {
                    self.ears.remove(0);
                }
                self.ears.push(Ear::new(user));
                self.ears.len() - 1
            }
        };
        let (speech, voicing) = match self.ears.get_mut(index) {
            Some(ear) => (ear.speech(pcm), ear.voicing.push(pcm)),
            None => (0.0, 0.0),
        };
        Features {
            level_ddbfs: (level * 10.0).round() as i16,
            speech_permille: (speech * 1_000.0).round() as u16,
            voicing_permille: (voicing * 1_000.0).round() as u16,
            echo_permille: 0,
            is_echo: false,
            echo_known: false,
        }
    }

    /// Forgets a speaker.
    pub(super) fn forget(&mut self, user: UserId) {
        self.ears.retain(|ear| ear.user != user);
    }
}

/// The level of `pcm`, dB below a square wave at full scale.
fn level_dbfs(pcm: &[i16]) -> f32 {
    let energy: f32 = pcm.iter().map(|sample| f32::from(*sample) * f32::from(*sample)).sum();
    let mean = energy / pcm.len().max(1) as f32;
    if mean < 1.0 {
        return SILENCE_DBFS.max(10.0 * (mean.max(0.1)).log10() - 90.3);
    }
    10.0 * mean.log10() - 90.309
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::realtime::local::read_wav;

    const ADA: UserId = UserId::new(1);

    #[test]
    fn the_level_is_in_dbfs() {
        assert_eq!(level_dbfs(&[32_767; 480]).round(), 0.0);
        assert_eq!(level_dbfs(&[3_277; 480]).round(), -20.0);
        assert!(level_dbfs(&[0; 480]) <= -90.0);
        assert!(level_dbfs(&[]) <= -90.0);
    }

    #[test]
    fn speech_is_told_from_silence_within_a_few_frames() {
        let bytes = include_bytes!("../../../fixtures/audio/ask.wav");
        let speech = read_wav(&bytes[..]).unwrap();
        let mut ears = Ears::default();
        let scores: Vec<u16> =
            speech.chunks(480).map(|pcm| ears.listen(ADA, pcm).speech_permille).collect();
        let voiced = scores.iter().filter(|score| **score >= 500).count();
        assert!(voiced * 2 > scores.len(), "{voiced} of {}", scores.len());
        ears.forget(ADA);
        let silent = ears.listen(ADA, &[0; 480]);
        assert!(silent.speech_permille < 500 && silent.level_ddbfs < -900);
    }
}
