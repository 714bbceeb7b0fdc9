//! A provider that talks nonsense is not listened to, and not hung up on.

use std::time::{Duration, Instant};

use base64::{Engine, engine::general_purpose::STANDARD};
use localcord::world::default::{ADA, BOT_USER};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::{
    audio::{INTERRUPT, SECOND, likeness_48k, samples},
    fake_provider::FakeProvider,
    scene::{AUTO_JOIN, QUICK, Scene, meet},
    soon,
};

#[tokio::test]
async fn garbage_from_the_provider_is_skipped_and_the_answer_is_heard() {
    let provider = FakeProvider::start().await;
    let scene = Scene::new().await;
    let ada = scene.joins(ADA).await;
    let mut agent = scene.agent(&format!(
        "{AUTO_JOIN} {QUICK} realtime: {{ provider: 'openai', providers: {{ openai: \
         {{ apiKey: 'sk-test', baseUrl: '{}' }} }} }}",
        provider.url()
    ));
    meet(&ada, &agent).await;
    soon("a speech", ada.speak(INTERRUPT)).await.unwrap();
    provider.hears("input_audio_buffer.append").await;

    for garbage in [
        "",
        "nothing",
        "{",
        "[1,2,3]",
        "null",
        "{\"type\":7}",
        "{\"kind\":\"response.done\"}",
        "{\"type\":\"response.done\"}",
        "{\"type\":\"error\"}",
        "{\"type\":\"error\",\"error\":[]}",
        "{\"type\":\"no.such.event\",\"response\":{\"id\":[{}]}}",
        "{\"type\":\"response.output_audio.delta\",\"delta\":\"%%%\"}",
        "{\"type\":\"response.output_audio.delta\",\"delta\":\"AAA\"}",
        "{\"type\":\"response.output_audio.delta\"}",
        "{\"type\":\"input_audio_buffer.speech_stopped\",\"audio_end_ms\":-1}",
        "{\"type\":\"response.function_call_arguments.done\",\"arguments\":\"{\"}",
    ] {
        provider.says(Message::text(garbage)).await;
    }
    provider.says(Message::binary(vec![0xff; 1_000])).await;

    let began = Instant::now();
    let pcm: Vec<u8> = samples(SECOND).iter().flat_map(|sample| sample.to_le_bytes()).collect();
    provider.tells(json!({ "type": "response.created", "response": { "id": "r1" } })).await;
    let item = json!({ "id": "i1", "type": "message", "role": "assistant" });
    let added = json!({ "type": "response.output_item.added", "response_id": "r1", "item": item });
    provider.tells(added).await;
    // Chunks that end in the middle of a sample, and nonsense between them.
    let chunks = pcm.chunks(4_801).len() as u64;
    for chunk in pcm.chunks(4_801) {
        provider.tells(delta(&STANDARD.encode(chunk))).await;
        provider.tells(delta("*not base64*")).await;
        provider.says(Message::binary(b"\x00\x01".to_vec())).await;
    }
    let done =
        json!({ "type": "response.done", "response": { "id": "r1", "status": "completed" } });
    provider.tells(done).await;
    let heard = ada.hears_end_of(BOT_USER, began, Duration::from_millis(600));
    soon("the answer", heard).await.unwrap();

    let answer = likeness_48k(SECOND, &ada.heard(BOT_USER).pcm);
    assert!(answer >= 0.9, "the human heard {answer}");
    assert_eq!(scene.of_bot("voice", "identify").len(), 1, "the call went on");
    agent.stop().await;
    assert!(provider.connections().await <= 2, "no connection was given up");
    let counted = agent.record("voice session statistics").await.fields;
    let (unreadable, bad_audio) = (&counted["providerUnreadable"], &counted["providerBadAudio"]);
    assert!(unreadable.as_u64() >= Some(chunks + 7), "{counted}");
    assert!(bad_audio.as_u64() >= Some(chunks + 1), "{counted}");
}

fn delta(audio: &str) -> Value {
    json!({
        "type": "response.output_audio.delta",
        "response_id": "r1",
        "item_id": "i1",
        "output_index": 0,
        "content_index": 0,
        "delta": audio,
    })
}
