//! Mode `stt-tts`: heard by a transcriber, answered by the agent, said by a synthesizer.

use std::sync::{Arc, Mutex};

use axum::{
    Json, Router,
    body::{Body, Bytes},
    extract::{Multipart, State},
    http::header::CONTENT_TYPE,
    response::{IntoResponse as _, Response},
    routing::post,
};
use localcord::world::default::{ADA, BOT_USER};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::{
    agent::Agent,
    audio::{ASK, INTERRUPT, SECOND, likeness_24k, likeness_48k, samples},
    scene::{AUTO_JOIN, EVERYBODY, Scene, ask, meet},
};

/// What the providers were sent.
#[derive(Default)]
struct Seen {
    segments: Vec<Vec<u8>>,
    questions: Vec<Value>,
    sentences: Vec<String>,
}

type Shared = Arc<Mutex<Seen>>;

/// A transcriber, a model and a synthesizer on one address.
async fn providers() -> (String, Shared) {
    let seen = Shared::default();
    let router = Router::new()
        .route("/v1/audio/transcriptions", post(transcribe))
        .route("/v1/chat/completions", post(complete))
        .route("/v1/audio/speech", post(speak))
        .with_state(seen.clone());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    (format!("http://{address}/v1"), seen)
}

async fn transcribe(State(seen): State<Shared>, mut form: Multipart) -> Json<Value> {
    while let Some(field) = form.next_field().await.unwrap() {
        if field.name() == Some("file") {
            let file = field.bytes().await.unwrap().to_vec();
            seen.lock().unwrap().segments.push(file);
        }
    }
    Json(json!({ "text": "What should I wear?" }))
}

/// Two sentences, in pieces that are not words.
async fn complete(State(seen): State<Shared>, Json(question): Json<Value>) -> Response {
    seen.lock().unwrap().questions.push(question);
    let pieces = ["[[reply_to_cur", "rent]]Take a war", "m jacket. And a sc", "arf, too. 🧣"];
    let mut events: String = pieces
        .iter()
        .map(|piece| {
            let chunk = json!({ "choices": [{ "index": 0, "delta": { "content": piece } }] });
            format!("data: {chunk}\n\n")
        })
        .collect();
    let last = json!({ "choices": [{ "index": 0, "delta": {}, "finish_reason": "stop" }] });
    events.push_str(&format!("data: {last}\n\ndata: [DONE]\n\n"));
    ([(CONTENT_TYPE, "text/event-stream")], events).into_response()
}

/// A recording for each sentence, in odd pieces.
async fn speak(State(seen): State<Shared>, Json(wanted): Json<Value>) -> Response {
    let sentence = wanted["input"].as_str().unwrap().to_owned();
    let recording = if sentence.starts_with("Take") { ASK } else { SECOND };
    seen.lock().unwrap().sentences.push(sentence);
    let bytes: Vec<u8> = samples(recording).iter().flat_map(|s| s.to_le_bytes()).collect();
    let pieces: Vec<Result<Bytes, std::io::Error>> =
        bytes.chunks(4_321).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
    Body::from_stream(futures_util::stream::iter(pieces)).into_response()
}

/// An agent in mode `stt-tts` that finds all its providers at `base`.
fn agent(scene: &Scene, base: &str) -> Agent {
    let discord = scene.server.api_base_url();
    let config = format!(
        "{{
            channels: {{ discord: {{ apiBaseUrl: '{discord}', {EVERYBODY} voice: {{
                {AUTO_JOIN} mode: 'stt-tts', captureSilenceGraceMs: 500,
                tts: {{ openai: {{ voice: 'cedar' }} }},
            }} }} }},
            tools: {{ media: {{ audio: {{ models: ['openai/hear-1'], baseUrl: '{base}' }} }} }},
            messages: {{ tts: {{ openai: {{ model: 'say-1', baseUrl: '{base}' }} }} }},
            agents: {{ defaults: {{ model: 'fake/think-1' }} }},
            models: {{ providers: {{ fake: {{ baseUrl: '{base}' }} }} }},
        }}"
    );
    let path = scene.folder.path().join("clawvoice.json5");
    std::fs::write(&path, config).unwrap();
    Agent::start_with(&path, &scene.server.bot_token(), "info,clawvoice=debug")
}

#[tokio::test]
async fn what_a_human_says_is_transcribed_answered_and_said() {
    let (base, seen) = providers().await;
    let scene = Scene::new().await;
    let ada = scene.joins(ADA).await;
    let mut agent = agent(&scene, &base);
    meet(&ada, &agent).await;
    ask(&ada, INTERRUPT).await;
    let done = agent.record("playback done").await;
    assert_eq!(done.fields["reason"], "player-idle");
    agent.stop().await;

    let seen = seen.lock().unwrap();
    assert_eq!(seen.segments.len(), 1);
    let heard = likeness_24k(INTERRUPT, &seen.segments[0]);
    assert!(heard >= 0.9, "the transcriber heard {heard}");
    let asked = seen.questions[0].to_string();
    assert!(asked.contains("Voice transcript from speaker"), "{asked}");
    assert!(asked.contains("What should I wear?"), "{asked}");
    // One is asked for ahead; which of the two arrives first is the network's.
    let mut sentences = seen.sentences.clone();
    sentences.sort_unstable();
    assert_eq!(sentences, ["And a scarf, too.", "Take a warm jacket."]);
    let room = ada.heard(BOT_USER).pcm;
    for (sentence, recording) in sentences.iter().zip([SECOND, ASK]) {
        let likeness = likeness_48k(recording, &room);
        assert!(likeness >= 0.9, "of {sentence:?} the human heard {likeness}");
    }
    // No realtime provider had any part in it.
    assert_eq!(agent.count("realtime bridge starting"), 0);
}

#[tokio::test]
async fn a_session_without_a_key_does_not_start() {
    let scene = Scene::new().await;
    let mut agent = scene.agent(&format!("{AUTO_JOIN} mode: 'stt-tts'"));
    let ended = agent.ends().await;
    assert_eq!(ended.code, Some(1));
    assert!(ended.log.contains("OPENAI_API_KEY is not set"), "{}", ended.log);
    assert!(ended.log.contains("tools.media.audio"), "{}", ended.log);
}
