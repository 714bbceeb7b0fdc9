//! Somebody who speaks: Opus packets become the datagrams that Discord's voice server would send.
//!
//! A talker is a member of the DAVE group by its key package alone. Its media key is one that every
//! member can derive, so the frames are made here instead of in a session for each of hundreds of
//! talkers, of which each would have to verify the whole tree.

use anyhow::Context;
use clawvoice_voice::wire::{
    aead::{OVERHEAD, Transport},
    rtp::{self, HEADER_BYTES},
};
use ring::{
    aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey},
    hkdf::{HKDF_SHA256, KeyType, Prk},
};

/// Bytes of a sender's base secret and of its media keys (DAVE whitepaper, "Sender Key
/// Derivation").
pub(crate) const KEY_BYTES: usize = 16;
/// The header extension of native clients: one word of two one-byte elements (RFC 5285), audio
/// level and absolute send time's place.
const EXTENSION_PREAMBLE: [u8; 4] = [0xBE, 0xDE, 0, 1];
const EXTENSION_BODY: [u8; 4] = [0x10, 0xFF, 0x90, 0x00];
/// Every n-th packet carries RTP padding, as every 16th of localcord's; 3 to 15 % of Discord's do.
const PADDED_EVERY: u16 = 16;
/// Bytes of padding, its count included.
const PADDING: [u8; 4] = [0, 0, 0, 4];
/// Bytes of the truncated tag.
const TAG_BYTES: usize = 8;
/// What ends every protocol frame.
const MARKER: [u8; 2] = [0xFA, 0xFA];

/// One speaker's media stream.
pub(crate) struct Talker {
    pub(crate) user: u64,
    pub(crate) ssrc: u32,
    key: LessSafeKey,
    /// The truncated nonce; its top byte is the ratchet generation, which stays 0 for 2^24 frames.
    nonce: u32,
    sequence: u16,
    timestamp: u32,
}

impl Talker {
    /// With the base secret that the group exports for this user.
    pub(crate) fn new(user: u64, ssrc: u32, secret: &[u8; KEY_BYTES]) -> anyhow::Result<Self> {
        let key = first_key(secret).context("no media key")?;
        let key = UnboundKey::new(&AES_128_GCM, &key).ok().context("AES-128 takes 16 bytes")?;
        Ok(Self { user, ssrc, key: LessSafeKey::new(key), nonce: 0, sequence: 0, timestamp: 0 })
    }

    /// The next datagram: end-to-end encrypted, with header extension and now and then padding,
    /// transport encrypted.
    pub(crate) fn datagram(
        &mut self,
        opus: &[u8],
        transport: &mut Transport,
    ) -> anyhow::Result<Vec<u8>> {
        let frame = self.frame(opus).context("a frame cannot be encrypted")?;
        let padding: &[u8] =
            if self.sequence.is_multiple_of(PADDED_EVERY) { &PADDING } else { &[] };
        let mut header = [0; HEADER_BYTES];
        rtp::write_header(&mut header, self.sequence, self.timestamp, self.ssrc);
        header[0] |= 0x10 | if padding.is_empty() { 0 } else { 0x20 };
        let clear = [&header[..], &EXTENSION_PREAMBLE].concat();
        let mut packet = [&clear, &EXTENSION_BODY[..], &frame, padding].concat();
        let plain_end = packet.len();
        packet.resize(plain_end + OVERHEAD, 0);
        transport.seal(&mut packet, clear.len(), plain_end)?;
        self.advance();
        Ok(packet)
    }

    /// Goes on at another sequence number, at the time that belongs to it.
    pub(crate) fn restart(&mut self, sequence: u16) {
        self.sequence = sequence;
        self.timestamp = u32::from(sequence) * rtp::FRAME_UNITS;
    }

    fn advance(&mut self) {
        self.sequence = self.sequence.wrapping_add(1);
        self.timestamp = self.timestamp.wrapping_add(rtp::FRAME_UNITS);
    }

    /// A DAVE frame without clear ranges (DAVE whitepaper, "Payload Format").
    fn frame(&mut self, opus: &[u8]) -> Option<Vec<u8>> {
        let mut nonce = [0; 12];
        nonce[8..].copy_from_slice(&self.nonce.to_le_bytes());
        let mut frame = opus.to_vec();
        let nonce = Nonce::assume_unique_for_key(nonce);
        let tag = self.key.seal_in_place_separate_tag(nonce, Aad::empty(), &mut frame).ok()?;
        frame.extend_from_slice(tag.as_ref().get(..TAG_BYTES)?);
        let mut rest = self.nonce;
        while rest >= 0x80 {
            frame.push(rest as u8 | 0x80);
            rest >>= 7;
        }
        frame.push(rest as u8);
        let trailer = frame.len() - opus.len() + 1 + MARKER.len();
        frame.push(u8::try_from(trailer).ok()?);
        frame.extend_from_slice(&MARKER);
        self.nonce += 1;
        Some(frame)
    }
}

/// The key of generation 0: `DeriveTreeSecret(secret, "key", 0, 16)`, RFC 9420 section 9.1.
fn first_key(secret: &[u8]) -> Option<[u8; KEY_BYTES]> {
    struct Bytes;
    impl KeyType for Bytes {
        fn len(&self) -> usize {
            KEY_BYTES
        }
    }
    let label = b"MLS 1.0 key";
    let mut info = vec![0, KEY_BYTES as u8, label.len() as u8];
    info.extend_from_slice(label);
    info.extend_from_slice(&[4, 0, 0, 0, 0]);
    let mut key = [0; KEY_BYTES];
    let prk = Prk::new_less_safe(HKDF_SHA256, secret);
    prk.expand(&[&info], Bytes).and_then(|okm| okm.fill(&mut key)).ok()?;
    Some(key)
}
