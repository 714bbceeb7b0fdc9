//! What a member can send that the call cannot use.

/// A client message or a signature that failed.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum DaveError {
    /// Op 26 from somebody who has not been sent the external sender.
    #[error("user {0} is not in the call")]
    NotInCall(u64),
    /// Op 26 does not hold a valid key package.
    #[error("the key package is malformed or its signature is wrong")]
    KeyPackage,
    /// The credential in op 26 names somebody else.
    #[error("the key package names another user than {expected}")]
    ForeignCredential {
        /// Who sent it.
        expected: u64,
        /// Whom it names; `None` when the credential is not 8 bytes long.
        found: Option<u64>,
    },
    /// The MLS library could not make or sign something.
    #[error("MLS: {0}")]
    Mls(String),
}
