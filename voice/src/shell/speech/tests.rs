//! The clients against servers in this process.

#![allow(clippy::disallowed_types, reason = "the servers' tasks keep what they were sent")]

use std::{
    io::Write as _,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::Body,
    extract::{Multipart, Query, Request},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::post,
};
use futures_util::stream;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::*;

/// What a server was sent.
type Seen = Arc<Mutex<Vec<Value>>>;

async fn serve(router: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}/v1")
}

fn transcriber(base_url: &str) -> TranscriberSettings {
    TranscriberSettings {
        base_url: base_url.to_owned(),
        model: "hear-1".into(),
        api_key: Some("sk-secret".to_owned().into()),
        language: Some("en".into()),
        prompt: None,
    }
}

fn speech(base_url: &str) -> SynthesizerSettings {
    SynthesizerSettings::OpenAi(OpenAiSpeechSettings {
        base_url: base_url.to_owned(),
        model: "say-1".into(),
        voice: "cedar".into(),
        instructions: None,
        speed: None,
        api_key: Some("sk-secret".to_owned().into()),
    })
}

fn work(base_url: &str, synthesizer: SynthesizerSettings) -> SpeechWork {
    let clients = SpeechClients::new(transcriber(base_url), synthesizer).unwrap();
    SpeechWork::new(Some(Arc::new(clients)))
}

const SEGMENT: SegmentId = SegmentId::test(1);
const SPEECH: SpeechId = SpeechId::test(2);

/// All audio of a synthesis, and how it ended.
async fn outcome(work: &mut SpeechWork) -> (Vec<i16>, Result<(), SpeechFailure>) {
    let mut all = Vec::new();
    loop {
        match work.recv().await {
            FromSpeech::Audio { speech: SPEECH, pcm } => all.extend(pcm),
            FromSpeech::Ended { speech: SPEECH } => return (all, Ok(())),
            FromSpeech::Failed { speech: SPEECH, failure } => return (all, Err(failure)),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_segment_is_sent_as_a_form_and_its_words_come_back() {
    let seen = Seen::default();
    let keep = seen.clone();
    let base = serve(Router::new().route(
        "/v1/audio/transcriptions",
        post(move |headers: HeaderMap, mut form: Multipart| async move {
            let mut fields = json!({ "key": headers["authorization"].to_str().unwrap() });
            while let Some(field) = form.next_field().await.unwrap() {
                let name = field.name().unwrap().to_owned();
                let file = field.file_name().map(str::to_owned);
                let bytes = field.bytes().await.unwrap();
                fields[&name] = match file {
                    Some(file) => json!(format!("{file}: {} bytes", bytes.len())),
                    None => json!(String::from_utf8(bytes.to_vec()).unwrap()),
                };
            }
            keep.lock().unwrap().push(fields);
            axum::Json(json!({ "text": "Hello there." }))
        }),
    ))
    .await;
    let mut work = work(&base, speech(&base));
    work.transcribe(SEGMENT, Bytes::from_static(&[7; 1_044]));
    let FromSpeech::Transcribed { segment: SEGMENT, result } = work.recv().await else {
        panic!("no words");
    };
    assert_eq!(result.as_deref(), Ok("Hello there."));
    assert_eq!(
        *seen.lock().unwrap(),
        [json!({
            "key": "Bearer sk-secret", "model": "hear-1", "response_format": "json",
            "language": "en", "file": "segment.wav: 1044 bytes",
        })]
    );
}

#[tokio::test]
async fn refusals_and_dead_servers_are_failures_without_the_key_or_the_address() {
    let refuse = || async {
        (StatusCode::TOO_MANY_REQUESTS, r#"{"error":{"message":"Slow down."}}"#).into_response()
    };
    let base = serve(Router::new().route("/v1/audio/transcriptions", post(refuse))).await;
    let mut busy = work(&base, speech(&base));
    busy.transcribe(SEGMENT, Bytes::new());
    let FromSpeech::Transcribed { result, .. } = busy.recv().await else { panic!() };
    let failure = SpeechFailure { message: "HTTP 429: Slow down.".into(), transient: true };
    assert_eq!(result, Err(failure));

    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let mut dead = work(&format!("http://{nobody}/v1"), speech(&base));
    dead.transcribe(SEGMENT, Bytes::new());
    let FromSpeech::Transcribed { result, .. } = dead.recv().await else { panic!() };
    let failure =
        SpeechFailure { message: "the provider cannot be reached".into(), transient: true };
    assert_eq!(result, Err(failure));

    let mut none = SpeechWork::new(None);
    none.synthesize(SPEECH, "Hello.".into());
    assert!(!outcome(&mut none).await.1.unwrap_err().transient);
}

/// A server whose answer is in pieces.
fn in_pieces(bytes: &[u8], size: usize) -> Response {
    let pieces: Vec<Result<Bytes, std::io::Error>> =
        bytes.chunks(size).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
    Body::from_stream(stream::iter(pieces)).into_response()
}

fn ramp() -> Vec<i16> {
    (0..4_800).collect()
}

fn bytes(pcm: &[i16]) -> Vec<u8> {
    pcm.iter().flat_map(|sample| sample.to_le_bytes()).collect()
}

#[tokio::test]
async fn speech_comes_in_pieces_of_any_size() {
    let seen = Seen::default();
    let keep = seen.clone();
    let base = serve(Router::new().route(
        "/v1/audio/speech",
        post(move |headers: HeaderMap, axum::Json(mut wanted): axum::Json<Value>| async move {
            wanted["key"] = json!(headers["authorization"].to_str().unwrap());
            keep.lock().unwrap().push(wanted);
            in_pieces(&bytes(&ramp()), 777)
        }),
    ))
    .await;
    let mut work = work(&base, speech(&base));
    work.synthesize(SPEECH, "It is late.".into());
    assert_eq!(outcome(&mut work).await, (ramp(), Ok(())));
    assert_eq!(
        *seen.lock().unwrap(),
        [json!({
            "model": "say-1", "input": "It is late.", "voice": "cedar", "response_format": "pcm",
            "key": "Bearer sk-secret",
        })]
    );
}

#[tokio::test]
async fn a_wav_answer_is_played_and_an_mp3_is_refused() {
    let wav = || async { in_pieces(&crate::batch::test_wav(&ramp()), 999) };
    let base = serve(Router::new().route("/v1/audio/speech", post(wav))).await;
    let mut wav = work(&base, speech(&base));
    wav.synthesize(SPEECH, "Hello.".into());
    assert_eq!(outcome(&mut wav).await, (ramp(), Ok(())));

    let mp3 = || async { in_pieces(b"ID3\x04\0\0and so on", 100) };
    let base = serve(Router::new().route("/v1/audio/speech", post(mp3))).await;
    let mut mp3 = work(&base, speech(&base));
    mp3.synthesize(SPEECH, "Hello.".into());
    let (pcm, ended) = outcome(&mut mp3).await;
    assert!(pcm.is_empty());
    assert_eq!(ended.unwrap_err().message, "the synthesizer sent MP3, not PCM or WAV");
}

#[tokio::test]
async fn a_broken_answer_gives_what_came_of_it_and_fails() {
    let broken = || async {
        let pieces = [Ok(Bytes::from(bytes(&ramp()))), Err(std::io::Error::other("gone"))];
        Body::from_stream(stream::iter(pieces)).into_response()
    };
    let base = serve(Router::new().route("/v1/audio/speech", post(broken))).await;
    let mut work = work(&base, speech(&base));
    work.synthesize(SPEECH, "Hello.".into());
    let (pcm, ended) = outcome(&mut work).await;
    assert!(ended.unwrap_err().transient);
    assert!(pcm.is_empty() || pcm == ramp());
}

#[tokio::test]
async fn elevenlabs_is_asked_for_24_khz_and_sent_its_own_header() {
    let seen = Seen::default();
    let keep = seen.clone();
    let base = serve(Router::new().route(
        "/v1/text-to-speech/{voice}/stream",
        post(
            move |axum::extract::Path(voice): axum::extract::Path<String>,
                  Query(query): Query<Value>,
                  headers: HeaderMap,
                  axum::Json(mut wanted): axum::Json<Value>| async move {
                wanted["key"] = json!(headers["xi-api-key"].to_str().unwrap());
                wanted["voice"] = json!(voice);
                wanted["query"] = query;
                keep.lock().unwrap().push(wanted);
                in_pieces(&bytes(&ramp()), 4_096)
            },
        ),
    ))
    .await;
    let settings = SynthesizerSettings::ElevenLabs(ElevenLabsSettings {
        base_url: base.trim_end_matches("/v1").to_owned(),
        model_id: "eleven_flash_v2_5".into(),
        voice_id: "v1".into(),
        api_key: "xi-secret".to_owned().into(),
        voice_settings: Some(json!({ "stability": 0.5 })),
    });
    let mut work = work(&base, settings);
    work.synthesize(SPEECH, "It is late.".into());
    assert_eq!(outcome(&mut work).await, (ramp(), Ok(())));
    assert_eq!(
        *seen.lock().unwrap(),
        [json!({
            "text": "It is late.", "model_id": "eleven_flash_v2_5", "voice": "v1",
            "voice_settings": { "stability": 0.5 }, "key": "xi-secret",
            "query": { "output_format": "pcm_24000" },
        })]
    );
}

#[tokio::test]
async fn voice_scenario_49_a_cancelled_synthesis_closes_its_connection() {
    let (gone, mut closed) = mpsc::channel::<()>(1);
    let gone = Arc::new(Mutex::new(Some(gone)));
    let endless = move |_: Request| {
        let gone = gone.lock().unwrap().take();
        async move {
            // The stream holds `gone`, and is dropped with the connection.
            let pieces = stream::unfold(gone, |gone| async move {
                tokio::task::yield_now().await;
                Some((Ok::<_, std::io::Error>(Bytes::from(bytes(&ramp()))), gone))
            });
            Body::from_stream(pieces).into_response()
        }
    };
    let base = serve(Router::new().route("/v1/audio/speech", post(endless))).await;
    let mut work = work(&base, speech(&base));
    work.synthesize(SPEECH, "Hello.".into());
    assert!(matches!(work.recv().await, FromSpeech::Audio { .. }));
    work.cancel(SPEECH);
    assert_eq!(closed.recv().await, None, "the server noticed");
}

/// A program in the place of espeak-ng.
fn program(folder: &tempfile::TempDir, script: &str) -> SynthesizerSettings {
    use std::os::unix::fs::OpenOptionsExt as _;
    let path = folder.path().join("speak");
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o755)
        .open(&path)
        .unwrap();
    writeln!(file, "#!/bin/sh\n{script}").unwrap();
    SynthesizerSettings::Espeak(EspeakSettings {
        program: path,
        voice: Some("en-gb".into()),
        words_per_minute: Some(160),
    })
}

#[tokio::test]
async fn a_program_gets_the_sentence_by_its_input_and_its_silence_is_cut() {
    let folder = tempfile::tempdir().unwrap();
    let loud = vec![9_000; 2_400];
    let wav = crate::batch::test_wav(&[vec![0; 5_000], loud.clone(), vec![0; 9_000]].concat());
    std::fs::write(folder.path().join("out.wav"), wav).unwrap();
    let script =
        "d=$(dirname \"$0\"); cat > \"$d/in\"; echo \"$@\" > \"$d/args\"; cat \"$d/out.wav\"";
    let mut work = work("http://127.0.0.1:9/v1", program(&folder, script));
    work.synthesize(SPEECH, "--version is what I say.".into());
    let (pcm, ended) = outcome(&mut work).await;
    assert_eq!(ended, Ok(()));
    assert_eq!(pcm, [loud, vec![0; 24 * 120]].concat());
    let read = |name| std::fs::read_to_string(folder.path().join(name)).unwrap();
    assert_eq!(read("in"), "--version is what I say.");
    assert_eq!(read("args").trim(), "--stdout --stdin -b1 -ven-gb -s160");
}

#[tokio::test]
async fn a_program_that_fails_or_is_not_there_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let mut failing = work("http://127.0.0.1:9/v1", program(&folder, "exit 3"));
    failing.synthesize(SPEECH, "Hello.".into());
    let failure = outcome(&mut failing).await.1.unwrap_err();
    assert_eq!(failure.message, "espeak-ng failed: exit status: 3");
    let missing = EspeakSettings {
        program: folder.path().join("no-such-program"),
        ..EspeakSettings::default()
    };
    let mut missing = work("http://127.0.0.1:9/v1", SynthesizerSettings::Espeak(missing));
    missing.synthesize(SPEECH, "Hello.".into());
    let failure = outcome(&mut missing).await.1.unwrap_err();
    assert!(failure.message.contains("no-such-program does not start"), "{failure}");
}
