//! A realtime provider that sends what it is told to, sense or nonsense.

use std::sync::Arc;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::{
    net::TcpListener,
    sync::{Mutex, mpsc},
    task::JoinHandle,
};
use tokio_tungstenite::{accept_async, tungstenite::Message};

use crate::{feed::Feed, soon};

/// Takes any number of connections; what is to be sent goes to all of them.
pub(crate) struct FakeProvider {
    url: String,
    /// Types of the events that came.
    received: Arc<Feed<String>>,
    connections: Arc<Mutex<Vec<mpsc::UnboundedSender<Message>>>>,
    task: JoinHandle<()>,
}

impl FakeProvider {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("ws://{}/v1", listener.local_addr().unwrap());
        let (received, connections) =
            (Arc::<Feed<String>>::default(), Arc::<Mutex<Vec<_>>>::default());
        let (heard, open) = (Arc::clone(&received), Arc::clone(&connections));
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (sender, to_send) = mpsc::unbounded_channel();
                open.lock().await.push(sender);
                let socket = accept_async(stream).await.unwrap();
                tokio::spawn(serve(socket, to_send, Arc::clone(&heard)));
            }
        });
        Self { url, received, connections, task }
    }

    /// The `baseUrl`.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// An event of this type has come.
    pub(crate) async fn hears(&self, kind: &str) {
        soon(kind, self.received.find(0, |found| found == kind)).await;
    }

    /// Sends a message on the first connection.
    pub(crate) async fn says(&self, message: Message) {
        self.connections.lock().await[0].send(message).unwrap();
    }

    /// Sends an event on the first connection.
    pub(crate) async fn tells(&self, event: Value) {
        self.says(Message::text(event.to_string())).await;
    }

    /// How many connections there have been.
    pub(crate) async fn connections(&self) -> usize {
        self.connections.lock().await.len()
    }
}

impl Drop for FakeProvider {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(
    mut socket: tokio_tungstenite::WebSocketStream<tokio::net::TcpStream>,
    mut to_send: mpsc::UnboundedReceiver<Message>,
    received: Arc<Feed<String>>,
) {
    let created = json!({ "type": "session.created", "event_id": "e0", "session": {} });
    socket.send(Message::text(created.to_string())).await.unwrap();
    loop {
        tokio::select! {
            message = to_send.recv() => {
                let Some(message) = message else { return };
                if socket.send(message).await.is_err() {
                    return;
                }
            }
            message = socket.next() => {
                let Some(Ok(message)) = message else { return };
                let Message::Text(text) = message else { continue };
                let event: Value = serde_json::from_str(&text).unwrap();
                if event["type"] == "session.update" {
                    let updated = json!({ "type": "session.updated", "session": event["session"] });
                    socket.send(Message::text(updated.to_string())).await.unwrap();
                }
                received.push(event["type"].as_str().unwrap().to_owned());
            }
        }
    }
}
