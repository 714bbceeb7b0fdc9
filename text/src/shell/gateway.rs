//! The main gateway: connects, keeps connected, and says so when it cannot.

use std::{fmt, pin::pin, sync::Arc, time::Duration};

use clawvoice_session::{VoiceControl, VoiceGatewayEvent, VoiceStateRequest, access::Policy};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
};
use twilight_gateway::{ConfigBuilder, Intents};

pub use super::rest::CommandScope;
use super::{
    base_url::{api_base, gateway_url},
    rest::{Rest, RestFailure},
    shard::{Connection, Served, Surroundings},
};
use crate::{backoff::Backoff, command::definitions};

/// Who the bot is and where its Discord is.
#[derive(Clone, Debug)]
pub struct GatewaySettings {
    /// The bot token, with or without `Bot ` in front.
    pub token: SecretString,
    /// `http(s)://host[:port][/api/v10]` of something that speaks Discord's API; `None`: Discord.
    pub api_base_url: Option<String>,
    /// The application's id; `None`: asked of Discord.
    pub application_id: Option<u64>,
    /// Whether voice runs: the intent GUILD_VOICE_STATES, and `/vc` among the commands.
    pub voice: bool,
    /// Where slash commands are registered.
    pub commands: CommandScope,
}

/// How the gateway and the rest of the process talk.
pub struct GatewayChannels {
    /// What voice follows, in order. A slow reader slows the gateway down, it loses nothing.
    pub voice_events: mpsc::Sender<VoiceGatewayEvent>,
    /// Voice state changes to ask for, sent in order as op 4.
    pub voice_requests: mpsc::Receiver<VoiceStateRequest>,
    /// What `/vc` steers; `None` answers that voice is not available yet.
    pub voice: Option<Arc<dyn VoiceControl>>,
    /// Who may command the agent where, as it is now.
    pub policy: watch::Receiver<Arc<Policy>>,
}

impl fmt::Debug for GatewayChannels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GatewayChannels").field("voice", &self.voice.is_some()).finish()
    }
}

/// Why the gateway ended for good.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GatewayFailure {
    /// REST answered 401, or the gateway closed with 4004.
    #[error("Discord refused the bot token")]
    TokenRefused,
    /// The gateway closed with a code after which connecting again is pointless (4010-4014).
    #[error("Discord closed the gateway for good: {}", close_in_words(Some(*code)))]
    Closed {
        /// The close code.
        code: u16,
    },
    /// The base URL is not one.
    #[error("{url:?} is not an address of a Discord API")]
    BadBaseUrl {
        /// As configured.
        url: String,
    },
}

impl GatewayFailure {
    /// What the operator can do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::TokenRefused => {
                "copy the token anew from the Bot page of https://discord.com/developers/applications"
            }
            Self::Closed { code: 4014 } => {
                "enable the bot's privileged intents on the Bot page of https://discord.com/developers/applications"
            }
            Self::Closed { code: 4010 | 4011 } => {
                "the bot is in too many guilds for one gateway connection"
            }
            Self::Closed { .. } => "this version may be too old for Discord's gateway",
            Self::BadBaseUrl { .. } => "write it as http://127.0.0.1:8080 or https://host/api/v10",
        }
    }

    /// From the code of a close after which twilight does not reconnect.
    pub(super) fn from_close(code: Option<u16>) -> Self {
        match code {
            Some(4004) => Self::TokenRefused,
            other => Self::Closed { code: other.unwrap_or_default() },
        }
    }
}

/// A close code of the main gateway in words.
/// Source: Discord, "Gateway Close Event Codes".
pub(super) fn close_in_words(code: Option<u16>) -> String {
    let words = match code {
        None => return "the connection broke".to_owned(),
        Some(1000) => "normal closure",
        Some(1001) => "going away",
        Some(1006) => return "the connection broke".to_owned(),
        Some(4000) => "unknown error",
        Some(4001) => "unknown opcode",
        Some(4002) => "a message could not be decoded",
        Some(4003) => "not authenticated",
        Some(4004) => "authentication failed",
        Some(4005) => "already authenticated",
        Some(4007) => "invalid sequence",
        Some(4008) => "rate limited",
        Some(4009) => "session timed out",
        Some(4010) => "invalid shard",
        Some(4011) => "sharding required",
        Some(4012) => "invalid API version",
        Some(4013) => "invalid intents",
        Some(4014) => "disallowed intents",
        Some(_) => "a code unknown to us",
    };
    format!("{words} ({})", code.unwrap_or_default())
}

/// Connects to the main gateway and serves it until `shutdown` completes.
///
/// When nobody answers it tries again, after 1, 2, 4, 8, 16 and then always 30 seconds, and logs
/// what failed and when it tries next. On shutdown it sends the requests that are queued, leaves
/// the voice channels the bot is still in, and closes the websocket with 1000; this takes at most
/// 900 ms.
///
/// # Errors
///
/// When trying again is pointless: [`GatewayFailure`] says why.
pub async fn run(
    settings: GatewaySettings,
    channels: GatewayChannels,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), GatewayFailure> {
    // twilight takes the process's TLS provider; another one that is already installed will do.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let base = match &settings.api_base_url {
        Some(url) => {
            let base = api_base(url).ok_or(GatewayFailure::BadBaseUrl { url: url.clone() })?;
            Some(base)
        }
        None => None,
    };
    let rest = Arc::new(Rest::new(&settings.token, base.as_ref()));
    let around = Surroundings {
        rest: Arc::clone(&rest),
        voice: channels.voice,
        policy: channels.policy,
        events: channels.voice_events,
    };
    let mut requests = channels.voice_requests;
    let mut commands = JoinSet::new();
    let mut connection = Connection::new(config(&settings));
    let mut registered = false;
    let mut backoff = Backoff::default();
    let mut shutdown = pin!(shutdown);
    loop {
        let lost = match prepare(&rest, &settings, &mut registered, &mut shutdown).await? {
            Prepared::Shutdown => break,
            Prepared::Unreachable(reason) => reason,
            Prepared::At(url) => {
                let served =
                    connection.serve(url, &around, &mut requests, &mut commands, &mut shutdown);
                match served.await? {
                    Served::Shutdown => break,
                    Served::Lost(reason) => reason,
                }
            }
        };
        if connection.was_useful() {
            backoff.reset();
        }
        let wait = backoff.next_wait();
        tracing::warn!("Discord gateway: {lost}; next try in {} s", wait.as_secs());
        if !pause(wait, &mut connection, &mut requests, &mut shutdown).await {
            break;
        }
    }
    connection.close(&mut requests, &mut commands).await;
    Ok(())
}

fn config(settings: &GatewaySettings) -> twilight_gateway::Config {
    // Neither is privileged. Interactions and VOICE_SERVER_UPDATE need no intent.
    let mut intents = Intents::GUILDS;
    if settings.voice {
        intents |= Intents::GUILD_VOICE_STATES;
    }
    ConfigBuilder::new(settings.token.expose_secret().to_owned(), intents).build()
}

enum Prepared {
    /// The gateway's address.
    At(String),
    /// Discord cannot be reached, in words.
    Unreachable(String),
    /// Shutdown was asked for.
    Shutdown,
}

/// Registers the commands, once, and asks where the gateway is.
async fn prepare(
    rest: &Rest,
    settings: &GatewaySettings,
    registered: &mut bool,
    shutdown: &mut (impl Future<Output = ()> + Unpin),
) -> Result<Prepared, GatewayFailure> {
    let asked = async {
        let url = rest.gateway_url().await?;
        if !*registered {
            register(rest, settings).await?;
            *registered = true;
        }
        Ok(url)
    };
    let answer = tokio::select! {
        () = shutdown => return Ok(Prepared::Shutdown),
        answer = asked => answer,
    };
    match answer {
        Ok(url) => Ok(match gateway_url(&url) {
            Some(url) => Prepared::At(url),
            None => Prepared::Unreachable(format!(
                "GET /gateway/bot names {:?}, which is not a websocket address",
                url.chars().take(100).collect::<String>()
            )),
        }),
        Err(RestFailure::TokenRefused) => Err(GatewayFailure::TokenRefused),
        Err(failure) => Ok(Prepared::Unreachable(failure.to_string())),
    }
}

/// A refusal to register commands is told and lived with; a passing failure is tried again.
async fn register(rest: &Rest, settings: &GatewaySettings) -> Result<(), RestFailure> {
    if settings.commands == CommandScope::Off {
        return Ok(());
    }
    let application = match settings.application_id {
        Some(id) => id,
        None => rest.application_id().await?,
    };
    match rest.register(application, &settings.commands, &definitions(settings.voice)).await {
        Err(failure @ RestFailure::Refused { .. }) => {
            tracing::warn!("slash commands are not registered: {failure}");
            Ok(())
        }
        result => result,
    }
}

/// Waits; requests that come meanwhile are kept. False: shutdown was asked for.
async fn pause(
    wait: Duration,
    connection: &mut Connection,
    requests: &mut mpsc::Receiver<VoiceStateRequest>,
    shutdown: &mut (impl Future<Output = ()> + Unpin),
) -> bool {
    let mut over = pin!(tokio::time::sleep(wait));
    loop {
        tokio::select! {
            () = &mut *shutdown => return false,
            () = &mut over => return true,
            Some(request) = requests.recv() => connection.hold(request),
        }
    }
}
