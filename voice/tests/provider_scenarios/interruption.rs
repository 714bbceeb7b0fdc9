//! What the room hears, and what stops it.

use std::time::Duration;

use clawvoice_session::SessionTime;

use crate::world::{ADA, BEN, World, ask, interrupt};

/// From a moment to the last frame heard after it, 0 if none was.
fn stopped_after(world: &World, since: SessionTime) -> Duration {
    world.played.last().map_or(Duration::ZERO, |frame| frame.at.since(since))
}

/// Ada asks, hears so much of the answer, and says something else.
fn interrupted(script: &str, played_ms: u64) -> World {
    let mut world = World::new(script);
    world.says(ADA, &ask());
    world.until("the answer", |world| world.played_ms() >= played_ms);
    let began = world.now;
    world.says(ADA, &interrupt());
    world.run(1_000);
    let stopped = stopped_after(&world, began);
    assert!(stopped <= Duration::from_millis(60), "stopped after {stopped:?}: {world}");
    world
}

#[test]
fn provider_scenario_02_the_first_frame_leaves_within_60_ms_of_the_first_delta() {
    let mut world = World::new("{ turns: [{ reply: { tone: 440, ms: 3000 } }] }");
    world.says(ADA, &ask());
    world.until("the answer", |world| !world.played.is_empty());
    let delta = world.received_at("response.output_audio.delta")[0];
    let after = world.played[0].at.since(delta);
    assert!(after <= Duration::from_millis(60), "after {after:?}");
}

#[test]
fn provider_scenario_03_a_running_answer_is_cancelled_once_and_truncated_at_what_was_heard() {
    let world = interrupted(
        "{ turns: [{ reply: { tone: 440, ms: 9000, speed: 2 } }, { reply: { say: 'Yes?' } }],
           connections: [{ connection: 0, steps: [
             { expect: { type: 'response.cancel', withinMs: 60000 } },
             { expect: { type: 'conversation.item.truncate' } },
             { assert: { truncateMs: 3000, within: 20 } },
             { wait: { ms: 500 } },
             { assert: { event: 'response.cancel', times: 1 } },
             { assert: { event: 'conversation.item.truncate', times: 1 } },
           ] }] }",
        3_000,
    );
    assert_eq!(world.received_at("conversation.item.truncated").len(), 1);
    assert_eq!(world.received_at("error"), []);
    assert_eq!(world.end().barge_ins, 1);
}

#[test]
fn provider_scenario_03_a_whole_answer_is_truncated_without_a_cancel() {
    let world = interrupted(
        "{ turns: [{ reply: { tone: 440, ms: 9000 } }, { reply: { say: 'Yes?' } }],
           connections: [{ connection: 0, steps: [
             { expect: { type: 'conversation.item.truncate', withinMs: 60000 } },
             { assert: { truncateMs: 3000, within: 20 } },
             { wait: { ms: 500 } },
             { assert: { event: 'response.cancel', times: 0 } },
           ] }] }",
        3_000,
    );
    assert_eq!(world.received_at("error"), []);
    world.end();
}

#[test]
fn provider_scenario_11_a_short_stop_stops_the_answer() {
    let mut world = World::new("{ atEnd: 'silent', turns: [{ reply: { tone: 440, ms: 9000 } }] }");
    world.says(ADA, &ask());
    world.until("the answer", |world| world.played_ms() >= 1_000);
    let began = world.now;
    world.says(ADA, &interrupt()[..24 * 300]);
    world.run(3_000);
    assert!(stopped_after(&world, began) <= Duration::from_millis(60), "{world}");
    world.end();
}

/// 200 ms of noise up to this level, while the answer is being thought of.
fn noisy_before_the_answer(script: &str, level: i16) -> World {
    let mut world = World::new(script);
    world.says(ADA, &ask());
    world.until("the end of the turn", |world| !world.received_at("response.created").is_empty());
    world.run(500);
    let mut state = 1_u32;
    let noise: Vec<i16> = (0..24 * 200)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 16) as u16 as i16 % level
        })
        .collect();
    world.says(ADA, &noise);
    world.run(8_000);
    world
}

#[test]
fn provider_scenario_12_faint_noise_before_the_first_delta_leaves_the_reply() {
    let script = "{ atEnd: 'silent', turns: [{ reply: { stallMs: 1500, tone: 440, ms: 2000 } }] }";
    let world = noisy_before_the_answer(script, 40);
    assert_eq!(world.received_at("input_audio_buffer.speech_started").len(), 1);
    assert_eq!(world.played_ms(), 2_000, "{world}");
    world.end();
}

#[test]
fn provider_scenario_12_noise_that_the_provider_takes_for_speech_still_gets_a_reply() {
    let script = "{ atEnd: 'last', turns: [{ reply: { stallMs: 1500, tone: 440, ms: 2000 } }] }";
    let world = noisy_before_the_answer(script, 3_000);
    assert_eq!(world.received_at("input_audio_buffer.speech_started").len(), 2);
    assert_eq!(world.played_ms(), 2_000, "{world}");
    world.end();
}

#[test]
fn provider_scenario_14_another_speaker_interrupts_and_it_is_recorded() {
    let mut world = World::new(
        "{ turns: [{ reply: { tone: 440, ms: 9000 } }],
           connections: [
             { connection: 0, steps: [
               { expect: { type: 'conversation.item.truncate', withinMs: 60000 } },
               { assert: { truncateMs: 2000, within: 20 } },
             ] },
             { connection: 1, steps: [{ assert: { event: 'conversation.item.truncate', times: 0 } }] },
           ] }",
    );
    world.says(ADA, &ask());
    world.until("the answer", |world| world.played_ms() >= 2_000);
    let began = world.now;
    world.says(BEN, &interrupt());
    world.run(1_000);
    assert!(stopped_after(&world, began) <= Duration::from_millis(60), "{world}");
    assert!(world.has_record("barge-in"), "{world}");
    let by_ben = |record: &&clawvoice_session::timeline::Record| {
        record.line.contains("barge-in") && record.to_line().contains(&BEN.to_string())
    };
    assert!(world.records.iter().any(|record| by_ben(&record)), "{world}");
    world.until("Ben's answer", |world| world.played_ms() >= 4_000);
    world.end();
}

#[test]
fn provider_scenario_30_90_s_within_2_s_are_held_and_stop_as_fast() {
    let world = interrupted(
        "{ turns: [{ reply: { tone: 440, ms: 90000, speed: 45 } }, { reply: { say: 'Yes?' } }],
           connections: [{ connection: 0, steps: [
             { expect: { type: 'conversation.item.truncate', withinMs: 60000 } },
             { assert: { truncateMs: 5000, within: 20 } },
           ] }] }",
        5_000,
    );
    assert_eq!(world.received_at("error"), []);
    world.end();
}
