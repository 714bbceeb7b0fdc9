//! The realtime provider that the configuration selects: its address and its key.

mod server;

use std::time::Duration;

use clawvoice_config::{
    Config, LocalBehaviour as Configured, SelectedProvider, Transcription, VoiceMode,
};
use clawvoice_session::audit::Purpose;
use clawvoice_voice::{
    realtime::Profile,
    shell::{
        local_provider::{LocalBehaviour, LocalProvider, LocalProviderSettings},
        session::ProviderEndpoint,
    },
};

use crate::{credentials::Uses, printer::Failure};

/// The model asked for when the configuration names none.
const DEFAULT_MODEL: &str = "gpt-realtime-2.1";

/// The model that transcribes speakers when the configuration names none.
const DEFAULT_TRANSCRIPTION_MODEL: &str = "gpt-4o-mini-transcribe";

/// A provider that sessions can connect to.
pub(crate) struct RunningProvider {
    /// Its id in the configuration.
    pub(crate) id: String,
    /// The model it is asked for.
    pub(crate) model: String,
    /// The voice it is asked for; empty is its own choice.
    pub(crate) voice: String,
    /// Who transcribes the speakers; `None`: nobody.
    pub(crate) transcription_model: Option<String>,
    /// Where it is.
    pub(crate) endpoint: ProviderEndpoint,
    /// Its protocol.
    pub(crate) profile: Profile,
    /// How long it keeps a session.
    pub(crate) session_limit: Duration,
    /// The server behind it, if it runs in this process.
    pub(crate) local: Option<LocalProvider>,
}

/// Starts or finds the selected provider; `None` if the configuration has no voice, or a mode
/// without a realtime provider.
pub(crate) async fn start(
    config: &Config,
    uses: Uses<'_>,
) -> Result<Option<RunningProvider>, Failure> {
    let voice = &config.discord.voice;
    if !voice.enabled {
        return Ok(None);
    }
    if voice.mode == VoiceMode::SttTts {
        return Ok(None);
    }
    let Some(selected) = &voice.realtime.selected else {
        return Err(Failure::user("channels.discord.voice.realtime: no provider can be used")
            .hint("set OPENAI_API_KEY, or provider: \"local\" for an echo test without a key"));
    };
    let (remote, local) = match &selected.settings.local {
        Some(_) => {
            let local = start_local(selected).await?;
            (server::local(selected, &local), Some(local))
        }
        None => (remote(selected, uses)?, None),
    };
    Ok(Some(RunningProvider {
        id: selected.id.clone(),
        model: remote.model,
        voice: selected.settings.voice.clone().unwrap_or_default(),
        transcription_model: match &selected.settings.server.transcription {
            Transcription::Default => Some(DEFAULT_TRANSCRIPTION_MODEL.to_owned()),
            Transcription::Model(model) => Some(model.clone()),
            Transcription::Off => None,
        },
        endpoint: remote.endpoint,
        profile: remote.profile,
        session_limit: remote.session_limit,
        local,
    }))
}

/// The next connection shows the key that the configuration has now. A server elsewhere, or another
/// model, is for the next start.
pub(crate) fn renew(endpoint: &mut ProviderEndpoint, config: &Config, uses: Uses<'_>) {
    let Some(selected) = &config.discord.voice.realtime.selected else { return };
    if selected.settings.local.is_none()
        && let Ok(remote) = remote(selected, uses)
        && remote.endpoint.url == endpoint.url
    {
        *endpoint = remote.endpoint;
    }
}

/// A server somewhere else.
fn remote(selected: &SelectedProvider, uses: Uses<'_>) -> Result<server::Remote, Failure> {
    let mut remote = server::remote(selected)?;
    let part = format!("voice.realtime.providers.{}.", selected.id);
    let key = selected.settings.api_key.as_ref();
    remote.endpoint.credential = uses.declare(&part, key, Purpose::Realtime);
    Ok(remote)
}

async fn start_local(selected: &SelectedProvider) -> Result<LocalProvider, Failure> {
    let mut settings = LocalProviderSettings::default();
    if let Some(local) = &selected.settings.local {
        settings.behaviour = match &local.behaviour {
            Configured::Parrot => LocalBehaviour::Parrot,
            Configured::Script(path) => LocalBehaviour::Script(path.clone()),
        };
        settings.speed = local.speed;
        settings.record_dir = local.record_dir.clone();
    }
    LocalProvider::start(settings).await.map_err(|error| {
        Failure::user(format_args!("the local realtime provider cannot start: {error}"))
            .hint("see channels.discord.voice.realtime.providers.local")
    })
}

/// The mode's configuration word.
pub(crate) fn mode_word(mode: VoiceMode) -> &'static str {
    match mode {
        VoiceMode::AgentProxy => "agent-proxy",
        VoiceMode::Bidi => "bidi",
        VoiceMode::SttTts => "stt-tts",
    }
}
