//! Over real sockets: a minimal client written by hand, with davey as its DAVE half.

use std::{collections::BTreeSet, num::NonZeroU16};

use davey::{DaveSession, MediaType, ProposalsOperationType};
use futures_util::{SinkExt, StreamExt, future::select_all};
use rustls::{ClientConfig, RootCertStore, pki_types::ServerName};
use rustls_pki_types::{CertificateDer, pem::PemObject};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};
use tokio_tungstenite::{WebSocketStream, client_async, tungstenite::Message};

use super::*;
use crate::{
    authority::Authority,
    voice::transport::{Additions, Cipher, Mode, Opened, open, seal},
};

const GUILD: u64 = 100;
const CHANNEL: u64 = 200;
const PATIENCE: Duration = Duration::from_secs(10);
const FRAME: [u8; 30] = [42; 30];

trait Io: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}
type Socket = WebSocketStream<Box<dyn Io>>;

async fn server(settings: VoiceSettings) -> (VoiceServer, Journal, Authority) {
    let authority = Authority::generate().unwrap();
    let journal = Journal::default();
    let server = VoiceServer::start_with(
        settings,
        Ipv4Addr::LOCALHOST.into(),
        authority.acceptor().unwrap(),
        journal.clone(),
        Faults::default(),
    )
    .await
    .unwrap();
    for user in 1..=4 {
        server.admit(Ticket {
            guild_id: GUILD,
            channel_id: CHANNEL,
            user_id: user,
            session_id: format!("session {user}"),
            token: format!("token {user}"),
            dave: true,
        });
    }
    (server, journal, authority)
}

async fn dial(server: &VoiceServer, query: &str, tls: Option<&Authority>) -> Socket {
    let tcp = TcpStream::connect(server.endpoint()).await.unwrap();
    let stream: Box<dyn Io> = match tls {
        None => Box::new(tcp),
        Some(authority) => {
            let mut roots = RootCertStore::empty();
            roots.add(CertificateDer::from_pem_slice(authority.pem().as_bytes()).unwrap()).unwrap();
            let config =
                ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
            let name = ServerName::try_from("localhost").unwrap();
            let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
            Box::new(connector.connect(name, tcp).await.unwrap())
        }
    };
    client_async(format!("ws://localhost/{query}"), stream).await.unwrap().0
}

/// The next JSON message, or the close code.
async fn next_json(socket: &mut Socket) -> Result<Value, u16> {
    loop {
        match timeout(PATIENCE, socket.next()).await.expect("a message") {
            Some(Ok(Message::Text(text))) => {
                return Ok(serde_json::from_str(text.as_str()).unwrap());
            }
            Some(Ok(Message::Close(Some(frame)))) => return Err(frame.code.into()),
            Some(Ok(_)) => {}
            other => panic!("closed without a code: {other:?}"),
        }
    }
}

fn identify(user: u64) -> Value {
    json!({ "op": 0, "d": {
        "server_id": GUILD.to_string(),
        "user_id": user.to_string(),
        "session_id": format!("session {user}"),
        "token": format!("token {user}"),
        "max_dave_protocol_version": 1,
    } })
}

struct Client {
    user: u64,
    version: u16,
    socket: Socket,
    udp: UdpSocket,
    ssrc: u32,
    cipher: Cipher,
    dave: DaveSession,
    sequence: u16,
    last_seq: i64,
    speakers: BTreeSet<u64>,
    gone: BTreeSet<u64>,
    executed: usize,
    closed: Option<u16>,
}

impl Client {
    /// Identify, discovery, select; the DAVE messages follow in [`until`].
    async fn join(server: &VoiceServer, user: u64, version: u16, mode: Mode) -> Self {
        let mut socket = dial(server, &format!("?v={version}"), None).await;
        assert_eq!(next_json(&mut socket).await.unwrap()["op"], 8);
        socket.send(Message::text(identify(user).to_string())).await.unwrap();
        let ready = next_json(&mut socket).await.unwrap();
        assert_eq!(ready["op"], 2);
        let ssrc = u32::try_from(ready["d"]["ssrc"].as_u64().unwrap()).unwrap();
        let udp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let ip = ready["d"]["ip"].as_str().unwrap();
        udp.connect(format!("{ip}:{}", ready["d"]["port"])).await.unwrap();
        let (address, port) = discover(&udp, ssrc).await;
        assert_eq!(port, udp.local_addr().unwrap().port());
        let select = json!({ "op": 1, "d": {
            "protocol": "udp",
            "data": { "address": address, "port": port, "mode": mode.name() },
        } });
        socket.send(Message::text(select.to_string())).await.unwrap();
        let description = loop {
            let message = next_json(&mut socket).await.unwrap();
            if message["op"] == 4 {
                break message;
            }
        };
        assert_eq!(description["d"]["dave_protocol_version"], 1);
        let key: [u8; 32] = serde_json::from_value(description["d"]["secret_key"].clone()).unwrap();
        Self {
            user,
            version,
            socket,
            udp,
            ssrc,
            cipher: Cipher::new(mode, &key),
            dave: DaveSession::new(NonZeroU16::MIN, user, CHANNEL, None).unwrap(),
            sequence: 0,
            last_seq: description["seq"].as_i64().unwrap_or(-1),
            speakers: BTreeSet::new(),
            gone: BTreeSet::new(),
            executed: 0,
            closed: None,
        }
    }

    async fn json(&mut self, op: u8, d: Value) {
        let text = json!({ "op": op, "d": d }).to_string();
        self.socket.send(Message::text(text)).await.unwrap();
    }

    async fn binary(&mut self, op: u8, body: &[u8]) {
        let bytes = [&[op][..], body].concat();
        self.socket.send(Message::binary(bytes)).await.unwrap();
    }

    async fn handle(&mut self, message: Message) {
        match message {
            Message::Text(text) => {
                let message: Value = serde_json::from_str(text.as_str()).unwrap();
                self.last_seq = message["seq"].as_i64().unwrap_or(self.last_seq);
                self.handle_json(message["op"].as_u64().unwrap(), &message["d"]).await;
            }
            Message::Binary(bytes) if self.version == 8 => {
                self.last_seq = u16::from_be_bytes([bytes[0], bytes[1]]).into();
                self.handle_binary(bytes[2], &bytes[3..]).await;
            }
            Message::Binary(bytes) => self.handle_binary(bytes[0], &bytes[1..]).await,
            Message::Close(frame) => self.closed = frame.map(|frame| frame.code.into()),
            _ => {}
        }
    }

    async fn handle_json(&mut self, op: u64, d: &Value) {
        let user = || d["user_id"].as_str().unwrap().parse().unwrap();
        match op {
            5 => drop(self.speakers.insert(user())),
            13 => drop(self.gone.insert(user())),
            21 => {
                let id = u16::try_from(d["transition_id"].as_u64().unwrap()).unwrap();
                self.dave.prepare_transition(id, 1).unwrap();
            }
            22 => {
                let id = u16::try_from(d["transition_id"].as_u64().unwrap()).unwrap();
                assert!(self.dave.execute_transition(id).unwrap());
                self.executed += 1;
            }
            24 => {
                self.dave.reinit(NonZeroU16::MIN, self.user, CHANNEL, None).unwrap();
                let package = self.dave.create_key_package().unwrap();
                self.binary(26, &package).await;
            }
            _ => {}
        }
    }

    async fn handle_binary(&mut self, op: u8, body: &[u8]) {
        match op {
            25 => {
                self.dave.set_external_sender(body).unwrap();
                let package = self.dave.create_key_package().unwrap();
                self.binary(26, &package).await;
            }
            27 => {
                let operation = match body[0] {
                    0 => ProposalsOperationType::APPEND,
                    _ => ProposalsOperationType::REVOKE,
                };
                let answer = self.dave.process_proposals(operation, &body[1..], None).unwrap();
                if let Some(answer) = answer {
                    let body = [answer.commit, answer.welcome.unwrap_or_default()].concat();
                    self.binary(28, &body).await;
                }
            }
            29 | 30 => {
                let id = u16::from_be_bytes([body[0], body[1]]);
                if op == 29 {
                    assert!(self.dave.process_commit(&body[2..]).unwrap());
                } else {
                    self.dave.process_welcome(&body[2..], None).unwrap();
                }
                self.dave.prepare_transition(id, 1).unwrap();
                if id != 0 {
                    self.json(23, json!({ "transition_id": id })).await;
                }
            }
            _ => {}
        }
    }

    /// Goes on from another UDP port, as behind a router that forgot the first one.
    async fn rebind(&mut self) {
        let server = self.udp.peer_addr().unwrap();
        self.udp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        self.udp.connect(server).await.unwrap();
    }

    /// Asks for media at the present port, with the given mode.
    async fn select_again(&mut self, mode: Mode) -> Value {
        let (address, port) = discover(&self.udp, self.ssrc).await;
        assert_eq!(port, self.udp.local_addr().unwrap().port());
        let data = json!({ "address": address, "port": port, "mode": mode.name() });
        self.json(1, json!({ "protocol": "udp", "data": data })).await;
        loop {
            let message = next_json(&mut self.socket).await.unwrap();
            if message["op"] == 4 {
                let key = serde_json::from_value(message["d"]["secret_key"].clone()).unwrap();
                self.cipher = Cipher::new(mode, &key);
                return message["d"].clone();
            }
        }
    }

    fn epoch(&self) -> u64 {
        self.dave.epoch().map_or(0, |epoch| epoch.as_u64())
    }

    /// Sends one frame.
    async fn speak(&mut self) {
        let payload = self.dave.encrypt_opus(&FRAME).unwrap().into_owned();
        self.sequence += 1;
        let mut rest = [0; 10];
        rest[..2].copy_from_slice(&self.sequence.to_be_bytes());
        rest[6..].copy_from_slice(&self.ssrc.to_be_bytes());
        let packet = Opened { second: 0x78, rest, payload };
        let nonce = self.sequence.into();
        let wire = seal(&self.cipher, nonce, &packet, Additions::default()).unwrap();
        self.udp.send(&wire).await.unwrap();
    }

    /// Receives one frame of `from` and answers its first header byte.
    async fn hear(&mut self, from: u64) -> u8 {
        let mut wire = [0; 1_500];
        let length = timeout(PATIENCE, self.udp.recv(&mut wire)).await.unwrap().unwrap();
        let packet = open(&self.cipher, &wire[..length]).unwrap();
        let plain = self.dave.decrypt(from, MediaType::AUDIO, &packet.payload).unwrap();
        assert_eq!(plain, FRAME);
        wire[0]
    }
}

async fn discover(udp: &UdpSocket, ssrc: u32) -> (String, u16) {
    let mut packet = vec![0, 1, 0, 70];
    packet.extend_from_slice(&ssrc.to_be_bytes());
    packet.resize(74, 0);
    udp.send(&packet).await.unwrap();
    let length = timeout(PATIENCE, udp.recv(&mut packet)).await.unwrap().unwrap();
    assert_eq!(length, 74);
    assert_eq!(packet[..4], [0, 2, 0, 70]);
    let text = packet[8..72].split(|byte| *byte == 0).next().unwrap();
    let address = String::from_utf8(text.to_vec()).unwrap();
    (address, u16::from_be_bytes([packet[72], packet[73]]))
}

/// Lets all clients answer the gateway until this holds.
async fn until(clients: &mut [&mut Client], done: impl Fn(&[&mut Client]) -> bool) {
    let answering = async {
        while !done(clients) {
            let waiting = clients.iter_mut().map(|client| client.socket.next());
            let (message, index, _) = select_all(waiting).await;
            clients[index].handle(message.unwrap().unwrap()).await;
        }
    };
    timeout(PATIENCE, answering).await.expect("the gateway to get there");
}

async fn until_epoch(clients: &mut [&mut Client], epoch: u64) {
    until(clients, |clients| {
        clients.iter().all(|client| client.epoch() == epoch && client.dave.can_encrypt())
    })
    .await;
}

async fn pair(server: &VoiceServer, versions: [u16; 2], modes: [Mode; 2]) -> (Client, Client) {
    let mut first = Client::join(server, 1, versions[0], modes[0]).await;
    let mut second = Client::join(server, 2, versions[1], modes[1]).await;
    until_epoch(&mut [&mut first, &mut second], 1).await;
    (first, second)
}

#[tokio::test]
async fn two_members_hear_each_other_in_both_modes_and_versions() {
    for versions in [[8, 8], [4, 8], [4, 4]] {
        let (server, journal, _) =
            server(VoiceSettings { padding_every: 3, ..VoiceSettings::default() }).await;
        let modes = [Mode::Aes256Gcm, Mode::XChaCha20Poly1305];
        let (mut first, mut second) = pair(&server, versions, modes).await;
        first.json(5, json!({ "speaking": 1, "delay": 0, "ssrc": first.ssrc })).await;
        until(&mut [&mut second], |clients| clients[0].speakers.contains(&1)).await;
        second.json(5, json!({ "speaking": 1, "delay": 0, "ssrc": second.ssrc })).await;
        until(&mut [&mut first], |clients| clients[0].speakers.contains(&2)).await;
        let mut padded = 0;
        for _ in 0..6 {
            first.speak().await;
            let header = second.hear(1).await;
            assert_eq!(header & 0xD0, 0x90);
            padded += u32::from(header & 0x20 != 0);
            second.speak().await;
            first.hear(2).await;
        }
        assert_eq!(padded, 2);
        assert_eq!(server.epoch(CHANNEL), Some(1));
        let epochs = journal.since(0).iter().filter(|e| e.name == "epoch").count();
        assert_eq!(epochs, 1);
    }
}

#[tokio::test]
async fn audio_flows_on_when_a_port_changes_in_the_middle_of_a_call() {
    let (server, journal, _) = server(VoiceSettings::default()).await;
    let (mut first, mut second) = pair(&server, [8, 8], [Mode::Aes256Gcm; 2]).await;
    first.json(5, json!({ "speaking": 1 })).await;
    second.json(5, json!({ "speaking": 1 })).await;
    until(&mut [&mut first, &mut second], |clients| {
        clients.iter().all(|client| client.speakers.len() == 1)
    })
    .await;
    // One that only listens says where it is now; the same key, another mode if it wants.
    for mode in [Mode::Aes256Gcm, Mode::XChaCha20Poly1305] {
        first.speak().await;
        second.hear(1).await;
        second.rebind().await;
        let described = second.select_again(mode).await;
        assert_eq!(described["mode"], mode.name());
        first.speak().await;
        second.hear(1).await;
    }
    // One that speaks need not say anything.
    first.rebind().await;
    first.speak().await;
    second.hear(1).await;
    second.speak().await;
    first.hear(2).await;
    let moved: Vec<_> = journal.since(0).into_iter().filter(|e| e.name == "moved").collect();
    assert_eq!(moved.len(), 1);
    assert_eq!(moved[0].data["address"], first.udp.local_addr().unwrap().to_string());
    assert_eq!(server.epoch(CHANNEL), Some(1), "nothing else has changed");
}

#[tokio::test]
async fn a_websocket_is_cut_and_resumed_while_a_third_joins() {
    let (server, journal, _) = server(VoiceSettings::default()).await;
    let modes = [Mode::Aes256Gcm, Mode::Aes256Gcm];
    let (mut first, mut second) = pair(&server, [8, 8], modes).await;
    first.json(5, json!({ "speaking": 1 })).await;
    until(&mut [&mut second], |clients| clients[0].speakers.contains(&1)).await;

    server.close_websocket(GUILD, 2, 4015);
    until(&mut [&mut second], |clients| clients[0].closed == Some(4015)).await;
    first.speak().await;
    second.hear(1).await; // UDP goes on

    let mut third = Client::join(&server, 3, 8, Mode::Aes256Gcm).await;
    until(&mut [&mut first, &mut third], |clients| clients.iter().all(|c| c.epoch() == 2)).await;

    second.socket = dial(&server, "?v=8", None).await;
    let d = json!({
        "server_id": GUILD.to_string(),
        "session_id": "session 2",
        "token": "token 2",
        "seq_ack": second.last_seq,
    });
    second.json(7, d).await;
    let all = &mut [&mut first, &mut second, &mut third];
    until(all, |clients| clients.iter().all(|c| c.epoch() == 2 && c.executed == 1)).await;
    first.speak().await;
    second.hear(1).await;
    third.hear(1).await;
    assert!(journal.since(0).iter().any(|entry| entry.name == "replayed"));
}

#[tokio::test]
async fn a_member_is_dismissed_and_the_last_one_reset() {
    let (server, _, _) = server(VoiceSettings::default()).await;
    let modes = [Mode::Aes256Gcm, Mode::Aes256Gcm];
    let (mut first, mut second) = pair(&server, [8, 8], modes).await;
    server.dismiss(GUILD, 2, 4014);
    until(&mut [&mut second], |clients| clients[0].closed == Some(4014)).await;
    until(&mut [&mut first], |clients| clients[0].gone.contains(&2)).await;
    // Ops 24 and 21 reach the one who stays, and a third makes a new group with it.
    let mut third = Client::join(&server, 3, 8, Mode::Aes256Gcm).await;
    until(&mut [&mut first, &mut third], |clients| {
        clients.iter().all(|client| {
            client.epoch() == 1 && client.dave.get_user_ids().is_some_and(|ids| ids.contains(&3))
        })
    })
    .await;
    assert_eq!(server.epoch(CHANNEL), Some(1));
}

#[tokio::test]
async fn tls_on_the_same_port() {
    let (server, _, authority) = server(VoiceSettings::default()).await;
    let mut socket = dial(&server, "?v=8", Some(&authority)).await;
    assert_eq!(next_json(&mut socket).await.unwrap()["d"]["v"], 8);
}

#[tokio::test]
async fn close_codes_on_the_wire() {
    let with = |field: &str, value: Value| {
        let mut message = identify(1);
        message["d"][field] = value;
        message
    };
    let select = |mode: &str| {
        json!({ "op": 1, "d": {
            "protocol": "udp", "data": { "address": "127.0.0.1", "port": 9, "mode": mode },
        } })
    };
    let cases = [
        ("?v=8", vec![with("token", "x".into())], 4004),
        ("?v=8", vec![with("session_id", "x".into())], 4006),
        ("?v=4", vec![with("max_dave_protocol_version", 0.into())], 4017),
        ("?v=8", vec![identify(1), identify(1)], 4005),
        ("?v=8", vec![identify(1), json!({ "op": 77 })], 4001),
        ("?v=8", vec![identify(1), json!([])], 4002),
        ("?v=8", vec![select("aead_aes256_gcm_rtpsize")], 4003),
        ("?v=8", vec![identify(1), select("xsalsa20_poly1305")], 4016),
        ("?v=3", vec![], 4012),
        ("", vec![], 4012),
        ("?v=8", vec![], 4009), // no heartbeat
    ];
    for (query, messages, code) in cases {
        let settings = VoiceSettings { heartbeat_timeout_ms: 1_500, ..VoiceSettings::default() };
        let (server, _, _) = server(settings).await;
        let mut socket = dial(&server, query, None).await;
        for message in &messages {
            socket.send(Message::text(message.to_string())).await.unwrap();
        }
        let closed = loop {
            if let Err(code) = next_json(&mut socket).await {
                break code;
            }
        };
        assert_eq!(closed, code, "{query} {messages:?}");
    }
}

#[tokio::test]
async fn rtp_before_op_5_is_closed_on_the_wire() {
    let settings = VoiceSettings { speaking_grace_ms: 50, ..VoiceSettings::default() };
    let (server, _, _) = server(settings).await;
    let modes = [Mode::Aes256Gcm, Mode::Aes256Gcm];
    let (mut first, _second) = pair(&server, [8, 8], modes).await;
    first.speak().await;
    until(&mut [&mut first], |clients| clients[0].closed == Some(4006)).await;
}
