//! Where a provider's server is, how it is spoken to, and how long it keeps a session.

use std::time::Duration;

use clawvoice_config::{AuthHeader, Azure, Provider, SelectedProvider};
use clawvoice_voice::{
    realtime::{Profile, gemini, openai},
    shell::{local_provider::LocalProvider, session::ProviderEndpoint},
};
use secrecy::{ExposeSecret as _, SecretString};

use super::DEFAULT_MODEL;
use crate::printer::Failure;

/// The provider whose endpoint is known; any other server with its protocol is named by `baseUrl`.
const OPENAI: &str = "openai";

/// OpenAI's endpoint.
const OPENAI_BASE_URL: &str = "wss://api.openai.com/v1";

/// How long OpenAI keeps a session.
const OPENAI_SESSION_LIMIT: Duration = Duration::from_secs(60 * 60);

/// Ids of Google's provider.
const GEMINI: [&str; 2] = ["gemini", "google"];

/// Google's endpoint.
const GEMINI_BASE_URL: &str = "wss://generativelanguage.googleapis.com";

/// The path of its Live interface; a base URL with a path of its own (Vertex AI) is taken as it is.
const GEMINI_PATH: &str =
    "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent";

/// How long Google keeps a connection; it says goodbye about a minute before.
const GEMINI_SESSION_LIMIT: Duration = Duration::from_secs(10 * 60);

/// What is needed to connect to a server and to be understood there.
#[derive(Debug)]
pub(super) struct Remote {
    pub(super) model: String,
    pub(super) endpoint: ProviderEndpoint,
    pub(super) profile: Profile,
    pub(super) session_limit: Duration,
}

/// The server that runs in this process.
pub(super) fn local(selected: &SelectedProvider, local: &LocalProvider) -> Remote {
    let settings = &selected.settings;
    let model = settings.model.clone().unwrap_or_else(|| DEFAULT_MODEL.to_owned());
    let base = local.url().trim_end_matches("/realtime");
    Remote {
        endpoint: ProviderEndpoint {
            url: realtime_url(base, &model),
            headers: auth(AuthHeader::Authorization, Some(local.api_key())),
            credential: None,
        },
        model,
        profile: Profile::OpenAi(openai::Profile::default()),
        session_limit: settings.server.session_limit.unwrap_or(OPENAI_SESSION_LIMIT),
    }
}

/// A server somewhere else.
pub(super) fn remote(selected: &SelectedProvider) -> Result<Remote, Failure> {
    let (id, settings) = (selected.id.as_str(), &selected.settings);
    let session_limit = settings.server.session_limit.unwrap_or(OPENAI_SESSION_LIMIT);
    if GEMINI.contains(&id) {
        return at_google(id, settings);
    }
    if let Some(azure) = &settings.server.azure {
        let model = settings.model.clone().or_else(|| azure.deployment.clone());
        let model = model.unwrap_or_else(|| DEFAULT_MODEL.to_owned());
        return Ok(Remote {
            endpoint: on_azure(azure, settings, &model),
            profile: openai_profile(id, settings, azure.api_version.is_some(), false),
            model,
            session_limit,
        });
    }
    let base_url = match &settings.base_url {
        Some(url) => url.clone(),
        None if id == OPENAI => OPENAI_BASE_URL.to_owned(),
        None => {
            let block = format!("channels.discord.voice.realtime.providers.{id}");
            return Err(Failure::user(format_args!("{block}.baseUrl: the key is missing"))
                .hint("name the server, as in \"ws://127.0.0.1:8765/v1\""));
        }
    };
    let model = settings.model.clone().unwrap_or_else(|| DEFAULT_MODEL.to_owned());
    let header = settings.server.auth_header.unwrap_or(AuthHeader::Authorization);
    Ok(Remote {
        endpoint: ProviderEndpoint {
            url: realtime_url(&base_url, &model),
            headers: auth(header, settings.api_key.as_ref()),
            credential: None,
        },
        profile: openai_profile(id, settings, false, id != OPENAI),
        model,
        session_limit,
    })
}

/// There is no model that suits everybody, so one must be named. The key goes into a header, not
/// into the address, which is logged in places.
fn at_google(id: &str, settings: &Provider) -> Result<Remote, Failure> {
    let block = format!("channels.discord.voice.realtime.providers.{id}");
    let Some(model) = settings.model.clone() else {
        return Err(Failure::user(format_args!("{block}.model: the key is missing"))
            .hint("name a model of the Live API"));
    };
    let base = websocket(settings.base_url.as_deref().unwrap_or(GEMINI_BASE_URL));
    let url = match base.contains("/ws/") {
        true => base,
        false => format!("{base}{GEMINI_PATH}"),
    };
    let headers = match (settings.server.auth_header, &settings.api_key) {
        (Some(header), key) => auth(header, key.as_ref()),
        (None, Some(key)) => vec![("x-goog-api-key".to_owned(), key.clone())],
        (None, None) => Vec::new(),
    };
    Ok(Remote {
        model,
        endpoint: ProviderEndpoint { url, headers, credential: None },
        profile: Profile::Gemini(gemini::Profile { temperature: settings.server.temperature }),
        session_limit: settings.server.session_limit.unwrap_or(GEMINI_SESSION_LIMIT),
    })
}

fn openai_profile(id: &str, settings: &Provider, is_preview: bool, is_other: bool) -> Profile {
    let server = &settings.server;
    tracing::debug!(provider = id, preview = is_preview, "an OpenAI-compatible provider");
    Profile::OpenAi(openai::Profile {
        flat_session: server.flat_session.unwrap_or(is_preview),
        implied_responses: server.implied_responses.unwrap_or(is_other),
        can_cancel: server.can_cancel,
        can_truncate: server.can_truncate,
        temperature: server.temperature,
        reasoning_effort: settings.reasoning_effort.clone(),
        cumulative_transcripts: server.cumulative_transcripts,
    })
}

/// General availability has OpenAI's own paths, with the deployment as the model; a preview has its
/// version in the query (Microsoft, "Use the GPT Realtime API via WebSockets").
fn on_azure(azure: &Azure, settings: &Provider, model: &str) -> ProviderEndpoint {
    let base = websocket(&azure.endpoint);
    let deployment = percent_encode(azure.deployment.as_deref().unwrap_or(model));
    let url = match &azure.api_version {
        Some(version) => {
            let version = percent_encode(version);
            format!("{base}/openai/realtime?api-version={version}&deployment={deployment}")
        }
        None => format!("{base}/openai/v1/realtime?model={deployment}"),
    };
    let header = settings.server.auth_header.unwrap_or(AuthHeader::ApiKey);
    let headers = auth(header, settings.api_key.as_ref());
    ProviderEndpoint { url, headers, credential: None }
}

/// `<base>/realtime?model=<model>`.
fn realtime_url(base_url: &str, model: &str) -> String {
    format!("{}/realtime?model={}", websocket(base_url), percent_encode(model))
}

/// http(s) is taken for ws(s).
fn websocket(url: &str) -> String {
    match url.split_once("://") {
        Some(("https", rest)) => format!("wss://{rest}"),
        Some(("http", rest)) => format!("ws://{rest}"),
        _ => url.to_owned(),
    }
}

fn auth(header: AuthHeader, key: Option<&SecretString>) -> Vec<(String, SecretString)> {
    let Some(key) = key else { return Vec::new() };
    let (name, value) = match header {
        AuthHeader::Authorization => {
            ("Authorization", format!("Bearer {}", key.expose_secret()).into())
        }
        AuthHeader::ApiKey => ("api-key", key.clone()),
        AuthHeader::XApiKey => ("X-API-Key", key.clone()),
    };
    vec![(name.to_owned(), value)]
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

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, path::Path};

    use super::*;

    fn selected(realtime: &str) -> SelectedProvider {
        let text = format!(
            "{{ channels: {{ discord: {{ token: 'a.b.c', voice: {{ realtime: {{ {realtime} }} }} \
             }} }} }}"
        );
        let env: BTreeMap<String, String> = BTreeMap::new();
        let config = clawvoice_config::parse(&text, Path::new("/etc/claw.json5"), &env);
        let config = config.unwrap_or_else(|errors| panic!("{errors}"));
        config.discord.voice.realtime.selected.expect("a provider is selected")
    }

    fn found(realtime: &str) -> Remote {
        remote(&selected(realtime)).unwrap_or_else(|_| panic!("{realtime} names no server"))
    }

    fn header(remote: &Remote) -> Vec<(&str, &str)> {
        let headers = remote.endpoint.headers.iter();
        headers.map(|(name, value)| (name.as_str(), value.expose_secret())).collect()
    }

    fn profile(remote: &Remote) -> &openai::Profile {
        match &remote.profile {
            Profile::OpenAi(profile) => profile,
            other => panic!("not OpenAI's protocol: {other:?}"),
        }
    }

    #[test]
    fn a_base_url_becomes_a_websocket_address() {
        for (base, url) in [
            ("https://host/v1", "wss://host/v1/realtime?model=m"),
            ("http://127.0.0.1:8765/v1", "ws://127.0.0.1:8765/v1/realtime?model=m"),
            ("ws://host", "ws://host/realtime?model=m"),
        ] {
            assert_eq!(realtime_url(base, "m"), url);
        }
        assert_eq!(realtime_url("ws://h", "a b&c"), "ws://h/realtime?model=a%20b%26c");
    }

    #[test]
    fn openai_needs_a_key_only_and_prints_none() {
        let openai = found("provider: 'openai', providers: { openai: { apiKey: 'sk-1' } }");
        assert_eq!(openai.endpoint.url, "wss://api.openai.com/v1/realtime?model=gpt-realtime-2.1");
        assert_eq!(header(&openai), [("Authorization", "Bearer sk-1")]);
        assert_eq!(*profile(&openai), openai::Profile::default());
        assert!(!format!("{openai:?}").contains("sk-1"));
    }

    #[test]
    fn a_compatible_server_is_named_by_its_address_and_never_gets_a_key_meant_for_it_elsewhere() {
        let xai = found(
            "provider: 'xai', providers: { xai: { apiKey: 'k', baseUrl: 'wss://api.x.ai/v1', \
             model: 'grok', cumulativeTranscripts: true, authHeader: 'X-API-Key' } }",
        );
        assert_eq!(xai.endpoint.url, "wss://api.x.ai/v1/realtime?model=grok");
        assert_eq!(header(&xai), [("X-API-Key", "k")]);
        assert!(profile(&xai).cumulative_transcripts && profile(&xai).implied_responses);
        let nowhere = selected("provider: 'xai', providers: { xai: { apiKey: 'k' } }");
        assert!(remote(&nowhere).is_err());
    }

    #[test]
    fn google_has_its_own_protocol_and_the_key_is_not_in_the_address() {
        let gemini =
            found("provider: 'gemini', providers: { gemini: { apiKey: 'k', model: 'live' } }");
        assert_eq!(
            gemini.endpoint.url,
            "wss://generativelanguage.googleapis.com/ws/google.ai.generativelanguage.v1beta.\
             GenerativeService.BidiGenerateContent"
        );
        assert_eq!(header(&gemini), [("x-goog-api-key", "k")]);
        assert_eq!(gemini.session_limit, Duration::from_secs(600));
        assert!(matches!(gemini.profile, Profile::Gemini(_)));
        let vertex = found(
            "provider: 'google', providers: { google: { apiKey: 't', model: 'projects/p/m', \
             baseUrl: 'https://host/ws/google.cloud.aiplatform.v1.LlmBidiService/\
             BidiGenerateContent', authHeader: 'Authorization' } }",
        );
        assert_eq!(
            vertex.endpoint.url,
            "wss://host/ws/google.cloud.aiplatform.v1.LlmBidiService/BidiGenerateContent"
        );
        assert_eq!(header(&vertex), [("Authorization", "Bearer t")]);
        assert!(remote(&selected("provider: 'gemini'")).is_err(), "a model is needed");
    }

    #[test]
    fn azure_has_an_address_of_its_own_and_a_preview_speaks_the_beta() {
        let azure = "provider: 'openai', providers: { openai: { apiKey: 'k', azureEndpoint: \
                     'https://me.openai.azure.com', azureDeployment: 'rt'";
        let current = found(&format!("{azure} }} }}"));
        assert_eq!(current.endpoint.url, "wss://me.openai.azure.com/openai/v1/realtime?model=rt");
        assert_eq!(header(&current), [("api-key", "k")]);
        assert!(!profile(&current).flat_session);
        let preview = found(&format!(
            "{azure}, azureApiVersion: '2024-10-01-preview', temperature: 0.8, \
             authHeader: 'Authorization' }} }}"
        ));
        assert_eq!(
            preview.endpoint.url,
            "wss://me.openai.azure.com/openai/realtime?api-version=2024-10-01-preview&deployment=rt"
        );
        assert_eq!(header(&preview), [("Authorization", "Bearer k")]);
        assert!(profile(&preview).flat_session);
        assert_eq!(profile(&preview).temperature, Some(0.8));
    }
}
