//! A speaker's audio that is held back until it is known whether they want the floor.

use std::collections::VecDeque;

/// The most that is held while a sound is judged, in samples: longer than a judgement takes.
const MOST: usize = 5 * 24_000;
/// The most that is held of a sound that is not judged any more: what comes before a voice is
/// recognised in it.
const LEAD_IN: usize = 1_500 * 24;

/// Audio, 24 kHz mono; the oldest is dropped first.
#[derive(Debug, Default)]
pub(super) struct HeldAudio {
    pcm: VecDeque<i16>,
}

impl HeldAudio {
    /// Keeps audio; gives how many samples were dropped for it.
    pub(super) fn keep(&mut self, pcm: &[i16]) -> usize {
        self.pcm.extend(pcm);
        self.shorten(MOST)
    }

    /// The sound is not judged any more: only what may be the beginning of a voice is kept.
    pub(super) fn keep_lead_in(&mut self) {
        self.shorten(LEAD_IN);
    }

    fn shorten(&mut self, most: usize) -> usize {
        let excess = self.pcm.len().saturating_sub(most);
        self.pcm.drain(..excess);
        excess
    }

    /// Drops all of it unheard.
    pub(super) fn clear(&mut self) {
        self.pcm.clear();
    }

    /// Takes all of it out.
    pub(super) fn take(&mut self) -> Vec<i16> {
        self.pcm.drain(..).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_is_dropped_first() {
        let mut held = HeldAudio::default();
        for n in 0..250 {
            assert_eq!(held.keep(&[n; 480]), 0);
        }
        assert_eq!(held.keep(&[250; 480]), 480);
        let pcm = held.take();
        assert_eq!((pcm.len(), pcm[0], pcm[119_999]), (120_000, 1, 250));
        assert!(held.take().is_empty());
    }

    #[test]
    fn of_noise_the_last_second_and_a_half_is_kept() {
        let mut held = HeldAudio::default();
        for n in 0..100 {
            held.keep(&[n; 480]);
            held.keep_lead_in();
        }
        let pcm = held.take();
        assert_eq!((pcm.len(), pcm[0]), (36_000, 25));
        held.keep(&[1]);
        held.clear();
        assert!(held.take().is_empty());
    }
}
