//! Ears.

use clawvoice_session::{SessionTime, UserId};
use clawvoice_voice::call::Hear;

/// Hears nothing.
pub(crate) struct Deaf;

impl Hear for Deaf {
    fn speaking_started(&mut self, _: SessionTime, _: UserId) {}
    fn audio(&mut self, _: SessionTime, _: UserId, _: &[i16]) {}
    fn speaking_stopped(&mut self, _: SessionTime, _: UserId) {}
}

/// What was heard, in a few numbers: sides that heard the same have the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sum {
    pub(crate) frames: u64,
    pub(crate) samples: u64,
    /// Frames with a sample beyond [`QUIET`].
    pub(crate) loud: u64,
    sum: i64,
}

/// The largest sample of what still counts as silence, of 32,768.
const QUIET: u16 = 32;

impl Sum {
    /// One frame, of any number of channels.
    pub(crate) fn add(&mut self, pcm: &[i16]) {
        let (mut sum, mut peak) = (0, 0);
        for sample in pcm {
            sum += i64::from(*sample);
            peak = peak.max(sample.unsigned_abs());
        }
        self.frames += 1;
        self.samples += pcm.len() as u64;
        self.sum += sum;
        self.loud += u64::from(peak > QUIET);
    }
}

impl Hear for Sum {
    fn speaking_started(&mut self, _: SessionTime, _: UserId) {}
    fn audio(&mut self, _: SessionTime, _: UserId, pcm: &[i16]) {
        self.add(pcm);
    }
    fn speaking_stopped(&mut self, _: SessionTime, _: UserId) {}
}
