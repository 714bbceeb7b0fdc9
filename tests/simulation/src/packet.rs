//! Voice packets as the voice server forwards them: RTP header, extension and padding now and
//! then, sealed with the receiver's key.
//!
//! Written without `clawvoice-voice`: an error made twice in the same file would cancel itself
//! out. Sources: RFC 3550 (RTP), RFC 8285 (extensions), Discord "Voice Connections"
//! (`aead_aes256_gcm_rtpsize`).

use aes_gcm::{
    Aes256Gcm,
    aead::{AeadInPlace, KeyInit},
};
use rand::{Rng, rngs::SmallRng};

/// RTP payload type of Opus at Discord.
const OPUS: u8 = 120;
/// Version 2; the bits of padding and extension.
const VERSION: u8 = 0x80;
const PADDING: u8 = 0x20;
const EXTENSION: u8 = 0x10;

/// What a sender writes on a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Label {
    pub(crate) ssrc: u32,
    pub(crate) sequence: u16,
    /// In 1/48000 s.
    pub(crate) timestamp: u32,
}

/// The cipher could not seal.
#[derive(Debug, thiserror::Error)]
#[error("a voice packet could not be sealed")]
pub struct SealError;

/// One receiver's transport encryption.
pub(crate) struct Sealer {
    cipher: Box<Aes256Gcm>,
    nonce: u32,
}

impl Sealer {
    pub(crate) fn new(key: [u8; 32]) -> Self {
        Self { cipher: Box::new(Aes256Gcm::new(&key.into())), nonce: 0 }
    }

    /// A datagram around a frame. Half of all carry an extension, an eighth padding.
    pub(crate) fn seal(
        &mut self,
        rng: &mut SmallRng,
        label: Label,
        frame: &[u8],
    ) -> Result<Vec<u8>, SealError> {
        let extension_words = if rng.random_bool(0.5) { rng.random_range(0..4u16) } else { 0 };
        let extended = extension_words > 0 || rng.random_bool(0.1);
        let padding: u8 = if rng.random_bool(0.125) { rng.random_range(1..60) } else { 0 };
        let flags =
            VERSION | if extended { EXTENSION } else { 0 } | if padding > 0 { PADDING } else { 0 };
        let mut packet = vec![flags, OPUS];
        packet.extend_from_slice(&label.sequence.to_be_bytes());
        packet.extend_from_slice(&label.timestamp.to_be_bytes());
        packet.extend_from_slice(&label.ssrc.to_be_bytes());
        if extended {
            packet.extend_from_slice(&[0xBE, 0xDE]);
            packet.extend_from_slice(&extension_words.to_be_bytes());
        }
        let clear = packet.len();
        for _ in 0..extension_words {
            packet.extend_from_slice(&[0x10, 0xFF, 0x90, 0x00]);
        }
        packet.extend_from_slice(frame);
        if padding > 0 {
            packet.resize(packet.len() + usize::from(padding), 0);
            if let Some(last) = packet.last_mut() {
                *last = padding;
            }
        }
        let suffix = self.nonce.to_be_bytes();
        self.nonce = self.nonce.wrapping_add(1);
        let mut nonce = [0; 12];
        nonce[..4].copy_from_slice(&suffix);
        let (header, body) = packet.split_at_mut(clear);
        let tag = self
            .cipher
            .encrypt_in_place_detached(&nonce.into(), header, body)
            .map_err(|_| SealError)?;
        packet.extend_from_slice(&tag);
        packet.extend_from_slice(&suffix);
        Ok(packet)
    }
}
