//! The MLS presentation language (RFC 9420 section 2.1): the few pieces a server reads by hand.

use sha2::{Digest, Sha256};

/// Reads from the front of a slice. Every method answers `None` at the end of the input.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(super) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.rest.split_at_checked(count)?;
        self.rest = tail;
        Some(head)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_be_bytes)
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }

    /// A vector with a variable-length prefix: the top two bits give the prefix' own size.
    pub(super) fn vector(&mut self) -> Option<&'a [u8]> {
        let first = self.u8()?;
        let more = match first >> 6 {
            0 => 0,
            1 => 1,
            2 => 3,
            _ => return None,
        };
        let mut length = usize::from(first & 0x3F);
        for &byte in self.take(more)? {
            length = length << 8 | usize::from(byte);
        }
        self.take(length)
    }
}

/// Appends `bytes` with a variable-length prefix. Lengths from 2^30 on do not occur here.
pub(super) fn put_vector(out: &mut Vec<u8>, bytes: &[u8]) {
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    match length {
        0..64 => out.extend_from_slice(&length.to_be_bytes()[3..]),
        64..16_384 => out.extend_from_slice(&(length | 0x4000).to_be_bytes()[2..]),
        _ => out.extend_from_slice(&(length | 0x8000_0000).to_be_bytes()),
    }
    out.extend_from_slice(bytes);
}

/// `RefHash` of RFC 9420 section 5.2 for a cipher suite whose hash is SHA-256.
fn reference(label: &[u8], value: &[u8]) -> [u8; 32] {
    let mut input = Vec::with_capacity(value.len() + label.len() + 8);
    put_vector(&mut input, label);
    put_vector(&mut input, value);
    Sha256::digest(&input).into()
}

/// The reference of a proposal sent as a public message by an external sender: there is no
/// membership tag, so the bytes after the version are exactly the authenticated content.
pub(super) fn proposal_reference(message: &[u8]) -> [u8; 32] {
    reference(b"MLS 1.0 Proposal Reference", message.get(2..).unwrap_or_default())
}

/// The reference of a bare key package.
pub(super) fn key_package_reference(package: &[u8]) -> [u8; 32] {
    reference(b"MLS 1.0 KeyPackage Reference", package)
}

/// One recipient's part of a Welcome.
#[derive(Clone, Copy, Debug)]
pub(super) struct WelcomeEntry<'a> {
    pub(super) key_package_reference: &'a [u8],
    bytes: &'a [u8],
}

/// A bare Welcome (RFC 9420 section 12.4.3.1), read just far enough to know whom it is for.
#[derive(Clone, Debug)]
pub(super) struct Welcome<'a> {
    suite: u16,
    pub(super) entries: Vec<WelcomeEntry<'a>>,
    encrypted_group_info: &'a [u8],
}

impl<'a> Welcome<'a> {
    pub(super) fn parse(bytes: &'a [u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes);
        let suite = reader.u16()?;
        let mut secrets = Reader::new(reader.vector()?);
        let encrypted_group_info = reader.vector()?;
        if !reader.is_empty() {
            return None;
        }
        let mut entries = Vec::new();
        while !secrets.is_empty() {
            let start = secrets.rest;
            let key_package_reference = secrets.vector()?;
            secrets.vector()?; // KEM output
            secrets.vector()?; // ciphertext
            let bytes = start.get(..start.len() - secrets.rest.len())?;
            entries.push(WelcomeEntry { key_package_reference, bytes });
        }
        Some(Self { suite, entries, encrypted_group_info })
    }

    /// The same Welcome with nobody's entry but this one's.
    pub(super) fn cut_for(&self, reference: &[u8]) -> Option<Vec<u8>> {
        let entry = self.entries.iter().find(|entry| entry.key_package_reference == reference)?;
        let mut out = self.suite.to_be_bytes().to_vec();
        put_vector(&mut out, entry.bytes);
        put_vector(&mut out, self.encrypted_group_info);
        Some(out)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn prefix_sizes() {
        for (length, prefix) in [
            (0, vec![0]),
            (63, vec![63]),
            (64, vec![0x40, 64]),
            (16_383, vec![0x7F, 0xFF]),
            (16_384, vec![0x80, 0, 0x40, 0]),
        ] {
            let mut out = Vec::new();
            put_vector(&mut out, &vec![7; length]);
            assert_eq!(out[..prefix.len()], prefix[..]);
            assert_eq!(out.len(), prefix.len() + length);
        }
    }

    proptest! {
        #[test]
        fn vectors_round_trip(bytes in proptest::collection::vec(any::<u8>(), 0..20_000)) {
            let mut out = Vec::new();
            put_vector(&mut out, &bytes);
            let mut reader = Reader::new(&out);
            prop_assert_eq!(reader.vector(), Some(&bytes[..]));
            prop_assert!(reader.is_empty());
        }

        #[test]
        fn a_welcome_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Welcome::parse(&bytes).map(|welcome| welcome.cut_for(&[]));
        }
    }
}
