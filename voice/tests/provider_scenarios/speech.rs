//! Turns: whose they are, where they end, what was said.

use crate::world::{ADA, BEN, World, ask, interrupt};

#[test]
fn provider_scenario_13_overlapping_speakers_keep_their_names() {
    let mut world = World::new(
        "{ atEnd: 'silent', turns: [
            { connection: 0, heard: 'from Ada', reply: { tone: 440, ms: 1000, transcript: 'to Ada' } },
            { connection: 1, heard: 'from Ben', reply: { tone: 660, ms: 1000, transcript: 'to Ben' } },
        ] }",
    );
    world.says(ADA, &ask());
    world.run(500);
    world.says(BEN, &interrupt());
    world.run(12_000);
    for (user, words) in [(ADA, "from Ada"), (BEN, "from Ben"), (ADA, "to Ada"), (BEN, "to Ben")] {
        let of: Vec<_> = world.transcripts.iter().filter(|(_, text)| text == words).collect();
        assert_eq!(of.len(), 1, "{words}: {:?}", world.transcripts);
        assert_eq!(of[0].0, Some(user), "{words}");
    }
    assert_eq!(world.played_ms(), 2_000, "both answers were heard: {world}");
    world.end();
}

#[test]
fn provider_scenario_15_silence_is_fed_when_packets_stop_in_a_word() {
    let mut world = World::new("{ turns: [{ reply: { tone: 440, ms: 1000 } }] }");
    let speech = ask();
    let half = &speech[..24 * 2_000];
    world.says(ADA, half);
    world.run(2_000);
    let spoken = world.appended[&0];
    world.until("the end of the turn", |w| {
        !w.received_at("input_audio_buffer.committed").is_empty()
    });
    assert!(world.now.as_millis() <= 3_200, "{world}");
    let fed = world.appended[&0] - spoken;
    assert!((24 * 480..=24 * 900).contains(&fed), "{} ms of silence", fed / 24);
    world.until("the answer", |world| world.played_ms() == 1_000);
    assert_eq!(world.received_at("input_audio_buffer.committed").len(), 1);
    world.end();
}

#[test]
fn provider_scenario_16_loss_and_jitter_end_no_turn() {
    let mut world = World::new("{ turns: [{ reply: { tone: 440, ms: 1000 } }] }");
    let jitter = |index: usize| (index % 100 != 37).then_some(index as u64 * 7_919 % 61);
    world.says_jittered(ADA, &ask(), jitter);
    world.until("the answer", |world| world.played_ms() == 1_000);
    for kind in ["input_audio_buffer.speech_started", "input_audio_buffer.committed"] {
        assert_eq!(world.received_at(kind).len(), 1, "{kind}: {world}");
    }
    assert_eq!(world.end().turns, 1);
}

/// Ada speaks and is answered; these transcription events come for her words.
fn transcribed(events: &str) -> World {
    let mut world = World::new(&format!(
        "{{ atEnd: 'silent', transcribes: false,
            turns: [{{ reply: {{ tone: 440, ms: 1000, transcript: 'la' }} }}],
            connections: [{{ connection: 0, steps: [{{ wait: {{ audioMs: 4000 }} }}, {events}] }}] }}"
    ));
    world.says(ADA, &ask());
    world.run(20_000);
    assert_eq!(world.played_ms(), 1_000, "the answer does not hang on it: {world}");
    world
}

fn transcription(kind: &str, field: &str) -> String {
    format!(
        "{{ send: {{ type: 'conversation.item.input_audio_transcription.{kind}',
            item_id: '$userItem', content_index: 0, {field} }} }},"
    )
}

/// What Ada is known to have said.
fn words(world: &World) -> Vec<&str> {
    let of_ada = world.transcripts.iter().filter(|(_, text)| text != "la");
    of_ada.map(|(_, text)| text.as_str()).collect()
}

#[test]
fn provider_scenario_43_a_failed_transcription_leaves_the_answer() {
    let error = "error: { type: 'server_error', code: 'audio_unintelligible', message: 'No.' }";
    let world = transcribed(&transcription("failed", error));
    assert_eq!(words(&world), Vec::<&str>::new());
    world.end();
}

#[test]
fn provider_scenario_43_a_late_transcript_is_known_once() {
    let late = transcription("completed", "transcript: 'What I said.'");
    let world = transcribed(&format!("{{ wait: {{ ms: 10000 }} }}, {late}"));
    assert_eq!(words(&world), ["What I said."]);
    world.end();
}

#[test]
fn provider_scenario_43_cumulative_deltas_are_not_doubled() {
    let world = transcribed(
        &[
            transcription("delta", "delta: 'What'"),
            transcription("delta", "delta: 'What I'"),
            transcription("delta", "delta: 'What I said.'"),
            transcription("completed", "transcript: 'What I said.'"),
        ]
        .concat(),
    );
    assert_eq!(words(&world), ["What I said."]);
    world.end();
}
