//! A localcord without rate limits, its bot, its humans, and its gateway.

use std::{sync::Arc, time::Duration};

use futures_util::{SinkExt as _, StreamExt as _};
use localcord::{
    Server, ServerSettings,
    fault::{FaultSettings, RestLimits},
    gateway::GatewaySettings,
    world::{Dispatch, Overwrite, State, Target, default},
};
use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};
use tokio::{net::TcpStream, sync::broadcast, time::timeout};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, tungstenite::Message};

pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A running server, seen by the default bot.
pub(crate) struct Discord {
    pub(crate) server: Server,
    pub(crate) client: Client,
    events: broadcast::Receiver<Arc<Dispatch>>,
}

impl Discord {
    pub(crate) async fn new() -> Self {
        Self::with(default::default_state()).await
    }

    pub(crate) async fn with(state: State) -> Self {
        let faults = FaultSettings { rest_limits: RestLimits::none(), ..FaultSettings::default() };
        let gateway = GatewaySettings { identify_spacing_ms: 0, ..GatewaySettings::default() };
        let settings = ServerSettings { faults, gateway, ..ServerSettings::default() };
        let server = Server::start_with(settings, state).await.unwrap();
        let events = server.world().subscribe();
        Self { server, client: Client::new(), events }
    }

    /// A call of Discord's REST by the default bot.
    pub(crate) async fn bot(&self, method: Method, path: &str, body: Value) -> (u16, Value) {
        self.bot_with(&self.server.bot_token(), method, path, body).await
    }

    pub(crate) async fn bot_with(
        &self,
        token: &str,
        method: Method,
        path: &str,
        body: Value,
    ) -> (u16, Value) {
        let url = format!("{}{path}", self.server.api_base_url());
        let request = self.client.request(method, url);
        read(request.header("authorization", format!("Bot {token}")).json(&body)).await
    }

    /// A call without a token.
    pub(crate) async fn anyone(&self, method: Method, path: &str, body: Value) -> (u16, Value) {
        let url = format!("{}{path}", self.server.api_base_url());
        read(self.client.request(method, url).json(&body)).await
    }

    /// The same as the bot, but by a human.
    pub(crate) async fn human(
        &self,
        human: u64,
        method: Method,
        path: &str,
        body: Value,
    ) -> (u16, Value) {
        self.control(method, &format!("/humans/{human}/api{path}"), body).await
    }

    /// A call of the control API.
    pub(crate) async fn control(&self, method: Method, path: &str, body: Value) -> (u16, Value) {
        let url = format!("{}{path}", self.server.control_url());
        read(self.client.request(method, url).json(&body)).await
    }

    /// A human writes in a channel; the message.
    pub(crate) async fn says(&self, human: u64, channel: impl ToString, content: &str) -> Value {
        let body = json!({ "channel_id": channel.to_string(), "content": content });
        let (status, message) =
            self.control(Method::POST, &format!("/humans/{human}/messages"), body).await;
        assert_eq!(status, 200, "{message}");
        message
    }

    /// The bot writes in a channel; the message.
    pub(crate) async fn bot_says(&self, channel: impl ToString, content: &str) -> Value {
        let path = format!("/channels/{}/messages", channel.to_string());
        let (status, message) = self.bot(Method::POST, &path, json!({ "content": content })).await;
        assert_eq!(status, 200, "{message}");
        message
    }

    /// What happened since the last call, in order.
    pub(crate) fn events(&mut self) -> Vec<(&'static str, Value)> {
        std::iter::from_fn(|| self.events.try_recv().ok())
            .map(|event| (event.event, event.data.clone()))
            .collect()
    }

    /// The names of what happened since the last call.
    pub(crate) fn names(&mut self) -> Vec<&'static str> {
        self.events().into_iter().map(|(name, _)| name).collect()
    }

    /// The one event of a name since the last call.
    pub(crate) fn event(&mut self, name: &str) -> Value {
        let all: Vec<_> = self.events().into_iter().filter(|(event, _)| *event == name).collect();
        assert_eq!(all.len(), 1, "{name}: {all:?}");
        all.into_iter().next().unwrap().1
    }

    /// Takes permissions from a user in a channel.
    pub(crate) fn deny(&self, user: u64, channel: u64, bits: u64) {
        self.put_overwrite(
            channel,
            Overwrite { target: Target::Member(user), allow: 0, deny: bits },
        );
    }

    /// Gives permissions to a user in a channel.
    pub(crate) fn allow(&self, user: u64, channel: u64, bits: u64) {
        self.put_overwrite(
            channel,
            Overwrite { target: Target::Member(user), allow: bits, deny: 0 },
        );
    }

    fn put_overwrite(&self, channel: u64, overwrite: Overwrite) {
        self.server.world().write(|state| {
            let overwrites = &mut state.channels.get_mut(&channel).unwrap().overwrites;
            overwrites.retain(|known| known.target != overwrite.target);
            overwrites.push(overwrite);
        });
    }

    /// A session of the main gateway.
    pub(crate) async fn gateway(&self, token: &str, intents: u64) -> Gateway {
        let url = format!("{}/?v=10&encoding=json", self.server.gateway_url());
        let (mut socket, _) = tokio_tungstenite::connect_async(url).await.unwrap();
        let d = json!({ "token": token, "intents": intents, "properties": {} });
        socket.send(Message::text(json!({ "op": 2, "d": d }).to_string())).await.unwrap();
        let mut gateway = Gateway { socket };
        gateway.dispatch("READY").await;
        gateway
    }
}

pub(crate) struct Gateway {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

impl Gateway {
    /// Skips to the next event of a name.
    pub(crate) async fn dispatch(&mut self, event: &str) -> Value {
        loop {
            let message = timeout(PATIENCE, self.socket.next()).await.unwrap().unwrap().unwrap();
            let Message::Text(text) = message else { continue };
            let payload: Value = serde_json::from_str(&text).unwrap();
            if payload["t"] == event {
                return payload["d"].clone();
            }
        }
    }
}

pub(crate) async fn read(request: RequestBuilder) -> (u16, Value) {
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let bytes = response.bytes().await.unwrap();
    (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
}

/// The id of an object.
pub(crate) fn id(object: &Value) -> String {
    object["id"].as_str().unwrap_or_else(|| panic!("no id: {object}")).to_owned()
}

/// Status and Discord's code of a refusal.
pub(crate) fn refusal((status, body): (u16, Value)) -> (u16, u64) {
    let code = body["code"].as_u64().unwrap_or_else(|| panic!("{status} is no refusal: {body}"));
    (status, code)
}
