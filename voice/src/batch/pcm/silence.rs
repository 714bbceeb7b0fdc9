//! The silence that a synthesizer puts around a sentence.

/// Quieter than this is silence.
const THRESHOLD: u16 = 48;

/// Silence kept behind a sentence, so that the next one does not run into it: 120 ms.
const TAIL: usize = 24 * 120;

/// The longest pause within a sentence; what is longer is let through when it is reached: 2 s.
const MAX_PAUSE: usize = 24_000 * 2;

/// Cuts silence off a sentence's beginning and end, as its samples come.
#[derive(Debug, Default)]
pub struct SilenceTrim {
    began: bool,
    /// Silence that is a pause if speech follows, and the end if not.
    pause: Vec<i16>,
}

impl SilenceTrim {
    /// Takes the next samples (24 kHz mono); gives what is certainly of the sentence.
    pub fn push(&mut self, samples: &[i16], out: &mut Vec<i16>) {
        for sample in samples {
            if sample.unsigned_abs() >= THRESHOLD {
                self.began = true;
                out.append(&mut self.pause);
                out.push(*sample);
            } else if self.began {
                self.pause.push(*sample);
                if self.pause.len() > MAX_PAUSE {
                    out.append(&mut self.pause);
                }
            }
        }
    }

    /// No more comes: gives a short end of silence.
    pub fn finish(&mut self, out: &mut Vec<i16>) {
        self.pause.truncate(TAIL);
        out.append(&mut self.pause);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_goes_at_both_ends_and_stays_in_between() {
        let mut trim = SilenceTrim::default();
        let mut out = Vec::new();
        let input = [vec![0; 5_000], vec![900; 10], vec![3; 700], vec![-900; 10], vec![0; 9_000]];
        for piece in input.concat().chunks(333) {
            trim.push(piece, &mut out);
        }
        assert_eq!(out, [vec![900; 10], vec![3; 700], vec![-900; 10]].concat());
        trim.finish(&mut out);
        assert_eq!(out.len(), 720 + TAIL);
    }

    #[test]
    fn nothing_but_silence_is_nothing() {
        let mut trim = SilenceTrim::default();
        let mut out = Vec::new();
        trim.push(&[0; 100_000], &mut out);
        trim.finish(&mut out);
        assert!(out.is_empty());
    }
}
