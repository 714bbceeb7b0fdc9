//! A localcord whose channels are written in, and an agent that reads them.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use localcord::world::{Dispatch, default::BOT_USER};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::sync::broadcast::error::RecvError;

use crate::{
    agent::Agent,
    brain::Served,
    feed::Feed,
    scene::{Scene, is_id},
    soon,
};

/// Keys of `channels.discord` by which everybody is answered everywhere, mentioned or not, and
/// nothing but answers is seen.
pub(crate) const OPEN: &str = "groupPolicy: 'open', guilds: { '*': { requireMention: false } }, \
    streaming: { mode: 'off' }, ackReaction: '',";

/// Keys of `channels.discord` by which the bot listens everywhere, and nothing but answers is seen.
pub(crate) const QUIET: &str = "groupPolicy: 'open', streaming: { mode: 'off' }, ackReaction: '',";

/// The id in an object of Discord's.
pub(crate) fn id(object: &Value) -> u64 {
    object["id"].as_str().unwrap().parse().unwrap()
}

/// A text that mentions the bot.
pub(crate) fn at_bot(text: &str) -> String {
    format!("<@{BOT_USER}> {text}")
}

/// Keys of the file by which this model answers.
pub(crate) fn model(served: &Served) -> String {
    let base = &served.base;
    format!(
        "models: {{ providers: {{ test: {{ baseUrl: '{base}', apiKey: 'k' }} }} }}, \
         agents: {{ defaults: {{ model: 'test/think-1' }} }},"
    )
}

/// The same, at a price: US dollars for a million tokens, read or written. `defaults` are further
/// keys of `agents.defaults`.
pub(crate) fn priced(served: &Served, price: f64, defaults: &str) -> String {
    let base = &served.base;
    format!(
        "models: {{ providers: {{ test: {{ baseUrl: '{base}', apiKey: 'k', models: [ \
         {{ id: 'think-1', cost: {{ input: {price}, output: {price} }} }} ] }} }} }}, \
         agents: {{ defaults: {{ model: 'test/think-1', {defaults} }} }},"
    )
}

/// A scene, and everything that is told of messages in it.
pub(crate) struct Chat {
    pub(crate) scene: Scene,
    told: Arc<Feed<Told>>,
    http: reqwest::Client,
}

/// An event about a message.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) event: String,
    pub(crate) data: Value,
}

impl Chat {
    pub(crate) async fn new() -> Self {
        Self::of(Scene::new().await)
    }

    pub(crate) fn of(scene: Scene) -> Self {
        let told = Arc::<Feed<Told>>::default();
        let mut events = scene.server.world().subscribe();
        let pushed = Arc::clone(&told);
        tokio::spawn(async move {
            loop {
                match events.recv().await {
                    Ok(dispatch) => pushed.push(Told::of(&dispatch)),
                    Err(RecvError::Lagged(missed)) => panic!("{missed} events were missed"),
                    Err(RecvError::Closed) => return,
                }
            }
        });
        Self { scene, told, http: reqwest::Client::new() }
    }

    /// A configuration without voice, with these keys of `channels.discord`, and these of the file.
    /// Nobody is waited for: messages are not gathered.
    pub(crate) fn config(&self, discord: &str, rest: &str) -> PathBuf {
        self.config_with(discord, rest, "")
    }

    /// The same, with these keys of `messages`.
    pub(crate) fn config_with(&self, discord: &str, rest: &str, messages: &str) -> PathBuf {
        let base = self.scene.server.api_base_url();
        let path = self.scene.folder.path().join("clawvoice.json5");
        let text = format!(
            "{{ channels: {{ discord: {{ apiBaseUrl: '{base}', voice: {{ enabled: false }}, \
             {discord} }} }}, messages: {{ inbound: {{ debounceMs: 0 }}, {messages} }}, {rest} }}"
        );
        std::fs::write(&path, text).unwrap();
        path
    }

    /// An agent with these keys that listens already.
    pub(crate) async fn agent(&self, discord: &str, rest: &str) -> Agent {
        self.start(&self.config(discord, rest)).await
    }

    /// An agent that listens already. It tells every drop.
    pub(crate) async fn start(&self, config: &Path) -> Agent {
        let filter = "info,clawvoice_text=debug";
        let agent = Agent::start_with(config, &self.scene.server.bot_token(), filter);
        agent.logs("Discord gateway ready").await;
        agent
    }

    /// Runs the program beside the agent, with the same configuration; gives what it prints.
    pub(crate) async fn program(&self, args: &[&str]) -> String {
        let folder = self.scene.folder.path();
        let output = tokio::process::Command::new(env!("CARGO_BIN_EXE_clawvoice"))
            .args(args)
            .env("CLAWVOICE_CONFIG", folder.join("clawvoice.json5"))
            .env("DISCORD_BOT_TOKEN", self.scene.server.bot_token())
            .env("HOME", folder)
            .env("NO_COLOR", "1")
            .output();
        let output = soon("a program", output).await.unwrap();
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{args:?}: {words}{told}");
        told
    }

    /// A human writes; gives the message.
    pub(crate) async fn writes(&self, human: u64, channel: u64, content: &str) -> Value {
        let body = json!({ "channel_id": channel.to_string(), "content": content });
        self.sends(human, &body).await
    }

    /// A human writes to the bot in private; gives the message.
    pub(crate) async fn whispers(&self, human: u64, content: &str) -> Value {
        let body = json!({ "user_id": BOT_USER.to_string(), "content": content });
        self.sends(human, &body).await
    }

    /// A human sends a message of any form; gives it.
    pub(crate) async fn sends(&self, human: u64, body: &Value) -> Value {
        let url = format!("{}/humans/{human}/messages", self.scene.server.control_url());
        let sent = soon("a message", self.http.post(url).json(body).send()).await.unwrap();
        let status = sent.status();
        let answer: Value = sent.json().await.unwrap();
        assert!(status.is_success(), "{status}: {body}: {answer}");
        answer
    }

    /// An order to localcord's control API; gives its answer.
    pub(crate) async fn control(&self, method: Method, path: &str, body: &Value) -> Value {
        self.scene.control(method.as_str(), path, body).await
    }

    /// A human does what Discord's REST lets users do; gives the answer.
    pub(crate) async fn acts(&self, human: u64, method: Method, path: &str, body: &Value) -> Value {
        self.control(method, &format!("/humans/{human}/api{path}"), body).await
    }

    /// What the bot may and may not do in a channel, beside what everybody may.
    pub(crate) async fn lets_bot(&self, channel: u64, allow: &[&str], deny: &[&str]) {
        let body = json!({ "member_id": BOT_USER.to_string(), "allow": allow, "deny": deny });
        self.control(Method::PUT, &format!("/channels/{channel}/overwrites"), &body).await;
    }

    /// How much was told: a position for [`Self::bot_from`].
    pub(crate) fn position(&self) -> usize {
        self.told.len()
    }

    /// The first message of the bot with `words` in it.
    pub(crate) async fn bot(&self, words: &str) -> Value {
        self.bot_from(0, words).await
    }

    /// The first message of the bot from a position on with `words` in it.
    pub(crate) async fn bot_from(&self, from: usize, words: &str) -> Value {
        self.by_from(from, BOT_USER, words).await
    }

    /// The first message of a user with `words` in it.
    pub(crate) async fn by(&self, user: u64, words: &str) -> Value {
        self.by_from(0, user, words).await
    }

    async fn by_from(&self, from: usize, user: u64, words: &str) -> Value {
        let wanted = |told: &Told| told.is_by(user) && told.content().contains(words);
        soon(words, self.told.find(from, wanted)).await.data
    }

    /// All events of this name that are wanted, so far.
    pub(crate) fn all(&self, name: &str, wanted: impl Fn(&Value) -> bool) -> Vec<Value> {
        let told = self.told.all().into_iter().filter(|told| told.event == name);
        told.map(|told| told.data).filter(|data| wanted(data)).collect()
    }

    /// The first event of this name that is wanted.
    pub(crate) async fn event(&self, name: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let found = self.told.find(0, |told| told.event == name && wanted(&told.data));
        soon(name, found).await.data
    }

    /// What the bot has written so far.
    pub(crate) fn by_bot(&self) -> Vec<String> {
        let told = self.told.all();
        let by_bot = told.iter().filter(|told| told.is_by(BOT_USER));
        by_bot.map(|told| told.content().to_owned()).collect()
    }
}

impl Told {
    fn of(dispatch: &Dispatch) -> Self {
        Self { event: dispatch.event.to_owned(), data: dispatch.data.clone() }
    }

    fn is_by(&self, user: u64) -> bool {
        self.event == "MESSAGE_CREATE" && is_id(&self.data["author"]["id"], user)
    }

    fn content(&self) -> &str {
        self.data["content"].as_str().unwrap_or_default()
    }
}
