//! What a speaker's frames are like, in the whole numbers that [`super::floor`] decides by.

use clawvoice_session::{SessionTime, UserId};

use super::{
    echo::{Echo, Played},
    floor::Features,
    playback::FRAME,
    voicing::Voicing,
};
use crate::{detector::SpeechDetector, dsp::level_dbfs};

/// Speakers whose sound is followed.
const MAX_EARS: usize = 128;

/// One speaker's sound.
struct Ear {
    user: UserId,
    detector: SpeechDetector,
    /// Of the detector's last frame.
    score: f32,
    voicing: Voicing,
    echo: Echo,
}

impl Ear {
    fn new(user: UserId) -> Self {
        Self {
            user,
            detector: SpeechDetector::new(),
            score: 0.0,
            voicing: Voicing::new(),
            echo: Echo::new(),
        }
    }

    /// The highest probability of speech in `pcm`, 24 kHz mono.
    fn speech(&mut self, pcm: &[i16]) -> f32 {
        let mut highest: Option<f32> = None;
        for score in pcm.iter().filter_map(|sample| self.detector.push(*sample)) {
            self.score = score;
            highest = Some(highest.map_or(score, |so_far| so_far.max(score)));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::realtime::local::read_wav;

    const ADA: UserId = UserId::new(1);

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
