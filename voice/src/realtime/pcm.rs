//! Samples as base64 text: 16 bit, little endian, in whatever pieces a provider sends them.

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose::STANDARD},
};

/// Items of which a stray byte is kept for the next piece; more are forgotten, oldest first.
const MAX_CARRIES: usize = 8;

/// Samples that fill whole base64 groups, so that a frame is encoded piece by piece without
/// padding inside.
const PIECE: usize = 480;

/// Base64 with or without padding, as compatible servers differ in it.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// How long the text of [`push_base64`] is, in bytes.
pub(super) fn base64_len(pcm: &[i16]) -> usize {
    (pcm.len() * 2).div_ceil(3) * 4
}

/// Appends samples as base64. Allocates nothing if there is room.
pub(super) fn push_base64(pcm: &[i16], text: &mut String) {
    for piece in pcm.chunks(PIECE) {
        let mut bytes = [0_u8; PIECE * 2];
        for (pair, sample) in bytes.chunks_exact_mut(2).zip(piece) {
            pair.copy_from_slice(&sample.to_le_bytes());
        }
        STANDARD.encode_string(bytes.split_at(piece.len() * 2).0, text);
    }
}

/// Reads the pieces of items' audio; carries the odd byte of one to the next of the same item.
#[derive(Debug, Default)]
pub(super) struct PcmReader {
    carries: Vec<(String, u8)>,
}

impl PcmReader {
    /// The samples of a piece; `None`: it is not base64.
    pub(super) fn read(&mut self, item: &str, payload: &str) -> Option<Vec<i16>> {
        let bytes = BASE64.decode(payload).ok()?;
        Some(self.samples(item, &bytes))
    }

    fn samples(&mut self, item: &str, bytes: &[u8]) -> Vec<i16> {
        let mut pcm = Vec::with_capacity(bytes.len() / 2 + 1);
        let mut rest = bytes;
        if let Some(at) = self.carries.iter().position(|(of, _)| of == item)
            && let Some((second, tail)) = rest.split_first()
        {
            let (_, first) = self.carries.remove(at);
            pcm.push(i16::from_le_bytes([first, *second]));
            rest = tail;
        }
        let pairs = rest.chunks_exact(2);
        if let [stray] = pairs.remainder() {
            if self.carries.len() == MAX_CARRIES {
                self.carries.remove(0);
            }
            self.carries.push((item.to_owned(), *stray));
        }
        for pair in pairs {
            if let [low, high] = pair {
                pcm.push(i16::from_le_bytes([*low, *high]));
            }
        }
        pcm
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn however_audio_is_cut_no_byte_is_lost(
            pcm in proptest::collection::vec(any::<i16>(), 0..200),
            cuts in proptest::collection::vec(0_usize..400, 0..10),
        ) {
            let bytes: Vec<u8> = pcm.iter().flat_map(|s| s.to_le_bytes()).collect();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|c| c.min(bytes.len())).collect();
            cuts.push(0);
            cuts.push(bytes.len());
            cuts.sort_unstable();
            let mut reader = PcmReader::default();
            let mut back = Vec::new();
            for pair in cuts.windows(2) {
                back.extend(reader.samples("item", &bytes[pair[0]..pair[1]]));
            }
            prop_assert_eq!(back, pcm);
        }

        #[test]
        fn what_is_written_is_read_back(pcm in proptest::collection::vec(any::<i16>(), 0..2_000)) {
            let mut text = String::new();
            push_base64(&pcm, &mut text);
            prop_assert_eq!(text.len(), base64_len(&pcm));
            prop_assert_eq!(PcmReader::default().read("item", &text), Some(pcm));
        }
    }
}
