//! What microphones pick up while a bot speaks: coughs, keys, music, its own echo, people who agree,
//! and people who want to interrupt. Which of them it is, is known.
//!
//! Everything is 24 kHz mono and follows from a seed. What the sounds lack: they are synthesised,
//! the speech too (`fixtures/README.md`); no recording of a real person or room is among them.

mod backchannel;
mod fixture;
mod music;
mod noises;
mod room;
mod sound;

use std::ops::Range;

use rand::{Rng as _, SeedableRng as _, rngs::SmallRng};

use self::sound::{from_db, mix, noise, rms};
pub use self::{
    backchannel::Word,
    room::{EchoWay, Loudspeaker},
    sound::{PER_MS, from_pcm, resample, to_pcm},
};

/// Longest speech: long enough to interrupt, short enough to hear many.
const MAX_SPEECH: usize = 4_000 * PER_MS;
/// What every microphone hisses, dBFS.
const HISS_DBFS: f32 = -72.0;

/// A kind of sound.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Disturbance {
    /// One to three coughs.
    Cough,
    /// A mouse or a switch.
    Click,
    /// One to four seconds at a keyboard.
    Typing,
    /// Agreement that does not want the floor.
    Backchannel(Word),
    /// Air, in or out.
    Breath,
    /// Chords and a beat.
    Music,
    /// A door.
    Slam,
    /// The mains, or a fan.
    Hum,
    /// What the bot says comes back.
    Echo(EchoWay),
    /// Somebody speaks to be heard.
    Speech,
}

impl Disturbance {
    /// The kind alone, in a word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cough => "cough",
            Self::Click => "click",
            Self::Typing => "typing",
            Self::Backchannel(Word::MmHmm) => "mm-hmm",
            Self::Backchannel(Word::UhHuh) => "uh-huh",
            Self::Backchannel(Word::Yeah) => "yeah",
            Self::Breath => "breath",
            Self::Music => "music",
            Self::Slam => "slam",
            Self::Hum => "hum",
            Self::Echo(_) => "echo",
            Self::Speech => "speech",
        }
    }
}

/// What one microphone sends.
#[derive(Clone, Debug)]
pub struct Sample {
    /// What it is.
    pub kind: Disturbance,
    /// What is heard behind speech.
    pub behind: Option<Disturbance>,
    /// 24 kHz mono.
    pub pcm: Vec<i16>,
    /// Where in `pcm` somebody speaks to be heard, in samples.
    pub speech: Option<Range<usize>>,
    /// What the bot plays from the first sample on; empty where that does not matter.
    pub played: Vec<i16>,
}

/// `n` samples in which the kinds take turns. The same for the same seed, and a sample does not
/// depend on how many come before it.
pub fn corpus(seed: u64, n: usize) -> impl Iterator<Item = Sample> {
    (0..n).map(move |number| sample(seed, number))
}

/// An answer during which `sample` is heard: what it says is played, and nine seconds more.
#[must_use]
pub fn answer_to(sample: &Sample) -> Vec<i16> {
    let mut answer = sample.played.clone();
    answer.extend(fixture::ANSWERED[0].iter());
    answer
}

fn sample(seed: u64, number: usize) -> Sample {
    let mut rng =
        SmallRng::seed_from_u64(seed.wrapping_mul(0x9e37_79b9).wrapping_add(number as u64));
    let turn = number % 12;
    let kind = match turn {
        9..=11 => Disturbance::Speech,
        _ => disturbance(turn, &mut rng),
    };
    let mut played = Vec::new();
    let mut heard = Vec::new();
    if kind != Disturbance::Speech {
        let lead = PER_MS * rng.random_range(100..300);
        place(kind, lead, &mut heard, &mut played, &mut rng);
        return finish(kind, None, heard, None, played, &mut rng);
    }
    let behind = match turn {
        9 => None,
        10 => Some(disturbance(8, &mut rng)),
        _ => Some(disturbance(rng.random_range(0..8), &mut rng)),
    };
    // Over something else people speak up; over what lasts, until they are as loud.
    let mut said = speech(if behind.is_some() { -10.0 } else { -22.0 }, &mut rng);
    let begin = PER_MS * rng.random_range(200..700);
    if let Some(behind) = behind {
        // Something short meets the words, whatever lasts is there before them.
        let lead = begin + PER_MS * rng.random_range(0..200);
        let lead = if lasts(behind) { PER_MS * 50 } else { lead };
        place(behind, lead, &mut heard, &mut played, &mut rng);
        if lasts(behind) && !matches!(behind, Disturbance::Echo(_)) {
            let gain = (rms(&heard) / rms(&said).max(1e-9)).max(1.0);
            said.iter_mut().for_each(|sample| *sample *= gain);
        }
    }
    mix(&mut heard, begin, &said);
    let speech = begin..begin + said.len();
    finish(kind, behind, heard, Some(speech), played, &mut rng)
}

fn disturbance(turn: usize, rng: &mut SmallRng) -> Disturbance {
    match turn {
        0 => Disturbance::Cough,
        1 => Disturbance::Click,
        2 => Disturbance::Typing,
        3 => {
            let words = [Word::MmHmm, Word::UhHuh, Word::Yeah];
            Disturbance::Backchannel(words[rng.random_range(0..3)])
        }
        4 => Disturbance::Breath,
        5 => Disturbance::Music,
        6 => Disturbance::Slam,
        7 => Disturbance::Hum,
        _ => Disturbance::Echo(EchoWay::random(rng)),
    }
}

const fn lasts(kind: Disturbance) -> bool {
    matches!(
        kind,
        Disturbance::Typing | Disturbance::Music | Disturbance::Hum | Disturbance::Echo(_)
    )
}

/// Adds a disturbance from a sample on; an echo's place follows from what is played.
fn place(
    kind: Disturbance,
    at: usize,
    heard: &mut Vec<f32>,
    played: &mut Vec<i16>,
    rng: &mut SmallRng,
) {
    let sound = match kind {
        Disturbance::Cough => noises::cough(rng),
        Disturbance::Click => noises::click(rng),
        Disturbance::Typing => noises::typing(rng),
        Disturbance::Backchannel(word) => backchannel::say(word, rng),
        Disturbance::Breath => noises::breath(rng),
        Disturbance::Music => music::play(rng),
        Disturbance::Slam => noises::slam(rng),
        Disturbance::Hum => noises::hum(rng),
        Disturbance::Speech => speech(-22.0, rng),
        Disturbance::Echo(way) => {
            let answer = &fixture::ANSWERED[rng.random_range(0..3)];
            let first = rng.random_range(0..answer.len() - MAX_SPEECH);
            let said: Vec<f32> = from_pcm(&answer[first..first + MAX_SPEECH]);
            let said: Vec<f32> = said.iter().map(|sample| 0.7 * sample).collect();
            *played = to_pcm(&said);
            mix(heard, 0, &way.echo(&said));
            return;
        }
    };
    mix(heard, at, &sound);
}

/// Somebody of random voice and loudness, `least` dB at least.
fn speech(least: f32, rng: &mut SmallRng) -> Vec<f32> {
    let recording = match rng.random_range(0..6) {
        number @ 0..3 => &fixture::ASKED[number],
        number => &fixture::ANSWERED[number - 3],
    };
    let said = &recording[..recording.len().min(MAX_SPEECH)];
    let gain = from_db(rng.random_range(least..0.0));
    let mut said = resample(&from_pcm(said), rng.random_range(0.85..1.2));
    said.iter_mut().for_each(|sample| *sample *= gain);
    said
}

fn finish(
    kind: Disturbance,
    behind: Option<Disturbance>,
    mut heard: Vec<f32>,
    speech: Option<Range<usize>>,
    played: Vec<i16>,
    rng: &mut SmallRng,
) -> Sample {
    let hiss = noise(rng, heard.len() + 300 * PER_MS);
    // Uniform noise of peak 1 is at -4.8 dBFS.
    let gain = from_db(HISS_DBFS + 4.8);
    let hiss: Vec<f32> = hiss.iter().map(|sample| gain * sample).collect();
    mix(&mut heard, 0, &hiss);
    Sample { kind, behind, pcm: to_pcm(&heard), speech, played }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn peak_dbfs(pcm: &[i16]) -> f32 {
        let peak = pcm.iter().map(|sample| sample.unsigned_abs()).max().unwrap_or(0);
        20.0 * (f32::from(peak.max(1)) / 32_768.0).log10()
    }

    #[test]
    fn a_seed_gives_the_same_sounds_and_another_seed_others() {
        let of = |seed, n| corpus(seed, n).map(|sample| sample.pcm).collect::<Vec<_>>();
        assert_eq!(of(1, 24), of(1, 24));
        assert_eq!(of(1, 24)[..5], of(1, 5)[..]);
        assert!(of(1, 24).iter().zip(of(2, 24)).all(|(one, two)| *one != two));
    }

    #[test]
    fn every_kind_comes_and_speech_comes_over_many_of_them() {
        let samples: Vec<Sample> = corpus(3, 240).collect();
        let kinds: BTreeSet<&str> = samples.iter().map(|sample| sample.kind.name()).collect();
        assert_eq!(kinds.len(), 12, "{kinds:?}");
        let behind = samples.iter().filter_map(|sample| sample.behind);
        let behind: BTreeSet<&str> = behind.map(Disturbance::name).collect();
        assert!(behind.len() >= 9, "{behind:?}");
    }

    #[test]
    fn lengths_and_levels_are_those_of_the_kind() {
        for sample in corpus(5, 240) {
            let ms = sample.pcm.len() / PER_MS;
            let peak = peak_dbfs(&sample.pcm);
            let (lengths, peaks) = match sample.kind {
                Disturbance::Cough => (500..2_800, -20.0..-2.9),
                Disturbance::Click => (400..800, -25.1..-3.9),
                Disturbance::Typing => (1_400..4_800, -28.1..-5.9),
                Disturbance::Backchannel(_) => (600..1_200, -25.1..-5.9),
                Disturbance::Breath => (700..1_600, -40.1..-14.9),
                Disturbance::Music => (2_300..6_700, -25.1..-4.9),
                Disturbance::Slam => (600..1_300, -15.1..-0.9),
                Disturbance::Hum => (1_400..3_700, -40.1..-14.9),
                Disturbance::Echo(_) => (4_400..5_100, -40.0..0.1),
                Disturbance::Speech => (1_900..7_500, -27.0..0.1),
            };
            assert!(lengths.contains(&ms), "{:?}: {ms} ms", sample.kind);
            assert!(peaks.contains(&peak), "{:?}: {peak} dBFS", sample.kind);
        }
    }

    #[test]
    fn speech_is_where_the_sample_says_and_an_echo_has_its_cause() {
        for sample in corpus(8, 120) {
            let echoes = |kind| matches!(kind, Some(Disturbance::Echo(_)));
            let echo = echoes(Some(sample.kind)) || echoes(sample.behind);
            assert_eq!(echo, !sample.played.is_empty());
            assert_eq!(sample.speech.is_some(), sample.kind == Disturbance::Speech);
            let Some(speech) = sample.speech else { continue };
            assert!(speech.end <= sample.pcm.len() && speech.len() > 1_400 * PER_MS);
            if sample.behind.is_none() {
                assert!(peak_dbfs(&sample.pcm[..speech.start]) < -60.0);
                let first = &sample.pcm[speech.start..speech.start + 60 * PER_MS];
                assert!(peak_dbfs(first) > -60.0);
            }
        }
    }

    #[test]
    fn an_echo_is_as_soft_and_as_late_as_its_way_says() {
        let mut rng = SmallRng::seed_from_u64(1);
        let said = from_pcm(&fixture::ANSWERED[0][..48_000]);
        for _ in 0..8 {
            let way = EchoWay::random(&mut rng);
            let echo = way.echo(&said);
            let (before, after) = echo.split_at(way.delay_ms * PER_MS);
            assert!(before.iter().all(|sample| *sample == 0.0));
            let db = 20.0 * (rms(after) / rms(&said)).log10();
            assert!((db - way.gain_db).abs() < 0.1, "{way:?}: {db} dB");
        }
    }
}
