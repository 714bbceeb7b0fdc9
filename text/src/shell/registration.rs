//! Registers slash commands, beside the connection. What is to be said is decided in
//! [`crate::command::deploy`]. Source: Discord, "Application Commands".

use std::{
    io::Read as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use clawvoice_session::GuildId;
use secrecy::ExposeSecret as _;
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tokio::sync::{Mutex, watch};
use twilight_http::routing::Route;

use super::{
    clock::unix_ms,
    gateway::{GatewaySettings, Stop, stop_asked},
    rest::{Rest, RestFailure, read},
    session_file,
};
use crate::{
    command::{
        Definition, definitions,
        deploy::{self, Fitting, Known, MAX_KNOWN, fingerprint},
    },
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

/// How long a try may take.
const PATIENCE: Duration = Duration::from_secs(15);

/// Discord's code for more commands than there may be.
const TOO_MANY: u64 = 30_032;

/// Accounts register one after the other: Discord counts what comes from one address together.
static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());

/// Begins. A failure is told in the log and tried again; nothing waits for it.
pub(super) fn start(
    rest: Arc<Rest>,
    settings: &GatewaySettings,
    mut stop: watch::Receiver<Option<Stop>>,
) {
    if settings.commands == CommandScope::Off {
        return;
    }
    let settings = settings.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = stop_asked(&mut stop) => {}
            () = register(&rest, &settings) => {}
        }
    });
}

async fn register(rest: &Rest, settings: &GatewaySettings) {
    let wanted = fitting(&wanted(settings));
    let mut backoff = Backoff::new(2.0, Duration::from_millis(500), Duration::from_secs(60));
    loop {
        let outcome = {
            let _turn = ONE_AT_A_TIME.lock().await;
            tokio::time::timeout(PATIENCE, deploy(rest, settings, &wanted)).await
        };
        let why = match outcome {
            Ok(Ok(())) => return,
            // The connection tells of it, and ends.
            Ok(Err(RestFailure::TokenRefused)) => return,
            Ok(Err(failure)) if failure.may_pass() => failure.to_string(),
            Ok(Err(failure)) => {
                return tracing::warn!("slash commands are not registered: {failure}");
            }
            Err(_) => format!("no end within {} s", PATIENCE.as_secs()),
        };
        let wait = backoff.next_wait(rand::random());
        tracing::warn!(
            "slash commands are not registered yet: {why}; next try in {:.0} s",
            wait.as_secs_f64()
        );
        tokio::time::sleep(wait).await;
    }
}

/// The commands there are.
pub(super) fn wanted(settings: &GatewaySettings) -> Vec<Definition> {
    let mut wanted = definitions(settings.voice);
    wanted.extend(settings.text.into_iter().flat_map(control::definitions));
    wanted
}

fn fitting(wanted: &[Definition]) -> Vec<Value> {
    let Fitting { commands, warnings } = deploy::fitting(wanted);
    for warning in warnings {
        tracing::warn!("slash commands: {warning}");
    }
    commands
}

/// Registers what is not known to be there.
async fn deploy(
    rest: &Rest,
    settings: &GatewaySettings,
    wanted: &[Value],
) -> Result<(), RestFailure> {
    let hash = fingerprint(wanted);
    let told = settings.application_id.or_else(|| application_in(settings.token.expose_secret()));
    let guess = match told {
        Some(id) => id,
        None => rest.application_id().await?,
    };
    let file = file(settings, guess);
    let known = file.as_deref().and_then(load);
    let scopes = match &settings.commands {
        CommandScope::Off => return Ok(()),
        CommandScope::Global => vec![Scope::Global],
        CommandScope::Guilds(guilds) => guilds.iter().copied().map(Scope::Guild).collect(),
    };
    let open: Vec<Scope> = scopes
        .into_iter()
        .filter(|scope| {
            let is_current = |it: &Known| it.is_current(&scope.name(), &hash, unix_ms());
            !known.as_ref().is_some_and(is_current)
        })
        .collect();
    if open.is_empty() {
        tracing::debug!("{} slash command(s) are registered as they were", wanted.len());
        return Ok(());
    }
    let application = match known.as_ref().map(Known::application).or(settings.application_id) {
        Some(id) => id,
        None if told.is_none() => guess,
        None => asked(rest, guess).await?,
    };
    let mut known = known.filter(|it| it.application() == application);
    let known = known.get_or_insert_with(|| Known::nothing(application));
    for scope in open {
        let changed = match scope {
            Scope::Global => reconcile(rest, application, wanted).await?,
            Scope::Guild(guild) => overwrite_in(rest, application, guild, wanted).await?,
        };
        let how = if changed { "registered" } else { "found as they should be:" };
        tracing::info!("{how} {} slash command(s), {}", wanted.len(), scope.name());
        known.remember(&scope.name(), hash.clone(), unix_ms());
        if let Some(file) = &file {
            save(file.clone(), known.bytes()).await;
        }
    }
    Ok(())
}

/// Where commands are valid.
#[derive(Clone, Copy)]
enum Scope {
    Global,
    Guild(GuildId),
}

impl Scope {
    /// What it is called in the file.
    fn name(self) -> String {
        match self {
            Self::Global => "global:reconcile".to_owned(),
            Self::Guild(guild) => format!("guild:{guild}"),
        }
    }
}

/// The file that remembers what was registered; `None`: nothing is kept. Another Discord than
/// Discord itself has a file of its own.
fn file(settings: &GatewaySettings, application: u64) -> Option<PathBuf> {
    let folder = settings.connection.state_folder.as_ref()?;
    let elsewhere = settings.api_base_url.as_ref().map_or(String::new(), |url| {
        let digest = Sha256::digest(url.as_bytes());
        digest.iter().take(8).fold("-".to_owned(), |name, byte| format!("{name}{byte:02x}"))
    });
    Some(folder.join(format!("commands-{application}{elsewhere}.json")))
}

fn load(file: &Path) -> Option<Known> {
    let mut bytes = Vec::new();
    std::fs::File::open(file).ok()?.take(MAX_KNOWN).read_to_end(&mut bytes).ok()?;
    Known::read(&bytes)
}

async fn save(file: PathBuf, bytes: Vec<u8>) {
    let path = file.clone();
    let written = tokio::task::spawn_blocking(move || session_file::write(&path, &bytes)).await;
    if let Ok(Err(error)) = written {
        tracing::warn!("{} cannot be written: {error}", file.display());
    }
}

/// The application, as Discord says it; of old bots it is another than their token tells.
async fn asked(rest: &Rest, guess: u64) -> Result<u64, RestFailure> {
    match rest.application_id().await {
        Err(failure) if failure.may_pass() => Ok(guess),
        answer => answer,
    }
}

/// Makes the global commands those of `wanted`, command by command; whether anything was to be done.
async fn reconcile(rest: &Rest, application: u64, wanted: &[Value]) -> Result<bool, RestFailure> {
    let what = "GET /applications/{id}/commands";
    let path =
        Route::GetGlobalCommands { application_id: application, with_localizations: Some(true) };
    let present: Vec<Value> = rest.get(what, &path).await?;
    let diff = deploy::diff(&present, wanted);
    if diff.is_empty() {
        return Ok(false);
    }
    // One request does for all where there is nothing yet.
    if present.is_empty() {
        overwrite(rest, application, wanted).await?;
        return Ok(true);
    }
    match apply(rest, application, &diff).await {
        Err(failure) if failure.code() == Some(TOO_MANY) => {
            tracing::warn!("slash commands are replaced as a whole: {failure}");
            overwrite(rest, application, wanted).await?;
        }
        outcome => outcome?,
    }
    Ok(true)
}

/// Deletes before it creates: there may be no room otherwise.
async fn apply(rest: &Rest, application: u64, diff: &deploy::Diff) -> Result<(), RestFailure> {
    for command in &diff.delete {
        let path = Route::DeleteGlobalCommand { application_id: application, command_id: *command };
        rest.send("DELETE /applications/{id}/commands/{id}", &path, None).await?;
    }
    for (command, body) in &diff.change {
        let path = Route::UpdateGlobalCommand { application_id: application, command_id: *command };
        rest.send("PATCH /applications/{id}/commands/{id}", &path, Some(body)).await?;
    }
    for body in &diff.create {
        let path = Route::CreateGlobalCommand { application_id: application };
        rest.send("POST /applications/{id}/commands", &path, Some(body)).await?;
    }
    Ok(())
}

async fn overwrite(rest: &Rest, application: u64, wanted: &[Value]) -> Result<(), RestFailure> {
    let path = Route::SetGlobalCommands { application_id: application };
    let body = Value::from(wanted.to_vec());
    rest.send("PUT /applications/{id}/commands", &path, Some(&body)).await.map(drop)
}

async fn overwrite_in(
    rest: &Rest,
    application: u64,
    guild: GuildId,
    wanted: &[Value],
) -> Result<bool, RestFailure> {
    let path = Route::SetGuildCommands { application_id: application, guild_id: guild.get() };
    let body = Value::from(wanted.to_vec());
    rest.send("PUT /applications/{id}/guilds/{id}/commands", &path, Some(&body)).await?;
    Ok(true)
}

impl Rest {
    /// The bot's application.
    async fn application_id(&self) -> Result<u64, RestFailure> {
        let what = "GET /applications/@me";
        let body = self.ask(what, self.client().current_user_application()).await?;
        let application: Application = read(what, &body)?;
        application.id.parse().map_err(|_| RestFailure::unreadable(what))
    }
}

/// What is read of an application.
#[derive(Deserialize)]
struct Application {
    id: String,
}
