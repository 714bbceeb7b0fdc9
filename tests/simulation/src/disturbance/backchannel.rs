//! "Mm-hmm", "uh-huh", "yeah": what listeners say without wanting the floor.
//!
//! A source of glottal pulses and breath, through the formants of a vocal tract.

use rand::{Rng as _, rngs::SmallRng};

use super::sound::{PER_MS, RATE, Resonator, high_pass, peak_at};

/// Which one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// Two hums, the lips closed.
    MmHmm,
    /// Two open vowels with a breath between them.
    UhHuh,
    /// A glide from a close front vowel to an open one.
    Yeah,
}

/// A moment of a word.
#[derive(Clone, Copy)]
struct Point {
    /// Share of the word that is over.
    at: f32,
    voice: f32,
    breath: f32,
    /// Hz, of a man's vocal tract.
    formants: [f32; 4],
    /// Of the voice's own pitch.
    pitch: f32,
}

const fn point(at: f32, voice: f32, breath: f32, pitch: f32, formants: [f32; 4]) -> Point {
    Point { at, voice, breath, formants, pitch }
}

const HUM: [f32; 4] = [260.0, 1_050.0, 2_200.0, 3_000.0];
const UH: [f32; 4] = [620.0, 1_200.0, 2_500.0, 3_400.0];
const Y: [f32; 4] = [280.0, 2_250.0, 2_900.0, 3_500.0];
const EH: [f32; 4] = [560.0, 1_800.0, 2_500.0, 3_500.0];

const MM_HMM: [Point; 6] = [
    point(0.0, 0.0, 0.0, 1.05, HUM),
    point(0.1, 0.8, 0.0, 1.0, HUM),
    point(0.4, 0.6, 0.0, 0.9, HUM),
    point(0.5, 0.05, 0.2, 0.95, HUM),
    point(0.62, 1.0, 0.0, 1.15, HUM),
    point(1.0, 0.0, 0.0, 1.25, HUM),
];
const UH_HUH: [Point; 6] = [
    point(0.0, 0.0, 0.1, 1.0, UH),
    point(0.08, 0.9, 0.0, 1.0, UH),
    point(0.38, 0.5, 0.0, 0.92, UH),
    point(0.5, 0.0, 0.6, 1.0, UH),
    point(0.6, 1.0, 0.1, 1.15, UH),
    point(1.0, 0.0, 0.0, 1.2, UH),
];
const YEAH: [Point; 5] = [
    point(0.0, 0.0, 0.0, 1.1, Y),
    point(0.12, 0.7, 0.0, 1.12, Y),
    point(0.4, 1.0, 0.0, 1.0, EH),
    point(0.75, 0.6, 0.0, 0.85, UH),
    point(1.0, 0.0, 0.05, 0.75, UH),
];

/// Says it, in a random voice: 200 to 550 ms.
pub(super) fn say(word: Word, rng: &mut SmallRng) -> Vec<f32> {
    let points: &[Point] = match word {
        Word::MmHmm => &MM_HMM,
        Word::UhHuh => &UH_HUH,
        Word::Yeah => &YEAH,
    };
    let length = PER_MS * rng.random_range(200..550);
    let pitch: f32 = rng.random_range(90.0..250.0);
    // High voices have short vocal tracts.
    let tract = 1.0 + (pitch - 90.0) / 160.0 * 0.18 + rng.random_range(-0.05..0.05);
    let mut formants = [Resonator::default(); 4];
    let (mut phase, mut period, mut pulse) = (0.0_f32, 0.0_f32, [0.0_f32; 2]);
    let mut sound: Vec<f32> = (0..length)
        .map(|index| {
            let now = between(points, index as f32 / length as f32);
            if index.is_multiple_of(120) {
                for (number, (formant, hz)) in formants.iter_mut().zip(now.formants).enumerate() {
                    formant.tune(hz * tract, [70.0, 100.0, 150.0, 220.0][number]);
                }
            }
            phase += pitch * now.pitch / RATE;
            if phase >= period {
                // No two periods of a voice are the same.
                phase -= period;
                period = 1.0 + rng.random_range(-0.015..0.015);
                pulse[0] += now.voice * rng.random_range(0.95..1.05) * (RATE / pitch).sqrt();
            }
            // The glottis closes slower than it claps: 12 dB an octave.
            pulse[0] *= 0.93;
            pulse[1] = 0.6 * pulse[1] + 0.4 * pulse[0];
            let source = pulse[1] + now.breath * rng.random_range(-1.0..1.0);
            let weights = [1.0, 0.6, 0.3, 0.15];
            formants.iter_mut().zip(weights).map(|(f, weight)| weight * f.push(source)).sum()
        })
        .collect();
    high_pass(&mut sound, 70.0);
    peak_at(&mut sound, rng.random_range(-25.0..-6.0));
    sound
}

fn between(points: &[Point], at: f32) -> Point {
    let after = points.iter().position(|point| point.at > at).unwrap_or(points.len() - 1).max(1);
    let (one, two) = (points[after - 1], points[after]);
    let share = ((at - one.at) / (two.at - one.at)).clamp(0.0, 1.0);
    let blend = |a: f32, b: f32| a + share * (b - a);
    Point {
        at,
        voice: blend(one.voice, two.voice),
        breath: blend(one.breath, two.breath),
        pitch: blend(one.pitch, two.pitch),
        formants: std::array::from_fn(|n| blend(one.formants[n], two.formants[n])),
    }
}
