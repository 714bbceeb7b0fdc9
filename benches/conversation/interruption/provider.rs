//! A realtime provider that keeps every sample it is given, and answers with noise until it is
//! stopped. It sends an answer twice as fast as it plays, so that an interruption finds it both
//! generating and ahead of what was heard.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
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
    sync::{mpsc, watch},
};
use tokio_tungstenite::tungstenite::Message;

use super::sound::{FRAME, answer};
use crate::websocket;

/// Silence that ends a turn, in samples: 400 ms, longer than any pause in what is said here.
const ENDPOINT: usize = 20 * FRAME;
/// The longest turn that is kept, in samples: 20 s.
const LONGEST_TURN: usize = 1_000 * FRAME;
/// What is sent at once of an answer, in samples: 100 ms.
const PIECE: usize = 5 * FRAME;
/// How often.
const PACE: Duration = Duration::from_millis(50);
/// An answer that nobody stops.
const ANSWER_MS: usize = 6_000;

/// What somebody said, and the answer to it, which has the turn's place in the list as its number.
#[derive(Clone)]
pub(crate) struct Turn {
    /// The first audio of it.
    pub(crate) first_append: Instant,
    /// All of it, from the first sample that is no silence.
    pub(crate) pcm: Vec<i16>,
    /// The first piece of the answer went out.
    pub(crate) first_delta: Instant,
    /// The answer.
    pub(crate) answer: Arc<[i16]>,
}

/// What was done to one answer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cut {
    /// `audio_end_ms` of every `conversation.item.truncate`.
    pub(crate) truncated: Vec<u64>,
    /// How often its item was deleted.
    pub(crate) deleted: usize,
}

/// The provider.
#[derive(Clone)]
pub(crate) struct Provider {
    pub(crate) base_url: String,
    shared: Arc<Shared>,
}

struct Shared {
    turns: Mutex<Vec<Turn>>,
    cuts: Mutex<BTreeMap<usize, Cut>>,
    /// How many answers have begun.
    answers: watch::Sender<usize>,
}

impl Shared {
    fn turns(&self) -> MutexGuard<'_, Vec<Turn>> {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn cuts(&self) -> MutexGuard<'_, BTreeMap<usize, Cut>> {
        self.cuts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Provider {
    pub(crate) async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let shared = Shared {
            turns: Mutex::default(),
            cuts: Mutex::default(),
            answers: watch::Sender::new(0),
        };
        let base_url = format!("ws://{}/v1", listener.local_addr()?);
        let provider = Self { base_url, shared: Arc::new(shared) };
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

    /// Waits for the first answer that begins after `at`; gives its number.
    pub(crate) async fn answer_after(&self, at: Instant) -> anyhow::Result<usize> {
        let mut answers = self.shared.answers.subscribe();
        loop {
            let found = self.shared.turns().iter().position(|turn| turn.first_delta > at);
            match found {
                Some(number) => return Ok(number),
                None => answers.changed().await.context("the provider is gone")?,
            }
        }
    }

    pub(crate) fn turns(&self) -> Vec<Turn> {
        self.shared.turns().clone()
    }

    pub(crate) fn cuts(&self) -> BTreeMap<usize, Cut> {
        self.shared.cuts().clone()
    }

    async fn serve(&self, stream: TcpStream) -> anyhow::Result<()> {
        let (outgoing, mut source) = websocket::accept(stream).await?;
        let mut ear = Ear::default();
        let mut stop = Arc::new(AtomicBool::new(false));
        // An agent that is stopped at the end of its room does not say goodbye.
        while let Some(Ok(message)) = source.next().await {
            let Message::Text(text) = message else { continue };
            let event: Value = serde_json::from_str(&text)?;
            match event["type"].as_str().unwrap_or_default() {
                "session.update" => {
                    outgoing.send(json!({ "type": "session.updated", "session": {} })).await?;
                }
                "input_audio_buffer.append" => {
                    let audio = event["audio"].as_str().context("audio is text")?;
                    if let Some(heard) = ear.hear(&STANDARD.decode(audio)?) {
                        // A speaker has one answer at a time.
                        stop.store(true, Ordering::Relaxed);
                        stop = Arc::default();
                        let answer = self.clone().answer(heard, outgoing.clone(), stop.clone());
                        tokio::spawn(answer);
                    }
                }
                "input_audio_buffer.clear" => ear = Ear::default(),
                "response.cancel" => stop.store(true, Ordering::Relaxed),
                "conversation.item.truncate" => {
                    let end = event["audio_end_ms"].as_u64().context("audio_end_ms is a number")?;
                    self.shared.cuts().entry(number(&event)?).or_default().truncated.push(end);
                }
                "conversation.item.delete" => {
                    self.shared.cuts().entry(number(&event)?).or_default().deleted += 1;
                }
                _ => {}
            }
        }
        stop.store(true, Ordering::Relaxed);
        Ok(())
    }

    async fn answer(self, heard: Heard, outgoing: mpsc::Sender<Value>, stop: Arc<AtomicBool>) {
        let (number, pcm) = self.note(heard);
        let response = format!("r{number}");
        // A client that is gone hears no answer.
        let created = json!({ "type": "response.created", "response": { "id": response } });
        let _ = outgoing.send(created).await;
        let mut next = tokio::time::Instant::now();
        for piece in pcm.chunks(PIECE) {
            if stop.load(Ordering::Relaxed) {
                break;
            }
            let bytes: Vec<u8> = piece.iter().flat_map(|sample| sample.to_le_bytes()).collect();
            let delta = json!({
                "type": "response.output_audio.delta", "response_id": response,
                "item_id": format!("i{number}"), "content_index": 0,
                "delta": STANDARD.encode(bytes),
            });
            if outgoing.send(delta).await.is_err() {
                return;
            }
            next += PACE;
            tokio::time::sleep_until(next).await;
        }
        let status = if stop.load(Ordering::Relaxed) { "cancelled" } else { "completed" };
        let done = json!({
            "type": "response.done", "response": { "id": response, "status": status },
        });
        let _ = outgoing.send(done).await;
    }

    /// Writes a turn down; gives its answer's number and sound.
    fn note(&self, heard: Heard) -> (usize, Arc<[i16]>) {
        let mut turns = self.shared.turns();
        let number = turns.len();
        let answer: Arc<[i16]> = answer(number, ANSWER_MS).into();
        turns.push(Turn {
            first_append: heard.first,
            pcm: heard.pcm,
            first_delta: Instant::now(),
            answer: answer.clone(),
        });
        self.shared.answers.send_replace(number + 1);
        (number, answer)
    }
}

/// The answer that an event's item belongs to.
fn number(event: &Value) -> anyhow::Result<usize> {
    let item = event["item_id"].as_str().and_then(|item| item.strip_prefix('i'));
    item.and_then(|number| number.parse().ok()).with_context(|| format!("no item of ours: {event}"))
}

/// What was heard of a turn.
struct Heard {
    first: Instant,
    pcm: Vec<i16>,
}

#[derive(Default)]
struct Ear {
    heard: Option<Heard>,
    /// Samples of silence at the end.
    silent: usize,
}

impl Ear {
    /// Takes audio; gives the turn when it has ended.
    fn hear(&mut self, bytes: &[u8]) -> Option<Heard> {
        let now = Instant::now();
        let pcm: Vec<i16> =
            bytes.chunks_exact(2).map(|two| i16::from_le_bytes([two[0], two[1]])).collect();
        for frame in pcm.chunks(FRAME) {
            // Decoded speech is never nothing but zeros; silence is.
            let is_silent = frame.iter().all(|sample| *sample == 0);
            if is_silent && self.heard.is_none() {
                continue;
            }
            let heard = self.heard.get_or_insert(Heard { first: now, pcm: Vec::new() });
            if heard.pcm.len() < LONGEST_TURN {
                heard.pcm.extend(frame);
            }
            self.silent = if is_silent { self.silent + frame.len() } else { 0 };
        }
        (self.silent >= ENDPOINT).then(|| self.heard.take()).flatten()
    }
}
