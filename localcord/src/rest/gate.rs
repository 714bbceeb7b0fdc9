//! What every REST request passes: faults, the token, the rate limits, the journal, and the latency
//! of its answer.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use axum::{
    Json,
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    middleware::Next,
    response::{Html, IntoResponse, Response},
};
use serde_json::{Value, json};

use super::{
    Rest,
    error::ApiError,
    rate_limit::{Quota, Route, Verdict},
};
use crate::fault::{RateLimitBody, RestOutcome};

/// The scope of a limit over all routes.
const GLOBAL: &str = "global";

/// Who calls: an extension of every request that needs a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Caller {
    /// The bot's user id.
    pub(crate) bot_id: u64,
    /// Its application.
    pub(crate) application_id: u64,
}

/// An answer that is not sent: the connection closes instead. An extension of a response.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Abandoned;

/// The middleware around all routes of the API. The request's path begins after the version.
pub(crate) async fn pass(State(rest): State<Rest>, request: Request, next: Next) -> Response {
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let mut latency = Duration::from_millis(rest.faults.shared().rest_latency_ms.into());
    let route = Route::of(method.as_str(), &path);
    let fault = rest.faults.rest_outcome(&path, route.template());
    if let Some(RestOutcome::Delay { ms, before, .. }) = fault {
        let delay = Duration::from_millis(ms.into());
        if before {
            tokio::time::sleep(delay).await;
        } else {
            latency += delay;
        }
    }
    let response = match admit(&rest, request, &path, &route, fault.as_ref()) {
        Ok(Admitted { request, quota }) => {
            let mut response = next.run(request).await;
            if let Some(fault) = &fault {
                response = failed(fault).unwrap_or(response);
            }
            if let Some(quota) = quota {
                write_quota(response.headers_mut(), &quota);
            }
            response
        }
        Err(refusal) => *refusal,
    };
    let mut entry = json!({ "status": response.status().as_u16() });
    if response.extensions().get::<Abandoned>().is_some() {
        entry["status"] = Value::Null;
    }
    if let Some(fault) = fault {
        entry["fault"] = json!(fault);
    }
    rest.journal.record("rest", format!("{method} {}", masked(&path)), entry);
    // Last: what the call did is seen on the gateway and in the journal meanwhile.
    if !latency.is_zero() {
        tokio::time::sleep(latency).await;
    }
    response
}

/// A request that is let through.
struct Admitted {
    request: Request,
    quota: Option<Quota>,
}

/// Lets the request through, with its caller, or answers it.
fn admit(
    rest: &Rest,
    mut request: Request,
    path: &str,
    route: &Route,
    fault: Option<&RestOutcome>,
) -> Result<Admitted, Box<Response>> {
    let fault = fault.filter(|fault| !fault.is_carried_out());
    if let Some(refusal) = fault.and_then(failed) {
        return Err(Box::new(refusal));
    }
    let caller = caller(rest, request.headers());
    if caller.is_none() && !is_open(path) {
        return Err(Box::new(ApiError::unauthorized().into_response()));
    }
    let bot = caller.map_or(0, |caller| caller.bot_id);
    let allowances = rest.faults.shared();
    let verdict = rest.limits().handle_request(Instant::now(), bot, route, &allowances.rest_limits);
    let quota = match verdict {
        Verdict::Unlimited => None,
        Verdict::Allowed(quota) => Some(quota),
        Verdict::Refused(quota) => {
            let mut response = too_many(quota.reset_after, "user");
            write_quota(response.headers_mut(), &quota);
            return Err(Box::new(response));
        }
        Verdict::RefusedGlobally { retry_after } => {
            return Err(Box::new(too_many(retry_after, GLOBAL)));
        }
    };
    if let Some(caller) = caller {
        request.extensions_mut().insert(caller);
    }
    Ok(Admitted { request, quota })
}

fn caller(rest: &Rest, headers: &HeaderMap) -> Option<Caller> {
    let token = headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bot ")?;
    rest.caller_of(token)
}

/// Paths that carry their right in themselves, or need none.
fn is_open(path: &str) -> bool {
    path == "/gateway" || has_token(path)
}

/// The path of an interaction or a webhook: its third part is a token.
fn has_token(path: &str) -> bool {
    let mut parts = path.split('/').skip(1);
    matches!(parts.next(), Some("interactions" | "webhooks")) && parts.nth(1).is_some()
}

/// The path without the token of an interaction or a webhook.
fn masked(path: &str) -> String {
    if !has_token(path) {
        return path.to_owned();
    }
    let parts = path.split('/').enumerate().map(|(at, part)| if at == 3 { "***" } else { part });
    parts.collect::<Vec<_>>().join("/")
}

/// The answer that a fault gives, if it gives another one.
pub(super) fn failed(fault: &RestOutcome) -> Option<Response> {
    match *fault {
        RestOutcome::RateLimit { retry_after, global, body } => {
            let retry_after = Duration::try_from_secs_f64(retry_after).unwrap_or_default();
            Some(match body {
                RateLimitBody::Json => {
                    too_many(retry_after, if global { GLOBAL } else { "shared" })
                }
                RateLimitBody::Empty => too_many_without_json(retry_after, ""),
                RateLimitBody::Html => too_many_without_json(retry_after, "error code: 1015"),
            })
        }
        RestOutcome::Failure { status, .. } => {
            let status = StatusCode::from_u16(status);
            Some(
                ApiError::plain(status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR))
                    .into_response(),
            )
        }
        RestOutcome::Reset { .. } => {
            let mut response = StatusCode::INTERNAL_SERVER_ERROR.into_response();
            response.extensions_mut().insert(Abandoned);
            Some(response)
        }
        RestOutcome::Delay { .. } => None,
    }
}

/// Whole milliseconds, at least as long.
fn seconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1000.0).ceil() / 1000.0
}

fn too_many(retry_after: Duration, scope: &'static str) -> Response {
    let global = scope == GLOBAL;
    let body = json!({
        "message": "You are being rate limited.",
        "retry_after": seconds(retry_after),
        "global": global,
    });
    let mut response = (StatusCode::TOO_MANY_REQUESTS, Json(body)).into_response();
    let headers = response.headers_mut();
    set_retry_after(headers, retry_after);
    set(headers, "x-ratelimit-scope", scope);
    if global {
        set(headers, "x-ratelimit-global", "true");
    }
    response
}

/// As what stands in front of Discord answers: without any of Discord's headers.
fn too_many_without_json(retry_after: Duration, words: &'static str) -> Response {
    let mut response = (StatusCode::TOO_MANY_REQUESTS, Html(words)).into_response();
    set_retry_after(response.headers_mut(), retry_after);
    response
}

fn set_retry_after(headers: &mut HeaderMap, retry_after: Duration) {
    set(headers, "retry-after", &format!("{:.0}", seconds(retry_after).ceil()));
}

fn write_quota(headers: &mut HeaderMap, quota: &Quota) {
    let epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let reset = (epoch + quota.reset_after).as_secs_f64();
    set(headers, "x-ratelimit-limit", &quota.limit.to_string());
    set(headers, "x-ratelimit-remaining", &quota.remaining.to_string());
    set(headers, "x-ratelimit-reset", &format!("{reset:.3}"));
    set(headers, "x-ratelimit-reset-after", &format!("{:.3}", quota.reset_after.as_secs_f64()));
    set(headers, "x-ratelimit-bucket", &quota.bucket);
}

fn set(headers: &mut HeaderMap, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(HeaderName::from_static(name), value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interaction_tokens_stay_out_of_the_journal() {
        let cases = [
            ("/channels/1/messages", "/channels/1/messages"),
            ("/interactions/1/aW50/callback", "/interactions/1/***/callback"),
            ("/webhooks/1/aW50/messages/@original", "/webhooks/1/***/messages/@original"),
            ("/webhooks/1", "/webhooks/1"),
        ];
        for (path, expected) in cases {
            assert_eq!(masked(path), expected);
        }
        assert!(is_open("/gateway") && !is_open("/gateway/bot"));
        assert!(is_open("/webhooks/1/tok") && !is_open("/webhooks/1"));
    }

    #[test]
    fn a_429_says_when_to_come_back() {
        let response = too_many(Duration::from_micros(1_200_100), "user");
        assert_eq!(response.status(), 429);
        assert_eq!(response.headers()["retry-after"], "2");
        assert_eq!(response.headers()["x-ratelimit-scope"], "user");
        assert!(!response.headers().contains_key("x-ratelimit-global"));
        let bare = too_many_without_json(Duration::from_millis(10), "");
        assert_eq!(bare.headers()["retry-after"], "1");
        assert!(!bare.headers().contains_key("x-ratelimit-scope"));
    }
}
