//! The transport cipher with nothing around it, by each of the libraries that are compared.

use std::ops::Range;

use anyhow::{Context, ensure};
use chacha20poly1305::{AeadInPlace, KeyInit, XChaCha20Poly1305};
use clawvoice_voice::wire::{
    aead::{Mode, OVERHEAD, SUFFIX_BYTES, TAG_BYTES},
    rtp::{FRAME_UNITS, HEADER_BYTES, write_header},
};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};

use crate::room::KEY;

/// Bytes of the extension's preamble, in clear, and of its body: one word each, if there is one.
const EXTENSION_BYTES: usize = 4;

/// A cipher of one library.
pub(crate) enum Cipher {
    /// AES-256-GCM by ring, which our transport uses.
    Ring(Box<LessSafeKey>),
    /// AES-256-GCM by RustCrypto, which songbird uses.
    AesGcm(Box<aes_gcm::Aes256Gcm>),
    /// XChaCha20-Poly1305 by RustCrypto, which both use.
    XChaCha(Box<XChaCha20Poly1305>),
}

impl Cipher {
    /// The libraries of our transport.
    pub(crate) fn ours(mode: Mode) -> anyhow::Result<Self> {
        Ok(match mode {
            Mode::Aes256Gcm => {
                let key = UnboundKey::new(&AES_256_GCM, &KEY).ok();
                Self::Ring(Box::new(LessSafeKey::new(key.context("AES-256 takes 32 bytes")?)))
            }
            Mode::XChaCha20Poly1305 => Self::XChaCha(Box::new(XChaCha20Poly1305::new(&KEY.into()))),
        })
    }

    /// songbird's.
    pub(crate) fn songbirds(mode: Mode) -> Self {
        match mode {
            Mode::Aes256Gcm => Self::AesGcm(Box::new(aes_gcm::Aes256Gcm::new(&KEY.into()))),
            Mode::XChaCha20Poly1305 => Self::XChaCha(Box::new(XChaCha20Poly1305::new(&KEY.into()))),
        }
    }

    /// Opens a datagram of a call or a [`Talker`](crate::talker::Talker); returns where its frame is.
    pub(crate) fn open(&self, datagram: &mut [u8]) -> anyhow::Result<Range<usize>> {
        let end = datagram.len().checked_sub(OVERHEAD).context("a datagram is longer")?;
        let extension = if datagram[0] & 0x10 == 0 { 0 } else { EXTENSION_BYTES };
        let clear_bytes = HEADER_BYTES + extension;
        ensure!(clear_bytes + extension <= end, "a datagram is longer");
        let (sealed, suffix) = datagram.split_at_mut(end + TAG_BYTES);
        let (clear, body) = sealed.split_at_mut(clear_bytes);
        let opened = match self {
            Self::Ring(key) => {
                let nonce = Nonce::assume_unique_for_key(padded(suffix));
                key.open_in_place(nonce, Aad::from(&*clear), body).is_ok()
            }
            Self::AesGcm(key) => {
                let (body, tag) = body.split_at_mut(end - clear_bytes);
                let nonce: [u8; 12] = padded(suffix);
                key.decrypt_in_place_detached(&nonce.into(), clear, body, (&*tag).into()).is_ok()
            }
            Self::XChaCha(key) => {
                let (body, tag) = body.split_at_mut(end - clear_bytes);
                let nonce: [u8; 24] = padded(suffix);
                key.decrypt_in_place_detached(&nonce.into(), clear, body, (&*tag).into()).is_ok()
            }
        };
        ensure!(opened, "a datagram is not authentic");
        let padding = if datagram[0] & 0x20 == 0 { 0 } else { usize::from(datagram[end - 1]) };
        Ok(clear_bytes + extension..end - padding)
    }

    /// Packs a frame into a datagram, as number `sequence`; returns its length.
    pub(crate) fn seal(
        &self,
        sequence: u16,
        frame: &[u8],
        datagram: &mut [u8],
    ) -> anyhow::Result<usize> {
        let end = HEADER_BYTES + frame.len();
        ensure!(end + OVERHEAD <= datagram.len(), "a datagram is too short");
        let (header, rest) = datagram.split_first_chunk_mut().context("it has a header")?;
        write_header(header, sequence, u32::from(sequence).wrapping_mul(FRAME_UNITS), 1);
        let (body, rest) = rest.split_at_mut(frame.len());
        body.copy_from_slice(frame);
        let suffix = u32::from(sequence).to_be_bytes();
        let sealed = match self {
            Self::Ring(key) => {
                let nonce = Nonce::assume_unique_for_key(padded(&suffix));
                let tag = key.seal_in_place_separate_tag(nonce, Aad::from(&*header), body);
                tag.map(|tag| rest[..TAG_BYTES].copy_from_slice(tag.as_ref())).is_ok()
            }
            Self::AesGcm(key) => {
                let nonce: [u8; 12] = padded(&suffix);
                let tag = key.encrypt_in_place_detached(&nonce.into(), header, body);
                tag.map(|tag| rest[..TAG_BYTES].copy_from_slice(&tag)).is_ok()
            }
            Self::XChaCha(key) => {
                let nonce: [u8; 24] = padded(&suffix);
                let tag = key.encrypt_in_place_detached(&nonce.into(), header, body);
                tag.map(|tag| rest[..TAG_BYTES].copy_from_slice(&tag)).is_ok()
            }
        };
        ensure!(sealed, "a frame cannot be sealed");
        rest[TAG_BYTES..OVERHEAD].copy_from_slice(&suffix);
        Ok(end + OVERHEAD)
    }
}

/// The suffix in front, zeros behind.
fn padded<const N: usize>(suffix: &[u8]) -> [u8; N] {
    let mut nonce = [0; N];
    nonce[..SUFFIX_BYTES].copy_from_slice(&suffix[..SUFFIX_BYTES]);
    nonce
}
