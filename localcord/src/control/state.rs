//! The world as a whole: reset, bots, journal, overview.

use std::time::Duration;

use axum::{
    Json,
    extract::{Path, Query, State},
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::{Control, Refusal, humans::name_of};
use crate::{
    rest::{body::JsonBody, messages::ListQuery},
    world::{self, BitrateRefused},
};

/// How long `journal?wait=true` waits for an entry.
const JOURNAL_TIME: Duration = Duration::from_secs(30);

/// `POST reset`
pub(super) async fn reset(State(control): State<Control>) -> StatusCode {
    let _moving = control.humans.moving.lock().await;
    control.rest.faults.set(control.fresh.faults.clone());
    control.voice.apply_faults();
    control.humans.clear();
    control.rest.world.reset(control.fresh.world.clone());
    control.rest.reset();
    control.gateway.invalidate_all(false);
    StatusCode::NO_CONTENT
}

/// `POST bots`
pub(super) async fn add_bot(
    State(control): State<Control>,
    JsonBody(body): JsonBody,
) -> Result<(StatusCode, Json<Value>), Refusal> {
    let bot = control.rest.world.add_bot(name_of(&body)?);
    let made = json!({
        "token": bot.token,
        "application_id": bot.application_id.to_string(),
        "user_id": bot.user_id.to_string(),
    });
    Ok((StatusCode::CREATED, Json(made)))
}

/// `GET channels/{channel}/messages`: all there are, whoever may see them.
pub(super) async fn messages(
    State(control): State<Control>,
    Path(channel): Path<u64>,
    Query(query): Query<ListQuery>,
) -> Result<Json<Value>, Refusal> {
    control.rest.world.read(|state| {
        if !state.channels.contains_key(&channel) {
            return Err(Refusal::unknown("channel"));
        }
        let found = query.pick(state, channel)?;
        Ok(Json(found.into_iter().map(|one| control.rest.shown(state, one)).collect()))
    })
}

/// `PATCH channels/{channel}`: the bitrate of a voice or stage channel.
pub(super) async fn change_channel(
    State(control): State<Control>,
    Path(channel): Path<u64>,
    JsonBody(body): JsonBody,
) -> Result<Json<Value>, Refusal> {
    let fields = body.as_object().ok_or_else(|| Refusal::bad("the body must be an object"))?;
    if let Some(unknown) = fields.keys().find(|field| *field != "bitrate") {
        return Err(Refusal::bad(format!("unknown field `{unknown}`; only `bitrate` can change")));
    }
    let bitrate = body["bitrate"].as_u64().and_then(|bitrate| u32::try_from(bitrate).ok());
    let bitrate = bitrate.ok_or_else(|| Refusal::bad(BitrateRefused::OutOfRange.to_string()))?;
    let changed = control.rest.world.set_bitrate(channel, bitrate);
    changed.map(Json).map_err(|refused| match refused {
        BitrateRefused::UnknownChannel => Refusal::unknown("channel"),
        _ => Refusal::bad(refused.to_string()),
    })
}

/// `?since=N&wait=true`
#[derive(Debug, Deserialize)]
pub(super) struct JournalQuery {
    #[serde(default)]
    since: u64,
    #[serde(default)]
    wait: bool,
}

/// `GET journal`
pub(super) async fn journal(
    State(control): State<Control>,
    Query(query): Query<JournalQuery>,
) -> Response {
    let journal = &control.rest.journal;
    if query.wait {
        // Nothing happened in time: the answer is empty.
        let _ = timeout(JOURNAL_TIME, journal.wait_for(query.since, |_| true)).await;
    }
    let mut lines = String::new();
    for entry in journal.since(query.since) {
        if let Ok(line) = serde_json::to_string(&entry) {
            lines.push_str(&line);
            lines.push('\n');
        }
    }
    ([(CONTENT_TYPE, "application/x-ndjson")], lines).into_response()
}

/// `POST gateway/reconnect`
pub(super) async fn reconnect(State(control): State<Control>) -> StatusCode {
    control.gateway.reconnect_all();
    StatusCode::NO_CONTENT
}

/// `POST gateway/invalid-session`
pub(super) async fn invalidate(
    State(control): State<Control>,
    JsonBody(body): JsonBody,
) -> StatusCode {
    let resumable = body.get("resumable").and_then(Value::as_bool).unwrap_or(false);
    control.gateway.invalidate_all(resumable);
    StatusCode::NO_CONTENT
}

/// `POST gateway/close`
pub(super) async fn close_gateway(
    State(control): State<Control>,
    JsonBody(body): JsonBody,
) -> Result<StatusCode, Refusal> {
    let code = body.get("code").and_then(Value::as_u64).and_then(|code| u16::try_from(code).ok());
    let code = code.filter(|code| (1000..5000).contains(code));
    let code = code.ok_or_else(|| Refusal::bad("`code` must be between 1000 and 4999"))?;
    control.gateway.close_all(code);
    Ok(StatusCode::NO_CONTENT)
}

/// `POST gateway/silence`
pub(super) async fn silence_gateway(State(control): State<Control>) -> StatusCode {
    control.gateway.silence_all();
    StatusCode::NO_CONTENT
}

/// `GET state`
pub(super) async fn overview(State(control): State<Control>) -> Json<Value> {
    Json(control.rest.world.read(|state| {
        let guilds: Value = state.guilds.values().map(|guild| guild_json(state, guild)).collect();
        let bots: Value = state
            .applications
            .values()
            .map(|bot| {
                json!({
                    "name": bot.name,
                    "application_id": bot.id.to_string(),
                    "user_id": bot.user_id.to_string(),
                    "commands": state.commands.iter()
                        .filter(|((application, _), _)| *application == bot.id)
                        .flat_map(|(_, commands)| commands)
                        .map(|command| command["name"].clone())
                        .collect::<Value>(),
                })
            })
            .collect();
        let humans: Value =
            state.humans.iter().map(|id| human_json(&control, state, *id)).collect();
        let voice: Value =
            state.voice_states.values().map(|voice| state.voice_state_json(voice)).collect();
        json!({
            "began_unix_us": control.rest.journal.began_unix_us(),
            "guilds": guilds,
            "bots": bots,
            "humans": humans,
            "voice_states": voice,
        })
    }))
}

fn guild_json(state: &world::State, guild: &world::Guild) -> Value {
    let channels: Value = state
        .channels_in(guild.id)
        .map(|channel| {
            json!({
                "id": channel.id.to_string(),
                "name": channel.name,
                "type": channel.kind,
                "messages": state.messages.get(&channel.id).map_or(0, |all| all.len()),
            })
        })
        .collect();
    json!({
        "id": guild.id.to_string(),
        "name": guild.name,
        "channels": channels,
        "members": guild.members.keys().map(ToString::to_string).collect::<Value>(),
    })
}

fn human_json(control: &Control, state: &world::State, id: u64) -> Value {
    let voice = state.voice_states.values().find(|voice| voice.user_id == id);
    let connected = control.humans.latest(id).is_some_and(|human| human.ended().is_none());
    json!({
        "id": id.to_string(),
        "name": state.users.get(&id).map(|user| user.username.clone()),
        "channel_id": voice.map(|voice| voice.channel_id.to_string()),
        "connected": connected,
        "connections": control.humans.count(id),
    })
}
