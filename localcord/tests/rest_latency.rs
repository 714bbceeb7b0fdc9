//! REST answers that come late, and nothing else that does.

#![allow(clippy::unwrap_used, reason = "a step that fails is the test's failure")]

use std::time::{Duration, Instant};

use futures_util::{SinkExt as _, StreamExt as _};
use localcord::{
    Server, ServerSettings,
    fault::{FaultSettings, MAX_REST_LATENCY_MS},
    server::StartError,
    world::default::GENERAL,
};
use reqwest::Client;
use serde_json::{Value, json};
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, tungstenite::Message};

const PATIENCE: Duration = Duration::from_secs(20);

async fn server(rest_latency_ms: u32) -> Result<Server, StartError> {
    let faults = FaultSettings { rest_latency_ms, ..FaultSettings::default() };
    Server::start(ServerSettings { faults, ..ServerSettings::default() }).await
}

/// How long a call takes that has nothing to do.
async fn takes(server: &Server, path: &str) -> Duration {
    let began = Instant::now();
    let url = format!("{}{path}", server.api_base_url());
    let token = format!("Bot {}", server.bot_token());
    let answer = Client::new().get(url).header("authorization", token).send();
    timeout(PATIENCE, answer).await.unwrap().unwrap();
    began.elapsed()
}

async fn set(server: &Server, faults: Value) -> (u16, Value) {
    let url = format!("{}/faults", server.control_url());
    let answer = timeout(PATIENCE, Client::new().put(url).json(&faults).send()).await;
    let answer = answer.unwrap().unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

#[tokio::test]
async fn every_answer_takes_at_least_the_latency_in_force() {
    let server = server(150).await.unwrap();
    // Answers, refusals and what there is not are alike.
    for path in ["/gateway", "/users/@me", "/users/1", "/nothing"] {
        let took = takes(&server, path).await;
        assert!(took >= Duration::from_millis(150), "{path}: {took:?}");
    }
    let (status, told) = set(&server, json!({ "restLatencyMs": 300 })).await;
    assert_eq!((status, &told["restLatencyMs"]), (200, &json!(300)));
    let took = takes(&server, "/gateway").await;
    assert!(took >= Duration::from_millis(300), "{took:?}");
}

#[tokio::test]
async fn the_gateway_and_the_control_api_do_not_wait_for_it() {
    let server = server(MAX_REST_LATENCY_MS).await.unwrap();
    let mut gateway = identified(&server).await;
    // For as long as the answer of this call is held back it goes on in the background.
    let url = format!("{}/channels/{GENERAL}/messages", server.api_base_url());
    let call = Client::new()
        .post(url)
        .header("authorization", format!("Bot {}", server.bot_token()))
        .json(&json!({ "content": "soon" }));
    let call = tokio::spawn(call.send());
    let message = dispatch(&mut gateway, "MESSAGE_CREATE").await;
    assert_eq!(message["content"], "soon");
    assert!(!call.is_finished(), "the answer came before its minute was over");

    let (_, told) = set(&server, json!({})).await;
    assert_eq!(told["restLatencyMs"], 0);
    takes(&server, "/gateway").await;
    call.abort();
}

#[tokio::test]
async fn a_reset_brings_the_latency_of_the_start_back_and_more_than_a_minute_is_refused() {
    let server = server(40).await.unwrap();
    set(&server, json!({ "udpDropPercent": 5 })).await;
    let (status, told) = set(&server, json!({ "restLatencyMs": MAX_REST_LATENCY_MS + 1 })).await;
    assert_eq!(status, 400);
    assert!(told["error"].as_str().unwrap().contains("restLatencyMs"), "{told}");
    assert_eq!(server.faults().current().udp_drop_percent, 5.0, "nothing has changed");

    let reset = Client::new().post(format!("{}/reset", server.control_url())).send();
    assert_eq!(timeout(PATIENCE, reset).await.unwrap().unwrap().status(), 204);
    let expected = FaultSettings { rest_latency_ms: 40, ..FaultSettings::default() };
    assert_eq!(server.faults().current(), expected);

    let refused = self::server(MAX_REST_LATENCY_MS + 1).await.unwrap_err();
    assert!(matches!(refused, StartError::Faults(_)), "{refused}");
}

type Gateway = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// A connection to the main gateway that is told of messages.
async fn identified(server: &Server) -> Gateway {
    let url = format!("{}/?v=10&encoding=json", server.gateway_url());
    let (mut gateway, _) = tokio_tungstenite::connect_async(url).await.unwrap();
    // GUILDS, GUILD_MESSAGES and MESSAGE_CONTENT.
    let intents = 1 | 1 << 9 | 1 << 15;
    let d = json!({ "token": server.bot_token(), "intents": intents, "properties": {} });
    gateway.send(Message::text(json!({ "op": 2, "d": d }).to_string())).await.unwrap();
    dispatch(&mut gateway, "GUILD_CREATE").await;
    gateway
}

async fn dispatch(gateway: &mut Gateway, event: &str) -> Value {
    loop {
        let message = timeout(PATIENCE, gateway.next()).await.unwrap().unwrap().unwrap();
        let Message::Text(text) = message else { continue };
        let payload: Value = serde_json::from_str(&text).unwrap();
        if payload["t"] == event {
            return payload["d"].clone();
        }
    }
}
