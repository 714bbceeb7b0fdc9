//! Channels, typing and threads.

use axum::{
    Extension, Json,
    extract::{Path, State},
    http::StatusCode,
};
use serde_json::{Value, json};

use super::{
    Rest,
    body::JsonBody,
    error::{ApiError, Form},
    gate::Caller,
    snowflake,
};
use crate::world::{self, Audience, Channel, Dispatch, bits, intents, kind};

/// The channel, if the user may see it.
pub(super) fn visible(state: &world::State, user: u64, id: u64) -> Result<&Channel, ApiError> {
    let channel = state.channels.get(&id).ok_or_else(ApiError::unknown_channel)?;
    let seen = state.may(user, id, bits::VIEW_CHANNEL);
    if seen { Ok(channel) } else { Err(ApiError::missing_access()) }
}

/// `GET /channels/{channel}`
pub(super) async fn channel(
    State(rest): State<Rest>,
    Extension(caller): Extension<Caller>,
    Path(channel): Path<String>,
) -> Result<Json<Value>, ApiError> {
    let id = snowflake("channel_id", &channel)?;
    rest.world.read(|state| {
        let channel = visible(state, caller.bot_id, id)?;
        Ok(Json(state.channel_json(channel, Some(caller.bot_id))))
    })
}

/// `POST /channels/{channel}/typing`
pub(super) async fn typing(
    State(rest): State<Rest>,
    Extension(caller): Extension<Caller>,
    Path(channel): Path<String>,
) -> Result<StatusCode, ApiError> {
    let id = snowflake("channel_id", &channel)?;
    let (data, intents) = rest.world.read(|state| {
        let channel = visible(state, caller.bot_id, id)?;
        if !state.may(caller.bot_id, id, bits::SEND_MESSAGES) {
            return Err(ApiError::missing_permissions());
        }
        let mut data = json!({
            "channel_id": id.to_string(),
            "user_id": caller.bot_id.to_string(),
            "timestamp": now_s(),
        });
        let Some(guild) = channel.guild_id else {
            return Ok((data, intents::DIRECT_MESSAGE_TYPING));
        };
        data["guild_id"] = guild.to_string().into();
        data["member"] = state.member_json(guild, caller.bot_id).unwrap_or_default();
        Ok((data, intents::GUILD_MESSAGE_TYPING))
    })?;
    let audience = Audience::Channel(id);
    rest.world.dispatch(Dispatch { event: "TYPING_START", data, audience, intents });
    Ok(StatusCode::NO_CONTENT)
}

fn now_s() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.unwrap_or_default().as_secs()
}

/// `POST /channels/{channel}/threads`: a thread that starts with no message.
pub(super) async fn start_thread(
    State(rest): State<Rest>,
    Extension(caller): Extension<Caller>,
    Path(channel): Path<String>,
    JsonBody(body): JsonBody,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let parent = snowflake("channel_id", &channel)?;
    // Without a type Discord makes a private thread.
    let wanted = body.get("type").and_then(Value::as_u64);
    let thread_kind = match wanted {
        Some(11) => kind::PUBLIC_THREAD,
        None | Some(12) => kind::PRIVATE_THREAD,
        Some(_) => return Err(Form::not_among("type", "(10, 11, 12)")),
    };
    open_thread(&rest, caller, parent, None, thread_kind, &body)
}

/// `POST /channels/{channel}/messages/{message}/threads`: a thread about a message; it has the
/// message's id.
pub(super) async fn start_thread_from(
    State(rest): State<Rest>,
    Extension(caller): Extension<Caller>,
    Path((channel, message)): Path<(String, String)>,
    JsonBody(body): JsonBody,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let parent = snowflake("channel_id", &channel)?;
    let message = snowflake("message_id", &message)?;
    open_thread(&rest, caller, parent, Some(message), kind::PUBLIC_THREAD, &body)
}

fn open_thread(
    rest: &Rest,
    caller: Caller,
    parent: u64,
    message: Option<u64>,
    thread_kind: u8,
    body: &Value,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let name = body.get("name").and_then(Value::as_str).ok_or_else(|| Form::missing("name"))?;
    let mut form = Form::default();
    form.length("name", name, 1, 100);
    form.finish()?;
    rest.world.write(|state| {
        let place = visible(state, caller.bot_id, parent)?;
        let guild_id = place.guild_id;
        if guild_id.is_none() || place.is_thread() || !place.takes_messages() {
            return Err(ApiError::wrong_channel_type());
        }
        let needed = match thread_kind {
            kind::PRIVATE_THREAD => bits::CREATE_PRIVATE_THREADS,
            _ => bits::CREATE_PUBLIC_THREADS,
        };
        if !state.may(caller.bot_id, parent, needed) {
            return Err(ApiError::missing_permissions());
        }
        if let Some(message) = message {
            let there = state.messages.get(&parent).is_some_and(|all| all.contains_key(&message));
            if !there {
                return Err(ApiError::unknown_message());
            }
            if state.channels.contains_key(&message) {
                return Err(ApiError::new(
                    StatusCode::BAD_REQUEST,
                    160_004,
                    "A thread has already been created for this message",
                ));
            }
        }
        let id = message.unwrap_or_else(|| state.next_id());
        let thread = Channel {
            id,
            kind: thread_kind,
            guild_id,
            parent_id: Some(parent),
            name: name.to_owned(),
            owner_id: Some(caller.bot_id),
            ..Channel::default()
        };
        let object = state.channel_json(&thread, None);
        state.channels.insert(id, thread);
        let mut data = object.clone();
        data["newly_created"] = true.into();
        let audience = Audience::Channel(id);
        let intents = intents::GUILDS;
        rest.world.dispatch(Dispatch { event: "THREAD_CREATE", data, audience, intents });
        Ok((StatusCode::CREATED, Json(object)))
    })
}
