//! Slash commands at a real Discord of their own: what is asked for at each start, and what is there
//! afterwards.

#![allow(clippy::unwrap_used, reason = "a Discord that cannot be set up fails its test")]

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use axum::{
    Json, Router,
    body::Bytes,
    extract::State,
    http::{Method, StatusCode},
    response::{IntoResponse, Response},
    routing::get,
};
use clawvoice_session::{GuildId, VoiceGatewayEvent, VoiceStateRequest};
use clawvoice_text::{
    control::ControlRules,
    shell::gateway::{
        CommandScope, ConnectionSettings, DiscordRest, GatewayChannels, GatewayFailure,
        GatewaySettings, IntentSettings, RestSettings, run,
    },
};
use localcord::{
    Server, ServerSettings,
    world::default::{APPLICATION, GUILD},
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    net::TcpListener,
    sync::{mpsc, oneshot},
    task::JoinHandle,
    time::timeout,
};

const PATIENCE: Duration = Duration::from_secs(20);

/// Where the cache of commands is, below the folder of a bot's state.
struct Place {
    server: Server,
    folder: TempDir,
}

/// A bot that runs.
struct Running {
    events: mpsc::Receiver<VoiceGatewayEvent>,
    _requests: mpsc::Sender<VoiceStateRequest>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<(), GatewayFailure>>,
}

impl Running {
    fn of(settings: GatewaySettings) -> Self {
        let (voice_events, events) = mpsc::channel(64);
        let (requests, voice_requests) = mpsc::channel(16);
        let (stop, stopped) = oneshot::channel::<()>();
        let channels = GatewayChannels::new(voice_events, voice_requests, None);
        let task = tokio::spawn(run(settings, channels, async {
            let _ = stopped.await;
        }));
        Self { events, _requests: requests, stop, task }
    }

    async fn is_ready(&mut self) {
        let ready = async {
            while !matches!(self.events.recv().await.unwrap(), VoiceGatewayEvent::Ready { .. }) {}
        };
        timeout(PATIENCE, ready).await.expect("READY");
    }

    async fn end(self) {
        self.stop.send(()).unwrap();
        timeout(PATIENCE, self.task).await.unwrap().unwrap().unwrap();
    }
}

fn settings(base: String, token: &str, folder: &Path, commands: CommandScope) -> GatewaySettings {
    let token = token.to_owned().into();
    let rest = DiscordRest::new(&token, Some(&base), None, &RestSettings::default()).unwrap();
    GatewaySettings {
        token,
        api_base_url: Some(base),
        application_id: Some(APPLICATION),
        intents: IntentSettings { voice_states: true, ..IntentSettings::default() },
        voice: true,
        text: Some(ControlRules { config: false, config_writes: false, bindings: false }),
        commands,
        ephemeral: true,
        connection: ConnectionSettings {
            state_folder: Some(folder.to_owned()),
            ..ConnectionSettings::default()
        },
        rest,
    }
}

impl Place {
    async fn new() -> Self {
        let server = Server::start(ServerSettings::default()).await.unwrap();
        Self { server, folder: tempfile::tempdir().unwrap() }
    }

    fn run(&self, commands: CommandScope) -> Running {
        let (base, token) = (self.server.api_base_url(), self.server.bot_token());
        Running::of(settings(base, &token, self.folder.path(), commands))
    }

    fn position(&self) -> u64 {
        self.server.journal().since(0).last().map_or(0, |entry| entry.seq)
    }

    /// The calls about commands since then.
    fn calls(&self, from: u64) -> Vec<String> {
        let entries = self.server.journal().since(from);
        let calls = entries.into_iter().filter(|entry| entry.kind == "rest").map(|it| it.name);
        calls.filter(|it| it.contains("/applications/")).collect()
    }

    async fn called(&self, from: u64, call: &str) {
        let journal = self.server.journal();
        let seen = journal.wait_for(from, |entry| entry.kind == "rest" && entry.name == call);
        timeout(PATIENCE, seen)
            .await
            .unwrap_or_else(|_| panic!("no {call}: {:?}", self.calls(from)));
    }

    fn cache(&self) -> Option<PathBuf> {
        let mut all = std::fs::read_dir(self.folder.path()).unwrap().map(|it| it.unwrap().path());
        all.find(|it| {
            let name = it.file_name().unwrap().to_string_lossy().into_owned();
            name.starts_with("commands-") && name.ends_with(".json")
        })
    }

    /// Waits until the cache is written, after the last call.
    async fn cached(&self) {
        let there = async {
            while self.cache().is_none() {
                tokio::task::yield_now().await;
            }
        };
        timeout(PATIENCE, there).await.expect("a cache");
    }

    /// A start that registers, to its end; gives the calls.
    async fn registers(&self, commands: CommandScope) -> Vec<String> {
        let from = self.position();
        let running = self.run(commands);
        self.cached().await;
        running.end().await;
        self.calls(from)
    }

    fn commands(&self) -> Vec<Value> {
        let scope = (APPLICATION, None);
        self.server.world().read(|state| state.commands.get(&scope).cloned()).unwrap_or_default()
    }
}

fn path() -> String {
    format!("/applications/{APPLICATION}/commands")
}

fn names(commands: &[Value]) -> Vec<String> {
    commands.iter().map(|it| it["name"].as_str().unwrap().to_owned()).collect()
}

/// Scenario 55: what was registered is not asked about again.
#[tokio::test]
async fn a_start_with_the_same_commands_asks_nothing() {
    let place = Place::new().await;
    let calls = place.registers(CommandScope::Global).await;
    assert_eq!(calls, [format!("GET {}", path()), format!("PUT {}", path())]);
    assert!(names(&place.commands()).contains(&"vc".to_owned()));
    let from = place.position();
    let mut running = place.run(CommandScope::Global);
    running.is_ready().await;
    running.end().await;
    assert_eq!(place.calls(from), [""; 0]);
}

#[tokio::test]
async fn a_broken_cache_means_that_all_is_looked_at() {
    let place = Place::new().await;
    place.registers(CommandScope::Global).await;
    for bytes in [&b"{"[..], &[0xff; 300], b""] {
        std::fs::write(place.cache().unwrap(), bytes).unwrap();
        let from = place.position();
        let running = place.run(CommandScope::Global);
        place.called(from, &format!("GET {}", path())).await;
        running.end().await;
        assert_eq!(place.calls(from), [format!("GET {}", path())]);
    }
}

/// What is missing is made, what is otherwise changed, what is too much taken away: one by one.
#[tokio::test]
async fn only_differences_are_written() {
    let place = Place::new().await;
    place.registers(CommandScope::Global).await;
    let (before, mut ids) = (place.commands(), Vec::new());
    place.server.world().write(|state| {
        let all = state.commands.get_mut(&(APPLICATION, None)).unwrap();
        all.retain(|it| it["name"] != "stop");
        for command in all.iter_mut() {
            if command["name"] == "help" {
                command["name"] = json!("old");
                ids.push(command["id"].as_str().unwrap().to_owned());
            } else if command["name"] == "status" {
                command["description"] = json!("Something else");
                ids.push(command["id"].as_str().unwrap().to_owned());
            }
        }
    });
    std::fs::remove_file(place.cache().unwrap()).unwrap();
    let calls = place.registers(CommandScope::Global).await;
    let own = path();
    let (get, post) = (format!("GET {own}"), format!("POST {own}"));
    assert_eq!(calls.len(), 5, "{calls:?}");
    assert_eq!(calls[0], get);
    for id in ids {
        let of_it: Vec<&String> = calls.iter().filter(|it| it.ends_with(&id)).collect();
        assert_eq!(of_it.len(), 1, "{calls:?}");
    }
    assert_eq!(calls.iter().filter(|it| **it == post).count(), 2);
    let sorted = |commands: &[Value]| {
        let mut names = names(commands);
        names.sort();
        names
    };
    assert_eq!(sorted(&place.commands()), sorted(&before));
    let status = place.commands().into_iter().find(|it| it["name"] == "status").unwrap();
    assert_ne!(status["description"], "Something else");
}

#[tokio::test]
async fn commands_of_a_guild_are_replaced_as_a_whole_and_remembered_too() {
    let place = Place::new().await;
    let scope = || CommandScope::Guilds(vec![GuildId::new(GUILD)]);
    let calls = place.registers(scope()).await;
    assert_eq!(calls, [format!("PUT /applications/{APPLICATION}/guilds/{GUILD}/commands")]);
    let from = place.position();
    let mut running = place.run(scope());
    running.is_ready().await;
    running.end().await;
    assert_eq!(place.calls(from), [""; 0]);
}

/// `commands.native: false`: what is there stays, and nothing is asked.
#[tokio::test]
async fn with_commands_off_nothing_is_asked() {
    let place = Place::new().await;
    let from = place.position();
    let mut running = place.run(CommandScope::Off);
    running.is_ready().await;
    running.end().await;
    assert_eq!(place.calls(from), [""; 0]);
    assert!(place.cache().is_none());
}

/// What a Discord of a few lines was asked, with the bodies.
type Asked = mpsc::UnboundedSender<(String, Value)>;

async fn refuses_one_more(State(asked): State<Asked>, method: Method, body: Bytes) -> Response {
    let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
    let _ = asked.send((method.to_string(), body));
    match method.as_str() {
        "GET" => Json(json!([{"id": "9", "name": "help", "description": "?", "type": 1}]))
            .into_response(),
        "POST" => {
            let full = json!({"code": 30032, "message": "Maximum number of commands reached"});
            (StatusCode::BAD_REQUEST, Json(full)).into_response()
        }
        _ => Json(json!([])).into_response(),
    }
}

/// Scenario 55, third part: where there is no room for one more, all are replaced.
#[tokio::test]
async fn where_there_is_no_room_all_are_replaced() {
    let (sender, mut asked) = mpsc::unbounded_channel();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let gateway = json!({"url": format!("ws://{address}"), "shards": 1, "session_start_limit":
        {"total": 1, "remaining": 1, "reset_after": 0, "max_concurrency": 1}});
    let app = Router::new()
        .route("/api/v10/gateway/bot", get(async move || Json(gateway)))
        .fallback(refuses_one_more)
        .with_state(sender);
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    let folder = tempfile::tempdir().unwrap();
    let base = format!("http://{address}");
    let running = Running::of(settings(base, "secret", folder.path(), CommandScope::Global));
    let mut methods = Vec::new();
    let put = async {
        loop {
            let (method, body) = asked.recv().await.unwrap();
            if method == "PUT" {
                return body;
            }
            methods.push(method);
        }
    };
    let all = timeout(PATIENCE, put).await.expect("a PUT");
    assert!(names(all.as_array().unwrap()).contains(&"vc".to_owned()), "{all}");
    methods.retain(|it| it != "GET");
    assert_eq!(methods, ["PATCH", "POST"]);
    running.end().await;
}
