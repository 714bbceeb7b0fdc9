//! The transport cipher between a client and Discord's voice server, in place.
//!
//! A packet is `clear part ‖ ciphertext ‖ 16-byte tag ‖ 4-byte nonce suffix`; the clear part is
//! the associated data, and the suffix fills the first 4 bytes of an otherwise zero nonce.
//!
//! Source: Discord "Voice Connections", Transport Encryption Modes. The ciphers are ring's
//! AES-256-GCM and RustCrypto's XChaCha20-Poly1305.

use std::ops::Range;

use chacha20poly1305::{AeadInPlace, KeyInit, XChaCha20Poly1305};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};

/// Bytes of the authentication tag.
pub const TAG_BYTES: usize = 16;
/// Bytes of the nonce suffix.
pub const SUFFIX_BYTES: usize = 4;
/// Bytes a sealed packet is longer than its plaintext.
pub const OVERHEAD: usize = TAG_BYTES + SUFFIX_BYTES;
/// Bytes of the key of both modes.
pub const KEY_BYTES: usize = 32;

/// A transport encryption mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// `aead_aes256_gcm_rtpsize`: preferred, may be missing from a server's offer.
    Aes256Gcm,
    /// `aead_xchacha20_poly1305_rtpsize`: every server has it.
    XChaCha20Poly1305,
}

impl Mode {
    /// The mode's name in READY, SELECT PROTOCOL and SESSION DESCRIPTION.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Aes256Gcm => "aead_aes256_gcm_rtpsize",
            Self::XChaCha20Poly1305 => "aead_xchacha20_poly1305_rtpsize",
        }
    }

    /// The mode of a name, if it is one of the two.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Aes256Gcm, Self::XChaCha20Poly1305].into_iter().find(|mode| mode.name() == name)
    }

    /// The mode to select from a server's offer: AES if offered (hardware does it in 0.1 µs a
    /// packet), else XChaCha; `None` if the server offers neither.
    #[must_use]
    pub fn choose<S: AsRef<str>>(offered: &[S]) -> Option<Self> {
        [Self::Aes256Gcm, Self::XChaCha20Poly1305]
            .into_iter()
            .find(|mode| offered.iter().any(|name| name.as_ref() == mode.name()))
    }
}

/// The datagram is forged, damaged, or meant for another key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("transport authentication failed")]
pub struct OpenError;

/// The nonce counter is used up, or the buffer is too small for tag and suffix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("packet could not be sealed")]
pub struct SealError;

enum Cipher {
    Aes(Box<LessSafeKey>),
    XChaCha(Box<XChaCha20Poly1305>),
}

/// One connection's transport key, for both directions.
pub struct Transport {
    cipher: Cipher,
    next_suffix: u32,
}

impl std::fmt::Debug for Transport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Transport").field("next_suffix", &self.next_suffix).finish_non_exhaustive()
    }
}

impl Transport {
    /// From the mode and key of SESSION DESCRIPTION.
    #[must_use]
    pub fn new(mode: Mode, key: &[u8; KEY_BYTES]) -> Self {
        let cipher = match mode {
            Mode::Aes256Gcm => {
                let key = UnboundKey::new(&AES_256_GCM, key).expect("AES-256 takes 32-byte keys");
                Cipher::Aes(Box::new(LessSafeKey::new(key)))
            }
            Mode::XChaCha20Poly1305 => {
                Cipher::XChaCha(Box::new(XChaCha20Poly1305::new(key.into())))
            }
        };
        Self { cipher, next_suffix: 0 }
    }

    /// Decrypts `datagram` in place; its first `clear_bytes` are the associated data.
    ///
    /// Returns where the plaintext is. On an error the ciphertext is destroyed.
    ///
    /// # Errors
    /// The datagram is too short or not authentic.
    pub fn open(&self, datagram: &mut [u8], clear_bytes: usize) -> Result<Range<usize>, OpenError> {
        let end = datagram.len().checked_sub(OVERHEAD).filter(|end| *end >= clear_bytes);
        let end = end.ok_or(OpenError)?;
        let (sealed, suffix) = datagram.split_at_mut(end + TAG_BYTES);
        let (clear, body) = sealed.split_at_mut(clear_bytes);
        match &self.cipher {
            Cipher::Aes(key) => {
                let nonce = Nonce::assume_unique_for_key(padded(suffix));
                key.open_in_place(nonce, Aad::from(&*clear), body).map_err(|_| OpenError)?;
            }
            Cipher::XChaCha(key) => {
                let nonce: [u8; 24] = padded(suffix);
                let (body, tag) = body.split_at_mut(end - clear_bytes);
                key.decrypt_in_place_detached(&nonce.into(), clear, body, (&*tag).into())
                    .map_err(|_| OpenError)?;
            }
        }
        Ok(clear_bytes..end)
    }

    /// Encrypts `buffer[clear_bytes..plain_end]` in place under the next nonce and appends tag and
    /// suffix. Returns the packet's length.
    ///
    /// # Errors
    /// After 2³² packets (a nonce must never be used twice), or when `buffer` cannot take
    /// [`OVERHEAD`] more bytes.
    pub fn seal(
        &mut self,
        buffer: &mut [u8],
        clear_bytes: usize,
        plain_end: usize,
    ) -> Result<usize, SealError> {
        let total = plain_end + OVERHEAD;
        if clear_bytes > plain_end || total > buffer.len() {
            return Err(SealError);
        }
        let suffix = self.next_suffix.to_be_bytes();
        self.next_suffix = self.next_suffix.checked_add(1).ok_or(SealError)?;
        let (clear, rest) = buffer.split_at_mut(clear_bytes);
        let (body, rest) = rest.split_at_mut(plain_end - clear_bytes);
        match &self.cipher {
            Cipher::Aes(key) => {
                let nonce = Nonce::assume_unique_for_key(padded(&suffix));
                let tag = key
                    .seal_in_place_separate_tag(nonce, Aad::from(&*clear), body)
                    .map_err(|_| SealError)?;
                rest[..TAG_BYTES].copy_from_slice(tag.as_ref());
            }
            Cipher::XChaCha(key) => {
                let nonce: [u8; 24] = padded(&suffix);
                let tag = key
                    .encrypt_in_place_detached(&nonce.into(), clear, body)
                    .map_err(|_| SealError)?;
                rest[..TAG_BYTES].copy_from_slice(&tag);
            }
        }
        rest[TAG_BYTES..OVERHEAD].copy_from_slice(&suffix);
        Ok(total)
    }
}

/// The suffix in front, zeros behind.
fn padded<const N: usize>(suffix: &[u8]) -> [u8; N] {
    let mut nonce = [0; N];
    nonce[..SUFFIX_BYTES].copy_from_slice(&suffix[..SUFFIX_BYTES]);
    nonce
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MODES: [Mode; 2] = [Mode::Aes256Gcm, Mode::XChaCha20Poly1305];

    #[test]
    fn aes_is_chosen_when_offered() {
        let both = ["aead_xchacha20_poly1305_rtpsize", "aead_aes256_gcm_rtpsize"];
        assert_eq!(Mode::choose(&both), Some(Mode::Aes256Gcm));
        assert_eq!(Mode::choose(&both[..1]), Some(Mode::XChaCha20Poly1305));
        assert_eq!(Mode::choose(&["xsalsa20_poly1305"]), None);
        assert_eq!(Mode::from_name("aead_aes256_gcm"), None);
    }

    #[test]
    fn packets_made_by_other_implementations_open() {
        // Key 00..1f, nonce suffix 00000005, this clear part, plaintext f8fffe. AES by OpenSSL;
        // XChaCha by a second implementation that reproduces draft-irtf-cfrg-xchacha-03 A.3.1.
        let clear = [0x80, 0x78, 0, 1, 0, 0, 3, 0xC0, 0, 0, 0x30, 0x39];
        let key: [u8; 32] = std::array::from_fn(|i| i as u8);
        let aes = [
            0xb1, 0x44, 0x52, 0xa3, 0xf8, 0xf1, 0x0c, 0xf7, 0x6b, 0x06, 0x18, 0xbb, 0x9b, 0xb7,
            0xdc, 0xed, 0xc7, 0x43, 0x50,
        ];
        let xchacha = [
            0x2c, 0x1d, 0x46, 0xdc, 0x13, 0x0f, 0x4a, 0xb8, 0x43, 0xf3, 0x6b, 0xbe, 0x02, 0x99,
            0x95, 0x23, 0x5d, 0xae, 0x34,
        ];
        for (mode, sealed) in [(Mode::Aes256Gcm, aes), (Mode::XChaCha20Poly1305, xchacha)] {
            let mut packet = [&clear[..], &sealed, &[0, 0, 0, 5]].concat();
            let range = Transport::new(mode, &key).open(&mut packet, 12).unwrap();
            assert_eq!(packet[range], [0xF8, 0xFF, 0xFE], "{mode:?}");

            let mut sender = Transport::new(mode, &key);
            sender.next_suffix = 5;
            let mut buffer = [0u8; 35];
            buffer[..12].copy_from_slice(&clear);
            buffer[12..15].copy_from_slice(&[0xF8, 0xFF, 0xFE]);
            assert_eq!(sender.seal(&mut buffer, 12, 15), Ok(35));
            assert_eq!(buffer[12..31], sealed, "{mode:?}");
        }
    }

    #[test]
    fn damage_anywhere_is_refused() {
        for mode in MODES {
            let mut packet = [7u8; 100];
            let len = Transport::new(mode, &[3; 32]).seal(&mut packet, 16, 70).unwrap();
            for at in 0..len {
                let mut damaged = packet[..len].to_vec();
                damaged[at] ^= 1;
                let opened = Transport::new(mode, &[3; 32]).open(&mut damaged, 16);
                assert_eq!(opened, Err(OpenError), "{mode:?} byte {at}");
            }
            assert_eq!(Transport::new(mode, &[4; 32]).open(&mut packet[..len], 16), Err(OpenError));
        }
    }

    #[test]
    fn short_buffers_are_errors() {
        let mut transport = Transport::new(Mode::Aes256Gcm, &[0; 32]);
        assert_eq!(transport.open(&mut [0; 19], 0), Err(OpenError));
        assert_eq!(transport.open(&mut [0; 31], 12), Err(OpenError));
        assert_eq!(transport.seal(&mut [0; 40], 12, 21), Err(SealError));
        assert_eq!(transport.seal(&mut [0; 40], 12, 11), Err(SealError));
        transport.next_suffix = u32::MAX;
        assert_eq!(transport.seal(&mut [0; 40], 12, 13), Err(SealError), "nonces are used once");
    }

    proptest! {
        #[test]
        fn round_trip(
            aes in any::<bool>(),
            key in any::<[u8; 32]>(),
            clear in 12usize..60,
            body in proptest::collection::vec(any::<u8>(), 0..1300),
            counter in any::<u32>().prop_filter("last nonce is never used", |n| *n != u32::MAX),
        ) {
            let mode = if aes { Mode::Aes256Gcm } else { Mode::XChaCha20Poly1305 };
            let mut sender = Transport::new(mode, &key);
            sender.next_suffix = counter;
            let mut packet = vec![0x5A; clear + body.len() + OVERHEAD];
            packet[clear..clear + body.len()].copy_from_slice(&body);
            let len = sender.seal(&mut packet, clear, clear + body.len()).unwrap();
            prop_assert_eq!(len, packet.len());
            let range = Transport::new(mode, &key).open(&mut packet, clear).unwrap();
            prop_assert_eq!(&packet[range], &body[..]);
        }

        #[test]
        fn opening_noise_never_panics(
            aes in any::<bool>(),
            mut bytes in proptest::collection::vec(any::<u8>(), 0..80),
            clear in 0usize..100,
        ) {
            let mode = if aes { Mode::Aes256Gcm } else { Mode::XChaCha20Poly1305 };
            prop_assert!(Transport::new(mode, &[1; 32]).open(&mut bytes, clear).is_err());
        }
    }
}
