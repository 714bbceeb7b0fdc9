//! The bot itself, other users, and where the gateway is.

use axum::{
    Extension, Json,
    extract::{Path, State},
    http::{HeaderMap, header::HOST},
};
use serde_json::{Value, json};

use super::{
    Rest,
    body::JsonBody,
    error::{ApiError, Form},
    gate::Caller,
    snowflake,
};
use crate::listen::Via;

/// IDENTIFYs per day.
const SESSIONS_A_DAY: u32 = 1000;

/// `GET /gateway`
pub(super) async fn gateway(via: Option<Extension<Via>>, headers: HeaderMap) -> Json<Value> {
    Json(json!({ "url": gateway_url(via.map(|via| via.0), &headers) }))
}

/// `GET /gateway/bot`
pub(super) async fn gateway_bot(
    State(rest): State<Rest>,
    via: Option<Extension<Via>>,
    headers: HeaderMap,
) -> Json<Value> {
    Json(json!({
        "url": gateway_url(via.map(|via| via.0), &headers),
        "shards": rest.gateway.shards,
        "session_start_limit": {
            "total": SESSIONS_A_DAY,
            "remaining": SESSIONS_A_DAY,
            "reset_after": 0,
            "max_concurrency": rest.gateway.max_concurrency,
        },
    }))
}

/// The gateway at the address the client used for REST: the same host and port, encrypted if
/// that was. A client that came through the proxy as if to `discord.com` gets Discord's name.
fn gateway_url(via: Option<Via>, headers: &HeaderMap) -> String {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost");
    let name = host.split(':').next().unwrap_or_default();
    if name == "discord.com" || name.ends_with(".discord.com") {
        return "wss://gateway.discord.gg".to_owned();
    }
    let scheme = if via.is_some_and(|via| via.tls) { "wss" } else { "ws" };
    format!("{scheme}://{host}")
}

/// `GET /users/@me`
pub(super) async fn me(
    State(rest): State<Rest>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<Value>, ApiError> {
    rest.world.read(|state| {
        let user = state.users.get(&caller.bot_id).ok_or_else(ApiError::unknown_user)?;
        Ok(Json(user.to_own_json()))
    })
}

/// `GET /users/{user}`
pub(super) async fn user(
    State(rest): State<Rest>,
    Path(user): Path<String>,
) -> Result<Json<Value>, ApiError> {
    let id = snowflake("user_id", &user)?;
    rest.world.read(|state| {
        let user = state.users.get(&id).ok_or_else(ApiError::unknown_user)?;
        Ok(Json(user.to_json()))
    })
}

/// `GET /applications/@me` and `GET /oauth2/applications/@me`
pub(super) async fn application(
    State(rest): State<Rest>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<Value>, ApiError> {
    rest.world.read(|state| {
        let found = state.applications.get(&caller.application_id);
        Ok(Json(found.ok_or_else(ApiError::unknown_application)?.to_json(state)))
    })
}

/// `GET /users/@me/guilds`
pub(super) async fn my_guilds(
    State(rest): State<Rest>,
    Extension(caller): Extension<Caller>,
) -> Json<Value> {
    Json(rest.world.read(|state| {
        state
            .guilds_of(caller.bot_id)
            .map(|guild| {
                json!({
                    "id": guild.id.to_string(),
                    "name": guild.name,
                    "icon": null,
                    "banner": null,
                    "owner": guild.owner_id == caller.bot_id,
                    "permissions": state.guild_permissions(guild.id, caller.bot_id).to_string(),
                    "features": [],
                })
            })
            .collect()
    }))
}

/// `POST /users/@me/channels`
pub(super) async fn open_direct_message(
    State(rest): State<Rest>,
    Extension(caller): Extension<Caller>,
    JsonBody(body): JsonBody,
) -> Result<Json<Value>, ApiError> {
    let Some(recipient) = body.get("recipient_id").and_then(Value::as_str) else {
        return Err(Form::missing("recipient_id"));
    };
    let recipient = snowflake("recipient_id", recipient)?;
    rest.world.write(|state| {
        if !state.users.contains_key(&recipient) {
            return Err(ApiError::unknown_user());
        }
        if state.application_of(recipient).is_some() {
            let status = axum::http::StatusCode::BAD_REQUEST;
            return Err(ApiError::new(status, 50_007, "Cannot send messages to this user"));
        }
        let id = state.direct_message(caller.bot_id, recipient);
        let channel = state.channels.get(&id).ok_or_else(ApiError::unknown_channel)?;
        Ok(Json(state.channel_json(channel, Some(caller.bot_id))))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gateway_is_where_the_client_already_is() {
        let via = |tls| Some(Via { tls, peer: ([127, 0, 0, 1], 1).into() });
        let cases = [
            (via(false), "127.0.0.1:8390", "ws://127.0.0.1:8390"),
            (via(true), "localhost:8390", "wss://localhost:8390"),
            (via(true), "discord.com", "wss://gateway.discord.gg"),
            (via(true), "canary.discord.com:443", "wss://gateway.discord.gg"),
            (None, "localhost:1", "ws://localhost:1"),
        ];
        for (via, host, expected) in cases {
            let mut headers = HeaderMap::new();
            headers.insert(HOST, host.parse().unwrap());
            assert_eq!(gateway_url(via, &headers), expected);
        }
    }
}
