//! A localcord with people in it, and an agent called into their channel.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use localcord::{
    human::Human,
    journal::Entry,
    server::{Server, ServerSettings},
    world::default::{BOT_USER, GENERAL, GUILD, LOUNGE},
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{agent::Agent, soon};

/// A pause after which an answer is taken to be over.
const PAUSE: Duration = Duration::from_millis(600);

/// The `voice` block of an agent that joins by itself and answers with what it hears.
pub(crate) fn parrot() -> String {
    local_provider("behaviour: 'parrot', speed: 20")
}

/// The same with other settings of the local provider.
pub(crate) fn local_provider(settings: &str) -> String {
    local_realtime("", settings)
}

/// The same, with further keys of `realtime`.
pub(crate) fn local_realtime(keys: &str, settings: &str) -> String {
    format!(
        "{AUTO_JOIN} {QUICK} realtime: {{ {keys} provider: 'local', providers: {{ local: \
         {{ {settings}, recordDir: 'rec', silenceDurationMs: 400 }} }} }}"
    )
}

/// Joins the Lounge at start-up.
pub(crate) const AUTO_JOIN: &str =
    "autoJoin: [{ guildId: '1100000000000000001', channelId: '1100000000000000013' }],";

/// Talks by itself, and closes turns early, so that tests are short.
pub(crate) const QUICK: &str = "mode: 'bidi', captureSilenceGraceMs: 500,";

pub(crate) struct Scene {
    pub(crate) server: Server,
    pub(crate) folder: TempDir,
    http: reqwest::Client,
}

impl Scene {
    pub(crate) async fn new() -> Self {
        Self::with(ServerSettings::default()).await
    }

    pub(crate) async fn with(settings: ServerSettings) -> Self {
        let server = Server::start(settings).await.unwrap();
        Self { server, folder: tempfile::tempdir().unwrap(), http: reqwest::Client::new() }
    }

    /// A config file with this `voice` block.
    pub(crate) fn config(&self, voice: &str) -> PathBuf {
        write_config(self.folder.path(), &self.server.api_base_url(), voice)
    }

    /// An agent with this `voice` block.
    pub(crate) fn agent(&self, voice: &str) -> Agent {
        Agent::start(&self.config(voice), &self.server.bot_token())
    }

    /// Where a local provider of this scene records.
    pub(crate) fn recordings(&self) -> PathBuf {
        self.folder.path().join("rec")
    }

    /// A human joins the Lounge.
    pub(crate) async fn joins(&self, human: u64) -> Human {
        self.joins_at(human, LOUNGE).await
    }

    /// A human joins a voice or stage channel.
    pub(crate) async fn joins_at(&self, human: u64, channel: u64) -> Human {
        let world = self.server.world();
        let invite = world.set_voice_state(GUILD, human, Some(channel), false, false);
        soon("a human's join", Human::join(invite.unwrap().unwrap())).await.unwrap()
    }

    /// A human, or the bot, is taken out of voice.
    pub(crate) fn leaves(&self, user: u64) {
        self.server.world().set_voice_state(GUILD, user, None, false, false).unwrap();
    }

    /// A human changes the voice state of a user, with the permissions they have.
    pub(crate) async fn moderates(&self, human: u64, user: u64, change: &Value) {
        let control = self.server.control_url();
        let url = format!("{control}/humans/{human}/voice-states/{user}");
        let sent = soon("the change", self.http.patch(url).json(change).send()).await.unwrap();
        assert!(sent.status().is_success(), "{}: {change}", sent.status());
    }

    /// A human types a `/vc` subcommand; gives the reply.
    pub(crate) async fn vc(&self, human: u64, subcommand: &str) -> String {
        let options = match subcommand {
            "join" => json!({ "join": { "channel": LOUNGE.to_string() } }),
            other => json!({ other: {} }),
        };
        let url = format!("{}/humans/{human}/commands?wait=true", self.server.control_url());
        let body = json!({ "name": "vc", "channel_id": GENERAL.to_string(), "options": options });
        let sent = soon("the reply", self.http.post(url).json(&body).send()).await.unwrap();
        let answer: Value = sent.json().await.unwrap();
        let reply = answer["message"]["content"].as_str().map(str::to_owned);
        reply.unwrap_or_else(|| panic!("no reply: {answer}"))
    }

    /// The first journal entry of this kind and name.
    pub(crate) async fn journal(
        &self,
        kind: &str,
        name: &str,
        wanted: impl Fn(&Value) -> bool,
    ) -> Entry {
        let found = self
            .server
            .journal()
            .wait_for(0, |entry| entry.kind == kind && entry.name == name && wanted(&entry.data));
        soon(&format!("{kind} {name}"), found).await
    }

    /// All journal entries of this kind and name about the bot.
    pub(crate) fn of_bot(&self, kind: &str, name: &str) -> Vec<Entry> {
        let mut entries = self.server.journal().since(0);
        entries.retain(|entry| entry.kind == kind && entry.name == name && is_bot(&entry.data));
        entries
    }
}

/// Whether a journal entry is about the bot.
pub(crate) fn is_bot(data: &Value) -> bool {
    is_id(&data["user_id"], BOT_USER) || is_id(&data["user"], BOT_USER)
}

/// Whether a value is this id: ids are texts.
pub(crate) fn is_id(value: &Value, id: u64) -> bool {
    value.as_str() == Some(&id.to_string())
}

/// Keys of `channels.discord` by which the agent listens everywhere.
pub(crate) const EVERYBODY: &str = "groupPolicy: 'open',";

/// Keys of the file by which everybody may command it.
pub(crate) const COMMANDS: &str = "commands: { useAccessGroups: false },";

/// A config file for a Discord at `base`.
pub(crate) fn write_config(folder: &Path, base: &str, voice: &str) -> PathBuf {
    let path = folder.join("clawvoice.json5");
    let text = format!(
        "{{ channels: {{ discord: {{ apiBaseUrl: '{base}', {EVERYBODY} voice: {{ {voice} }} }} }}, {COMMANDS} }}"
    );
    std::fs::write(&path, text).unwrap();
    path
}

/// The human and the agent are in one epoch: they hear each other.
pub(crate) async fn meet(human: &Human, agent: &Agent) {
    agent.record("joined").await;
    soon("a common epoch", human.shares_epoch_with(&[BOT_USER])).await.unwrap();
}

/// The human says something, and hears out the agent's answer to it.
pub(crate) async fn ask(human: &Human, wav: &[u8]) {
    let began = Instant::now();
    soon("the end of a speech", human.speak(wav)).await.unwrap();
    soon("an answer", human.hears_end_of(BOT_USER, began, PAUSE)).await.unwrap();
}

/// The agent has been heard for so long, in 20 ms frames, since `already`.
pub(crate) async fn hears_frames(human: &Human, already: u64, frames: u64) {
    let enough = human.wait_until(|_| speech_frames(human) >= already + frames);
    soon("the agent's voice", enough).await.unwrap();
}

/// The frames heard of the agent that were not silence.
pub(crate) fn speech_frames(human: &Human) -> u64 {
    let stats = human.stats();
    stats.senders.get(&BOT_USER).map_or(0, |bot| bot.frames_decoded - bot.silence_frames)
}
