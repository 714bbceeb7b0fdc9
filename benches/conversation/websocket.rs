//! The providers' end of a websocket.

use futures_util::{SinkExt as _, StreamExt as _, stream::SplitStream};
use serde_json::{Value, json};
use tokio::{net::TcpStream, sync::mpsc};
use tokio_tungstenite::{WebSocketStream, accept_async, tungstenite::Message};

/// What the client sends.
pub(crate) type Source = SplitStream<WebSocketStream<TcpStream>>;

/// Accepts a client and greets it. What is sent to the channel goes out in order.
pub(crate) async fn accept(stream: TcpStream) -> anyhow::Result<(mpsc::Sender<Value>, Source)> {
    stream.set_nodelay(true)?;
    let (mut sink, source) = accept_async(stream).await?.split();
    let (outgoing, mut messages) = mpsc::channel::<Value>(64);
    tokio::spawn(async move {
        while let Some(message) = messages.recv().await {
            if sink.send(Message::text(message.to_string())).await.is_err() {
                break;
            }
        }
    });
    outgoing.send(json!({ "type": "session.created", "session": {} })).await?;
    Ok((outgoing, source))
}
