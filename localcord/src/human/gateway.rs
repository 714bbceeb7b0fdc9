//! The voice gateway's messages, version 8, as a client reads and writes them. See Discord's
//! "Voice Connections" and, for opcodes 21 to 31, the DAVE protocol's document.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::{Value, json};

use crate::voice::VoiceInvite;

/// Opcodes.
pub(crate) mod op {
    pub(crate) const IDENTIFY: u8 = 0;
    pub(crate) const SELECT_PROTOCOL: u8 = 1;
    pub(crate) const READY: u8 = 2;
    pub(crate) const HEARTBEAT: u8 = 3;
    pub(crate) const SESSION_DESCRIPTION: u8 = 4;
    pub(crate) const SPEAKING: u8 = 5;
    pub(crate) const HEARTBEAT_ACK: u8 = 6;
    pub(crate) const HELLO: u8 = 8;
    pub(crate) const CLIENTS_CONNECT: u8 = 11;
    pub(crate) const CLIENT_DISCONNECT: u8 = 13;
    pub(crate) const DAVE_PREPARE_TRANSITION: u8 = 21;
    pub(crate) const DAVE_EXECUTE_TRANSITION: u8 = 22;
    pub(crate) const DAVE_TRANSITION_READY: u8 = 23;
    pub(crate) const DAVE_PREPARE_EPOCH: u8 = 24;
    pub(crate) const DAVE_EXTERNAL_SENDER: u8 = 25;
    pub(crate) const DAVE_KEY_PACKAGE: u8 = 26;
    pub(crate) const DAVE_PROPOSALS: u8 = 27;
    pub(crate) const DAVE_COMMIT_WELCOME: u8 = 28;
    pub(crate) const DAVE_ANNOUNCE_COMMIT: u8 = 29;
    pub(crate) const DAVE_WELCOME: u8 = 30;
    pub(crate) const DAVE_INVALID_COMMIT_WELCOME: u8 = 31;
}

/// A JSON message from the server.
pub(crate) enum FromServer {
    Hello {
        heartbeat_interval: Duration,
    },
    Ready {
        ssrc: u32,
        address: SocketAddr,
        modes: Vec<String>,
    },
    SessionDescription {
        mode: String,
        secret_key: [u8; 32],
        dave_protocol_version: u16,
    },
    Speaking {
        user_id: u64,
        ssrc: u32,
    },
    HeartbeatAck,
    ClientsConnect {
        user_ids: Vec<u64>,
    },
    ClientDisconnect {
        user_id: u64,
    },
    PrepareTransition {
        transition_id: u16,
        protocol_version: u16,
    },
    ExecuteTransition {
        transition_id: u16,
    },
    PrepareEpoch {
        epoch: u64,
    },
    /// Not needed to talk.
    Other,
}

/// A text message: its sequence number, if it has one, and what it says.
///
/// # Errors
/// serde's, for anything that is not a payload of its opcode.
pub(crate) fn read_text(text: &str) -> Result<(Option<u16>, FromServer), serde_json::Error> {
    let envelope: Envelope = serde_json::from_str(text)?;
    Ok((envelope.seq, read_data(envelope.op, envelope.d)?))
}

/// A binary message: sequence number, opcode, payload; none if it is too short for that.
pub(crate) fn read_binary(bytes: &[u8]) -> Option<(u16, u8, &[u8])> {
    match bytes {
        [high, low, opcode, payload @ ..] => {
            Some((u16::from_be_bytes([*high, *low]), *opcode, payload))
        }
        _ => None,
    }
}

#[derive(Deserialize)]
struct Envelope {
    op: u8,
    #[serde(default)]
    d: Value,
    seq: Option<u16>,
}

fn read_data(opcode: u8, d: Value) -> Result<FromServer, serde_json::Error> {
    #[derive(Deserialize)]
    struct Hello {
        heartbeat_interval: f64,
    }
    #[derive(Deserialize)]
    struct Ready {
        ssrc: u32,
        ip: IpAddr,
        port: u16,
        modes: Vec<String>,
    }
    #[derive(Deserialize)]
    struct SessionDescription {
        mode: String,
        secret_key: [u8; 32],
        #[serde(default)]
        dave_protocol_version: u16,
    }
    #[derive(Deserialize)]
    struct Speaking {
        user_id: Snowflake,
        ssrc: u32,
    }
    #[derive(Deserialize)]
    struct ClientsConnect {
        user_ids: Vec<Snowflake>,
    }
    #[derive(Deserialize)]
    struct ClientDisconnect {
        user_id: Snowflake,
    }
    #[derive(Deserialize)]
    struct PrepareTransition {
        transition_id: u16,
        protocol_version: u16,
    }
    #[derive(Deserialize)]
    struct ExecuteTransition {
        transition_id: u16,
    }
    #[derive(Deserialize)]
    struct PrepareEpoch {
        epoch: u64,
    }

    Ok(match opcode {
        op::HELLO => {
            let Hello { heartbeat_interval } = serde_json::from_value(d)?;
            // Milliseconds; Discord sends fractions. Nonsense becomes something that can be kept.
            let seconds = (heartbeat_interval / 1000.0).clamp(0.01, 3600.0);
            FromServer::Hello { heartbeat_interval: Duration::from_secs_f64(seconds) }
        }
        op::READY => {
            let Ready { ssrc, ip, port, modes } = serde_json::from_value(d)?;
            FromServer::Ready { ssrc, address: SocketAddr::new(ip, port), modes }
        }
        op::SESSION_DESCRIPTION => {
            let SessionDescription { mode, secret_key, dave_protocol_version } =
                serde_json::from_value(d)?;
            FromServer::SessionDescription { mode, secret_key, dave_protocol_version }
        }
        op::SPEAKING => {
            let Speaking { user_id, ssrc } = serde_json::from_value(d)?;
            FromServer::Speaking { user_id: user_id.0, ssrc }
        }
        op::HEARTBEAT_ACK => FromServer::HeartbeatAck,
        op::CLIENTS_CONNECT => {
            let ClientsConnect { user_ids } = serde_json::from_value(d)?;
            FromServer::ClientsConnect { user_ids: user_ids.iter().map(|user| user.0).collect() }
        }
        op::CLIENT_DISCONNECT => {
            let ClientDisconnect { user_id } = serde_json::from_value(d)?;
            FromServer::ClientDisconnect { user_id: user_id.0 }
        }
        op::DAVE_PREPARE_TRANSITION => {
            let PrepareTransition { transition_id, protocol_version } = serde_json::from_value(d)?;
            FromServer::PrepareTransition { transition_id, protocol_version }
        }
        op::DAVE_EXECUTE_TRANSITION => {
            let ExecuteTransition { transition_id } = serde_json::from_value(d)?;
            FromServer::ExecuteTransition { transition_id }
        }
        op::DAVE_PREPARE_EPOCH => {
            let PrepareEpoch { epoch } = serde_json::from_value(d)?;
            FromServer::PrepareEpoch { epoch }
        }
        _ => FromServer::Other,
    })
}

/// An id as Discord writes it: decimal digits in a string.
struct Snowflake(u64);

impl<'de> Deserialize<'de> for Snowflake {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let digits = String::deserialize(deserializer)?;
        digits.parse().map(Self).map_err(|_| D::Error::custom("expected a decimal id"))
    }
}

/// A JSON message to the server.
pub(crate) fn write_text(opcode: u8, d: &Value) -> String {
    json!({ "op": opcode, "d": d }).to_string()
}

pub(crate) fn identify(invite: &VoiceInvite) -> String {
    write_text(
        op::IDENTIFY,
        &json!({
            "server_id": invite.guild_id.to_string(),
            "user_id": invite.user_id.to_string(),
            "session_id": invite.session_id,
            "token": invite.token,
            "max_dave_protocol_version": davey::DAVE_PROTOCOL_VERSION,
        }),
    )
}

pub(crate) fn select_protocol(discovered: SocketAddr, mode: &str) -> String {
    write_text(
        op::SELECT_PROTOCOL,
        &json!({
            "protocol": "udp",
            "data": {
                "address": discovered.ip().to_string(),
                "port": discovered.port(),
                "mode": mode,
            },
        }),
    )
}

/// `seq_ack` is the last sequence number seen, -1 if none was.
pub(crate) fn heartbeat(nonce: u64, seq_ack: i32) -> String {
    write_text(op::HEARTBEAT, &json!({ "t": nonce, "seq_ack": seq_ack }))
}

pub(crate) fn speaking(ssrc: u32, microphone: bool) -> String {
    let bits = u8::from(microphone);
    write_text(op::SPEAKING, &json!({ "speaking": bits, "delay": 0, "ssrc": ssrc }))
}

/// The datagram that asks the UDP server for our address as it sees it.
pub(crate) fn discovery_request(ssrc: u32) -> Vec<u8> {
    let mut datagram = vec![0; DISCOVERY_LEN];
    datagram[..8].copy_from_slice(&[[0, 1, 0, 70].as_slice(), &ssrc.to_be_bytes()].concat());
    datagram
}

/// The address in the answer to [`discovery_request`]; none if the datagram is not that.
pub(crate) fn read_discovery(datagram: &[u8], ssrc: u32) -> Option<SocketAddr> {
    let (head, rest) = datagram.split_first_chunk::<8>()?;
    let (text, port) = rest.split_last_chunk::<2>()?;
    let [a, b, c, d] = ssrc.to_be_bytes();
    if datagram.len() != DISCOVERY_LEN || *head != [0, 2, 0, 70, a, b, c, d] {
        return None;
    }
    let text = text.split(|byte| *byte == 0).next()?;
    let address: IpAddr = std::str::from_utf8(text).ok()?.parse().ok()?;
    Some(SocketAddr::new(address, u16::from_be_bytes(*port)))
}

/// Type, length, SSRC, 64 bytes of address, port.
const DISCOVERY_LEN: usize = 74;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_ids_come_in_discords_spelling() {
        let hello = r#"{"op":8,"d":{"v":8,"heartbeat_interval":13750.5}}"#;
        let Ok((None, FromServer::Hello { heartbeat_interval })) = read_text(hello) else {
            panic!("not a HELLO");
        };
        assert_eq!(heartbeat_interval, Duration::from_micros(13_750_500));
        let connect = r#"{"op":11,"seq":0,"d":{"user_ids":["18446744073709551615","2"]}}"#;
        let Ok((Some(0), FromServer::ClientsConnect { user_ids })) = read_text(connect) else {
            panic!("not a CLIENTS_CONNECT");
        };
        assert_eq!(user_ids, [u64::MAX, 2]);
    }

    #[test]
    fn what_is_not_needed_is_not_an_error_and_what_is_broken_is() {
        for text in [r#"{"op":18,"d":{"flags":1}}"#, r#"{"op":9,"d":null,"seq":7}"#, r#"{"op":99}"#]
        {
            assert!(matches!(read_text(text), Ok((_, FromServer::Other))), "{text}");
        }
        for text in
            ["", "[]", r#"{"d":{}}"#, r#"{"op":2,"d":null}"#, r#"{"op":11,"d":{"user_ids":[1]}}"#]
        {
            assert!(read_text(text).is_err(), "{text}");
        }
    }

    #[test]
    fn discovery_tells_the_address() {
        let request = discovery_request(0x0102_0304);
        assert_eq!((request.len(), &request[..9]), (74, &[0, 1, 0, 70, 1, 2, 3, 4, 0][..]));
        let mut answer = vec![0, 2, 0, 70, 1, 2, 3, 4];
        answer.extend_from_slice(b"127.0.0.1");
        answer.resize(72, 0);
        answer.extend_from_slice(&[0x12, 0x34]);
        let address = Some(SocketAddr::from(([127, 0, 0, 1], 0x1234)));
        assert_eq!(read_discovery(&answer, 0x0102_0304), address);
        assert_eq!(read_discovery(&answer, 1), None, "another's answer");
        assert_eq!(read_discovery(&answer[..73], 0x0102_0304), None);
        assert_eq!(read_discovery(&request, 0x0102_0304), None, "our own request");
    }

    proptest::proptest! {
        #[test]
        fn garbage_never_panics(text: String, bytes: Vec<u8>) {
            let _ = read_text(&text);
            let _ = read_binary(&bytes);
            let _ = read_discovery(&bytes, 1);
        }
    }
}
