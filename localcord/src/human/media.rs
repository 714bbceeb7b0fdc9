//! RTP packets as Discord clients send them, and the transport encryption around them.
//!
//! RFC 3550 (RTP), RFC 8285 (one-byte header extensions), Discord's "Voice Connections" (the
//! `rtpsize` encryption modes). A packet is: clear header, ciphertext, 16-byte tag, 4-byte nonce.
//! The clear part, which the tag covers too, ends after the extension's *preamble*; the
//! extension's body, the payload and any RTP padding are encrypted.

use aes_gcm::{
    Aes256Gcm, Nonce,
    aead::{AeadInPlace, KeyInit},
};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use serde::Serialize;

/// RTP payload type of Opus at Discord.
const PAYLOAD_TYPE_OPUS: u8 = 120;
/// RTP header without CSRCs and extension, bytes.
const FIXED_HEADER: usize = 12;
/// Size of the extension's profile and length fields, bytes.
const EXTENSION_PREAMBLE: usize = 4;
/// AEAD tag, bytes.
const TAG: usize = 16;
/// The part of the nonce that travels with the packet, bytes.
const NONCE_SUFFIX: usize = 4;

/// A transport encryption mode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub enum TransportMode {
    /// `aead_aes256_gcm_rtpsize`, what clients prefer where the server offers it.
    #[default]
    Aes256Gcm,
    /// `aead_xchacha20_poly1305_rtpsize`, which every server offers.
    XChaCha20Poly1305,
}

impl TransportMode {
    /// Its name in the voice gateway.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Aes256Gcm => "aead_aes256_gcm_rtpsize",
            Self::XChaCha20Poly1305 => "aead_xchacha20_poly1305_rtpsize",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        [Self::Aes256Gcm, Self::XChaCha20Poly1305].into_iter().find(|mode| mode.name() == name)
    }
}

/// The header fields of an outgoing voice packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Outgoing {
    pub(crate) sequence: u16,
    pub(crate) timestamp: u32,
    pub(crate) ssrc: u32,
    /// How loud the frame is: 0 (full scale) to 127 (silence), in -dBov (RFC 6464).
    pub(crate) audio_level: u8,
}

/// A received voice packet: decrypted, its extension and padding taken off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Incoming {
    pub(crate) sequence: u16,
    pub(crate) timestamp: u32,
    pub(crate) ssrc: u32,
    /// Exactly one media frame; empty if the packet was padding only.
    pub(crate) payload: Vec<u8>,
}

/// Why a datagram is no voice packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PacketError {
    #[error("not RTP with an Opus payload")]
    NotVoice,
    #[error("shorter than its own header says")]
    Truncated,
    #[error("the transport tag does not match")]
    Forged,
    #[error("the padding count is zero or larger than the packet")]
    Padding,
}

/// Seals and opens packets with one connection's key, the same in both directions.
pub(crate) struct Transport {
    cipher: Cipher,
    next_nonce: u32,
}

enum Cipher {
    Aes(Box<Aes256Gcm>),
    XChaCha(Box<XChaCha20Poly1305>),
}

impl Transport {
    pub(crate) fn new(mode: TransportMode, key: &[u8; 32]) -> Self {
        let cipher = match mode {
            TransportMode::Aes256Gcm => Cipher::Aes(Box::new(Aes256Gcm::new(key.into()))),
            TransportMode::XChaCha20Poly1305 => {
                Cipher::XChaCha(Box::new(XChaCha20Poly1305::new(key.into())))
            }
        };
        Self { cipher, next_nonce: 0 }
    }

    /// A whole datagram around one media frame: first byte 0x90 and one extension word, as
    /// Discord's native clients send.
    pub(crate) fn seal(&mut self, packet: Outgoing, frame: &[u8]) -> Vec<u8> {
        let mut datagram = Vec::with_capacity(40 + frame.len());
        datagram.extend_from_slice(&[0x90, PAYLOAD_TYPE_OPUS]);
        datagram.extend_from_slice(&packet.sequence.to_be_bytes());
        datagram.extend_from_slice(&packet.timestamp.to_be_bytes());
        datagram.extend_from_slice(&packet.ssrc.to_be_bytes());
        datagram.extend_from_slice(&[0xBE, 0xDE, 0, 1]);
        let clear = datagram.len();
        // Two one-byte elements: 1, the audio level, and 9, which clients also send.
        datagram.extend_from_slice(&[0x10, packet.audio_level, 0x90, 0]);
        datagram.extend_from_slice(frame);

        let suffix = self.next_nonce.to_be_bytes();
        self.next_nonce = self.next_nonce.wrapping_add(1);
        let (header, body) = datagram.split_at_mut(clear);
        let tag = match &self.cipher {
            Cipher::Aes(cipher) => {
                let nonce: [u8; 12] = nonce(suffix);
                cipher.encrypt_in_place_detached(Nonce::from_slice(&nonce), header, body)
            }
            Cipher::XChaCha(cipher) => {
                let nonce: [u8; 24] = nonce(suffix);
                cipher.encrypt_in_place_detached(XNonce::from_slice(&nonce), header, body)
            }
        }
        .expect("a voice frame is far below the cipher's size limit");
        datagram.extend_from_slice(&tag);
        datagram.extend_from_slice(&suffix);
        datagram
    }

    /// Parses, decrypts, takes off the extension, then the padding: in that order, because the
    /// padding count is inside the ciphertext.
    pub(crate) fn open(&self, datagram: &[u8]) -> Result<Incoming, PacketError> {
        let [first, second, s0, s1, t0, t1, t2, t3, r0, r1, r2, r3, ..] = *datagram else {
            return Err(PacketError::Truncated);
        };
        // Masking the marker off the second byte also keeps RTCP (200 to 204) out.
        if first >> 6 != 2 || second & 0x7F != PAYLOAD_TYPE_OPUS {
            return Err(PacketError::NotVoice);
        }
        let csrcs = usize::from(first & 0x0F) * 4;
        let extended = first & 0x10 != 0;
        let clear = FIXED_HEADER + csrcs + if extended { EXTENSION_PREAMBLE } else { 0 };
        let extension = if extended {
            match datagram.get(clear - 2..clear) {
                Some(&[high, low]) => usize::from(u16::from_be_bytes([high, low])) * 4,
                _ => return Err(PacketError::Truncated),
            }
        } else {
            0
        };

        let plain = self.decrypt(datagram, clear)?;
        let mut payload = plain.get(extension..).ok_or(PacketError::Truncated)?;
        if first & 0x20 != 0 {
            let count = payload.last().map_or(0, |count| usize::from(*count));
            let kept = payload.len().checked_sub(count).filter(|_| count > 0);
            payload = kept.and_then(|kept| payload.get(..kept)).ok_or(PacketError::Padding)?;
        }
        Ok(Incoming {
            sequence: u16::from_be_bytes([s0, s1]),
            timestamp: u32::from_be_bytes([t0, t1, t2, t3]),
            ssrc: u32::from_be_bytes([r0, r1, r2, r3]),
            payload: payload.to_vec(),
        })
    }

    fn decrypt(&self, datagram: &[u8], clear: usize) -> Result<Vec<u8>, PacketError> {
        let (header, rest) = datagram.split_at_checked(clear).ok_or(PacketError::Truncated)?;
        let (rest, suffix) =
            rest.split_last_chunk::<NONCE_SUFFIX>().ok_or(PacketError::Truncated)?;
        let (body, tag) = rest.split_last_chunk::<TAG>().ok_or(PacketError::Truncated)?;
        let mut plain = body.to_vec();
        match &self.cipher {
            Cipher::Aes(cipher) => {
                let nonce: [u8; 12] = nonce(*suffix);
                let nonce = Nonce::from_slice(&nonce);
                cipher.decrypt_in_place_detached(nonce, header, &mut plain, tag.into())
            }
            Cipher::XChaCha(cipher) => {
                let nonce: [u8; 24] = nonce(*suffix);
                let nonce = XNonce::from_slice(&nonce);
                cipher.decrypt_in_place_detached(nonce, header, &mut plain, tag.into())
            }
        }
        .map_err(|_| PacketError::Forged)?;
        Ok(plain)
    }
}

/// The suffix, then zeros.
fn nonce<const N: usize>(suffix: [u8; NONCE_SUFFIX]) -> [u8; N] {
    std::array::from_fn(|at| suffix.get(at).copied().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MODES: [TransportMode; 2] = [TransportMode::Aes256Gcm, TransportMode::XChaCha20Poly1305];
    const PACKET: Outgoing =
        Outgoing { sequence: 0xFFFE, timestamp: 960, ssrc: 7, audio_level: 40 };

    /// Builds a packet of any shape, to be opened.
    fn build(mode: TransportMode, header: &[u8], body: &[u8]) -> Vec<u8> {
        let transport = Transport::new(mode, &[9; 32]);
        let mut sealed = body.to_vec();
        let tag = match &transport.cipher {
            Cipher::Aes(cipher) => cipher.encrypt_in_place_detached(
                Nonce::from_slice(&nonce::<12>([1, 2, 3, 4])),
                header,
                &mut sealed,
            ),
            Cipher::XChaCha(cipher) => cipher.encrypt_in_place_detached(
                XNonce::from_slice(&nonce::<24>([1, 2, 3, 4])),
                header,
                &mut sealed,
            ),
        }
        .unwrap();
        [header, &sealed, &tag, &[1, 2, 3, 4]].concat()
    }

    fn header(first: u8, more: &[u8]) -> Vec<u8> {
        [&[first, 0x78, 0, 1, 0, 0, 3, 0xC0, 0, 0, 0, 7], more].concat()
    }

    #[test]
    fn what_is_sealed_opens_again() {
        for mode in MODES {
            let mut transport = Transport::new(mode, &[9; 32]);
            let first = transport.seal(PACKET, b"frame");
            let second = transport.seal(PACKET, b"frame");
            assert_ne!(first, second, "the nonce moves on");
            assert_eq!(first.len(), 12 + 4 + 4 + 5 + 16 + 4);
            assert_eq!(
                transport.open(&first),
                Ok(Incoming {
                    sequence: 0xFFFE,
                    timestamp: 960,
                    ssrc: 7,
                    payload: b"frame".to_vec()
                })
            );
        }
    }

    #[test]
    fn every_shape_of_packet_yields_exactly_its_frame() {
        type Case = (&'static str, Vec<u8>, &'static [u8], Result<&'static [u8], PacketError>);
        let cases: &[Case] = &[
            ("plain", header(0x80, &[]), b"frame", Ok(b"frame")),
            ("two sources", header(0x82, &[0; 8]), b"frame", Ok(b"frame")),
            ("padded", header(0xA0, &[]), b"frame\0\0\x03", Ok(b"frame")),
            ("padding only", header(0xA0, &[]), b"\0\0\x03", Ok(b"")),
            ("extended", header(0x90, &[0xBE, 0xDE, 0, 1]), b"EEEEframe", Ok(b"frame")),
            ("empty extension", header(0x90, &[0xBE, 0xDE, 0, 0]), b"frame", Ok(b"frame")),
            ("both", header(0xB0, &[0xBE, 0xDE, 0, 1]), b"EEEEframe\x01", Ok(b"frame")),
            ("no padding count", header(0xA0, &[]), b"frame\0", Err(PacketError::Padding)),
            ("too much padding", header(0xA0, &[]), b"frame\x07", Err(PacketError::Padding)),
            ("nothing to pad", header(0xA0, &[]), b"", Err(PacketError::Padding)),
            (
                "short extension",
                header(0x90, &[0xBE, 0xDE, 0, 2]),
                b"EEEE",
                Err(PacketError::Truncated),
            ),
        ];
        for mode in MODES {
            let transport = Transport::new(mode, &[9; 32]);
            for (name, header, body, expected) in cases {
                let opened =
                    transport.open(&build(mode, header, body)).map(|packet| packet.payload);
                assert_eq!(opened, expected.map(<[u8]>::to_vec), "{name}");
            }
        }
    }

    #[test]
    fn a_changed_byte_anywhere_is_refused() {
        for mode in MODES {
            let mut transport = Transport::new(mode, &[9; 32]);
            let sealed = transport.seal(PACKET, b"frame");
            for at in 0..sealed.len() {
                let mut changed = sealed.clone();
                changed[at] ^= 0x01;
                assert!(transport.open(&changed).is_err(), "byte {at}");
            }
        }
    }

    #[test]
    fn rtcp_and_video_are_not_voice() {
        let transport = Transport::new(TransportMode::Aes256Gcm, &[9; 32]);
        for second in [200, 204, 101, 0x80 | 101] {
            let mut datagram = header(0x80, &[0; 40]);
            datagram[1] = second;
            assert_eq!(transport.open(&datagram), Err(PacketError::NotVoice));
        }
    }

    proptest::proptest! {
        #[test]
        fn garbage_never_opens_and_never_panics(datagram: Vec<u8>) {
            for mode in MODES {
                proptest::prop_assert!(Transport::new(mode, &[9; 32]).open(&datagram).is_err());
            }
        }
    }
}
