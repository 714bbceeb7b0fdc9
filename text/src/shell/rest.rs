//! The REST calls that are made, through twilight-http.
//!
//! Rate limits (429) are waited out by twilight. Source: Discord, "Rate Limits",
//! "Application Commands", "Receiving and Responding".

use std::{fmt::Write as _, future::IntoFuture, time::Duration};

use clawvoice_session::{ChannelId, GuildId};
use secrecy::{ExposeSecret as _, SecretString};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use twilight_http::{
    Client, Error,
    error::ErrorType,
    request::{Method, Request, RequestBuilder},
    response::{ResponseFuture, marker::EmptyBody},
    routing::Route,
};
use twilight_model::{
    application::command::{Command, CommandOption, CommandOptionType, CommandType},
    channel::{
        ChannelType,
        message::{AllowedMentions, MessageFlags},
    },
    http::interaction::{InteractionResponse, InteractionResponseData, InteractionResponseType},
    id::{
        Id,
        marker::{ApplicationMarker, GuildMarker},
    },
};
use twilight_util::builder::command::{ChannelBuilder, CommandBuilder, SubCommandBuilder};

use super::base_url::ApiBase;
use crate::command::{ChannelOption, Definition, Subcommand};

/// Longest message content Discord takes, in characters.
const MAX_CONTENT: usize = 2000;

/// Waits between the attempts of a call that failed for a passing reason. Their sum stays under
/// the 3 s in which an interaction must be answered.
pub(super) const WAITS: [Duration; 2] = [Duration::from_millis(250), Duration::from_millis(750)];

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
        /// Discord's words.
        message: String,
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
    pub(super) fn new(what: &'static str, error: &Error) -> Self {
        match error.kind() {
            ErrorType::Unauthorized => Self::TokenRefused,
            ErrorType::Response { status, .. } if status.get() == 401 => Self::TokenRefused,
            // A token with a line break or the like cannot be sent; Discord would refuse it too.
            ErrorType::CreatingHeader { .. } => Self::TokenRefused,
            ErrorType::Response { status, error, .. } if status.get() < 500 => {
                Self::Refused { what, status: status.get(), message: error.to_string() }
            }
            ErrorType::Response { status, .. } => {
                Self::Unreachable { what, reason: format!("status {}", status.get()) }
            }
            ErrorType::BuildingRequest | ErrorType::Json | ErrorType::Validation => {
                Self::Refused { what, status: 0, message: in_words(error) }
            }
            ErrorType::Parsing { .. } => Self::Unreachable {
                what,
                reason: "the answer is not one of Discord's API".to_owned(),
            },
            _ => Self::Unreachable { what, reason: in_words(error) },
        }
    }

    /// Whether the same call may work later.
    pub(super) fn may_pass(&self) -> bool {
        matches!(self, Self::Unreachable { .. })
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
    client: Client,
}

impl Rest {
    /// A client of Discord itself, or of what answers at `base`.
    pub(super) fn new(token: &SecretString, base: Option<&ApiBase>) -> Self {
        let builder = Client::builder().token(token.expose_secret().to_owned());
        let builder = match base {
            Some(base) => builder.proxy(base.host.clone(), base.plain),
            None => builder,
        };
        Self { client: builder.build() }
    }

    /// The client itself, for calls that are made once and whose refusals are answers.
    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// The bot's application.
    pub(super) async fn application_id(&self) -> Result<u64, RestFailure> {
        let what = "GET /applications/@me";
        let response = retried(what, || self.client.current_user_application()).await?;
        Ok(read(what, response.model()).await?.id.get())
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
        let response = retried(what, || interaction.global_commands()).await?;
        let present = read(what, response.models()).await?;
        if !same(&present, wanted) {
            let commands: Vec<Command> = wanted.iter().map(command).collect();
            let what = "PUT /applications/{id}/commands";
            retried(what, || interaction.set_global_commands(&commands)).await?;
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
        let response = retried(what, || interaction.guild_commands(guild)).await?;
        let present = read(what, response.models()).await?;
        if !same(&present, wanted) {
            let commands: Vec<Command> = wanted.iter().map(command).collect();
            let what = "PUT /applications/{id}/guilds/{id}/commands";
            retried(what, || interaction.set_guild_commands(guild, &commands)).await?;
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
    pub(super) async fn json<T: DeserializeOwned + Unpin>(
        &self,
        what: &'static str,
        method: Method,
        path: String,
        body: &Value,
    ) -> Result<T, RestFailure> {
        let request = RequestBuilder::raw(method, path).json(body).build();
        let request = request.map_err(|error| RestFailure::new(what, &error))?;
        let response = retried(what, || self.client.request::<T>(request.clone())).await?;
        read(what, response.model()).await
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
        let request = request.map_err(|error| RestFailure::new(what, &error))?;
        retried(what, || self.client.request::<EmptyBody>(request.clone())).await?;
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
        retried(what, || client.create_response(interaction, token, &response)).await?;
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
        retried(what, || {
            client.update_response(token).content(Some(&text)).allowed_mentions(Some(&nobody))
        })
        .await?;
        Ok(())
    }
}

async fn once<T, R>(
    what: &'static str,
    request: R,
) -> Result<twilight_http::Response<T>, RestFailure>
where
    R: IntoFuture<
            Output = Result<twilight_http::Response<T>, Error>,
            IntoFuture = ResponseFuture<T>,
        >,
    T: Unpin,
{
    request.into_future().await.map_err(|error| RestFailure::new(what, &error))
}

/// Calls again after a passing failure, as often as [`WAITS`] is long.
async fn retried<T, R>(
    what: &'static str,
    request: impl Fn() -> R,
) -> Result<twilight_http::Response<T>, RestFailure>
where
    R: IntoFuture<
            Output = Result<twilight_http::Response<T>, Error>,
            IntoFuture = ResponseFuture<T>,
        >,
    T: Unpin,
{
    for wait in WAITS {
        match once(what, request()).await {
            Err(failure) if failure.may_pass() => {
                tracing::debug!("{failure}; next try in {} ms", wait.as_millis());
                tokio::time::sleep(wait).await;
            }
            result => return result,
        }
    }
    once(what, request()).await
}

/// The value in a response's body.
async fn read<T, E: std::error::Error>(
    what: &'static str,
    body: impl Future<Output = Result<T, E>>,
) -> Result<T, RestFailure> {
    body.await.map_err(|error| RestFailure::Unreachable {
        what,
        reason: format!("the answer cannot be read: {}", in_words(&error)),
    })
}

/// An id in twilight's type.
fn id<T>(id: u64) -> Result<Id<T>, RestFailure> {
    Id::new_checked(id).ok_or_else(|| RestFailure::Refused {
        what: "an id",
        status: 0,
        message: "0 is not a Discord id".to_owned(),
    })
}

/// Our definition in twilight's words.
fn command(definition: &Definition) -> Command {
    let mut builder =
        CommandBuilder::new(&definition.name, &definition.description, CommandType::ChatInput);
    for subcommand in &definition.subcommands {
        let mut built = SubCommandBuilder::new(&subcommand.name, &subcommand.description);
        if let Some(channel) = &subcommand.channel {
            built = built.option(
                ChannelBuilder::new(&channel.name, &channel.description)
                    .channel_types([ChannelType::GuildVoice, ChannelType::GuildStageVoice])
                    .required(true),
            );
        }
        builder = builder.option(built);
    }
    builder.build()
}

/// twilight's command in our words; `None` if it says something ours cannot.
fn definition(command: &Command) -> Option<Definition> {
    let localised = command.name_localizations.as_ref().is_some_and(|names| !names.is_empty())
        || command.description_localizations.as_ref().is_some_and(|texts| !texts.is_empty());
    if command.kind != CommandType::ChatInput
        || command.default_member_permissions.is_some()
        || command.nsfw == Some(true)
        || localised
    {
        return None;
    }
    Some(Definition {
        name: command.name.clone(),
        description: command.description.clone(),
        subcommands: command.options.iter().map(subcommand).collect::<Option<_>>()?,
    })
}

fn subcommand(option: &CommandOption) -> Option<Subcommand> {
    if option.kind != CommandOptionType::SubCommand {
        return None;
    }
    let channel = match option.options.as_deref().unwrap_or_default() {
        [] => None,
        [channel] => Some(channel_option(channel)?),
        _ => return None,
    };
    Some(Subcommand { name: option.name.clone(), description: option.description.clone(), channel })
}

fn channel_option(option: &CommandOption) -> Option<ChannelOption> {
    let kinds = option.channel_types.as_deref().unwrap_or_default();
    let voice_only = kinds.len() == 2
        && kinds.contains(&ChannelType::GuildVoice)
        && kinds.contains(&ChannelType::GuildStageVoice);
    (option.kind == CommandOptionType::Channel && option.required == Some(true) && voice_only).then(
        || ChannelOption { name: option.name.clone(), description: option.description.clone() },
    )
}

/// Whether Discord has exactly the wanted commands, in any order.
fn same(present: &[Command], wanted: &[Definition]) -> bool {
    present.len() == wanted.len()
        && present
            .iter()
            .all(|command| definition(command).is_some_and(|have| wanted.contains(&have)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::definitions;

    #[test]
    fn what_we_register_is_recognised_when_read_back() {
        let wanted = definitions(true);
        let sent: Vec<Command> = wanted.iter().map(command).collect();
        // What Discord sends back carries ids and explicit defaults.
        let mut read: Vec<Command> =
            serde_json::from_str(&serde_json::to_string(&sent).unwrap()).unwrap();
        for command in &mut read {
            command.id = Some(Id::new(5));
            command.application_id = Some(Id::new(6));
            command.version = Id::new(7);
            command.nsfw = Some(false);
        }
        assert!(same(&read, &wanted));
        assert!(same(&[], &[]));
    }

    #[test]
    fn every_difference_is_seen() {
        let wanted = definitions(true);
        let sent = command(&wanted[0]);
        let changes: [fn(&mut Command); 6] = [
            |command| command.name = "vd".to_owned(),
            |command| command.description.push('!'),
            |command| command.options.clear(),
            |command| command.options[0].description.push('!'),
            |command| command.options[0].options = None,
            |command| command.nsfw = Some(true),
        ];
        for (index, change) in changes.into_iter().enumerate() {
            let mut changed = sent.clone();
            change(&mut changed);
            assert!(!same(&[changed], &wanted), "change {index} was not seen");
        }
        assert!(!same(&[], &wanted));
        assert!(!same(&[sent], &[]));
    }
}
