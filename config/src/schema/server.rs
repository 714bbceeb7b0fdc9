//! How a realtime provider's server is reached, and how it deviates from its protocol.

use std::time::Duration;

use crate::{check, cursor::Section, error::Problem, field::Field};

/// The header that the key goes into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthHeader {
    /// `Authorization: Bearer <key>`. The default of OpenAI and of compatible servers.
    Authorization,
    /// `api-key: <key>`. Azure's default.
    ApiKey,
    /// `X-API-Key: <key>`.
    XApiKey,
}

/// An OpenAI deployment on Azure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Azure {
    /// `azureEndpoint`: the resource, as in `https://name.openai.azure.com`.
    pub endpoint: String,
    /// `azureDeployment`. Default: the model.
    pub deployment: Option<String>,
    /// `azureApiVersion`: a preview's, which speaks the beta protocol. Default: general
    /// availability.
    pub api_version: Option<String>,
}

/// Who transcribes the speakers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Transcription {
    /// The provider's usual model.
    Default,
    /// This one.
    Model(String),
    /// Nobody: `transcriptionModel: "none"`.
    Off,
}

/// The keys of a provider's block that describe its server.
#[derive(Clone, Debug, PartialEq)]
pub struct Server {
    /// `azureEndpoint`, `azureDeployment`, `azureApiVersion`.
    pub azure: Option<Azure>,
    /// `authHeader`: `Authorization`, `api-key` or `X-API-Key`. Default: by provider.
    pub auth_header: Option<AuthHeader>,
    /// `sessionShape: "beta"`: settings in the flat form of the beta. Default: `"ga"`, or `"beta"`
    /// with an `azureApiVersion`.
    pub flat_session: Option<bool>,
    /// `impliedResponses`: an answer may begin with its first audio. Default: on for providers
    /// other than `openai`.
    pub implied_responses: Option<bool>,
    /// `cumulativeTranscripts`: a speaker's words are sent again, whole, with each word added.
    /// Default off.
    pub cumulative_transcripts: bool,
    /// `supportsCancel`: a running answer can be cancelled. Default on.
    pub can_cancel: bool,
    /// `supportsTruncate`: what was not heard can be taken back. Default on.
    pub can_truncate: bool,
    /// `temperature`, on Azure and Gemini only, 0 to 2.
    pub temperature: Option<f64>,
    /// `transcriptionModel`.
    pub transcription: Transcription,
    /// `sessionLimitMs`: how long the provider keeps a session; it is replaced before that.
    /// Default: by provider. 1 minute to 24 hours.
    pub session_limit: Option<Duration>,
}

/// `is_google`: the block of a provider with Google's protocol.
pub(super) fn read(section: &Section<'_, '_>, is_google: bool) -> Server {
    let azure = azure(section);
    let temperature = section.number("temperature", 0.0, 2.0);
    let takes_temperature = azure.is_some() || is_google;
    if !takes_temperature
        && temperature.is_some()
        && let Some(field) = section.field("temperature")
    {
        field.warn("only Azure and Gemini take a temperature; it is not sent".to_owned());
    }
    Server {
        auth_header: section.choice(
            "authHeader",
            &[
                ("Authorization", AuthHeader::Authorization),
                ("api-key", AuthHeader::ApiKey),
                ("X-API-Key", AuthHeader::XApiKey),
            ],
        ),
        flat_session: section.choice("sessionShape", &[("ga", false), ("beta", true)]),
        implied_responses: section.bool("impliedResponses"),
        cumulative_transcripts: section.bool_or("cumulativeTranscripts", false),
        can_cancel: section.bool_or("supportsCancel", true),
        can_truncate: section.bool_or("supportsTruncate", true),
        temperature: temperature.filter(|_| takes_temperature),
        transcription: match section.text("transcriptionModel") {
            None => Transcription::Default,
            Some(model) if model == "none" => Transcription::Off,
            Some(model) => Transcription::Model(model),
        },
        session_limit: section.millis("sessionLimitMs", 60_000, 86_400_000),
        azure,
    }
}

fn azure(section: &Section<'_, '_>) -> Option<Azure> {
    let endpoint = section.field("azureEndpoint").and_then(|field| endpoint(&field));
    let (deployment, api_version) =
        (section.text("azureDeployment"), section.text("azureApiVersion"));
    if endpoint.is_none() && !section.has("azureEndpoint") {
        for key in ["azureDeployment", "azureApiVersion"] {
            if section.has(key) {
                section.fail_missing("azureEndpoint", "name the resource's address");
                break;
            }
        }
    }
    endpoint.map(|endpoint| Azure { endpoint, deployment, api_version })
}

fn endpoint(field: &Field<'_, '_>) -> Option<String> {
    let text = field.text()?;
    if check::split_url(&text, &["https", "wss"]).is_none() {
        field.fail(
            Problem::Invalid("not an Azure resource's address".to_owned()),
            Some("as in \"https://name.openai.azure.com\"".to_owned()),
        );
        return None;
    }
    Some(text.trim_end_matches('/').to_owned())
}
