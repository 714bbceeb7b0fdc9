//! Talked over, the agent stops, and the provider learns what was heard.

use localcord::world::default::{ADA, BEN, BOT_USER};
use serde_json::Value;

use crate::{
    agent::{Agent, Record},
    audio::INTERRUPT,
    scene::{Scene, hears_frames, is_id, local_provider, meet},
    soon,
};

#[tokio::test]
async fn interrupted_in_mid_response_the_agent_stops_cancels_and_truncates() {
    let agent = interrupted(1.2).await;
    in_order(
        &agent,
        &[
            "realtime audio playback started",
            "realtime barge-in detected",
            "realtime barge-in requested",
            "realtime model interrupt requested client:response.cancel",
            "realtime model audio truncated client:conversation.item.truncate",
            "realtime audio playback stopped",
            "realtime model interrupt confirmed server:response.done",
            "realtime speaker turn closed",
        ],
    );
}

#[tokio::test]
async fn interrupted_after_the_response_was_sent_the_agent_only_truncates() {
    let agent = interrupted(50.0).await;
    in_order(
        &agent,
        &[
            "realtime audio playback started",
            "realtime audio playback finishing",
            "realtime barge-in detected",
            "realtime barge-in requested",
            "realtime model audio truncated client:conversation.item.truncate",
            "realtime audio playback stopped",
            "realtime speaker turn closed",
        ],
    );
    assert_eq!(agent.count("realtime model interrupt requested"), 0);
}

/// Ada asks, the agent answers, Ben talks over it; the provider sends `speed` times faster than
/// the answer plays.
async fn interrupted(speed: f64) -> Agent {
    let scene = Scene::new().await;
    let answer = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/audio/answer.wav");
    let script = format!("{{ atEnd: 'silent', turns: [{{ reply: {{ wav: '{answer}' }} }}] }}");
    std::fs::write(scene.folder.path().join("answer.json5"), script).unwrap();
    let (ada, ben) = (scene.joins(ADA).await, scene.joins(BEN).await);
    let provider = format!("behaviour: 'script', script: 'answer.json5', speed: {speed}");
    let mut agent = scene.agent(&local_provider(&provider));
    meet(&ada, &agent).await;
    meet(&ben, &agent).await;

    soon("a speech", ada.speak(INTERRUPT)).await.unwrap();
    hears_frames(&ada, 0, 60).await;
    soon("an interruption", ben.speak(INTERRUPT)).await.unwrap();
    let stopped = agent.record("realtime audio playback stopped").await;
    assert_eq!(stopped.fields["reason"], "barge-in");
    let turn = closed_turn(&agent, BEN).await;
    assert_eq!(turn.fields["interruptedPlayback"], true);
    agent.stop().await;

    let notes = notes(&scene);
    let of = |event: &str| -> Vec<&Value> {
        notes.iter().filter(|note| note["event"] == event && note["connection"] == 0).collect()
    };
    let asked = agent.count("realtime model interrupt requested");
    assert_eq!(of("cancel").len(), asked, "{notes:?}");
    assert!(asked <= 1, "one answer is cancelled once");
    let truncations = of("truncate");
    assert_eq!(truncations.len(), 1, "{notes:?}");
    let told = truncations[0]["audio_end_ms"].as_u64().unwrap();
    let began = agent.record("realtime audio playback started").await.at_us;
    let decided = agent.record("realtime barge-in requested").await.at_us;
    let played = (decided - began) / 1_000;
    for human in [&ada, &ben] {
        let heard = human.heard(BOT_USER).talkspurts[0].frames as u64 * 20;
        assert!(told.abs_diff(heard) <= 40, "told {told} ms, heard {heard} ms");
        // One frame begins at the start, one may be on its way.
        assert!(heard <= played + 40, "heard {heard} ms, decided {played} ms after the start");
    }
    agent
}

/// What the local provider wrote down.
fn notes(scene: &Scene) -> Vec<Value> {
    let text = std::fs::read_to_string(scene.recordings().join("provider.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The turn of this human is over.
async fn closed_turn(agent: &Agent, human: u64) -> Record {
    let mut from = 0;
    loop {
        let closed = agent.record_from(from, "realtime speaker turn closed").await;
        if is_id(&closed.fields["user"], human) {
            return closed;
        }
        let at = |record: &Record| record.at_us == closed.at_us;
        from = agent.records().iter().rposition(at).unwrap() + 1;
    }
}

/// These lines come in this order; others may come between them.
fn in_order(agent: &Agent, lines: &[&str]) {
    let records = agent.records();
    let names: Vec<&str> = records.iter().map(|record| record.line.as_str()).collect();
    let mut rest = names.as_slice();
    for line in lines {
        let at = rest.iter().position(|name| name == line);
        let at = at.unwrap_or_else(|| panic!("no {line:?} in its place among {names:#?}"));
        rest = &rest[at + 1..];
    }
}
