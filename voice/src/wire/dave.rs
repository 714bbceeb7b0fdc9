//! The outer form of DAVE: whether a media frame is a protocol frame, and whom a proposals
//! message would add. Keys and MLS are davey's.
//!
//! Frame: `media ‖ 8-byte tag ‖ ULEB128 nonce ‖ ULEB128 (offset, size) pairs ‖ size byte ‖ FA FA`.
//! Sources: DAVE whitepaper, "Payload Format" and "Protocol Frame Check"; RFC 9420 §6 (framing),
//! §7.2 (leaf nodes), §10 (key packages), §12.1 (proposals).

/// Truncated tag, size byte and marker: what every trailer has besides nonce and ranges.
const FIXED_TRAILER_BYTES: usize = 8 + 1 + 2;
/// The last bytes of every protocol frame.
const MARKER: [u8; 2] = [0xFA, 0xFA];

/// A media frame that passed the protocol-frame check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProtocolFrame {
    /// Bytes of media in front of the trailer: exactly what decryption must yield.
    pub media_bytes: usize,
    /// The truncated nonce; its top byte is the ratchet generation.
    pub nonce: u32,
}

/// The protocol-frame check: `None` means the frame is not DAVE-encrypted.
///
/// The trailer is not authenticated yet, so it is read as what it is: a stranger's claim.
#[must_use]
pub fn check(frame: &[u8]) -> Option<ProtocolFrame> {
    let marker_at = frame.len().checked_sub(MARKER.len())?;
    if frame.get(marker_at..)? != MARKER {
        return None;
    }
    let size_at = marker_at.checked_sub(1)?;
    let trailer_bytes = usize::from(*frame.get(size_at)?);
    let media_bytes = frame.len().checked_sub(trailer_bytes)?;
    if trailer_bytes < FIXED_TRAILER_BYTES {
        return None;
    }
    let mut fields = frame.get(media_bytes + 8..size_at)?;
    let nonce = u32::try_from(uleb128(&mut fields)?).ok()?;
    let mut covered = 0;
    while !fields.is_empty() {
        let offset = usize::try_from(uleb128(&mut fields)?).ok()?;
        let size = usize::try_from(uleb128(&mut fields)?).ok()?;
        let end = offset.checked_add(size)?;
        if offset < covered || end > media_bytes {
            return None;
        }
        covered = end;
    }
    Some(ProtocolFrame { media_bytes, nonce })
}

/// Takes one ULEB128 number of at most 64 bits off the front.
fn uleb128(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        let bits = u64::from(byte & 0x7F);
        if shift == 63 && bits > 1 {
            return None;
        }
        value |= bits << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// The users that an append batch of op 27 would add, in order; `None` if the batch is not what
/// an external sender's Adds and Removes look like.
///
/// A client must not add users that the gateway has not announced (op 11), and MLS state must not
/// be half changed by a batch that turns out to hold such a user, so this is asked beforehand.
#[must_use]
pub fn added_users(batch: &[u8]) -> Option<Vec<u64>> {
    let mut reader = Reader(batch);
    let mut messages = Reader(reader.vector()?);
    reader.end()?;
    let mut users = Vec::new();
    while !messages.0.is_empty() {
        users.extend(proposal(&mut messages)?);
    }
    Some(users)
}

/// Reads one PublicMessage with an external sender's proposal; yields the user of an Add.
fn proposal(reader: &mut Reader<'_>) -> Option<Option<u64>> {
    (reader.u16()? == 1 && reader.u16()? == 1).then_some(())?; // mls10, public message
    reader.vector()?; // group id
    reader.skip(8)?; // epoch
    (reader.u8()? == 2).then_some(())?; // sender: external
    reader.skip(4)?; // sender index
    reader.vector()?; // authenticated data
    (reader.u8()? == 2).then_some(())?; // content: proposal
    let added = match reader.u16()? {
        1 => Some(key_package(reader)?),
        3 => {
            reader.skip(4)?; // removed leaf
            None
        }
        _ => return None,
    };
    reader.vector()?; // signature
    Some(added)
}

/// Reads a KeyPackage; yields its user.
fn key_package(reader: &mut Reader<'_>) -> Option<u64> {
    reader.skip(4)?; // version, suite
    reader.vector()?; // init key
    reader.vector()?; // encryption key
    reader.vector()?; // signature key
    (reader.u16()? == 1).then_some(())?; // credential: basic
    let user = reader.vector()?.try_into().ok().map(u64::from_be_bytes)?;
    for _ in 0..5 {
        reader.vector()?; // capabilities
    }
    (reader.u8()? == 1).then_some(())?; // leaf of a key package
    reader.skip(16)?; // lifetime
    reader.vector()?; // leaf extensions
    reader.vector()?; // leaf signature
    reader.vector()?; // extensions
    reader.vector()?; // signature
    Some(user)
}

/// The epoch of a commit (op 29), which is the epoch it ends; `None` if it is not a PublicMessage.
#[must_use]
pub fn commit_epoch(commit: &[u8]) -> Option<u64> {
    let mut reader = Reader(commit);
    (reader.u16()? == 1 && reader.u16()? == 1).then_some(())?;
    reader.vector()?;
    reader.skip(8)?.try_into().ok().map(u64::from_be_bytes)
}

/// A cursor over MLS's presentation language.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn skip(&mut self, bytes: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(bytes)?;
        self.0 = rest;
        Some(taken)
    }

    fn u8(&mut self) -> Option<u8> {
        Some(self.skip(1)?[0])
    }

    fn u16(&mut self) -> Option<u16> {
        self.skip(2)?.try_into().ok().map(u16::from_be_bytes)
    }

    /// A vector with RFC 9420 §2.1.2's variable-size length header.
    fn vector(&mut self) -> Option<&'a [u8]> {
        let first = self.u8()?;
        let extra = match first >> 6 {
            0 => 0,
            1 => 1,
            2 => 3,
            _ => return None,
        };
        let length = self
            .skip(extra)?
            .iter()
            .fold(usize::from(first & 0x3F), |length, byte| length << 8 | usize::from(*byte));
        self.skip(length)
    }

    fn end(&self) -> Option<()> {
        self.0.is_empty().then_some(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// `media` bytes, a tag, then `fields`, the size byte and the marker.
    fn frame(media: usize, fields: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0x11; media];
        bytes.extend_from_slice(&[0x22; 8]);
        bytes.extend_from_slice(fields);
        bytes.push((FIXED_TRAILER_BYTES + fields.len()) as u8);
        bytes.extend_from_slice(&MARKER);
        bytes
    }

    #[test]
    fn frames_as_opus_senders_make_them() {
        // (nonce bytes, nonce): overhead 12, 13, 14 ... 16 bytes
        let cases: [(&[u8], u32); 5] = [
            (&[1], 1),
            (&[0x7F], 127),
            (&[0x80, 1], 128),
            (&[0x80, 0x80, 1], 16_384),
            (&[0xFF, 0xFF, 0xFF, 0xFF, 0x0F], u32::MAX),
        ];
        for (fields, nonce) in cases {
            let expected = Some(ProtocolFrame { media_bytes: 40, nonce });
            assert_eq!(check(&frame(40, fields)), expected);
            assert_eq!(frame(40, fields).len(), 40 + 11 + fields.len());
        }
        assert_eq!(check(&frame(0, &[5])), Some(ProtocolFrame { media_bytes: 0, nonce: 5 }));
    }

    #[test]
    fn clear_ranges_ascend_within_the_media() {
        let ok = Some(ProtocolFrame { media_bytes: 10, nonce: 1 });
        assert_eq!(check(&frame(10, &[1, 0, 2, 5, 5])), ok);
        assert_eq!(check(&frame(10, &[1, 0, 11])), None, "past the media");
        assert_eq!(check(&frame(10, &[1, 4, 2, 5, 1])), None, "overlapping");
        assert_eq!(check(&frame(10, &[1, 5, 1, 0, 1])), None, "descending");
        assert_eq!(check(&frame(10, &[1, 5])), None, "half a pair");
    }

    #[test]
    fn other_frames_are_not_protocol_frames() {
        assert_eq!(check(&super::super::rtp::SILENCE), None);
        assert_eq!(check(&[]), None);
        assert_eq!(check(&MARKER), None);
        assert_eq!(check(&frame(10, &[])), None, "no nonce");
        assert_eq!(check(&frame(10, &[0x80, 0x80])), None, "nonce without an end");
        assert_eq!(check(&frame(10, &[0xFF, 0xFF, 0xFF, 0xFF, 0x1F])), None, "33-bit nonce");
        let mut unmarked = frame(10, &[1]);
        *unmarked.last_mut().unwrap() = 0xFB;
        assert_eq!(check(&unmarked), None);
        let mut oversized = frame(10, &[1]);
        let at = oversized.len() - 3;
        oversized[at] = 200;
        assert_eq!(check(&oversized), None);
    }

    proptest! {
        #[test]
        fn check_never_panics(
            mut bytes in proptest::collection::vec(any::<u8>(), 0..64),
            size in any::<u8>(),
        ) {
            let _ = check(&bytes);
            bytes.extend_from_slice(&[size, 0xFA, 0xFA]);
            if let Some(frame) = check(&bytes) {
                prop_assert!(frame.media_bytes + FIXED_TRAILER_BYTES < bytes.len());
            }
        }

        #[test]
        fn mls_readers_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = added_users(&bytes);
            let _ = commit_epoch(&bytes);
            let mut headed = vec![0, 1, 0, 1];
            headed.extend_from_slice(&bytes);
            let _ = commit_epoch(&headed);
            let mut batch = vec![0x80, 0, (headed.len() >> 8) as u8, headed.len() as u8];
            batch.extend_from_slice(&headed);
            let _ = added_users(&batch);
        }
    }
}
