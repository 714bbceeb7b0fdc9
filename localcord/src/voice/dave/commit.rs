//! Op 28: a member's commit, read by hand, and whether it may become the epoch's.
//!
//! The server is no member and cannot apply a commit; it reads the clear parts of the public
//! message (RFC 9420 sections 6.2 and 12.4) and checks what the DAVE whitepaper, "Commit
//! Validation", asks of it.

use openmls::prelude::{MlsMessageIn, tls_codec::DeserializeBytes};

use super::wire::{Reader, Welcome};

/// Why a commit was not announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// No proposals are outstanding: it lost the race, or came without any.
    #[error("no proposals are outstanding")]
    NothingOutstanding,
    /// The sender may not commit: not in the group, leaving or recovering.
    #[error("the sender cannot commit in this epoch")]
    NotACommitter,
    /// Op 28 cannot be read.
    #[error("malformed")]
    Malformed,
    /// Another group id.
    #[error("another group")]
    WrongGroup,
    /// Another epoch.
    #[error("another epoch")]
    WrongEpoch,
    /// The commit names another leaf than the sender's.
    #[error("another member's leaf")]
    WrongLeaf,
    /// A proposal inside the commit instead of a reference.
    #[error("a proposal by value")]
    InlineProposal,
    /// The references are not exactly the outstanding, unrevoked proposals.
    #[error("does not cover the outstanding proposals")]
    Coverage,
    /// The update path changes who the committer is.
    #[error("the committer's credential changed")]
    Credential,
    /// Somebody is added without a welcome, or welcomed without being added.
    #[error("the welcome does not match the added members")]
    Welcome,
}

/// A parsed op 28.
#[derive(Debug)]
pub(super) struct CommitWelcome<'a> {
    pub(super) commit: &'a [u8],
    pub(super) welcome: Option<(&'a [u8], Welcome<'a>)>,
    pub(super) group_id: &'a [u8],
    pub(super) epoch: u64,
    pub(super) leaf: u32,
    pub(super) references: Vec<[u8; 32]>,
    /// Identity in the update path, when there is one.
    pub(super) path_identity: Option<&'a [u8]>,
}

const MLS10: u16 = 1;
const PUBLIC_MESSAGE: u16 = 1;
const SENDER_MEMBER: u8 = 1;
const CONTENT_COMMIT: u8 = 3;
const PROPOSAL_REFERENCE: u8 = 2;
const CREDENTIAL_BASIC: u16 = 1;

impl<'a> CommitWelcome<'a> {
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self, Rejection> {
        // Commit and Welcome follow each other without a separator; the library finds the seam.
        let (_, rest) =
            MlsMessageIn::tls_deserialize_bytes(bytes).map_err(|_| Rejection::Malformed)?;
        let split = bytes.len().checked_sub(rest.len()).ok_or(Rejection::Malformed)?;
        let (commit, rest) = bytes.split_at_checked(split).ok_or(Rejection::Malformed)?;
        let welcome = if rest.is_empty() {
            None
        } else {
            Some((rest, Welcome::parse(rest).ok_or(Rejection::Malformed)?))
        };
        let mut parsed = Self::parse_commit(commit).ok_or(Rejection::Malformed)??;
        parsed.welcome = welcome;
        Ok(parsed)
    }

    /// `None` when the bytes do not parse.
    fn parse_commit(commit: &'a [u8]) -> Option<Result<Self, Rejection>> {
        let mut reader = Reader::new(commit);
        if reader.u16()? != MLS10 || reader.u16()? != PUBLIC_MESSAGE {
            return None;
        }
        let group_id = reader.vector()?;
        let epoch = reader.u64()?;
        if reader.u8()? != SENDER_MEMBER {
            return None;
        }
        let leaf = reader.u32()?;
        reader.vector()?; // authenticated data
        if reader.u8()? != CONTENT_COMMIT {
            return None;
        }
        let mut list = Reader::new(reader.vector()?);
        let mut references = Vec::new();
        while !list.is_empty() {
            if list.u8()? != PROPOSAL_REFERENCE {
                return Some(Err(Rejection::InlineProposal));
            }
            references.push(list.vector()?.try_into().ok()?);
        }
        let path_identity = match reader.u8()? {
            0 => None,
            1 => {
                reader.vector()?; // encryption key
                reader.vector()?; // signature key
                if reader.u16()? != CREDENTIAL_BASIC {
                    return Some(Err(Rejection::Credential));
                }
                Some(reader.vector()?)
            }
            _ => return None,
        };
        Some(Ok(Self { commit, welcome: None, group_id, epoch, leaf, references, path_identity }))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = CommitWelcome::parse(&bytes);
            let _ = CommitWelcome::parse_commit(&bytes);
        }
    }

    #[test]
    fn a_proposal_by_value_is_named() {
        let mut bytes = vec![0, 1, 0, 1, 8, 0, 0, 0, 0, 0, 0, 0, 9];
        bytes.extend_from_slice(&[0; 8]); // epoch
        bytes.extend_from_slice(&[1, 0, 0, 0, 0, 0, 3, 2, 1, 0, 0]); // member 0, no data, commit, one by value
        assert_eq!(
            CommitWelcome::parse_commit(&bytes).unwrap().unwrap_err(),
            Rejection::InlineProposal
        );
    }
}
