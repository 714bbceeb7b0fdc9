//! The provider over a real loopback socket.

use std::fs::File;

use base64::{Engine, engine::general_purpose::STANDARD};
use futures_util::{SinkExt, StreamExt};
use secrecy::ExposeSecret;
use serde_json::Value;
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{
        Error, Message,
        client::IntoClientRequest,
        http::{HeaderValue, header},
    },
};

use super::*;

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

async fn connect(provider: &LocalProvider, query: &str, key: &str) -> Result<Socket, Error> {
    let mut request = format!("{}{query}", provider.url()).into_client_request()?;
    let value = HeaderValue::from_str(&format!("Bearer {key}")).expect("keys are plain text");
    request.headers_mut().insert(header::AUTHORIZATION, value);
    connect_async(request).await.map(|(socket, _)| socket)
}

async fn next(socket: &mut Socket) -> Value {
    let message = timeout(Duration::from_secs(10), socket.next()).await.expect("an event in time");
    let text = message.expect("the socket is open").expect("a readable message");
    serde_json::from_str(text.to_text().expect("a text message")).expect("JSON")
}

async fn until(socket: &mut Socket, kind: &str) -> Vec<Value> {
    let mut events = Vec::new();
    while events.last().is_none_or(|event: &Value| event["type"] != kind) {
        events.push(next(socket).await);
    }
    events
}

async fn send(socket: &mut Socket, event: Value) {
    socket.send(Message::text(event.to_string())).await.expect("the socket is open");
}

fn wav(path: &Path) -> Vec<i16> {
    read_wav(File::open(path).expect("the recording exists")).expect("a whole WAV")
}

#[tokio::test]
async fn only_the_right_key_model_and_path_get_in() {
    let provider = LocalProvider::start(LocalProviderSettings::default()).await.expect("starts");
    let key = provider.api_key().expose_secret().to_owned();
    for (query, key, status) in
        [("?model=m", "wrong", 401), ("", key.as_str(), 400), ("/more?model=m", key.as_str(), 404)]
    {
        match connect(&provider, query, key).await {
            Err(Error::Http(response)) => {
                assert_eq!(response.status(), status, "{query}");
                let body: Value =
                    serde_json::from_slice(response.body().as_deref().expect("a body"))
                        .expect("JSON");
                assert!(body["error"]["code"].is_string(), "{body}");
            }
            other => panic!("{query}: {:?}", other.map(|_| "let in")),
        }
    }
    let mut socket = connect(&provider, "?model=m", &key).await.expect("let in");
    let created = next(&mut socket).await;
    assert_eq!(
        (&created["type"], &created["session"]["model"]),
        (&json!("session.created"), &json!("m"))
    );
    provider.shutdown().await;
}

#[tokio::test]
async fn an_echo_is_recorded_on_both_sides() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let settings = LocalProviderSettings {
        speed: 100.0,
        record_dir: Some(folder.path().join("made/here")),
        ..LocalProviderSettings::default()
    };
    let provider = LocalProvider::start(settings).await.expect("starts");
    let key = provider.api_key().expose_secret().to_owned();
    let mut socket = connect(&provider, "?model=m", &key).await.expect("let in");
    let session = json!({ "type": "realtime", "audio": { "input": { "turn_detection": null } } });
    send(&mut socket, json!({ "type": "session.update", "session": session })).await;
    until(&mut socket, "session.updated").await;

    let said: Vec<i16> = (0..24 * 250).map(|n| n as i16).collect();
    let bytes: Vec<u8> = said.iter().flat_map(|s| s.to_le_bytes()).collect();
    let audio = STANDARD.encode(bytes);
    send(&mut socket, json!({ "type": "input_audio_buffer.append", "audio": audio })).await;
    send(&mut socket, json!({ "type": "input_audio_buffer.commit" })).await;
    send(&mut socket, json!({ "type": "response.create" })).await;
    let events = until(&mut socket, "response.done").await;
    let item = events
        .iter()
        .find(|event| event["type"] == "response.output_item.added")
        .map(|event| event["item"]["id"].clone())
        .expect("an item");
    send(&mut socket, json!({ "type": "conversation.item.truncate", "item_id": item, "content_index": 0, "audio_end_ms": 100 })).await;
    until(&mut socket, "conversation.item.truncated").await;
    provider.shutdown().await;
    let closed = timeout(Duration::from_secs(10), socket.next()).await.expect("a close in time");
    match closed {
        Some(Ok(Message::Close(Some(frame)))) => assert_eq!(u16::from(frame.code), 1_001),
        other => panic!("{other:?}"),
    }

    let folder = folder.path().join("made/here");
    assert_eq!(wav(&folder.join("provider-000-heard.wav")), said);
    assert_eq!(wav(&folder.join("provider-000-sent.wav")), said);
    let index = std::fs::read_to_string(folder.join("provider.jsonl")).expect("an index");
    let lines: Vec<Value> =
        index.lines().map(|line| serde_json::from_str(line).expect("JSON lines")).collect();
    let names: Vec<&str> = lines.iter().filter_map(|line| line["event"].as_str()).collect();
    assert_eq!(
        names,
        [
            "connected",
            "session.updated",
            "committed",
            "response.created",
            "item.added",
            "item.done",
            "response.done",
            "truncate",
            "closed",
        ]
    );
    let truncate = &lines[7];
    assert_eq!((&truncate["audio_end_ms"], &truncate["accepted"]), (&json!(100), &json!(true)));
}

#[tokio::test]
async fn the_demo_script_plays() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/provider/demo.json5");
    let settings = LocalProviderSettings {
        behaviour: LocalBehaviour::Script(path.into()),
        speed: 100.0,
        ..LocalProviderSettings::default()
    };
    let provider = LocalProvider::start(settings).await.expect("the script loads");
    let key = provider.api_key().expose_secret().to_owned();
    let mut socket = connect(&provider, "?model=m", &key).await.expect("let in");
    send(&mut socket, json!({ "type": "response.create" })).await;
    let events = until(&mut socket, "response.done").await;
    let heard: Vec<u8> = events
        .iter()
        .filter(|event| event["type"] == "response.output_audio.delta")
        .flat_map(|event| STANDARD.decode(event["delta"].as_str().expect("text")).expect("base64"))
        .collect();
    let answer = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/audio/answer.wav");
    let answer: Vec<u8> = wav(&answer).iter().flat_map(|s| s.to_le_bytes()).collect();
    assert!(heard == answer, "{} bytes came of {}", heard.len(), answer.len());
}

#[tokio::test]
async fn the_agent_proxy_script_knows_the_fixtures_and_speaks_a_tools_output() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/provider/agent-proxy.json5");
    let settings = LocalProviderSettings {
        behaviour: LocalBehaviour::Script(path.into()),
        speed: 100.0,
        ..LocalProviderSettings::default()
    };
    let provider = LocalProvider::start(settings).await.expect("the script loads");
    let key = provider.api_key().expose_secret().to_owned();
    let mut socket = connect(&provider, "?model=m", &key).await.expect("let in");
    let session = json!({ "type": "realtime", "audio": { "input": { "turn_detection": null,
        "transcription": { "model": "any" } } } });
    send(&mut socket, json!({ "type": "session.update", "session": session })).await;
    let second = wav(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/audio/second.wav"));
    let bytes: Vec<u8> = second.iter().flat_map(|s| s.to_le_bytes()).collect();
    let audio = STANDARD.encode(bytes);
    send(&mut socket, json!({ "type": "input_audio_buffer.append", "audio": audio })).await;
    send(&mut socket, json!({ "type": "input_audio_buffer.commit" })).await;
    send(&mut socket, json!({ "type": "response.create" })).await;
    let events = until(&mut socket, "response.done").await;
    let call = events.last().map(|event| event["response"]["output"][0].clone());
    let call = call.expect("a response");
    let question = "{\"question\":\"And what should I wear if I go outside tonight?\"}";
    assert_eq!(call["arguments"], question);
    send(&mut socket, json!({ "type": "conversation.item.create", "item": {
        "type": "function_call_output", "call_id": call["call_id"], "output": "{\"text\":\"A coat.\"}",
    } }))
    .await;
    send(&mut socket, json!({ "type": "response.create" })).await;
    let events = until(&mut socket, "response.done").await;
    let said = events.iter().find(|e| e["type"] == "response.output_audio_transcript.done");
    assert_eq!(said.map(|event| event["transcript"].clone()), Some(json!("A coat.")));
    assert!(events.iter().any(|event| event["type"] == "response.output_audio.delta"));
}

#[tokio::test]
async fn a_wrong_script_names_its_file() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("turns.json5");
    let start = || {
        let behaviour = LocalBehaviour::Script(path.clone());
        LocalProvider::start(LocalProviderSettings { behaviour, ..Default::default() })
    };
    let missing = start().await.expect_err("no file");
    assert_eq!(missing.kind(), io::ErrorKind::NotFound);
    std::fs::write(&path, "{ turns: [{ reply: { wav: 'none.wav' } }] }").expect("written");
    let wrong = start().await.expect_err("no wav").to_string();
    assert!(wrong.contains("turns.json5: turns[0].reply[0]: wav \"none.wav\""), "{wrong}");
}

#[tokio::test]
async fn dropping_the_provider_ends_its_connections() {
    let provider = LocalProvider::start(LocalProviderSettings::default()).await.expect("starts");
    let key = provider.api_key().expose_secret().to_owned();
    let mut socket = connect(&provider, "?model=m", &key).await.expect("let in");
    next(&mut socket).await;
    drop(provider);
    let ended =
        timeout(Duration::from_secs(10), async { while let Some(Ok(_)) = socket.next().await {} });
    ended.await.expect("the connection ends");
}

/// A provider of a script, with its folder: the script, and what it records.
async fn scripted(text: &str) -> (LocalProvider, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("script.json5");
    std::fs::write(&path, text).expect("written");
    let settings = LocalProviderSettings {
        behaviour: LocalBehaviour::Script(path),
        record_dir: Some(folder.path().join("rec")),
        ..LocalProviderSettings::default()
    };
    (LocalProvider::start(settings).await.expect("the script loads"), folder)
}

fn recorded_events(folder: &tempfile::TempDir) -> Vec<Value> {
    let index = std::fs::read_to_string(folder.path().join("rec/provider.jsonl"));
    let index = index.expect("an index");
    index.lines().map(|line| serde_json::from_str(line).expect("JSON lines")).collect()
}

#[tokio::test]
async fn a_script_refuses_the_first_connection_and_takes_the_second() {
    let refusal = "{ fault: { httpStatus: { status: 429, retryAfter: 3 } } }";
    let script = format!(
        "{{ connections: [{{ connection: 0, steps: [{refusal}] }},
            {{ connection: 1, steps: [{{ expect: {{ type: 'response.create' }} }}] }}] }}"
    );
    let (provider, folder) = scripted(&script).await;
    let key = provider.api_key().expose_secret().to_owned();
    match connect(&provider, "?model=m", &key).await {
        Err(Error::Http(response)) => {
            assert_eq!(response.status(), 429);
            assert_eq!(response.headers()["retry-after"], "3");
        }
        other => panic!("{:?}", other.map(|_| "let in")),
    }
    let mut socket = connect(&provider, "?model=m", &key).await.expect("let in");
    next(&mut socket).await;
    drop(socket);
    provider.shutdown().await;
    let events = recorded_events(&folder);
    let refused = events.iter().find(|event| event["event"] == "refused").expect("noted");
    assert_eq!((&refused["connection"], &refused["status"]), (&json!(0), &json!(429)));
    let unfinished = events.iter().find(|event| event["event"] == "script.unfinished");
    assert_eq!(unfinished.expect("noted")["place"], "connections[1].steps[0]");
}

#[tokio::test]
async fn a_message_cut_within_a_character_arrives_whole_and_a_dropped_socket_says_no_goodbye() {
    let (provider, folder) = scripted(
        "{ connections: [{ steps: [
            { fault: 'splitUtf8' }, { send: { type: 'x', text: 'naïve' } },
            { expect: { type: 'response.create' } }, { fault: 'dropTcp' },
        ] }] }",
    )
    .await;
    let key = provider.api_key().expose_secret().to_owned();
    let mut socket = connect(&provider, "?model=m", &key).await.expect("let in");
    let events = until(&mut socket, "x").await;
    assert_eq!(events.last().map(|event| event["text"].clone()), Some(json!("naïve")));
    send(&mut socket, json!({ "type": "response.create" })).await;
    let ended = timeout(Duration::from_secs(10), socket.next()).await.expect("an end in time");
    assert!(matches!(ended, Some(Err(_))), "{ended:?}");
    provider.shutdown().await;
    let outcome = recorded_events(&folder);
    assert!(outcome.iter().any(|event| event["event"] == "script.done"), "{outcome:?}");
}

/// What the server answers to an upgrade request of these headers.
async fn upgrade_answer(provider: &LocalProvider, headers: &str) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let host = provider.url().trim_start_matches("ws://").trim_end_matches(PATH).to_owned();
    let mut stream = TcpStream::connect(&host).await.expect("it listens");
    let request = format!(
        "GET {PATH}?model=m HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n{headers}\r\n"
    );
    stream.write_all(request.as_bytes()).await.expect("written");
    let mut answer = Vec::new();
    while !answer.windows(4).any(|end| end == b"\r\n\r\n") {
        let byte = timeout(Duration::from_secs(10), stream.read_u8()).await.expect("in time");
        answer.push(byte.expect("an answer"));
    }
    String::from_utf8(answer).expect("text").to_lowercase()
}

#[tokio::test]
async fn a_browsers_key_is_taken_and_compression_is_declined() {
    let provider = LocalProvider::start(LocalProviderSettings::default()).await.expect("starts");
    let key = provider.api_key().expose_secret().to_owned();
    let protocols = |key: &str| {
        format!(
            "Sec-WebSocket-Protocol: realtime, openai-insecure-api-key.{key}\r\n\
             Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"
        )
    };
    let answer = upgrade_answer(&provider, &protocols(&key)).await;
    assert!(answer.starts_with("http/1.1 101"), "{answer}");
    assert!(answer.contains("sec-websocket-protocol: realtime\r\n"), "{answer}");
    assert!(!answer.contains("permessage-deflate"), "{answer}");
    let answer = upgrade_answer(&provider, &protocols("wrong")).await;
    assert!(answer.starts_with("http/1.1 401"), "{answer}");
}

#[tokio::test]
async fn tls_is_spoken_when_a_certificate_is_given() {
    let key = rcgen::KeyPair::generate().expect("a key");
    let names = vec!["127.0.0.1".to_owned()];
    let certificate = rcgen::CertificateParams::new(names).expect("a name").self_signed(&key);
    let certificate = certificate.expect("a certificate");
    let secret = rustls::pki_types::PrivatePkcs8KeyDer::from(key.serialize_der());
    let crypto = Arc::new(rustls::crypto::ring::default_provider());
    let tls = ServerConfig::builder_with_provider(crypto)
        .with_safe_default_protocol_versions()
        .expect("ring has them")
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], secret.into())
        .expect("they belong together");
    let settings =
        LocalProviderSettings { tls: Some(Arc::new(tls)), ..LocalProviderSettings::default() };
    let provider = LocalProvider::start(settings).await.expect("starts");
    assert!(provider.url().starts_with("wss://127.0.0.1:"));

    let mut roots = rustls::RootCertStore::empty();
    roots.add(certificate.der().clone()).expect("a root");
    let connector =
        tokio_tungstenite::Connector::Rustls(crate::shell::socket::tls_with_roots(roots));
    let url = format!("{}?model=m", provider.url());
    let mut request = url.into_client_request().expect("a request");
    let bearer = format!("Bearer {}", provider.api_key().expose_secret());
    let bearer = HeaderValue::from_str(&bearer).expect("plain text");
    request.headers_mut().insert(header::AUTHORIZATION, bearer);
    let connecting =
        tokio_tungstenite::connect_async_tls_with_config(request, None, false, Some(connector));
    let (mut socket, _) = connecting.await.expect("let in");
    assert_eq!(next(&mut socket).await["type"], "session.created");
    provider.shutdown().await;
}
