//! What GET /gateway/bot says, and what is done if it says nothing.
//!
//! Source: Discord, "Gateway", Get Gateway Bot.

use std::time::Duration;

use clawvoice_session::SessionTime;
use serde::Deserialize;

use super::identify::StartLimit;

/// The largest answer that is read, in bytes.
pub(crate) const MAX_ANSWER: usize = 64 * 1024;

/// More connections than any bot has.
const MAX_SHARDS: u32 = 1024;

/// The log tells of a fallback at most this often.
const TOLD_EVERY: Duration = Duration::from_secs(60);

/// Where the gateway is and how it is to be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Metadata {
    /// Its address; `None`: the default one.
    pub(crate) url: Option<String>,
    /// How many connections the bot needs.
    pub(crate) shards: u32,
    /// How often it may identify; `None`: not known.
    pub(crate) limit: Option<StartLimit>,
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// An answer, its body cut after [`MAX_ANSWER`] bytes and one.
    Answer {
        /// The HTTP status.
        status: u16,
        /// What it carries.
        body: Vec<u8>,
    },
    /// No answer: timeout, network, or the proxy could not reach Discord.
    Nothing(String),
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Connect so.
    Use(Metadata),
    /// Connect to the default address with one shard; why.
    FallBack(String),
    /// 401.
    TokenRefused,
    /// Nothing a second try would change; why.
    Fatal(String),
}

#[derive(Deserialize)]
struct WireGateway {
    url: String,
    #[serde(default = "one")]
    shards: u32,
    session_start_limit: Option<WireLimit>,
}

fn one() -> u32 {
    1
}

#[derive(Deserialize)]
struct WireLimit {
    total: u32,
    remaining: u32,
    /// Milliseconds.
    reset_after: u64,
    #[serde(default = "one")]
    max_concurrency: u32,
}

/// Judges an answer, or the lack of one.
pub(crate) fn judge(asked: Asked) -> Verdict {
    let (status, body) = match asked {
        Asked::Nothing(why) => return Verdict::FallBack(why),
        Asked::Answer { status, body } => (status, body),
    };
    match status {
        200 => {}
        401 => return Verdict::TokenRefused,
        408 | 429 | 500.. => return Verdict::FallBack(format!("status {status}")),
        _ => return Verdict::Fatal(format!("status {status}")),
    }
    if body.len() > MAX_ANSWER {
        return Verdict::Fatal(format!("the answer is longer than {MAX_ANSWER} bytes"));
    }
    let Ok(wire) = serde_json::from_slice::<WireGateway>(&body) else {
        return Verdict::Fatal("the answer is not one of Discord's API".to_owned());
    };
    Verdict::Use(Metadata {
        url: Some(wire.url),
        shards: wire.shards.clamp(1, MAX_SHARDS),
        limit: wire.session_start_limit.map(|limit| StartLimit {
            remaining: limit.remaining.min(limit.total),
            total: limit.total,
            reset_after: Duration::from_millis(limit.reset_after),
            max_concurrency: limit.max_concurrency.clamp(1, MAX_SHARDS),
        }),
    })
}

/// Tells of fallbacks, but not of every one.
#[derive(Debug, Default)]
pub(crate) struct FallbackLog {
    told_at: Option<SessionTime>,
}

impl FallbackLog {
    /// The line to log, if it is time for one.
    pub(crate) fn line(&mut self, now: SessionTime, why: &str) -> Option<String> {
        if self.told_at.is_some_and(|at| now.since(at) < TOLD_EVERY) {
            return None;
        }
        self.told_at = Some(now);
        Some(format!(
            "GET /gateway/bot failed ({why}); connecting to the default address with one shard"
        ))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn answer(status: u16, body: impl Into<Vec<u8>>) -> Asked {
        Asked::Answer { status, body: body.into() }
    }

    #[test]
    fn an_answer_names_address_shards_and_limits() {
        let body = r#"{"url": "wss://gateway.discord.gg", "shards": 9, "session_start_limit":
            {"total": 1000, "remaining": 999, "reset_after": 14400000, "max_concurrency": 2}}"#;
        let reset_after = Duration::from_secs(4 * 3600);
        assert_eq!(
            judge(answer(200, body)),
            Verdict::Use(Metadata {
                url: Some("wss://gateway.discord.gg".to_owned()),
                shards: 9,
                limit: Some(StartLimit {
                    remaining: 999,
                    total: 1000,
                    reset_after,
                    max_concurrency: 2
                }),
            })
        );
    }

    #[test]
    fn what_may_pass_falls_back_and_what_may_not_is_fatal() {
        for status in [408, 429, 500, 502, 503, 504] {
            assert_eq!(judge(answer(status, "")), Verdict::FallBack(format!("status {status}")));
        }
        let timeout = "no answer within 30 s".to_owned();
        assert_eq!(judge(Asked::Nothing(timeout.clone())), Verdict::FallBack(timeout));
        assert_eq!(judge(answer(401, "")), Verdict::TokenRefused);
        for status in [400, 403, 404] {
            assert_eq!(judge(answer(status, "")), Verdict::Fatal(format!("status {status}")));
        }
        assert!(matches!(judge(answer(200, "<html>")), Verdict::Fatal(_)));
        let large =
            format!(r#"{{"url": "wss://x", "shards": 1, "x": "{}"}}"#, "y".repeat(MAX_ANSWER));
        assert!(matches!(judge(answer(200, large)), Verdict::Fatal(_)));
    }

    #[test]
    fn a_fallback_is_told_once_a_minute() {
        let mut log = FallbackLog::default();
        let at = SessionTime::from_millis;
        let line = "GET /gateway/bot failed (status 503); connecting to the default address with \
                    one shard";
        assert_eq!(log.line(at(0), "status 503").as_deref(), Some(line));
        assert_eq!(log.line(at(59_999), "status 503"), None);
        assert_eq!(log.line(at(60_000), "status 503").as_deref(), Some(line));
    }

    proptest! {
        #[test]
        fn never_panics(status in 0u16..1000, body in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = judge(answer(status, body));
        }
    }
}
