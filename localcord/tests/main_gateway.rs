//! The main gateway as clients meet it: raw websockets, and twilight unpatched.

use std::{net::SocketAddr, time::Duration};

use flate2::{Decompress, FlushDecompress};
use futures_util::{SinkExt as _, StreamExt as _};
use localcord::{Server, ServerSettings, gateway::GatewaySettings, world::default};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, tungstenite::Message};
use twilight_gateway::{
    CloseFrame, ConfigBuilder, Event, EventTypeFlags, Intents, Shard, ShardId, StreamExt as _,
};

struct Fixture {
    server: Server,
    address: SocketAddr,
    token: String,
}

async fn start() -> Fixture {
    let gateway = GatewaySettings { identify_spacing_ms: 0, ..GatewaySettings::default() };
    let settings = ServerSettings { gateway, ..ServerSettings::default() };
    let server = Server::start(settings).await.expect("localcord starts on free ports");
    let (address, token) = (server.address(), server.bot_token());
    Fixture { address, token, server }
}

struct Client {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    inflate: Option<Decompress>,
}

impl Client {
    async fn connect(fixture: &Fixture, query: &str) -> Self {
        let url = format!("ws://{}/?v=10&encoding=json{query}", fixture.address);
        let (socket, _) = tokio_tungstenite::connect_async(url).await.expect("localcord upgrades");
        let inflate = query.contains("zlib-stream").then(|| Decompress::new(true));
        Self { socket, inflate }
    }

    async fn send(&mut self, payload: Value) {
        let sent = self.socket.send(Message::text(payload.to_string())).await;
        sent.expect("the connection is open");
    }

    /// The next payload, or the close code.
    async fn next(&mut self) -> Result<Value, Option<u16>> {
        let wait = tokio::time::timeout(Duration::from_secs(10), self.socket.next());
        match wait.await.expect("the gateway answers") {
            Some(Ok(Message::Text(text))) => Ok(serde_json::from_str(&text).expect("JSON")),
            Some(Ok(Message::Binary(bytes))) => {
                let mut out = Vec::with_capacity(1 << 20);
                let inflate = self.inflate.as_mut().expect("compressed only when asked for");
                let read = inflate.decompress_vec(&bytes, &mut out, FlushDecompress::Sync);
                read.expect("a flushed zlib stream");
                Ok(serde_json::from_slice(&out).expect("JSON"))
            }
            Some(Ok(Message::Close(frame))) => Err(frame.map(|frame| frame.code.into())),
            other => panic!("unexpected {other:?}"),
        }
    }

    async fn identify(&mut self, token: &str, intents: u64) {
        let d = json!({"token": token, "intents": intents, "properties": {"os": "x"}});
        self.send(json!({"op": 2, "d": d})).await;
    }

    /// Skips to the dispatch with this name.
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
async fn a_bot_identifies_joins_voice_and_resumes_what_it_missed() {
    let fixture = start().await;
    let mut client = Client::connect(&fixture, "").await;
    assert_eq!(client.next().await.unwrap()["op"], 10);
    client.identify(&fixture.token, 129).await;
    let ready = client.dispatch("READY").await;
    let session = ready["d"]["session_id"].clone();
    let guild = client.dispatch("GUILD_CREATE").await;
    assert_eq!(guild["d"]["id"], default::GUILD.to_string());
    let seq = guild["s"].clone();

    drop(client);
    fixture.server.world().add_human("dora");
    fixture
        .server
        .world()
        .set_voice_state(default::GUILD, default::ADA, Some(default::LOUNGE), false, false)
        .unwrap();

    let mut client = Client::connect(&fixture, "").await;
    assert_eq!(client.next().await.unwrap()["op"], 10);
    let d = json!({"token": fixture.token, "session_id": session, "seq": seq});
    client.send(json!({"op": 6, "d": d})).await;
    let missed = client.dispatch("VOICE_STATE_UPDATE").await;
    assert_eq!(missed["d"]["user_id"], default::ADA.to_string());
    client.dispatch("RESUMED").await;
}

#[tokio::test]
async fn refusals_have_discords_close_codes() {
    let fixture = start().await;
    for (token, intents, code) in [("wrong", 129, 4004), (fixture.token.as_str(), 1 << 60, 4013)] {
        let mut client = Client::connect(&fixture, "").await;
        client.next().await.unwrap();
        client.identify(token, intents).await;
        assert_eq!(client.next().await, Err(Some(code)));
    }
    let (mut old, _) =
        tokio_tungstenite::connect_async(format!("ws://{}/?v=6", fixture.address)).await.unwrap();
    let Some(Ok(Message::Close(Some(frame)))) = old.next().await else { panic!("not closed") };
    assert_eq!(u16::from(frame.code), 4012);
}

#[tokio::test]
async fn a_session_that_never_was_cannot_be_resumed() {
    let fixture = start().await;
    let mut client = Client::connect(&fixture, "").await;
    client.next().await.unwrap();
    let d = json!({"token": fixture.token, "session_id": "nothing", "seq": 1});
    client.send(json!({"op": 6, "d": d})).await;
    assert_eq!(client.next().await.unwrap(), json!({"op": 9, "d": false, "s": null, "t": null}));
}

#[tokio::test]
async fn zlib_stream_carries_the_same_events() {
    let fixture = start().await;
    let mut client = Client::connect(&fixture, "&compress=zlib-stream").await;
    assert_eq!(client.next().await.unwrap()["op"], 10);
    client.identify(&fixture.token, 1).await;
    client.dispatch("GUILD_CREATE").await;
}

#[tokio::test]
async fn after_an_invalid_session_that_may_be_resumed_the_same_connection_resumes_it() {
    let fixture = start().await;
    let mut client = Client::connect(&fixture, "").await;
    client.next().await.expect("HELLO");
    client.identify(&fixture.token, 1).await;
    let session = client.dispatch("READY").await["d"]["session_id"].clone();
    let seq = client.dispatch("GUILD_CREATE").await["s"].clone();
    fixture.server.gateway().invalidate_all(true);
    assert_eq!(client.next().await.expect("op 9")["d"], true);
    let d = json!({"token": fixture.token, "session_id": session, "seq": seq});
    client.send(json!({"op": 6, "d": d})).await;
    client.dispatch("RESUMED").await;
}

#[tokio::test]
async fn a_sequence_from_the_future_ends_the_session() {
    let fixture = start().await;
    let mut client = Client::connect(&fixture, "").await;
    client.next().await.expect("HELLO");
    client.identify(&fixture.token, 1).await;
    let session = client.dispatch("READY").await["d"]["session_id"].clone();
    drop(client);
    for (seq, answer) in [(99, Err(Some(4007))), (1, Ok(json!(9)))] {
        let mut client = Client::connect(&fixture, "").await;
        client.next().await.expect("HELLO");
        let d = json!({"token": fixture.token, "session_id": session, "seq": seq});
        client.send(json!({"op": 6, "d": d})).await;
        assert_eq!(client.next().await.map(|payload| payload["op"].clone()), answer);
    }
}

/// twilight asks for zstd-stream by default.
#[tokio::test]
async fn twilight_connects_unpatched_and_survives_a_reconnect() {
    let fixture = start().await;
    let config = ConfigBuilder::new(fixture.token.clone(), Intents::GUILDS)
        .proxy_url(format!("ws://{}", fixture.address))
        .build();
    let mut shard = Shard::with_config(ShardId::ONE, config);
    let mut reconnected = false;
    let wait = tokio::time::timeout(Duration::from_secs(20), async {
        while let Some(event) = shard.next_event(EventTypeFlags::all()).await {
            match event {
                Ok(Event::GuildCreate(guild)) if !reconnected => {
                    assert_eq!(guild.id().get(), default::GUILD);
                    fixture.server.gateway().reconnect_all();
                    reconnected = true;
                }
                Ok(Event::Resumed) => return,
                Ok(_) => {}
                Err(error) => panic!("twilight could not read an event: {error:?}"),
            }
        }
    });
    wait.await.expect("twilight resumes");
    shard.close(CloseFrame::NORMAL);
}
