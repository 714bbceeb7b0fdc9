//! Transcription and synthesis for a `stt-tts` session: requests over HTTP, or a program beside us.
//!
//! Each piece of work is a task of its own; giving it up is dropping it, which closes its
//! connection or kills its program. What comes back carries the work's name, and the session drops
//! what it does not wait for any more.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the shell is where tasks, timeouts and locks are"
)]

mod espeak;
mod synthesizer;
mod transcriber;

#[cfg(test)]
mod tests;

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use clawvoice_session::audit::{Answer, Credential};
use tokio::{
    sync::mpsc,
    task::{AbortHandle, JoinSet},
};

pub use espeak::EspeakSettings;
pub use synthesizer::{ElevenLabsSettings, OpenAiSpeechSettings, SynthesizerSettings};
pub use transcriber::TranscriberSettings;

use crate::batch::{SegmentId, SpeechFailure, SpeechId};

/// Pieces of work under way at a time. A session asks for three at most; more than this would be
/// a fault of ours, and is refused.
const MAX_WORK: usize = 8;

/// Results that may wait for the session; work waits when there are more.
const RESULTS: usize = 32;

/// For opening a connection.
const CONNECT: Duration = Duration::from_secs(10);

/// Speech providers cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("no HTTP client: {0}")]
pub struct SpeechUnusable(#[source] reqwest::Error);

/// The transcriber and the synthesizer of a process, for all of its sessions.
#[derive(Debug)]
pub struct SpeechClients {
    http: reqwest::Client,
    /// Held for moments only: each request takes them along.
    settings: Mutex<Arc<SpeechSettings>>,
}

/// Who transcribes and who synthesizes.
#[derive(Clone, Debug)]
pub struct SpeechSettings {
    /// Who transcribes.
    pub transcriber: TranscriberSettings,
    /// Who synthesizes.
    pub synthesizer: SynthesizerSettings,
    /// Who is told how the keys are taken.
    pub credentials: SpeechCredentials,
}

/// Who is told how the keys are taken.
#[derive(Clone, Debug, Default)]
pub struct SpeechCredentials {
    /// Of the transcriber's.
    pub transcriber: Option<Credential>,
    /// Of the synthesizer's.
    pub synthesizer: Option<Credential>,
}

impl SpeechClients {
    /// Clients with these settings. Connects to nothing yet.
    ///
    /// # Errors
    ///
    /// If this machine can make no HTTP client.
    pub fn new(
        transcriber: TranscriberSettings,
        synthesizer: SynthesizerSettings,
    ) -> Result<Self, SpeechUnusable> {
        let credentials = SpeechCredentials::default();
        Self::of(SpeechSettings { transcriber, synthesizer, credentials })
    }

    /// The same, and somebody is told how the keys are taken.
    ///
    /// # Errors
    ///
    /// If this machine can make no HTTP client.
    pub fn of(settings: SpeechSettings) -> Result<Self, SpeechUnusable> {
        Ok(Self { http: client()?, settings: Mutex::new(Arc::new(settings)) })
    }

    /// Goes by these from the next request on, as with another key.
    pub fn set(&self, settings: SpeechSettings) {
        *self.settings.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(settings);
    }

    fn settings(&self) -> Arc<SpeechSettings> {
        Arc::clone(&self.settings.lock().unwrap_or_else(PoisonError::into_inner))
    }

    async fn transcribe(&self, wav: Bytes) -> Result<String, SpeechFailure> {
        let settings = self.settings();
        let credential = settings.credentials.transcriber.as_ref();
        let wanted = &settings.transcriber;
        transcriber::transcribe(&self.http, wanted, credential, "segment.wav", wav).await
    }

    async fn synthesize(&self, text: &str, sink: &Sink) -> Result<(), SpeechFailure> {
        let settings = self.settings();
        let credential = settings.credentials.synthesizer.as_ref();
        match &settings.synthesizer {
            SynthesizerSettings::OpenAi(settings) => {
                synthesizer::open_ai(&self.http, settings, credential, text, sink).await
            }
            SynthesizerSettings::ElevenLabs(settings) => {
                synthesizer::eleven_labs(&self.http, settings, credential, text, sink).await
            }
            SynthesizerSettings::Espeak(settings) => espeak::synthesize(settings, text, sink).await,
        }
    }
}

/// Tells how a request's key was taken.
fn told(
    credential: Option<&Credential>,
    sent: reqwest::Result<reqwest::Response>,
) -> reqwest::Result<reqwest::Response> {
    if let Some(credential) = credential {
        let status = sent.as_ref().ok().map(|answer| answer.status().as_u16());
        credential.used(Answer::of_status(status));
    }
    sent
}

/// A transcriber of recordings, without anything that speaks.
#[derive(Debug)]
pub struct NoteTranscriber {
    http: reqwest::Client,
    /// Held for moments only: each request takes them along.
    ear: Mutex<Arc<(TranscriberSettings, Option<Credential>)>>,
}

impl NoteTranscriber {
    /// With these settings; `credential` is told how the key is taken. Connects to nothing yet.
    ///
    /// # Errors
    ///
    /// If this machine can make no HTTP client.
    pub fn new(
        transcriber: TranscriberSettings,
        credential: Option<Credential>,
    ) -> Result<Self, SpeechUnusable> {
        Ok(Self { http: client()?, ear: Mutex::new(Arc::new((transcriber, credential))) })
    }

    /// Goes by these from the next request on, as with another key.
    pub fn set(&self, transcriber: TranscriberSettings, credential: Option<Credential>) {
        let ear = Arc::new((transcriber, credential));
        *self.ear.lock().unwrap_or_else(PoisonError::into_inner) = ear;
    }

    /// The words of a recording in any form that the transcriber takes; by the end of its name it
    /// knows which. `None`: it cannot tell, and the log says why.
    pub async fn words_of(&self, name: &str, recording: Bytes) -> Option<String> {
        let ear = Arc::clone(&self.ear.lock().unwrap_or_else(PoisonError::into_inner));
        let (wanted, credential) = &*ear;
        let words =
            transcriber::transcribe(&self.http, wanted, credential.as_ref(), name, recording).await;
        words.inspect_err(|failure| tracing::warn!("a recording has no words: {failure}")).ok()
    }
}

fn client() -> Result<reqwest::Client, SpeechUnusable> {
    reqwest::Client::builder()
        .connect_timeout(CONNECT)
        // A redirect would take the key along.
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .map_err(SpeechUnusable)
}

/// What comes back.
#[derive(Debug)]
pub(crate) enum FromSpeech {
    Transcribed { segment: SegmentId, result: Result<String, SpeechFailure> },
    Audio { speech: SpeechId, pcm: Vec<i16> },
    Ended { speech: SpeechId },
    Failed { speech: SpeechId, failure: SpeechFailure },
}

/// Where a synthesis puts its samples.
struct Sink {
    speech: SpeechId,
    results: mpsc::Sender<FromSpeech>,
}

impl Sink {
    /// Waits while the session is behind.
    async fn push(&self, pcm: &mut Vec<i16>) {
        if !pcm.is_empty() {
            let pcm = std::mem::take(pcm);
            // A session that is gone has dropped this task, too.
            let _ = self.results.send(FromSpeech::Audio { speech: self.speech, pcm }).await;
        }
    }
}

/// One session's work under way; all of it ends when this is dropped.
pub(crate) struct SpeechWork {
    clients: Option<Arc<SpeechClients>>,
    tasks: JoinSet<()>,
    syntheses: Vec<(SpeechId, AbortHandle)>,
    results: mpsc::Receiver<FromSpeech>,
    to_session: mpsc::Sender<FromSpeech>,
}

impl SpeechWork {
    /// `None`: a session that never asks for any.
    pub(crate) fn new(clients: Option<Arc<SpeechClients>>) -> Self {
        let (to_session, results) = mpsc::channel(RESULTS);
        Self { clients, tasks: JoinSet::new(), syntheses: Vec::new(), results, to_session }
    }

    pub(crate) fn transcribe(&mut self, segment: SegmentId, wav: Bytes) {
        let results = self.to_session.clone();
        match self.admit() {
            Ok(clients) => {
                self.tasks.spawn(async move {
                    let result = clients.transcribe(wav).await;
                    // Nobody waits for it once the session is over.
                    let _ = results.send(FromSpeech::Transcribed { segment, result }).await;
                });
            }
            Err(failure) => self.refuse(FromSpeech::Transcribed { segment, result: Err(failure) }),
        }
    }

    pub(crate) fn synthesize(&mut self, speech: SpeechId, text: String) {
        let results = self.to_session.clone();
        match self.admit() {
            Ok(clients) => {
                let task = self.tasks.spawn(async move {
                    let sink = Sink { speech, results };
                    let over = match clients.synthesize(&text, &sink).await {
                        Ok(()) => FromSpeech::Ended { speech },
                        Err(failure) => FromSpeech::Failed { speech, failure },
                    };
                    // Nobody waits for it once the session is over.
                    let _ = sink.results.send(over).await;
                });
                self.syntheses.push((speech, task));
            }
            Err(failure) => self.refuse(FromSpeech::Failed { speech, failure }),
        }
    }

    pub(crate) fn cancel(&mut self, speech: SpeechId) {
        for (_, task) in self.syntheses.extract_if(.., |(name, _)| *name == speech) {
            task.abort();
        }
    }

    /// What comes next; cancel-safe.
    pub(crate) async fn recv(&mut self) -> FromSpeech {
        match self.results.recv().await {
            Some(result) => result,
            // Cannot be: we hold a sender ourselves.
            None => std::future::pending().await,
        }
    }

    fn admit(&mut self) -> Result<Arc<SpeechClients>, SpeechFailure> {
        while self.tasks.try_join_next().is_some() {}
        self.syntheses.retain(|(_, task)| !task.is_finished());
        if self.tasks.len() >= MAX_WORK {
            let message = "too many transcriptions and syntheses at a time".to_owned();
            return Err(SpeechFailure { message, transient: true });
        }
        self.clients.clone().ok_or_else(|| SpeechFailure {
            message: "no speech providers are configured".to_owned(),
            transient: false,
        })
    }

    fn refuse(&mut self, result: FromSpeech) {
        let results = self.to_session.clone();
        // Behind what waits, without waiting for it here.
        self.tasks.spawn(async move {
            let _ = results.send(result).await;
        });
    }
}

/// Why a request got no answer. The address is left out: it may hold a key.
fn unreached(error: reqwest::Error) -> SpeechFailure {
    let kind = if error.is_timeout() {
        "took too long"
    } else if error.is_connect() {
        "cannot be reached"
    } else if error.is_builder() {
        return SpeechFailure { message: "the address is no URL".to_owned(), transient: false };
    } else {
        "broke off"
    };
    tracing::debug!(error = %error.without_url(), "a speech provider {kind}");
    SpeechFailure { message: format!("the provider {kind}"), transient: true }
}

/// Reads a body of at most `limit` bytes; what is beyond is not read.
async fn body(mut response: reqwest::Response, limit: usize) -> Result<Vec<u8>, SpeechFailure> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(unreached)? {
        let room = limit.saturating_sub(body.len());
        body.extend_from_slice(chunk.get(..room).unwrap_or(&chunk));
        if body.len() >= limit {
            break;
        }
    }
    Ok(body)
}
