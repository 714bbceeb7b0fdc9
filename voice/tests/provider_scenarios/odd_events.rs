//! Events that are wrong, missing or errors.

use std::time::Duration;

use clawvoice_voice::conversation::{ConversationSettings, TurnEnd};

use crate::world::{ADA, World, ask, settings};

/// Ada asks a provider of this script, and the answer of so many ms is heard whole.
fn answered(script: &str, ms: u64) -> World {
    let mut world = World::new(script);
    world.says(ADA, &ask());
    world.until("the answer", |world| world.played_ms() >= ms);
    world.run(3_000);
    assert_eq!(world.played_ms(), ms, "{world}");
    world
}

/// A scenario that answers Ada with 1 s of a tone after these steps.
fn after(steps: &str) -> String {
    format!(
        "{{ connections: [{{ connection: 0, steps: [
            {{ wait: {{ audioMs: 3800 }} }}, {steps}
            {{ audio: {{ tone: 440, ms: 1000, transcript: 'la' }} }}, {{ wait: 'idle' }},
        ] }}] }}"
    )
}

#[test]
fn provider_scenario_24_a_limited_response_is_asked_for_once_more() {
    let limited =
        "{ reply: { error: { code: 'inference_rate_limit_exceeded', message: 'Later.' } } }";
    let script = format!(
        "{{ turns: [{limited}, {{ reply: {{ tone: 440, ms: 1000 }} }}], connections: [
            {{ connection: 0, steps: [{{ expect: {{ type: 'response.create', withinMs: 60000 }} }}] }}
        ] }}"
    );
    let world = answered(&script, 1_000);
    assert_eq!(world.sent_of("response.create").len(), 1);
    world.end();

    let mut world = World::new(&format!("{{ atEnd: 'last', turns: [{limited}] }}"));
    world.says(ADA, &ask());
    world.run(30_000);
    let created = world.sent_of("response.create").len();
    assert_eq!(created, 2, "one more try, then the apology: {world}");
    assert!(world.has_record("an answer is lost"), "{world}");
    world.end();
}

#[test]
fn provider_scenario_25_an_error_without_code_is_not_fatal() {
    let script = after(
        "{ send: { type: 'error', error: { type: 'server_error', message: 'Something.' } } },
         { send: { type: 'error', error: {} } }, { send: { type: 'error' } },",
    );
    let world = answered(&script, 1_000);
    assert_eq!((world.opened.len(), &world.failed), (2, &None));
    world.end();
}

#[test]
fn provider_scenario_26_a_create_that_came_too_early_is_repeated_once() {
    let settings = ConversationSettings { turn_end: TurnEnd::Own, ..settings() };
    let mut world = World::with(
        settings,
        "{ connections: [{ connection: 0, steps: [
            { expect: { type: 'response.create', withinMs: 60000 } },
            { send: { type: 'error', error: { type: 'invalid_request_error', message: 'Active.',
                code: 'conversation_already_has_active_response', event_id: '$clientEvent' } } },
            { wait: { ms: 400 } },
            { assert: { event: 'response.create', times: 1 } },
            { send: { type: 'response.done', response: { id: 'other', status: 'completed' } } },
            { send: { type: 'error', error: { type: 'invalid_request_error', message: 'Not active.',
                code: 'response_cancel_not_active' } } },
            { expect: { type: 'response.create' } },
            { audio: { tone: 440, ms: 1000 } }, { wait: 'idle' },
            { assert: { event: 'response.create', times: 2 } },
        ] }] }",
    );
    world.says(ADA, &ask());
    world.until("the answer", |world| world.played_ms() == 1_000);
    world.run(3_000);
    world.end();
}

#[test]
fn provider_scenario_27_malformed_base64_is_dropped_and_counted() {
    let world = answered(&after("{ fault: 'badBase64' },"), 900);
    assert_eq!(world.end().decode.bad_audio, 1);
}

#[test]
fn provider_scenario_28_a_stray_byte_joins_the_next_delta() {
    let whole = answered(&after(""), 1_000).played_samples();
    let odd = answered(&after("{ fault: 'oddBytes' },"), 1_000).played_samples();
    assert!(odd == whole, "an odd delta changed the audio");
}

#[test]
fn deltas_in_another_order_lose_nothing() {
    let world = answered(&after("{ fault: { reorder: [2, 4] } },"), 1_000);
    world.end();
}

/// An event of item `item` in response `r`.
fn of_item(kind: &str, item: &str, index: u32, field: &str) -> String {
    format!(
        "{{ send: {{ type: 'response.{kind}', response_id: 'r', item_id: '{item}',
            output_index: {index}, content_index: 0, {field} }} }},"
    )
}

#[test]
fn provider_scenario_32_ends_that_come_too_early_or_too_late_lose_nothing() {
    let item = |kind: &str, id: &str, status: &str| {
        format!(
            "{{ send: {{ type: 'response.output_item.{kind}', response_id: 'r', output_index: 0,
                item: {{ id: '{id}', type: 'message', role: 'assistant', status: '{status}' }} }} }},"
        )
    };
    let delta = |id: &str, index, ms| {
        of_item("output_audio.delta", id, index, &format!("delta: '$tone:{ms}'"))
    };
    let events = [
        "{ send: { type: 'response.created', response: { id: 'r' } } },".to_owned(),
        item("added", "a", "in_progress"),
        delta("a", 0, 400),
        item("done", "a", "completed"),
        delta("a", 0, 200),
        item("added", "b", "in_progress"),
        delta("b", 1, 300),
        of_item("output_audio.done", "a", 0, "x: 0"),
        delta("b", 1, 100),
        item("done", "b", "completed"),
        "{ send: { type: 'response.done', response: { id: 'r', status: 'completed' } } },"
            .to_owned(),
    ];
    let script = format!(
        "{{ connections: [{{ connection: 0, steps: [{{ wait: {{ audioMs: 3800 }} }}, {}] }}] }}",
        events.concat()
    );
    let played = answered(&script, 1_000);
    // Each delta is a tone of its own, faded at both ends: silent where two meet, and nowhere else.
    let samples = played.played_samples();
    for ms in [400, 600, 900] {
        let level = |at: usize| samples[at - 24..at + 24].iter().map(|s| s.abs()).max().unwrap();
        assert!(level(ms * 24) < 1_500, "no seam at {ms} ms");
        assert!(level((ms - 50) * 24) > 6_000, "a seam before {ms} ms");
    }
    played.end();
}

#[test]
fn provider_scenario_34_a_response_that_never_ends_is_closed() {
    let mut world = World::new(
        "{ connections: [{ connection: 0, steps: [
            { wait: { audioMs: 3800 } },
            { send: { type: 'response.created', response: { id: 'r' } } },
            { send: { type: 'response.output_item.added', response_id: 'r', output_index: 0,
                item: { id: 'i', type: 'message', role: 'assistant', status: 'in_progress' } } },
            { send: { type: 'response.output_audio.delta', response_id: 'r', item_id: 'i',
                output_index: 0, content_index: 0, delta: '$tone:2000' } },
            { expect: { type: 'response.cancel', withinMs: 40000 } },
            { wait: { audioMs: 3800 } }, { audio: { tone: 440, ms: 1000 } }, { wait: 'idle' },
        ] }] }",
    );
    world.says(ADA, &ask());
    world.until("the watchdog", |world| world.has_record("watchdog"));
    let delta = world.received_at("response.output_audio.delta")[0];
    assert!(world.now.since(delta) <= Duration::from_secs(31), "{world}");
    world.run(1_000);
    world.says(ADA, &ask());
    world.until("the next answer", |world| world.played_ms() == 3_000);
    world.end();
}

#[test]
fn provider_scenario_35_an_unknown_event_is_skipped_and_counted() {
    let world = answered(&after("{ fault: 'unknownEvent' }, { fault: 'duplicate' },"), 1_000);
    assert_eq!(world.end().decode.unknown, 1);
}

#[test]
fn provider_scenario_36_legacy_names_play_the_same() {
    let world = answered(&after("{ fault: { legacyNames: true } },"), 1_000);
    assert!(world.received_at("response.output_audio.delta").is_empty());
    assert!(world.transcripts.iter().any(|(_, text)| text == "la"), "{:?}", world.transcripts);
    world.end();
}
