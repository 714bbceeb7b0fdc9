//! The transport layer of a voice packet: RTP (RFC 3550) under Discord's `rtpsize` AEAD modes.
//!
//! Clear (and authenticated): header, CSRCs and the four-byte extension preamble. Encrypted:
//! extension body, payload, padding. Then the 16-byte tag and a 4-byte nonce suffix.

use std::fmt;

use aes_gcm::{Aes256Gcm, aead::AeadInPlace};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305};

/// AEAD tag, bytes.
const TAG: usize = 16;
/// Nonce suffix, bytes.
const SUFFIX: usize = 4;
/// RTP header without CSRCs, bytes.
const HEADER: usize = 12;
const PADDING_BIT: u8 = 0x20;
const EXTENSION_BIT: u8 = 0x10;
/// One-byte header extensions (RFC 8285).
const EXTENSION_PROFILE: [u8; 2] = [0xBE, 0xDE];

/// A transport encryption mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Aes256Gcm,
    XChaCha20Poly1305,
}

impl Mode {
    pub(crate) const ALL: [Self; 2] = [Self::Aes256Gcm, Self::XChaCha20Poly1305];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Aes256Gcm => "aead_aes256_gcm_rtpsize",
            Self::XChaCha20Poly1305 => "aead_xchacha20_poly1305_rtpsize",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.name() == name)
    }
}

/// The key of one connection, ready to use. The same key serves both directions.
pub(crate) enum Cipher {
    Aes(Box<Aes256Gcm>),
    XChaCha(Box<XChaCha20Poly1305>),
}

impl fmt::Debug for Cipher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Aes(_) => "Aes",
            Self::XChaCha(_) => "XChaCha",
        })
    }
}

impl Cipher {
    pub(crate) fn new(mode: Mode, key: &[u8; 32]) -> Self {
        match mode {
            Mode::Aes256Gcm => Self::Aes(Box::new(Aes256Gcm::new(key.into()))),
            Mode::XChaCha20Poly1305 => Self::XChaCha(Box::new(XChaCha20Poly1305::new(key.into()))),
        }
    }

    fn open(&self, suffix: [u8; SUFFIX], aad: &[u8], body: &mut [u8], tag: &[u8]) -> bool {
        let opened = match self {
            Self::Aes(cipher) => {
                cipher.decrypt_in_place_detached(&nonce::<12>(suffix).into(), aad, body, tag.into())
            }
            Self::XChaCha(cipher) => {
                cipher.decrypt_in_place_detached(&nonce::<24>(suffix).into(), aad, body, tag.into())
            }
        };
        opened.is_ok()
    }

    fn seal(&self, suffix: [u8; SUFFIX], aad: &[u8], body: &mut [u8]) -> Option<[u8; TAG]> {
        let sealed = match self {
            Self::Aes(cipher) => {
                cipher.encrypt_in_place_detached(&nonce::<12>(suffix).into(), aad, body)
            }
            Self::XChaCha(cipher) => {
                cipher.encrypt_in_place_detached(&nonce::<24>(suffix).into(), aad, body)
            }
        };
        sealed.ok().map(Into::into)
    }
}

/// The suffix fills the front of an otherwise zero nonce.
fn nonce<const N: usize>(suffix: [u8; SUFFIX]) -> [u8; N] {
    let mut nonce = [0; N];
    nonce[..SUFFIX].copy_from_slice(&suffix);
    nonce
}

/// What a datagram is, by its first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// An IP discovery request for this SSRC.
    Discovery {
        ssrc: u32,
    },
    /// RTP from this SSRC.
    Rtp {
        ssrc: u32,
    },
    Rtcp,
    /// Too short to be anything: clients keep NAT bindings alive with these.
    Keepalive,
    Unknown,
}

/// Length of a discovery packet, both ways.
pub(crate) const DISCOVERY_LENGTH: usize = 74;

impl Kind {
    pub(crate) fn of(datagram: &[u8]) -> Self {
        let u32_at = |at: usize| {
            let bytes = datagram.get(at..at + 4)?.try_into().ok()?;
            Some(u32::from_be_bytes(bytes))
        };
        if datagram.len() == DISCOVERY_LENGTH
            && datagram.starts_with(&[0, 1, 0, 70])
            && let Some(ssrc) = u32_at(4)
        {
            return Self::Discovery { ssrc };
        }
        match (datagram.first(), datagram.get(1), u32_at(8)) {
            // The whole second byte: masking off the marker bit would make RTCP of payload types.
            (Some(first), Some(200..=204), _) if first >> 6 == 2 => Self::Rtcp,
            (Some(first), _, Some(ssrc))
                if first >> 6 == 2 && datagram.len() >= HEADER + TAG + SUFFIX =>
            {
                Self::Rtp { ssrc }
            }
            _ if datagram.len() < 32 => Self::Keepalive,
            _ => Self::Unknown,
        }
    }
}

/// The answer to IP discovery: what the server sees as the client's address.
pub(crate) fn discovery_response(ssrc: u32, ip: &str, port: u16) -> Vec<u8> {
    let mut out = Vec::with_capacity(DISCOVERY_LENGTH);
    out.extend_from_slice(&[0, 2, 0, 70]);
    out.extend_from_slice(&ssrc.to_be_bytes());
    out.extend(ip.bytes().take(63));
    out.resize(DISCOVERY_LENGTH - 2, 0);
    out.extend_from_slice(&port.to_be_bytes());
    out
}

/// Why a packet was not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OpenError {
    /// Header, extension or padding do not fit into the packet.
    Malformed,
    /// The tag is wrong: another key, or changed on the way.
    Tag,
}

/// A packet without its transport encryption, extension, CSRCs and padding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Opened {
    /// Marker bit and payload type.
    pub(crate) second: u8,
    /// Sequence number, timestamp and SSRC, as they were on the wire.
    pub(crate) rest: [u8; 10],
    /// What the DAVE layer made.
    pub(crate) payload: Vec<u8>,
}

impl Opened {
    /// The RTP sequence number.
    pub(crate) fn sequence(&self) -> u16 {
        u16::from_be_bytes([self.rest[0], self.rest[1]])
    }
}

/// Opens an RTP packet.
pub(crate) fn open(cipher: &Cipher, packet: &[u8]) -> Result<Opened, OpenError> {
    open_parts(cipher, packet).ok_or(OpenError::Malformed)?
}

/// `None` when the lengths do not fit.
fn open_parts(cipher: &Cipher, packet: &[u8]) -> Option<Result<Opened, OpenError>> {
    let first = *packet.first()?;
    let mut clear = HEADER + 4 * usize::from(first & 0x0F);
    let mut extension_body = 0;
    if first & EXTENSION_BIT != 0 {
        let words = packet.get(clear + 2..clear + 4)?;
        extension_body = 4 * usize::from(u16::from_be_bytes(words.try_into().ok()?));
        clear += 4;
    }
    let (aad, rest) = packet.split_at_checked(clear)?;
    let (rest, suffix) = rest.split_last_chunk::<SUFFIX>()?;
    let (body, tag) = rest.split_last_chunk::<TAG>()?;
    let mut body = body.to_vec();
    if !cipher.open(*suffix, aad, &mut body, tag) {
        return Some(Err(OpenError::Tag));
    }
    if extension_body > body.len() {
        return None;
    }
    let mut payload = body.split_off(extension_body);
    if first & PADDING_BIT != 0 {
        let count = usize::from(*payload.last()?);
        if count == 0 {
            return None;
        }
        payload.truncate(payload.len().checked_sub(count)?);
    }
    Some(Ok(Opened { second: packet[1], rest: packet[2..HEADER].try_into().ok()?, payload }))
}

/// An RTP packet as it is without its transport encryption: header, CSRCs, extension, payload and
/// padding as they were, tag and nonce suffix gone. `None` if the tag is wrong, or the lengths do
/// not fit.
pub(crate) fn unsealed(cipher: &Cipher, packet: &[u8]) -> Option<Vec<u8>> {
    let first = *packet.first()?;
    let extension = if first & EXTENSION_BIT != 0 { 4 } else { 0 };
    let clear = HEADER + 4 * usize::from(first & 0x0F) + extension;
    let (rest, suffix) = packet.split_last_chunk::<SUFFIX>()?;
    let (rest, tag) = rest.split_last_chunk::<TAG>()?;
    let mut out = rest.to_vec();
    let (aad, body) = out.split_at_mut_checked(clear)?;
    cipher.open(*suffix, aad, body, tag).then_some(out)
}

/// What the server adds to a packet it forwards.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Additions {
    /// One extension word with two one-byte elements.
    pub(crate) extension: bool,
    /// Padding bytes including the count; 0 = none.
    pub(crate) padding: u8,
}

/// What surrounds a packet's payload; also what no honest sender makes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Shape {
    /// Contributing sources, at most 15.
    pub(crate) csrcs: u8,
    pub(crate) extension: Extension,
    pub(crate) padding: Padding,
    /// One bit of the tag is wrong.
    pub(crate) flip_tag: bool,
}

/// A header extension.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Extension {
    #[default]
    None,
    /// One word with two elements.
    Usual,
    /// So many words of one-byte elements; the last one is filled up with zeros.
    Words(u8),
    /// Claims one word more than the whole packet has.
    Truncated,
}

/// RTP padding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Padding {
    #[default]
    None,
    /// So many bytes including the count.
    Bytes(u8),
    /// A count byte that says this, whatever is there.
    Count(u8),
}

impl From<Additions> for Shape {
    fn from(additions: Additions) -> Self {
        Self {
            extension: if additions.extension { Extension::Usual } else { Extension::None },
            padding: match additions.padding {
                0 => Padding::None,
                bytes => Padding::Bytes(bytes),
            },
            ..Self::default()
        }
    }
}

/// Encrypts a packet for one receiver. `None` only when the payload is beyond what AEAD takes.
pub(crate) fn seal(
    cipher: &Cipher,
    nonce: u32,
    packet: &Opened,
    shape: impl Into<Shape>,
) -> Option<Vec<u8>> {
    let shape = shape.into();
    let csrcs = shape.csrcs.min(15);
    let mut first = 0x80 | csrcs;
    let mut out = Vec::with_capacity(HEADER + 8 + packet.payload.len() + 8 + TAG + SUFFIX);
    if shape.extension != Extension::None {
        first |= EXTENSION_BIT;
    }
    if shape.padding != Padding::None {
        first |= PADDING_BIT;
    }
    out.extend_from_slice(&[first, packet.second]);
    out.extend_from_slice(&packet.rest);
    for source in 1..=csrcs {
        out.extend_from_slice(&u32::from(source).to_be_bytes());
    }
    let words = match shape.extension {
        Extension::None => None,
        Extension::Usual => Some(1),
        Extension::Words(words) => Some(u16::from(words)),
        Extension::Truncated => u16::try_from(packet.payload.len() / 4 + 65).ok(),
    };
    if let Some(words) = words {
        out.extend_from_slice(&EXTENSION_PROFILE);
        out.extend_from_slice(&words.to_be_bytes());
    }
    let clear = out.len();
    match shape.extension {
        // Element 1: audio level (voice, -20 dBov); element 9: one byte of the server's own.
        Extension::Usual => out.extend_from_slice(&[0x10, 0x94, 0x90, 0x00]),
        Extension::Words(words) => {
            let body = [0x10, 0x94].into_iter().chain(std::iter::repeat(0));
            out.extend(body.take(4 * usize::from(words)));
        }
        Extension::None | Extension::Truncated => {}
    }
    out.extend_from_slice(&packet.payload);
    match shape.padding {
        Padding::None => {}
        Padding::Bytes(bytes) => {
            out.resize(out.len() + usize::from(bytes).saturating_sub(1), 0);
            out.push(bytes);
        }
        Padding::Count(count) => out.push(count),
    }
    let mut sealed = seal_after(cipher, nonce, out, clear)?;
    if shape.flip_tag
        && let Some(byte) = sealed.iter_mut().nth_back(SUFFIX)
    {
        *byte ^= 1;
    }
    Some(sealed)
}

/// An RTCP sender report (RFC 3550 section 6.4.1) with zero counts; its first 8 bytes are clear.
pub(crate) fn seal_sender_report(cipher: &Cipher, nonce: u32, ssrc: u32) -> Option<Vec<u8>> {
    let mut out = vec![0x80, 200, 0, 6];
    out.extend_from_slice(&ssrc.to_be_bytes());
    let clear = out.len();
    out.resize(clear + 20, 0);
    seal_after(cipher, nonce, out, clear)
}

/// Encrypts what follows the first `clear` bytes, and appends tag and nonce suffix.
fn seal_after(cipher: &Cipher, nonce: u32, mut out: Vec<u8>, clear: usize) -> Option<Vec<u8>> {
    let suffix = nonce.to_be_bytes();
    let (aad, body) = out.split_at_mut_checked(clear)?;
    let tag = cipher.seal(suffix, aad, body)?;
    out.extend_from_slice(&tag);
    out.extend_from_slice(&suffix);
    Some(out)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn packet(payload: &[u8]) -> Opened {
        Opened { second: 0x78, rest: [0, 7, 0, 0, 3, 192, 0, 0, 0, 9], payload: payload.to_vec() }
    }

    #[test]
    fn both_modes_with_every_addition() {
        for mode in Mode::ALL {
            let cipher = Cipher::new(mode, &[3; 32]);
            for extension in [false, true] {
                for padding in [0, 1, 8, 255] {
                    let sent = packet(&[1, 2, 3]);
                    let wire = seal(&cipher, 5, &sent, Additions { extension, padding }).unwrap();
                    let overhead = 12 + 20 + usize::from(padding) + if extension { 8 } else { 0 };
                    assert_eq!(wire.len(), 3 + overhead);
                    assert_eq!(wire[0] & 0x10 != 0, extension);
                    assert_eq!(wire[0] & 0x20 != 0, padding > 0);
                    assert_eq!(open(&cipher, &wire), Ok(sent));
                }
            }
        }
    }

    #[test]
    fn unusual_shapes_are_opened_and_impossible_ones_refused() {
        let cipher = Cipher::new(Mode::Aes256Gcm, &[3; 32]);
        let sent = packet(&[7; 100]);
        let shaped = |shape: Shape| seal(&cipher, 1, &sent, shape).unwrap();
        for csrcs in [1, 15] {
            for words in [0, 1, 4, 60] {
                let extension = Extension::Words(words);
                let wire = shaped(Shape { csrcs, extension, ..Shape::default() });
                let head = 12 + 4 * usize::from(csrcs) + 4 + 4 * usize::from(words);
                assert_eq!(wire.len(), head + 100 + 20);
                assert_eq!(wire[0], 0x90 | csrcs);
                assert_eq!(open(&cipher, &wire), Ok(sent.clone()));
            }
        }
        for (shape, error) in [
            (Shape { padding: Padding::Count(0), ..Shape::default() }, OpenError::Malformed),
            (Shape { padding: Padding::Count(102), ..Shape::default() }, OpenError::Malformed),
            (Shape { extension: Extension::Truncated, ..Shape::default() }, OpenError::Malformed),
            (Shape { flip_tag: true, ..Shape::default() }, OpenError::Tag),
        ] {
            assert_eq!(open(&cipher, &shaped(shape)), Err(error), "{shape:?}");
        }
    }

    #[test]
    fn unsealed_packets_keep_their_shape() {
        for mode in Mode::ALL {
            let cipher = Cipher::new(mode, &[3; 32]);
            let shape = Shape {
                csrcs: 2,
                extension: Extension::Usual,
                padding: Padding::Bytes(5),
                flip_tag: false,
            };
            let wire = seal(&cipher, 1, &packet(&[7; 3]), shape).unwrap();
            let plain = unsealed(&cipher, &wire).unwrap();
            let head: &[u8] = &[0xB2, 0x78, 0, 7, 0, 0, 3, 192, 0, 0, 0, 9, 0, 0, 0, 1, 0, 0, 0, 2];
            let rest = [0xBE, 0xDE, 0, 1, 0x10, 0x94, 0x90, 0, 7, 7, 7, 0, 0, 0, 0, 5];
            assert_eq!(plain, [head, &rest].concat());
            // Also what no receiver makes sense of.
            for shape in [
                Shape { padding: Padding::Count(200), ..Shape::default() },
                Shape { extension: Extension::Truncated, ..Shape::default() },
            ] {
                let wire = seal(&cipher, 1, &packet(&[7; 3]), shape).unwrap();
                assert_eq!(
                    unsealed(&cipher, &wire).map(|plain| plain.len()),
                    Some(wire.len() - 20)
                );
            }
            let wire = seal(&cipher, 1, &packet(&[7; 3]), Shape { flip_tag: true, ..shape });
            assert_eq!(unsealed(&cipher, &wire.unwrap()), None);
            assert_eq!(unsealed(&cipher, &[0x9F; 30]), None);
        }
    }

    #[test]
    fn a_sender_report_is_encrypted_after_its_first_eight_bytes() {
        let cipher = Cipher::new(Mode::XChaCha20Poly1305, &[3; 32]);
        let wire = seal_sender_report(&cipher, 9, 0x0102_0304).unwrap();
        assert_eq!(wire.len(), 8 + 20 + 20);
        assert_eq!(wire[..8], [0x80, 200, 0, 6, 1, 2, 3, 4]);
        assert_eq!(Kind::of(&wire), Kind::Rtcp);
        let (clear, rest) = wire.split_at(8);
        let mut body = rest[..20].to_vec();
        assert!(cipher.open([0, 0, 0, 9], clear, &mut body, &rest[20..36]));
        assert_eq!(body, [0; 20]);
    }

    #[test]
    fn tampering_and_foreign_keys_are_refused() {
        let cipher = Cipher::new(Mode::Aes256Gcm, &[3; 32]);
        let wire =
            seal(&cipher, 5, &packet(&[1; 9]), Additions { extension: true, padding: 2 }).unwrap();
        for at in [1, 5, 11, 13, 16, wire.len() - 1, wire.len() - 9] {
            let mut changed = wire.clone();
            changed[at] ^= 4;
            assert_eq!(open(&cipher, &changed), Err(OpenError::Tag), "byte {at}");
        }
        let foreign = Cipher::new(Mode::Aes256Gcm, &[4; 32]);
        assert_eq!(open(&foreign, &wire), Err(OpenError::Tag));
        assert_eq!(open(&cipher, &wire[..20]), Err(OpenError::Malformed));
    }

    #[test]
    fn impossible_padding_is_malformed() {
        let cipher = Cipher::new(Mode::XChaCha20Poly1305, &[3; 32]);
        for last in [0, 4] {
            let mut header = packet(&[1, 1, last]);
            header.second = 0x78;
            let mut wire = vec![0xA0, header.second];
            wire.extend_from_slice(&header.rest);
            let mut body = header.payload.clone();
            let tag = cipher.seal([0; 4], &wire, &mut body).unwrap();
            wire.extend_from_slice(&body);
            wire.extend_from_slice(&tag);
            wire.extend_from_slice(&[0; 4]);
            assert_eq!(open(&cipher, &wire), Err(OpenError::Malformed), "count {last}");
        }
    }

    #[test]
    fn kinds() {
        let mut rtp = vec![0x90, 0x78];
        rtp.resize(40, 1);
        let mut rtcp = rtp.clone();
        rtcp[1] = 200;
        let mut discovery = vec![0, 1, 0, 70, 0, 0, 0, 9];
        discovery.resize(74, 0);
        for (datagram, kind) in [
            (rtp, Kind::Rtp { ssrc: 0x0101_0101 }),
            (rtcp, Kind::Rtcp),
            (discovery.clone(), Kind::Discovery { ssrc: 9 }),
            (discovery[..70].to_vec(), Kind::Unknown),
            (vec![1, 0, 0, 0, 0, 0, 0, 0], Kind::Keepalive),
            (Vec::new(), Kind::Keepalive),
            (vec![0x80, 0x78], Kind::Keepalive),
        ] {
            assert_eq!(Kind::of(&datagram), kind, "{datagram:?}");
        }
    }

    #[test]
    fn a_discovery_response_names_the_address() {
        let response = discovery_response(9, "127.0.0.1", 5_000);
        assert_eq!(response.len(), 74);
        assert_eq!(response[..8], [0, 2, 0, 70, 0, 0, 0, 9]);
        assert_eq!(&response[8..18], b"127.0.0.1\0");
        assert_eq!(response[72..], [0x13, 0x88]);
    }

    proptest! {
        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = Kind::of(&bytes);
            let cipher = Cipher::new(Mode::Aes256Gcm, &[0; 32]);
            let _ = open(&cipher, &bytes);
            let _ = unsealed(&cipher, &bytes);
        }
    }
}
