//! The websocket shell: accepts connections, carries messages between them and the hub.

use std::{sync::Arc, time::Duration};

use futures_util::{SinkExt, StreamExt};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_rustls::TlsAcceptor;
use tokio_tungstenite::{
    WebSocketStream, accept_hdr_async_with_config,
    tungstenite::{
        Message,
        handshake::server::{ErrorResponse, Request, Response},
        protocol::{CloseFrame, WebSocketConfig, frame::coding::CloseCode as WireCode},
    },
};

use super::{
    Core, Outbound,
    gateway::{CloseCode, Frame},
};
use crate::listen::{self, ACCEPT_PAUSE, Stream};

/// Largest message a client may send, bytes: a Welcome for a full channel is about 13 kB.
const LARGEST_MESSAGE: usize = 128 * 1_024;

/// How long a client may take to answer a close frame.
const CLOSING_TIME: Duration = Duration::from_secs(2);

pub(super) async fn listen(core: Arc<Core>, listener: TcpListener, tls: TlsAcceptor) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((tcp, _)) => {
                    let (core, tls) = (Arc::clone(&core), tls.clone());
                    connections.spawn(async move { serve(&core, tcp, &tls).await });
                }
                Err(error) => {
                    tracing::warn!(%error, "voice gateway accept");
                    sleep(ACCEPT_PAUSE).await;
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn serve(core: &Core, tcp: TcpStream, tls: &TlsAcceptor) {
    let stream = match listen::accept(tcp, tls).await {
        Ok(stream) => stream,
        Err(error) => return tracing::debug!(%error, "voice gateway connection"),
    };
    let mut version = None;
    #[expect(clippy::result_large_err, reason = "tungstenite's callback type")]
    let read_version = |request: &Request, response: Response| {
        version = version_of(request.uri().query().unwrap_or_default());
        Ok::<Response, ErrorResponse>(response)
    };
    let config = WebSocketConfig::default().max_message_size(Some(LARGEST_MESSAGE));
    match accept_hdr_async_with_config(stream, read_version, Some(config)).await {
        Ok(socket) => run(core, socket, version).await,
        Err(error) => tracing::debug!(%error, "voice gateway handshake"),
    }
}

/// The `v` of the query string.
fn version_of(query: &str) -> Option<u16> {
    query.split('&').find_map(|pair| pair.strip_prefix("v="))?.parse().ok()
}

async fn run(core: &Core, mut socket: WebSocketStream<Stream>, version: Option<u16>) {
    let (id, mut outbound) = core.attach();
    core.drive(|hub, now_ms| hub.handle_open(now_ms, id, version));
    let lost = loop {
        tokio::select! {
            received = socket.next() => match received {
                Some(Ok(Message::Text(text))) => {
                    core.drive(|hub, now_ms| hub.handle_text(now_ms, id, text.as_str()));
                }
                Some(Ok(Message::Binary(bytes))) => {
                    core.drive(|hub, now_ms| hub.handle_binary(now_ms, id, &bytes));
                }
                Some(Ok(Message::Close(frame))) => break frame.map(|frame| frame.code.into()),
                Some(Ok(_)) => {}
                Some(Err(error)) => {
                    tracing::debug!(%error, "voice websocket");
                    break None;
                }
                None => break None,
            },
            queued = outbound.recv() => match queued {
                Some(Outbound::Frame(frame)) => {
                    let message = match frame {
                        Frame::Text(text) => Message::text(text),
                        Frame::Binary(bytes) => Message::binary(bytes),
                    };
                    if socket.send(message).await.is_err() {
                        break None;
                    }
                }
                Some(Outbound::Close(code)) => {
                    close(&mut socket, code).await;
                    break None;
                }
                None => break None, // more was waiting than may wait
            },
        }
    };
    core.detach(id, lost);
}

/// Sends the close frame, if there is one for this code, and gives the client a moment to answer it.
async fn close(socket: &mut WebSocketStream<Stream>, code: CloseCode) {
    if code == CloseCode::ABNORMAL {
        return; // dropping the socket cuts the connection
    }
    let frame = CloseFrame { code: WireCode::from(code.0), reason: code.reason().into() };
    if socket.send(Message::Close(Some(frame))).await.is_err() {
        return;
    }
    let answered = async { while let Some(Ok(_)) = socket.next().await {} };
    let _ = timeout(CLOSING_TIME, answered).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_found_anywhere_in_the_query() {
        for (query, version) in [
            ("v=8", Some(8)),
            ("encoding=json&v=4", Some(4)),
            ("", None),
            ("v=", None),
            ("v=x", None),
            ("version=8", None),
        ] {
            assert_eq!(version_of(query), version, "{query}");
        }
    }
}
