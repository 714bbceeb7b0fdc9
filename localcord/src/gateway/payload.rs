//! What clients send on the main gateway, parsed and checked.
//!
//! Source: Discord, "Gateway" and "Gateway Events" (Send Events), API version 10.

use serde::Deserialize;
use serde_json::Value;

/// The largest message a client may send, in bytes.
pub(crate) const MAX_PAYLOAD_BYTES: usize = 4096;

/// A client's message.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Payload {
    /// Op 1, with the last sequence number seen.
    Heartbeat,
    /// Op 2.
    Identify(Identify),
    /// Op 3: accepted, shown nowhere.
    Presence,
    /// Op 4.
    VoiceState(VoiceStateRequest),
    /// Op 6.
    Resume(Resume),
    /// Op 8.
    RequestMembers(RequestMembers),
    /// Op 31 (soundboard sounds): accepted, answered with nothing.
    Ignored,
}

/// Op 2.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub(crate) struct Identify {
    /// With or without the prefix `Bot `.
    pub(crate) token: String,
    /// Required by Discord, content free.
    #[serde(rename = "properties")]
    _properties: serde_json::Map<String, Value>,
    /// Intent bits; any number, judged later.
    pub(crate) intents: i64,
    /// `[shard_id, num_shards]`.
    #[serde(default)]
    pub(crate) shard: Option<[u64; 2]>,
    /// Zlib for each payload on its own.
    #[serde(default)]
    pub(crate) compress: bool,
}

/// Op 4.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub(crate) struct VoiceStateRequest {
    #[serde(deserialize_with = "snowflake")]
    pub(crate) guild_id: u64,
    /// Null leaves; it has to be there.
    #[serde(deserialize_with = "optional_snowflake")]
    pub(crate) channel_id: Option<u64>,
    #[serde(default)]
    pub(crate) self_mute: bool,
    #[serde(default)]
    pub(crate) self_deaf: bool,
}

/// Op 6.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub(crate) struct Resume {
    pub(crate) token: String,
    pub(crate) session_id: String,
    pub(crate) seq: u64,
}

/// Op 8.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub(crate) struct RequestMembers {
    #[serde(deserialize_with = "snowflake")]
    pub(crate) guild_id: u64,
    /// Members whose name begins with this; empty = all.
    #[serde(default)]
    pub(crate) query: Option<String>,
    /// One id or a list.
    #[serde(default)]
    pub(crate) user_ids: Option<Value>,
    #[serde(default)]
    pub(crate) nonce: Option<String>,
}

impl RequestMembers {
    /// Whether the query leaves nobody out.
    pub(crate) fn wants_everybody(&self) -> bool {
        self.query.as_deref().is_none_or(str::is_empty)
    }
}

fn parse_snowflake(value: &Value) -> Option<u64> {
    match value {
        Value::String(text) => text.parse().ok(),
        Value::Number(number) => number.as_u64(),
        _ => None,
    }
}

fn snowflake<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let value = Value::deserialize(deserializer)?;
    parse_snowflake(&value).ok_or_else(|| serde::de::Error::custom("expected a snowflake"))
}

fn optional_snowflake<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<u64>, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::Null => Ok(None),
        value => match parse_snowflake(&value) {
            Some(id) => Ok(Some(id)),
            None => Err(serde::de::Error::custom("expected a snowflake or null")),
        },
    }
}

/// Why a message is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PayloadError {
    /// Not JSON, not an object with a fitting `d`, or too large.
    Decode,
    /// An opcode no client may send.
    UnknownOpcode,
}

impl PayloadError {
    /// The close code and Discord's words for it.
    pub(crate) fn close(self) -> (u16, &'static str) {
        match self {
            Self::Decode => (4002, "Error while decoding payload."),
            Self::UnknownOpcode => (4001, "Unknown opcode."),
        }
    }
}

#[derive(Deserialize)]
struct Envelope {
    op: u64,
    #[serde(default)]
    d: Value,
}

/// Parses a client's message.
pub(crate) fn parse(text: &str) -> Result<Payload, PayloadError> {
    if text.len() > MAX_PAYLOAD_BYTES {
        return Err(PayloadError::Decode);
    }
    let envelope: Envelope = serde_json::from_str(text).map_err(|_| PayloadError::Decode)?;
    fn body<T: serde::de::DeserializeOwned>(d: Value) -> Result<T, PayloadError> {
        serde_json::from_value(d).map_err(|_| PayloadError::Decode)
    }
    Ok(match envelope.op {
        1 if envelope.d.is_null() || envelope.d.is_u64() => Payload::Heartbeat,
        1 => return Err(PayloadError::Decode),
        2 => Payload::Identify(body(envelope.d)?),
        3 if envelope.d.is_object() => Payload::Presence,
        3 => return Err(PayloadError::Decode),
        4 => Payload::VoiceState(body(envelope.d)?),
        6 => Payload::Resume(body(envelope.d)?),
        8 => {
            let request: RequestMembers = body(envelope.d)?;
            if request.query.is_none() && request.user_ids.is_none() {
                return Err(PayloadError::Decode);
            }
            Payload::RequestMembers(request)
        }
        31 => Payload::Ignored,
        _ => return Err(PayloadError::UnknownOpcode),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_voice_state_request_takes_ids_as_text_or_number_and_null_to_leave() {
        for (d, channel) in [
            (json!({"guild_id": "7", "channel_id": "8"}), Some(8)),
            (json!({"guild_id": 7, "channel_id": null}), None),
        ] {
            let text = json!({"op": 4, "d": d}).to_string();
            let Ok(Payload::VoiceState(request)) = parse(&text) else { panic!("refused {text}") };
            assert_eq!((request.guild_id, request.channel_id), (7, channel));
        }
    }

    #[test]
    fn what_discord_refuses_is_refused() {
        let oversized = json!({"op": 3, "d": {"x": "y".repeat(MAX_PAYLOAD_BYTES)}}).to_string();
        for (text, code) in [
            ("not json", 4002),
            ("[]", 4002),
            (r#"{"d":1}"#, 4002),
            (r#"{"op":2,"d":{"token":"t","intents":1}}"#, 4002),
            (r#"{"op":1,"d":"7"}"#, 4002),
            (r#"{"op":4,"d":{"guild_id":"x","channel_id":"1"}}"#, 4002),
            (r#"{"op":4,"d":{"guild_id":"1"}}"#, 4002),
            (r#"{"op":8,"d":{"guild_id":"1"}}"#, 4002),
            (r#"{"op":99,"d":null}"#, 4001),
            (r#"{"op":0,"d":{}}"#, 4001),
            (&oversized, 4002),
        ] {
            let refused = parse(text).expect_err("Discord would refuse it");
            assert_eq!(refused.close().0, code, "{text}");
        }
    }

    proptest! {
        #[test]
        fn parsing_never_panics(text in "\\PC{0,200}") {
            let _ = parse(&text);
        }
    }
}
