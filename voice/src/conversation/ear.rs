//! What a speaker's frames are like, in the whole numbers that [`super::floor`] decides by.

use clawvoice_session::{SessionTime, UserId};
use earshot::Detector;

use super::{
    echo::{Echo, Played},
    floor::Features,
    playback::FRAME,
    voicing::Voicing,
};
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
    echo: Echo,
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
            echo: Echo::new(),
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
pub(super) struct Ears {
    ears: Vec<Ear>,
    /// What the room was played; `None`: echo is not looked for.
    played: Option<Played>,
}

impl std::fmt::Debug for Ears {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Ears").field("speakers", &self.ears.len()).finish()
    }
}

impl Ears {
    pub(super) fn new(finds_echo: bool) -> Self {
        Self { ears: Vec::new(), played: finds_echo.then(Played::new) }
    }

    /// A frame that the room is played from `now` on.
    pub(super) fn played(&mut self, now: SessionTime, frame: &[i16; FRAME]) {
        if let Some(played) = &mut self.played {
            played.push(now, frame);
        }
    }

    /// Listens to a piece of a speaker's sound, 24 kHz mono, that came at `now`.
    pub(super) fn listen(&mut self, now: SessionTime, user: UserId, pcm: &[i16]) -> Features {
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
        let mut features =
            Features { level_ddbfs: (level * 10.0).round() as i16, ..Features::default() };
        let Some(ear) = self.ears.get_mut(index) else { return features };
        features.speech_permille = permille(ear.speech(pcm));
        let pitch = ear.voicing.push(pcm);
        features.pitch_permille = permille(pitch.strength);
        features.drift_permille = permille(pitch.drift);
        // Long after the last answer there is nothing that could echo.
        if let Some(played) = self.played.as_ref().filter(|played| !played.is_silent(now)) {
            let verdict = ear.echo.judge(now, pcm, played);
            features.echo_permille = permille(verdict.explained);
            features.is_echo = verdict.is_echo;
            features.echo_known = verdict.delay_ms.is_some();
        }
        features
    }

    /// Forgets a speaker.
    pub(super) fn forget(&mut self, user: UserId) {
        self.ears.retain(|ear| ear.user != user);
    }
}

/// A share between 0 and 1 in thousandths.
fn permille(share: f32) -> u16 {
    (share.clamp(0.0, 1.0) * 1_000.0).round() as u16
}

/// The level of `pcm`, dB below a square wave at full scale.
fn level_dbfs(pcm: &[i16]) -> f32 {
    let energy: i64 = pcm.iter().map(|sample| i64::from(*sample) * i64::from(*sample)).sum();
    let mean = energy as f32 / pcm.len().max(1) as f32;
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
        let mut ears = Ears::new(true);
        let scores: Vec<u16> = speech
            .chunks(480)
            .map(|pcm| ears.listen(SessionTime::ZERO, ADA, pcm).speech_permille)
            .collect();
        let voiced = scores.iter().filter(|score| **score >= 500).count();
        assert!(voiced * 2 > scores.len(), "{voiced} of {}", scores.len());
        ears.forget(ADA);
        let silent = ears.listen(SessionTime::ZERO, ADA, &[0; 480]);
        assert!(silent.speech_permille < 500 && silent.level_ddbfs < -900);
    }
}
