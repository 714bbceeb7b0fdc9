//! The main gateway through an HTTP proxy.
//!
//! twilight dials by itself and knows no proxies. So it is given an address on this machine, at
//! which one connection is taken and carried on: CONNECT to the proxy, TLS to Discord, and the
//! handshake's `Host` put right. Source: RFC 9110, 9.3.6.

use std::{io, net::Ipv4Addr, sync::Arc, time::Duration};

use rustls::{ClientConfig, RootCertStore, pki_types::ServerName};
use secrecy::{ExposeSecret as _, SecretString};
use socket2::{SockRef, TcpKeepalive};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, copy_bidirectional},
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tokio_rustls::TlsConnector;

/// For each step of the way to Discord.
const PATIENCE: Duration = Duration::from_secs(10);

/// Idle time after which the network is asked whether the other side is still there.
const KEEPALIVE: Duration = Duration::from_secs(30);

/// The longest head of a request or answer that is read, in bytes.
const MAX_HEAD: usize = 16 * 1024;

/// An HTTP proxy.
#[derive(Clone)]
pub(super) struct Proxy {
    /// `host:port`.
    authority: String,
    /// `Basic …`, if the address carries a name and password.
    authorization: Option<SecretString>,
    tls: Arc<ClientConfig>,
}

impl std::fmt::Debug for Proxy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Proxy").field("authority", &self.authority).finish_non_exhaustive()
    }
}

/// Where a websocket address leads.
#[derive(Debug, PartialEq, Eq)]
struct Target {
    host: String,
    port: u16,
    tls: bool,
}

impl Target {
    /// Reads `ws(s)://host[:port][/…]`.
    fn of(url: &str) -> Option<Self> {
        let url = reqwest::Url::parse(url).ok()?;
        let (tls, usual) = match url.scheme() {
            "wss" => (true, 443),
            "ws" => (false, 80),
            _ => return None,
        };
        let host = url.host_str()?.to_owned();
        Some(Self { host, port: url.port().unwrap_or(usual), tls })
    }

    fn authority(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// As a browser would write it: without the scheme's own port.
    fn host_header(&self) -> String {
        let usual = if self.tls { 443 } else { 80 };
        if self.port == usual { self.host.clone() } else { self.authority() }
    }
}

impl Proxy {
    /// Reads `http://[name:password@]host[:port]`; `None` if it is something else. `roots`: whom to
    /// trust; `None`: the certificate authorities of the web.
    pub(super) fn new(url: &str, roots: Option<RootCertStore>) -> Option<Self> {
        let url = reqwest::Url::parse(url.trim()).ok()?;
        if url.scheme() != "http" || url.path() != "/" || url.query().is_some() {
            return None;
        }
        let host = url.host_str().filter(|host| !host.is_empty())?;
        let authority = format!("{host}:{}", url.port().unwrap_or(80));
        let authorization = (!url.username().is_empty()).then(|| {
            use base64::Engine as _;
            let pair = format!("{}:{}", url.username(), url.password().unwrap_or_default());
            let coded = base64::engine::general_purpose::STANDARD.encode(pair);
            SecretString::from(format!("Basic {coded}"))
        });
        let roots = roots
            .unwrap_or_else(|| RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() });
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .ok()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Some(Self { authority, authorization, tls: Arc::new(tls) })
    }

    /// A way to `url` for one connection; gives the address to dial instead.
    pub(super) async fn tunnel(&self, url: &str) -> io::Result<String> {
        let target = Target::of(url).ok_or_else(|| io::Error::other("no websocket address"))?;
        // Connected before twilight dials, so that a refusal is told in words.
        let outside = timeout(PATIENCE, self.connect(&target)).await??;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = format!("ws://{}", listener.local_addr()?);
        let tls = Arc::clone(&self.tls);
        tokio::spawn(async move {
            if let Err(error) = carry(listener, outside, target, tls).await {
                tracing::debug!("the way through the proxy ended: {error}");
            }
        });
        Ok(address)
    }

    async fn connect(&self, target: &Target) -> io::Result<TcpStream> {
        let mut stream = TcpStream::connect(&self.authority).await?;
        let keepalive = TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE);
        SockRef::from(&stream).set_tcp_keepalive(&keepalive)?;
        stream.set_nodelay(true)?;
        let authority = target.authority();
        let mut request = format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n");
        if let Some(authorization) = &self.authorization {
            request.push_str("Proxy-Authorization: ");
            request.push_str(authorization.expose_secret());
            request.push_str("\r\n");
        }
        request.push_str("\r\n");
        stream.write_all(request.as_bytes()).await?;
        let head = read_head(&mut stream).await?;
        let line = head.lines().next().unwrap_or_default();
        match line.split_whitespace().nth(1) {
            Some("200") => Ok(stream),
            status => {
                let status = status.unwrap_or("nothing that is HTTP");
                Err(io::Error::other(format!("the proxy answered {status}")))
            }
        }
    }
}

/// Takes the one connection and carries it on.
async fn carry(
    listener: TcpListener,
    outside: TcpStream,
    target: Target,
    tls: Arc<ClientConfig>,
) -> io::Result<()> {
    let (mut inside, _) = timeout(PATIENCE, listener.accept()).await??;
    drop(listener);
    inside.set_nodelay(true)?;
    let head = timeout(PATIENCE, read_head(&mut inside)).await??;
    let head = with_host(&head, &target.host_header());
    if target.tls {
        let name = ServerName::try_from(target.host.clone()).map_err(io::Error::other)?;
        let connecting = TlsConnector::from(tls).connect(name, outside);
        join(inside, timeout(PATIENCE, connecting).await??, &head).await
    } else {
        join(inside, outside, &head).await
    }
}

async fn join(
    mut inside: TcpStream,
    mut outside: impl AsyncRead + AsyncWrite + Unpin,
    head: &str,
) -> io::Result<()> {
    outside.write_all(head.as_bytes()).await?;
    outside.flush().await?;
    copy_bidirectional(&mut inside, &mut outside).await?;
    Ok(())
}

/// Reads up to the empty line that ends a head, and nothing after it.
async fn read_head(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<String> {
    let mut head = Vec::with_capacity(512);
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() == MAX_HEAD {
            return Err(io::Error::other("the head is too long"));
        }
        head.push(stream.read_u8().await?);
    }
    String::from_utf8(head).map_err(|_| io::Error::other("the head is no text"))
}

/// The head with another `Host`.
fn with_host(head: &str, host: &str) -> String {
    let mut changed = String::with_capacity(head.len() + host.len());
    for line in head.split_inclusive("\r\n") {
        let named = line.split_once(':').is_some_and(|(name, _)| name.eq_ignore_ascii_case("host"));
        if named {
            changed.push_str("Host: ");
            changed.push_str(host);
            changed.push_str("\r\n");
        } else {
            changed.push_str(line);
        }
    }
    changed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_proxies_can_be_used() {
        let cases = [
            ("http://127.0.0.1:3128", Some("127.0.0.1:3128")),
            ("http://name:word@proxy.example/", Some("proxy.example:80")),
            ("http://[::1]:8080", Some("[::1]:8080")),
            ("https://proxy.example", None),
            ("socks5://proxy.example", None),
            ("http://proxy.example/path", None),
            ("http://", None),
            ("proxy.example:3128", None),
            ("", None),
        ];
        for (url, authority) in cases {
            let proxy = Proxy::new(url, None);
            assert_eq!(proxy.map(|proxy| proxy.authority).as_deref(), authority, "{url}");
        }
        let shown = format!("{:?}", Proxy::new("http://name:word@proxy.example", None));
        assert!(!shown.contains("word"), "{shown}");
    }

    #[tokio::test]
    async fn discord_is_reached_through_connect_and_tls() {
        use rustls::pki_types::{CertificateDer, pem::PemObject as _};
        let settings = localcord::ServerSettings {
            proxy_port: Some(0),
            ..localcord::ServerSettings::default()
        };
        let server = localcord::Server::start(settings).await.unwrap();
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(server.ca_pem().as_bytes()) {
            roots.add(certificate.unwrap()).unwrap();
        }
        let proxy = Proxy::new(&server.proxy_url().unwrap(), Some(roots)).unwrap();
        let address = proxy.tunnel("wss://gateway.discord.gg").await.unwrap();
        let mut socket = TcpStream::connect(address.trim_start_matches("ws://")).await.unwrap();
        let request = "GET /?v=10&encoding=json HTTP/1.1\r\nHost: 127.0.0.1\r\n\
            Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
            Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
        socket.write_all(request.as_bytes()).await.unwrap();
        let head = timeout(PATIENCE, read_head(&mut socket)).await.unwrap().unwrap();
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");

        let refused = proxy.tunnel("wss://example.com").await.unwrap_err();
        assert_eq!(refused.to_string(), "the proxy answered 403");
        let address = server.address();
        drop(server);
        let gone = Proxy::new(&format!("http://{address}"), None).unwrap();
        assert!(gone.tunnel("wss://gateway.discord.gg").await.is_err());
    }

    #[test]
    fn the_handshake_names_discord_not_this_machine() {
        let head = "GET /?v=10 HTTP/1.1\r\nhost: 127.0.0.1:999\r\nUpgrade: websocket\r\n\r\n";
        let target = Target::of("wss://gateway.discord.gg").unwrap();
        assert_eq!(target.authority(), "gateway.discord.gg:443");
        assert_eq!(
            with_host(head, &target.host_header()),
            "GET /?v=10 HTTP/1.1\r\nHost: gateway.discord.gg\r\nUpgrade: websocket\r\n\r\n"
        );
        let target = Target::of("ws://127.0.0.1:4000/x").unwrap();
        assert_eq!(target.host_header(), "127.0.0.1:4000");
        assert_eq!(Target::of("http://x"), None);
    }
}
