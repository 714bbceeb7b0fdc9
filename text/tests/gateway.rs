//! The gateway shell against a main gateway and REST made of a few lines of axum.

#![allow(clippy::unwrap_used, reason = "a fake that cannot be set up fails its test")]

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use axum::{
    Json, Router,
    body::Bytes,
    extract::{
        State, WebSocketUpgrade,
        ws::{CloseFrame, Message, WebSocket},
    },
    http::{Method, StatusCode, Uri},
    response::{IntoResponse, Response},
};
use clawvoice_session::{
    ChannelId, GuildId, JoinFailure, JoinOutcome, LeaveOutcome, UserId, VoiceControl,
    VoiceGatewayEvent, VoiceStateRequest, VoiceStatus, access::Policy,
};
use clawvoice_text::shell::gateway::{
    AutoPresence, CommandScope, ConnectionSettings, DiscordRest, GatewayChannels, GatewayFailure,
    GatewaySettings, IntentSettings, PresenceInput, PresenceSettings, RestSettings, RuntimeHealth,
    run,
};
use serde_json::{Value, json};
use tokio::{
    net::TcpListener,
    sync::{mpsc, oneshot, watch},
    task::JoinHandle,
    time::timeout,
};

const PATIENCE: Duration = Duration::from_secs(10);

/// A Discord that does what the test says.
struct Fake {
    address: String,
    /// Websockets in the order they were opened, after HELLO.
    sockets: mpsc::Receiver<WebSocket>,
    /// REST calls: method, path, body.
    calls: mpsc::UnboundedReceiver<(String, String, Value)>,
}

struct FakeState {
    address: String,
    sockets: mpsc::Sender<WebSocket>,
    calls: mpsc::UnboundedSender<(String, String, Value)>,
    /// Answers given before the regular ones.
    refusals: Mutex<Vec<StatusCode>>,
    /// The registered commands.
    commands: Mutex<Value>,
}

async fn fake(refusals: &[StatusCode], commands: Value) -> Fake {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (socket_tx, sockets) = mpsc::channel(4);
    let (call_tx, calls) = mpsc::unbounded_channel();
    let state = Arc::new(FakeState {
        address: address.clone(),
        sockets: socket_tx,
        calls: call_tx,
        refusals: Mutex::new(refusals.to_vec()),
        commands: Mutex::new(commands),
    });
    let app =
        Router::new().route("/", axum::routing::get(websocket)).fallback(rest).with_state(state);
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    Fake { address, sockets, calls }
}

async fn websocket(State(fake): State<Arc<FakeState>>, upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(async move |mut socket| {
        tell(&mut socket, &json!({"op": 10, "d": {"heartbeat_interval": 41250}})).await;
        let _ = fake.sockets.send(socket).await;
    })
}

async fn rest(
    State(fake): State<Arc<FakeState>>,
    method: Method,
    uri: Uri,
    body: Bytes,
) -> Response {
    let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
    let path = uri.path().strip_prefix("/api/v10").expect("an API path").to_owned();
    let _ = fake.calls.send((method.to_string(), path.clone(), body.clone()));
    let refusal = fake.refusals.lock().unwrap().pop();
    if let Some(status) = refusal {
        return (status, Json(json!({"code": 0, "message": "no"}))).into_response();
    }
    match (method.as_str(), path.as_str()) {
        ("GET", "/gateway/bot") => Json(json!({
            "url": format!("ws://{}", fake.address), "shards": 1,
            "session_start_limit":
                {"total": 1000, "remaining": 1000, "reset_after": 0, "max_concurrency": 1}}))
        .into_response(),
        ("GET", "/applications/6/commands") => {
            Json(fake.commands.lock().unwrap().clone()).into_response()
        }
        ("PUT", "/applications/6/commands") => {
            *fake.commands.lock().unwrap() = body.clone();
            Json(body).into_response()
        }
        ("POST", "/interactions/70/tok/callback") => StatusCode::NO_CONTENT.into_response(),
        ("PATCH", "/webhooks/6/tok/messages/@original") => Json(json!({})).into_response(),
        _ => (StatusCode::NOT_FOUND, Json(json!({"code": 0, "message": "404"}))).into_response(),
    }
}

async fn tell(socket: &mut WebSocket, message: &Value) {
    socket.send(Message::Text(message.to_string().into())).await.unwrap();
}

/// The next message with this opcode.
async fn heard(socket: &mut WebSocket, op: u64) -> Value {
    timeout(PATIENCE, async {
        loop {
            match socket.recv().await.expect("an open socket").expect("a whole message") {
                Message::Text(text) => {
                    let message: Value = serde_json::from_str(&text).unwrap();
                    if message["op"] == op {
                        return message["d"].clone();
                    }
                }
                Message::Close(frame) => panic!("closed with {frame:?}, op {op} expected"),
                _ => {}
            }
        }
    })
    .await
    .unwrap_or_else(|_| panic!("no op {op}"))
}

async fn close(socket: &mut WebSocket, code: u16) {
    let frame = CloseFrame { code, reason: "".into() };
    socket.send(Message::Close(Some(frame))).await.unwrap();
}

impl Fake {
    async fn socket(&mut self) -> WebSocket {
        timeout(PATIENCE, self.sockets.recv()).await.expect("a websocket").unwrap()
    }

    async fn call(&mut self, method: &str, path: &str) -> Value {
        timeout(PATIENCE, async {
            loop {
                let (called, at, body) = self.calls.recv().await.unwrap();
                if (called.as_str(), at.as_str()) == (method, path) {
                    return body;
                }
            }
        })
        .await
        .unwrap_or_else(|_| panic!("no {method} {path}"))
    }
}

/// Voice that is in no channel and joins every one.
struct Willing;

#[async_trait]
impl VoiceControl for Willing {
    async fn join(&self, _: GuildId, _: ChannelId) -> Result<JoinOutcome, JoinFailure> {
        Ok(JoinOutcome::Joined)
    }

    async fn leave(&self, _: GuildId) -> LeaveOutcome {
        LeaveOutcome::NotConnected
    }

    async fn status(&self, _: Option<GuildId>) -> Vec<VoiceStatus> {
        Vec::new()
    }
}

struct Running {
    events: mpsc::Receiver<VoiceGatewayEvent>,
    requests: mpsc::Sender<VoiceStateRequest>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<(), GatewayFailure>>,
}

fn start(fake: &Fake) -> Running {
    start_showing(fake, None)
}

/// `line`: what the status line follows.
fn start_showing(fake: &Fake, line: Option<watch::Receiver<PresenceInput>>) -> Running {
    let (voice_events, events) = mpsc::channel(64);
    let (requests, voice_requests) = mpsc::channel(16);
    let (stop, stopped) = oneshot::channel();
    let token = "secret".to_owned().into();
    let base = format!("http://{}/api/v10", fake.address);
    let rest = DiscordRest::new(&token, Some(&base), None, &RestSettings::default()).unwrap();
    let settings = GatewaySettings {
        token,
        api_base_url: Some(base),
        application_id: Some(6),
        intents: IntentSettings { voice_states: true, ..IntentSettings::default() },
        voice: true,
        text: None,
        commands: CommandScope::Global,
        ephemeral: true,
        connection: ConnectionSettings::default(),
        rest,
    };
    let channels = GatewayChannels {
        presence: line,
        policy: watch::channel(Arc::new(Policy::open())).1,
        ..GatewayChannels::new(voice_events, voice_requests, Some(Arc::new(Willing)))
    };
    let task = tokio::spawn(run(settings, channels, async {
        let _ = stopped.await;
    }));
    Running { events, requests, stop, task }
}

impl Running {
    async fn event(&mut self) -> VoiceGatewayEvent {
        timeout(PATIENCE, self.events.recv()).await.expect("an event").unwrap()
    }

    async fn ended(self) -> Result<(), GatewayFailure> {
        timeout(PATIENCE, self.task).await.expect("the gateway ends").unwrap()
    }
}

fn ready(address: &str) -> Value {
    json!({"op": 0, "s": 1, "t": "READY", "d": {"v": 10, "session_id": "abc",
        "resume_gateway_url": format!("ws://{address}"), "guilds": [],
        "user": {"id": "5", "username": "claw", "bot": true}}})
}

fn bot_state(sequence: u64, channel: Value) -> Value {
    json!({"op": 0, "s": sequence, "t": "VOICE_STATE_UPDATE", "d": {"guild_id": "1",
        "user_id": "5", "channel_id": channel, "session_id": "vs"}})
}

fn place(guild: u64, channel: Option<u64>) -> VoiceStateRequest {
    VoiceStateRequest {
        guild: GuildId::new(guild),
        channel: channel.map(ChannelId::new),
        self_mute: false,
        self_deaf: false,
    }
}

#[tokio::test]
async fn a_whole_life_from_identify_to_close_1000() {
    let mut fake = fake(&[], json!([])).await;
    let mut running = start(&fake);

    let commands = fake.call("PUT", "/applications/6/commands").await;
    assert_eq!(commands[0]["name"], "vc");
    assert_eq!(commands[0]["options"][0]["options"][0]["channel_types"], json!([2, 13]));

    let mut socket = fake.socket().await;
    let identify = heard(&mut socket, 2).await;
    assert_eq!((&identify["token"], &identify["intents"]), (&json!("Bot secret"), &json!(129)));
    tell(&mut socket, &ready(&fake.address)).await;
    assert!(
        matches!(running.event().await, VoiceGatewayEvent::Ready { user } if user == UserId::new(5))
    );

    running.requests.send(place(1, Some(9))).await.unwrap();
    let asked = heard(&mut socket, 4).await;
    assert_eq!(
        asked,
        json!({"guild_id": "1", "channel_id": "9", "self_deaf": false, "self_mute": false})
    );
    tell(&mut socket, &bot_state(2, json!("9"))).await;
    let VoiceGatewayEvent::State(state) = running.event().await else { panic!("no state") };
    assert_eq!((state.channel, state.session_id.as_str()), (Some(ChannelId::new(9)), "vs"));

    let typed = json!({"op": 0, "s": 3, "t": "INTERACTION_CREATE", "d": {"id": "70",
        "application_id": "6", "type": 2, "token": "tok", "guild_id": "1",
        "member": {"user": {"id": "2", "username": "ada"}},
        "data": {"name": "vc", "options": [{"name": "join", "type": 1, "options":
            [{"name": "channel", "type": 7, "value": "9"}]}],
            "resolved": {"channels": {"9": {"type": 2}}}}}});
    tell(&mut socket, &typed).await;
    let deferred = fake.call("POST", "/interactions/70/tok/callback").await;
    assert_eq!(deferred, json!({"type": 5, "data": {"flags": 64}}));
    let edited = fake.call("PATCH", "/webhooks/6/tok/messages/@original").await;
    assert_eq!(edited["content"], "Joined <#9>.");

    running.requests.send(place(1, None)).await.unwrap();
    running.stop.send(()).unwrap();
    assert_eq!(heard(&mut socket, 4).await["channel_id"], Value::Null);
    tell(&mut socket, &bot_state(4, Value::Null)).await;
    let closed = timeout(PATIENCE, async {
        loop {
            if let Message::Close(frame) = socket.recv().await.unwrap().unwrap() {
                return frame.expect("a close code").code;
            }
        }
    });
    assert_eq!(closed.await.unwrap(), 1000);
    drop(socket);
    assert_eq!(timeout(PATIENCE, running.task).await.unwrap().unwrap(), Ok(()));
}

#[tokio::test]
async fn commands_are_written_only_when_they_differ() {
    let mut first = fake(&[], json!([])).await;
    let running = start(&first);
    let mut registered = first.call("PUT", "/applications/6/commands").await;
    registered[0]["id"] = json!("77");
    drop(running);

    let mut second = fake(&[], registered).await;
    let running = start(&second);
    second.call("GET", "/applications/6/commands").await;
    second.socket().await;
    drop(running);
    while let Ok((method, path, _)) = second.calls.try_recv() {
        assert_eq!(method, "GET", "{path}");
    }
}

#[tokio::test]
async fn a_refused_token_ends_it() {
    let fake = fake(&[StatusCode::UNAUTHORIZED], json!([])).await;
    assert_eq!(start(&fake).ended().await, Err(GatewayFailure::TokenRefused));
}

#[tokio::test]
async fn an_answer_that_will_not_change_ends_it_too() {
    let fake = fake(&[StatusCode::NOT_FOUND], json!([])).await;
    let ended = start(&fake).ended().await.unwrap_err();
    assert_eq!(ended.to_string(), "GET /gateway/bot failed: status 404");
}

#[tokio::test]
async fn the_status_line_is_told_with_identify_after_ready_and_on_change() {
    let mut fake = fake(&[], json!([])).await;
    let auto =
        AutoPresence { min_update_interval: Duration::from_millis(50), ..AutoPresence::default() };
    let settings = PresenceSettings { auto: Some(auto), ..PresenceSettings::default() };
    let (line, wanted) = watch::channel(PresenceInput { settings, health: RuntimeHealth::Unknown });
    let mut running = start_showing(&fake, Some(wanted));
    let mut socket = fake.socket().await;
    let degraded = json!({"since": null, "afk": false, "status": "idle", "activities":
        [{"name": "Custom Status", "type": 4, "state": "runtime degraded"}]});
    let identify = heard(&mut socket, 2).await;
    assert_eq!(identify["presence"]["status"], "idle");
    assert_eq!(identify["presence"]["activities"][0]["state"], "runtime degraded");
    tell(&mut socket, &ready(&fake.address)).await;
    assert!(matches!(running.event().await, VoiceGatewayEvent::Ready { .. }));
    assert_eq!(heard(&mut socket, 3).await, degraded);
    line.send_modify(|input| input.health = RuntimeHealth::Exhausted);
    let exhausted = heard(&mut socket, 3).await;
    assert_eq!(
        (&exhausted["status"], &exhausted["activities"][0]["state"]),
        (&json!("dnd"), &json!("token exhausted"))
    );
}

#[tokio::test]
async fn fatal_closes_end_it_in_words() {
    let cases = [
        (4004, GatewayFailure::TokenRefused, "Discord refused the bot token"),
        (
            4014,
            GatewayFailure::Closed { code: 4014 },
            "Discord closed the gateway for good: disallowed intents (4014)",
        ),
        (
            4012,
            GatewayFailure::Closed { code: 4012 },
            "Discord closed the gateway for good: invalid API version (4012)",
        ),
    ];
    for (code, failure, words) in cases {
        let mut fake = fake(&[], json!([])).await;
        let running = start(&fake);
        let mut socket = fake.socket().await;
        heard(&mut socket, 2).await;
        close(&mut socket, code).await;
        let ended = running.ended().await.unwrap_err();
        assert_eq!((ended.to_string().as_str(), &ended), (words, &failure));
        assert!(!ended.hint().is_empty());
    }
}

#[tokio::test]
async fn a_server_error_is_waited_out() {
    let mut fake = fake(&[StatusCode::INTERNAL_SERVER_ERROR], json!([])).await;
    let _running = start(&fake);
    let mut socket = fake.socket().await;
    heard(&mut socket, 2).await;
}

#[tokio::test]
async fn shutdown_does_not_wait_for_discord() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (_sockets, sockets) = mpsc::channel(1);
    let (_calls, calls) = mpsc::unbounded_channel();
    // Takes connections into its backlog and never answers.
    let running = start(&Fake { address, sockets, calls });
    running.stop.send(()).unwrap();
    assert_eq!(timeout(PATIENCE, running.task).await.unwrap().unwrap(), Ok(()));
}

#[tokio::test]
async fn a_lost_connection_is_resumed_and_a_lost_session_told() {
    let mut fake = fake(&[], json!([])).await;
    let mut running = start(&fake);
    let mut socket = fake.socket().await;
    heard(&mut socket, 2).await;
    tell(&mut socket, &ready(&fake.address)).await;
    assert!(matches!(running.event().await, VoiceGatewayEvent::Ready { .. }));
    close(&mut socket, 4000).await;

    let mut socket = fake.socket().await;
    let resume = heard(&mut socket, 6).await;
    assert_eq!((&resume["session_id"], &resume["seq"]), (&json!("abc"), &json!(1)));
    tell(&mut socket, &json!({"op": 0, "s": 2, "t": "RESUMED", "d": {}})).await;
    assert!(matches!(running.event().await, VoiceGatewayEvent::Ready { .. }));

    tell(&mut socket, &json!({"op": 9, "d": false})).await;
    assert!(matches!(running.event().await, VoiceGatewayEvent::SessionLost));
    // What is asked for while there is no session is sent once there is one; the last wins.
    running.requests.send(place(1, Some(8))).await.unwrap();
    running.requests.send(place(1, Some(9))).await.unwrap();
    let answer_close = tokio::spawn(async move { while let Some(Ok(_)) = socket.recv().await {} });
    let mut socket = fake.socket().await;
    answer_close.await.unwrap();
    heard(&mut socket, 2).await;
    tell(&mut socket, &ready(&fake.address)).await;
    assert!(matches!(running.event().await, VoiceGatewayEvent::Ready { .. }));
    assert_eq!(heard(&mut socket, 4).await["channel_id"], "9");
}
