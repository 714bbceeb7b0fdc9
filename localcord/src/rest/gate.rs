//! What every REST request passes: faults, the token, the rate limits, the journal, and the latency
//! of its answer.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use axum::{
    Json,
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use serde_json::json;

use super::{
    Rest,
    error::ApiError,
    rate_limit::{Quota, Route, Verdict},
};
use crate::fault::RestFault;

/// Who calls: an extension of every request that needs a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Caller {
    /// The bot's user id.
    pub(crate) bot_id: u64,
    /// Its application.
    pub(crate) application_id: u64,
}

/// The middleware around all routes of the API. The request's path begins after the version.
pub(crate) async fn pass(State(rest): State<Rest>, request: Request, next: Next) -> Response {
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let latency = Duration::from_millis(rest.faults.shared().rest_latency_ms.into());
    let response = match admit(&rest, request, &path) {
        Ok(Admitted { request, quota, lost }) => {
            let mut response = next.run(request).await;
            if let Some(fault) = lost {
                response = failed(&fault);
            }
            write_quota(response.headers_mut(), &quota);
            response
        }
        Err(refusal) => *refusal,
    };
    let name = format!("{method} {}", masked(&path));
    rest.journal.record("rest", name, json!({ "status": response.status().as_u16() }));
    // Last: what the call did is seen on the gateway and in the journal meanwhile.
    if !latency.is_zero() {
        tokio::time::sleep(latency).await;
    }
    response
}

/// A request that is let through.
struct Admitted {
    request: Request,
    quota: Quota,
    /// Its answer is lost.
    lost: Option<RestFault>,
}

/// Lets the request through, with its caller, or answers it.
fn admit(rest: &Rest, mut request: Request, path: &str) -> Result<Admitted, Box<Response>> {
    let fault = rest.faults.take_rest(path);
    if let Some(fault) = fault.as_ref().filter(|fault| !fault.carried_out) {
        return Err(Box::new(failed(fault)));
    }
    let caller = caller(rest, request.headers());
    if caller.is_none() && !is_open(path) {
        return Err(Box::new(ApiError::unauthorized().into_response()));
    }
    let route = Route::of(request.method().as_str(), path);
    let bot = caller.map_or(0, |caller| caller.bot_id);
    match rest.limits().handle_request(Instant::now(), bot, &route) {
        Verdict::Allowed(quota) => {
            if let Some(caller) = caller {
                request.extensions_mut().insert(caller);
            }
            Ok(Admitted { request, quota, lost: fault })
        }
        Verdict::Refused(quota) => {
            let mut response = too_many(quota.reset_after, false, "user");
            write_quota(response.headers_mut(), &quota);
            Err(Box::new(response))
        }
        Verdict::RefusedGlobally { retry_after } => {
            let mut response = too_many(retry_after, true, "global");
            set(response.headers_mut(), "x-ratelimit-global", "true");
            Err(Box::new(response))
        }
    }
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

/// The path without the token of an interaction.
fn masked(path: &str) -> String {
    if !has_token(path) {
        return path.to_owned();
    }
    let parts = path.split('/').enumerate().map(|(at, part)| if at == 3 { "***" } else { part });
    parts.collect::<Vec<_>>().join("/")
}

/// The answer that a fault gives.
pub(super) fn failed(fault: &RestFault) -> Response {
    if fault.status == 429 {
        let retry_after = Duration::try_from_secs_f64(fault.retry_after).unwrap_or_default();
        return too_many(retry_after, false, "shared");
    }
    let status = StatusCode::from_u16(fault.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    ApiError::plain(status).into_response()
}

fn too_many(retry_after: Duration, global: bool, scope: &'static str) -> Response {
    let seconds = (retry_after.as_secs_f64() * 1000.0).ceil() / 1000.0;
    let body = json!({
        "message": "You are being rate limited.",
        "retry_after": seconds,
        "global": global,
    });
    let mut response = (StatusCode::TOO_MANY_REQUESTS, Json(body)).into_response();
    let headers = response.headers_mut();
    set(headers, "retry-after", &format!("{:.0}", seconds.ceil()));
    set(headers, "x-ratelimit-scope", scope);
    response
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
        let response = too_many(Duration::from_micros(1_200_100), false, "user");
        assert_eq!(response.status(), 429);
        assert_eq!(response.headers()["retry-after"], "2");
        assert_eq!(response.headers()["x-ratelimit-scope"], "user");
    }
}
