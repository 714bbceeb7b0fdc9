//! The bot itself, other users, and where the gateway is.

use axum::{
    Extension, Json,
    extract::{Path, State},
    http::{HeaderMap, StatusCode, header::HOST},
};
use serde_json::{Value, json};

use super::{
    Rest,
    body::JsonBody,
    error::{ApiError, Form},
    gate::Caller,
    snowflake,
};
use crate::{
    listen::Via,
    world::{Channel, kind},
};

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

/// `POST /users/@me/channels`: a direct message; people also make those of several users.
pub(super) async fn open_direct_message(
    State(rest): State<Rest>,
    Extension(caller): Extension<Caller>,
    JsonBody(body): JsonBody,
) -> Result<Json<Value>, ApiError> {
    if let Some(recipients) = body.get("recipients").and_then(Value::as_array) {
        return open_group(&rest, caller, &body, recipients);
    }
    let Some(recipient) = body.get("recipient_id").and_then(Value::as_str) else {
        return Err(Form::missing("recipient_id"));
    };
    let recipient = snowflake("recipient_id", recipient)?;
    rest.world.write(|state| {
        if !state.users.contains_key(&recipient) {
            return Err(ApiError::unknown_user());
        }
        // People may write to bots; bots not to each other.
        let between_bots = state.application_of(recipient).is_some()
            && state.application_of(caller.bot_id).is_some();
        if between_bots || recipient == caller.bot_id {
            let status = StatusCode::BAD_REQUEST;
            return Err(ApiError::new(status, 50_007, "Cannot send messages to this user"));
        }
        let id = state.direct_message(caller.bot_id, recipient);
        let channel = state.channels.get(&id).ok_or_else(ApiError::unknown_channel)?;
        Ok(Json(state.channel_json(channel, Some(caller.bot_id))))
    })
}

/// Users of a direct message of several.
const MOST_RECIPIENTS: usize = 10;

fn open_group(
    rest: &Rest,
    caller: Caller,
    body: &Value,
    recipients: &[Value],
) -> Result<Json<Value>, ApiError> {
    let ids = recipients.iter().map(|id| snowflake("recipients", id.as_str().unwrap_or_default()));
    let ids = ids.collect::<Result<Vec<u64>, _>>()?;
    let name = body.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
    rest.world.write(|state| {
        if !state.humans.contains(&caller.bot_id) {
            let why = "Bots cannot use this endpoint";
            return Err(ApiError::new(StatusCode::FORBIDDEN, 20_001, why));
        }
        if ids.iter().any(|id| !state.users.contains_key(id)) {
            return Err(ApiError::new(StatusCode::BAD_REQUEST, 50_033, "Invalid Recipient(s)"));
        }
        let mut recipients = vec![caller.bot_id];
        for id in ids {
            if !recipients.contains(&id) {
                recipients.push(id);
            }
        }
        if recipients.len() > MOST_RECIPIENTS {
            let why = "Maximum number of recipients reached (10)";
            return Err(ApiError::new(StatusCode::BAD_REQUEST, 30_004, why));
        }
        let (id, kind, owner_id) = (state.next_id(), kind::GROUP_DM, Some(caller.bot_id));
        let channel = Channel { id, kind, name, recipients, owner_id, ..Channel::default() };
        let object = state.channel_json(&channel, Some(caller.bot_id));
        state.channels.insert(id, channel);
        Ok(Json(object))
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
