//! `POST /audio/transcriptions`, as OpenAI defined it and many others serve it.

use std::time::Duration;

use bytes::Bytes;
use clawvoice_session::audit::Credential;
use reqwest::{
    header::CONTENT_TYPE,
    multipart::{Form, Part},
};
use secrecy::{ExposeSecret as _, SecretString};

use super::{body, told, unreached};
use crate::batch::{
    SpeechFailure,
    transcript::{read_refusal, read_transcript},
};

/// From sending a segment to its words. A local model on a slow machine takes as long as the
/// speech did.
const TIMEOUT: Duration = Duration::from_secs(120);

/// The largest answer that is read.
const MAX_ANSWER: usize = 1_024 * 1_024;

/// Where speech is transcribed.
#[derive(Clone, Debug)]
pub struct TranscriberSettings {
    /// Without a slash at its end, as in `https://api.openai.com/v1`.
    pub base_url: String,
    /// The model's id.
    pub model: String,
    /// Sent as a bearer token; servers on this machine often need none.
    pub api_key: Option<SecretString>,
    /// The language of all speakers, as in `en`; `None`: the model finds out.
    pub language: Option<String>,
    /// Words that the model should know: names, terms.
    pub prompt: Option<String>,
}

pub(super) async fn transcribe(
    http: &reqwest::Client,
    settings: &TranscriberSettings,
    credential: Option<&Credential>,
    name: &str,
    audio: Bytes,
) -> Result<String, SpeechFailure> {
    let length = audio.len() as u64;
    let file = Part::stream_with_length(reqwest::Body::from(audio), length)
        // Servers go by the name's end.
        .file_name(name.to_owned())
        .mime_str(if name.ends_with(".wav") { "audio/wav" } else { "application/octet-stream" })
        .map_err(unreached)?;
    let mut form = Form::new()
        .text("model", settings.model.clone())
        .text("response_format", "json")
        .part("file", file);
    if let Some(language) = &settings.language {
        form = form.text("language", language.clone());
    }
    if let Some(prompt) = &settings.prompt {
        form = form.text("prompt", prompt.clone());
    }
    let url = format!("{}/audio/transcriptions", settings.base_url);
    let mut request = http.post(url).multipart(form).timeout(TIMEOUT);
    if let Some(key) = &settings.api_key {
        request = request.bearer_auth(key.expose_secret());
    }
    let response = told(credential, request.send().await).map_err(unreached)?;
    let status = response.status();
    let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let kind = kind.unwrap_or_default().to_owned();
    let answer = body(response, MAX_ANSWER).await?;
    let text = String::from_utf8_lossy(&answer);
    if status.is_success() {
        read_transcript(&kind, &text)
    } else {
        Err(read_refusal(status.as_u16(), &text))
    }
}
