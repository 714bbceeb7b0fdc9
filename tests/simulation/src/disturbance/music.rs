//! A loudspeaker plays music: chords of harmonics and a beat.

use std::f32::consts::TAU;

use rand::{Rng as _, rngs::SmallRng, seq::IndexedRandom as _};

use super::sound::{PER_MS, RATE, high_pass, mix, noise, peak_at, strike};

/// Semitones above the root.
const CHORDS: [&[i32]; 4] = [&[0, 4, 7], &[0, 3, 7], &[0, 4, 7, 11], &[0, 5, 7]];
const ROOTS: [i32; 6] = [0, 5, 7, 9, 2, -3];

/// Two to six seconds.
pub(super) fn play(rng: &mut SmallRng) -> Vec<f32> {
    let beat = (60_000.0 / rng.random_range(85.0..145.0)) as usize * PER_MS;
    let end = PER_MS * rng.random_range(2_000..6_000);
    let key = rng.random_range(110.0..220.0_f32);
    let (drums, brightness) = (rng.random_bool(0.7), rng.random_range(0.35..0.8_f32));
    let mut sound = Vec::new();
    for number in 0..end / beat {
        let at = number * beat;
        let root = *ROOTS.choose(rng).unwrap_or(&0);
        for step in CHORDS.choose(rng).copied().unwrap_or_default() {
            let hz = key * 2_f32.powf((root + step) as f32 / 12.0);
            mix(&mut sound, at, &note(rng, hz, beat, brightness));
        }
        if drums {
            mix(&mut sound, at, &kick(rng));
            mix(&mut sound, at + beat / 2, &hat(rng));
        }
    }
    sound.truncate(end);
    peak_at(&mut sound, rng.random_range(-25.0..-5.0));
    sound
}

/// A plucked or blown note, a little longer than its beat.
fn note(rng: &mut SmallRng, hz: f32, beat: usize, brightness: f32) -> Vec<f32> {
    let length = beat + beat / 3;
    let tune = hz * rng.random_range(0.998..1.002);
    let strengths: Vec<f32> =
        (0..10).map(|n| brightness.powi(n) * rng.random_range(0.5..1.0)).collect();
    let mut sound: Vec<f32> = (0..length)
        .map(|at| {
            let angle = TAU * tune * at as f32 / RATE;
            strengths.iter().zip(1..=10_u8).map(|(s, n)| s * (angle * f32::from(n)).sin()).sum()
        })
        .collect();
    strike(&mut sound, rng.random_range(3.0..40.0), rng.random_range(600.0..2_500.0));
    let fade = length / 6;
    let tail = sound.iter_mut().rev().take(fade).enumerate();
    tail.for_each(|(left, sample)| *sample *= left as f32 / fade as f32);
    sound
}

fn kick(rng: &mut SmallRng) -> Vec<f32> {
    let hz = rng.random_range(45.0..70.0);
    let mut sound: Vec<f32> = (0..PER_MS * 180)
        .map(|at| {
            let seconds = at as f32 / RATE;
            3.0 * (TAU * (hz * seconds + 4.0 * (1.0 - (-seconds * 30.0).exp()))).sin()
        })
        .collect();
    strike(&mut sound, 1.0, 200.0);
    sound
}

fn hat(rng: &mut SmallRng) -> Vec<f32> {
    let mut sound = noise(rng, PER_MS * 60);
    high_pass(&mut sound, 5_000.0);
    strike(&mut sound, 0.5, 60.0);
    sound
}
