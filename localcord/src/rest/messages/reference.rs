//! What a message refers to: the one it answers, or the one it forwards ("Message Reference
//! Structure").

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::{
    super::{
        channels::visible,
        error::{ApiError, Form},
        snowflake,
    },
    form::{HAS_SNAPSHOT, is_forward},
    may_read_content,
};
use crate::world::{self, Message, bits, message_kind};

/// What a reference makes of a message.
#[derive(Default)]
pub(super) struct Referred {
    /// The message type.
    pub(super) kind: u8,
    /// `message_reference`.
    pub(super) reference: Option<Value>,
    /// `message_snapshots`.
    pub(super) snapshots: Vec<Value>,
    /// Flags that come with it.
    pub(super) flags: u64,
}

/// The `message_reference` of a body.
///
/// # Errors
/// The message is not there, or may not be referred to.
pub(super) fn find(
    state: &world::State,
    author: u64,
    channel: u64,
    body: &Value,
) -> Result<Referred, ApiError> {
    let Some(reference) = body.get("message_reference").filter(|value| value.is_object()) else {
        return Ok(Referred::default());
    };
    let id = |field: &str| -> Result<Option<u64>, ApiError> {
        let text = reference.get(field).and_then(Value::as_str);
        text.map(|text| snowflake(&format!("message_reference.{field}"), text)).transpose()
    };
    let message = id("message_id")?.ok_or_else(|| Form::missing("message_reference.message_id"))?;
    if is_forward(reference) {
        let from = id("channel_id")?;
        let from = from.ok_or_else(|| Form::missing("message_reference.channel_id"))?;
        return forward(state, author, (from, message));
    }
    let here = id("channel_id")?.is_none_or(|named| named == channel);
    let replied = state.messages.get(&channel).and_then(|all| all.get(&message)).filter(|_| here);
    match replied {
        Some(replied) => reply(state, author, replied),
        None if reference.get("fail_if_not_exists") == Some(&Value::Bool(false)) => {
            Ok(Referred::default())
        }
        None => Err(wrong("REPLIES_UNKNOWN_MESSAGE", "Unknown message")),
    }
}

fn wrong(code: &str, why: &str) -> ApiError {
    let mut form = Form::default();
    form.wrong("message_reference", code, why);
    form.refusal()
}

fn reply(state: &world::State, author: u64, replied: &Message) -> Result<Referred, ApiError> {
    if !state.may(author, replied.channel_id, bits::READ_MESSAGE_HISTORY) {
        let why = "Cannot reply without permission to read message history";
        return Err(ApiError::new(StatusCode::FORBIDDEN, 160_002, why));
    }
    if !message_kind::is_written(replied.kind) {
        let why = "Cannot reply to a system message";
        return Err(wrong("REPLIES_CANNOT_REPLY_TO_SYSTEM_MESSAGE", why));
    }
    let reference = Some(full(state, 0, replied));
    Ok(Referred { kind: message_kind::REPLY, reference, ..Referred::default() })
}

fn forward(
    state: &world::State,
    author: u64,
    (channel, message): (u64, u64),
) -> Result<Referred, ApiError> {
    visible(state, author, channel)?;
    if !state.may(author, channel, bits::READ_MESSAGE_HISTORY) {
        let why = "Cannot reference a message without permission to read message history";
        return Err(ApiError::new(StatusCode::FORBIDDEN, 160_009, why));
    }
    let source = state.messages.get(&channel).and_then(|all| all.get(&message));
    let source = source.ok_or_else(|| wrong("REPLIES_UNKNOWN_MESSAGE", "Unknown message"))?;
    if !may_read_content(state, author, source) {
        let why = "Cannot forward message with unreadable content";
        return Err(ApiError::new(StatusCode::BAD_REQUEST, 160_014, why));
    }
    // What was forwarded before is forwarded as it was.
    let snapshots = match source.snapshots.is_empty() {
        true => vec![state.snapshot_json(source)],
        false => source.snapshots.clone(),
    };
    Ok(Referred {
        kind: message_kind::ORDINARY,
        reference: Some(full(state, 1, source)),
        snapshots,
        flags: HAS_SNAPSHOT,
    })
}

/// The reference as the message keeps it.
fn full(state: &world::State, kind: u8, message: &Message) -> Value {
    let channel = message.channel_id;
    let mut full = json!({
        "type": kind,
        "message_id": message.id.to_string(),
        "channel_id": channel.to_string(),
    });
    if let Some(guild) = state.channels.get(&channel).and_then(|place| place.guild_id) {
        full["guild_id"] = guild.to_string().into();
    }
    full
}
