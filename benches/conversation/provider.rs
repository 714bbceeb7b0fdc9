//! A realtime provider that notes when everything came and went. It thinks for no time at all: a
//! turn ends with 200 ms of silent audio, and the answer begins at once.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::Context as _;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use futures_util::StreamExt as _;
use serde_json::{Value, json};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::mpsc,
};
use tokio_tungstenite::tungstenite::Message;

use crate::websocket;

/// Silence that ends a turn.
pub(crate) const ENDPOINT: Duration = Duration::from_millis(200);
/// One piece of an answer.
const DELTA_MS: u64 = 100;
const FRAME: usize = 480;

/// What came of one utterance.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Utterance {
    /// The first audio of it.
    pub(crate) first_append: Instant,
    /// The last audio that was no silence.
    pub(crate) last_speech: Instant,
    /// Frames of 20 ms that were no silence.
    pub(crate) frames: u64,
    /// The first piece of the answer went out.
    pub(crate) first_delta: Instant,
}

/// The provider.
#[derive(Clone)]
pub(crate) struct Provider {
    pub(crate) base_url: String,
    utterances: Arc<Mutex<Vec<Utterance>>>,
    /// Pieces go out at the pace of speech, and not all at once.
    real_time: Arc<AtomicBool>,
    answer_ms: u64,
}

impl Provider {
    pub(crate) async fn start(answer_ms: u64) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let provider = Self {
            base_url: format!("ws://{}/v1", listener.local_addr()?),
            utterances: Arc::default(),
            real_time: Arc::default(),
            answer_ms,
        };
        let serving = provider.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let provider = serving.clone();
                tokio::spawn(async move {
                    if let Err(error) = provider.serve(stream).await {
                        println!("  provider: {error:#}");
                    }
                });
            }
        });
        Ok(provider)
    }

    pub(crate) fn set_real_time(&self, real_time: bool) {
        self.real_time.store(real_time, Ordering::Relaxed);
    }

    pub(crate) fn utterances(&self) -> Vec<Utterance> {
        self.utterances.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn serve(&self, stream: TcpStream) -> anyhow::Result<()> {
        let (outgoing, mut source) = websocket::accept(stream).await?;
        let mut turn = Turn::default();
        while let Some(message) = source.next().await {
            let Message::Text(text) = message? else { continue };
            let event: Value = serde_json::from_str(&text)?;
            match event["type"].as_str().unwrap_or_default() {
                "session.update" => {
                    outgoing.send(json!({ "type": "session.updated", "session": {} })).await?;
                }
                "input_audio_buffer.append" => {
                    let audio = event["audio"].as_str().context("audio is text")?;
                    if let Some(heard) = turn.hear(&STANDARD.decode(audio)?) {
                        self.answer(heard, outgoing.clone());
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn answer(&self, heard: Heard, outgoing: mpsc::Sender<Value>) {
        let provider = self.clone();
        tokio::spawn(async move {
            let number = provider.utterances().len();
            let id = format!("r{number}");
            let response = json!({ "type": "response.created", "response": { "id": id } });
            // A client that is gone hears no answer.
            let _ = outgoing.send(response).await;
            let mut next = tokio::time::Instant::now();
            let mut first_delta = None;
            for piece in 0..provider.answer_ms / DELTA_MS {
                let at = Instant::now();
                first_delta.get_or_insert(at);
                let _ = outgoing.send(delta(&id, piece)).await;
                if provider.real_time.load(Ordering::Relaxed) {
                    next += Duration::from_millis(DELTA_MS);
                    tokio::time::sleep_until(next).await;
                }
            }
            let done = json!({
                "type": "response.done", "response": { "id": id, "status": "completed" },
            });
            let _ = outgoing.send(done).await;
            let utterance = Utterance {
                first_append: heard.first,
                last_speech: heard.last,
                frames: heard.frames,
                first_delta: first_delta.unwrap_or(heard.last),
            };
            let mut all = provider.utterances.lock().unwrap_or_else(PoisonError::into_inner);
            all.push(utterance);
        });
    }
}

/// A tone, piece by piece.
fn delta(id: &str, piece: u64) -> Value {
    let samples = DELTA_MS * 24;
    let bytes: Vec<u8> = (piece * samples..(piece + 1) * samples)
        .flat_map(|n| {
            let phase = n as f64 * 440.0 / 24_000.0 * std::f64::consts::TAU;
            ((phase.sin() * 8_000.0) as i16).to_le_bytes()
        })
        .collect();
    json!({
        "type": "response.output_audio.delta", "response_id": id, "item_id": format!("i {id}"),
        "content_index": 0, "delta": STANDARD.encode(bytes),
    })
}

/// What was heard of a turn.
#[derive(Clone, Copy)]
struct Heard {
    first: Instant,
    last: Instant,
    frames: u64,
}

#[derive(Default)]
struct Turn {
    heard: Option<Heard>,
    silent: usize,
}

impl Turn {
    /// Takes audio; gives the turn when it has ended.
    fn hear(&mut self, bytes: &[u8]) -> Option<Heard> {
        let now = Instant::now();
        for frame in bytes.chunks(FRAME * 2) {
            // Decoded speech is never nothing but zeros; silence is.
            if frame.iter().any(|byte| *byte != 0) {
                let heard = self.heard.get_or_insert(Heard { first: now, last: now, frames: 0 });
                heard.last = now;
                heard.frames += 1;
                self.silent = 0;
            } else if self.heard.is_some() {
                self.silent += frame.len() / 2;
            }
        }
        let enough = ENDPOINT.as_millis() as usize * 24;
        (self.silent >= enough).then(|| self.heard.take()).flatten()
    }
}
