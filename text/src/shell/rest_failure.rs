//! Why a REST call failed.

use std::fmt::Write as _;

use twilight_http::{Error, api_error::ApiError, error::ErrorType};

/// Why a REST call failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RestFailure {
    /// 401: the token is not one, or is no longer valid.
    #[error("Discord refused the bot token")]
    TokenRefused,
    /// Discord understood and refused (4xx).
    #[error("Discord refused {what} with status {status}: {message}")]
    Refused {
        /// What was asked.
        what: &'static str,
        /// The HTTP status; 0: it was not even sent.
        status: u16,
        /// Discord's JSON error code; 0: none.
        code: u64,
        /// Discord's words.
        message: String,
    },
    /// Too many calls wait already.
    #[error("{what} is not asked: too many requests wait already")]
    QueueFull {
        /// What was to be asked.
        what: &'static str,
    },
    /// No answer, no connection, a rate limit that lasts, or a server error (5xx).
    #[error("{what} failed: {reason}")]
    Unreachable {
        /// What was asked.
        what: &'static str,
        /// In words.
        reason: String,
        /// Whether Discord may have done it all the same.
        perhaps_done: bool,
    },
}

impl RestFailure {
    /// A call that twilight could not even write.
    pub(super) fn unwritten(what: &'static str, error: &Error) -> Self {
        match error.kind() {
            // A token with a line break or the like cannot be sent; Discord would refuse it too.
            ErrorType::CreatingHeader { .. } => Self::TokenRefused,
            _ => Self::unsent(what, in_words(error)),
        }
    }

    /// A call that cannot be sent.
    pub(super) fn unsent(what: &'static str, message: impl Into<String>) -> Self {
        Self::Refused { what, status: 0, code: 0, message: message.into() }
    }

    /// An answer that is no success.
    pub(super) fn answered(what: &'static str, status: u16, body: &[u8]) -> Self {
        match status {
            401 => Self::TokenRefused,
            400..500 if status != 408 && status != 429 => {
                let (code, message) = match serde_json::from_slice::<ApiError>(body) {
                    Ok(ApiError::General(error)) => (error.code, error.message),
                    Ok(error) => (0, error.to_string()),
                    Err(_) => (0, "no reason was given".to_owned()),
                };
                Self::Refused { what, status, code, message }
            }
            _ => {
                let reason = format!("status {status}");
                Self::Unreachable { what, reason, perhaps_done: status != 429 }
            }
        }
    }

    /// A success whose body says something else than was expected.
    pub(super) fn unreadable(what: &'static str) -> Self {
        let reason = "the answer is not one of Discord's API".to_owned();
        Self::Unreachable { what, reason, perhaps_done: true }
    }

    /// The HTTP status of a refusal.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::TokenRefused => Some(401),
            Self::Refused { status, .. } => Some(*status).filter(|status| *status != 0),
            Self::QueueFull { .. } | Self::Unreachable { .. } => None,
        }
    }

    /// Discord's JSON error code. Source: Discord, "JSON Error Codes".
    #[must_use]
    pub fn code(&self) -> Option<u64> {
        match self {
            Self::Refused { code, .. } => Some(*code).filter(|code| *code != 0),
            _ => None,
        }
    }

    /// Whether the same call may work later.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::QueueFull { .. })
    }

    /// Whether Discord may have done what was asked; if not, it can be done in another way.
    #[must_use]
    pub fn is_perhaps_done(&self) -> bool {
        matches!(self, Self::Unreachable { perhaps_done: true, .. })
    }

    /// Remembers that an earlier attempt of the same call may have been carried out.
    pub(super) fn after(mut self, earlier: bool) -> Self {
        if let Self::Unreachable { perhaps_done, .. } = &mut self {
            *perhaps_done |= earlier;
        }
        self
    }
}

/// An error and what lies under it, in one line.
pub(super) fn in_words(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            let _ = write!(text, ": {cause_text}");
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_tells_status_and_code_and_is_final() {
        let body = br#"{"message": "Missing Access", "code": 50001}"#;
        let failure = RestFailure::answered("it", 403, body);
        assert_eq!((failure.status(), failure.code()), (Some(403), Some(50_001)));
        assert!(!failure.may_pass() && !failure.is_perhaps_done());
        let nameless = RestFailure::answered("it", 404, b"<html>");
        assert_eq!((nameless.status(), nameless.code()), (Some(404), None));
        assert_eq!(RestFailure::answered("it", 401, b"").status(), Some(401));
        assert_eq!(RestFailure::unsent("it", "no").status(), None);
    }

    #[test]
    fn what_a_server_error_did_is_not_known_and_a_429_did_nothing() {
        let failed = |status| RestFailure::answered("it", status, b"");
        assert!(failed(502).may_pass() && failed(502).is_perhaps_done());
        assert!(failed(408).is_perhaps_done());
        assert!(failed(429).may_pass() && !failed(429).is_perhaps_done());
        assert!(failed(429).after(true).is_perhaps_done());
        assert!(RestFailure::unreadable("it").is_perhaps_done());
    }
}
