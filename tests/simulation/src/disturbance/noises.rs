//! Sounds without a voice: coughs, clicks, keys, breath, doors, hum.

use std::f32::consts::TAU;

use rand::{Rng as _, rngs::SmallRng};

use super::{
    fixture,
    sound::{
        PER_MS, RATE, Resonator, from_db, from_pcm, high_pass, low_pass, mix, noise, peak_at,
        resample, strike, swell,
    },
};

/// One to three coughs.
pub(super) fn cough(rng: &mut SmallRng) -> Vec<f32> {
    let mut sound = Vec::new();
    let mut at = 0;
    let recorded = rng.random_bool(0.4);
    let throat = [rng.random_range(450.0..900.0), rng.random_range(1_200.0..2_600.0)];
    for _ in 0..rng.random_range(1..=3) {
        let one = if recorded {
            resample(&from_pcm(&fixture::COUGH), rng.random_range(0.6..1.3))
        } else {
            burst(rng, throat)
        };
        mix(&mut sound, at, &one);
        at += one.len() + PER_MS * rng.random_range(60..250);
    }
    peak_at(&mut sound, rng.random_range(-20.0..-3.0));
    sound
}

/// The glottis opens with a bang; the air that follows hisses through the throat.
fn burst(rng: &mut SmallRng, throat: [f32; 2]) -> Vec<f32> {
    let length = PER_MS * rng.random_range(150..450);
    let air = noise(rng, length);
    let mut sound = vec![0.0; length];
    for hz in throat {
        let mut formant =
            Resonator::new(hz * rng.random_range(0.9..1.1), rng.random_range(200.0..600.0));
        sound.iter_mut().zip(formant.run(&air)).for_each(|(sum, sample)| *sum += sample);
    }
    let hiss = rng.random_range(0.02..0.15);
    sound.iter_mut().zip(&air).for_each(|(sum, sample)| *sum += hiss * sample);
    let (attack, decay) = (rng.random_range(3.0..15.0), rng.random_range(0.9..1.6));
    strike(&mut sound, attack, decay * length as f32 / PER_MS as f32);
    high_pass(&mut sound, 150.0);
    sound
}

/// A mouse button or a switch: pressed, perhaps let go.
pub(super) fn click(rng: &mut SmallRng) -> Vec<f32> {
    let mut sound = tick(rng);
    if rng.random_bool(0.7) {
        let release: Vec<f32> = tick(rng).iter().map(|sample| 0.6 * sample).collect();
        mix(&mut sound, PER_MS * rng.random_range(50..130), &release);
    }
    peak_at(&mut sound, rng.random_range(-25.0..-4.0));
    sound
}

/// Two to ten milliseconds of something small and hard.
fn tick(rng: &mut SmallRng) -> Vec<f32> {
    let ms = rng.random_range(2.0..10.0);
    let length = (2.0 * ms) as usize * PER_MS;
    let mut knock = noise(rng, length);
    strike(&mut knock, 0.1, ms);
    let mut sound = knock.clone();
    for _ in 0..3 {
        let mut part =
            Resonator::new(rng.random_range(1_000.0..7_000.0), rng.random_range(150.0..900.0));
        let strength = rng.random_range(1.0..4.0);
        sound.iter_mut().zip(part.run(&knock)).for_each(|(sum, s)| *sum += strength * s);
    }
    sound
}

/// Somebody types, one to four seconds.
pub(super) fn typing(rng: &mut SmallRng) -> Vec<f32> {
    let end = PER_MS * rng.random_range(1_000..4_000);
    let mut sound = vec![0.0; end];
    let table = rng.random_range(110.0..380.0);
    let mut at = 0;
    while at + PER_MS * 150 < end {
        let strength = from_db(rng.random_range(-10.0..0.0));
        let key: Vec<f32> = tick(rng).iter().map(|sample| strength * sample).collect();
        mix(&mut sound, at, &key);
        let mut thud = noise(rng, PER_MS * 60);
        strike(&mut thud, 1.0, 40.0);
        let thud: Vec<f32> =
            Resonator::new(table, 80.0).run(&thud).iter().map(|s| 2.0 * strength * s).collect();
        mix(&mut sound, at, &thud);
        let release: Vec<f32> = tick(rng).iter().map(|sample| 0.3 * strength * sample).collect();
        mix(&mut sound, at + PER_MS * rng.random_range(50..110), &release);
        at += PER_MS * rng.random_range(70..260);
    }
    peak_at(&mut sound, rng.random_range(-28.0..-6.0));
    sound
}

/// Air, in or out.
pub(super) fn breath(rng: &mut SmallRng) -> Vec<f32> {
    let length = PER_MS * rng.random_range(300..900);
    let air = noise(rng, length);
    let mut mouth =
        Resonator::new(rng.random_range(700.0..2_200.0), rng.random_range(600.0..1_500.0));
    let mut sound: Vec<f32> =
        mouth.run(&air).iter().zip(&air).map(|(low, all)| low + 0.1 * all).collect();
    high_pass(&mut sound, 300.0);
    swell(&mut sound, rng.random_range(0.3..0.6), rng.random_range(0.3..0.6));
    peak_at(&mut sound, rng.random_range(-40.0..-15.0));
    sound
}

/// A door falls shut.
pub(super) fn slam(rng: &mut SmallRng) -> Vec<f32> {
    let length = PER_MS * rng.random_range(200..600);
    let mut bang = noise(rng, length);
    low_pass(&mut bang, rng.random_range(400.0..1_800.0));
    strike(&mut bang, 2.0, rng.random_range(80.0..300.0));
    let mut sound = bang.clone();
    for _ in 0..3 {
        let mut board = Resonator::new(rng.random_range(50.0..260.0), rng.random_range(8.0..40.0));
        sound.iter_mut().zip(board.run(&bang)).for_each(|(sum, s)| *sum += 4.0 * s);
    }
    swell(&mut sound, 0.001, 0.2);
    peak_at(&mut sound, rng.random_range(-15.0..-1.0));
    sound
}

/// The mains, or a fan.
pub(super) fn hum(rng: &mut SmallRng) -> Vec<f32> {
    let length = PER_MS * rng.random_range(1_000..3_000);
    let base = if rng.random_bool(0.5) { 50.0 } else { 60.0 };
    let strengths: Vec<f32> =
        (1..=10_u8).map(|n| rng.random_range(0.1..1.0) / f32::from(n)).collect();
    let mut air = noise(rng, length);
    low_pass(&mut air, 300.0);
    let rush = rng.random_range(0.0..3.0);
    let mut sound: Vec<f32> = (0..length)
        .map(|at| {
            let angle = TAU * base * at as f32 / RATE;
            let tones =
                strengths.iter().zip(1..=10_u8).map(|(s, n)| s * (angle * f32::from(n)).sin());
            tones.sum::<f32>() + rush * air[at]
        })
        .collect();
    swell(&mut sound, 0.05, 0.05);
    peak_at(&mut sound, rng.random_range(-40.0..-15.0));
    sound
}
