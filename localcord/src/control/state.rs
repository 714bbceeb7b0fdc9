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
    journal::Entry,
    rest::{body::JsonBody, channel_edit::channel_change},
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

/// What `PATCH channels/{channel}` knows besides the bitrate.
const CHANGEABLE: [&str; 7] = [
    "name",
    "topic",
    "nsfw",
    "rate_limit_per_user",
    "default_auto_archive_duration",
    "available_tags",
    "flags",
];

/// `PATCH channels/{channel}`: the bitrate of a voice or stage channel, or what Discord's route of
/// that name changes about channels.
pub(super) async fn change_channel(
    State(control): State<Control>,
    Path(channel): Path<u64>,
    JsonBody(body): JsonBody,
) -> Result<Json<Value>, Refusal> {
    let fields = body.as_object().ok_or_else(|| Refusal::bad("the body must be an object"))?;
    let known = |field: &str| field == "bitrate" || CHANGEABLE.contains(&field);
    if let Some(unknown) = fields.keys().find(|field| !known(field)) {
        let list = CHANGEABLE.join("`, `");
        return Err(Refusal::bad(format!(
            "unknown field `{unknown}`; `bitrate`, `{list}` can change"
        )));
    }
    let world = &control.rest.world;
    if fields.keys().any(|field| field != "bitrate") {
        world.write(|state| {
            let found = state.channels.get(&channel).filter(|one| !one.is_thread());
            let found = found.cloned().ok_or_else(|| Refusal::unknown("channel"))?;
            let change = channel_change(state, &found, &body)?;
            world.change_channel(state, channel, 0, change);
            Ok::<_, Refusal>(())
        })?;
        if !fields.contains_key("bitrate") {
            return world.read(|state| {
                let found = state.channels.get(&channel);
                let found = found.ok_or_else(|| Refusal::unknown("channel"))?;
                Ok(Json(state.channel_json(found, None)))
            });
        }
    }
    let bitrate = body["bitrate"].as_u64().and_then(|bitrate| u32::try_from(bitrate).ok());
    let bitrate = bitrate.ok_or_else(|| Refusal::bad(BitrateRefused::OutOfRange.to_string()))?;
    world.set_bitrate(channel, bitrate).map(Json).map_err(|refused| match refused {
        BitrateRefused::UnknownChannel => Refusal::unknown("channel"),
        _ => Refusal::bad(refused.to_string()),
    })
}

/// `?since=N&wait=true&kind=rest&name=POST`
#[derive(Debug, Deserialize)]
pub(super) struct JournalQuery {
    #[serde(default)]
    since: u64,
    #[serde(default)]
    wait: bool,
    /// Only entries of this kind,
    kind: Option<String>,
    /// and whose name begins so.
    name: Option<String>,
}

impl JournalQuery {
    fn wants(&self, entry: &Entry) -> bool {
        self.kind.as_ref().is_none_or(|kind| entry.kind == kind)
            && self.name.as_ref().is_none_or(|name| entry.name.starts_with(name))
    }
}

/// `GET journal`
pub(super) async fn journal(
    State(control): State<Control>,
    Query(query): Query<JournalQuery>,
) -> Response {
    let journal = &control.rest.journal;
    if query.wait {
        // Nothing happened in time: the answer is empty.
        let _ =
            timeout(JOURNAL_TIME, journal.wait_for(query.since, |entry| query.wants(entry))).await;
    }
    let mut lines = String::new();
    for entry in journal.since(query.since).iter().filter(|entry| query.wants(entry)) {
        if let Ok(line) = serde_json::to_string(entry) {
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
