//! The newest samples of an endless signal, by their position in it.

/// Holds the last `size` samples; what lies before them or after the end reads as silence.
#[derive(Debug)]
pub(super) struct Ring<T> {
    cells: Box<[T]>,
    end: i64,
    /// Where in `cells` the next sample goes.
    next: usize,
}

impl<T: Copy + Default> Ring<T> {
    /// Nothing but silence. `size` in samples, at least one.
    pub(super) fn new(size: usize) -> Self {
        Self { cells: vec![T::default(); size.max(1)].into(), end: 0, next: 0 }
    }

    /// The position after the newest sample.
    pub(super) fn end(&self) -> i64 {
        self.end
    }

    pub(super) fn push(&mut self, sample: T) {
        if let Some(cell) = self.cells.get_mut(self.next) {
            *cell = sample;
        }
        self.next = if self.next + 1 < self.cells.len() { self.next + 1 } else { 0 };
        self.end += 1;
    }

    pub(super) fn extend(&mut self, samples: &[T]) {
        samples.iter().for_each(|sample| self.push(*sample));
    }

    /// Goes on at `position` with silence in between; does nothing if that lies in the past.
    pub(super) fn skip_to(&mut self, position: i64) {
        if position - self.end >= self.cells.len() as i64 {
            self.cells.fill(T::default());
            self.end = position;
            self.next = position.rem_euclid(self.cells.len() as i64) as usize;
        }
        while self.end < position {
            self.push(T::default());
        }
    }

    /// Copies the samples from `start` on.
    pub(super) fn read(&self, start: i64, out: &mut [T]) {
        let size = self.cells.len() as i64;
        let wanted = start..start + out.len() as i64;
        let first = wanted.start.max(self.end - size).min(wanted.end);
        let last = wanted.end.min(self.end).max(first);
        let (before, rest) = out.split_at_mut((first - wanted.start) as usize);
        let (held, after) = rest.split_at_mut((last - first) as usize);
        before.fill(T::default());
        after.fill(T::default());
        let at = first.rem_euclid(size) as usize;
        let head = held.len().min(self.cells.len() - at);
        let (one, two) = held.split_at_mut(head);
        one.copy_from_slice(&self.cells[at..at + head]);
        two.copy_from_slice(&self.cells[..two.len()]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(ring: &Ring<i16>, start: i64, length: usize) -> Vec<i16> {
        let mut out = vec![-1; length];
        ring.read(start, &mut out);
        out
    }

    #[test]
    fn the_newest_samples_are_read_by_position_and_all_else_is_silence() {
        let mut ring = Ring::new(4);
        assert_eq!(read(&ring, -2, 3), [0; 3]);
        (1..=6).for_each(|sample| ring.push(sample));
        assert_eq!(ring.end(), 6);
        assert_eq!(read(&ring, 0, 8), [0, 0, 3, 4, 5, 6, 0, 0]);
        assert_eq!(read(&ring, 3, 2), [4, 5]);
        assert_eq!(read(&ring, 9, 2), [0, 0]);
        assert_eq!(read(&ring, -9, 2), [0, 0]);
    }

    #[test]
    fn a_gap_is_silence_of_its_length() {
        let mut ring = Ring::new(4);
        ring.push(7);
        ring.skip_to(3);
        assert_eq!((read(&ring, 0, 3), ring.end()), (vec![7, 0, 0], 3));
        ring.skip_to(2);
        assert_eq!(ring.end(), 3);
        ring.skip_to(1_000_000);
        ring.push(9);
        assert_eq!(read(&ring, 999_998, 4), [0, 0, 9, 0]);
    }
}
