//! IP discovery: how a client learns the address its datagrams come from.
//!
//! 74 bytes each way: `u16` type, `u16` length (70), `u32` ssrc, 64 bytes of address text ended by
//! NUL, `u16` port. Source: Discord "Voice Connections", IP Discovery.

use std::net::{IpAddr, SocketAddr};

/// Bytes of a request and of a response.
pub const BYTES: usize = 74;

const REQUEST: u16 = 1;
const RESPONSE: u16 = 2;
const BODY_BYTES: u16 = 70;

/// The question: from where do you see the sender of `ssrc`?
#[must_use]
pub fn request(ssrc: u32) -> [u8; BYTES] {
    let mut bytes = [0; BYTES];
    bytes[0..2].copy_from_slice(&REQUEST.to_be_bytes());
    bytes[2..4].copy_from_slice(&BODY_BYTES.to_be_bytes());
    bytes[4..8].copy_from_slice(&ssrc.to_be_bytes());
    bytes
}

/// The answer for `ssrc`, or `None` if `datagram` is not one.
#[must_use]
pub fn response(datagram: &[u8], ssrc: u32) -> Option<SocketAddr> {
    if datagram.len() != BYTES
        || datagram[0..2] != RESPONSE.to_be_bytes()
        || datagram[2..4] != BODY_BYTES.to_be_bytes()
        || datagram[4..8] != ssrc.to_be_bytes()
    {
        return None;
    }
    let text = datagram[8..72].split(|byte| *byte == 0).next()?;
    let ip: IpAddr = std::str::from_utf8(text).ok()?.parse().ok()?;
    Some(SocketAddr::new(ip, u16::from_be_bytes([datagram[72], datagram[73]])))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn answer(ssrc: u32, ip: &str, port: u16) -> [u8; BYTES] {
        let mut bytes = request(ssrc);
        bytes[1] = 2;
        bytes[8..8 + ip.len()].copy_from_slice(ip.as_bytes());
        bytes[72..].copy_from_slice(&port.to_be_bytes());
        bytes
    }

    #[test]
    fn asks_in_74_bytes() {
        let bytes = request(0x0102_0304);
        assert_eq!(bytes[..8], [0, 1, 0, 70, 1, 2, 3, 4]);
        assert_eq!(bytes[8..], [0; 66]);
    }

    #[test]
    fn reads_only_the_answer_to_its_own_question() {
        let expected = "203.0.113.9:50001".parse().unwrap();
        assert_eq!(response(&answer(7, "203.0.113.9", 50_001), 7), Some(expected));
        assert_eq!(response(&answer(7, "203.0.113.9", 50_001), 8), None);
        assert_eq!(response(&answer(7, "not an address", 1), 7), None);
        assert_eq!(response(&request(7), 7), None);
        assert_eq!(response(&answer(7, "203.0.113.9", 1)[..70], 7), None);
    }

    proptest! {
        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 60..80)) {
            let _ = response(&bytes, 1);
            let mut headed = answer(1, "", 0);
            headed[8..68].copy_from_slice(&bytes[..60]);
            let _ = response(&headed, 1);
        }
    }
}
