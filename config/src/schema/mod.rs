//! The keys: names, types, bounds and defaults, one file an area.

pub(crate) mod agents;
pub(crate) mod discord;
pub(crate) mod guilds;
pub(crate) mod models;
pub(crate) mod people;
pub(crate) mod realtime;
pub(crate) mod server;
pub(crate) mod speech;
pub(crate) mod voice;

use std::{collections::BTreeMap, path::PathBuf};

use crate::{
    cursor::{Field, Section},
    error::Warning,
};

/// A whole configuration, checked, with secrets resolved.
#[derive(Clone, Debug)]
pub struct Config {
    /// The agent that answers: the default one of `agents`.
    pub agent: agents::Agent,
    /// `models.providers`, by id; `openai` and `echo` are always there.
    pub model_providers: BTreeMap<String, models::ModelProvider>,
    /// `session.store`: the SQLite file that holds conversations; a relative path starts at this
    /// file's folder. Default `~/.clawvoice/state/sessions.sqlite`. `{agentId}` in it becomes the
    /// agent's id, as in OpenClaw.
    pub session_store: PathBuf,
    /// `commands.ownerAllowFrom`: the users who own the agent. See [`Config::is_owner`].
    pub owners: Option<Vec<discord::DiscordId>>,
    /// `channels.discord`.
    pub discord: discord::Discord,
    /// Who transcribes and speaks; read in mode `stt-tts` only, where voice is on.
    pub speech: Option<speech::Speech>,
    /// What a person should know though the file was taken. To be logged once.
    pub warnings: Vec<Warning>,
}

impl Config {
    /// Whether the user owns the agent: listed in `commands.ownerAllowFrom` if that is written,
    /// else in `channels.discord.allowFrom`, else in `channels.discord.dm.allowFrom`. Ids only: a
    /// name can be taken by anybody.
    #[must_use]
    pub fn is_owner(&self, user: u64) -> bool {
        self.owners_in_force().iter().any(|owner| owner.get() == user)
    }

    /// The owners' ids; see [`Self::is_owner`].
    #[must_use]
    pub fn owners_in_force(&self) -> &[discord::DiscordId] {
        let discord = &self.discord;
        let listed = [&self.owners, &discord.allow_from, &discord.dm_allow_from];
        listed.into_iter().flatten().next().map(Vec::as_slice).unwrap_or_default()
    }
}

pub(crate) fn read(root: &Section<'_, '_>) -> Config {
    root.finish_leniently();
    root.warn_near(&["channels", "agents", "models", "session", "commands"]);
    let channels = root.section("channels");
    channels.finish_leniently();
    channels.warn_near(&["discord"]);
    let commands = root.section("commands");
    let native_commands = discord::native(&commands);
    let agent = agents::read(&root.section("agents"));
    let discord = discord::read(&channels.section("discord"), native_commands);
    let wants_speech = discord.voice.enabled && discord.voice.mode == voice::VoiceMode::SttTts;
    Config {
        model_providers: models::read(&root.section("models")),
        session_store: session_store(&root.section("session"), &agent.id),
        owners: commands.field("ownerAllowFrom").and_then(|field| people::owners(&field)),
        agent,
        speech: wants_speech.then(|| speech::of(root)),
        discord,
        warnings: Vec::new(),
    }
}

fn session_store(section: &Section<'_, '_>, agent: &str) -> PathBuf {
    let written = section.field("store").and_then(|field| path(&field));
    let path = written.unwrap_or_else(|| home(section).join("state/sessions.sqlite"));
    // Not a template engine: the one place holder that OpenClaw knows here.
    match path.to_str() {
        Some(text) => text.replace("{agentId}", agent).into(),
        None => path,
    }
}

/// Our folder in the user's: `~/.clawvoice`; without a `HOME`, in the current folder.
fn home(section: &Section<'_, '_>) -> PathBuf {
    PathBuf::from(section.env().var("HOME").unwrap_or_default()).join(".clawvoice")
}

/// A path: `~/` is the user's folder, a relative one starts at the file's folder.
fn path(field: &Field<'_, '_>) -> Option<PathBuf> {
    let text = field.text()?;
    Some(match (text.strip_prefix("~/"), field.env().var("HOME")) {
        (Some(rest), Some(home)) => PathBuf::from(home).join(rest),
        _ => field.folder().join(text),
    })
}
