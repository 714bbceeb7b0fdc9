//! A localcord with people in it, and an agent called into their channel.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use localcord::{
    human::Human,
    journal::Entry,
    server::{Server, ServerSettings},
    world::{
        Channel, Overwrite, Target, bits,
        default::{BOT_USER, GENERAL, GUILD, LOUNGE, default_state},
        kind,
    },
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

/// A second voice channel, in [`Scene::with_rooms`].
pub(crate) const DEN: u64 = 1_100_000_000_000_000_015;

/// One that nobody but the owner may connect to, in [`Scene::with_rooms`].
pub(crate) const VAULT: u64 = 1_100_000_000_000_000_016;

/// One for a single user, in [`Scene::with_rooms`].
pub(crate) const BOOTH: u64 = 1_100_000_000_000_000_017;

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

    /// One with more voice channels.
    pub(crate) async fn with_rooms() -> Self {
        let mut state = default_state();
        let closed = Overwrite { target: Target::Role(GUILD), allow: 0, deny: bits::CONNECT };
        let rooms = [
            (DEN, "Den", vec![], 0),
            (VAULT, "Vault", vec![closed], 0),
            (BOOTH, "Booth", vec![], 1),
        ];
        for (id, name, overwrites, user_limit) in rooms {
            let (guild_id, name, kind) = (Some(GUILD), name.to_owned(), kind::VOICE);
            let room =
                Channel { id, kind, guild_id, name, overwrites, user_limit, ..Channel::default() };
            state.channels.insert(id, room);
        }
        let server = Server::start_with(ServerSettings::default(), state).await.unwrap();
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

    /// A user is in a channel from now on: a human without a microphone, or the bot that a
    /// moderator moves.
    pub(crate) fn appears(&self, user: u64, channel: u64) {
        let world = self.server.world();
        world.set_voice_state(GUILD, user, Some(channel), false, false).unwrap();
    }

    /// Where the bot is, as Discord has it.
    pub(crate) fn bot_is_in(&self) -> Option<u64> {
        self.server
            .world()
            .read(|state| state.voice_states.get(&(GUILD, BOT_USER)).map(|voice| voice.channel_id))
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

    /// Something else is changed; gives what it is then.
    pub(crate) async fn control(&self, method: &str, path: &str, body: &Value) -> Value {
        let url = format!("{}{path}", self.server.control_url());
        let request = self.http.request(method.parse().unwrap(), url).json(body);
        let sent = soon(path, request.send()).await.unwrap();
        let status = sent.status();
        let answer = sent.bytes().await.unwrap();
        assert!(status.is_success(), "{status}: {method} {path} {body}: {answer:?}");
        serde_json::from_slice(&answer).unwrap_or_default()
    }

    /// A human types a `/vc` subcommand, `join` with the Lounge; gives the reply.
    pub(crate) async fn vc(&self, human: u64, subcommand: &str) -> String {
        match subcommand {
            "join" => self.vc_join(human, LOUNGE).await,
            other => self.vc_with(human, &json!({ other: {} })).await,
        }
    }

    /// A human types `/vc join` with a channel; gives the reply.
    pub(crate) async fn vc_join(&self, human: u64, channel: u64) -> String {
        self.vc_with(human, &json!({ "join": { "channel": channel.to_string() } })).await
    }

    /// Slash commands are registered, beside everything else.
    pub(crate) async fn has_commands(&self) {
        let registered = async {
            while self.server.world().read(|state| state.commands.values().all(Vec::is_empty)) {
                tokio::task::yield_now().await;
            }
        };
        soon("slash commands", registered).await;
    }

    async fn vc_with(&self, human: u64, options: &Value) -> String {
        self.has_commands().await;
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
