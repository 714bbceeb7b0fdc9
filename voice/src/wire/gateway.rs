//! The voice gateway's messages, version 8: JSON opcodes as websocket text, DAVE opcodes as
//! websocket binary.
//!
//! Server messages carry a sequence number (JSON: `seq` beside `op`; binary: the first two bytes,
//! big-endian) from one counter; a client returns the last one seen. 0 is a number like any other.
//!
//! Sources: Discord "Voice Connections" and "Opcodes and Status Codes: Voice", DAVE whitepaper
//! "Voice Gateway Opcodes".

use std::{net::SocketAddr, time::Duration};

use clawvoice_session::{GuildId, UserId};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};

use super::aead::{KEY_BYTES, Mode};

/// The highest DAVE protocol version we speak.
pub const MAX_DAVE_VERSION: u16 = 1;

/// Why a message could not be read.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// Not JSON, or not an object with an `op`.
    #[error("voice gateway sent text that is no message: {0}")]
    Envelope(serde_json::Error),
    /// The body does not fit its opcode.
    #[error("voice gateway sent op {op} with an unreadable body: {source}")]
    Body {
        /// The opcode.
        op: u8,
        /// What serde expected and got.
        source: serde_json::Error,
    },
    /// A binary message is shorter than its opcode's header.
    #[error("voice gateway sent {got} binary bytes, expected at least {expected}")]
    Short {
        /// Bytes expected.
        expected: usize,
        /// Bytes there were.
        got: usize,
    },
    /// Op 27 with an operation other than append and revoke.
    #[error("voice gateway sent proposals of unknown kind {got}")]
    ProposalKind {
        /// The kind byte.
        got: u8,
    },
}

/// READY (op 2).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Ready {
    /// Our synchronisation source.
    pub ssrc: u32,
    /// The voice server's IP address.
    pub ip: String,
    /// The voice server's UDP port.
    pub port: u16,
    /// Transport encryption modes on offer.
    #[serde(default)]
    pub modes: Vec<String>,
}

/// SESSION DESCRIPTION (op 4).
#[derive(Clone, PartialEq, Eq, Deserialize)]
pub struct Description {
    /// The transport encryption mode.
    pub mode: String,
    /// The transport key, of both directions.
    pub secret_key: [u8; KEY_BYTES],
    /// DAVE protocol version in force; 0 is transport encryption only.
    #[serde(default)]
    pub dave_protocol_version: u16,
}

impl std::fmt::Debug for Description {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Description")
            .field("mode", &self.mode)
            .field("dave_protocol_version", &self.dave_protocol_version)
            .finish_non_exhaustive()
    }
}

/// A JSON message of the server.
#[derive(Clone, Debug, PartialEq)]
pub enum Incoming {
    /// Op 8: how often to beat.
    Hello {
        /// Between two heartbeats; fractional milliseconds on the wire.
        heartbeat_interval: Duration,
    },
    /// Op 2.
    Ready(Ready),
    /// Op 4.
    Description(Description),
    /// Op 3: the server asks for a heartbeat at once.
    HeartbeatRequest,
    /// Op 6.
    HeartbeatAck,
    /// Op 5: who sends under which SSRC. The only such mapping there is.
    Speaking {
        /// The sender.
        user: UserId,
        /// Their SSRC.
        ssrc: u32,
    },
    /// Op 9.
    Resumed,
    /// Op 11: users that are or come into the call.
    ClientsConnect(Vec<UserId>),
    /// Op 13: a user that left it.
    ClientDisconnect(UserId),
    /// Op 21.
    PrepareTransition {
        /// Which; 0 executes at once.
        transition: u16,
        /// The protocol version after it.
        version: u16,
    },
    /// Op 22.
    ExecuteTransition {
        /// Which.
        transition: u16,
    },
    /// Op 24.
    PrepareEpoch {
        /// The protocol version of the new group.
        version: u16,
        /// 1: a new group is to be formed.
        epoch: u64,
    },
    /// An opcode without meaning for a voice client (video, flags, platform, unknown ones).
    Ignored {
        /// The opcode.
        op: u8,
    },
}

#[derive(Deserialize)]
struct Envelope {
    op: u8,
    #[serde(default)]
    seq: Option<i64>,
    #[serde(default)]
    d: Value,
}

#[derive(Deserialize)]
struct HelloBody {
    heartbeat_interval: f64,
}

#[derive(Deserialize)]
struct SpeakingBody {
    #[serde(default)]
    user_id: Option<UserId>,
    ssrc: u32,
}

#[derive(Deserialize)]
struct UsersBody {
    user_ids: Vec<UserId>,
}

#[derive(Deserialize)]
struct UserBody {
    user_id: UserId,
}

#[derive(Deserialize)]
struct TransitionBody {
    transition_id: u16,
    #[serde(default)]
    protocol_version: u16,
}

#[derive(Deserialize)]
struct EpochBody {
    protocol_version: u16,
    epoch: u64,
}

/// Reads a text message: its sequence number, if it has one, and its meaning.
///
/// # Errors
/// The text is no JSON object with an `op`, or the body does not fit the opcode.
pub fn parse_text(text: &str) -> Result<(Option<i64>, Incoming), GatewayError> {
    let Envelope { op, seq, d } = serde_json::from_str(text).map_err(GatewayError::Envelope)?;
    let incoming = body(op, d).map_err(|source| GatewayError::Body { op, source })?;
    Ok((seq, incoming))
}

fn body(op: u8, d: Value) -> Result<Incoming, serde_json::Error> {
    Ok(match op {
        2 => Incoming::Ready(Ready::deserialize(d)?),
        3 => Incoming::HeartbeatRequest,
        4 => Incoming::Description(Description::deserialize(d)?),
        5 => {
            let body = SpeakingBody::deserialize(d)?;
            match body.user_id {
                Some(user) => Incoming::Speaking { user, ssrc: body.ssrc },
                None => Incoming::Ignored { op },
            }
        }
        6 => Incoming::HeartbeatAck,
        8 => {
            let millis = HelloBody::deserialize(d)?.heartbeat_interval;
            // A broken interval must neither stop the beats nor flood the server.
            let millis = if millis.is_finite() { millis.clamp(100.0, 600_000.0) } else { 13_750.0 };
            Incoming::Hello { heartbeat_interval: Duration::from_secs_f64(millis / 1_000.0) }
        }
        9 => Incoming::Resumed,
        11 => Incoming::ClientsConnect(UsersBody::deserialize(d)?.user_ids),
        13 => Incoming::ClientDisconnect(UserBody::deserialize(d)?.user_id),
        21 => {
            let body = TransitionBody::deserialize(d)?;
            Incoming::PrepareTransition {
                transition: body.transition_id,
                version: body.protocol_version,
            }
        }
        22 => Incoming::ExecuteTransition {
            transition: TransitionBody::deserialize(d)?.transition_id,
        },
        24 => {
            let body = EpochBody::deserialize(d)?;
            Incoming::PrepareEpoch { version: body.protocol_version, epoch: body.epoch }
        }
        _ => Incoming::Ignored { op },
    })
}

/// A binary message of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IncomingBinary<'a> {
    /// Op 25: an MLS ExternalSender.
    ExternalSender(&'a [u8]),
    /// Op 27: proposals to append (a vector of MLSMessages) or to revoke (a vector of references).
    Proposals {
        /// Whether they are revoked instead of appended.
        revoke: bool,
        /// The vector, with its length prefix.
        body: &'a [u8],
    },
    /// Op 29: the commit that won, for members of the group.
    Commit {
        /// The transition it begins.
        transition: u16,
        /// MLSMessage.
        commit: &'a [u8],
    },
    /// Op 30: the way into the group, for those whom the commit adds.
    Welcome {
        /// The transition it begins.
        transition: u16,
        /// MLS Welcome.
        welcome: &'a [u8],
    },
    /// An opcode we do not know.
    Ignored {
        /// The opcode.
        op: u8,
    },
}

/// Reads a binary message: its sequence number and its meaning.
///
/// # Errors
/// Fewer bytes than the opcode's header, or proposals that are neither appended nor revoked.
pub fn parse_binary(bytes: &[u8]) -> Result<(u16, IncomingBinary<'_>), GatewayError> {
    let short = |expected| GatewayError::Short { expected, got: bytes.len() };
    let [high, low, op, body @ ..] = bytes else { return Err(short(3)) };
    let message = match (op, body) {
        (25, _) => IncomingBinary::ExternalSender(body),
        (27, [kind @ (0 | 1), body @ ..]) => IncomingBinary::Proposals { revoke: *kind == 1, body },
        (27, [kind, ..]) => return Err(GatewayError::ProposalKind { got: *kind }),
        (27, []) => return Err(short(4)),
        (29, [high, low, commit @ ..]) => {
            IncomingBinary::Commit { transition: u16::from_be_bytes([*high, *low]), commit }
        }
        (30, [high, low, welcome @ ..]) => {
            IncomingBinary::Welcome { transition: u16::from_be_bytes([*high, *low]), welcome }
        }
        (29 | 30, _) => return Err(short(5)),
        (op, _) => IncomingBinary::Ignored { op: *op },
    };
    Ok((u16::from_be_bytes([*high, *low]), message))
}

/// Op 0.
#[must_use]
pub fn identify(
    guild: GuildId,
    user: UserId,
    session_id: &str,
    token: &SecretString,
    dave: bool,
) -> String {
    json!({"op": 0, "d": {
        "server_id": guild,
        "user_id": user,
        "session_id": session_id,
        "token": token.expose_secret(),
        "max_dave_protocol_version": if dave { MAX_DAVE_VERSION } else { 0 },
    }})
    .to_string()
}

/// Op 1: the address our datagrams come from, and the mode chosen.
#[must_use]
pub fn select_protocol(address: SocketAddr, mode: Mode) -> String {
    json!({"op": 1, "d": {"protocol": "udp", "data": {
        "address": address.ip().to_string(),
        "port": address.port(),
        "mode": mode.name(),
    }}})
    .to_string()
}

/// Op 3. `seq_ack` is the last sequence number seen; it is left out before there is one.
#[must_use]
pub fn heartbeat(nonce: u64, seq_ack: Option<i64>) -> String {
    let mut d = json!({"t": nonce});
    if let (Some(seq), Some(d)) = (seq_ack, d.as_object_mut()) {
        d.insert("seq_ack".to_owned(), seq.into());
    }
    json!({"op": 3, "d": d}).to_string()
}

/// Op 5: microphone on or off. Must be sent once before the first RTP packet.
#[must_use]
pub fn speaking(on: bool, ssrc: u32) -> String {
    json!({"op": 5, "d": {"speaking": u8::from(on), "delay": 0, "ssrc": ssrc}}).to_string()
}

/// Op 7.
#[must_use]
pub fn resume(
    guild: GuildId,
    session_id: &str,
    token: &SecretString,
    seq_ack: Option<i64>,
) -> String {
    let mut d = json!({
        "server_id": guild,
        "session_id": session_id,
        "token": token.expose_secret(),
    });
    if let (Some(seq), Some(d)) = (seq_ack, d.as_object_mut()) {
        d.insert("seq_ack".to_owned(), seq.into());
    }
    json!({"op": 7, "d": d}).to_string()
}

/// Op 23: ready for the transition.
#[must_use]
pub fn transition_ready(transition: u16) -> String {
    json!({"op": 23, "d": {"transition_id": transition}}).to_string()
}

/// Op 31: the commit or welcome of the transition is unusable; add us anew.
#[must_use]
pub fn invalid_commit_welcome(transition: u16) -> String {
    json!({"op": 31, "d": {"transition_id": transition}}).to_string()
}

/// Op 26: a bare KeyPackage, as libdave sends it.
#[must_use]
pub fn key_package(package: &[u8]) -> Vec<u8> {
    [&[26], package].concat()
}

/// Op 28: our commit and, if it adds anybody, the Welcome right behind it.
#[must_use]
pub fn commit_welcome(commit: &[u8], welcome: Option<&[u8]>) -> Vec<u8> {
    [&[28], commit, welcome.unwrap_or_default()].concat()
}

/// The websocket address of a voice endpoint (`host:port`).
#[must_use]
pub fn url(endpoint: &str, secure: bool) -> String {
    format!("{}://{endpoint}/?v=8", if secure { "wss" } else { "ws" })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_json_opcode_of_the_server() {
        let user = UserId::new;
        let cases = [
            (
                r#"{"op":8,"d":{"v":8,"heartbeat_interval":13750.5}}"#,
                None,
                Incoming::Hello { heartbeat_interval: Duration::from_micros(13_750_500) },
            ),
            (
                r#"{"op":2,"seq":0,"d":{"ssrc":7,"ip":"10.0.0.1","port":50000,"heartbeat_interval":1,
                   "modes":["aead_aes256_gcm_rtpsize"],"experiments":[],"streams":[]}}"#,
                Some(0),
                Incoming::Ready(Ready {
                    ssrc: 7,
                    ip: "10.0.0.1".into(),
                    port: 50_000,
                    modes: vec!["aead_aes256_gcm_rtpsize".into()],
                }),
            ),
            (r#"{"op":3,"d":null}"#, None, Incoming::HeartbeatRequest),
            (
                r#"{"op":5,"seq":65535,"d":{"speaking":1,"ssrc":9,"user_id":"42"}}"#,
                Some(65_535),
                Incoming::Speaking { user: user(42), ssrc: 9 },
            ),
            (r#"{"op":5,"d":{"speaking":0,"ssrc":9}}"#, None, Incoming::Ignored { op: 5 }),
            (r#"{"op":6,"d":{"t":1}}"#, None, Incoming::HeartbeatAck),
            (r#"{"op":9,"d":null}"#, None, Incoming::Resumed),
            (r#"{"op":9}"#, None, Incoming::Resumed),
            (
                r#"{"op":11,"seq":3,"d":{"user_ids":["1","2"]}}"#,
                Some(3),
                Incoming::ClientsConnect(vec![user(1), user(2)]),
            ),
            (r#"{"op":13,"d":{"user_id":"2"}}"#, None, Incoming::ClientDisconnect(user(2))),
            (
                r#"{"op":21,"d":{"protocol_version":0,"transition_id":9}}"#,
                None,
                Incoming::PrepareTransition { transition: 9, version: 0 },
            ),
            (
                r#"{"op":22,"d":{"transition_id":9}}"#,
                None,
                Incoming::ExecuteTransition { transition: 9 },
            ),
            (
                r#"{"op":24,"d":{"protocol_version":1,"epoch":1}}"#,
                None,
                Incoming::PrepareEpoch { version: 1, epoch: 1 },
            ),
            (r#"{"op":18,"d":{"flags":2}}"#, None, Incoming::Ignored { op: 18 }),
            (r#"{"op":200}"#, None, Incoming::Ignored { op: 200 }),
        ];
        for (text, seq, expected) in cases {
            assert_eq!(parse_text(text).unwrap(), (seq, expected), "{text}");
        }
        let key: Vec<u8> = (0..32).collect();
        let text = json!({"op": 4, "seq": 1, "d": {
            "mode": "aead_aes256_gcm_rtpsize", "secret_key": key, "dave_protocol_version": 1,
            "audio_codec": "opus", "media_session_id": "x"}});
        let (_, Incoming::Description(description)) = parse_text(&text.to_string()).unwrap() else {
            panic!("not a description")
        };
        assert_eq!(description.secret_key[31], 31);
        assert_eq!(description.dave_protocol_version, 1);
        assert!(!format!("{description:?}").contains("31"), "keys stay out of logs");
    }

    #[test]
    fn broken_json_says_what_is_wrong() {
        for text in ["", "{", "[]", "null", r#"{"d":1}"#, r#"{"op":"2"}"#, r#"{"op":300}"#] {
            assert!(matches!(parse_text(text), Err(GatewayError::Envelope(_))), "{text}");
        }
        for text in [
            r#"{"op":2,"d":{}}"#,
            r#"{"op":4,"d":{"mode":"x","secret_key":[1,2,3]}}"#,
            r#"{"op":8,"d":null}"#,
            r#"{"op":11,"d":{"user_ids":[1]}}"#,
            r#"{"op":22,"d":{"transition_id":65536}}"#,
        ] {
            assert!(matches!(parse_text(text), Err(GatewayError::Body { .. })), "{text}");
        }
    }

    #[test]
    fn absurd_heartbeat_intervals_are_bounded() {
        for (millis, expected) in [("0", 100), ("-5", 100), ("1e300", 600_000)] {
            let text = format!(r#"{{"op":8,"d":{{"heartbeat_interval":{millis}}}}}"#);
            let expected = Incoming::Hello { heartbeat_interval: Duration::from_millis(expected) };
            assert_eq!(parse_text(&text).unwrap().1, expected);
        }
    }

    #[test]
    fn every_binary_opcode_of_the_server() {
        let cases: [(&[u8], u16, IncomingBinary<'_>); 6] = [
            (&[0, 0, 25, 1, 2], 0, IncomingBinary::ExternalSender(&[1, 2])),
            (&[1, 0, 27, 0, 9], 256, IncomingBinary::Proposals { revoke: false, body: &[9] }),
            (&[0, 1, 27, 1], 1, IncomingBinary::Proposals { revoke: true, body: &[] }),
            (&[0, 2, 29, 1, 2, 3], 2, IncomingBinary::Commit { transition: 258, commit: &[3] }),
            (
                &[255, 255, 30, 0, 0, 4],
                65_535,
                IncomingBinary::Welcome { transition: 0, welcome: &[4] },
            ),
            (&[0, 3, 99], 3, IncomingBinary::Ignored { op: 99 }),
        ];
        for (bytes, seq, expected) in cases {
            assert_eq!(parse_binary(bytes).unwrap(), (seq, expected));
        }
        for bytes in [&[][..], &[0, 25], &[0, 0, 27], &[0, 0, 29, 1], &[0, 0, 30]] {
            assert!(matches!(parse_binary(bytes), Err(GatewayError::Short { .. })), "{bytes:?}");
        }
        assert!(matches!(parse_binary(&[0, 0, 27, 2]), Err(GatewayError::ProposalKind { got: 2 })));
    }

    #[test]
    fn the_version_is_part_of_the_address() {
        assert_eq!(url("a.discord.media:2053", true), "wss://a.discord.media:2053/?v=8");
        assert_eq!(url("127.0.0.1:9", false), "ws://127.0.0.1:9/?v=8");
    }

    #[test]
    fn every_opcode_of_the_client() {
        let token = SecretString::from("secret");
        let parsed = |text: String| serde_json::from_str::<Value>(&text).unwrap();
        assert_eq!(
            parsed(identify(GuildId::new(1), UserId::new(2), "s", &token, true)),
            json!({"op": 0, "d": {"server_id": "1", "user_id": "2", "session_id": "s",
                "token": "secret", "max_dave_protocol_version": 1}})
        );
        let address = "203.0.113.9:50001".parse().unwrap();
        assert_eq!(
            parsed(select_protocol(address, Mode::XChaCha20Poly1305)),
            json!({"op": 1, "d": {"protocol": "udp", "data": {"address": "203.0.113.9",
                "port": 50001, "mode": "aead_xchacha20_poly1305_rtpsize"}}})
        );
        assert_eq!(parsed(heartbeat(5, None)), json!({"op": 3, "d": {"t": 5}}));
        assert_eq!(parsed(heartbeat(5, Some(0))), json!({"op": 3, "d": {"t": 5, "seq_ack": 0}}));
        assert_eq!(
            parsed(speaking(true, 9)),
            json!({"op": 5, "d": {"speaking": 1, "delay": 0, "ssrc": 9}})
        );
        assert_eq!(
            parsed(resume(GuildId::new(1), "s", &token, Some(0))),
            json!({"op": 7, "d": {"server_id": "1", "session_id": "s", "token": "secret",
                "seq_ack": 0}})
        );
        assert_eq!(parsed(transition_ready(3)), json!({"op": 23, "d": {"transition_id": 3}}));
        assert_eq!(parsed(invalid_commit_welcome(0)), json!({"op": 31, "d": {"transition_id": 0}}));
        assert_eq!(key_package(&[1, 2]), [26, 1, 2]);
        assert_eq!(commit_welcome(&[1], Some(&[2])), [28, 1, 2]);
        assert_eq!(commit_welcome(&[1], None), [28, 1]);
    }

    proptest! {
        #[test]
        fn readers_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = parse_binary(&bytes);
            let _ = parse_text(&String::from_utf8_lossy(&bytes));
        }

        #[test]
        fn bodies_never_panic(op in any::<u8>(), d in "[ -~]{0,60}") {
            let _ = parse_text(&format!(r#"{{"op":{op},"d":{d}}}"#));
            let _ = parse_text(&json!({"op": op, "d": d}).to_string());
        }
    }
}
