//! The REST calls that are made. twilight-http writes and reads them; the queue in front of
//! Discord, and what is asked again, are ours (`crate::requests`), because twilight's own waits
//! cannot be counted, ordered or bounded.
//!
//! Source: Discord, "Rate Limits", "Application Commands", "Receiving and Responding".

use std::fmt::Write as _;

use bytes::Bytes;
use clawvoice_session::{ChannelId, GuildId};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use twilight_http::{
    Client, Error,
    api_error::ApiError,
    error::ErrorType,
    request::{Method, Request, RequestBuilder, TryIntoRequest},
    routing::Route,
};
use twilight_model::{
    application::command::Command,
    channel::message::{AllowedMentions, MessageFlags},
    http::interaction::{InteractionResponse, InteractionResponseData, InteractionResponseType},
    id::{
        Id,
        marker::{ApplicationMarker, GuildMarker},
    },
};

use super::{
    base_url::ApiBase,
    command_form::{command, same},
    http::{Prepared, Transport},
    queue::Queue,
};
pub use crate::requests::{refusals::RefusalCounts, settings::RestSettings};
use crate::{
    command::Definition,
    requests::{nonce, retry::Next, route},
};

/// Longest message content Discord takes, in characters.
const MAX_CONTENT: usize = 2000;

/// Why a REST call failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum RestFailure {
    /// 401: the token is not one, or is no longer valid.
    #[error("Discord refused the bot token")]
    TokenRefused,
    /// Discord understood and refused (4xx).
    #[error("Discord refused {what} with status {status}: {message}")]
    Refused {
        /// What was asked.
        what: &'static str,
        /// The HTTP status.
        status: u16,
        /// Discord's JSON error code; 0: none.
        code: u64,
        /// Discord's words.
        message: String,
    },
    /// Too many calls wait already.
    #[error("{what} is not asked: too many requests wait already")]
    QueueFull {
        /// What was to be asked.
        what: &'static str,
    },
    /// No answer, no connection, or a server error (5xx).
    #[error("{what} failed: {reason}")]
    Unreachable {
        /// What was asked.
        what: &'static str,
        /// In words.
        reason: String,
    },
}

impl RestFailure {
    /// A call that twilight could not even write.
    fn unwritten(what: &'static str, error: &Error) -> Self {
        match error.kind() {
            // A token with a line break or the like cannot be sent; Discord would refuse it too.
            ErrorType::CreatingHeader { .. } => Self::TokenRefused,
            _ => Self::Refused { what, status: 0, code: 0, message: in_words(error) },
        }
    }

    /// An answer that is no success.
    fn answered(what: &'static str, status: u16, body: &[u8]) -> Self {
        match status {
            401 => Self::TokenRefused,
            400..500 if status != 408 && status != 429 => {
                let (code, message) = match serde_json::from_slice::<ApiError>(body) {
                    Ok(ApiError::General(error)) => (error.code, error.message),
                    Ok(error) => (0, error.to_string()),
                    Err(_) => (0, "no reason was given".to_owned()),
                };
                Self::Refused { what, status, code, message }
            }
            _ => Self::Unreachable { what, reason: format!("status {status}") },
        }
    }

    /// Whether the same call may work later.
    pub(super) fn may_pass(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::QueueFull { .. })
    }
}

/// An error and what lies under it, in one line.
pub(super) fn in_words(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            let _ = write!(text, ": {cause_text}");
        }
        source = cause.source();
    }
    text
}

/// Where commands are registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommandScope {
    /// Nowhere: commands are not touched.
    Off,
    /// For every guild and direct message of the application.
    Global,
    /// For these guilds only.
    Guilds(Vec<GuildId>),
}

/// A REST client for one bot.
#[derive(Debug)]
pub(super) struct Rest {
    /// Writes requests; it sends none.
    client: Client,
    transport: Transport,
    queue: Queue,
}

impl Rest {
    /// A client of Discord itself, or of what answers at `base`.
    pub(super) fn new(token: &SecretString, base: Option<&ApiBase>) -> Self {
        Self::with(token, base, None, &RestSettings::default())
    }

    /// The same with settings of its own, and through an HTTP proxy.
    pub(super) fn with(
        token: &SecretString,
        base: Option<&ApiBase>,
        proxy: Option<&str>,
        settings: &RestSettings,
    ) -> Self {
        Self {
            client: Client::builder().token(token.expose_secret().to_owned()).build(),
            transport: Transport::new(token, base, proxy, settings),
            queue: Queue::new(settings.clone()),
        }
    }

    /// What writes requests; it sends none.
    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// Refusals of the last ten minutes.
    pub(super) fn refusals(&self) -> RefusalCounts {
        self.queue.refusals()
    }

    /// Makes a call that twilight has a builder for; gives the answer's body.
    pub(super) async fn ask(
        &self,
        what: &'static str,
        builder: impl TryIntoRequest,
    ) -> Result<Bytes, RestFailure> {
        let request = builder.try_into_request();
        self.call(what, &request.map_err(|error| RestFailure::unwritten(what, &error))?).await
    }

    /// Makes a call, again after failures that may pass; gives the answer's body.
    pub(super) async fn call(
        &self,
        what: &'static str,
        request: &Request,
    ) -> Result<Bytes, RestFailure> {
        if !self.transport.has_token() {
            return Err(RestFailure::TokenRefused);
        }
        let prepared = Prepared::new(request, enforce_nonce);
        let prepared = prepared.ok_or_else(|| RestFailure::Refused {
            what,
            status: 0,
            code: 0,
            message: "its method is not known".to_owned(),
        })?;
        let route = route::Route::of(prepared.method(), prepared.path());
        let entered = self.queue.enter(route);
        let mut place = entered.map_err(|_| RestFailure::QueueFull { what })?;
        while place.turn().await {
            let outcome = self.transport.attempt(&prepared).await;
            let next = place.ended(&outcome.attempt, &outcome.limits);
            let failure = match outcome.answer {
                Ok((200..300, body)) => return Ok(body),
                Ok((status, body)) => RestFailure::answered(what, status, &body),
                Err(reason) => RestFailure::Unreachable { what, reason },
            };
            match next {
                Next::Done => return Err(failure),
                Next::Again(wait) => {
                    tracing::debug!("{failure}; next try in {} ms", wait.as_millis());
                }
            }
        }
        Err(RestFailure::Unreachable { what, reason: "the queue has ended".to_owned() })
    }

    /// The bot's application.
    pub(super) async fn application_id(&self) -> Result<u64, RestFailure> {
        let what = "GET /applications/@me";
        let body = self.ask(what, self.client.current_user_application()).await?;
        let application: Application = read(what, &body)?;
        application.id.parse().map_err(|_| unreadable(what))
    }

    /// Makes the registered commands those of `wanted`; writes only where they differ.
    pub(super) async fn register(
        &self,
        application: u64,
        scope: &CommandScope,
        wanted: &[Definition],
    ) -> Result<(), RestFailure> {
        let application = id(application)?;
        match scope {
            CommandScope::Off => Ok(()),
            CommandScope::Global => self.register_global(application, wanted).await,
            CommandScope::Guilds(guilds) => {
                for guild in guilds {
                    self.register_in(application, id(guild.get())?, wanted).await?;
                }
                Ok(())
            }
        }
    }

    async fn register_global(
        &self,
        application: Id<ApplicationMarker>,
        wanted: &[Definition],
    ) -> Result<(), RestFailure> {
        let interaction = self.client.interaction(application);
        let what = "GET /applications/{id}/commands";
        let body = self.ask(what, interaction.global_commands()).await?;
        let present: Vec<Command> = read(what, &body)?;
        if !same(&present, wanted) {
            let commands: Vec<Command> = wanted.iter().map(command).collect();
            let what = "PUT /applications/{id}/commands";
            self.ask(what, interaction.set_global_commands(&commands)).await?;
            tracing::info!("registered {} slash command(s)", commands.len());
        }
        Ok(())
    }

    async fn register_in(
        &self,
        application: Id<ApplicationMarker>,
        guild: Id<GuildMarker>,
        wanted: &[Definition],
    ) -> Result<(), RestFailure> {
        let interaction = self.client.interaction(application);
        let what = "GET /applications/{id}/guilds/{id}/commands";
        let body = self.ask(what, interaction.guild_commands(guild)).await?;
        let present: Vec<Command> = read(what, &body)?;
        if !same(&present, wanted) {
            let commands: Vec<Command> = wanted.iter().map(command).collect();
            let what = "PUT /applications/{id}/guilds/{id}/commands";
            self.ask(what, interaction.set_guild_commands(guild, &commands)).await?;
            tracing::info!("registered {} slash command(s) in guild {guild}", commands.len());
        }
        Ok(())
    }

    /// Steps out of a stage's audience; only its moderators may.
    pub(super) async fn speak_in_stage(
        &self,
        guild: GuildId,
        channel: ChannelId,
    ) -> Result<(), RestFailure> {
        let body = json!({ "channel_id": channel.to_string(), "suppress": false });
        self.change_own_voice_state(guild, &body).await
    }

    /// Raises the hand in a stage's audience.
    pub(super) async fn request_to_speak(
        &self,
        guild: GuildId,
        channel: ChannelId,
    ) -> Result<(), RestFailure> {
        let now = jiff::Timestamp::now().to_string();
        let body = json!({
            "channel_id": channel.to_string(),
            "request_to_speak_timestamp": now,
        });
        self.change_own_voice_state(guild, &body).await
    }

    /// A call for which twilight has no builder, made again after a passing failure.
    pub(super) async fn json<T: DeserializeOwned>(
        &self,
        what: &'static str,
        method: Method,
        path: String,
        body: &Value,
    ) -> Result<T, RestFailure> {
        let request = RequestBuilder::raw(method, path).json(body).build();
        let request = request.map_err(|error| RestFailure::unwritten(what, &error))?;
        read(what, &self.call(what, &request).await?)
    }

    /// twilight's own builder cannot say that somebody is *not* to be suppressed.
    async fn change_own_voice_state(
        &self,
        guild: GuildId,
        body: &Value,
    ) -> Result<(), RestFailure> {
        let what = "PATCH /guilds/{id}/voice-states/@me";
        let route = Route::UpdateCurrentUserVoiceState { guild_id: guild.get() };
        let request = Request::builder(&route).json(body).build();
        let request = request.map_err(|error| RestFailure::unwritten(what, &error))?;
        self.call(what, &request).await?;
        Ok(())
    }

    /// First answer to an interaction: "thinking", visible to the user who typed only.
    pub(super) async fn defer(
        &self,
        application: u64,
        interaction: u64,
        token: &SecretString,
    ) -> Result<(), RestFailure> {
        let client = self.client.interaction(id(application)?);
        let interaction = id(interaction)?;
        let response = InteractionResponse {
            kind: InteractionResponseType::DeferredChannelMessageWithSource,
            data: Some(InteractionResponseData {
                flags: Some(MessageFlags::EPHEMERAL),
                ..InteractionResponseData::default()
            }),
        };
        let what = "POST /interactions/{id}/callback";
        let token = token.expose_secret();
        self.ask(what, client.create_response(interaction, token, &response)).await?;
        Ok(())
    }

    /// Puts `text` in the place of "thinking".
    pub(super) async fn answer(
        &self,
        application: u64,
        token: &SecretString,
        text: &str,
    ) -> Result<(), RestFailure> {
        let client = self.client.interaction(id(application)?);
        let text: String = text.chars().take(MAX_CONTENT).collect();
        let nobody = AllowedMentions::default();
        let what = "PATCH /webhooks/{id}/messages/@original";
        let token = token.expose_secret();
        let edit = client.update_response(token).content(Some(&text));
        self.ask(what, edit.allowed_mentions(Some(&nobody))).await?;
        Ok(())
    }
}

/// What is read of an application.
#[derive(Deserialize)]
struct Application {
    id: String,
}

/// A message that is created keeps its nonce over all attempts, so that it is posted once.
fn enforce_nonce(call: &str, body: Vec<u8>) -> Vec<u8> {
    let mut parts = call.split('?').next().unwrap_or_default().split('/');
    let creates = parts.next() == Some("POST")
        && parts.next() == Some("channels")
        && parts.nth(1) == Some("messages")
        && parts.next().is_none();
    let Some(mut message) = creates.then(|| serde_json::from_slice::<Value>(&body).ok()).flatten()
    else {
        return body;
    };
    nonce::enforce(&mut message, rand::random());
    serde_json::to_vec(&message).unwrap_or(body)
}

/// The value in an answer's body.
fn read<T: DeserializeOwned>(what: &'static str, body: &[u8]) -> Result<T, RestFailure> {
    serde_json::from_slice(body).map_err(|_| unreadable(what))
}

fn unreadable(what: &'static str) -> RestFailure {
    RestFailure::Unreachable { what, reason: "the answer is not one of Discord's API".to_owned() }
}

/// An id in twilight's type.
fn id<T>(id: u64) -> Result<Id<T>, RestFailure> {
    Id::new_checked(id).ok_or_else(|| RestFailure::Refused {
        what: "an id",
        status: 0,
        code: 0,
        message: "0 is not a Discord id".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    #[test]
    fn only_messages_that_are_created_get_a_nonce() {
        let body = br#"{"content":"hi"}"#.to_vec();
        let changed = enforce_nonce("POST/channels/1/messages", body.clone());
        let message: Value = serde_json::from_slice(&changed).unwrap();
        assert_eq!(message["nonce"].as_str().map(str::len), Some(24));
        assert_eq!((&message["enforce_nonce"], &message["content"]), (&json!(true), &json!("hi")));
        for call in [
            "PATCH/channels/1/messages/2",
            "POST/channels/1/messages/2/threads",
            "POST/channels/1/typing",
            "POST/webhooks/1/tok/messages",
            "PATCH/channels/1/messages",
        ] {
            assert_eq!(enforce_nonce(call, body.clone()), body, "{call}");
        }
    }
}
