//! From a loudspeaker through a room into a microphone.

use std::collections::VecDeque;

use rand::{Rng as _, SeedableRng as _, rngs::SmallRng};

use super::sound::{HighPass, PER_MS, from_db, rms};

/// An echo while it sounds.
#[derive(Clone, Debug)]
pub struct Loudspeaker {
    response: Vec<(usize, f32)>,
    delay: usize,
    gain: f32,
    /// What is still to reach the microphone.
    sounding: VecDeque<f32>,
    filter: HighPass,
}

impl Loudspeaker {
    /// Plays a piece, and gives what the microphone takes meanwhile, which is as long.
    pub fn play(&mut self, piece: &[f32]) -> Vec<f32> {
        self.sounding.extend(std::iter::repeat_n(0.0, piece.len()));
        for (at, strength) in &self.response {
            let from = self.sounding.iter_mut().skip(self.delay + at);
            from.zip(piece).for_each(|(sum, sample)| *sum += strength * sample);
        }
        let taken = self.sounding.drain(..piece.len());
        taken.map(|sample| self.gain * self.filter.push(sample)).collect()
    }
}

/// The way of an echo.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EchoWay {
    /// How much softer the echo is than what was played, dB (negative).
    pub gain_db: f32,
    /// From player to microphone, ms.
    pub delay_ms: usize,
    /// In which the room's sound falls by 60 dB, ms.
    pub reverberation_ms: usize,
    /// Where its reflections come from: the same room for the same number.
    pub room: u64,
}

impl EchoWay {
    pub(super) fn random(rng: &mut SmallRng) -> Self {
        Self {
            gain_db: [0.0, -6.0, -12.0, -20.0][rng.random_range(0..4)],
            delay_ms: rng.random_range(20..=300),
            reverberation_ms: rng.random_range(100..=400),
            room: rng.random(),
        }
    }

    /// What the microphone takes of `played`; begins with it, ends when the room is quiet.
    #[must_use]
    pub fn echo(self, played: &[f32]) -> Vec<f32> {
        let mut echo = self.unscaled(played);
        let gain = self.gain(played, &echo);
        echo.iter_mut().for_each(|sample| *sample *= gain);
        echo
    }

    /// The same way, taken piece by piece; as loud as for all of `played`.
    #[must_use]
    pub fn loudspeaker(self, played: &[f32]) -> Loudspeaker {
        let gain = self.gain(played, &self.unscaled(played));
        let length = (self.delay_ms + self.reverberation_ms) * PER_MS;
        Loudspeaker {
            response: self.response(),
            delay: self.delay_ms * PER_MS,
            gain,
            sounding: vec![0.0; length].into(),
            filter: HighPass::new(200.0),
        }
    }

    fn unscaled(self, played: &[f32]) -> Vec<f32> {
        let delay = self.delay_ms * PER_MS;
        let mut echo = vec![0.0; played.len() + delay + self.reverberation_ms * PER_MS];
        for (at, strength) in self.response() {
            let from = &mut echo[delay + at..];
            from.iter_mut().zip(played).for_each(|(sum, sample)| *sum += strength * sample);
        }
        // What a small loudspeaker cannot move.
        let mut filter = HighPass::new(200.0);
        echo.iter_mut().for_each(|sample| *sample = filter.push(*sample));
        echo
    }

    fn gain(self, played: &[f32], unscaled: &[f32]) -> f32 {
        from_db(self.gain_db) * rms(played) / rms(&unscaled[self.delay_ms * PER_MS..]).max(1e-9)
    }

    /// Direct sound, single reflections of the near walls, then velvet noise: 2,000 pulses a
    /// second sound as dense as a real room.
    fn response(self) -> Vec<(usize, f32)> {
        let mut rng = SmallRng::seed_from_u64(self.room);
        let end = self.reverberation_ms * PER_MS;
        let fade = |at: usize| from_db(-60.0 * at as f32 / end as f32);
        let mut response = vec![(0, 1.0)];
        for _ in 0..8 {
            let at = PER_MS * rng.random_range(1..25) + rng.random_range(0..PER_MS);
            response.push((at, 0.5 * fade(at) * rng.random_range(-1.0..1.0)));
        }
        let strength = rng.random_range(0.05..0.15);
        let mut at = 25 * PER_MS;
        while at + PER_MS < end {
            let sign = if rng.random_bool(0.5) { 1.0 } else { -1.0 };
            response.push((at + rng.random_range(0..PER_MS / 2), sign * strength * fade(at)));
            at += PER_MS / 2;
        }
        response
    }
}
