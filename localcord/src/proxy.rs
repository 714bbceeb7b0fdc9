//! An HTTP CONNECT proxy that knows Discord's hosts and nothing else.
//!
//! A client whose host names are fixed but whose proxy can be set runs against localcord through
//! it: a tunnel to `discord.com` ends here, with a certificate of our authority. It is no way out
//! of the machine: any other destination is refused with 403.

use std::net::SocketAddr;

use axum::http::{Method, Request, Response, StatusCode, Uri};
use hyper::{
    body::Incoming,
    upgrade::{self, OnUpgrade},
};
use hyper_util::rt::TokioIo;
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

/// The port of `https://` and `wss://`.
const TLS_PORT: u16 = 443;

/// Where tunnels may end.
#[derive(Clone, Debug)]
pub struct Destinations {
    /// REST, control API and main gateway.
    pub api: SocketAddr,
    /// The voice gateway.
    pub voice: SocketAddr,
    /// `host:port` as `VOICE_SERVER_UPDATE` hands it out.
    pub voice_endpoint: String,
}

impl Destinations {
    /// Where a tunnel to `authority` (`host:port`) ends; `None`: it is refused.
    #[must_use]
    pub fn find(&self, authority: &str) -> Option<SocketAddr> {
        if authority == self.voice_endpoint || authority == self.voice.to_string() {
            return Some(self.voice);
        }
        // READY names this one as the address to resume at.
        if authority == self.api.to_string() {
            return Some(self.api);
        }
        let (host, port) = authority.rsplit_once(':')?;
        let port: u16 = port.parse().ok()?;
        let host = host.to_ascii_lowercase();
        if host.ends_with(".discord.media") {
            return Some(self.voice);
        }
        let api =
            matches!(host.as_str(), "discord.com" | "cdn.discordapp.com" | "gateway.discord.gg")
                || (host.starts_with("gateway-") && host.ends_with(".discord.gg"));
        (api && port == TLS_PORT).then_some(self.api)
    }
}

/// Serves the proxy for as long as the future is polled; one task per connection.
pub async fn serve(listener: TcpListener, destinations: Destinations) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((tcp, _)) => {
                    connections.spawn(serve_connection(tcp, destinations.clone()));
                }
                Err(error) => {
                    tracing::warn!(%error, "proxy accept failed");
                    tokio::time::sleep(crate::listen::ACCEPT_PAUSE).await;
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn serve_connection(tcp: TcpStream, destinations: Destinations) {
    let service = hyper::service::service_fn(move |request: Request<Incoming>| {
        let destinations = destinations.clone();
        async move { Ok::<_, std::convert::Infallible>(answer(request, &destinations).await) }
    });
    let served = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(tcp), service)
        .with_upgrades()
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "proxy connection ended early");
    }
}

async fn answer(request: Request<Incoming>, destinations: &Destinations) -> Response<String> {
    if request.method() != Method::CONNECT {
        return refusal(StatusCode::METHOD_NOT_ALLOWED, "this proxy only tunnels (CONNECT)");
    }
    let found = tunnel_name(request.uri()).and_then(|name| destinations.find(&name));
    let Some(destination) = found else {
        return refusal(StatusCode::FORBIDDEN, "localcord's proxy reaches Discord's hosts only");
    };
    match TcpStream::connect(destination).await {
        Ok(out) => {
            tokio::spawn(tunnel(upgrade::on(request), out));
            Response::new(String::new())
        }
        Err(_) => refusal(StatusCode::BAD_GATEWAY, "localcord itself does not answer"),
    }
}

fn tunnel_name(uri: &Uri) -> Option<String> {
    uri.authority().map(ToString::to_string)
}

fn refusal(status: StatusCode, why: &str) -> Response<String> {
    let mut response = Response::new(format!("{why}\n"));
    *response.status_mut() = status;
    response
}

async fn tunnel(inside: OnUpgrade, mut out: TcpStream) {
    match inside.await {
        Ok(upgraded) => {
            if let Err(error) = copy_bidirectional(&mut TokioIo::new(upgraded), &mut out).await {
                tracing::debug!(%error, "tunnel ended early");
            }
        }
        Err(error) => tracing::debug!(%error, "tunnel did not open"),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use axum::{Router, routing::get};
    use rustls_pki_types::ServerName;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;
    use crate::authority::Authority;

    fn destinations(api: SocketAddr) -> Destinations {
        let voice = SocketAddr::from(([127, 0, 0, 1], 50_001));
        Destinations { api, voice, voice_endpoint: "localhost:50001".into() }
    }

    #[test]
    fn only_discord_hosts_are_reached() {
        let api = SocketAddr::from(([127, 0, 0, 1], 8080));
        let known = destinations(api);
        let cases = [
            ("discord.com:443", Some(api)),
            ("Discord.com:443", Some(api)),
            ("gateway.discord.gg:443", Some(api)),
            ("gateway-us-east1-b.discord.gg:443", Some(api)),
            ("cdn.discordapp.com:443", Some(api)),
            ("discord.com:80", None),
            ("discord.com", None),
            ("127.0.0.1:8080", Some(api)),
            ("localhost:50001", Some(known.voice)),
            ("127.0.0.1:50001", Some(known.voice)),
            ("rotterdam1.discord.media:2053", Some(known.voice)),
            ("127.0.0.1:22", None),
            ("notdiscord.com:443", None),
            ("discord.media.example:443", None),
            ("discord.com.example:443", None),
            ("example.com:443", None),
            ("", None),
        ];
        for (name, expected) in cases {
            assert_eq!(known.find(name), expected, "{name}");
        }
    }

    async fn connect(proxy: SocketAddr, name: &str) -> (TcpStream, String) {
        let mut tcp = TcpStream::connect(proxy).await.unwrap();
        let request = format!("CONNECT {name} HTTP/1.1\r\nhost: {name}\r\n\r\n");
        tcp.write_all(request.as_bytes()).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(tcp.read_u8().await.unwrap());
        }
        let status = String::from_utf8(head).unwrap().lines().next().unwrap_or_default().into();
        (tcp, status)
    }

    #[tokio::test]
    async fn a_tunnel_ends_in_our_own_tls() {
        let authority = Authority::generate().unwrap();
        let api = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let known = destinations(api.local_addr().unwrap());
        let router = Router::new().route("/", get(|| async { "localcord" }));
        let serving =
            tokio::spawn(crate::listen::serve(api, authority.acceptor().unwrap(), router));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy = listener.local_addr().unwrap();
        let proxying = tokio::spawn(serve(listener, known));

        let (tcp, status) = connect(proxy, "discord.com:443").await;
        assert_eq!(status, "HTTP/1.1 200 OK");
        let connector =
            tokio_rustls::TlsConnector::from(Arc::new(authority.client_config().unwrap()));
        let name = ServerName::try_from("discord.com").unwrap();
        let mut tls = connector.connect(name, tcp).await.unwrap();
        let request = b"GET / HTTP/1.1\r\nhost: discord.com\r\nconnection: close\r\n\r\n";
        tls.write_all(request).await.unwrap();
        let mut answer = String::new();
        tls.read_to_string(&mut answer).await.unwrap();
        assert!(answer.ends_with("localcord"), "{answer}");

        let (_, status) = connect(proxy, "example.com:443").await;
        assert_eq!(status, "HTTP/1.1 403 Forbidden");
        proxying.abort();
        serving.abort();
    }
}
