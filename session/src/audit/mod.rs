//! What credentials are used for, and how that goes.
//!
//! ```text
//! whoever uses one → Credential::used → a bounded channel → Ledger → event log, store, warnings
//! ```
//!
//! A credential goes by its id, the beginning of its SHA-256, and by its path in the configuration;
//! its value is in nothing of this. Not every use is a row: the first of a process, a change of
//! outcome, and how many there were in an hour.

mod anomaly;
mod handle;
mod ledger;

use clawvoice_config::SecretId;
use jiff::Timestamp;

pub use anomaly::Anomaly;
pub use handle::{Auditor, Credential, Report, Reports, UseCounts, auditor};
pub use ledger::{Ledger, Noted, Output};

/// What a credential is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Purpose {
    /// To identify at Discord's gateway.
    Gateway,
    /// To ask Discord's REST API.
    Rest,
    /// To connect to a realtime provider.
    Realtime,
    /// To ask a model.
    Model,
    /// To have speech transcribed.
    Transcription,
    /// To have words spoken.
    Speech,
    /// To ask PluralKit.
    PluralKit,
}

impl Purpose {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Gateway,
        Self::Rest,
        Self::Realtime,
        Self::Model,
        Self::Transcription,
        Self::Speech,
        Self::PluralKit,
    ];

    /// Its word in the store and in the log.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Rest => "rest",
            Self::Realtime => "realtime",
            Self::Model => "model",
            Self::Transcription => "transcription",
            Self::Speech => "speech",
            Self::PluralKit => "pluralkit",
        }
    }

    /// From its word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|purpose| purpose.word() == word)
    }

    /// What should have a credential of its own: a bot's token is the only one that it has.
    const fn owner(self) -> Self {
        match self {
            Self::Rest => Self::Gateway,
            other => other,
        }
    }
}

/// How a use went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Answer {
    /// It was taken, whatever else was said.
    Ok,
    /// It was refused.
    Refused,
    /// Nobody said: there was no answer, or one of a server in trouble.
    Unknown,
}

impl Answer {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Ok, Self::Refused, Self::Unknown];

    /// By the status of an HTTP answer; `None`: there was none. Where 403 speaks of a permission,
    /// as at Discord, it is not for this to say.
    #[must_use]
    pub const fn of_status(status: Option<u16>) -> Self {
        match status {
            Some(401 | 403) => Self::Refused,
            None | Some(500..) => Self::Unknown,
            Some(_) => Self::Ok,
        }
    }

    /// Its word in the store and in the log.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Refused => "refused",
            Self::Unknown => "unknown",
        }
    }

    /// From its word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|answer| answer.word() == word)
    }
}

/// What is kept of a credential and one of its purposes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownUse {
    /// The credential.
    pub id: SecretId,
    /// The purpose.
    pub purpose: Purpose,
    /// When the credential was first seen, for whatever purpose.
    pub first_seen: Timestamp,
    /// Uses so far.
    pub uses: u64,
    /// When it was used last.
    pub last_use: Option<Timestamp>,
    /// How that went; [`Answer::Unknown`] does not replace what was known.
    pub answer: Option<Answer>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_has_a_word() {
        for purpose in Purpose::ALL {
            assert_eq!(Purpose::from_word(purpose.word()), Some(purpose));
        }
        for answer in Answer::ALL {
            assert_eq!(Answer::from_word(answer.word()), Some(answer));
        }
        assert_eq!((Purpose::from_word("x"), Answer::from_word("x")), (None, None));
    }

    #[test]
    fn a_status_says_whether_the_credential_was_taken() {
        for (status, answer) in [
            (Some(200), Answer::Ok),
            (Some(400), Answer::Ok),
            (Some(429), Answer::Ok),
            (Some(401), Answer::Refused),
            (Some(403), Answer::Refused),
            (Some(500), Answer::Unknown),
            (Some(599), Answer::Unknown),
            (None, Answer::Unknown),
        ] {
            assert_eq!(Answer::of_status(status), answer, "{status:?}");
        }
    }
}
