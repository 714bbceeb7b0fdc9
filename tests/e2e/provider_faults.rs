//! What a provider may do wrong on the wire, and the conversation goes on: over real sockets, with
//! a script of the local provider for each.

use std::time::Instant;

use crate::provider_script::{Scripted, count};

/// A scenario that answers Ada's speech with a second of a tone after these steps.
fn answering(steps: &str) -> String {
    format!(
        "{{ connections: [{{ connection: 0, steps: [
            {{ wait: {{ audioMs: 2200 }} }}, {steps}
            {{ audio: {{ tone: 440, ms: 1000 }} }}, {{ wait: 'idle' }},
        ] }}, {{ steps: [] }}] }}"
    )
}

/// Ada speaks and hears so many ms of an answer that comes after these steps; gives the
/// statistics of the session.
async fn answered_after(steps: &str, ms: u64) -> serde_json::Value {
    let scripted = Scripted::met(&answering(steps)).await;
    let began = Instant::now();
    scripted.speaks().await;
    scripted.hears(0, ms - 40).await;
    scripted.hears_out(began).await;
    let heard = scripted.heard() * 20;
    assert!(heard.abs_diff(ms) <= 40, "{heard} ms were heard of {ms}");
    let (statistics, events) = scripted.ends().await;
    assert!(count(&events, "connected") <= 2, "no connection was given up: {events:?}");
    statistics
}

/// The first connection meets these steps and is lost; the third, which takes its place, answers.
async fn answered_on_a_new_connection(steps: &str) -> Vec<serde_json::Value> {
    let script = format!(
        "{{ connections: [
            {{ connection: 0, steps: [{steps}] }},
            {{ connection: 2, steps: [
                {{ wait: {{ audioMs: 2000 }} }}, {{ audio: {{ tone: 660, ms: 1000 }} }}, {{ wait: 'idle' }},
            ] }},
            {{ steps: [] }},
        ] }}"
    );
    let scripted = Scripted::met(&script).await;
    let from = scripted.agent.position();
    // It may answer what was kept of the first speech, while that goes on.
    let heard = scripted.heard();
    scripted.speaks().await;
    for _ in 0..3 {
        scripted.agent.record_from(from, "realtime lifecycle server:session.updated").await;
    }
    scripted.speaks().await;
    scripted.hears(heard, 900).await;
    let (_, events) = scripted.ends().await;
    assert_eq!(count(&events, "connected"), 3, "{events:?}");
    events
}

#[tokio::test]
async fn provider_scenario_18_a_dropped_socket_in_mid_response_end_to_end() {
    let script = "{ connections: [
        { connection: 0, steps: [
            { wait: { audioMs: 2200 } }, { audio: { tone: 440, ms: 9000, speed: 2 } },
            { wait: { ms: 1000 } }, { fault: 'dropTcp' },
        ] },
        { connection: 2, steps: [
            { wait: { audioMs: 2000 } }, { audio: { tone: 660, ms: 1000 } }, { wait: 'idle' },
        ] },
        { steps: [] },
    ] }";
    let scripted = Scripted::met(script).await;
    let began = Instant::now();
    scripted.speaks().await;
    scripted.hears(0, 1_600).await;
    scripted.hears_out(began).await;
    let heard = scripted.heard();
    assert!(heard * 20 < 3_000, "what had come was heard, and no more: {} ms", heard * 20);
    scripted.speaks().await;
    scripted.hears(heard, 960).await;
    let (_, events) = scripted.ends().await;
    assert_eq!(count(&events, "connected"), 3, "{events:?}");
}

#[tokio::test]
async fn provider_scenario_25_errors_without_a_code_end_to_end() {
    let steps =
        "{ send: { type: 'error', error: { type: 'server_error', message: 'Something.' } } },
        { send: { type: 'error', error: {} } }, { send: { type: 'error' } },";
    answered_after(steps, 1_000).await;
}

#[tokio::test]
async fn provider_scenario_27_malformed_base64_end_to_end() {
    let statistics = answered_after("{ fault: 'badBase64' },", 900).await;
    assert_eq!(statistics["providerBadAudio"], 1, "{statistics}");
}

#[tokio::test]
async fn provider_scenario_28_an_odd_delta_end_to_end() {
    let statistics = answered_after("{ fault: 'oddBytes' },", 1_000).await;
    assert_eq!(statistics["providerBadAudio"], 0, "{statistics}");
}

#[tokio::test]
async fn provider_scenario_29_a_giant_delta_end_to_end() {
    let steps = "{ wait: { audioMs: 500 } }, { fault: { hugeDelta: 20971520 } },";
    answered_on_a_new_connection(steps).await;
}

#[tokio::test]
async fn deltas_out_of_order_lose_nothing_end_to_end() {
    answered_after("{ fault: { reorder: [2, 4] } },", 1_000).await;
}

#[tokio::test]
async fn provider_scenario_35_unknown_events_and_cut_characters_end_to_end() {
    let steps = "{ fault: 'unknownEvent' }, { fault: 'splitUtf8' },
        { send: { type: 'response.hologram.done', text: 'naïve' } },";
    let statistics = answered_after(steps, 1_000).await;
    assert_eq!(statistics["providerUnreadable"], 0, "{statistics}");
}

#[tokio::test]
async fn provider_scenario_36_legacy_names_end_to_end() {
    answered_after("{ fault: { legacyNames: true } },", 1_000).await;
}

#[tokio::test]
async fn provider_scenario_37_nonsense_ten_times_end_to_end() {
    let nonsense = "{ send: 'no event' }, { send: '[1]' }, { send: '{' }, { send: '' },".repeat(3);
    answered_on_a_new_connection(&format!("{{ wait: {{ audioMs: 500 }} }}, {nonsense}")).await;
}

#[tokio::test]
async fn a_tool_call_that_nobody_answers_ends_no_conversation() {
    let scripted = Scripted::met(
        "{ atEnd: 'last', turns: [
            { reply: { toolCall: { name: 'no_such_tool', arguments: 'no json' } } },
            { reply: { tone: 440, ms: 1000 } },
        ] }",
    )
    .await;
    scripted.speaks().await;
    scripted.agent.record("realtime lifecycle server:response.done").await;
    scripted.speaks().await;
    scripted.hears(0, 960).await;
    scripted.ends().await;
}
