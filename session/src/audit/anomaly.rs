//! What is strange about the use of a credential, in words.

use clawvoice_config::SecretId;

use super::Purpose;

/// Something a person should look at. Names paths and ids, never a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Anomaly {
    /// It was taken before.
    #[error(
        "the credential {path} ({id}) is refused for {}, for which it was good before: it may have \
         been revoked or replaced", purpose.word()
    )]
    RefusedAfterOk {
        /// Where it stands in the configuration.
        path: String,
        /// Which it is.
        id: SecretId,
        /// For what.
        purpose: Purpose,
    },
    /// It was known, and not for this.
    #[error(
        "the credential {path} ({id}) is used for {}, for which it never was before: if that was \
         not meant, replace it", purpose.word()
    )]
    NewPurpose {
        /// Where it stands in the configuration.
        path: String,
        /// Which it is.
        id: SecretId,
        /// For what.
        purpose: Purpose,
    },
    /// It stands in for several.
    #[error(
        "one credential ({id}) serves several purposes: {}. With one of its own each could be \
         revoked without the others", paths.join(", ")
    )]
    Shared {
        /// Which it is.
        id: SecretId,
        /// Where it stands in the configuration.
        paths: Vec<String>,
    },
    /// It is in use for long.
    #[error("the credential {path} ({id}) is in use for {days} days: replace it")]
    Old {
        /// Where it stands in the configuration.
        path: String,
        /// Which it is.
        id: SecretId,
        /// Since it was first seen.
        days: u64,
    },
}
