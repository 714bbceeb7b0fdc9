//! RTP packets as Discord's voice servers send them, read in the one order that works: header,
//! transport cipher, header extension, padding.
//!
//! Sources: RFC 3550 §5.1 (header), §5.3.1 and RFC 5285 (extension), RFC 5761 §4 (telling RTCP
//! from RTP), Discord "Voice Connections" (`*_rtpsize` modes).

/// Bytes of an RTP header without CSRC entries and extension.
pub const HEADER_BYTES: usize = 12;
/// The payload type under which Discord carries Opus.
pub const OPUS_PAYLOAD_TYPE: u8 = 120;
/// RTP clock of Opus, in Hz, whatever the coded bandwidth (RFC 7587 §4.1).
pub const CLOCK_HZ: u32 = 48_000;
/// RTP timestamp units of the 20 ms frame that Discord's clients send.
pub const FRAME_UNITS: u32 = 960;
/// The Opus packet that says "silence": sent five times before a pause, and made by the server
/// for muted sources, then without DAVE.
pub const SILENCE: [u8; 3] = [0xF8, 0xFF, 0xFE];
/// The shortest datagram that can carry anything: header, tag, nonce suffix.
const MIN_BYTES: usize = HEADER_BYTES + super::aead::OVERHEAD;

/// The part of an RTP packet that travels in clear, and what it says about the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Payload type, 7 bits; Opus is [`OPUS_PAYLOAD_TYPE`], everything else is video.
    pub payload_type: u8,
    /// Marker bit.
    pub marker: bool,
    /// Sequence number; wraps.
    pub sequence: u16,
    /// Media time in 1/48000 s; wraps.
    pub timestamp: u32,
    /// Synchronisation source: one sender's one stream.
    pub ssrc: u32,
    /// Bytes in clear, which are also the cipher's associated data: header, CSRCs, and the
    /// 4-byte extension preamble, but not the extension's body.
    pub clear_bytes: usize,
    /// Bytes of the extension's body: the first of the plaintext, to be dropped.
    pub extension_bytes: usize,
    /// Whether the plaintext ends with RTP padding.
    pub padded: bool,
}

/// What a datagram of the voice socket is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packet {
    /// Media.
    Rtp(Header),
    /// Reports about media, which a receiver may ignore.
    Rtcp,
}

/// Why a datagram is not a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RtpError {
    /// Too short for a header, a tag and a nonce: keepalive answers and noise.
    #[error("expected at least {MIN_BYTES} bytes, got {got}")]
    Runt {
        /// Bytes there are.
        got: usize,
    },
    /// Not RTP version 2.
    #[error("expected RTP version 2, got {got}")]
    Version {
        /// The version there is.
        got: u8,
    },
    /// CSRC entries or the extension claim more bytes than there are.
    #[error("header claims {claimed} bytes, datagram has {got}")]
    Truncated {
        /// Bytes the header claims, cipher overhead included.
        claimed: usize,
        /// Bytes there are.
        got: usize,
    },
}

/// Reads the clear part of a datagram.
///
/// # Errors
/// See [`RtpError`].
pub fn parse(datagram: &[u8]) -> Result<Packet, RtpError> {
    let got = datagram.len();
    if got < MIN_BYTES {
        return Err(RtpError::Runt { got });
    }
    let version = datagram[0] >> 6;
    if version != 2 {
        return Err(RtpError::Version { got: version });
    }
    // The whole byte: masked with 0x7F, RTCP's 200..=204 would become payload types 72..=76.
    if (200..=204).contains(&datagram[1]) {
        return Ok(Packet::Rtcp);
    }
    let csrcs = usize::from(datagram[0] & 0x0F);
    let mut clear_bytes = HEADER_BYTES + 4 * csrcs;
    let mut extension_bytes = 0;
    if datagram[0] & 0x10 != 0 {
        let Some(words) = datagram.get(clear_bytes + 2..clear_bytes + 4) else {
            return Err(RtpError::Truncated { claimed: clear_bytes + 4, got });
        };
        extension_bytes = 4 * usize::from(u16::from_be_bytes([words[0], words[1]]));
        clear_bytes += 4;
    }
    let claimed = clear_bytes + extension_bytes + super::aead::OVERHEAD;
    if claimed > got {
        return Err(RtpError::Truncated { claimed, got });
    }
    Ok(Packet::Rtp(Header {
        payload_type: datagram[1] & 0x7F,
        marker: datagram[1] & 0x80 != 0,
        sequence: u16::from_be_bytes([datagram[2], datagram[3]]),
        timestamp: u32::from_be_bytes([datagram[4], datagram[5], datagram[6], datagram[7]]),
        ssrc: u32::from_be_bytes([datagram[8], datagram[9], datagram[10], datagram[11]]),
        clear_bytes,
        extension_bytes,
        padded: datagram[0] & 0x20 != 0,
    }))
}

/// The pad count at the end of a plaintext is zero or larger than what is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("padding of {claimed} bytes in a payload of {got}")]
pub struct PaddingError {
    /// The count in the last byte.
    pub claimed: usize,
    /// Bytes the payload has.
    pub got: usize,
}

/// The media inside a decrypted packet: extension body off the front, padding off the end.
///
/// Empty for a padding-only packet. The pad count is the last byte of the *plaintext*; reading it
/// from the ciphertext is the classic mistake.
///
/// # Errors
/// The pad count is impossible (RFC 3550 §5.1: it counts itself, so it is never 0).
pub fn media<'a>(header: &Header, plaintext: &'a [u8]) -> Result<&'a [u8], PaddingError> {
    let payload = plaintext.get(header.extension_bytes..).unwrap_or_default();
    if !header.padded {
        return Ok(payload);
    }
    let claimed = payload.last().copied().map_or(0, usize::from);
    match payload.len().checked_sub(claimed) {
        Some(kept) if claimed > 0 => Ok(&payload[..kept]),
        _ => Err(PaddingError { claimed, got: payload.len() }),
    }
}

/// Writes the 12-byte header of an outgoing Opus packet: version 2, no CSRC, no extension.
pub fn write_header(out: &mut [u8; HEADER_BYTES], sequence: u16, timestamp: u32, ssrc: u32) {
    out[0] = 0x80;
    out[1] = OPUS_PAYLOAD_TYPE;
    out[2..4].copy_from_slice(&sequence.to_be_bytes());
    out[4..8].copy_from_slice(&timestamp.to_be_bytes());
    out[8..12].copy_from_slice(&ssrc.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn datagram(first: u8, second: u8, middle: &[u8]) -> Vec<u8> {
        let mut bytes = vec![first, second, 0xAB, 0xCD, 0, 0, 3, 0xC0, 0, 0, 0x30, 0x39];
        bytes.extend_from_slice(middle);
        bytes.resize(bytes.len() + 28, 0);
        bytes
    }

    /// Name, first byte, bytes after the fixed header, clear bytes, extension body, padded.
    type HeaderCase = (&'static str, u8, &'static [u8], usize, usize, bool);

    #[test]
    fn headers_of_every_first_byte_seen_on_discord() {
        let cases: [HeaderCase; 6] = [
            ("bot or server silence", 0x80, &[], 12, 0, false),
            ("native client", 0x90, &[0xBE, 0xDE, 0, 1], 16, 4, false),
            ("extension and padding", 0xB0, &[0xBE, 0xDE, 0, 2], 16, 8, true),
            ("empty extension", 0x90, &[0xBE, 0xDE, 0, 0], 16, 0, false),
            ("two CSRCs", 0x82, &[0; 8], 20, 0, false),
            ("CSRC and extension", 0x91, &[0, 0, 0, 1, 0xBE, 0xDE, 0, 1], 20, 4, false),
        ];
        for (name, first, middle, clear_bytes, extension_bytes, padded) in cases {
            let expected = Header {
                payload_type: 120,
                marker: true,
                sequence: 0xABCD,
                timestamp: 960,
                ssrc: 12345,
                clear_bytes,
                extension_bytes,
                padded,
            };
            assert_eq!(parse(&datagram(first, 0xF8, middle)), Ok(Packet::Rtp(expected)), "{name}");
        }
    }

    #[test]
    fn what_is_not_media_is_told_apart() {
        assert_eq!(parse(&[0x80; 31]), Err(RtpError::Runt { got: 31 }));
        assert_eq!(parse(&[0x40; 40]), Err(RtpError::Version { got: 1 }));
        for second in 200..=204 {
            assert_eq!(parse(&datagram(0x80, second, &[])), Ok(Packet::Rtcp));
        }
        let too_long = datagram(0x90, 120, &[0xBE, 0xDE, 0xFF, 0xFF]);
        assert_eq!(
            parse(&too_long),
            Err(RtpError::Truncated { claimed: 16 + 4 * 0xFFFF + 20, got: too_long.len() })
        );
        let fifteen_csrcs = datagram(0x9F, 120, &[]);
        assert!(matches!(parse(&fifteen_csrcs), Err(RtpError::Truncated { .. })));
    }

    #[test]
    fn padding_is_read_from_the_plaintext() {
        let header = |padded| Header {
            payload_type: 120,
            marker: false,
            sequence: 0,
            timestamp: 0,
            ssrc: 0,
            clear_bytes: 16,
            extension_bytes: 2,
            padded,
        };
        assert_eq!(media(&header(false), &[9, 9, 1, 2]), Ok(&[1u8, 2][..]));
        assert_eq!(media(&header(true), &[9, 9, 1, 2, 0, 2]), Ok(&[1u8, 2][..]));
        assert_eq!(media(&header(true), &[9, 9, 0, 0, 3]), Ok(&[][..]), "padding only");
        assert_eq!(media(&header(true), &[9, 9, 1, 0]), Err(PaddingError { claimed: 0, got: 2 }));
        assert_eq!(media(&header(true), &[9, 9, 1, 3]), Err(PaddingError { claimed: 3, got: 2 }));
        assert_eq!(media(&header(true), &[9, 9]), Err(PaddingError { claimed: 0, got: 0 }));
    }

    #[test]
    fn a_written_header_reads_back() {
        let mut bytes = [0u8; 40];
        let head: &mut [u8; HEADER_BYTES] = (&mut bytes[..HEADER_BYTES]).try_into().unwrap();
        write_header(head, 65_535, 0xFFFF_FFFF, 7);
        let Ok(Packet::Rtp(header)) = parse(&bytes) else { panic!("not RTP") };
        assert_eq!((header.sequence, header.timestamp, header.ssrc), (65_535, 0xFFFF_FFFF, 7));
        assert_eq!((header.payload_type, header.clear_bytes, header.padded), (120, 12, false));
    }

    proptest! {
        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(Packet::Rtp(header)) = parse(&bytes) {
                let rest = &bytes[header.clear_bytes..bytes.len() - super::super::aead::OVERHEAD];
                let _ = media(&header, rest);
            }
        }
    }
}
