//! The main gateway: `wss://…/?v=10&encoding=json`.
//!
//! `payload` parses, `connection` holds the rules of one connection without I/O, `hub` the
//! sessions that outlive connections, `compression` the transport; this file is the shell that
//! moves bytes and time between them. Source: Discord, "Gateway".

mod compression;
mod connection;
mod hub;
mod payload;

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{
    Extension, Router,
    extract::{
        Query, State,
        ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade},
    },
    response::Response,
    routing::get,
};
use serde_json::{Value, json};
use tokio::sync::{broadcast, mpsc};

use self::{
    compression::{Compressor, Frame},
    connection::{Connection, Output},
    hub::{Hub, Refusal, ToConnection},
};
use crate::{
    journal::Journal,
    listen::Via,
    world::{Dispatch, World},
};

/// How long a message may take to be written.
const WRITE_LIMIT: Duration = Duration::from_secs(10);

/// How the main gateway behaves.
#[derive(Clone, Copy, Debug)]
pub struct GatewaySettings {
    /// Told in HELLO; Discord's is about 41,250 ms.
    pub heartbeat_interval_ms: u64,
    /// How long a session waits for its client to come back.
    pub resume_window_ms: u64,
    /// The least time between two IDENTIFYs of a bot with the same rate limit key.
    pub identify_spacing_ms: u64,
    /// Rate limit keys, told by GET /gateway/bot.
    pub max_concurrency: u32,
    /// Shards that GET /gateway/bot asks for.
    pub shards: u32,
}

impl Default for GatewaySettings {
    fn default() -> Self {
        Self {
            heartbeat_interval_ms: 41_250,
            resume_window_ms: 120_000,
            identify_spacing_ms: 5_000,
            max_concurrency: 1,
            shards: 1,
        }
    }
}

/// The main gateway. Cloning gives another handle.
#[derive(Clone)]
pub struct Gateway {
    hub: Hub,
    world: World,
    journal: Journal,
    settings: GatewaySettings,
    authority: String,
    began: Instant,
    /// Counts the events that were fanned out.
    published: Arc<AtomicU64>,
}

impl Gateway {
    /// A gateway over `world`. `authority` (`host:port`) is where READY's `resume_gateway_url`
    /// points, with the scheme that the client came by. Starts the task that fans events out;
    /// needs a tokio runtime.
    #[must_use]
    pub fn start(
        world: World,
        journal: Journal,
        settings: GatewaySettings,
        authority: String,
    ) -> Self {
        let hub = Hub::new(world.clone(), journal.clone(), settings);
        // Those before it subscribed are nobody's.
        let dispatches = world.subscribe();
        let published = Arc::new(AtomicU64::new(world.dispatched()));
        let (world, began) = (world.clone(), Instant::now());
        let gateway = Self { hub, world, journal, settings, authority, began, published };
        tokio::spawn(gateway.clone().fan_out(dispatches));
        gateway
    }

    /// `GET /`, to be merged with REST on one port.
    pub fn router(&self) -> Router {
        Router::new().route("/", get(upgrade)).with_state(self.clone())
    }

    /// Sends op 7 to every connection.
    pub fn reconnect_all(&self) {
        self.hub.reconnect_all();
    }

    /// Sends op 9 to every connection; with `resumable` false all sessions are lost.
    pub fn invalidate_all(&self, resumable: bool) {
        self.hub.invalidate_all(resumable);
    }

    /// Closes every connection with this code; 1006: without a close frame.
    pub fn close_all(&self, code: u16) {
        self.hub.close_all(code);
    }

    /// Every connection that is open now says nothing more, as behind a router that forgot it: no
    /// event, no answer to heartbeats.
    pub fn silence_all(&self) {
        self.hub.silence_all();
    }

    /// Events that happened and are not with the client yet that is furthest behind.
    pub(crate) fn under_way(&self) -> u64 {
        let published = self.published.load(Ordering::Relaxed);
        let behind = self.world.dispatched().saturating_sub(published);
        behind + u64::try_from(self.hub.waiting()).unwrap_or(u64::MAX)
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    async fn fan_out(self, mut dispatches: broadcast::Receiver<Arc<Dispatch>>) {
        let mut sweep = tokio::time::interval(Duration::from_secs(1));
        loop {
            tokio::select! {
                dispatch = dispatches.recv() => match dispatch {
                    Ok(dispatch) => {
                        self.hub.publish(&dispatch);
                        self.published.fetch_add(1, Ordering::Relaxed);
                    }
                    Err(broadcast::error::RecvError::Lagged(missed)) => {
                        self.published.fetch_add(missed, Ordering::Relaxed);
                        self.journal.record("gateway", "dispatches lost", json!({"count": missed}));
                    }
                    Err(broadcast::error::RecvError::Closed) => return,
                },
                _ = sweep.tick() => self.hub.sweep(self.now_ms()),
            }
        }
    }
}

async fn upgrade(
    State(gateway): State<Gateway>,
    Query(query): Query<HashMap<String, String>>,
    via: Option<Extension<Via>>,
    upgrade: WebSocketUpgrade,
) -> Response {
    let tls = via.is_some_and(|Extension(via)| via.tls);
    let resume_url = format!("{}://{}", if tls { "wss" } else { "ws" }, gateway.authority);
    upgrade.on_upgrade(move |socket| async move {
        let version_fits = query.get("v").is_some_and(|v| v == "10" || v == "9");
        let encoding_fits = query.get("encoding").is_none_or(|encoding| encoding == "json");
        let compressor = Compressor::named(query.get("compress").map(String::as_str));
        match compressor {
            Some(Ok(compressor)) if version_fits && encoding_fits => {
                Client::new(gateway, socket, compressor, resume_url).run().await;
            }
            _ => refuse_version(gateway, socket).await,
        }
    })
}

async fn refuse_version(gateway: Gateway, mut socket: WebSocket) {
    gateway.journal.record("gateway", "close", json!({"code": 4012}));
    let frame = CloseFrame { code: 4012, reason: "Invalid API version.".into() };
    let _ = socket.send(Message::Close(Some(frame))).await;
}

/// The shell of one connection.
struct Client {
    gateway: Gateway,
    socket: WebSocket,
    compressor: Compressor,
    resume_url: String,
    connection: Connection,
    session_id: Option<String>,
    to_us: mpsc::Sender<ToConnection>,
    from_hub: mpsc::Receiver<ToConnection>,
    /// Says nothing more.
    silent: bool,
}

/// Whether a session outlives a close with this code.
/// Source: Discord, "Gateway Close Event Codes".
fn is_resumable(code: u16) -> bool {
    !matches!(code, 4003..=4005 | 4007 | 4009 | 4010..=4014)
}

/// How a connection ended.
struct End {
    resumable: bool,
}

impl Client {
    fn new(
        gateway: Gateway,
        socket: WebSocket,
        compressor: Compressor,
        resume_url: String,
    ) -> Self {
        let connection = Connection::new(gateway.settings.heartbeat_interval_ms, gateway.now_ms());
        let (to_us, from_hub) = mpsc::channel(hub::CONNECTION_CAPACITY);
        Self {
            gateway,
            socket,
            compressor,
            resume_url,
            connection,
            session_id: None,
            to_us,
            from_hub,
            silent: false,
        }
    }

    async fn run(mut self) {
        let end = loop {
            if let Some(end) = self.drain().await {
                break end;
            }
            if self.has_fallen_behind() {
                break End { resumable: true };
            }
            let deadline = self.connection.poll_timeout();
            let deadline = deadline.map(|ms| self.gateway.began + Duration::from_millis(ms));
            tokio::select! {
                message = self.socket.recv() => match message {
                    Some(Ok(message)) => {
                        if let Some(end) = self.handle_message(&message) {
                            break end;
                        }
                    }
                    Some(Err(_)) | None => break End { resumable: true },
                },
                Some(command) = self.from_hub.recv() => {
                    if let Some(end) = self.handle_command(command).await {
                        break end;
                    }
                }
                () = sleep_until(deadline) => {
                    self.connection.handle_timeout(self.gateway.now_ms());
                }
            }
        };
        if let Some(id) = &self.session_id {
            let now = self.gateway.now_ms();
            self.gateway.hub.disconnected(now, id, &self.to_us, end.resumable);
        }
    }

    fn handle_message(&mut self, message: &Message) -> Option<End> {
        let now = self.gateway.now_ms();
        match message {
            Message::Text(text) => self.handle_text(now, text.as_str()),
            // Discord takes JSON in either kind of frame on the main gateway.
            Message::Binary(bytes) => {
                let text = std::str::from_utf8(bytes).unwrap_or("");
                self.handle_text(now, text);
            }
            Message::Close(frame) => {
                let code = frame.as_ref().map(|frame| frame.code);
                let resumable = !matches!(code, Some(1000 | 1001));
                self.gateway.journal.record("gateway", "closed by client", json!({"code": code}));
                return Some(End { resumable });
            }
            Message::Ping(_) | Message::Pong(_) => {}
        }
        None
    }

    fn handle_text(&mut self, now: u64, text: &str) {
        let before = self.connection.heartbeats();
        self.connection.handle_text(now, text);
        if self.connection.heartbeats() > before {
            self.gateway.journal.record("gateway", "heartbeat", json!({}));
        }
    }

    async fn handle_command(&mut self, command: ToConnection) -> Option<End> {
        match command {
            ToConnection::Dispatch(text) => {
                if self.send(text.to_string()).await.is_err() {
                    return Some(End { resumable: true });
                }
            }
            ToConnection::Reconnect => self.connection.ask_to_reconnect(),
            ToConnection::Invalid { resumable } => {
                self.connection.invalid_session(resumable);
                if let Some(id) = self.session_id.take() {
                    let now = self.gateway.now_ms();
                    self.gateway.hub.disconnected(now, &id, &self.to_us, resumable);
                }
            }
            ToConnection::FallSilent => self.silent = true,
            ToConnection::Close(code) => {
                self.gateway.journal.record("gateway", "close", json!({"code": code}));
                if code != 1006 {
                    let frame = CloseFrame { code, reason: "As asked for.".into() };
                    let _ = self.socket.send(Message::Close(Some(frame))).await;
                }
                return Some(End { resumable: is_resumable(code) });
            }
            ToConnection::Replaced => {
                let frame = CloseFrame { code: 4000, reason: "Resumed elsewhere.".into() };
                let _ = self.socket.send(Message::Close(Some(frame))).await;
                return Some(End { resumable: true });
            }
        }
        None
    }

    /// Carries out what the connection asks for; `Some` when it is over.
    async fn drain(&mut self) -> Option<End> {
        while let Some(output) = self.connection.poll_output() {
            match output {
                Output::Send(payload) => {
                    if self.send(payload.to_string()).await.is_err() {
                        return Some(End { resumable: true });
                    }
                }
                Output::Close(code, words) => {
                    self.gateway.journal.record("gateway", "close", json!({"code": code}));
                    let frame = CloseFrame { code, reason: words.into() };
                    let _ = self.socket.send(Message::Close(Some(frame))).await;
                    return Some(End { resumable: is_resumable(code) });
                }
                Output::Identify(identify) => {
                    let verdict = self.gateway.hub.identify(
                        self.gateway.now_ms(),
                        &identify,
                        &self.to_us,
                        &self.resume_url,
                    );
                    if identify.compress && matches!(self.compressor, Compressor::None) {
                        self.compressor = Compressor::ZlibPayload;
                    }
                    self.settle(verdict.map(Some));
                }
                Output::Resume(resume) => {
                    let verdict = self.gateway.hub.resume(&resume, &self.to_us);
                    self.settle(verdict.map(|()| Some(resume.session_id)));
                }
                Output::VoiceState(request) => self.set_voice_state(&request),
                Output::RequestMembers(request) => {
                    if let Some(id) = &self.session_id {
                        self.gateway.hub.send_members(id, &request);
                    }
                }
            }
        }
        None
    }

    /// The hub had to leave something out: the client must come back and resume.
    fn has_fallen_behind(&self) -> bool {
        let id = self.session_id.as_ref().filter(|_| self.from_hub.is_empty());
        id.is_some_and(|id| !self.gateway.hub.serves(id, &self.to_us))
    }

    fn settle(&mut self, verdict: Result<Option<String>, Refusal>) {
        match verdict {
            Ok(session_id) => {
                self.session_id = session_id;
                self.connection.accept();
            }
            Err(Refusal::Close(code, words)) => self.connection.refuse(code, words),
            Err(Refusal::InvalidSession) => self.connection.invalid_session(false),
        }
    }

    fn set_voice_state(&self, request: &payload::VoiceStateRequest) {
        let Some(session) = &self.session_id else { return };
        let Some(user) = self.gateway.hub.user_of(session) else { return };
        let outcome = self.gateway.world.set_voice_state_from(
            session,
            (request.guild_id, user),
            request.channel_id,
            (request.self_mute, request.self_deaf),
        );
        // Discord answers a request it refuses with silence; the journal says why.
        let refused = outcome.err().map(|denied| denied.to_string());
        self.gateway.journal.record(
            "gateway",
            "voice state update",
            json!({
                "user": user.to_string(),
                "guild": request.guild_id.to_string(),
                "channel": request.channel_id.map(|id| id.to_string()),
                "refused": refused.map_or(Value::Null, Value::from),
            }),
        );
    }

    /// Sends; a client that does not read for [`WRITE_LIMIT`] is given up.
    async fn send(&mut self, text: String) -> Result<(), axum::Error> {
        if self.silent {
            return Ok(());
        }
        let frame = self.compressor.frame(text).map_err(axum::Error::new)?;
        let message = match frame {
            Frame::Text(text) => Message::Text(text.into()),
            Frame::Binary(bytes) => Message::Binary(bytes.into()),
        };
        let sent = tokio::time::timeout(WRITE_LIMIT, self.socket.send(message)).await;
        sent.unwrap_or_else(|elapsed| Err(axum::Error::new(elapsed)))
    }
}

async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}
