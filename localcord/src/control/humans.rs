//! The humans: who they are, where they talk, and from whom they take direct messages.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{
    Json,
    extract::{FromRequestParts, Path, Query, State},
    http::{StatusCode, header::AUTHORIZATION, request::Parts},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::{Control, Refusal, Wait};
use crate::{
    human::{EchoSettings, Human, HumanSettings, SpeechCoding},
    rest::{body::JsonBody, error::ApiError, voice_states::stage_change},
    world::Privacy,
};

/// Voice connections of a human that are kept for their recordings; the oldest go first.
const KEPT_CONNECTIONS: usize = 16;
/// How long `?wait=true` waits until a human is in the others' epoch.
const EPOCH_TIME: Duration = Duration::from_secs(15);
/// How long leaving may take.
const LEAVE_TIME: Duration = Duration::from_secs(5);

/// The voice connections of all humans, and their tokens.
#[derive(Default)]
pub(super) struct Humans {
    connections: Mutex<HashMap<u64, Vec<Arc<Human>>>>,
    tokens: Mutex<HashMap<String, u64>>,
    /// How humans speak who were told to, in all their stays in voice.
    codings: Mutex<HashMap<u64, SpeechCoding>>,
    /// Whom humans hear by a loudspeaker, in all their stays in voice.
    echoes: Mutex<HashMap<u64, EchoSettings>>,
    /// Held while somebody joins or leaves: one after the other.
    pub(super) moving: tokio::sync::Mutex<()>,
}

impl Humans {
    /// The latest voice connection of a human, over or not.
    pub(super) fn latest(&self, human: u64) -> Option<Arc<Human>> {
        self.lock().get(&human)?.last().cloned()
    }

    /// A voice connection by number, from 0.
    pub(super) fn connection(&self, human: u64, number: usize) -> Option<Arc<Human>> {
        self.lock().get(&human)?.get(number).cloned()
    }

    /// How many voice connections of a human are kept.
    pub(super) fn count(&self, human: u64) -> usize {
        self.lock().get(&human).map_or(0, Vec::len)
    }

    pub(super) fn keep(&self, human: u64, connection: Human) -> Arc<Human> {
        let connection = Arc::new(connection);
        let mut all = self.lock();
        let kept = all.entry(human).or_default();
        kept.push(Arc::clone(&connection));
        if kept.len() > KEPT_CONNECTIONS {
            kept.remove(0);
        }
        connection
    }

    pub(super) fn clear(&self) {
        self.lock().clear();
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.codings.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.echoes.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// How a human's next connection is set up.
    pub(super) fn settings(&self, human: u64) -> HumanSettings {
        let codings = self.codings.lock().unwrap_or_else(PoisonError::into_inner);
        let speech = codings.get(&human).copied().unwrap_or_default();
        let echoes = self.echoes.lock().unwrap_or_else(PoisonError::into_inner);
        HumanSettings { speech, echo: echoes.get(&human).copied(), ..HumanSettings::default() }
    }

    /// Has a human speak like that from now on.
    pub(super) fn set_coding(&self, human: u64, coding: SpeechCoding) {
        self.codings.lock().unwrap_or_else(PoisonError::into_inner).insert(human, coding);
    }

    /// Puts a loudspeaker beside a human's microphone, or takes it away.
    pub(super) fn set_echo(&self, human: u64, echo: Option<EchoSettings>) {
        let mut echoes = self.echoes.lock().unwrap_or_else(PoisonError::into_inner);
        match echo {
            Some(echo) => echoes.insert(human, echo),
            None => echoes.remove(&human),
        };
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<u64, Vec<Arc<Human>>>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn new_token(&self, human: u64) -> String {
        let token = URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>());
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        tokens.insert(token.clone(), human);
        token
    }

    fn by_token(&self, token: &str) -> Option<u64> {
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner).get(token).copied()
    }
}

/// The human of a path: an id, or `@me` with the human's token.
pub(super) struct Who(pub(super) u64);

impl FromRequestParts<Control> for Who {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, control: &Control) -> Result<Self, Refusal> {
        let path = Path::<HashMap<String, String>>::from_request_parts(parts, control).await;
        let name = path.ok().and_then(|mut path| path.remove("human")).unwrap_or_default();
        let human = if name == "@me" {
            let token = parts.headers.get(AUTHORIZATION).and_then(|token| token.to_str().ok());
            token.and_then(|token| control.humans.by_token(token))
        } else {
            name.parse().ok()
        };
        let known = human.filter(|id| control.rest.world.read(|state| state.humans.contains(id)));
        known.map(Self).ok_or_else(|| Refusal::unknown("human"))
    }
}

/// The name in a body.
pub(super) fn name_of(body: &Value) -> Result<&str, Refusal> {
    let name = body.get("name").and_then(Value::as_str).map(str::trim);
    let name = name.filter(|name| (1..=32).contains(&name.chars().count()));
    name.ok_or_else(|| Refusal::bad("`name` must be a text of 1 to 32 characters"))
}

/// An id in a body, as a text or a number; `None` if it is absent or null.
pub(super) fn id_in(body: &Value, field: &str) -> Result<Option<u64>, Refusal> {
    let id = match body.get(field) {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(text)) => text.parse().ok(),
        Some(value) => value.as_u64(),
    };
    id.map(Some).ok_or_else(|| Refusal::bad(format!("`{field}` must be an id")))
}

/// `POST humans`
pub(super) async fn add(
    State(control): State<Control>,
    JsonBody(body): JsonBody,
) -> Result<(StatusCode, Json<Value>), Refusal> {
    let id = control.rest.world.add_human(name_of(&body)?);
    let token = control.humans.new_token(id);
    Ok((StatusCode::CREATED, Json(json!({ "id": id.to_string(), "token": token }))))
}

/// `POST humans/{human}/voice`
pub(super) async fn voice(
    State(control): State<Control>,
    Who(human): Who,
    Query(query): Query<Wait>,
    JsonBody(body): JsonBody,
) -> Result<Json<Value>, Refusal> {
    if body.get("channel_id").is_none() {
        return Err(Refusal::bad("`channel_id` must be there: an id, or null to leave"));
    }
    let flag = |name: &str| body.get(name).and_then(Value::as_bool).unwrap_or(false);
    let flags = (flag("self_mute"), flag("self_deaf"));
    let _moving = control.humans.moving.lock().await;
    let Some(channel) = id_in(&body, "channel_id")? else {
        leave(&control, human).await;
        return Ok(Json(json!({ "channel_id": null })));
    };
    let connection = join(&control, human, channel, flags).await?;
    if query.wait {
        wait_for_epoch(&control, human, channel, &connection).await?;
    }
    Ok(Json(json!({
        "channel_id": channel.to_string(),
        "connection": control.humans.count(human).saturating_sub(1),
    })))
}

async fn leave(control: &Control, human: u64) {
    let connected = control.humans.latest(human).filter(|one| one.ended().is_none());
    control.rest.world.drop_user_voice(human);
    if let Some(connection) = connected {
        // The server closes the websocket; without that the recording would still be there.
        let _ = timeout(LEAVE_TIME, connection.wait_ended()).await;
        control.rest.journal.record("human", "left", json!({ "human": human.to_string() }));
    }
}

async fn join(
    control: &Control,
    human: u64,
    channel: u64,
    (self_mute, self_deaf): (bool, bool),
) -> Result<Arc<Human>, Refusal> {
    let world = &control.rest.world;
    let guild = world.read(|state| state.channels.get(&channel)?.guild_id);
    let guild = guild.ok_or_else(|| Refusal::unknown("channel"))?;
    let connected = control.humans.latest(human).filter(|one| one.ended().is_none());
    if connected.is_none() {
        // A lost connection does not take its voice state with it.
        world.drop_user_voice(human);
    }
    let invite = world
        .set_voice_state(guild, human, Some(channel), self_mute, self_deaf)
        .map_err(|denied| Refusal::new(StatusCode::FORBIDDEN, denied.to_string()))?;
    let Some(invite) = invite else {
        return connected.ok_or_else(|| Refusal::new(StatusCode::CONFLICT, "not connected"));
    };
    let settings = control.humans.settings(human);
    let joined = Human::join_with(invite, settings).await.map_err(|error| {
        world.drop_user_voice(human);
        Refusal::new(StatusCode::BAD_GATEWAY, error.to_string())
    })?;
    let data = json!({ "human": human.to_string(), "channel": channel.to_string() });
    control.rest.journal.record("human", "joined", data);
    Ok(control.humans.keep(human, joined))
}

async fn wait_for_epoch(
    control: &Control,
    human: u64,
    channel: u64,
    connection: &Human,
) -> Result<(), Refusal> {
    let others: Vec<u64> = control.rest.world.read(|state| {
        let there = state.voice_states_in(channel).map(|voice| voice.user_id);
        there.filter(|user| *user != human).collect()
    });
    match timeout(EPOCH_TIME, connection.shares_epoch_with(&others)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(Refusal::new(StatusCode::BAD_GATEWAY, error.to_string())),
        Err(_) => Err(Refusal::new(
            StatusCode::GATEWAY_TIMEOUT,
            "joined, but shares no epoch with everybody in the channel yet",
        )),
    }
}

/// `PATCH humans/{human}/voice-states/{user}`: what Discord's route of that name does, with this
/// human's permissions.
pub(super) async fn change_voice_state(
    State(control): State<Control>,
    Who(human): Who,
    Path(names): Path<HashMap<String, String>>,
    JsonBody(body): JsonBody,
) -> Result<StatusCode, Refusal> {
    let user = match names.get("user").map(String::as_str) {
        Some("@me") => human,
        name => name
            .and_then(|id| id.parse().ok())
            .ok_or_else(|| Refusal::bad("the user must be an id or @me"))?,
    };
    let change = stage_change(&body, user == human)?;
    let world = &control.rest.world;
    let guild = world.read(|state| {
        let there = state.voice_states.keys().filter(|(_, in_voice)| *in_voice == user);
        let of_both = |guild: &u64| {
            state.guilds.get(guild).is_some_and(|guild| guild.members.contains_key(&human))
        };
        there.map(|(guild, _)| *guild).find(of_both)
    });
    let guild = guild.ok_or_else(ApiError::unknown_voice_state)?;
    world.change_stage(human, guild, user, change).map_err(ApiError::from)?;
    Ok(StatusCode::NO_CONTENT)
}

/// `GET humans/{human}/stats`
pub(super) async fn stats(
    State(control): State<Control>,
    Who(human): Who,
) -> Result<Json<Value>, Refusal> {
    let latest = control.humans.latest(human);
    let latest = latest.ok_or_else(|| Refusal::unknown("voice connection of that human"))?;
    let stats = latest.stats();
    let mut object = json!(stats);
    // Ids do not fit into the numbers of every language.
    object["members"] = stats.members.iter().map(ToString::to_string).collect();
    object["ended"] = json!(latest.ended());
    object["connection"] = control.humans.count(human).saturating_sub(1).into();
    Ok(Json(object))
}

/// `PUT humans/{human}/direct-messages`: `{closed}` or `{blocked: [ids]}`, from whom it takes none;
/// `{}`: from everybody again.
pub(super) async fn set_privacy(
    State(control): State<Control>,
    Who(human): Who,
    JsonBody(body): JsonBody,
) -> Result<StatusCode, Refusal> {
    let ids = body["blocked"].as_array().into_iter().flatten();
    let ids = ids.map(|id| id.as_u64().or_else(|| id.as_str()?.parse().ok()));
    let blocked = ids.collect::<Option<_>>();
    let blocked = blocked.ok_or_else(|| Refusal::bad("`blocked` must be a list of ids"))?;
    let closed = body["closed"].as_bool().unwrap_or(false);
    control.rest.world.write(|state| state.privacy.insert(human, Privacy { closed, blocked }));
    Ok(StatusCode::NO_CONTENT)
}
