//! The agent behind the voice: an OpenAI-compatible server in the loop, from a spoken question to
//! a spoken answer.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
    time::{SystemTime, UNIX_EPOCH},
};

use axum::{
    Json, Router,
    body::{Body, Bytes},
    extract::State,
    http::header::CONTENT_TYPE,
    response::{IntoResponse as _, Response},
    routing::post,
};
use localcord::{human::Human, world::default::ADA};
use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::{
    net::TcpListener,
    sync::{mpsc, watch},
};

use crate::{
    agent::Agent,
    audio::{ASK, INTERRUPT, SECOND},
    scene::{AUTO_JOIN, EVERYBODY, Scene, hears_frames, meet},
    soon,
};

pub(crate) const WEATHER: &str = "What is the weather like today?";
const CLOTHES: &str = "What should I wear tonight?";

/// What a model says to a request.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// Text, in these pieces.
    Text(&'static [&'static str]),
    /// A call of a tool without arguments.
    Tool(&'static str),
    /// Text that breaks off, with the stream left open.
    Hang(&'static str),
    /// Text that ends when the test says so.
    Hold(&'static str),
    /// Everything that it was told, word for word.
    Parrot,
}

/// A model that gives its replies one after the other; the last one again and again.
#[derive(Clone)]
pub(crate) struct Model {
    replies: &'static [Reply],
    requests: Arc<Mutex<Vec<Value>>>,
    count: watch::Sender<usize>,
    pub(crate) released: watch::Sender<bool>,
    /// When a stream that was left open was closed, in µs since 1970.
    hung_up: mpsc::Sender<u64>,
}

/// The model's address, what it was asked, and its hang-ups.
pub(crate) struct Served {
    pub(crate) base: String,
    pub(crate) model: Model,
    hung_up: mpsc::Receiver<u64>,
}

impl Served {
    pub(crate) async fn new(replies: &'static [Reply]) -> Self {
        let (sender, hung_up) = mpsc::channel(4);
        let model = Model {
            replies,
            requests: Arc::default(),
            released: watch::Sender::new(false),
            count: watch::Sender::new(0),
            hung_up: sender,
        };
        let router =
            Router::new().route("/v1/chat/completions", post(complete)).with_state(model.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}/v1", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { base, model, hung_up }
    }

    /// How often it was asked so far.
    pub(crate) fn asked(&self) -> usize {
        *self.model.count.borrow()
    }

    /// The request of this number, from 0.
    pub(crate) async fn request(&self, number: usize) -> Value {
        let mut count = self.model.count.subscribe();
        soon("a request to the model", count.wait_for(|count| *count > number)).await.unwrap();
        self.model.requests.lock().unwrap()[number].clone()
    }
}

async fn complete(State(model): State<Model>, Json(request): Json<Value>) -> Response {
    let told: Vec<String> = messages(&request).into_iter().map(|(_, text)| text).collect();
    let number = {
        let mut requests = model.requests.lock().unwrap();
        requests.push(request);
        requests.len() - 1
    };
    let reply = model.replies[number.min(model.replies.len() - 1)].clone();
    model.count.send_modify(|count| *count += 1);
    let chunk = |delta: Value, finish: Value| {
        let choice = json!({ "index": 0, "delta": delta, "finish_reason": finish });
        Bytes::from(format!("data: {}\n\n", json!({ "choices": [choice] })))
    };
    let (chunks, body) = mpsc::channel::<Bytes>(16);
    tokio::spawn(async move {
        match reply {
            Reply::Text(pieces) => {
                for piece in pieces {
                    let _ = chunks.send(chunk(json!({ "content": piece }), Value::Null)).await;
                }
                let _ = chunks.send(chunk(json!({}), json!("stop"))).await;
            }
            Reply::Tool(name) => {
                let function = json!({ "name": name, "arguments": "{}" });
                let call =
                    json!({ "index": 0, "id": "call_1", "type": "function", "function": function });
                let _ = chunks.send(chunk(json!({ "tool_calls": [call] }), Value::Null)).await;
                let _ = chunks.send(chunk(json!({}), json!("tool_calls"))).await;
            }
            Reply::Hang(text) => {
                let _ = chunks.send(chunk(json!({ "content": text }), Value::Null)).await;
                chunks.closed().await;
                let at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
                let _ = model.hung_up.send(at.as_micros() as u64).await;
                return;
            }
            Reply::Parrot => {
                let content = told.join("\n");
                let _ = chunks.send(chunk(json!({ "content": content }), Value::Null)).await;
                let _ = chunks.send(chunk(json!({}), json!("stop"))).await;
            }
            Reply::Hold(text) => {
                let _ = chunks.send(chunk(json!({ "content": text }), Value::Null)).await;
                let _ = model.released.subscribe().wait_for(|released| *released).await;
                let _ = chunks.send(chunk(json!({}), json!("stop"))).await;
            }
        }
        let _ = chunks.send(Bytes::from_static(b"data: [DONE]\n\n")).await;
    });
    let stream = futures_util::stream::unfold(body, |mut body| async move {
        let chunk = body.recv().await?;
        Some((Ok::<_, Infallible>(chunk), body))
    });
    ([(CONTENT_TYPE, "text/event-stream")], Body::from_stream(stream)).into_response()
}

/// A room in agent-proxy, whose front end knows Ada's recordings; `third` is what the third one is
/// taken for.
fn agent(scene: &Scene, base: &str, third: &str) -> Agent {
    agent_with(scene, base, third, EVERYBODY, "")
}

/// The same, with these keys of `channels.discord` and these of its `voice`.
pub(crate) fn agent_with(scene: &Scene, base: &str, third: &str, keys: &str, voice: &str) -> Agent {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/audio");
    let script = format!(
        "{{ heardBy: {{ '{folder}/ask.wav': '{WEATHER}', '{folder}/second.wav': '{CLOTHES}',
                        '{folder}/interrupt.wav': '{third}' }},
            turns: [{{ reply: {{ tone: 440, ms: 200 }} }}] }}"
    );
    std::fs::write(scene.folder.path().join("script.json5"), script).unwrap();
    let discord = scene.server.api_base_url();
    let config = format!(
        "{{
            commands: {{ ownerAllowFrom: ['{ADA}'] }},
            channels: {{ discord: {{ apiBaseUrl: '{discord}', {keys} voice: {{
                {voice} {AUTO_JOIN} captureSilenceGraceMs: 500,
                realtime: {{ provider: 'local', providers: {{ local: {{
                    behaviour: 'script', script: 'script.json5', speed: 20, silenceDurationMs: 400,
                    recordDir: 'rec',
                }} }} }},
            }} }} }},
            messages: {{ inbound: {{ debounceMs: 0 }} }},
            agents: {{ defaults: {{ model: 'fake/think-1' }} }},
            models: {{ providers: {{ fake: {{ baseUrl: '{base}' }} }} }},
        }}"
    );
    let path = scene.folder.path().join("clawvoice.json5");
    std::fs::write(&path, config).unwrap();
    Agent::start_with(&path, &scene.server.bot_token(), "info,clawvoice=debug")
}

pub(crate) async fn speaks(human: &Human, wav: &[u8]) {
    soon("a speech", human.speak(wav)).await.unwrap();
}

/// The words that the front end said, when it had said them.
pub(crate) async fn said(agent: &Agent, from: usize) -> String {
    let record = agent.record_from(from, "realtime assistant transcript").await;
    agent.record_from(from, "realtime audio playback stopped").await;
    record.line.split_once(": ").map(|(_, words)| words.to_owned()).unwrap_or_default()
}

/// Roles and texts of a request's messages.
pub(crate) fn messages(request: &Value) -> Vec<(String, String)> {
    let messages = request["messages"].as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    messages.map(|message| (text(&message["role"]), text(&message["content"]))).collect()
}

#[tokio::test]
async fn a_spoken_question_is_asked_streamed_and_spoken() {
    let served = Served::new(&[Reply::Text(&["It is sunny ", "and warm."])]).await;
    let scene = Scene::new().await;
    let ada = scene.joins(ADA).await;
    let mut agent = agent(&scene, &served.base, "stop");
    meet(&ada, &agent).await;
    speaks(&ada, ASK).await;
    let request = served.request(0).await;
    assert_eq!(request["model"], "think-1");
    let asked = messages(&request);
    assert_eq!(asked.last().unwrap().0, "user");
    assert!(asked.last().unwrap().1.contains(WEATHER), "{asked:?}");
    assert_eq!(said(&agent, 0).await, "It is sunny and warm.");
    let order: Vec<String> = agent.records().into_iter().map(|record| record.line).collect();
    let place = |name: &str| {
        order.iter().position(|line| line.starts_with(name)).unwrap_or_else(|| panic!("no {name}"))
    };
    assert!(place("realtime user transcript") < place("realtime forced agent consult starting"));
    assert!(place("agent turn start") < place("agent turn answer (21 chars)"));
    assert!(place("agent turn answer") < place("realtime audio playback started"));
    let start = agent.record("agent turn start").await;
    assert_eq!(start.fields["owner"], true, "Ada owns the agent, and her key and op 5 agree");
    agent.stop().await;
}

#[tokio::test]
async fn a_tool_is_called_and_its_result_read() {
    let served = Served::new(&[Reply::Tool("current_time"), Reply::Text(&["It is late."])]).await;
    let scene = Scene::new().await;
    let ada = scene.joins(ADA).await;
    let mut agent = agent(&scene, &served.base, "stop");
    meet(&ada, &agent).await;
    speaks(&ada, ASK).await;
    let first = served.request(0).await;
    let offered = first["tools"].as_array().unwrap().iter();
    let offered: Vec<_> = offered.map(|tool| tool["function"]["name"].clone()).collect();
    assert!(offered.contains(&json!("current_time")), "{offered:?}");
    let second = served.request(1).await;
    let result = second["messages"].as_array().unwrap().last().unwrap();
    assert_eq!((&result["role"], &result["tool_call_id"]), (&json!("tool"), &json!("call_1")));
    assert!(result["content"].as_str().unwrap().contains("20"), "a time: {result}");
    assert_eq!(said(&agent, 0).await, "It is late.");
    agent.stop().await;
}

#[tokio::test]
async fn cancel_that_closes_the_models_stream() {
    let mut served = Served::new(&[Reply::Hang("Let me think")]).await;
    let scene = Scene::new().await;
    let ada = scene.joins(ADA).await;
    let mut agent = agent(&scene, &served.base, "cancel that.");
    meet(&ada, &agent).await;
    speaks(&ada, ASK).await;
    served.request(0).await;
    speaks(&ada, INTERRUPT).await;
    let hung_up = soon("the end of the stream", served.hung_up.recv()).await.unwrap();
    assert_eq!(said(&agent, 0).await, "Cancelled the active OpenClaw run.");
    // From the final transcript to the closed stream, on one clock.
    let zero = agent.record("timeline begins").await.fields["unixMicrosAtZero"].as_u64().unwrap();
    let words = agent.records().into_iter().find(|record| record.line.ends_with("cancel that."));
    let took = hung_up.saturating_sub(zero + words.unwrap().at_us);
    eprintln!("from the transcript to the closed stream: {} us", took);
    assert_eq!(agent.count("realtime active-run control handled"), 1);
    assert_eq!(agent.count("agent turn start"), 1, "no new run");
    agent.stop().await;
}

#[tokio::test]
async fn a_steer_reaches_the_run_at_work() {
    let served =
        Served::new(&[Reply::Hold("I am writing the large fix"), Reply::Text(&["Smaller it is."])])
            .await;
    let scene = Scene::new().await;
    let ada = scene.joins(ADA).await;
    let mut agent = agent(&scene, &served.base, "use the smaller fix");
    meet(&ada, &agent).await;
    speaks(&ada, ASK).await;
    served.request(0).await;
    speaks(&ada, INTERRUPT).await;
    agent.record("realtime active-run control handled").await;
    served.model.released.send_replace(true);
    let steered = messages(&served.request(1).await);
    assert!(steered.iter().any(|(_, text)| text.contains("use the smaller fix")), "{steered:?}");
    assert!(steered.iter().any(|(_, text)| text.contains(WEATHER)), "the same run: {steered:?}");
    let told = agent.record("realtime assistant transcript").await;
    assert!(told.line.ends_with("Got it. I steered the active run."), "{}", told.line);
    let answer = agent.record("agent turn answer").await;
    let answer = answer.fields["preview"].as_str().unwrap_or_default().to_owned();
    assert!(answer.ends_with("Smaller it is."), "{answer}");
    agent.stop().await;
}

/// Half a minute of speech.
const LONG: &str = "Tomorrow begins with thick fog over the harbour and the old town. By noon the \
    sun comes through, and the afternoon is warm and dry with a light wind from the west. In the \
    evening clouds gather over the hills, and during the night there is rain, first along the \
    coast and later everywhere. The day after is colder, with showers and a strong wind.";

#[tokio::test]
async fn of_an_interrupted_answer_the_model_is_told_what_was_heard() {
    let served = Served::new(&[Reply::Text(&[LONG]), Reply::Text(&["A hat."])]).await;
    let scene = Scene::new().await;
    let ada = scene.joins(ADA).await;
    let mut agent = agent(&scene, &served.base, "stop");
    meet(&ada, &agent).await;
    speaks(&ada, ASK).await;
    // Four seconds of it.
    hears_frames(&ada, 0, 200).await;
    speaks(&ada, SECOND).await;
    let stopped = agent.record("realtime audio playback stopped").await;
    assert_eq!(stopped.fields["reason"], "barge-in");
    let asked = messages(&served.request(1).await);
    let answers: Vec<&str> =
        asked.iter().filter(|(role, _)| role == "assistant").map(|(_, text)| &**text).collect();
    let [answer] = answers[..] else { panic!("{asked:?}") };
    assert!(answer.starts_with("Tomorrow begins") && LONG.starts_with(answer), "{answer}");
    assert!(answer.len() < LONG.len() / 2, "{answer}");
    agent.stop().await;
}

#[tokio::test]
async fn after_a_kill_the_history_goes_up_to_the_last_turn() {
    let served = Served::new(&[Reply::Text(&["It is sunny."]), Reply::Text(&["A hat."])]).await;
    let scene = Scene::new().await;
    let ada = scene.joins(ADA).await;
    let mut first = agent(&scene, &served.base, "stop");
    meet(&ada, &first).await;
    speaks(&ada, ASK).await;
    assert_eq!(said(&first, 0).await, "It is sunny.");
    let ended = first.stop_by(Signal::KILL).await;
    assert_eq!(ended.code, None, "killed");
    // Discord has not noticed yet; a process that comes back takes the bot's place.
    let mut second = agent(&scene, &served.base, "stop");
    meet(&ada, &second).await;
    speaks(&ada, SECOND).await;
    let asked = messages(&served.request(1).await);
    let at = |text: &str| asked.iter().position(|(_, content)| content.contains(text));
    let places = (at(WEATHER), at("It is sunny."), at(CLOTHES));
    assert!(places.0.is_some() && places.0 < places.1 && places.1 < places.2, "{asked:?}");
    assert_eq!(said(&second, 0).await, "A hat.");
    second.stop().await;
}
