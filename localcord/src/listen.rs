//! One port, two ways in: plain and TLS connections on the same listener.
//!
//! The first byte decides: `0x16` opens a TLS handshake record (RFC 8446 §5.1) and begins no HTTP
//! method, so a client may use `http://` and `https://`, `ws://` and `wss://` with the same port.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use axum::{Router, extract::Request};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::timeout,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tower::ServiceExt;

use crate::rest::Abandoned;

/// The content type of a TLS handshake record.
const TLS_HANDSHAKE: u8 = 0x16;
/// How long a new connection may take until its first byte and TLS handshake are there.
const OPENING_TIME: Duration = Duration::from_secs(10);
/// How long to wait after a failed accept (for example: no file descriptors left).
pub(crate) const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How a request came in; an extension of every request that [`serve`] hands to its router.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Via {
    /// Inside TLS.
    pub tls: bool,
    /// Who is at the other end.
    pub peer: SocketAddr,
}

/// A connection, plain or TLS.
#[derive(Debug)]
pub enum Stream {
    /// Bytes as they are.
    Plain(TcpStream),
    /// Inside TLS.
    Tls(Box<TlsStream<TcpStream>>),
}

/// Looks at the first byte of a connection and does the TLS handshake if the client began one.
///
/// # Errors
/// The connection broke, the handshake failed, or neither came within ten seconds.
pub async fn accept(tcp: TcpStream, tls: &TlsAcceptor) -> io::Result<Stream> {
    tcp.set_nodelay(true)?;
    let opening = async {
        let mut first = [0u8; 1];
        let seen = tcp.peek(&mut first).await?;
        if seen == 1 && first[0] == TLS_HANDSHAKE {
            Ok(Stream::Tls(Box::new(tls.accept(tcp).await?)))
        } else {
            Ok(Stream::Plain(tcp))
        }
    };
    timeout(OPENING_TIME, opening).await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
}

/// Serves a router on a listener for as long as the future is polled; one task per connection.
/// Dropping the future ends its connections, except those upgraded to a websocket.
pub async fn serve(listener: TcpListener, tls: TlsAcceptor, router: Router) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((tcp, peer)) => {
                    connections.spawn(serve_connection(tcp, peer, tls.clone(), router.clone()));
                }
                Err(error) => {
                    tracing::warn!(%error, "accept failed");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn serve_connection(tcp: TcpStream, peer: SocketAddr, tls: TlsAcceptor, router: Router) {
    let stream = match accept(tcp, &tls).await {
        Ok(stream) => stream,
        Err(error) => {
            tracing::debug!(%error, "connection did not open");
            return;
        }
    };
    let via = Via { tls: matches!(stream, Stream::Tls(_)), peer };
    let service = hyper::service::service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(via);
        let answer = router.clone().oneshot(request);
        async move {
            let Ok(answer) = answer.await;
            // An error of the service closes the connection without an answer.
            match answer.extensions().get::<Abandoned>() {
                Some(_) => Err(io::Error::from(io::ErrorKind::ConnectionReset)),
                None => Ok(answer),
            }
        }
    });
    let served = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades()
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "connection ended early");
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_read(cx, buf),
            Self::Tls(tls) => Pin::new(tls).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_write(cx, buf),
            Self::Tls(tls) => Pin::new(tls).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_flush(cx),
            Self::Tls(tls) => Pin::new(tls).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_shutdown(cx),
            Self::Tls(tls) => Pin::new(tls).poll_shutdown(cx),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use axum::routing::get;
    use rustls_pki_types::ServerName;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;
    use crate::authority::Authority;

    const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";

    #[tokio::test]
    async fn plain_and_tls_share_a_port_and_every_name_is_certified() {
        let authority = Authority::generate().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().route("/", get(|| async { "hello" }));
        let serving = tokio::spawn(serve(listener, authority.acceptor().unwrap(), router));

        let mut plain = TcpStream::connect(address).await.unwrap();
        plain.write_all(REQUEST).await.unwrap();
        let mut answer = String::new();
        plain.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.ends_with("hello"), "{answer}");

        let connector =
            tokio_rustls::TlsConnector::from(Arc::new(authority.client_config().unwrap()));
        for name in [
            "localhost",
            "127.0.0.1",
            "::1",
            "discord.com",
            "gateway.discord.gg",
            "gateway-us-east1-b.discord.gg",
            "rotterdam1.discord.media",
            "cdn.discordapp.com",
        ] {
            let tcp = TcpStream::connect(address).await.unwrap();
            let name = ServerName::try_from(name).unwrap();
            let mut tls = connector.connect(name, tcp).await.unwrap();
            tls.write_all(REQUEST).await.unwrap();
            let mut answer = String::new();
            tls.read_to_string(&mut answer).await.unwrap();
            assert!(answer.ends_with("hello"), "{answer}");
        }
        let tcp = TcpStream::connect(address).await.unwrap();
        let stranger = ServerName::try_from("example.com").unwrap();
        assert!(connector.connect(stranger, tcp).await.is_err());
        serving.abort();
    }
}
