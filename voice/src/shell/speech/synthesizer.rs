//! Synthesis over HTTP: OpenAI's `POST /audio/speech` and its many likes, and ElevenLabs. Both
//! stream: samples are passed on as they come.

use std::time::Duration;

use clawvoice_session::audit::{Answer, Credential};
use reqwest::RequestBuilder;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::{EspeakSettings, Sink, body, told, unreached};
use crate::batch::{
    SpeechFailure,
    pcm::{PcmStream, UnusableAudio},
    transcript::read_refusal,
};

/// From a sentence to the head of its answer.
const FIRST: Duration = Duration::from_secs(30);

/// Between two pieces of an answer.
const NEXT: Duration = Duration::from_secs(10);

/// The largest refusal that is read.
const MAX_REFUSAL: usize = 64 * 1_024;

/// Who synthesizes.
#[derive(Clone, Debug)]
pub enum SynthesizerSettings {
    /// Any server with OpenAI's `POST /audio/speech`.
    OpenAi(OpenAiSpeechSettings),
    /// ElevenLabs.
    ElevenLabs(ElevenLabsSettings),
    /// `espeak-ng` on this machine.
    Espeak(EspeakSettings),
}

/// `POST /audio/speech`.
#[derive(Clone, Debug)]
pub struct OpenAiSpeechSettings {
    /// Without a slash at its end, as in `https://api.openai.com/v1`.
    pub base_url: String,
    /// The model's id.
    pub model: String,
    /// The voice's name.
    pub voice: String,
    /// How to speak, for models that take it.
    pub instructions: Option<String>,
    /// 1 is the voice's own.
    pub speed: Option<f64>,
    /// Sent as a bearer token; servers on this machine often need none.
    pub api_key: Option<SecretString>,
}

/// `POST /v1/text-to-speech/{voice}/stream`.
#[derive(Clone, Debug)]
pub struct ElevenLabsSettings {
    /// Without a slash at its end, as in `https://api.elevenlabs.io`.
    pub base_url: String,
    /// The model's id.
    pub model_id: String,
    /// The voice's id.
    pub voice_id: String,
    /// Sent as `xi-api-key`.
    pub api_key: SecretString,
    /// `voice_settings`, as the vendor documents them.
    pub voice_settings: Option<Value>,
}

pub(super) async fn open_ai(
    http: &reqwest::Client,
    settings: &OpenAiSpeechSettings,
    credential: Option<&Credential>,
    text: &str,
    sink: &Sink,
) -> Result<(), SpeechFailure> {
    let mut wanted = json!({
        "model": settings.model,
        "input": text,
        "voice": settings.voice,
        // Headerless 24 kHz mono: what we play, and nothing to wait for.
        "response_format": "pcm",
    });
    if let Some(instructions) = &settings.instructions {
        wanted["instructions"] = json!(instructions);
    }
    if let Some(speed) = settings.speed {
        wanted["speed"] = json!(speed);
    }
    let request = http.post(format!("{}/audio/speech", settings.base_url)).json(&wanted);
    let request = match &settings.api_key {
        Some(key) => request.bearer_auth(key.expose_secret()),
        None => request,
    };
    stream(request, credential, sink).await
}

pub(super) async fn eleven_labs(
    http: &reqwest::Client,
    settings: &ElevenLabsSettings,
    credential: Option<&Credential>,
    text: &str,
    sink: &Sink,
) -> Result<(), SpeechFailure> {
    let mut wanted = json!({ "text": text, "model_id": settings.model_id });
    if let Some(voice_settings) = &settings.voice_settings {
        wanted["voice_settings"] = voice_settings.clone();
    }
    let url = format!(
        "{}/v1/text-to-speech/{}/stream?output_format=pcm_24000",
        settings.base_url, settings.voice_id
    );
    let key = settings.api_key.expose_secret();
    let mut key = reqwest::header::HeaderValue::from_str(key).map_err(|_| SpeechFailure {
        message: "the ElevenLabs key cannot be sent: it holds a character no header may".into(),
        transient: false,
    })?;
    key.set_sensitive(true);
    stream(http.post(url).header("xi-api-key", key).json(&wanted), credential, sink).await
}

/// Sends a request and passes its answer on.
async fn stream(
    request: RequestBuilder,
    credential: Option<&Credential>,
    sink: &Sink,
) -> Result<(), SpeechFailure> {
    let late = |_| SpeechFailure { message: "the provider took too long".into(), transient: true };
    let sent = timeout(FIRST, request.send()).await;
    if let (Err(_), Some(credential)) = (&sent, credential) {
        credential.used(Answer::Unknown);
    }
    let mut response = told(credential, sent.map_err(late)?).map_err(unreached)?;
    let status = response.status();
    if !status.is_success() {
        let answer = timeout(NEXT, body(response, MAX_REFUSAL)).await.map_err(late)??;
        return Err(read_refusal(status.as_u16(), &String::from_utf8_lossy(&answer)));
    }
    let mut samples = PcmStream::default();
    let mut pcm = Vec::new();
    while let Some(chunk) =
        timeout(NEXT, response.chunk()).await.map_err(late)?.map_err(unreached)?
    {
        samples.push(&chunk, &mut pcm).map_err(unusable)?;
        sink.push(&mut pcm).await;
    }
    samples.finish(&mut pcm).map_err(unusable)?;
    sink.push(&mut pcm).await;
    Ok(())
}

pub(super) fn unusable(error: UnusableAudio) -> SpeechFailure {
    SpeechFailure { message: error.to_string(), transient: false }
}
