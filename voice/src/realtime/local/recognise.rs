//! Transcripts for known recordings. No speech recogniser: speech is compared with recordings by
//! its length and by how its loudness moves, which is enough to tell a handful of fixtures apart
//! after Opus, packet loss and the VAD's cut. Two recordings of the same rhythm are the same to it,
//! and a stranger's sentence is, with luck, like none of them.

use super::SAMPLES_PER_MS;

/// One value of an envelope.
const FRAME: usize = 20 * SAMPLES_PER_MS;

/// Below this part of the loudest frame is silence at the edges.
const EDGE: f32 = 0.08;

/// Most frames by which one envelope is moved against the other: 200 ms.
const MAX_LAG: usize = 10;

/// How alike two envelopes must be, as a correlation.
const MIN_LIKENESS: f32 = 0.75;

/// Longest difference of two lengths, as a part of the recording's.
const MAX_STRETCH: f32 = 0.2;

/// Known recordings and their words.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Recogniser {
    known: Vec<(Vec<f32>, String)>,
}

impl Recogniser {
    /// Learns a recording, 24 kHz mono.
    pub fn learn(&mut self, samples: &[i16], words: String) {
        self.known.push((envelope(samples), words));
    }

    /// The words of the recording that `samples` are most like, if any is like enough.
    #[must_use]
    pub fn recognise(&self, samples: &[i16]) -> Option<&str> {
        let heard = envelope(samples);
        self.known
            .iter()
            .map(|(known, words)| (likeness(known, &heard), words))
            .filter(|(likeness, _)| *likeness >= MIN_LIKENESS)
            .max_by(|(a, _), (b, _)| a.total_cmp(b))
            .map(|(_, words)| words.as_str())
    }
}

/// Root mean square of each 20 ms, without silence at the edges.
fn envelope(samples: &[i16]) -> Vec<f32> {
    let energy = |frame: &[i16]| frame.iter().map(|s| f32::from(*s).powi(2)).sum::<f32>();
    let mut levels: Vec<f32> =
        samples.chunks(FRAME).map(|frame| (energy(frame) / frame.len() as f32).sqrt()).collect();
    let floor = EDGE * levels.iter().copied().fold(0.0, f32::max);
    let end = levels.iter().rposition(|level| *level > floor).map_or(0, |last| last + 1);
    levels.truncate(end);
    let start = levels.iter().position(|level| *level > floor).unwrap_or(end);
    levels.drain(..start);
    levels
}

/// The best correlation over all shifts; 0 if the lengths differ too much.
fn likeness(known: &[f32], heard: &[f32]) -> f32 {
    let stretch = known.len().abs_diff(heard.len()) as f32;
    if known.is_empty() || stretch > MAX_STRETCH * known.len() as f32 + 2.0 {
        return 0.0;
    }
    (0..=MAX_LAG)
        .flat_map(|lag| [(lag, 0), (0, lag)])
        .map(|(of_known, of_heard)| {
            correlation(
                known.get(of_known..).unwrap_or_default(),
                heard.get(of_heard..).unwrap_or_default(),
            )
        })
        .fold(0.0, f32::max)
}

fn correlation(a: &[f32], b: &[f32]) -> f32 {
    let length = a.len().min(b.len());
    if length < 5 {
        return 0.0;
    }
    let (a, b) = (a.get(..length).unwrap_or_default(), b.get(..length).unwrap_or_default());
    let mean = |levels: &[f32]| levels.iter().sum::<f32>() / length as f32;
    let (mean_a, mean_b) = (mean(a), mean(b));
    let (mut both, mut of_a, mut of_b) = (0.0, 0.0, 0.0);
    for (a, b) in a.iter().zip(b) {
        both += (a - mean_a) * (b - mean_b);
        of_a += (a - mean_a).powi(2);
        of_b += (b - mean_b).powi(2);
    }
    if of_a * of_b > 0.0 { both / (of_a * of_b).sqrt() } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::realtime::local::read_wav;

    fn fixtures() -> Vec<(&'static str, Vec<i16>)> {
        let read = |bytes: &[u8]| read_wav(bytes).expect("a WAV");
        vec![
            ("ask", read(include_bytes!("../../../../fixtures/audio/ask.wav"))),
            ("second", read(include_bytes!("../../../../fixtures/audio/second.wav"))),
            ("interrupt", read(include_bytes!("../../../../fixtures/audio/interrupt.wav"))),
        ]
    }

    fn recogniser() -> Recogniser {
        let mut recogniser = Recogniser::default();
        for (words, samples) in fixtures() {
            recogniser.learn(&samples, words.to_owned());
        }
        recogniser
    }

    #[test]
    fn a_recording_is_known_again_when_it_is_quieter_padded_and_has_gaps() {
        for (words, samples) in fixtures() {
            let mut heard = vec![3; 24 * 310];
            heard.extend(samples.iter().map(|sample| sample / 3));
            heard.extend(vec![-2; 24 * 500]);
            // Every 50th packet is lost.
            for lost in heard.chunks_mut(FRAME).step_by(50) {
                lost.fill(0);
            }
            assert_eq!(recogniser().recognise(&heard), Some(words));
        }
    }

    #[test]
    fn something_else_is_not_known() {
        let (_, ask) = fixtures().remove(0);
        for heard in [
            vec![],
            vec![0; 48_000],
            ask[..ask.len() / 2].to_vec(),
            ask.iter().rev().copied().collect(),
            ask.repeat(2),
        ] {
            assert_eq!(recogniser().recognise(&heard), None, "{} samples", heard.len());
        }
        assert_eq!(Recogniser::default().recognise(&ask), None);
    }
}
