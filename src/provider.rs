//! The realtime provider that the configuration selects: its address and its key.

use clawvoice_config::{Config, LocalBehaviour as Configured, SelectedProvider, VoiceMode};
use clawvoice_voice::shell::{
    local_provider::{LocalBehaviour, LocalProvider, LocalProviderSettings},
    session::ProviderEndpoint,
};
use secrecy::{ExposeSecret as _, SecretString};

use crate::printer::Failure;

/// OpenAI's endpoint; any other server with the same protocol is named by `baseUrl`.
const OPENAI_BASE_URL: &str = "wss://api.openai.com/v1";

/// The model asked for when the configuration names none.
const DEFAULT_MODEL: &str = "gpt-realtime-2.1";

/// A provider that sessions can connect to.
pub(crate) struct RunningProvider {
    /// Its id in the configuration.
    pub(crate) id: String,
    /// The model it is asked for.
    pub(crate) model: String,
    /// The voice it is asked for; empty is its own choice.
    pub(crate) voice: String,
    /// Where it is.
    pub(crate) endpoint: ProviderEndpoint,
    /// The server behind it, if it runs in this process.
    pub(crate) local: Option<LocalProvider>,
}

/// Starts or finds the selected provider; `None` if the configuration has no voice, or a mode
/// without a realtime provider.
pub(crate) async fn start(config: &Config) -> Result<Option<RunningProvider>, Failure> {
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
    let model = selected.settings.model.clone().unwrap_or_else(|| DEFAULT_MODEL.to_owned());
    let (base_url, key, local) = match &selected.settings.local {
        Some(_) => {
            let local = start_local(selected).await?;
            let key = local.api_key().clone();
            (local.url().trim_end_matches("/realtime").to_owned(), Some(key), Some(local))
        }
        None => {
            let url = selected.settings.base_url.clone();
            let url = url.unwrap_or_else(|| OPENAI_BASE_URL.to_owned());
            (url, selected.settings.api_key.clone(), None)
        }
    };
    Ok(Some(RunningProvider {
        id: selected.id.clone(),
        voice: selected.settings.voice.clone().unwrap_or_default(),
        endpoint: endpoint(&base_url, &model, key.as_ref()),
        model,
        local,
    }))
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

/// `<base>/realtime?model=<model>`, with http(s) taken for ws(s).
fn endpoint(base_url: &str, model: &str, key: Option<&SecretString>) -> ProviderEndpoint {
    let base = match base_url.split_once("://") {
        Some(("https", rest)) => format!("wss://{rest}"),
        Some(("http", rest)) => format!("ws://{rest}"),
        _ => base_url.to_owned(),
    };
    let bearer = key.map(|key| format!("Bearer {}", key.expose_secret()).into());
    ProviderEndpoint {
        url: format!("{base}/realtime?model={}", percent_encode(model)),
        headers: bearer.map(|value| ("Authorization".to_owned(), value)).into_iter().collect(),
    }
}

/// Model ids are plain; what could end the query early or break the address is escaped.
fn percent_encode(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                encoded.push(char::from(byte));
            }
            other => encoded.push_str(&format!("%{other:02X}")),
        }
    }
    encoded
}

/// The mode's configuration word.
pub(crate) fn mode_word(mode: VoiceMode) -> &'static str {
    match mode {
        VoiceMode::AgentProxy => "agent-proxy",
        VoiceMode::Bidi => "bidi",
        VoiceMode::SttTts => "stt-tts",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_url_becomes_a_websocket_address() {
        for (base, url) in [
            ("https://host/v1", "wss://host/v1/realtime?model=m"),
            ("http://127.0.0.1:8765/v1", "ws://127.0.0.1:8765/v1/realtime?model=m"),
            ("ws://host", "ws://host/realtime?model=m"),
        ] {
            assert_eq!(endpoint(base, "m", None).url, url);
        }
        let spaced = endpoint("ws://h", "a b&c", None).url;
        assert_eq!(spaced, "ws://h/realtime?model=a%20b%26c");
    }

    #[test]
    fn the_key_is_sent_and_not_printed() {
        let endpoint = endpoint("wss://h/v1", "m", Some(&"sk-1".to_owned().into()));
        assert_eq!(endpoint.headers[0].1.expose_secret(), "Bearer sk-1");
        assert!(!format!("{endpoint:?}").contains("sk-1"));
    }
}
