//! Errors, closes and HTTP refusals: what to do about each.

use std::time::Duration;

/// What an error means for us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Treatment {
    /// A race that harms nothing.
    Ignore,
    /// Our `response.cancel` met a response that had just ended.
    CancelRaced,
    /// A `response.create` met a running response: ask again after its `response.done`.
    RetryCreate,
    /// The session reached its maximum duration: continue on a new one.
    Rotate,
    /// The provider is overloaded or limits our rate: the request is lost, the session is not.
    Limited,
    /// Only this request failed.
    Report,
    /// Nothing will work until an operator changes something.
    Fatal,
}

/// An `error` event, or the error of a failed response.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Failure {
    /// `error.code`, empty if the server sent none.
    pub code: String,
    /// `error.type`, empty if the server sent none.
    pub kind: String,
    /// `error.message`, for people.
    pub message: String,
    /// `error.event_id`: which of our events it answers; empty if it names none.
    pub event_id: String,
}

impl Failure {
    /// What to do. Decided by code and type only; an error without either is a [`Treatment::Report`].
    #[must_use]
    pub fn treatment(&self) -> Treatment {
        match self.code.as_str() {
            "response_cancel_not_active" => Treatment::CancelRaced,
            "conversation_already_has_active_response" => Treatment::RetryCreate,
            "input_audio_buffer_commit_empty" => Treatment::Ignore,
            "session_expired" => Treatment::Rotate,
            "invalid_api_key"
            | "insufficient_quota"
            | "account_deactivated"
            | "billing_hard_limit_reached"
            | "beta_api_shape_disabled"
            | "model_not_found" => Treatment::Fatal,
            code if code.contains("rate_limit") => Treatment::Limited,
            _ if self.kind == "rate_limit_error" => Treatment::Limited,
            _ => Treatment::Report,
        }
    }
}

/// Why a provider connection is gone or never came to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Closed {
    /// The upgrade was refused with an HTTP status.
    Refused {
        /// The status.
        status: u16,
        /// `Retry-After`, if the answer had one.
        retry_after: Option<Duration>,
    },
    /// The websocket was closed with a close frame.
    Frame {
        /// The close code.
        code: u16,
        /// The close reason, for people; for some codes a machine-readable error code.
        reason: String,
    },
    /// The connection could not be opened or broke, in words.
    Lost(String),
}

impl Closed {
    /// Whether connecting again is pointless until an operator changes something.
    #[must_use]
    pub fn is_fatal(&self) -> bool {
        match self {
            Self::Refused { status, .. } => {
                (400..500).contains(status) && !matches!(status, 408 | 409 | 425 | 429)
            }
            Self::Frame { code: 4000, .. } => true,
            Self::Frame { reason, .. } => {
                let failure = Failure { code: reason.clone(), ..Failure::default() };
                failure.treatment() == Treatment::Fatal
            }
            Self::Lost(_) => false,
        }
    }

    /// Whether the session's time was over, which is nothing to report.
    #[must_use]
    pub fn is_expiry(&self) -> bool {
        match self {
            Self::Frame { code, reason } => *code == 1001 || reason == "session_expired",
            Self::Refused { .. } | Self::Lost(_) => false,
        }
    }

    /// How long the provider asks us to stay away.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Refused { retry_after, .. } => *retry_after,
            Self::Frame { .. } | Self::Lost(_) => None,
        }
    }

    /// What happened, in words.
    #[must_use]
    pub fn describe(&self) -> String {
        match self {
            Self::Refused { status: 401 | 403, .. } => {
                "the provider refused our credentials (HTTP 401 or 403); check the API key".into()
            }
            Self::Refused { status: 404, .. } => {
                "the provider does not know this address or model (HTTP 404)".into()
            }
            Self::Refused { status, .. } => {
                format!("the provider refused the connection with HTTP {status}")
            }
            Self::Frame { code, reason } if reason.is_empty() => {
                format!("the provider closed the connection with code {code}")
            }
            Self::Frame { code, reason } => {
                format!("the provider closed the connection with code {code}: {reason}")
            }
            Self::Lost(why) => format!("the provider connection was lost: {why}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_treated_by_code_never_by_text() {
        let cases = [
            ("response_cancel_not_active", "", Treatment::CancelRaced),
            ("conversation_already_has_active_response", "", Treatment::RetryCreate),
            ("input_audio_buffer_commit_empty", "", Treatment::Ignore),
            ("session_expired", "", Treatment::Rotate),
            ("invalid_api_key", "invalid_request_error", Treatment::Fatal),
            ("insufficient_quota", "", Treatment::Fatal),
            ("inference_rate_limit_exceeded", "", Treatment::Limited),
            ("", "rate_limit_error", Treatment::Limited),
            ("unsupported_content_type", "invalid_request_error", Treatment::Report),
            ("", "", Treatment::Report),
        ];
        for (code, kind, expected) in cases {
            let failure = Failure {
                code: code.into(),
                kind: kind.into(),
                message: "insufficient_quota session_expired".into(),
                event_id: String::new(),
            };
            assert_eq!(failure.treatment(), expected, "{code:?} {kind:?}");
        }
    }

    #[test]
    fn provider_scenario_25_an_error_without_a_code_is_only_reported() {
        assert_eq!(Failure::default().treatment(), Treatment::Report);
    }

    #[test]
    fn configuration_refusals_are_fatal_and_load_is_not() {
        for (status, fatal) in [
            (400, true),
            (401, true),
            (403, true),
            (404, true),
            (408, false),
            (429, false),
            (500, false),
            (503, false),
        ] {
            assert_eq!(Closed::Refused { status, retry_after: None }.is_fatal(), fatal, "{status}");
        }
        let frame = |code, reason: &str| Closed::Frame { code, reason: reason.into() };
        assert!(frame(4000, "beta_api_shape_disabled").is_fatal());
        assert!(frame(3000, "invalid_api_key").is_fatal());
        assert!(!frame(1001, "session expired").is_fatal());
        assert!(!frame(1011, "").is_fatal());
        assert!(!Closed::Lost("reset".into()).is_fatal());
    }
}
