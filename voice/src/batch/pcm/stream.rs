//! A synthesizer's answer: headerless PCM (24 kHz, 16 bit, mono), or a WAV file of any usual rate.
//!
//! Nothing is assumed of where pieces are cut, and a WAV file need not know its own length, as one
//! that is written while it is made does not.

use super::resample::{RATE, Resampler};

/// The largest WAV header looked through for its `data` chunk.
const MAX_HEADER: usize = 64 * 1_024;

/// Format tags of a WAV file: integer PCM, and the one that says it further down.
const FORMAT_PCM: u16 = 1;
const FORMAT_EXTENSIBLE: u16 = 0xFFFE;

/// An answer that cannot be played.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnusableAudio {
    /// Not what was asked for.
    #[error("the synthesizer sent {0}, not PCM or WAV")]
    Format(&'static str),
    /// A WAV file with something else than 16-bit PCM of at most eight channels.
    #[error("the synthesizer sent a WAV file that is not 16-bit PCM")]
    Encoding,
    /// A WAV file at a rate that is not converted.
    #[error("the synthesizer sent a WAV file at {0} Hz")]
    Rate(u32),
    /// A WAV file without audio in its first 64 KiB.
    #[error("the synthesizer sent a WAV file without a data chunk")]
    NoData,
}

/// Reads an answer as it comes.
#[derive(Debug, Default)]
pub struct PcmStream {
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    /// What it is is not known yet, or the header is not whole.
    Header(Vec<u8>),
    Samples(Samples),
}

impl Default for Stage {
    fn default() -> Self {
        Self::Header(Vec::new())
    }
}

#[derive(Debug)]
struct Samples {
    channels: usize,
    /// Bytes of the `data` chunk still to come, if its length is known.
    left: Option<usize>,
    /// The beginning of a frame that is not whole.
    carry: Vec<u8>,
    resampler: Option<Resampler>,
}

/// What a WAV header says.
struct Header {
    /// Where samples begin.
    at: usize,
    channels: usize,
    rate: u32,
    length: Option<usize>,
}

impl PcmStream {
    /// Takes the next bytes; adds the 24 kHz mono samples they complete to `out`.
    ///
    /// # Errors
    ///
    /// If the answer is no audio that can be played; nothing of it is to be pushed any more.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<i16>) -> Result<(), UnusableAudio> {
        match &mut self.stage {
            Stage::Samples(samples) => samples.push(bytes, out),
            Stage::Header(header) => {
                header.extend_from_slice(bytes);
                let (samples, at) = match begin(header)? {
                    Some(begun) => begun,
                    None => return Ok(()),
                };
                let header = std::mem::take(header);
                self.stage = Stage::Samples(samples);
                if let Stage::Samples(samples) = &mut self.stage {
                    samples.push(header.get(at..).unwrap_or_default(), out);
                }
            }
        }
        Ok(())
    }

    /// No more bytes come: gives what is still held. A byte that is no sample is dropped.
    ///
    /// # Errors
    ///
    /// If a WAV file ended in its header.
    pub fn finish(&mut self, out: &mut Vec<i16>) -> Result<(), UnusableAudio> {
        match &mut self.stage {
            Stage::Samples(samples) => samples.finish(out),
            Stage::Header(header) if header.starts_with(b"RIFF") => {
                return Err(UnusableAudio::NoData);
            }
            Stage::Header(header) => {
                let mut samples = Samples::raw();
                samples.push(&std::mem::take(header), out);
            }
        }
        Ok(())
    }
}

/// What the answer is, and where its samples begin; `None`: more bytes are needed to tell.
fn begin(bytes: &[u8]) -> Result<Option<(Samples, usize)>, UnusableAudio> {
    if bytes.len() < 4 {
        return Ok(None);
    }
    let other = match bytes {
        [b'I', b'D', b'3', ..] => Some("MP3"),
        [b'O', b'g', b'g', b'S', ..] => Some("Ogg"),
        [b'f', b'L', b'a', b'C', ..] => Some("FLAC"),
        _ => None,
    };
    if let Some(other) = other {
        return Err(UnusableAudio::Format(other));
    }
    if !bytes.starts_with(b"RIFF") {
        return Ok(Some((Samples::raw(), 0)));
    }
    let Some(header) = wav_header(bytes)? else {
        return if bytes.len() > MAX_HEADER { Err(UnusableAudio::NoData) } else { Ok(None) };
    };
    let resampler = match header.rate {
        RATE => None,
        rate => Some(Resampler::new(rate).ok_or(UnusableAudio::Rate(rate))?),
    };
    let samples =
        Samples { channels: header.channels, left: header.length, carry: Vec::new(), resampler };
    Ok(Some((samples, header.at)))
}

/// Walks the chunks up to `data`; `None`: it has not come yet.
fn wav_header(bytes: &[u8]) -> Result<Option<Header>, UnusableAudio> {
    let mut at = 12;
    let mut format = None;
    loop {
        let (Some(id), Some(length)) = (array::<4>(bytes, at), array::<4>(bytes, at + 4)) else {
            return Ok(None);
        };
        let length = u32::from_le_bytes(length) as usize;
        let body = at + 8;
        match &id {
            b"data" => {
                let (channels, rate) = format.ok_or(UnusableAudio::Encoding)?;
                // Whoever writes while reading does not know: 0, or as much as there can be.
                let length = (length != 0 && length < 0x7FFF_0000).then_some(length);
                return Ok(Some(Header { at: body, channels, rate, length }));
            }
            b"fmt " => {
                let (Some(head), Some(bits)) =
                    (array::<8>(bytes, body), array::<2>(bytes, body + 14))
                else {
                    return Ok(None);
                };
                let [tag_low, tag_high, channels_low, channels_high, rate @ ..] = head;
                let tag = u16::from_le_bytes([tag_low, tag_high]);
                let channels = u16::from_le_bytes([channels_low, channels_high]);
                let is_pcm = tag == FORMAT_PCM || tag == FORMAT_EXTENSIBLE;
                if !is_pcm || !(1..=8).contains(&channels) || u16::from_le_bytes(bits) != 16 {
                    return Err(UnusableAudio::Encoding);
                }
                format = Some((usize::from(channels), u32::from_le_bytes(rate)));
            }
            _ => {}
        }
        // Chunks begin at even offsets.
        at = body.saturating_add(length).saturating_add(length % 2);
    }
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at.checked_add(N)?)?.try_into().ok()
}

impl Samples {
    const fn raw() -> Self {
        Self { channels: 1, left: None, carry: Vec::new(), resampler: None }
    }

    fn push(&mut self, bytes: &[u8], out: &mut Vec<i16>) {
        let wanted = self.left.map_or(bytes.len(), |left| left.min(bytes.len()));
        if let Some(left) = &mut self.left {
            *left -= wanted;
        }
        self.carry.extend_from_slice(bytes.get(..wanted).unwrap_or_default());
        let frame = 2 * self.channels;
        let frames = self.carry.chunks_exact(frame);
        let rest = frames.remainder().to_vec();
        let mono = frames.map(|frame| {
            let sum: i32 = frame
                .chunks_exact(2)
                .map(|pair| match pair {
                    [low, high] => i32::from(i16::from_le_bytes([*low, *high])),
                    _ => 0,
                })
                .sum();
            (sum / self.channels as i32) as i16
        });
        match &mut self.resampler {
            None => out.extend(mono),
            Some(resampler) => resampler.push(&mono.collect::<Vec<i16>>(), out),
        }
        self.carry = rest;
    }

    fn finish(&mut self, out: &mut Vec<i16>) {
        if let Some(resampler) = &mut self.resampler {
            resampler.finish(out);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(pieces: &[&[u8]]) -> Result<Vec<i16>, UnusableAudio> {
        let mut stream = PcmStream::default();
        let mut out = Vec::new();
        for piece in pieces {
            stream.push(piece, &mut out)?;
        }
        stream.finish(&mut out)?;
        Ok(out)
    }

    fn bytes(pcm: &[i16]) -> Vec<u8> {
        pcm.iter().flat_map(|sample| sample.to_le_bytes()).collect()
    }

    /// A WAV file of 16-bit samples, with a chunk before its data and one behind it.
    fn wav(rate: u32, channels: u16, pcm: &[i16], length: Option<u32>) -> Vec<u8> {
        let data = bytes(pcm);
        let mut file = b"RIFF\xFF\xFF\xFF\xFFWAVEfmt \x10\0\0\0\x01\0".to_vec();
        file.extend(channels.to_le_bytes());
        file.extend(rate.to_le_bytes());
        file.extend((rate * 2 * u32::from(channels)).to_le_bytes());
        file.extend((2 * channels).to_le_bytes());
        file.extend(16_u16.to_le_bytes());
        file.extend(b"LIST\x03\0\0\0abc\0data");
        file.extend(length.unwrap_or(data.len() as u32).to_le_bytes());
        file.extend(data);
        file
    }

    #[test]
    fn headerless_pcm_is_taken_as_it_is() {
        let pcm = [1, -2, 3, 400, -32_768];
        let raw = bytes(&pcm);
        assert_eq!(read(&[&raw]).unwrap(), pcm);
        let single: Vec<&[u8]> = raw.chunks(1).collect();
        assert_eq!(read(&single).unwrap(), pcm);
        assert_eq!(read(&[&raw[..3]]).unwrap(), [1], "half a sample is none");
        assert_eq!(read(&[&raw[..9]]).unwrap(), pcm[..4]);
        assert_eq!(read(&[]), Ok(Vec::new()));
    }

    #[test]
    fn a_wav_file_is_read_to_the_end_of_its_data() {
        let pcm = [100, 200, -300, 400];
        let mut file = wav(24_000, 1, &pcm, None);
        file.extend(b"LIST\x04\0\0\0junk");
        assert_eq!(read(&[&file]).unwrap(), pcm);
        assert_eq!(read(&[&wav(24_000, 2, &pcm, None)]).unwrap(), [150, 50], "to one channel");
    }

    #[test]
    fn a_wav_file_need_not_know_its_length() {
        let pcm = [100, 200, -300, 400];
        for length in [0, 0x7FFF_F000, u32::MAX] {
            assert_eq!(read(&[&wav(24_000, 1, &pcm, Some(length))]).unwrap(), pcm, "{length:x}");
        }
    }

    #[test]
    fn other_rates_are_converted() {
        let out = read(&[&wav(22_050, 1, &[5_000; 22_050], None)]).unwrap();
        assert_eq!(out.len(), 24_000);
        assert!(out[200..23_800].iter().all(|s| (4_995..=5_005).contains(s)));
    }

    #[test]
    fn what_cannot_be_played_says_so() {
        assert_eq!(read(&[b"ID3\x04rest"]), Err(UnusableAudio::Format("MP3")));
        assert_eq!(read(&[b"OggS\0\0"]), Err(UnusableAudio::Format("Ogg")));
        assert_eq!(read(&[&wav(24_000, 0, &[], None)]), Err(UnusableAudio::Encoding));
        assert_eq!(read(&[&wav(7, 1, &[1], None)]), Err(UnusableAudio::Rate(7)));
        assert_eq!(read(&[b"RIFF\0\0\0\0WAVE"]), Err(UnusableAudio::NoData));
        let mut endless = b"RIFF\0\0\0\0WAVEjunk\xFF\xFF\xFF\x7F".to_vec();
        endless.resize(MAX_HEADER + 1, 0);
        assert_eq!(read(&[&endless]), Err(UnusableAudio::NoData));
    }

    proptest! {
        #[test]
        fn pieces_do_not_matter(
            rate in prop_oneof![Just(24_000_u32), Just(22_050), Just(44_100)],
            channels in 1_u16..3,
            pcm in proptest::collection::vec(any::<i16>(), 0..300),
            size in 1_usize..50,
        ) {
            let file = wav(rate, channels, &pcm, None);
            let pieces: Vec<&[u8]> = file.chunks(size).collect();
            prop_assert_eq!(read(&pieces), read(&[&file]));
        }

        #[test]
        fn any_bytes_end_in_samples_or_an_error(data: Vec<u8>, wav_like: bool, size in 1_usize..40) {
            let mut bytes = if wav_like { b"RIFF\0\0\0\0WAVE".to_vec() } else { Vec::new() };
            bytes.extend(data);
            let pieces: Vec<&[u8]> = bytes.chunks(size).collect();
            let _ = read(&pieces);
        }
    }
}
