//! From a loudspeaker through a room into a microphone.

use rand::{Rng as _, SeedableRng as _, rngs::SmallRng};

use super::sound::{PER_MS, from_db, high_pass, rms};

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
        let response = self.response();
        let delay = self.delay_ms * PER_MS;
        let mut echo = vec![0.0; played.len() + delay + self.reverberation_ms * PER_MS];
        for (at, strength) in response {
            let from = &mut echo[delay + at..];
            from.iter_mut().zip(played).for_each(|(sum, sample)| *sum += strength * sample);
        }
        // What a small loudspeaker cannot move.
        high_pass(&mut echo, 200.0);
        let gain = from_db(self.gain_db) * rms(played) / rms(&echo[delay..]).max(1e-9);
        echo.iter_mut().for_each(|sample| *sample *= gain);
        echo
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
