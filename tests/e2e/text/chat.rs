//! A localcord whose channels are written in, and an agent that reads them.

use std::{path::PathBuf, sync::Arc};

use localcord::world::{Dispatch, default::BOT_USER};
use serde_json::{Value, json};
use tokio::sync::broadcast::error::RecvError;

use crate::{
    agent::Agent,
    feed::Feed,
    scene::{Scene, is_id},
    soon,
};

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
        let base = self.scene.server.api_base_url();
        let path = self.scene.folder.path().join("clawvoice.json5");
        let text = format!(
            "{{ channels: {{ discord: {{ apiBaseUrl: '{base}', voice: {{ enabled: false }}, \
             {discord} }} }}, messages: {{ inbound: {{ debounceMs: 0 }} }}, {rest} }}"
        );
        std::fs::write(&path, text).unwrap();
        path
    }

    /// An agent with these keys that listens already.
    pub(crate) async fn agent(&self, discord: &str, rest: &str) -> Agent {
        let agent = Agent::start(&self.config(discord, rest), &self.scene.server.bot_token());
        agent.logs("Discord gateway ready").await;
        agent
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
        let wanted = |told: &Told| told.is_by_bot() && told.content().contains(words);
        soon(words, self.told.find(from, wanted)).await.data
    }

    /// The first event of this name that is wanted.
    pub(crate) async fn event(&self, name: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let found = self.told.find(0, |told| told.event == name && wanted(&told.data));
        soon(name, found).await.data
    }

    /// What the bot has written so far.
    pub(crate) fn by_bot(&self) -> Vec<String> {
        let told = self.told.all();
        let by_bot = told.iter().filter(|told| told.is_by_bot());
        by_bot.map(|told| told.content().to_owned()).collect()
    }
}

impl Told {
    fn of(dispatch: &Dispatch) -> Self {
        Self { event: dispatch.event.to_owned(), data: dispatch.data.clone() }
    }

    fn is_by_bot(&self) -> bool {
        self.event == "MESSAGE_CREATE" && is_id(&self.data["author"]["id"], BOT_USER)
    }

    fn content(&self) -> &str {
        self.data["content"].as_str().unwrap_or_default()
    }
}
