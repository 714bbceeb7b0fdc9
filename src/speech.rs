//! Who transcribes and who speaks in mode `stt-tts`: addresses, keys, and what is missing of them.

use std::{process::Stdio, sync::Arc, time::Duration};

use clawvoice_config::{Config, ElevenLabsTts, OpenAiTts, Speech, Synthesizer, Transcriber};
use clawvoice_session::audit::{Credential, Purpose};
use clawvoice_voice::shell::speech::{
    ElevenLabsSettings, EspeakSettings, NoteTranscriber, OpenAiSpeechSettings, SpeechClients,
    SpeechCredentials, SpeechSettings, SynthesizerSettings, TranscriberSettings,
};

use crate::{credentials::Uses, printer::Failure};

const OPENAI_BASE_URL: &str = "https://api.openai.com/v1";
const ELEVENLABS_BASE_URL: &str = "https://api.elevenlabs.io";

/// How long a program on this machine may take to say its version.
const PROBE: Duration = Duration::from_secs(10);

/// The clients of mode `stt-tts`; `None` in every other.
pub(crate) async fn start(
    config: &Config,
    uses: Uses<'_>,
) -> Result<Option<Arc<SpeechClients>>, Failure> {
    let Some(speech) = &config.speech else { return Ok(None) };
    let settings = settings(speech, uses)?;
    if let SynthesizerSettings::Espeak(espeak) = &settings.synthesizer {
        probe(espeak).await?;
    }
    let clients = SpeechClients::of(settings).map_err(Failure::unexpected)?;
    Ok(Some(Arc::new(clients)))
}

/// The clients go by another configuration from their next request on; one that cannot be used
/// changes nothing.
pub(crate) fn reload(clients: &SpeechClients, config: &Config, uses: Uses<'_>) {
    match config.speech.as_ref().map(|speech| settings(speech, uses)) {
        Some(Ok(settings)) => clients.set(settings),
        Some(Err(failure)) => {
            tracing::error!("speech goes on as before: {}", failure.message);
        }
        None => {}
    }
}

fn settings(speech: &Speech, uses: Uses<'_>) -> Result<SpeechSettings, Failure> {
    let transcriber = transcriber(&speech.transcriber)?;
    let synthesizer = synthesizer(&speech.synthesizer)?;
    let credentials = credentials(&transcriber, &synthesizer, uses);
    Ok(SpeechSettings { transcriber, synthesizer, credentials })
}

fn credentials(
    transcriber: &TranscriberSettings,
    synthesizer: &SynthesizerSettings,
    uses: Uses<'_>,
) -> SpeechCredentials {
    let (part, voice) = match synthesizer {
        SynthesizerSettings::OpenAi(settings) => ("tts.openai.", settings.api_key.as_ref()),
        SynthesizerSettings::ElevenLabs(settings) => ("tts.elevenlabs.", Some(&settings.api_key)),
        SynthesizerSettings::Espeak(_) => ("tts.", None),
    };
    let ear = transcriber.api_key.as_ref();
    SpeechCredentials {
        transcriber: uses.declare("tools.media.audio", ear, Purpose::Transcription),
        synthesizer: uses.declare(part, voice, Purpose::Speech),
    }
}

/// The transcriber of voice notes in text. One that cannot be used is no reason not to start: notes
/// are then files like any other.
pub(crate) fn notes(config: &Config, uses: Uses<'_>) -> Option<Arc<NoteTranscriber>> {
    let made = ear_of_notes(config, uses)?.and_then(|(settings, credential)| {
        NoteTranscriber::new(settings, credential).map(Arc::new).map_err(Failure::unexpected)
    });
    made.inspect_err(|failure| {
        tracing::warn!("voice notes are not understood: {}", failure.message);
    })
    .ok()
}

/// The transcriber of voice notes goes by another configuration from its next request on; one that
/// cannot be used changes nothing.
pub(crate) fn reload_notes(notes: &NoteTranscriber, config: &Config, uses: Uses<'_>) {
    match ear_of_notes(config, uses) {
        Some(Ok((settings, credential))) => notes.set(settings, credential),
        Some(Err(failure)) => {
            tracing::error!("voice notes are transcribed as before: {}", failure.message);
        }
        None => {}
    }
}

fn ear_of_notes(
    config: &Config,
    uses: Uses<'_>,
) -> Option<Result<(TranscriberSettings, Option<Credential>), Failure>> {
    let settings = transcriber(config.voice_notes.as_ref()?);
    Some(settings.map(|settings| {
        let key = settings.api_key.as_ref();
        let credential = uses.declare("tools.media.audio", key, Purpose::Transcription);
        (settings, credential)
    }))
}

fn transcriber(wanted: &Transcriber) -> Result<TranscriberSettings, Failure> {
    let base_url = match &wanted.base_url {
        Some(url) => url.clone(),
        None if wanted.provider == "openai" => {
            if wanted.api_key.is_none() {
                return Err(Failure::user(
                    "no key for the transcriber: OPENAI_API_KEY is not set, and \
                     tools.media.audio has no apiKey",
                )
                .hint("set one of them, or tools.media.audio.baseUrl to a server without a key"));
            }
            OPENAI_BASE_URL.to_owned()
        }
        None => {
            return Err(Failure::user(format_args!(
                "tools.media.audio names the provider {:?}, of which no address is known",
                wanted.provider
            ))
            .hint("add the baseUrl of a server with OpenAI's /audio/transcriptions"));
        }
    };
    Ok(TranscriberSettings {
        base_url,
        model: wanted.model.clone(),
        api_key: wanted.api_key.clone(),
        language: wanted.language.clone(),
        prompt: wanted.prompt.clone(),
    })
}

fn synthesizer(wanted: &Synthesizer) -> Result<SynthesizerSettings, Failure> {
    Ok(match wanted {
        Synthesizer::OpenAi(wanted) => SynthesizerSettings::OpenAi(open_ai(wanted)?),
        Synthesizer::ElevenLabs(wanted) => SynthesizerSettings::ElevenLabs(eleven_labs(wanted)?),
        Synthesizer::Espeak(wanted) => SynthesizerSettings::Espeak(EspeakSettings {
            voice: wanted.voice.clone(),
            words_per_minute: wanted.words_per_minute,
            ..EspeakSettings::default()
        }),
        Synthesizer::Unknown(name) => {
            return Err(Failure::user(format_args!(
                "tts.provider {name:?} is none of openai, elevenlabs, espeak-ng"
            ))
            .hint("set provider in channels.discord.voice.tts or in messages.tts"));
        }
    })
}

fn open_ai(wanted: &OpenAiTts) -> Result<OpenAiSpeechSettings, Failure> {
    if wanted.base_url.is_none() && wanted.api_key.is_none() {
        return Err(Failure::user(
            "no key for the voice: OPENAI_API_KEY is not set, and neither \
             channels.discord.voice.tts nor messages.tts has openai.apiKey",
        )
        .hint("set one of them, or provider: \"espeak-ng\" for a voice without a key"));
    }
    Ok(OpenAiSpeechSettings {
        base_url: wanted.base_url.clone().unwrap_or_else(|| OPENAI_BASE_URL.to_owned()),
        model: wanted.model.clone(),
        voice: wanted.voice.clone(),
        instructions: wanted.instructions.clone(),
        speed: wanted.speed,
        api_key: wanted.api_key.clone(),
    })
}

fn eleven_labs(wanted: &ElevenLabsTts) -> Result<ElevenLabsSettings, Failure> {
    let places = "neither channels.discord.voice.tts nor messages.tts";
    let Some(api_key) = wanted.api_key.clone() else {
        return Err(Failure::user(format_args!(
            "no key for the voice: ELEVENLABS_API_KEY is not set, and {places} has \
             elevenlabs.apiKey"
        ))
        .hint("set one of them"));
    };
    let Some(voice_id) = wanted.voice_id.clone() else {
        return Err(Failure::user(format_args!("no voice: {places} has elevenlabs.voiceId"))
            .hint("copy the id of a voice from your ElevenLabs account"));
    };
    let plain = voice_id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    if !plain {
        return Err(Failure::user(format_args!("elevenlabs.voiceId {voice_id:?} is no id"))
            .hint("letters and digits, as in your ElevenLabs account"));
    }
    Ok(ElevenLabsSettings {
        base_url: wanted.base_url.clone().unwrap_or_else(|| ELEVENLABS_BASE_URL.to_owned()),
        model_id: wanted.model_id.clone(),
        voice_id,
        api_key,
        voice_settings: wanted.voice_settings.clone(),
    })
}

/// Whether the program is there.
async fn probe(espeak: &EspeakSettings) -> Result<(), Failure> {
    let program = espeak.program.display();
    let run = tokio::process::Command::new(&espeak.program)
        .arg("--version")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .status();
    let is_there = tokio::time::timeout(PROBE, run).await;
    if matches!(is_there, Ok(Ok(status)) if status.success()) {
        return Ok(());
    }
    Err(Failure::user(format_args!("tts.provider is espeak-ng, and {program} does not run here"))
        .hint("install it, as in: apt-get install espeak-ng"))
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, path::Path};

    use super::*;

    fn config(rest: &str, variables: &[(&str, &str)]) -> Config {
        let text = format!(
            "{{ channels: {{ discord: {{ token: 'a.b.c', voice: {{ mode: 'stt-tts' }} }} }}, {rest} }}"
        );
        let env: BTreeMap<String, String> =
            variables.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        clawvoice_config::parse(&text, Path::new("/etc/claw.json5"), &env)
            .unwrap_or_else(|errors| panic!("{errors}"))
    }

    async fn begin(config: &Config) -> Result<Option<Arc<SpeechClients>>, Failure> {
        start(config, Uses::untold(config)).await
    }

    async fn complaint(rest: &str, variables: &[(&str, &str)]) -> String {
        begin(&config(rest, variables)).await.unwrap_err().message
    }

    #[tokio::test]
    async fn a_missing_key_is_named_with_the_places_it_was_looked_for() {
        assert_eq!(
            complaint("", &[]).await,
            "no key for the transcriber: OPENAI_API_KEY is not set, and tools.media.audio has no \
             apiKey"
        );
        let local = "tools: { media: { audio: { baseUrl: 'http://127.0.0.1:9/v1' } } }";
        assert_eq!(
            complaint(local, &[]).await,
            "no key for the voice: OPENAI_API_KEY is not set, and neither \
             channels.discord.voice.tts nor messages.tts has openai.apiKey"
        );
        let eleven = format!("{local}, messages: {{ tts: {{ provider: 'elevenlabs' }} }}");
        assert_eq!(
            complaint(&eleven, &[]).await,
            "no key for the voice: ELEVENLABS_API_KEY is not set, and neither \
             channels.discord.voice.tts nor messages.tts has elevenlabs.apiKey"
        );
        assert_eq!(
            complaint(&eleven, &[("ELEVENLABS_API_KEY", "x")]).await,
            "no voice: neither channels.discord.voice.tts nor messages.tts has elevenlabs.voiceId"
        );
        let other = "tools: { media: { audio: { models: ['groq/whisper'] } } }";
        assert!(complaint(other, &[]).await.contains("\"groq\", of which no address is known"));
        let unknown = format!("{local}, messages: {{ tts: {{ provider: 'microsoft' }} }}");
        assert!(complaint(&unknown, &[]).await.contains("\"microsoft\" is none of openai"));
    }

    #[test]
    fn notes_without_a_key_are_no_reason_not_to_start() {
        let none = config("", &[]);
        assert!(notes(&none, Uses::untold(&none)).is_none());
        let local = "tools: { media: { audio: { baseUrl: 'http://127.0.0.1:9/v1' } } }";
        let local = config(local, &[]);
        assert!(notes(&local, Uses::untold(&local)).is_some());
    }

    #[tokio::test]
    async fn servers_on_this_machine_need_no_key_and_other_modes_nothing() {
        let local = "tools: { media: { audio: { baseUrl: 'http://127.0.0.1:9/v1' } } }, \
                     messages: { tts: { openai: { baseUrl: 'http://127.0.0.1:9/v1' } } }";
        assert!(begin(&config(local, &[])).await.unwrap().is_some());
        let env: BTreeMap<String, String> = BTreeMap::new();
        let text = "{ channels: { discord: { token: 'a.b.c', voice: {} } } }";
        let bidi = clawvoice_config::parse(text, Path::new("/c"), &env).unwrap();
        assert!(begin(&bidi).await.unwrap().is_none());
    }
}
