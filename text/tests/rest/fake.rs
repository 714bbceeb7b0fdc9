//! A Discord that writes down what it is asked and answers what the test says.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Json, Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, Method, StatusCode, Uri, header},
    response::{IntoResponse as _, Response},
};
use clawvoice_text::shell::rest::{DiscordRest, RestSettings};
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// A call.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Call {
    /// `POST /channels/1/messages?x=y`.
    pub(crate) line: String,
    /// Whether the bot's token came with it.
    pub(crate) with_token: bool,
    /// The JSON body, or the `payload_json` of one with files.
    pub(crate) json: Value,
    /// The whole body.
    pub(crate) body: String,
}

#[derive(Default)]
struct Inner {
    calls: Vec<Call>,
    /// What is answered, and to which call; `None`: to the next one.
    answers: VecDeque<(Option<String>, (u16, Value))>,
}

/// It.
#[derive(Clone)]
pub(crate) struct Fake {
    inner: Arc<Mutex<Inner>>,
    pub(crate) discord: DiscordRest,
}

/// Answers so, one after the other; then 404.
pub(crate) async fn fake(answers: impl IntoIterator<Item = (u16, Value)>) -> Fake {
    serving(answers.into_iter().map(|answer| (None, answer)).collect()).await
}

/// Answers each call with the first answer for it, once; then 404.
pub(crate) async fn fake_at(answers: impl IntoIterator<Item = (String, (u16, Value))>) -> Fake {
    serving(answers.into_iter().map(|(line, answer)| (Some(line), answer)).collect()).await
}

async fn serving(answers: VecDeque<(Option<String>, (u16, Value))>) -> Fake {
    let inner = Inner { answers, ..Inner::default() };
    let inner = Arc::new(Mutex::new(inner));
    let app = Router::new().fallback(answer).with_state(Arc::clone(&inner));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    Fake { inner, discord: discord(&base, "secret") }
}

/// REST that does not wait long before it asks again.
pub(crate) fn discord(base: &str, token: &str) -> DiscordRest {
    let settings = RestSettings { min_delay: Duration::from_millis(1), ..RestSettings::default() };
    DiscordRest::new(&token.to_owned().into(), Some(base), None, &settings).unwrap()
}

/// A 429 that is over at once.
pub(crate) fn limited() -> (u16, Value) {
    (429, json!({ "message": "slow", "retry_after": 0.01, "global": false }))
}

impl Fake {
    pub(crate) fn calls(&self) -> Vec<Call> {
        self.inner.lock().unwrap().calls.clone()
    }

    /// The calls' lines.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.calls().into_iter().map(|call| call.line).collect()
    }
}

async fn answer(
    State(inner): State<Arc<Mutex<Inner>>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let path = uri.path_and_query().unwrap().as_str().strip_prefix("/api/v10").unwrap();
    let body = String::from_utf8_lossy(&body).into_owned();
    let call = Call {
        line: format!("{method} {path}"),
        with_token: headers.contains_key(header::AUTHORIZATION),
        json: serde_json::from_str(&body).or_else(|_| payload(&body)).unwrap_or(Value::Null),
        body,
    };
    let mut inner = inner.lock().unwrap();
    let is_for = |line: &Option<String>| line.as_ref().is_none_or(|line| *line == call.line);
    let at = inner.answers.iter().position(|(line, _)| is_for(line));
    let answer = at.and_then(|at| inner.answers.remove(at)).map(|(_, answer)| answer);
    let (status, json) = answer.unwrap_or((404, json!({ "code": 0, "message": "404" })));
    inner.calls.push(call);
    let status = StatusCode::from_u16(status).unwrap();
    if json.is_null() { status.into_response() } else { (status, Json(json)).into_response() }
}

/// What follows the headers of the part called `payload_json`.
fn payload(body: &str) -> Result<Value, serde_json::Error> {
    let part = body.split("name=\"payload_json\"").nth(1).unwrap_or_default();
    let text = part.split("\r\n\r\n").nth(1).unwrap_or_default();
    serde_json::from_str(text.split("\r\n").next().unwrap_or_default())
}
