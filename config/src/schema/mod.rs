//! The keys: names, types, bounds and defaults, one file an area.

pub(crate) mod access;
pub(crate) mod accounts;
pub(crate) mod agents;
pub(crate) mod answering;
pub(crate) mod commands;
pub(crate) mod connection;
pub(crate) mod declare;
pub(crate) mod delivery;
pub(crate) mod diagnostics;
pub(crate) mod discord;
pub(crate) mod entries;
pub(crate) mod features;
pub(crate) mod gateway;
pub(crate) mod guilds;
pub(crate) mod id;
pub(crate) mod maintenance;
pub(crate) mod messages;
pub(crate) mod models;
pub(crate) mod people;
pub(crate) mod realtime;
pub(crate) mod routing;
pub(crate) mod secrets;
pub(crate) mod server;
pub(crate) mod session;
pub(crate) mod speech;
pub(crate) mod spending;
pub(crate) mod streaming;
pub(crate) mod voice;

use std::{collections::BTreeMap, path::PathBuf};

use crate::{cursor::Section, error::Warning, field::Field, origin::Origins};

/// A whole configuration, checked, with secrets resolved.
#[derive(Clone, Debug)]
pub struct Config {
    /// The agent that answers: the default one of `agents`.
    pub agent: agents::Agent,
    /// Every agent of `agents`, and how agents answer in text.
    pub agents: agents::Agents,
    /// `models.providers`, by id; `openai` and `echo` are always there.
    pub model_providers: BTreeMap<String, models::ModelProvider>,
    /// `session`.
    pub session: session::Session,
    /// `session.store`; see [`session::Session::store`].
    pub session_store: PathBuf,
    /// `messages`.
    pub messages: messages::Messages,
    /// The top-level `commands`.
    pub commands: commands::CommandRules,
    /// `bindings`, as far as they are for Discord.
    pub bindings: Vec<routing::Binding>,
    /// `accessGroups`.
    pub access_groups: BTreeMap<String, routing::AccessGroup>,
    /// `channels.modelByChannel.discord`, by channel or user.
    pub model_by_channel: BTreeMap<String, String>,
    /// `gateway`.
    pub gateway: gateway::Gateway,
    /// `diagnostics`.
    pub diagnostics: diagnostics::Diagnostics,
    /// Whether there is a `channels.discord`. With a token from the environment alone, groups are
    /// on an allowlist whatever `channels.defaults` says.
    pub discord_is_written: bool,
    /// The default account's effective settings: `channels.discord`, if there are no `accounts`.
    pub discord: discord::Discord,
    /// Every account, in the order of the file; without `accounts` the one named `default`.
    pub accounts: Vec<accounts::Account>,
    /// The id of the default account: `defaultAccount`, else `default`, else the first.
    pub default_account: String,
    /// The default account's; see [`accounts::Account::speech`].
    pub speech: Option<speech::Speech>,
    /// Who transcribes voice notes in text: `tools.media.audio`, if it is written or an account is
    /// in mode `stt-tts`, and not switched off.
    pub voice_notes: Option<speech::Transcriber>,
    /// What a person should know though the file was taken. To be logged once.
    pub warnings: Vec<Warning>,
    /// Where ids are written as numbers. They are understood as long as they are small enough to be
    /// exact; written as texts they would be safe.
    pub numeric_ids: Vec<String>,
    /// Values that stand under old names.
    pub old_names: Vec<crate::migrate::OldName>,
    /// Where every value came from.
    pub origins: Origins,
}

impl Config {
    /// Whether the user owns the agent, by id: a name can be taken by anybody. See
    /// [`Self::owners_in_force`].
    #[must_use]
    pub fn is_owner(&self, user: u64) -> bool {
        self.owners_in_force().iter().any(|owner| owner.get() == user)
    }

    /// The owners' ids: those of `commands.ownerAllowFrom`. With `commands.ownerFromAllowFrom`, and
    /// if that list is not written, those of the default account's `allowFrom`.
    #[must_use]
    pub fn owners_in_force(&self) -> Vec<id::DiscordId> {
        match &self.commands.owners {
            Some(owners) => owners.clone(),
            None if self.commands.owner_from_allow_from => {
                let admitted = self.discord.access.allow_from.as_deref();
                people::user_ids(admitted.unwrap_or_default())
            }
            None => Vec::new(),
        }
    }
}

/// Everything that is read at the top.
const ROOT: &[&str] = &[
    "channels",
    "agents",
    "models",
    "session",
    "commands",
    "diagnostics",
    "messages",
    "bindings",
    "accessGroups",
    "gateway",
    "secrets",
    "tools",
];

pub(crate) fn read(root: &Section<'_, '_>) -> Config {
    root.finish_leniently();
    root.warn_near(ROOT);
    // Before everything else: references are resolved where they stand.
    root.walk().vault.set_providers(secrets::read(&root.section("secrets")));
    let channels = root.section("channels");
    channels.finish_leniently();
    channels.warn_near(&["discord", "defaults", "modelByChannel"]);
    let commands = commands::rules(&root.section("commands"));
    let messages = messages::read(&root.section("messages"));
    let (agents, agent) = agents::read(&root.section("agents"));
    let session_section = root.section("session");
    let session = session::read(&session_section, &agent.id);
    let above = discord::Above {
        commands: &commands,
        defaults: &channels.section("defaults"),
        delivery: delivery::Below {
            history_limit: messages.history_limit,
            block_streaming: agents.block_streaming,
            thread_bindings: &session_section.section("threadBindings"),
        },
    };
    if root.is_describing() {
        // What goes below an account's own settings is read with them, but stands here.
        let below = channels.section("defaults").section("botLoopProtection");
        let _: access::BotLoopProtection = crate::cursor::Block::read(&below);
        delivery::thread_bindings(&session_section, &session_section.missing("threadBindings"));
    }
    let ids: Vec<&str> = agents.all.iter().map(|agent| agent.id.as_str()).collect();
    let gateway = gateway::read(&root.section("gateway"), &ids);
    let section = channels.section("discord");
    let (accounts, default) = accounts::read(root, &section, &above);
    let known = accounts.iter().find_map(|account| account.speech.as_ref());
    let voice_notes = match known {
        Some(speech) => Some(speech.transcriber.clone()),
        None => speech::of_notes(root),
    };
    Config {
        voice_notes: voice_notes.filter(|transcriber| transcriber.notes),
        model_providers: models::read(&root.section("models")),
        session_store: session.store.clone(),
        session,
        agent,
        agents,
        messages,
        bindings: routing::bindings(root),
        access_groups: routing::access_groups(&root.section("accessGroups")),
        model_by_channel: routing::models(&channels),
        gateway,
        diagnostics: diagnostics::read(&root.section("diagnostics")),
        discord_is_written: section.is_present(),
        discord: accounts[default].discord.clone(),
        speech: accounts[default].speech.clone(),
        default_account: accounts[default].id.clone(),
        accounts,
        commands,
        warnings: Vec::new(),
        numeric_ids: Vec::new(),
        old_names: Vec::new(),
        origins: Origins::default(),
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
