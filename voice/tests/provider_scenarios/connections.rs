//! Connections that are lost, refused or over.

use std::time::Duration;

use crate::world::{ADA, World, ask, interrupt};

#[test]
fn provider_scenario_18_an_answer_outlives_its_socket_as_far_as_it_came() {
    let mut world = World::new(
        "{ connections: [
            { connection: 0, steps: [
                { wait: { audioMs: 3800 } },
                { audio: { tone: 440, ms: 9000, speed: 2 } },
                { wait: { ms: 1000 } }, { fault: 'dropTcp' },
            ] },
            { connection: 2, steps: [
                { wait: { audioMs: 2000 } }, { audio: { tone: 660, ms: 1000 } }, { wait: 'idle' },
            ] },
        ] }",
    );
    world.says(ADA, &ask());
    world.until("the loss", |world| world.opened.len() == 3);
    let deltas = world.received_at("response.output_audio.delta").len() as u64;
    world.run(5_000);
    assert_eq!(world.played_ms(), deltas * 100, "what came plays out: {world}");
    let heard = world.played_ms();
    world.says(ADA, &interrupt());
    world.until("the next answer", |world| world.played_ms() == heard + 1_000);
    let stats = world.end();
    assert_eq!(stats.reconnects, 1);
}

#[test]
fn provider_scenario_20_an_expired_session_is_replaced_and_speech_is_kept() {
    let mut world = World::new(
        "{ connections: [
            { connection: 0, steps: [{ wait: { audioMs: 1000 } }, { fault: 'expire' }] },
            { connection: 2, steps: [
                { wait: { audioMs: 2700 } }, { audio: { tone: 660, ms: 1000 } }, { wait: 'idle' },
            ] },
        ] }",
    );
    let speech = ask();
    world.says(ADA, &speech);
    world.until("the end", |world| !world.received_at("error").is_empty());
    let ended = world.now;
    let updated = world.received_at("session.updated").len();
    world.until("a new session", |w| w.received_at("session.updated").len() > updated);
    assert!(world.now.since(ended) <= Duration::from_secs(2), "{world}");
    world.until("the answer", |world| world.played_ms() == 1_000);
    let appended = world.appended[&0] + world.appended[&2];
    assert!(appended >= speech.len() as u64, "{appended} of {} samples", speech.len());
    world.end();
}

#[test]
fn provider_scenario_22_a_limited_rate_is_waited_out_and_told_once() {
    let mut world = World::new(
        "{ turns: [{ reply: { tone: 440, ms: 1000 } }], connections: [{ connection: 0, steps: [
            { fault: { httpStatus: { status: 429, retryAfter: 3 } } },
        ] }] }",
    );
    world.until("a session", |world| !world.received_at("session.updated").is_empty());
    assert!(world.opened[1].since(world.opened[0]) >= Duration::from_secs(3), "{world}");
    assert!(world.opened[1].since(world.opened[0]) <= Duration::from_secs(6), "{world}");
    assert_eq!(world.count_records("429"), 1, "{world}");
    world.says(ADA, &ask());
    world.until("the answer", |world| world.played_ms() == 1_000);
    world.end();
}

#[test]
fn provider_scenario_23_refused_credentials_end_it_and_are_told_once() {
    let mut world =
        World::new("{ connections: [{ steps: [{ fault: { httpStatus: { status: 401 } } }] }] }");
    world.run(120_000);
    assert_eq!(world.opened.len(), 1, "{world}");
    assert!(world.failed.as_ref().is_some_and(|why| why.contains("401")), "{:?}", world.failed);
    assert_eq!(world.count_records("401"), 1, "{world}");
    world.end();
}

#[test]
fn provider_scenario_23_an_empty_account_ends_it() {
    let mut world = World::new(
        "{ connections: [{ connection: 0, steps: [
            { expect: { type: 'session.update' } },
            { send: { type: 'error', error: { type: 'insufficient_quota', code: 'insufficient_quota',
                message: 'You exceeded your current quota.' } } },
        ] }] }",
    );
    world.run(120_000);
    assert_eq!(world.opened.len(), 1, "{world}");
    assert!(world.failed.is_some(), "{world}");
    world.end();
}

#[test]
fn provider_scenario_29_a_frame_over_the_cap_recycles_the_connection() {
    let mut world = World::new(
        "{ connections: [
            { connection: 0, steps: [
                { wait: { audioMs: 1000 } }, { fault: { hugeDelta: 20971520 } },
            ] },
            { connection: 2, steps: [
                { wait: { audioMs: 2000 } }, { audio: { tone: 660, ms: 1000 } }, { wait: 'idle' },
            ] },
        ] }",
    );
    world.says(ADA, &ask());
    world.run(7_000);
    assert_eq!(world.opened.len(), 3, "{world}");
    world.says(ADA, &interrupt());
    world.until("the answer", |world| world.played_ms() == 1_000);
    world.end();
}

#[test]
fn provider_scenario_37_nonsense_is_skipped_and_ten_in_a_row_recycle() {
    let nonsense = "{ send: 'no event' }, { send: '[1]' }, { send: '{' },";
    let mut world = World::new(&format!(
        "{{ turns: [{{ reply: {{ tone: 440, ms: 1000 }} }}], connections: [{{ connection: 0, steps: [
            {{ expect: {{ type: 'session.update' }} }}, {nonsense}
            {{ wait: {{ audioMs: 4800 }} }}, {nonsense} {nonsense} {nonsense} {{ send: '' }},
        ] }}] }}"
    ));
    world.says(ADA, &ask());
    world.until("the answer", |world| world.played_ms() == 1_000);
    assert_eq!(world.opened.len(), 2, "three are skipped: {world}");
    world.says(ADA, &interrupt());
    world.until("a new connection", |world| world.opened.len() == 3);
    world.end();
}
