//! Talked over, the agent stops, and the provider learns what was heard.

use std::time::Duration;

use localcord::world::default::{ADA, BEN, BOT_USER};
use serde_json::Value;

use crate::{
    agent::Agent,
    audio::{INTERRUPT, SECOND},
    scene::{Scene, hears_frames, local_provider, meet},
    soon,
};

#[tokio::test]
async fn an_interrupted_agent_stops_and_tells_the_provider_what_was_heard() {
    let scene = Scene::new().await;
    let answer = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/audio/answer.wav");
    let script = format!("{{ atEnd: 'silent', turns: [{{ reply: {{ wav: '{answer}' }} }}] }}");
    std::fs::write(scene.folder.path().join("answer.json5"), script).unwrap();
    let (ada, ben) = (scene.joins(ADA).await, scene.joins(BEN).await);
    let mut agent = scene.agent(&local_provider("behaviour: 'script', script: 'answer.json5'"));
    meet(&ada, &agent).await;
    meet(&ben, &agent).await;

    soon("a speech", ada.speak(SECOND)).await.unwrap();
    hears_frames(&ada, 0, 60).await;
    soon("an interruption", ben.speak(INTERRUPT)).await.unwrap();
    let stopped = agent.record("realtime audio playback stopped").await;
    assert_eq!(stopped.fields["reason"], "barge-in");
    agent.record("realtime model interrupt confirmed server:response.done").await;
    for human in [ADA, BEN] {
        closed_turn(&agent, human).await;
    }
    agent.stop().await;

    in_order(&agent, &[
        "realtime audio playback started",
        "realtime speaker turn opened",
        "realtime input audio started",
        "realtime barge-in detected",
        "realtime barge-in requested",
        "realtime model interrupt requested client:response.cancel",
        "realtime model audio truncated client:conversation.item.truncate",
        "realtime audio playback stopped",
        "realtime speaker turn closed",
    ]);
    assert_eq!(agent.count("realtime audio playback started"), 1);

    let notes: Vec<Value> = std::fs::read_to_string(scene.recordings().join("provider.jsonl"))
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let of = |event: &str| -> Vec<&Value> {
        notes.iter().filter(|note| note["event"] == event).collect()
    };
    assert_eq!(of("cancel").len(), 1, "{notes:?}");
    let truncations = of("truncate");
    assert_eq!(truncations.len(), 1, "{notes:?}");
    let told = truncations[0]["audio_end_ms"].as_u64().unwrap();
    for human in [&ada, &ben] {
        let heard = human.heard(BOT_USER);
        assert_eq!(heard.talkspurts.len(), 1);
        let spurt = heard.talkspurts[0];
        let ms = spurt.samples as u64 / 48;
        assert!(told.abs_diff(ms) <= 40, "told {told} ms, heard {ms} ms");
        // The decision took effect within a frame: 20 ms on the way out at most, and what the
        // machine's scheduling adds.
        let began = agent.record("realtime audio playback started").await.at_us;
        let decided = agent.record("realtime barge-in requested").await.at_us;
        let played = Duration::from_micros(decided - began).as_millis() as u64;
        assert!(ms <= played + 40, "{ms} ms heard, decided {played} ms after the start");
    }
}

/// The turn of this human is over.
async fn closed_turn(agent: &Agent, human: u64) {
    let mut from = 0;
    loop {
        let closed = agent.record_from(from, "realtime speaker turn closed").await;
        if closed.fields["user"] == human.to_string() {
            return;
        }
        let at = |record: &crate::agent::Record| record.at_us == closed.at_us;
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
