//! The file that a segment is transcribed from.
//!
//! 24 kHz mono, as the call hears it: OpenClaw writes 48 kHz stereo, four times the bytes with no
//! more in them, and every transcriber goes down to 16 kHz mono first.

use std::io::Cursor;

/// What the file may be: transcribers take 25 MB, OpenClaw sends 20 MiB at most.
pub(super) const MAX_BYTES: usize = 20 * 1_024 * 1_024;

/// Of these, the header.
pub(super) const HEADER_BYTES: usize = 44;

/// 24 kHz mono samples as a WAV file.
pub(super) fn write(pcm: &[i16]) -> Vec<u8> {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 24_000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut file = Cursor::new(Vec::with_capacity(HEADER_BYTES + pcm.len() * 2));
    let written = hound::WavWriter::new(&mut file, spec).and_then(|mut writer| {
        let mut samples = writer.get_i16_writer(u32::try_from(pcm.len()).unwrap_or(u32::MAX));
        for sample in pcm {
            samples.write_sample(*sample);
        }
        samples.flush()?;
        writer.finalize()
    });
    written.expect("memory takes every write, and a segment fits a WAV file");
    file.into_inner()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_is_a_wav_file_with_a_plain_header() {
        let pcm: Vec<i16> = (0..4_800).map(|n| n - 2_400).collect();
        let file = write(&pcm);
        assert_eq!(file.len(), HEADER_BYTES + pcm.len() * 2);
        let mut reader = hound::WavReader::new(Cursor::new(file)).unwrap();
        let spec = reader.spec();
        assert_eq!((spec.channels, spec.sample_rate, spec.bits_per_sample), (1, 24_000, 16));
        assert_eq!(reader.samples::<i16>().map(Result::unwrap).collect::<Vec<_>>(), pcm);
    }
}
