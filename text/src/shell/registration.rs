//! Registers slash commands, beside the connection. Source: Discord, "Application Commands".

use std::{sync::Arc, time::Duration};

use clawvoice_session::GuildId;
use secrecy::ExposeSecret as _;
use serde::Deserialize;
use tokio::sync::oneshot;
use twilight_model::{
    application::command::Command,
    id::{
        Id,
        marker::{ApplicationMarker, GuildMarker},
    },
};

use super::{
    command_form::{command, same},
    gateway::GatewaySettings,
    rest::{Rest, RestFailure, id, read},
};
use crate::{
    command::{Definition, definitions},
    connection::{backoff::Backoff, identity::application_in},
    control,
};

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

/// Begins; the receiver completes when the first try is over.
pub(super) fn start(rest: Arc<Rest>, settings: &GatewaySettings) -> oneshot::Receiver<()> {
    let (tried, first) = oneshot::channel();
    if settings.commands == CommandScope::Off {
        return first;
    }
    let settings = settings.clone();
    tokio::spawn(async move {
        let mut tried = Some(tried);
        let mut backoff = Backoff::new(2.0, Duration::from_millis(500), Duration::from_secs(60));
        loop {
            let outcome = register(&rest, &settings).await;
            if tried.take().is_some_and(|tried| tried.send(()).is_err()) {
                // Nobody connects any more.
                return;
            }
            match outcome {
                Ok(()) => return,
                Err(failure) if failure.may_pass() => {
                    let wait = backoff.next_wait(rand::random());
                    tracing::warn!(
                        "slash commands are not registered yet: {failure}; next try in {:.0} s",
                        wait.as_secs_f64()
                    );
                    tokio::time::sleep(wait).await;
                }
                // The connection tells of it, and ends.
                Err(RestFailure::TokenRefused) => return,
                Err(failure) => {
                    tracing::warn!("slash commands are not registered: {failure}");
                    return;
                }
            }
        }
    });
    first
}

async fn register(rest: &Rest, settings: &GatewaySettings) -> Result<(), RestFailure> {
    let application = match settings.application_id {
        Some(id) => id,
        None => match rest.application_id().await {
            Err(failure) if failure.may_pass() => {
                application_in(settings.token.expose_secret()).ok_or(failure)?
            }
            answer => answer?,
        },
    };
    let mut wanted = definitions(settings.voice);
    wanted.extend(settings.text.into_iter().flat_map(control::definitions));
    rest.register(application, &settings.commands, &wanted).await
}

impl Rest {
    /// The bot's application.
    async fn application_id(&self) -> Result<u64, RestFailure> {
        let what = "GET /applications/@me";
        let body = self.ask(what, self.client().current_user_application()).await?;
        let application: Application = read(what, &body)?;
        application.id.parse().map_err(|_| RestFailure::unreadable(what))
    }

    /// Makes the registered commands those of `wanted`; writes only where they differ.
    async fn register(
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
        let interaction = self.client().interaction(application);
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
        let interaction = self.client().interaction(application);
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
}

/// What is read of an application.
#[derive(Deserialize)]
struct Application {
    id: String,
}
