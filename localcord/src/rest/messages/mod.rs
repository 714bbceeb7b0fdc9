//! Messages: send, read, list, edit, delete.

mod allowed;
mod change;
pub(super) mod form;
mod nonce;
mod reference;
mod send;

use axum::{
    Extension, Json,
    extract::{Path, Query, State},
    http::StatusCode,
};
use serde::Deserialize;
use serde_json::{Value, json};

use self::form::SUPPRESS_EMBEDS;
pub(crate) use self::send::send;
pub(super) use self::{
    change::change,
    nonce::Nonces,
    send::{drafted, may_write, unless_archived},
};
use super::{
    Rest,
    body::{JsonBody, MessageBody},
    channels::visible,
    error::{ApiError, Form},
    gate::Caller,
    snowflake,
};
use crate::world::{
    self, Message, MessageChange, bits, hide_content, intents, message_kind, snowflake_ms,
};

/// What can be deleted in bulk: messages of the last 14 days.
const YOUNG_MS: u64 = 14 * 24 * 60 * 60 * 1000;

type Answer = Result<Json<Value>, ApiError>;

fn text(body: &Value, field: &str) -> Option<String> {
    body.get(field).map(|value| value.as_str().unwrap_or_default().to_owned())
}

/// The embeds as the server shows them: those of bots are all `rich`.
fn embeds(body: &Value) -> Option<Vec<Value>> {
    let mut embeds = body.get("embeds")?.as_array().cloned().unwrap_or_default();
    for embed in &mut embeds {
        if embed.is_object() {
            embed["type"] = "rich".into();
        }
    }
    Some(embeds)
}

impl Rest {
    /// The message as REST shows it: with its reactions.
    pub(crate) fn shown(&self, state: &world::State, message: &Message) -> Value {
        self.shown_with(state, message, None)
    }

    fn shown_with(&self, state: &world::State, message: &Message, viewer: Option<u64>) -> Value {
        let mut object = state.message_json(message);
        let reactions = self.reactions().of(message.id, viewer);
        if !reactions.is_null() {
            object["reactions"] = reactions;
        }
        object
    }

    /// The message as a user sees it: for bots contents of others need the MESSAGE_CONTENT intent.
    pub(super) fn shown_to(&self, state: &world::State, user: u64, message: &Message) -> Value {
        let mut object = self.shown_with(state, message, Some(user));
        if !reads_everything(state, user, message.channel_id) {
            hide_content(&mut object, user);
        }
        object
    }
}

/// Nothing is hidden from people, in direct messages, and from bots with the content intent.
fn reads_everything(state: &world::State, user: u64, channel: u64) -> bool {
    let in_guild = state.channels.get(&channel).is_some_and(|place| place.guild_id.is_some());
    let privileged = state.application_of(user).map(|application| application.privileged_intents);
    !in_guild || privileged.is_none_or(|intents| intents & intents::MESSAGE_CONTENT != 0)
}

/// Whether a user may read what a message says.
fn may_read_content(state: &world::State, user: u64, message: &Message) -> bool {
    reads_everything(state, user, message.channel_id)
        || message.author_id == user
        || message.mentions.users.contains(&user)
}

/// `POST /channels/{channel}/messages`
pub(super) async fn create(
    State(rest): State<Rest>,
    Extension(caller): Extension<Caller>,
    Path(channel): Path<String>,
    body: MessageBody,
) -> Answer {
    let channel = snowflake("channel_id", &channel)?;
    let sent = send(&rest, caller.bot_id, channel, body)?;
    Ok(Json(rest.world.read(|state| rest.shown_to(state, caller.bot_id, &sent))))
}

/// Messages in one list.
const MOST_LISTED: usize = 100;

/// `?limit=&before=&after=&around=`
#[derive(Debug, Deserialize)]
pub(crate) struct ListQuery {
    limit: Option<usize>,
    before: Option<u64>,
    after: Option<u64>,
    around: Option<u64>,
}

impl ListQuery {
    /// The messages asked for, newest first; `most` of them at once.
    pub(crate) fn pick<'a>(
        &self,
        state: &'a world::State,
        channel: u64,
        most: usize,
    ) -> Result<Vec<&'a Message>, ApiError> {
        let limit = self.limit.unwrap_or(50);
        if !(1..=most).contains(&limit) {
            let mut form = Form::default();
            let message = format!("int value should be between 1 and {most}.");
            form.wrong("limit", "NUMBER_TYPE_MAX", message);
            return Err(form.refusal());
        }
        let Some(all) = state.messages.get(&channel) else { return Ok(Vec::new()) };
        let mut found: Vec<&Message> = if let Some(around) = self.around {
            let half = limit / 2;
            let newer = all.range(around..).map(|(_, message)| message).take(half + 1);
            let older = all.range(..around).rev().map(|(_, message)| message).take(half);
            newer.chain(older).collect()
        } else if let Some(after) = self.after {
            all.range(after.saturating_add(1)..).map(|(_, message)| message).take(limit).collect()
        } else {
            let before = self.before.unwrap_or(u64::MAX);
            all.range(..before).rev().map(|(_, message)| message).take(limit).collect()
        };
        found.sort_by_key(|message| std::cmp::Reverse(message.id));
        found.truncate(limit);
        Ok(found)
    }
}

/// `GET /channels/{channel}/messages`: nothing without READ_MESSAGE_HISTORY.
pub(super) async fn list(
    State(rest): State<Rest>,
    Extension(caller): Extension<Caller>,
    Path(channel): Path<String>,
    Query(query): Query<ListQuery>,
) -> Answer {
    let channel = snowflake("channel_id", &channel)?;
    rest.world.read(|state| {
        visible(state, caller.bot_id, channel)?;
        let found = query.pick(state, channel, MOST_LISTED)?;
        if !state.may(caller.bot_id, channel, bits::READ_MESSAGE_HISTORY) {
            return Ok(Json(json!([])));
        }
        Ok(Json(found.into_iter().map(|one| rest.shown_to(state, caller.bot_id, one)).collect()))
    })
}

/// The channel and the message of a path.
fn place(channel: &str, message: &str) -> Result<(u64, u64), ApiError> {
    Ok((snowflake("channel_id", channel)?, snowflake("message_id", message)?))
}

/// The message, if the user may see its channel.
pub(super) fn found(
    state: &world::State,
    user: u64,
    (channel, message): (u64, u64),
) -> Result<&Message, ApiError> {
    visible(state, user, channel)?;
    let all = state.messages.get(&channel);
    all.and_then(|all| all.get(&message)).ok_or_else(ApiError::unknown_message)
}

/// `GET /channels/{channel}/messages/{message}`
pub(super) async fn read(
    State(rest): State<Rest>,
    Extension(caller): Extension<Caller>,
    Path((channel, message)): Path<(String, String)>,
) -> Answer {
    let place = place(&channel, &message)?;
    rest.world.read(|state| {
        let message = found(state, caller.bot_id, place)?;
        if !state.may(caller.bot_id, place.0, bits::READ_MESSAGE_HISTORY) {
            return Err(ApiError::missing_permissions());
        }
        Ok(Json(rest.shown_to(state, caller.bot_id, message)))
    })
}

/// `PATCH /channels/{channel}/messages/{message}`
pub(super) async fn edit(
    State(rest): State<Rest>,
    Extension(caller): Extension<Caller>,
    Path((channel, message)): Path<(String, String)>,
    body: MessageBody,
) -> Answer {
    let place = place(&channel, &message)?;
    let before = rest.world.read(|state| {
        let message = found(state, caller.bot_id, place)?;
        unless_archived(state, place.0)?;
        Ok::<_, ApiError>(message.clone())
    })?;
    let change = if before.author_id == caller.bot_id {
        if !message_kind::is_written(before.kind) {
            return Err(ApiError::system_message());
        }
        change(&rest, &before, body)?
    } else {
        rest.world.read(|state| moderation(state, caller.bot_id, &before, &body.json))?
    };
    let edited = rest.world.edit_message(place.0, place.1, change);
    let edited = edited.map_err(|_| ApiError::unknown_message())?;
    Ok(Json(rest.world.read(|state| rest.shown_to(state, caller.bot_id, &edited))))
}

/// What may change about the message of another: with MANAGE_MESSAGES, whether its embeds are
/// shown.
fn moderation(
    state: &world::State,
    user: u64,
    message: &Message,
    body: &Value,
) -> Result<MessageChange, ApiError> {
    let fields = body.as_object().ok_or_else(ApiError::not_json)?;
    let flags = body["flags"].as_u64();
    let Some(flags) = flags.filter(|_| fields.keys().all(|field| field == "flags")) else {
        return Err(ApiError::not_the_author());
    };
    if !state.may(user, message.channel_id, bits::MANAGE_MESSAGES) {
        return Err(ApiError::missing_permissions());
    }
    let flags = Some((message.flags & !SUPPRESS_EMBEDS) | (flags & SUPPRESS_EMBEDS));
    Ok(MessageChange { flags, first_answer: true, ..MessageChange::default() })
}

/// `DELETE /channels/{channel}/messages/{message}`
pub(super) async fn delete(
    State(rest): State<Rest>,
    Extension(caller): Extension<Caller>,
    Path((channel, message)): Path<(String, String)>,
) -> Result<StatusCode, ApiError> {
    let place = place(&channel, &message)?;
    rest.world.read(|state| {
        let message = found(state, caller.bot_id, place)?;
        unless_archived(state, place.0)?;
        if !is_deletable(message.kind) {
            return Err(ApiError::system_message());
        }
        if message.author_id == caller.bot_id {
            return Ok(());
        }
        if state.channels.get(&place.0).is_some_and(|channel| channel.guild_id.is_none()) {
            return Err(ApiError::direct_message());
        }
        let moderator = state.may(caller.bot_id, place.0, bits::MANAGE_MESSAGES);
        if moderator { Ok(()) } else { Err(ApiError::missing_permissions()) }
    })?;
    let deleted = rest.world.delete_message(place.0, place.1);
    deleted.map_err(|_| ApiError::unknown_message())?;
    Ok(StatusCode::NO_CONTENT)
}

/// "Message Types": what tells of a thread's people, name and beginning stays.
fn is_deletable(kind: u8) -> bool {
    use message_kind::{NAME_CHANGE, RECIPIENT_ADD, THREAD_STARTER};
    !matches!(kind, RECIPIENT_ADD | NAME_CHANGE | THREAD_STARTER)
}

/// `POST /channels/{channel}/messages/bulk-delete`: 2 to 100 messages, needs MANAGE_MESSAGES.
pub(super) async fn delete_many(
    State(rest): State<Rest>,
    Extension(caller): Extension<Caller>,
    Path(channel): Path<String>,
    JsonBody(body): JsonBody,
) -> Result<StatusCode, ApiError> {
    let channel = snowflake("channel_id", &channel)?;
    let Some(ids) = body.get("messages").and_then(Value::as_array) else {
        return Err(Form::missing("messages"));
    };
    if !(2..=100).contains(&ids.len()) {
        let why = "You can only bulk delete between 2 and 100 messages.";
        return Err(ApiError::new(StatusCode::BAD_REQUEST, 50_016, why));
    }
    let ids = ids.iter().map(|id| snowflake("messages", id.as_str().unwrap_or_default()));
    let ids = ids.collect::<Result<Vec<u64>, _>>()?;
    rest.world.read(|state| {
        let place = visible(state, caller.bot_id, channel)?;
        if place.guild_id.is_none() {
            return Err(ApiError::direct_message());
        }
        if !state.may(caller.bot_id, channel, bits::MANAGE_MESSAGES) {
            return Err(ApiError::missing_permissions());
        }
        unless_archived(state, channel)
    })?;
    let oldest = world::now_ms().saturating_sub(YOUNG_MS);
    if ids.iter().any(|id| snowflake_ms(*id) < oldest) {
        let why = "You can only bulk delete messages that are under 14 days old.";
        return Err(ApiError::new(StatusCode::BAD_REQUEST, 50_034, why));
    }
    // Discord does not complain about messages that are gone.
    rest.world.delete_messages(channel, &ids);
    Ok(StatusCode::NO_CONTENT)
}
