//! The input audio buffer: what was appended and is not yet committed.

use std::collections::VecDeque;

use super::SAMPLES_PER_MS;

/// Most audio that is kept uncommitted: ten minutes. Beyond it the oldest is dropped.
const MAX_SAMPLES: usize = 10 * 60 * 1_000 * SAMPLES_PER_MS;

/// Samples by their offset since the session's first one.
#[derive(Debug, Default)]
pub(super) struct InputBuffer {
    samples: VecDeque<i16>,
    /// Offset of the first kept sample.
    start: u64,
    /// First half of a sample whose second half is still to come.
    half: Option<u8>,
}

impl InputBuffer {
    /// Appends little-endian bytes and returns the samples they complete. An odd byte waits for
    /// the next append.
    pub(super) fn append(&mut self, bytes: &[u8]) -> Vec<i16> {
        let mut added = Vec::with_capacity(bytes.len() / 2 + 1);
        for byte in bytes {
            match self.half.take() {
                Some(low) => added.push(i16::from_le_bytes([low, *byte])),
                None => self.half = Some(*byte),
            }
        }
        self.samples.extend(&added);
        let surplus = self.samples.len().saturating_sub(MAX_SAMPLES);
        self.drop_before(self.start + surplus as u64);
        added
    }

    /// Offset of the first kept sample.
    pub(super) fn start(&self) -> u64 {
        self.start
    }

    /// Offset after the last sample.
    pub(super) fn end(&self) -> u64 {
        self.start + self.samples.len() as u64
    }

    /// Removes everything before `to` and returns the part of it from `from` on.
    pub(super) fn take(&mut self, from: u64, to: u64) -> Vec<i16> {
        self.drop_before(from);
        let count = to.saturating_sub(self.start).min(self.samples.len() as u64);
        self.start += count;
        self.samples.drain(..count as usize).collect()
    }

    /// Forgets what lies before `offset`.
    pub(super) fn drop_before(&mut self, offset: u64) {
        let count = offset.saturating_sub(self.start).min(self.samples.len() as u64);
        self.samples.drain(..count as usize);
        self.start += count;
    }

    /// Forgets everything; offsets go on.
    pub(super) fn clear(&mut self) {
        self.start = self.end();
        self.samples.clear();
        self.half = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stray_byte_joins_the_next_append() {
        let mut input = InputBuffer::default();
        assert_eq!(input.append(&[1, 0, 2]), [1]);
        assert_eq!(input.append(&[0]), [2]);
        assert_eq!((input.start(), input.end()), (0, 2));
    }

    #[test]
    fn offsets_survive_taking_and_clearing() {
        let mut input = InputBuffer::default();
        input.append(&[1, 0, 2, 0, 3, 0, 4, 0]);
        assert_eq!(input.take(1, 3), [2, 3]);
        assert_eq!((input.start(), input.end()), (3, 4));
        assert_eq!(input.take(0, 99), [4]);
        input.append(&[5, 0]);
        input.clear();
        assert_eq!((input.start(), input.end()), (5, 5));
        assert_eq!(input.take(0, 1), Vec::<i16>::new());
    }

    #[test]
    fn the_oldest_goes_first() {
        let mut input = InputBuffer::default();
        input.append(&vec![0; 2 * MAX_SAMPLES]);
        input.append(&[9, 0]);
        assert_eq!((input.start(), input.end()), (1, MAX_SAMPLES as u64 + 1));
    }
}
