//! What clients send.

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, Error},
};
use serde_json::Value;

use super::{BUFFERED_VERSION, close::CloseCode};

/// A client message that parsed.
#[derive(Clone, PartialEq)]
pub(crate) enum ClientMessage {
    /// Op 0.
    Identify(Identify),
    /// Op 1.
    SelectProtocol(SelectProtocol),
    /// Op 3.
    Heartbeat { nonce: Value, seq_ack: Option<i64> },
    /// Op 5: the speaking bits.
    Speaking { speaking: u32, ssrc: Option<u32> },
    /// Op 7.
    Resume(Resume),
    /// Op 23.
    TransitionReady { transition_id: u16 },
    /// Op 31.
    InvalidCommitWelcome { transition_id: u16 },
    /// Op 26, binary.
    KeyPackage(Vec<u8>),
    /// Op 28, binary.
    CommitWelcome(Vec<u8>),
    /// An opcode real clients send that changes nothing for voice, such as 12 (video).
    Ignored(u64),
}

/// Op 0.
#[derive(Clone, PartialEq, Deserialize)]
pub(crate) struct Identify {
    #[serde(deserialize_with = "snowflake")]
    pub(crate) server_id: u64,
    #[serde(deserialize_with = "snowflake")]
    pub(crate) user_id: u64,
    pub(crate) session_id: String,
    pub(crate) token: String,
    #[serde(default)]
    pub(crate) max_dave_protocol_version: Option<u16>,
}

/// Op 1.
#[derive(Clone, PartialEq, Deserialize)]
pub(crate) struct SelectProtocol {
    pub(crate) protocol: String,
    pub(crate) data: ProtocolData,
}

/// Where the client receives, and how it wants packets encrypted.
#[derive(Clone, PartialEq, Deserialize)]
pub(crate) struct ProtocolData {
    pub(crate) address: String,
    pub(crate) port: u16,
    pub(crate) mode: String,
}

/// Op 7.
#[derive(Clone, PartialEq, Deserialize)]
pub(crate) struct Resume {
    #[serde(deserialize_with = "snowflake")]
    pub(crate) server_id: u64,
    pub(crate) session_id: String,
    pub(crate) token: String,
    #[serde(default)]
    pub(crate) seq_ack: Option<i64>,
}

#[derive(Deserialize)]
struct Heartbeat {
    t: Value,
    #[serde(default)]
    seq_ack: Option<i64>,
}

#[derive(Deserialize)]
struct Speaking {
    speaking: u32,
    #[serde(default)]
    ssrc: Option<u32>,
}

#[derive(Deserialize)]
struct Transition {
    transition_id: u16,
}

#[derive(Deserialize)]
struct Envelope {
    op: u64,
    #[serde(default)]
    d: Value,
}

/// Ids travel as strings; numbers are taken too, as Discord takes them.
fn snowflake<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::String(text) => text.parse().map_err(D::Error::custom),
        Value::Number(number) => number.as_u64().ok_or_else(|| D::Error::custom("not an id")),
        _ => Err(D::Error::custom("not an id")),
    }
}

fn body<T: DeserializeOwned>(d: Value) -> Result<T, CloseCode> {
    serde_json::from_value(d).map_err(|_| CloseCode::MALFORMED)
}

impl ClientMessage {
    /// The opcode it came with.
    pub(crate) fn opcode(&self) -> u64 {
        match self {
            Self::Identify(_) => 0,
            Self::SelectProtocol(_) => 1,
            Self::Heartbeat { .. } => 3,
            Self::Speaking { .. } => 5,
            Self::Resume(_) => 7,
            Self::TransitionReady { .. } => 23,
            Self::KeyPackage(_) => 26,
            Self::CommitWelcome(_) => 28,
            Self::InvalidCommitWelcome { .. } => 31,
            Self::Ignored(op) => *op,
        }
    }
}

/// Reads a websocket text message.
pub(crate) fn parse_text(version: u16, text: &str) -> Result<ClientMessage, CloseCode> {
    let Envelope { op, d } = serde_json::from_str(text).map_err(|_| CloseCode::MALFORMED)?;
    Ok(match op {
        0 => ClientMessage::Identify(body(d)?),
        1 => ClientMessage::SelectProtocol(body(d)?),
        3 if version >= BUFFERED_VERSION => {
            let Heartbeat { t: nonce, seq_ack } = body(d)?;
            ClientMessage::Heartbeat { nonce, seq_ack }
        }
        3 if d.is_number() || d.is_string() || d.is_null() => {
            ClientMessage::Heartbeat { nonce: d, seq_ack: None }
        }
        5 => {
            let Speaking { speaking, ssrc } = body(d)?;
            ClientMessage::Speaking { speaking, ssrc }
        }
        7 => ClientMessage::Resume(body(d)?),
        23 => {
            ClientMessage::TransitionReady { transition_id: body::<Transition>(d)?.transition_id }
        }
        31 => ClientMessage::InvalidCommitWelcome {
            transition_id: body::<Transition>(d)?.transition_id,
        },
        12 | 14 | 15 | 16 | 18 | 20 => ClientMessage::Ignored(op),
        // Binary opcodes as JSON, or a heartbeat of the wrong shape.
        3 | 26 | 28 => return Err(CloseCode::MALFORMED),
        _ => return Err(CloseCode::UNKNOWN_OPCODE),
    })
}

/// Reads a websocket binary message. JSON sent as binary is silently ignored (`None`), as
/// Discord's server does.
pub(crate) fn parse_binary(bytes: &[u8]) -> Result<Option<ClientMessage>, CloseCode> {
    match bytes.split_first() {
        Some((26, package)) => Ok(Some(ClientMessage::KeyPackage(package.to_vec()))),
        Some((28, commit)) => Ok(Some(ClientMessage::CommitWelcome(commit.to_vec()))),
        Some((b'{', _)) => Ok(None),
        Some(_) => Err(CloseCode::UNKNOWN_OPCODE),
        None => Err(CloseCode::MALFORMED),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn close_of(version: u16, text: &str) -> Option<CloseCode> {
        parse_text(version, text).err()
    }

    #[test]
    fn refusals() {
        for (text, code) in [
            ("", CloseCode::MALFORMED),
            ("[]", CloseCode::MALFORMED),
            (r#"{"d":1}"#, CloseCode::MALFORMED),
            (r#"{"op":"0"}"#, CloseCode::MALFORMED),
            (r#"{"op":0,"d":{"server_id":"1"}}"#, CloseCode::MALFORMED),
            (r#"{"op":3,"d":5}"#, CloseCode::MALFORMED),
            (r#"{"op":5,"d":{"speaking":"x"}}"#, CloseCode::MALFORMED),
            (r#"{"op":23,"d":{"transition_id":70000}}"#, CloseCode::MALFORMED),
            (r#"{"op":26,"d":{}}"#, CloseCode::MALFORMED),
            (r#"{"op":2,"d":{}}"#, CloseCode::UNKNOWN_OPCODE),
            (r#"{"op":99,"d":{}}"#, CloseCode::UNKNOWN_OPCODE),
        ] {
            assert_eq!(close_of(8, text), Some(code), "{text}");
        }
        assert_eq!(close_of(4, r#"{"op":3,"d":{"t":1}}"#), Some(CloseCode::MALFORMED));
    }

    #[test]
    fn heartbeats_of_both_shapes() {
        assert!(
            parse_text(8, r#"{"op":3,"d":{"t":5,"seq_ack":-1}}"#)
                == Ok(ClientMessage::Heartbeat { nonce: 5.into(), seq_ack: Some(-1) })
        );
        assert!(
            parse_text(4, r#"{"op":3,"d":5}"#)
                == Ok(ClientMessage::Heartbeat { nonce: 5.into(), seq_ack: None })
        );
    }

    #[test]
    fn binary_messages() {
        assert!(parse_binary(&[26, 1, 2]) == Ok(Some(ClientMessage::KeyPackage(vec![1, 2]))));
        assert!(parse_binary(&[28]) == Ok(Some(ClientMessage::CommitWelcome(vec![]))));
        assert!(parse_binary(br#"{"op":3}"#) == Ok(None));
        assert!(parse_binary(&[29, 0]) == Err(CloseCode::UNKNOWN_OPCODE));
        assert!(parse_binary(&[]) == Err(CloseCode::MALFORMED));
    }

    proptest! {
        #[test]
        fn never_panics(text in ".{0,80}", op in 0_u8..40, d in ".{0,40}") {
            let _ = parse_text(8, &text);
            let _ = parse_text(4, &format!(r#"{{"op":{op},"d":{d}}}"#));
            let _ = parse_binary(text.as_bytes());
        }
    }
}
