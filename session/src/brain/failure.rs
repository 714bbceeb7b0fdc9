//! Why a model did not answer, and whether asking again makes sense.

use std::time::Duration;

use serde_json::Value;

use super::sse::SseError;

/// The most of an endpoint's own words that is passed on, in characters.
const MAX_WORDS: usize = 500;

/// The longest wait an endpoint may ask for; if it wants more, it is not waited for.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// Codes of errors that pass by themselves.
const PASSING: &[&str] = &["server_error", "rate_limit_exceeded", "overloaded", "overloaded_error"];

/// Codes of a 429 that stays one until somebody pays.
const SPENT: &[&str] = &["insufficient_quota", "billing_hard_limit_reached"];

/// Why a model did not answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ModelFailure {
    /// No connection, or it was lost.
    #[error("the endpoint cannot be reached: {0}")]
    Unreachable(String),
    /// Nothing came for too long.
    #[error("the endpoint was silent for {} s", .0.as_secs_f32())]
    Silent(Duration),
    /// The endpoint refused.
    #[error("the endpoint refuses (HTTP {status}): {words}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The error's code, as `insufficient_quota`; empty if there is none.
        code: String,
        /// Its own words.
        words: String,
        /// How long it wants us to wait.
        retry_after: Option<Duration>,
    },
    /// The endpoint told an error in the middle of an answer.
    #[error("the endpoint says: {words}")]
    Told {
        /// The error's code; empty if there is none.
        code: String,
        /// Its own words.
        words: String,
    },
    /// The answer's stream ended before the answer did.
    #[error("the answer broke off")]
    BrokeOff,
    /// What came is not what the API says.
    #[error("the answer cannot be read: {0}")]
    Unreadable(String),
    /// More text, calls or arguments than a sane answer holds.
    #[error("the answer is too long")]
    TooLong,
}

impl From<SseError> for ModelFailure {
    fn from(error: SseError) -> Self {
        Self::Unreadable(error.to_string())
    }
}

impl ModelFailure {
    /// From the body of a refusal: `{"error": {"message", "code", "type"}}`, or any text.
    #[must_use]
    pub fn refused(status: u16, retry_after: Option<Duration>, body: &str) -> Self {
        let json: Option<Value> = serde_json::from_str(body).ok();
        let error = json.as_ref().and_then(|json| json.get("error"));
        let (code, words) = match error {
            Some(error) => code_and_words(error),
            None => (String::new(), cut(body)),
        };
        Self::Refused { status, code, words, retry_after }
    }

    /// From an error object within a stream.
    #[must_use]
    pub fn told(error: &Value) -> Self {
        let (code, words) = code_and_words(error);
        Self::Told { code, words }
    }

    /// Whether the same request may well succeed in a while.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Unreachable(_) | Self::Silent(_) | Self::BrokeOff => true,
            Self::Refused { status, code, .. } => match status {
                429 => !SPENT.contains(&code.as_str()),
                408 | 500..=599 => true,
                _ => false,
            },
            Self::Told { code, .. } => PASSING.contains(&code.as_str()),
            Self::Unreadable(_) | Self::TooLong => false,
        }
    }

    /// The same with every `secret` in its words replaced: servers echo keys.
    #[must_use]
    pub fn without(mut self, secret: &str) -> Self {
        if !secret.is_empty()
            && let Self::Refused { words, .. } | Self::Told { words, .. } | Self::Unreadable(words) =
                &mut self
        {
            *words = words.replace(secret, "[key]");
        }
        self
    }
}

fn code_and_words(error: &Value) -> (String, String) {
    let text = |key: &str| error.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
    let code = text("code").or_else(|| text("type")).unwrap_or_default();
    let words = text("message").or_else(|| error.as_str());
    (code.to_owned(), words.map_or_else(|| cut(&error.to_string()), cut))
}

fn cut(words: &str) -> String {
    let words = words.trim();
    match words.char_indices().nth(MAX_WORDS) {
        Some((end, _)) => format!("{}…", words.get(..end).unwrap_or_default()),
        None if words.is_empty() => "no reason given".to_owned(),
        None => words.to_owned(),
    }
}

/// When one endpoint is asked again: a few times, each wait twice the last, with jitter, or as
/// long as the endpoint says.
#[derive(Clone, Debug)]
pub struct RetryPlan {
    left: u32,
    wait: Duration,
}

impl RetryPlan {
    /// At most `retries` more attempts, the first after about `first_wait`.
    #[must_use]
    pub const fn new(retries: u32, first_wait: Duration) -> Self {
        Self { left: retries, wait: first_wait }
    }

    /// How long to wait before asking again; `None`: do not. `jitter` is a random number from 0 to
    /// below 1 and spreads the wait over half to all of its length.
    pub fn handle_failure(&mut self, failure: &ModelFailure, jitter: f64) -> Option<Duration> {
        if !failure.is_passing() || self.left == 0 {
            return None;
        }
        let asked = match failure {
            ModelFailure::Refused { retry_after, .. } => *retry_after,
            _ => None,
        };
        if asked.is_some_and(|asked| asked > LONGEST_WAIT) {
            return None;
        }
        self.left -= 1;
        let wait = self.wait.mul_f64(0.5 + jitter.clamp(0.0, 1.0) / 2.0);
        self.wait = self.wait.saturating_mul(2).min(LONGEST_WAIT);
        Some(asked.unwrap_or(wait))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(status: u16, body: &str) -> ModelFailure {
        ModelFailure::refused(status, None, body)
    }

    #[test]
    fn which_failures_pass() {
        for status in [408, 429, 500, 502, 503, 529] {
            assert!(refused(status, "").is_passing(), "{status}");
        }
        for status in [400, 401, 403, 404, 422] {
            assert!(!refused(status, "").is_passing(), "{status}");
        }
        let spent = r#"{"error":{"code":"insufficient_quota","message":"pay"}}"#;
        assert!(!refused(429, spent).is_passing());
        let spent_type = r#"{"error":{"type":"insufficient_quota","code":null,"message":"pay"}}"#;
        assert!(!refused(429, spent_type).is_passing());
        assert!(ModelFailure::BrokeOff.is_passing());
        assert!(!ModelFailure::Unreadable(String::new()).is_passing());
    }

    #[test]
    fn words_come_from_wherever_they_stand() {
        for (body, words) in [
            (r#"{"error":{"message":"no"}}"#, "no"),
            (r#"{"error":"no"}"#, "no"),
            ("<h1>Bad gateway</h1>", "<h1>Bad gateway</h1>"),
            ("", "no reason given"),
        ] {
            let expected = format!("the endpoint refuses (HTTP 500): {words}");
            assert_eq!(refused(500, body).to_string(), expected);
        }
        let long = refused(500, &"x".repeat(10_000)).to_string();
        assert!(long.len() < 600, "{}", long.len());
    }

    #[test]
    fn a_key_that_is_echoed_is_masked() {
        let body = r#"{"error":{"message":"bad key sk-hush"}}"#;
        let failure = refused(401, body).without("sk-hush");
        assert!(failure.to_string().ends_with("bad key [key]"), "{failure}");
    }

    #[test]
    fn waits_double_with_jitter_and_end() {
        let mut plan = RetryPlan::new(3, Duration::from_millis(400));
        let failure = refused(503, "");
        let waits: Vec<_> =
            [0.0, 0.5, 0.999, 0.0].map(|jitter| plan.handle_failure(&failure, jitter)).into();
        let millis: Vec<_> = waits.iter().map(|wait| wait.map(|wait| wait.as_millis())).collect();
        assert_eq!(millis, [Some(200), Some(600), Some(1599), None]);
    }

    #[test]
    fn retry_after_is_honoured_up_to_a_bound() {
        let after = |seconds| ModelFailure::refused(429, Some(Duration::from_secs(seconds)), "");
        let mut plan = RetryPlan::new(3, Duration::from_millis(400));
        assert_eq!(plan.handle_failure(&after(7), 0.3), Some(Duration::from_secs(7)));
        assert_eq!(plan.handle_failure(&after(3600), 0.3), None);
    }

    #[test]
    fn what_does_not_pass_is_not_tried_again() {
        let mut plan = RetryPlan::new(3, Duration::from_millis(400));
        assert_eq!(plan.handle_failure(&refused(401, ""), 0.5), None);
    }
}
