//! Pinned messages ("Get Channel Pins", "Pin Message", "Unpin Message"), under the new and the old
//! paths.

use axum::{
    Extension, Json,
    extract::{Path, State},
    http::StatusCode,
};
use serde_json::{Value, json};

use super::{
    Rest,
    channels::visible,
    error::ApiError,
    gate::Caller,
    messages::{found, unless_archived},
    snowflake,
};
use crate::world::{self, Message, bits, timestamp};

/// Pins of a channel.
const MOST: usize = 250;

/// The pinned messages of a channel, the latest pin first.
fn pinned(
    state: &world::State,
    caller: Caller,
    channel: u64,
) -> Result<Vec<(u64, &Message)>, ApiError> {
    visible(state, caller.bot_id, channel)?;
    if !state.may(caller.bot_id, channel, bits::READ_MESSAGE_HISTORY) {
        return Ok(Vec::new());
    }
    let all = state.messages.get(&channel).into_iter().flat_map(|all| all.values());
    let mut pins: Vec<_> = all.filter_map(|one| Some((one.pinned_at_ms?, one))).collect();
    pins.sort_by_key(|(at, one)| std::cmp::Reverse((*at, one.id)));
    Ok(pins)
}

/// `GET /channels/{channel}/messages/pins`
pub(super) async fn list(
    State(rest): State<Rest>,
    Extension(caller): Extension<Caller>,
    Path(channel): Path<String>,
) -> Result<Json<Value>, ApiError> {
    let channel = snowflake("channel_id", &channel)?;
    rest.world.read(|state| {
        let pins = pinned(state, caller, channel)?;
        let items: Value = pins
            .into_iter()
            .map(|(at, message)| {
                let message = rest.shown_to(state, caller.bot_id, message);
                json!({ "pinned_at": timestamp(at), "message": message })
            })
            .collect();
        Ok(Json(json!({ "items": items, "has_more": false })))
    })
}

/// `GET /channels/{channel}/pins`
pub(super) async fn list_old(
    State(rest): State<Rest>,
    Extension(caller): Extension<Caller>,
    Path(channel): Path<String>,
) -> Result<Json<Value>, ApiError> {
    let channel = snowflake("channel_id", &channel)?;
    rest.world.read(|state| {
        let pins = pinned(state, caller, channel)?.into_iter();
        Ok(Json(pins.map(|(_, one)| rest.shown_to(state, caller.bot_id, one)).collect()))
    })
}

/// `PUT /channels/{channel}/messages/pins/{message}`: needs PIN_MESSAGES.
pub(super) async fn add(
    State(rest): State<Rest>,
    Extension(caller): Extension<Caller>,
    Path(place): Path<(String, String)>,
) -> Result<StatusCode, ApiError> {
    set(&rest, caller, &place, true)
}

/// `DELETE /channels/{channel}/messages/pins/{message}`
pub(super) async fn remove(
    State(rest): State<Rest>,
    Extension(caller): Extension<Caller>,
    Path(place): Path<(String, String)>,
) -> Result<StatusCode, ApiError> {
    set(&rest, caller, &place, false)
}

fn set(
    rest: &Rest,
    caller: Caller,
    (channel, message): &(String, String),
    pin: bool,
) -> Result<StatusCode, ApiError> {
    let place = (snowflake("channel_id", channel)?, snowflake("message_id", message)?);
    rest.world.read(|state| {
        let message = found(state, caller.bot_id, place)?;
        if !state.may(caller.bot_id, place.0, bits::PIN_MESSAGES) {
            return Err(ApiError::missing_permissions());
        }
        unless_archived(state, place.0)?;
        if !world::message_kind::is_written(message.kind) {
            return Err(ApiError::system_message());
        }
        let full =
            pin && message.pinned_at_ms.is_none() && pinned(state, caller, place.0)?.len() >= MOST;
        let why = "Maximum number of pins reached (250)";
        if full { Err(ApiError::new(StatusCode::BAD_REQUEST, 30_003, why)) } else { Ok(()) }
    })?;
    let changed = rest.world.set_pinned(place, caller.bot_id, pin);
    changed.map_err(|_| ApiError::unknown_message())?;
    Ok(StatusCode::NO_CONTENT)
}
