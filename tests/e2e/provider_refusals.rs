//! A provider that refuses, limits, expires or answers too fast, over real sockets.

use std::time::{Duration, Instant};

use crate::{
    provider_script::{Scripted, count},
    soon,
};

#[tokio::test]
async fn provider_scenario_20_an_expired_session_end_to_end() {
    let script = "{ connections: [
        { connection: 0, steps: [{ wait: { audioMs: 600 } }, { fault: 'expire' }] },
        { connection: 2, steps: [
            { wait: { audioMs: 1400 } }, { audio: { tone: 660, ms: 1000 } }, { wait: 'idle' },
        ] },
        { steps: [] },
    ] }";
    let scripted = Scripted::met(script).await;
    // The speech that the first connection does not live to hear is heard by the next.
    scripted.speaks().await;
    scripted.hears(0, 960).await;
    let (_, events) = scripted.ends().await;
    let at = |connection: u64, name: &str| {
        let found = events.iter().find(|e| e["connection"] == connection && e["event"] == name);
        found.and_then(|event| event["at_us"].as_u64()).unwrap()
    };
    let renewed = at(2, "session.updated") - at(0, "script.done");
    assert!(renewed <= 2_000_000, "a new session after {renewed} µs");
}

#[tokio::test]
async fn provider_scenario_22_a_rate_limit_with_retry_after_end_to_end() {
    let script = "{ turns: [{ reply: { tone: 440, ms: 1000 } }], connections: [
        { connection: 0, steps: [{ fault: { httpStatus: { status: 429, retryAfter: 3 } } }] },
    ] }";
    let scripted = Scripted::met(script).await;
    scripted.agent.record("realtime bridge ready").await;
    scripted.speaks().await;
    scripted.hears(0, 960).await;
    let told = scripted.agent.records().into_iter();
    let told = told.filter(|record| record.fields.to_string().contains("HTTP 429")).count();
    let (_, events) = scripted.ends().await;
    let at = |name: &str| {
        let found = events.iter().find(|event| event["event"] == name);
        Duration::from_micros(found.and_then(|event| event["at_us"].as_u64()).unwrap())
    };
    let waited = at("connected") - at("refused");
    assert!(waited >= Duration::from_secs(3), "tried again after {waited:?}");
    assert_eq!((told, count(&events, "refused")), (1, 1));
}

#[tokio::test]
async fn provider_scenario_23_refused_credentials_end_to_end() {
    let script = "{ connections: [{ steps: [{ fault: { httpStatus: { status: 401 } } }] }] }";
    let scripted = Scripted::start(script).await;
    let told = "check the API key";
    scripted.agent.logs(told).await;
    let (_, events) = scripted.ends().await;
    assert_eq!(count(&events, "refused"), 1, "{events:?}");
}

/// A scenario that fails its first response by a rate limit, and goes on with these steps.
async fn limited(steps: &str) {
    let scripted = Scripted::met(&format!(
        "{{ connections: [{{ connection: 0, steps: [
            {{ wait: {{ audioMs: 2200 }} }},
            {{ audio: {{ error: {{ code: 'inference_rate_limit_exceeded', message: 'Later.' }} }} }},
            {{ expect: {{ type: 'response.create' }} }}, {steps}
            {{ audio: {{ tone: 440, ms: 1000 }} }}, {{ wait: 'idle' }}, {{ wait: {{ ms: 500 }} }},
        ] }}, {{ steps: [] }}] }}"
    ))
    .await;
    let began = Instant::now();
    scripted.speaks().await;
    scripted.hears(0, 960).await;
    scripted.hears_out(began).await;
    scripted.ends().await;
}

#[tokio::test]
async fn provider_scenario_24_a_limited_response_end_to_end() {
    limited("{ assert: { event: 'response.create', times: 1 } },").await;
}

#[tokio::test]
async fn provider_scenario_26_a_create_that_came_too_early_end_to_end() {
    limited(
        "{ send: { type: 'error', error: { type: 'invalid_request_error', message: 'Active.',
            code: 'conversation_already_has_active_response', event_id: '$clientEvent' } } },
        { send: { type: 'response.done', response: { id: 'other', status: 'completed' } } },
        { send: { type: 'error', error: { type: 'invalid_request_error', message: 'Not active.',
            code: 'response_cancel_not_active' } } },
        { expect: { type: 'response.create' } },
        { assert: { event: 'response.create', times: 2 } },",
    )
    .await;
}

#[tokio::test]
async fn provider_scenario_30_90_s_within_2_s_end_to_end() {
    let script = "{ connections: [{ connection: 0, steps: [
        { wait: { audioMs: 2200 } }, { audio: { tone: 440, ms: 90000, speed: 45 } },
        { expect: { type: 'conversation.item.truncate', withinMs: 30000 } },
        { assert: { truncateMs: 3500, within: 1500 } },
    ] }, { steps: [] }] }";
    let scripted = Scripted::met(script).await;
    let began = Instant::now();
    scripted.speaks().await;
    scripted.hears(0, 2_500).await;
    scripted.speaks().await;
    soon("the end of it", scripted.hears_out(began)).await;
    let heard = Duration::from_millis(scripted.heard() * 20);
    assert!(heard < Duration::from_secs(6), "{heard:?} of 90 s were heard");
    scripted.ends().await;
}
