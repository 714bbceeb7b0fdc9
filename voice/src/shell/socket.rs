//! One websocket loop, for the voice gateway and for every realtime provider.
//!
//! A task owns the websocket; its owner holds two bounded channels:
//!
//! - *outgoing* ([`OUTGOING_MESSAGES`]): use `try_send`. Full means that the peer has not read for
//!   seconds; the message is refused and the owner decides (treat the link as lost).
//! - *incoming* ([`INCOMING_MESSAGES`]): nothing is ever dropped. While it is full the loop stops
//!   reading, and TCP slows the peer down.
//!
//! The first event is [`SocketIn::Opened`] or [`SocketIn::Failed`]; the last is `Failed` or
//! [`SocketIn::Closed`], after which the channel ends. Dropping the handle closes with 1000.
#![allow(
    clippy::disallowed_methods,
    reason = "sockets, tasks and their time limits belong to the shell"
)]

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use futures_util::{SinkExt, StreamExt};
use rustls::{ClientConfig, RootCertStore};
use secrecy::{ExposeSecret, SecretString};
use tokio::{
    net::TcpStream,
    sync::mpsc::{self, Receiver, Sender},
    time::timeout,
};
use tokio_tungstenite::{
    Connector, MaybeTlsStream, WebSocketStream, connect_async_tls_with_config,
    tungstenite::{
        Error, Message,
        client::IntoClientRequest,
        handshake::client::Request,
        http::{HeaderMap, HeaderName, HeaderValue, header::RETRY_AFTER},
        protocol::{CloseFrame, WebSocketConfig, frame::coding::CloseCode},
    },
};

/// Messages that may wait to be written.
pub const OUTGOING_MESSAGES: usize = 256;
/// Messages that may wait to be handled.
pub const INCOMING_MESSAGES: usize = 256;
/// For the peer to answer our close before TCP is cut.
const CLOSE_LIMIT: Duration = Duration::from_millis(500);
/// For one message to be taken by the kernel; a peer that reads nothing for so long is gone.
const WRITE_LIMIT: Duration = Duration::from_secs(10);

/// Where to connect and how.
#[derive(Clone, Debug)]
pub struct SocketRequest {
    /// `ws://` or `wss://`.
    pub url: String,
    /// Sent with the upgrade; values are secrets (keys, tokens).
    pub headers: Vec<(String, SecretString)>,
    /// For `wss://`; `None` trusts the public web's certificate authorities.
    pub tls: Option<Arc<ClientConfig>>,
    /// For DNS, TCP, TLS and the upgrade together.
    pub connect_timeout: Duration,
    /// A longer message ends the connection.
    pub max_message_bytes: usize,
}

/// A message to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SocketOut {
    /// A text message.
    Text(String),
    /// A binary message.
    Binary(Vec<u8>),
    /// Close with this code; what was queued before still leaves, what comes after does not.
    Close(u16),
}

/// What a socket tells its owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SocketIn {
    /// The upgrade succeeded.
    Opened,
    /// A text message.
    Text(String),
    /// A binary message.
    Binary(Vec<u8>),
    /// The connection is over. Last event.
    Closed {
        /// The peer's close code, or ours if we closed; `None` if it broke.
        code: Option<u16>,
        /// The peer's reason, or what broke.
        reason: String,
    },
    /// It could not be opened. Last event.
    Failed {
        /// The HTTP status the upgrade was refused with.
        status: Option<u16>,
        /// How long the peer wants no further attempt, if its refusal says so.
        retry_after: Option<Duration>,
        /// In words.
        reason: String,
    },
}

/// A running socket.
#[derive(Debug)]
pub struct SocketHandle {
    /// To the peer.
    pub outgoing: Sender<SocketOut>,
    /// From the peer.
    pub incoming: Receiver<SocketIn>,
}

/// The websocket client. See the module's documentation.
#[derive(Debug)]
pub struct Socket;

impl Socket {
    /// Starts a task that connects and then moves messages. Must be called within a tokio runtime.
    #[must_use]
    pub fn connect(request: SocketRequest) -> SocketHandle {
        let (outgoing, from_owner) = mpsc::channel(OUTGOING_MESSAGES);
        let (to_owner, incoming) = mpsc::channel(INCOMING_MESSAGES);
        tokio::spawn(run(request, from_owner, to_owner));
        SocketHandle { outgoing, incoming }
    }
}

/// A configuration that trusts the public web's certificate authorities (Mozilla's list).
#[must_use]
pub fn public_tls() -> Arc<ClientConfig> {
    let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    tls_with_roots(roots)
}

/// A configuration that trusts `roots`.
#[must_use]
pub fn tls_with_roots(roots: RootCertStore) -> Arc<ClientConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring supports rustls' default protocol versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config)
}

type Stream = WebSocketStream<MaybeTlsStream<TcpStream>>;

async fn run(
    request: SocketRequest,
    mut from_owner: Receiver<SocketOut>,
    to_owner: Sender<SocketIn>,
) {
    let limit = request.connect_timeout;
    let connecting = timeout(limit, open(request));
    let result = tokio::select! {
        result = connecting => result,
        // Given up before it opened.
        () = to_owner.closed() => return,
    };
    let last = match result {
        Ok(Ok(stream)) => {
            if to_owner.send(SocketIn::Opened).await.is_err() {
                return;
            }
            let (code, reason) = carry(stream, &mut from_owner, &to_owner).await;
            SocketIn::Closed { code, reason }
        }
        Ok(Err(Refusal { status, retry_after, reason })) => {
            SocketIn::Failed { status, retry_after, reason }
        }
        Err(_) => {
            let reason = format!("no answer within {} ms", limit.as_millis());
            SocketIn::Failed { status: None, retry_after: None, reason }
        }
    };
    // The owner may be gone; then nobody wants to know.
    let _ = to_owner.send(last).await;
}

/// Why a websocket could not be opened.
struct Refusal {
    status: Option<u16>,
    retry_after: Option<Duration>,
    reason: String,
}

impl From<String> for Refusal {
    fn from(reason: String) -> Self {
        Self { status: None, retry_after: None, reason }
    }
}

/// `Retry-After` (RFC 9110 10.2.3), as seconds or as a date that lies ahead of `now`.
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    httpdate::parse_http_date(value).ok()?.duration_since(now).ok()
}

async fn open(request: SocketRequest) -> Result<Stream, Refusal> {
    let tls = request.tls.clone();
    let config = WebSocketConfig::default()
        .max_message_size(Some(request.max_message_bytes))
        .max_frame_size(Some(request.max_message_bytes))
        .read_buffer_size(16 * 1024);
    let upgrade = upgrade(request)?;
    let connector = match upgrade.uri().scheme_str() {
        Some("wss") => Connector::Rustls(tls.unwrap_or_else(public_tls)),
        _ => Connector::Plain,
    };
    // `true`: TCP_NODELAY. 20 ms frames must not wait for acknowledgements.
    match connect_async_tls_with_config(upgrade, Some(config), true, Some(connector)).await {
        Ok((stream, _)) => Ok(stream),
        Err(Error::Http(response)) => {
            let status = response.status();
            Err(Refusal {
                status: Some(status.as_u16()),
                retry_after: retry_after(response.headers(), SystemTime::now()),
                reason: format!("HTTP status {status}"),
            })
        }
        Err(error) => Err(error.to_string().into()),
    }
}

fn upgrade(request: SocketRequest) -> Result<Request, String> {
    let mut upgrade = request.url.into_client_request().map_err(|error| error.to_string())?;
    for (name, value) in &request.headers {
        let header = HeaderName::try_from(name.as_str())
            .map_err(|_| format!("{name:?} is no header name"))?;
        let mut value = HeaderValue::try_from(value.expose_secret())
            .map_err(|_| format!("the value of header {name:?} has characters it cannot have"))?;
        value.set_sensitive(true);
        upgrade.headers_mut().insert(header, value);
    }
    Ok(upgrade)
}

/// Moves messages until the connection ends; returns how it ended.
async fn carry(
    mut stream: Stream,
    from_owner: &mut Receiver<SocketOut>,
    to_owner: &Sender<SocketIn>,
) -> (Option<u16>, String) {
    loop {
        tokio::select! {
            message = from_owner.recv() => {
                let message = match message {
                    Some(SocketOut::Text(text)) => Message::text(text),
                    Some(SocketOut::Binary(bytes)) => Message::binary(bytes),
                    Some(SocketOut::Close(code)) => return close(stream, code).await,
                    None => return close(stream, 1_000).await,
                };
                match timeout(WRITE_LIMIT, stream.send(message)).await {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => return broken(&mut stream, error).await,
                    Err(_) => return (None, "the peer does not read".to_owned()),
                }
            }
            message = stream.next() => {
                let event = match message {
                    Some(Ok(Message::Text(text))) => SocketIn::Text(text.as_str().to_owned()),
                    Some(Ok(Message::Binary(bytes))) => SocketIn::Binary(bytes.into()),
                    Some(Ok(Message::Close(frame))) => return closed_by_peer(stream, frame).await,
                    // Pings are answered by tungstenite when it is next driven.
                    Some(Ok(_)) => continue,
                    Some(Err(error)) => return (None, error.to_string()),
                    None => return (None, "the connection ended without a close".to_owned()),
                };
                // Back-pressure: nothing is read while the owner is busy. Still, an owner that
                // wants to close must not wait for its own queue.
                if to_owner.send(event).await.is_err() {
                    return close(stream, 1_000).await;
                }
            }
        }
    }
}

/// Our close: says the code and gives the peer a moment to answer.
async fn close(mut stream: Stream, code: u16) -> (Option<u16>, String) {
    let frame = CloseFrame { code: CloseCode::from(code), reason: "".into() };
    let goodbye = async {
        stream.close(Some(frame)).await?;
        while let Some(message) = stream.next().await {
            message?;
        }
        Ok::<(), Error>(())
    };
    if !matches!(timeout(CLOSE_LIMIT, goodbye).await, Ok(Ok(()))) {
        tracing::debug!(code, "the peer did not answer the close");
    }
    (Some(code), "closed by us".to_owned())
}

/// The peer's close: lets tungstenite's answer leave.
async fn closed_by_peer(mut stream: Stream, frame: Option<CloseFrame>) -> (Option<u16>, String) {
    let _ = timeout(CLOSE_LIMIT, stream.flush()).await;
    match frame {
        Some(frame) => (Some(frame.code.into()), frame.reason.as_str().to_owned()),
        None => (None, String::new()),
    }
}

/// A write failed; often because the peer's close is waiting to be read, and it says more.
async fn broken(stream: &mut Stream, error: Error) -> (Option<u16>, String) {
    let last_words = async {
        while let Some(Ok(message)) = stream.next().await {
            if let Message::Close(Some(frame)) = message {
                return Some((Some(frame.code.into()), frame.reason.as_str().to_owned()));
            }
        }
        None
    };
    match timeout(CLOSE_LIMIT, last_words).await {
        Ok(Some(said)) => said,
        _ => (None, error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use tokio::{io::AsyncWriteExt, net::TcpListener};
    use tokio_tungstenite::accept_async;

    use super::*;

    fn request(url: String) -> SocketRequest {
        SocketRequest {
            url,
            headers: vec![("authorization".to_owned(), SecretString::from("Bearer k"))],
            tls: None,
            connect_timeout: Duration::from_secs(5),
            max_message_bytes: 1_000,
        }
    }

    async fn server() -> (TcpListener, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("ws://{}/?v=8", listener.local_addr().unwrap());
        (listener, url)
    }

    async fn next(handle: &mut SocketHandle) -> SocketIn {
        timeout(Duration::from_secs(5), handle.incoming.recv()).await.unwrap().unwrap()
    }

    #[tokio::test]
    async fn carries_messages_both_ways_and_tells_the_peers_close() {
        let (listener, url) = server().await;
        let mut handle = Socket::connect(request(url));
        let (tcp, _) = listener.accept().await.unwrap();
        let mut peer = accept_async(tcp).await.unwrap();
        assert_eq!(next(&mut handle).await, SocketIn::Opened);
        handle.outgoing.try_send(SocketOut::Text("a".into())).unwrap();
        handle.outgoing.try_send(SocketOut::Binary(vec![1])).unwrap();
        assert_eq!(peer.next().await.unwrap().unwrap(), Message::text("a"));
        assert_eq!(peer.next().await.unwrap().unwrap(), Message::binary(vec![1]));
        peer.send(Message::text("b")).await.unwrap();
        peer.send(Message::binary(vec![2])).await.unwrap();
        let frame = CloseFrame { code: CloseCode::from(4014), reason: "moved".into() };
        peer.close(Some(frame)).await.unwrap();
        assert_eq!(next(&mut handle).await, SocketIn::Text("b".into()));
        assert_eq!(next(&mut handle).await, SocketIn::Binary(vec![2]));
        let closed = SocketIn::Closed { code: Some(4014), reason: "moved".into() };
        assert_eq!(next(&mut handle).await, closed);
        assert_eq!(handle.incoming.recv().await, None);
    }

    #[tokio::test]
    async fn our_close_leaves_behind_what_was_queued_before() {
        for drop_it in [false, true] {
            let (listener, url) = server().await;
            let mut handle = Socket::connect(request(url));
            let (tcp, _) = listener.accept().await.unwrap();
            let mut peer = accept_async(tcp).await.unwrap();
            assert_eq!(next(&mut handle).await, SocketIn::Opened);
            handle.outgoing.try_send(SocketOut::Text("last".into())).unwrap();
            let code = if drop_it { 1_000 } else { 4_900 };
            if drop_it {
                drop(handle);
            } else {
                handle.outgoing.try_send(SocketOut::Close(code)).unwrap();
            }
            assert_eq!(peer.next().await.unwrap().unwrap(), Message::text("last"));
            match peer.next().await.unwrap().unwrap() {
                Message::Close(Some(frame)) => assert_eq!(u16::from(frame.code), code),
                other => panic!("expected a close, got {other:?}"),
            }
        }
    }

    #[tokio::test]
    async fn provider_scenario_22_a_refused_upgrade_names_the_http_status_and_when_to_come_back() {
        let refusals = [
            ("401 Unauthorized", "", 401, None),
            ("429 Too Many Requests", "retry-after: 3\r\n", 429, Some(Duration::from_secs(3))),
        ];
        for (line, header, code, wait) in refusals {
            let (listener, url) = server().await;
            let mut handle = Socket::connect(request(url));
            let (mut tcp, _) = listener.accept().await.unwrap();
            let answer = format!("HTTP/1.1 {line}\r\n{header}content-length: 0\r\n\r\n");
            tcp.write_all(answer.as_bytes()).await.unwrap();
            match next(&mut handle).await {
                SocketIn::Failed { status, retry_after, reason } => {
                    assert_eq!((status, retry_after), (Some(code), wait));
                    assert_eq!(reason, format!("HTTP status {line}"));
                }
                other => panic!("expected a failure, got {other:?}"),
            }
            assert_eq!(handle.incoming.recv().await, None);
        }
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = httpdate::parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
        for (value, expected) in [
            ("0", Some(0)),
            (" 120", Some(120)),
            ("Sun, 06 Nov 1994 08:50:07 GMT", Some(30)),
            ("Sun, 06 Nov 1994 08:49:07 GMT", None),
            ("-1", None),
            ("soon", None),
        ] {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static(value))]);
            assert_eq!(retry_after(&headers, now), expected.map(Duration::from_secs), "{value}");
        }
    }

    #[tokio::test]
    async fn nobody_there_and_nobody_answering_are_failures() {
        let (listener, url) = server().await;
        let mut silent = request(url.clone());
        silent.connect_timeout = Duration::from_millis(50);
        let mut handle = Socket::connect(silent);
        assert_eq!(
            next(&mut handle).await,
            SocketIn::Failed {
                status: None,
                retry_after: None,
                reason: "no answer within 50 ms".into()
            }
        );
        drop(listener);
        let mut handle = Socket::connect(request(url));
        assert!(matches!(next(&mut handle).await, SocketIn::Failed { .. }));
        let mut handle = Socket::connect(request("not a url".into()));
        assert!(matches!(next(&mut handle).await, SocketIn::Failed { .. }));
    }

    #[tokio::test]
    async fn oversized_messages_and_cut_connections_end_it() {
        let (listener, url) = server().await;
        let mut handle = Socket::connect(request(url.clone()));
        let (tcp, _) = listener.accept().await.unwrap();
        let mut peer = accept_async(tcp).await.unwrap();
        assert_eq!(next(&mut handle).await, SocketIn::Opened);
        peer.send(Message::text("x".repeat(1_001))).await.unwrap();
        assert!(matches!(next(&mut handle).await, SocketIn::Closed { code: None, .. }));

        let mut handle = Socket::connect(request(url));
        let (tcp, _) = listener.accept().await.unwrap();
        let peer = accept_async(tcp).await.unwrap();
        assert_eq!(next(&mut handle).await, SocketIn::Opened);
        drop(peer);
        assert!(matches!(next(&mut handle).await, SocketIn::Closed { code: None, .. }));
    }
}
