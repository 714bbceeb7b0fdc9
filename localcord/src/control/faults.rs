//! What goes wrong: settings, and faults that happen once when they are asked for.

use std::{collections::HashMap, str::FromStr, sync::Arc, time::Duration};

use axum::{Json, extract::State, http::StatusCode};
use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use super::{Control, Refusal, humans::id_in};
use crate::{
    fault::{FaultSettings, VoiceMessage},
    human::{Human, Unspoken},
    rest::body::JsonBody,
    voice::VoiceInvite,
};

/// The longest `keepOldMs` and `pauseMs`.
const MOST_MS: u64 = 600_000;
/// `pauseMs` unless told.
const USUAL_PAUSE_MS: u64 = 200;

/// How long a speech waits after a server move until everybody in the channel can hear the rest.
const SPEAK_ON_TIME: Duration = Duration::from_secs(5);

/// `GET faults`
pub(super) async fn faults(State(control): State<Control>) -> Json<FaultSettings> {
    Json(control.rest.faults.current())
}

/// `PUT faults`
pub(super) async fn set_faults(
    State(control): State<Control>,
    JsonBody(body): JsonBody,
) -> Result<Json<FaultSettings>, Refusal> {
    let settings: FaultSettings =
        serde_json::from_value(body).map_err(|error| Refusal::bad(error.to_string()))?;
    settings.check().map_err(Refusal::bad)?;
    control.rest.journal.record("fault", "set", json!(settings));
    control.rest.faults.set(settings);
    control.voice.apply_faults();
    Ok(Json(control.rest.faults.current()))
}

/// `POST faults/voice-close`
pub(super) async fn close_voice(
    State(control): State<Control>,
    JsonBody(body): JsonBody,
) -> Result<StatusCode, Refusal> {
    let user = id_in(&body, "user_id")?.ok_or_else(|| Refusal::bad("`user_id` must be there"))?;
    let code = body.get("code").and_then(Value::as_u64).and_then(|code| u16::try_from(code).ok());
    let code = code.filter(|code| (1000..5000).contains(code));
    let code = code.ok_or_else(|| Refusal::bad("`code` must be between 1000 and 4999"))?;
    let guilds: Vec<u64> = control.rest.world.read(|state| {
        let states = state.voice_states.keys().filter(|(_, there)| *there == user);
        states.map(|(guild, _)| *guild).collect()
    });
    if guilds.is_empty() {
        return Err(Refusal::new(StatusCode::CONFLICT, "that user is in no voice channel"));
    }
    for guild in guilds {
        control.voice.close_websocket(guild, user, code);
    }
    Ok(StatusCode::NO_CONTENT)
}

/// `POST faults/voice-message`
pub(super) async fn send_voice_message(
    State(control): State<Control>,
    JsonBody(body): JsonBody,
) -> Result<StatusCode, Refusal> {
    let user = id_in(&body, "user_id")?.ok_or_else(|| Refusal::bad("`user_id` must be there"))?;
    let message = body.get("message").cloned().unwrap_or_default();
    let message: VoiceMessage =
        serde_json::from_value(message).map_err(|error| Refusal::bad(error.to_string()))?;
    message.check().map_err(Refusal::bad)?;
    if control.voice.inject(user, &message) {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(Refusal::new(StatusCode::CONFLICT, "that user has no voice connection"))
    }
}

/// `POST faults/dave-version`
pub(super) async fn change_dave_version(
    State(control): State<Control>,
    JsonBody(body): JsonBody,
) -> Result<StatusCode, Refusal> {
    let channel = id_in(&body, "channel_id")?;
    let channel = channel.ok_or_else(|| Refusal::bad("`channel_id` must be there"))?;
    let version = match body.get("version").and_then(Value::as_u64) {
        Some(0) => 0,
        Some(1) => 1,
        _ => return Err(Refusal::bad("`version` must be 0 or 1")),
    };
    let data = json!({ "channel_id": channel.to_string(), "version": version });
    control.rest.journal.record("fault", "dave_version", data);
    control.voice.change_dave_version(channel, version);
    Ok(StatusCode::NO_CONTENT)
}

/// How a voice server changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum MoveVariant {
    /// VOICE_SERVER_UPDATE without an endpoint, a pause, then with the new one.
    NullFirst,
    /// Only VOICE_SERVER_UPDATE with the new endpoint.
    Update,
    /// The bots' voice websockets are closed with this code first, then a pause.
    Close(u16),
    /// Only VOICE_SERVER_UPDATE, with the endpoint there was and a new token.
    SameEndpoint,
}

impl FromStr for MoveVariant {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        Ok(match name {
            "nullFirst" => Self::NullFirst,
            "update" => Self::Update,
            "close4014" => Self::Close(4014),
            "close4015" => Self::Close(4015),
            "close4022" => Self::Close(4022),
            "sameEndpoint" => Self::SameEndpoint,
            _ => return Err(()),
        })
    }
}

/// `POST faults/server-move`: the answer comes when bots have been told and humans are over.
pub(super) async fn move_server(
    State(control): State<Control>,
    JsonBody(body): JsonBody,
) -> Result<Json<Value>, Refusal> {
    let world = &control.rest.world;
    let guild = match id_in(&body, "guild_id")? {
        Some(guild) => guild,
        None => world
            .read(|state| state.default_guild().map(|guild| guild.id))
            .ok_or_else(|| Refusal::bad("`guild_id` must be there"))?,
    };
    let name = body.get("variant").and_then(Value::as_str).unwrap_or("nullFirst");
    let variant: MoveVariant = name.parse().map_err(|()| {
        let known = "nullFirst, update, close4014, close4015, close4022, sameEndpoint";
        Refusal::bad(format!("`variant` must be one of {known}"))
    })?;
    let keep_old = ms_in(&body, "keepOldMs", 0)?;
    let pause = ms_in(&body, "pauseMs", USUAL_PAUSE_MS)?;
    let voices = world.voices_in(guild);
    let bots = || voices.iter().filter(|(_, bot)| *bot).map(|(user, _)| *user);
    // Nobody else joins or leaves meanwhile.
    let _moving = control.humans.moving.lock().await;
    let data = json!({ "guild_id": guild.to_string(), "variant": name });
    control.rest.journal.record("fault", "server_move", data);
    match variant {
        MoveVariant::NullFirst => {
            for bot in bots() {
                world.tell_voice_server(guild, bot, "", None);
            }
            sleep(pause).await;
        }
        MoveVariant::Close(code) => {
            for bot in bots() {
                control.voice.close_websocket(guild, bot, code);
            }
            sleep(pause).await;
        }
        MoveVariant::Update | MoveVariant::SameEndpoint => {}
    }
    if variant != MoveVariant::SameEndpoint {
        control
            .voice
            .relocate(guild)
            .await
            .map_err(|error| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))?;
    }
    let invites = world.renew_invites(guild);
    let connected: Vec<(VoiceInvite, Arc<Human>)> = invites
        .into_iter()
        .filter_map(|invite| {
            let human = control.humans.latest(invite.user_id)?;
            human.ended().is_none().then_some((invite, human))
        })
        .collect();
    let voice = control.voice.clone();
    let retire = async move {
        sleep(keep_old).await;
        voice.retire(guild);
    };
    // What is left to say goes to the new connection: before the old one ends, if that is at once,
    // otherwise when the new one is there.
    let mut unspoken = HashMap::new();
    if keep_old.is_zero() {
        for (invite, human) in &connected {
            unspoken.insert(invite.user_id, human.take_unspoken().await);
        }
        retire.await;
    } else {
        tokio::spawn(retire);
    }
    let joining = connected.into_iter().map(|(invite, old)| async {
        let (user, settings) = (invite.user_id, control.humans.settings(invite.user_id));
        (user, old, Human::join_with(invite, settings).await)
    });
    let mut moved = Vec::new();
    for (user, old, joined) in join_all(joining).await {
        match joined {
            Ok(joined) => {
                let joined = control.humans.keep(user, joined);
                let rest = match unspoken.remove(&user) {
                    Some(rest) => rest,
                    None => old.take_unspoken().await,
                };
                if !rest.is_empty() {
                    tokio::spawn(speak_on(control.clone(), user, joined, rest));
                }
                moved.push(user.to_string());
            }
            Err(error) => {
                let data = json!({ "human": user.to_string(), "error": error.to_string() });
                control.rest.journal.record("human", "lost", data);
            }
        }
    }
    let endpoint = control.voice.endpoint_in(guild);
    Ok(Json(json!({ "endpoint": endpoint, "humans": moved })))
}

/// Says the rest of a speech as soon as everybody in the channel can hear it.
async fn speak_on(control: Control, user: u64, human: Arc<Human>, rest: Unspoken) {
    let others: Vec<u64> = control.rest.world.read(|state| {
        let own = state.voice_states.values().find(|voice| voice.user_id == user);
        let there = own.map(|own| state.voice_states_in(own.channel_id));
        let there = there.into_iter().flatten().map(|voice| voice.user_id);
        there.filter(|other| *other != user).collect()
    });
    // Somebody who does not come back must not silence the others.
    let _ = timeout(SPEAK_ON_TIME, human.shares_epoch_with(&others)).await;
    control.rest.journal.record("human", "speaks_on", json!({ "human": user.to_string() }));
    human.speak_on(rest).await;
}

fn ms_in(body: &Value, field: &str, usual: u64) -> Result<Duration, Refusal> {
    let ms = match body.get(field) {
        None => Some(usual),
        Some(value) => value.as_u64().filter(|ms| *ms <= MOST_MS),
    };
    let ms = ms.ok_or_else(|| {
        Refusal::bad(format!("`{field}` must be a whole number from 0 to {MOST_MS}"))
    })?;
    Ok(Duration::from_millis(ms))
}
