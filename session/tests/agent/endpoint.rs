//! An OpenAI-compatible endpoint that the test answers for, piece by piece.

use std::{convert::Infallible, net::SocketAddr};

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, Response},
};
use bytes::Bytes;
use futures_util::stream;
use serde_json::{Value, json};
use tokio::{
    net::TcpListener,
    sync::{mpsc, oneshot},
};

/// A listening endpoint. Requests wait until the test answers them.
pub(crate) struct Endpoint {
    address: SocketAddr,
    requests: mpsc::UnboundedReceiver<Received>,
}

/// A request that waits for its answer.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
    answer: oneshot::Sender<Response<Body>>,
}

/// A streamed answer. Dropping it ends the stream.
pub(crate) struct Stream(mpsc::Sender<Bytes>);

impl Endpoint {
    pub(crate) async fn start() -> Self {
        let (received, requests) = mpsc::unbounded_channel();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let app = Router::new().fallback(handle).with_state(received);
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { address, requests }
    }

    pub(crate) fn base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// The next request.
    pub(crate) async fn request(&mut self) -> Received {
        self.requests.recv().await.expect("the endpoint listens")
    }

    /// Whether no request has come that was not taken.
    pub(crate) fn is_quiet(&mut self) -> bool {
        self.requests.try_recv().is_err()
    }
}

async fn handle(
    State(received): State<mpsc::UnboundedSender<Received>>,
    request: Request,
) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    let (answer, answered) = oneshot::channel();
    let request = Received {
        path: parts.uri.path().to_owned(),
        headers: parts.headers,
        body: serde_json::from_slice(&body).unwrap(),
        answer,
    };
    received.send(request).expect("the test still runs");
    // A request that the test drops is one whose connection breaks.
    answered.await.unwrap_or_else(|_| Response::builder().status(599).body(Body::empty()).unwrap())
}

impl Received {
    /// Begins a streamed answer.
    pub(crate) fn stream(self) -> Stream {
        let (pieces, incoming) = mpsc::channel::<Bytes>(64);
        let body = stream::unfold(incoming, |mut incoming| async move {
            let piece = incoming.recv().await?;
            Some((Ok::<_, Infallible>(piece), incoming))
        });
        let response = Response::builder()
            .header("content-type", "text/event-stream")
            .body(Body::from_stream(body))
            .unwrap();
        self.answer.send(response).expect("the request is still there");
        Stream(pieces)
    }

    /// Answers with text alone.
    pub(crate) async fn say(self, text: &str) {
        let stream = self.stream();
        stream.text(text).await;
        stream.done("stop").await;
    }

    /// Answers by calling tools: id, name, arguments.
    pub(crate) async fn call(self, calls: &[(&str, &str, &str)]) {
        let stream = self.stream();
        stream.calls(calls).await;
        stream.done("tool_calls").await;
    }

    /// Answers with one JSON document, as an endpoint does that ignores `stream: true`.
    pub(crate) fn document(self, document: &Value) {
        self.refuse(200, &[("content-type", "application/json")], &document.to_string());
    }

    /// Refuses.
    pub(crate) fn refuse(self, status: u16, headers: &[(&str, &str)], body: &str) {
        let mut response = Response::builder().status(status);
        for (name, value) in headers {
            response = response.header(*name, *value);
        }
        let response = response.body(Body::from(body.to_owned())).unwrap();
        self.answer.send(response).expect("the request is still there");
    }

    /// The contents of the messages, in order, with their roles.
    pub(crate) fn messages(&self) -> Vec<(String, String)> {
        let messages = self.body["messages"].as_array().unwrap();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        messages.iter().map(|m| (text(&m["role"]), text(&m["content"]))).collect()
    }

    /// The last message's content.
    pub(crate) fn last_message(&self) -> String {
        self.messages().pop().unwrap().1
    }

    /// The names of the offered tools.
    pub(crate) fn tools(&self) -> Vec<String> {
        let tools = self.body["tools"].as_array().cloned().unwrap_or_default();
        tools.iter().map(|tool| tool["function"]["name"].as_str().unwrap().to_owned()).collect()
    }
}

impl Stream {
    pub(crate) async fn raw(&self, bytes: &[u8]) {
        self.0.send(Bytes::copy_from_slice(bytes)).await.expect("the client still reads");
    }

    pub(crate) async fn event(&self, event: &Value) {
        self.raw(format!("data: {event}\n\n").as_bytes()).await;
    }

    pub(crate) async fn text(&self, text: &str) {
        self.event(&json!({ "choices": [{ "index": 0, "delta": { "content": text } }] })).await;
    }

    pub(crate) async fn calls(&self, calls: &[(&str, &str, &str)]) {
        let calls: Vec<Value> = calls
            .iter()
            .enumerate()
            .map(|(index, (id, name, arguments))| {
                json!({ "index": index, "id": id, "type": "function",
                        "function": { "name": name, "arguments": arguments } })
            })
            .collect();
        self.event(&json!({ "choices": [{ "index": 0, "delta": { "tool_calls": calls } }] })).await;
    }

    pub(crate) async fn finish(&self, reason: &str) {
        let choice = json!({ "index": 0, "delta": {}, "finish_reason": reason });
        self.event(&json!({ "choices": [choice] })).await;
    }

    /// The reason to stop, ten tokens in and two out, and the end mark.
    pub(crate) async fn done(self, reason: &str) {
        self.finish(reason).await;
        let usage = json!({ "prompt_tokens": 10, "completion_tokens": 2 });
        self.event(&json!({ "choices": [], "usage": usage })).await;
        self.raw(b"data: [DONE]\n\n").await;
    }

    /// Waits until the client has closed the connection.
    pub(crate) async fn gone(&self) {
        self.0.closed().await;
    }
}
