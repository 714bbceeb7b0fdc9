//! The call under test, its websocket's server side, and what it hears.

use clawvoice_session::{ChannelId, GuildId, SessionTime, UserId};
use clawvoice_voice::call::{
    Call, CallEvent, CallSettings, DECRYPTION_FAILURE_TOLERANCE, Hear, Output,
};
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::{
    member::Answer,
    packet::Sealer,
    server::Told,
    tone::{Said, classify, is_quiet},
};

/// The user under test.
pub(crate) const BOT: u64 = 1_000;
pub(crate) const CHANNEL: u64 = 77;
const KEY: [u8; 32] = [5; 32];
const MODE: &str = "aead_aes256_gcm_rtpsize";
/// Messages kept for a resume; far more than any outage misses.
const BUFFERED: usize = 4_096;

/// A piece of what the call gave out as somebody's speech.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// A frame.
    Frame(Said),
    /// Nothing audible.
    Quiet,
    /// Sound that is no frame.
    Unclear,
}

/// What was heard since it was last asked.
#[derive(Default)]
pub(crate) struct Ear {
    pub(crate) pieces: Vec<(u64, Piece)>,
    speaking: Vec<u64>,
    /// Audio of somebody whose speaking was not announced, or announced twice.
    pub(crate) unannounced: Vec<u64>,
}

impl Hear for Ear {
    fn speaking_started(&mut self, _now: SessionTime, user: UserId) {
        if self.speaking.contains(&user.get()) {
            self.unannounced.push(user.get());
        }
        self.speaking.push(user.get());
    }

    fn audio(&mut self, _now: SessionTime, user: UserId, pcm: &[i16]) {
        if !self.speaking.contains(&user.get()) {
            self.unannounced.push(user.get());
        }
        let piece = match classify(pcm) {
            Some(said) => Piece::Frame(said),
            None if is_quiet(pcm) => Piece::Quiet,
            None => Piece::Unclear,
        };
        self.pieces.push((user.get(), piece));
    }

    fn speaking_stopped(&mut self, _now: SessionTime, user: UserId) {
        self.speaking.retain(|speaker| *speaker != user.get());
    }
}

/// A message on its way to the call.
#[derive(Clone, Debug)]
pub(crate) struct Post {
    pub(crate) wire: Wire,
    /// Whether it comes again if it is missed.
    pub(crate) numbered: bool,
    /// What the oracle is to make of it.
    pub(crate) means: Means,
}

#[derive(Clone, Debug)]
pub(crate) enum Wire {
    Text(String),
    Binary(Vec<u8>),
}

/// What a message says, for those who need not parse it.
#[derive(Clone, Debug)]
pub(crate) enum Means {
    /// Nothing about who can be heard.
    Nothing,
    /// Op 4 with this version.
    Description(u16),
    /// Something that members are told as well; whether it can be used.
    Told(Told, bool),
}

/// A message of the call.
pub(crate) enum Request {
    Identify,
    Select,
    Heartbeat(Value),
    Resume(i64),
    Dave(Answer),
    Other,
}

/// What the call wants done.
pub(crate) enum Wish {
    Connect,
    Send(Wire),
    Close,
    Discover(Vec<u8>),
    Recovered(u16),
    Ended(String),
}

/// See the module's documentation.
pub(crate) struct Seat {
    pub(crate) call: Call,
    pub(crate) ear: Ear,
    /// Counts calls; what is on its way to an earlier one is void.
    pub(crate) life: u32,
    /// Counts websockets.
    pub(crate) link: u32,
    /// Whether the websocket is open and the server knows whose it is.
    pub(crate) linked: bool,
    /// Whether media is forwarded.
    pub(crate) media: bool,
    pub(crate) sealer: Sealer,
    next_seq: i64,
    kept: Vec<(i64, Post)>,
}

impl Seat {
    pub(crate) fn new(now: SessionTime, life: u32, seed: u64) -> Self {
        let settings = CallSettings {
            guild: GuildId::new(1),
            channel: ChannelId::new(CHANNEL),
            user: UserId::new(BOT),
            session_id: "session".into(),
            token: SecretString::from("token"),
            endpoint: "voice.example:443".into(),
            secure: true,
            dave: true,
            decryption_failure_tolerance: DECRYPTION_FAILURE_TOLERANCE,
            reconnect_grace: clawvoice_voice::call::RECONNECT_GRACE,
            seed,
            udp_fallback: None,
        };
        Self {
            call: Call::new(settings, now),
            ear: Ear::default(),
            life,
            link: 0,
            linked: false,
            media: false,
            sealer: Sealer::new(KEY),
            next_seq: 0,
            kept: Vec::new(),
        }
    }

    /// What the call wants next.
    pub(crate) fn poll_wish(&mut self) -> Option<Wish> {
        loop {
            return Some(match self.call.poll_output()? {
                Output::Connect { .. } => Wish::Connect,
                Output::Text(text) => Wish::Send(Wire::Text(text)),
                Output::Binary(bytes) => Wish::Send(Wire::Binary(bytes)),
                Output::CloseGateway { .. } => Wish::Close,
                Output::Datagram(bytes) => Wish::Discover(bytes),
                Output::Event(CallEvent::GroupRecovery { transition }) => {
                    Wish::Recovered(transition)
                }
                Output::Event(CallEvent::Ended(reason)) => Wish::Ended(reason.to_string()),
                Output::Event(_) | Output::OpenUdp { .. } => continue,
            });
        }
    }

    /// Gives a message its number and keeps it for a resume.
    fn number(&mut self, post: impl FnOnce(i64) -> Post) -> Post {
        let seq = self.next_seq;
        self.next_seq += 1;
        let post = post(seq);
        if self.kept.len() >= BUFFERED {
            self.kept.remove(0);
        }
        self.kept.push((seq, post.clone()));
        post
    }

    /// Something members are told, for the call. `damaged` garbles the MLS message in it.
    pub(crate) fn tell(&mut self, told: &Told, damaged: bool) -> Post {
        let means = Means::Told(told.clone(), !damaged);
        let (op, d) = match told {
            Told::Connected(users) => {
                let users: Vec<_> = users.iter().map(|(user, _)| user.to_string()).collect();
                (11, Some(json!({ "user_ids": users })))
            }
            Told::Disconnected { user, .. } => (13, Some(json!({ "user_id": user.to_string() }))),
            Told::Speaking { user, ssrc } => {
                (5, Some(json!({ "user_id": user.to_string(), "ssrc": ssrc, "speaking": 1 })))
            }
            Told::Dave { message, .. } => (message.opcode(), message.json()),
        };
        let body = match told {
            Told::Dave { message, .. } => message.binary(),
            _ => None,
        };
        self.number(|seq| {
            let wire = match (d, body) {
                (None, Some(mut body)) => {
                    if damaged && let Some(byte) = body.iter_mut().rev().nth(7) {
                        *byte ^= 0x55;
                    }
                    let mut bytes = (seq as u16).to_be_bytes().to_vec();
                    bytes.push(op);
                    bytes.extend_from_slice(&body);
                    Wire::Binary(bytes)
                }
                (d, _) => Wire::Text(json!({ "op": op, "seq": seq, "d": d }).to_string()),
            };
            Post { wire, numbered: true, means }
        })
    }

    /// Op 8.
    pub(crate) fn hello() -> Post {
        unnumbered(8, &json!({ "heartbeat_interval": 13_750.0, "v": 8 }))
    }

    /// Op 6.
    pub(crate) fn heartbeat_ack(nonce: &Value) -> Post {
        unnumbered(6, nonce)
    }

    /// Op 9.
    pub(crate) fn resumed() -> Post {
        unnumbered(9, &Value::Null)
    }

    /// Op 2.
    pub(crate) fn ready(&mut self, ssrc: u32) -> Post {
        let d = json!({ "ssrc": ssrc, "ip": "127.0.0.1", "port": 9, "modes": [MODE] });
        self.number(|seq| Post {
            wire: Wire::Text(json!({ "op": 2, "seq": seq, "d": d }).to_string()),
            numbered: true,
            means: Means::Nothing,
        })
    }

    /// Op 4.
    pub(crate) fn description(&mut self, version: u16) -> Post {
        let d = json!({ "mode": MODE, "secret_key": KEY, "dave_protocol_version": version });
        self.number(|seq| Post {
            wire: Wire::Text(json!({ "op": 4, "seq": seq, "d": d }).to_string()),
            numbered: true,
            means: Means::Description(version),
        })
    }

    /// What came after a sequence number.
    pub(crate) fn missed(&self, acknowledged: i64) -> Vec<Post> {
        let later = self.kept.iter().filter(|(seq, _)| *seq > acknowledged);
        later.map(|(_, post)| post.clone()).collect()
    }
}

fn unnumbered(op: u8, d: &Value) -> Post {
    let wire = Wire::Text(json!({ "op": op, "d": d }).to_string());
    Post { wire, numbered: false, means: Means::Nothing }
}

/// Reads a message of the call, as far as it matters here.
pub(crate) fn read(wire: &Wire) -> Request {
    match wire {
        Wire::Binary(bytes) => match bytes.split_first() {
            Some((26, package)) => Request::Dave(Answer::KeyPackage(package.to_vec())),
            Some((28, commit)) => Request::Dave(Answer::Commit(commit.to_vec())),
            _ => Request::Other,
        },
        Wire::Text(text) => {
            let message: Value = serde_json::from_str(text).unwrap_or_default();
            let d = &message["d"];
            let transition = || {
                d["transition_id"].as_u64().and_then(|id| id.try_into().ok()).unwrap_or_default()
            };
            match message["op"].as_u64() {
                Some(0) => Request::Identify,
                Some(1) => Request::Select,
                Some(3) => Request::Heartbeat(d.clone()),
                Some(7) => Request::Resume(d["seq_ack"].as_i64().unwrap_or(-1)),
                Some(23) => Request::Dave(Answer::Ready(transition())),
                Some(31) => Request::Dave(Answer::Invalid(transition())),
                _ => Request::Other,
            }
        }
    }
}

/// The answer to an IP discovery request (74 bytes, Discord "Voice Connections"), if it is one.
pub(crate) fn discovered(request: &[u8]) -> Option<Vec<u8>> {
    if request.len() != 74 || !request.starts_with(&[0, 1, 0, 70]) {
        return None;
    }
    let mut answer = vec![0; 74];
    answer[..4].copy_from_slice(&[0, 2, 0, 70]);
    answer[4..8].copy_from_slice(&request[4..8]);
    answer[8..17].copy_from_slice(b"127.0.0.1");
    answer[72..].copy_from_slice(&50_001_u16.to_be_bytes());
    Some(answer)
}
