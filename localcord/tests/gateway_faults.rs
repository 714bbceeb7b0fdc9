//! What goes wrong on the main gateway on demand, and REST answers that are lost.

#![allow(clippy::unwrap_used, reason = "a step that fails is the test's failure")]

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use localcord::{
    Server, ServerSettings,
    fault::{FaultSettings, RestFault},
    gateway::GatewaySettings,
    world::default::{GENERAL, LOUNGE},
};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, tungstenite::Message};

const PATIENCE: Duration = Duration::from_secs(10);

async fn start(gateway: GatewaySettings) -> Server {
    Server::start(ServerSettings { gateway, ..ServerSettings::default() }).await.unwrap()
}

fn hasty() -> GatewaySettings {
    GatewaySettings { identify_spacing_ms: 0, ..GatewaySettings::default() }
}

/// A websocket after HELLO.
struct Client(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Client {
    async fn connect(server: &Server) -> Self {
        let url = format!("{}/?v=10&encoding=json", server.gateway_url());
        let (socket, _) = tokio_tungstenite::connect_async(url).await.unwrap();
        let mut client = Self(socket);
        assert_eq!(client.next().await.unwrap()["op"], 10);
        client
    }

    async fn send(&mut self, payload: Value) {
        self.0.send(Message::text(payload.to_string())).await.unwrap();
    }

    /// The next payload, or how it ended: with a code or without.
    async fn next(&mut self) -> Result<Value, Option<u16>> {
        match tokio::time::timeout(PATIENCE, self.0.next()).await.unwrap() {
            Some(Ok(Message::Text(text))) => Ok(serde_json::from_str(&text).unwrap()),
            Some(Ok(Message::Close(frame))) => Err(frame.map(|frame| frame.code.into())),
            None | Some(Err(_)) => Err(None),
            other => panic!("unexpected {other:?}"),
        }
    }

    /// Identifies; gives session id and sequence after the guild has come.
    async fn identified(server: &Server) -> (Self, Value, Value) {
        let mut client = Self::connect(server).await;
        client.identify(server, json!([0, 1])).await;
        let ready = client.dispatch("READY").await;
        let guild = client.dispatch("GUILD_CREATE").await;
        (client, ready["d"]["session_id"].clone(), guild["s"].clone())
    }

    async fn identify(&mut self, server: &Server, shard: Value) {
        let d =
            json!({"token": server.bot_token(), "intents": 1, "properties": {}, "shard": shard});
        self.send(json!({"op": 2, "d": d})).await;
    }

    async fn resume(server: &Server, session: &Value, seq: &Value) -> Self {
        let mut client = Self::connect(server).await;
        let d = json!({"token": server.bot_token(), "session_id": session, "seq": seq});
        client.send(json!({"op": 6, "d": d})).await;
        client
    }

    async fn dispatch(&mut self, event: &str) -> Value {
        loop {
            let payload = self.next().await.expect("still open");
            if payload["t"] == event {
                return payload;
            }
        }
    }
}

#[tokio::test]
async fn closes_carry_their_code_and_keep_the_session_as_discord_does() {
    let server = start(hasty()).await;
    let kept = [1000, 1001, 1006, 4000, 4001, 4002, 4008];
    let lost = [4003, 4004, 4005, 4007, 4009, 4010, 4011, 4012, 4013, 4014];
    let cases = kept.iter().map(|code| (*code, true)).chain(lost.iter().map(|code| (*code, false)));
    for (code, resumable) in cases {
        let (mut client, session, seq) = Client::identified(&server).await;
        server.gateway().close_all(code);
        let expected = (code != 1006).then_some(code);
        assert_eq!(client.next().await, Err(expected), "{code}");
        server.world().set_bitrate(LOUNGE, 64_000 + u32::from(code)).unwrap();
        let mut client = Client::resume(&server, &session, &seq).await;
        if resumable {
            let missed = client.dispatch("CHANNEL_UPDATE").await;
            assert_eq!(missed["d"]["bitrate"], 64_000 + u32::from(code));
            client.dispatch("RESUMED").await;
        } else {
            let refused = json!({"op": 9, "d": false, "s": null, "t": null});
            assert_eq!(client.next().await, Ok(refused), "{code}");
        }
        drop(client);
    }
}

#[tokio::test]
async fn a_silent_connection_acknowledges_nothing_and_its_session_replays_what_it_kept_back() {
    let server = start(hasty()).await;
    let (mut client, session, seq) = Client::identified(&server).await;
    client.send(json!({"op": 1, "d": seq})).await;
    assert_eq!(client.next().await.unwrap()["op"], 11);
    server.gateway().silence_all();
    server.world().set_bitrate(LOUNGE, 70_000).unwrap();
    client.send(json!({"op": 1, "d": seq})).await;
    let silence = tokio::time::timeout(Duration::from_millis(300), client.0.next()).await;
    assert!(silence.is_err(), "{silence:?}");
    let beats = server.journal().since(0).iter().filter(|e| e.name == "heartbeat").count();
    assert_eq!(beats, 2);

    let mut client = Client::resume(&server, &session, &seq).await;
    assert_eq!(client.dispatch("CHANNEL_UPDATE").await["d"]["bitrate"], 70_000);
    client.dispatch("RESUMED").await;
}

#[tokio::test]
async fn shards_with_one_rate_limit_key_identify_five_seconds_apart() {
    let settings = GatewaySettings { shards: 4, max_concurrency: 2, ..GatewaySettings::default() };
    let server = start(settings).await;
    let url = format!("{}/gateway/bot", server.api_base_url());
    let token = format!("Bot {}", server.bot_token());
    let asked = reqwest::Client::new().get(url).header("authorization", token);
    let told: Value = asked.send().await.unwrap().json().await.unwrap();
    assert_eq!(
        (&told["shards"], &told["session_start_limit"]["max_concurrency"]),
        (&json!(4), &json!(2))
    );
    for (shard, expected) in [(0, 0), (1, 0), (2, 9), (3, 9)] {
        let mut client = Client::connect(&server).await;
        client.identify(&server, json!([shard, 4])).await;
        assert_eq!(client.next().await.unwrap()["op"], expected, "shard {shard}");
    }
}

#[tokio::test]
async fn an_answer_can_be_lost_after_the_message_is_posted() {
    let server = start(hasty()).await;
    let fault = RestFault {
        path_prefix: "/channels/".to_owned(),
        status: 503,
        times: 1,
        retry_after: 0.0,
        carried_out: true,
    };
    server.faults().set(FaultSettings { rest: vec![fault], ..FaultSettings::default() });
    let url = format!("{}/channels/{GENERAL}/messages", server.api_base_url());
    let token = format!("Bot {}", server.bot_token());
    let mut statuses = Vec::new();
    for _ in 0..2 {
        let request = reqwest::Client::new().post(&url).header("authorization", &token);
        let body = json!({"content": "once", "nonce": "n", "enforce_nonce": true});
        statuses.push(request.json(&body).send().await.unwrap().status().as_u16());
    }
    assert_eq!(statuses, [503, 200]);
    assert_eq!(server.world().read(|state| state.messages[&GENERAL].len()), 1);
}

#[tokio::test]
async fn the_control_api_closes_and_silences() {
    let server = start(hasty()).await;
    let (mut client, ..) = Client::identified(&server).await;
    let post = |path: &str, body: Value| {
        let url = format!("{}/gateway/{path}", server.control_url());
        reqwest::Client::new().post(url).json(&body).send()
    };
    assert_eq!(post("close", json!({"code": 99})).await.unwrap().status(), 400);
    assert_eq!(post("close", json!({"code": 4009})).await.unwrap().status(), 204);
    assert_eq!(client.next().await, Err(Some(4009)));
    assert_eq!(post("silence", json!({})).await.unwrap().status(), 204);
}
