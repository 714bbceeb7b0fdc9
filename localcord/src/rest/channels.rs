//! Channels as they are, and who is typing in them.

use axum::{
    Extension, Json,
    extract::{Path, State},
    http::StatusCode,
};
use serde_json::{Value, json};

use super::{Rest, error::ApiError, gate::Caller, messages::may_write, snowflake};
use crate::world::{self, Audience, Channel, Dispatch, bits, intents};

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
        may_write(state, caller.bot_id, id, false)?;
        let mut data = json!({
            "channel_id": id.to_string(),
            "user_id": caller.bot_id.to_string(),
            "timestamp": now_s(),
        });
        let Some(guild) = channel.guild_id else {
            return Ok::<_, ApiError>((data, intents::DIRECT_MESSAGE_TYPING));
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

/// `DELETE /channels/{channel}`: closes a direct message, takes a channel or thread away.
pub(super) async fn delete(
    State(rest): State<Rest>,
    Extension(caller): Extension<Caller>,
    Path(channel): Path<String>,
) -> Result<Json<Value>, ApiError> {
    let id = snowflake("channel_id", &channel)?;
    let (object, stays) = rest.world.read(|state| {
        let channel = visible(state, caller.bot_id, id)?;
        let object = state.channel_json(channel, Some(caller.bot_id));
        if channel.guild_id.is_none() {
            return Ok((object, true));
        }
        let needed = match channel.is_thread() {
            true => bits::MANAGE_THREADS,
            false => bits::MANAGE_CHANNELS,
        };
        let may = state.may(caller.bot_id, id, needed);
        if may { Ok((object, false)) } else { Err(ApiError::missing_permissions()) }
    })?;
    // A direct message is only closed for whom it was: there is nothing to see of that.
    if !stays && rest.world.delete_channel(id).is_none() {
        return Err(ApiError::unknown_channel());
    }
    Ok(Json(object))
}
