//! What humans write, one message or thousands, and what Discord writes itself.

use std::time::{Duration, Instant};

use axum::{
    Json,
    extract::{Path, Query, State},
    http::StatusCode,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde_json::{Value, json};

use super::{
    Control, Refusal,
    humans::{Who, id_in},
};
use crate::{
    rest::{
        body::{JsonBody, MessageBody, Upload},
        messages::{self, ListQuery},
    },
    world::{Message, message_kind},
};

/// Messages in one list.
const MOST_LISTED: usize = 1000;
/// Messages of one order.
const MOST_AT_ONCE: u64 = 100_000;
/// Events that may be under way to the gateway's clients before a writer waits for them.
const MOST_UNDER_WAY: u64 = 2_000;
/// How long a writer waits for clients that do not read.
const PATIENCE: Duration = Duration::from_secs(10);

/// `GET channels/{channel}/messages`: all there are, whoever may see them.
pub(super) async fn list(
    State(control): State<Control>,
    Path(channel): Path<u64>,
    Query(query): Query<ListQuery>,
) -> Result<Json<Value>, Refusal> {
    control.rest.world.read(|state| {
        if !state.channels.contains_key(&channel) {
            return Err(Refusal::unknown("channel"));
        }
        let found = query.pick(state, channel, MOST_LISTED)?;
        Ok(Json(found.into_iter().map(|one| control.rest.shown(state, one)).collect()))
    })
}

/// `POST humans/{human}/messages`
pub(super) async fn send(
    State(control): State<Control>,
    Who(human): Who,
    body: MessageBody,
) -> Result<Json<Value>, Refusal> {
    pace(&control).await;
    let sent = write(&control, human, body)?;
    Ok(Json(control.rest.world.read(|state| control.rest.shown(state, &sent))))
}

/// `POST messages`: `{messages: [{human_id, …}]}`, each as for one human; or `count` times the same
/// body with `{n}` in its text for the number, from 1.
pub(super) async fn send_many(
    State(control): State<Control>,
    JsonBody(body): JsonBody,
) -> Result<(StatusCode, Json<Value>), Refusal> {
    let mut ids = Vec::new();
    let mut send = async |one: &Value, number: u64| -> Result<(), Refusal> {
        let human = id_in(one, "human_id")?.ok_or_else(|| Refusal::bad("`human_id` is missing"))?;
        if !control.rest.world.read(|state| state.humans.contains(&human)) {
            return Err(Refusal::unknown("human"));
        }
        let mut json = one.clone();
        if let Some(text) = one["content"].as_str().filter(|text| text.contains("{n}")) {
            json["content"] = text.replace("{n}", &number.to_string()).into();
        }
        pace(&control).await;
        let sent = write(&control, human, MessageBody { json, files: Vec::new() })?;
        ids.push(Value::from(sent.id.to_string()));
        Ok(())
    };
    match (body.get("messages").and_then(Value::as_array), body.get("count")) {
        (Some(list), None) => {
            for (number, one) in (1..).zip(list) {
                send(one, number).await?;
            }
        }
        (None, Some(count)) => {
            let count = count.as_u64().filter(|count| *count <= MOST_AT_ONCE);
            let why = format!("`count` must be between 0 and {MOST_AT_ONCE}");
            for number in 1..=count.ok_or_else(|| Refusal::bad(why))? {
                send(&body, number).await?;
            }
        }
        _ => return Err(Refusal::bad("either `messages` or `count` must be there")),
    }
    Ok((StatusCode::CREATED, Json(json!({ "ids": ids }))))
}

/// Waits until the gateway's clients have most of what happened. Without that a writer would be
/// faster than they are, and they would have to resume.
async fn pace(control: &Control) {
    let began = Instant::now();
    while control.gateway.under_way() > MOST_UNDER_WAY && began.elapsed() < PATIENCE {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

fn write(control: &Control, human: u64, mut body: MessageBody) -> Result<Message, Refusal> {
    let world = &control.rest.world;
    let channel = match (id_in(&body.json, "channel_id")?, id_in(&body.json, "user_id")?) {
        (Some(channel), _) => channel,
        (None, Some(user)) if world.read(|state| state.users.contains_key(&user)) => {
            world.write(|state| state.direct_message(human, user))
        }
        (None, Some(_)) => return Err(Refusal::unknown("user")),
        (None, None) => return Err(Refusal::bad("`channel_id` or `user_id` must be there")),
    };
    let files = files(&body.json)?;
    body.files.extend(files);
    Ok(messages::send(&control.rest, human, channel, body)?)
}

/// The files that stand in the body itself: `[{name, content_type, text | base64}]`.
fn files(body: &Value) -> Result<Vec<Upload>, Refusal> {
    let listed = body.get("files").and_then(Value::as_array);
    let files = (0..).zip(listed.into_iter().flatten());
    files.map(|(index, given)| file(index, given).map_err(Refusal::bad)).collect()
}

/// A file that stands in a body: `{name, content_type, text | base64}`.
///
/// # Errors
/// In words, what is wrong with it.
pub(super) fn file(index: u64, given: &Value) -> Result<Upload, String> {
    let text = |field: &str| given.get(field).and_then(Value::as_str);
    let name = text("name").ok_or("every file needs a `name`")?.to_owned();
    let bytes = match (text("text"), text("base64")) {
        (Some(text), None) => Bytes::copy_from_slice(text.as_bytes()),
        (None, Some(coded)) => {
            STANDARD.decode(coded).map_err(|_| "`base64` must be base64".to_owned())?.into()
        }
        _ => return Err("every file needs either `text` or `base64`".to_owned()),
    };
    let content_type = text("content_type").map(ToOwned::to_owned);
    Ok(Upload { index, name, content_type, bytes })
}

/// `POST channels/{channel}/system-messages`: `{type, user_id, message_id}`, where the type is
/// `pin`, `join`, `boost` or one of Discord's numbers.
pub(super) async fn send_system_message(
    State(control): State<Control>,
    Path(channel_id): Path<u64>,
    JsonBody(body): JsonBody,
) -> Result<(StatusCode, Json<Value>), Refusal> {
    let kind = match &body["type"] {
        Value::String(name) => match name.as_str() {
            "pin" => Some(message_kind::PINNED),
            "join" => Some(message_kind::JOIN),
            "boost" => Some(message_kind::BOOST),
            _ => None,
        },
        number => number.as_u64().and_then(|number| u8::try_from(number).ok()),
    };
    let kind = kind.filter(|kind| !message_kind::is_written(*kind));
    let kind = kind.ok_or_else(|| Refusal::bad("`type` must be pin, join, boost or a number"))?;
    let author_id = id_in(&body, "user_id")?.ok_or_else(|| Refusal::bad("`user_id` is missing"))?;
    let about = id_in(&body, "message_id")?;
    let world = &control.rest.world;
    let guild = world.read(|state| {
        let channel = state.channels.get(&channel_id).ok_or_else(|| Refusal::unknown("channel"))?;
        let known = state.users.contains_key(&author_id);
        if known { Ok(channel.guild_id) } else { Err(Refusal::unknown("user")) }
    })?;
    let reference = about.map(|message| {
        json!({
            "type": 0,
            "message_id": message.to_string(),
            "channel_id": channel_id.to_string(),
            "guild_id": guild.map(|id| id.to_string()),
        })
    });
    let message = Message { channel_id, author_id, kind, reference, ..Message::default() };
    let sent = world.create_message(message);
    let shown = world.read(|state| control.rest.shown(state, &sent));
    Ok((StatusCode::CREATED, Json(shown)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_texts_or_base64() {
        let read = |body: Value| files(&body).ok();
        let both = json!({ "files": [
            { "name": "a.txt", "text": "hi", "content_type": "text/plain" },
            { "name": "b.bin", "base64": "AAEC" },
        ] });
        let found = read(both).unwrap();
        assert_eq!((found[0].index, &found[0].bytes[..]), (0, &b"hi"[..]));
        assert_eq!((found[1].index, &found[1].bytes[..]), (1, &[0, 1, 2][..]));
        assert_eq!(read(json!({})).unwrap().len(), 0);
        for wrong in [
            json!({ "text": "x" }),
            json!({ "name": "x" }),
            json!({ "name": "x", "text": "x", "base64": "AA==" }),
            json!({ "name": "x", "base64": "?" }),
        ] {
            assert!(read(json!({ "files": [wrong.clone()] })).is_none(), "{wrong}");
        }
    }
}
