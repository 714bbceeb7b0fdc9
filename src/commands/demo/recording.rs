//! Recordings: read, cut, laid one after the other.

use std::{
    io::{Cursor, Read},
    path::Path,
};

use hound::{SampleFormat, WavReader, WavSpec, WavWriter};

use crate::printer::Failure;

/// The longest pause that is kept between two parts of a recording, in milliseconds.
const MOST_PAUSE_MS: u64 = 600_000;

/// 16-bit mono.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Recording {
    /// Hz.
    pub(super) rate: u32,
    pub(super) samples: Vec<i16>,
}

impl Recording {
    /// Reads a file.
    pub(super) fn open(path: &Path) -> Result<Self, Failure> {
        let bytes = std::fs::read(path).map_err(|error| unusable(&path.display(), &error))?;
        Self::read(Cursor::new(bytes)).map_err(|error| unusable(&path.display(), &error))
    }

    /// Reads the bytes of a file.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, Failure> {
        Self::read(Cursor::new(bytes)).map_err(|error| unusable(&"a recording", &error))
    }

    fn read(bytes: impl Read) -> Result<Self, hound::Error> {
        let reader = WavReader::new(bytes)?;
        let spec = reader.spec();
        if (spec.channels, spec.bits_per_sample, spec.sample_format) != (1, 16, SampleFormat::Int) {
            return Err(hound::Error::FormatError("expected 16-bit mono"));
        }
        let samples = reader.into_samples().collect::<Result<_, _>>()?;
        Ok(Self { rate: spec.sample_rate, samples })
    }

    /// Writes a file.
    pub(super) fn write(&self, path: &Path) -> Result<(), Failure> {
        let spec = WavSpec {
            channels: 1,
            sample_rate: self.rate,
            bits_per_sample: 16,
            sample_format: SampleFormat::Int,
        };
        let written = WavWriter::create(path, spec).and_then(|mut writer| {
            self.samples.iter().try_for_each(|sample| writer.write_sample(*sample))?;
            writer.finalize()
        });
        written.map_err(|error| unusable(&path.display(), &error))
    }

    /// The samples `from..to` and up to half a second before and after them.
    pub(super) fn around(&self, from: u64, to: u64) -> Self {
        let margin = u64::from(self.rate / 2);
        self.cut(from.saturating_sub(margin), to.saturating_add(margin))
    }

    /// The samples `from..to`, as far as there are any.
    pub(super) fn cut(&self, from: u64, to: u64) -> Self {
        let at =
            |sample: u64| usize::try_from(sample).unwrap_or(usize::MAX).min(self.samples.len());
        let samples = self.samples.get(at(from)..at(to)).unwrap_or_default().to_vec();
        Self { rate: self.rate, samples }
    }

    /// Without the samples from `out` on that lie before `back`; what faded out at `out` and what
    /// fades in at `back` is laid over each other for as long as the former lasts, `overlap`
    /// samples.
    pub(super) fn without_pause(&self, out: u64, back: u64, overlap: u64) -> Self {
        let mut joined = self.cut(0, out).samples;
        let faded = self.cut(out, out.saturating_add(overlap).min(back)).samples;
        let mut rest = self.cut(back, u64::MAX).samples;
        for (sample, over) in rest.iter_mut().zip(faded) {
            *sample = sample.saturating_add(over);
        }
        joined.append(&mut rest);
        Self { rate: self.rate, samples: joined }
    }

    /// This recording and one that began `later_ms` after it, on one time axis.
    pub(super) fn then(mut self, later_ms: u64, next: &Self) -> Self {
        let begins = later_ms.min(MOST_PAUSE_MS) * u64::from(self.rate) / 1000;
        let begins = usize::try_from(begins).unwrap_or(usize::MAX).max(self.samples.len());
        self.samples.resize(begins, 0);
        self.samples.extend(&next.samples);
        self
    }
}

fn unusable(what: &dyn std::fmt::Display, error: &dyn std::fmt::Display) -> Failure {
    Failure::unexpected(format_args!("{what}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recording(samples: &[i16]) -> Recording {
        Recording { rate: 10, samples: samples.to_vec() }
    }

    #[test]
    fn what_is_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.wav");
        let one = Recording { rate: 24_000, samples: vec![1, -2, 3] };
        one.write(&path).unwrap();
        assert_eq!(Recording::open(&path).unwrap(), one);
        assert_eq!(Recording::parse(&std::fs::read(&path).unwrap()).unwrap(), one);
        assert!(Recording::parse(b"RIFF").is_err());
    }

    #[test]
    fn a_cut_ends_where_the_recording_does() {
        let one = recording(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
        assert_eq!(one.cut(2, 4).samples, [2, 3]);
        assert_eq!(one.cut(11, 99).samples, [11, 12]);
        assert_eq!(one.cut(99, 100).samples, [0; 0]);
        assert_eq!(one.around(7, 8).samples, [2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
    }

    #[test]
    fn a_pause_is_taken_out_and_its_two_fades_add_up() {
        let whole = recording(&[1, 2, 30, 10, 0, 0, 0, 0, 20, 50, 6]);
        assert_eq!(whole.without_pause(3, 9, 2).samples, [1, 2, 30, 60, 6]);
        let whole = recording(&[1, 2, 30, 10, 0, 0, 20, 40]);
        assert_eq!(whole.without_pause(2, 6, 2).samples, [1, 2, 50, 50]);
        assert_eq!(whole.without_pause(9, 99, 2).samples, whole.samples);
    }

    #[test]
    fn a_later_part_is_in_its_place() {
        let joined = recording(&[1, 2]).then(500, &recording(&[9]));
        assert_eq!(joined.samples, [1, 2, 0, 0, 0, 9]);
        let joined = recording(&[1, 2]).then(0, &recording(&[9]));
        assert_eq!(joined.samples, [1, 2, 9]);
    }
}
