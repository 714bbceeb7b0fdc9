//! Messages: send, read, list, edit, delete.

use axum::{
    Extension, Json,
    extract::{Path, Query, State},
    http::StatusCode,
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Rest,
    body::{JsonBody, MessageBody},
    channels::visible,
    error::{ApiError, Form},
    gate::Caller,
    message_form::{self, COMPONENTS_V2, SENDABLE},
    snowflake, voice_message,
};
use crate::world::{self, Message, MessageChange, bits, intents};

/// A reply.
const REPLY: u8 = 19;
/// Messages looked through for the same nonce.
const NONCE_WINDOW: usize = 100;

type Answer = Result<Json<Value>, ApiError>;

/// Sends a message as a user who wants to write in a channel, after all checks.
///
/// # Errors
/// The channel, the user's permissions or the message are not as they must be.
pub(crate) fn send(
    rest: &Rest,
    author: u64,
    channel: u64,
    body: MessageBody,
) -> Result<Message, ApiError> {
    message_form::check_new(&body.json, body.files.len())?;
    let names_files = body.json.pointer("/attachments/0/uploaded_filename").is_some();
    let reference = rest.world.read(|state| {
        may_write(state, author, channel, names_files || !body.files.is_empty())?;
        voice_message::may_send(state, author, channel, &body.json)?;
        find_reference(state, channel, &body.json)
    })?;
    if let Some(sent) = same_nonce(rest, author, channel, &body.json) {
        return Ok(sent);
    }
    let mut files = body.files;
    files.extend(rest.uploaded_files(author, channel, &body.json)?);
    voice_message::check(&body.json, &files)?;
    rest.forget_uploads(&body.json);
    let mut attachments = rest.keep_files(channel, files, body.json.get("attachments"));
    voice_message::describe(&mut attachments, &body.json);
    let kind = if reference.is_some() { REPLY } else { 0 };
    let message = Message {
        channel_id: channel,
        author_id: author,
        kind,
        attachments,
        reference,
        ..drafted(&body.json)
    };
    Ok(rest.world.create_message(message))
}

/// A message with what a checked body says.
pub(super) fn drafted(body: &Value) -> Message {
    Message {
        content: text(body, "content").unwrap_or_default(),
        flags: message_form::flags(body) & SENDABLE & !message_form::EPHEMERAL,
        tts: body.get("tts").and_then(Value::as_bool).unwrap_or(false),
        embeds: embeds(body).unwrap_or_default(),
        components: array(body, "components").unwrap_or_default(),
        nonce: body.get("nonce").filter(|nonce| !nonce.is_null()).cloned(),
        ..Message::default()
    }
}

fn text(body: &Value, field: &str) -> Option<String> {
    body.get(field).map(|value| value.as_str().unwrap_or_default().to_owned())
}

fn array(body: &Value, field: &str) -> Option<Vec<Value>> {
    body.get(field).map(|value| value.as_array().cloned().unwrap_or_default())
}

/// The embeds as the server shows them: those of bots are all `rich`.
fn embeds(body: &Value) -> Option<Vec<Value>> {
    let mut embeds = array(body, "embeds")?;
    for embed in &mut embeds {
        if embed.is_object() {
            embed["type"] = "rich".into();
        }
    }
    Some(embeds)
}

/// Whether a user may post to a channel, with files or without.
pub(super) fn may_write(
    state: &world::State,
    author: u64,
    channel: u64,
    files: bool,
) -> Result<(), ApiError> {
    let place = visible(state, author, channel)?;
    if !place.takes_messages() {
        return Err(ApiError::wrong_channel_type());
    }
    let mut needed = match place.is_thread() {
        true => bits::SEND_MESSAGES_IN_THREADS,
        false => bits::SEND_MESSAGES,
    };
    if files {
        needed |= bits::ATTACH_FILES;
    }
    if state.may(author, channel, needed) { Ok(()) } else { Err(ApiError::missing_permissions()) }
}

/// The `message_reference` as the message keeps it.
fn find_reference(
    state: &world::State,
    channel: u64,
    body: &Value,
) -> Result<Option<Value>, ApiError> {
    let Some(reference) = body.get("message_reference").filter(|value| value.is_object()) else {
        return Ok(None);
    };
    let id = reference.get("message_id").and_then(Value::as_str).unwrap_or_default();
    let id = snowflake("message_reference.message_id", id)?;
    if state.messages.get(&channel).is_some_and(|all| all.contains_key(&id)) {
        let guild = state.channels.get(&channel).and_then(|place| place.guild_id);
        let mut full = json!({
            "type": 0,
            "message_id": id.to_string(),
            "channel_id": channel.to_string(),
        });
        if let Some(guild) = guild {
            full["guild_id"] = guild.to_string().into();
        }
        return Ok(Some(full));
    }
    if reference.get("fail_if_not_exists").and_then(Value::as_bool) == Some(false) {
        return Ok(None);
    }
    let mut form = Form::default();
    form.wrong("message_reference", "REPLIES_UNKNOWN_MESSAGE", "Unknown message");
    Err(form.refusal())
}

/// With `enforce_nonce` a message that was sent already is given back instead of sent twice.
fn same_nonce(rest: &Rest, author: u64, channel: u64, body: &Value) -> Option<Message> {
    let enforced = body.get("enforce_nonce").and_then(Value::as_bool).unwrap_or(false);
    let nonce = body.get("nonce").filter(|nonce| enforced && !nonce.is_null())?;
    rest.world.read(|state| {
        let recent = state.messages.get(&channel)?.values().rev().take(NONCE_WINDOW);
        let mut same = recent.filter(|one| one.author_id == author);
        same.find(|one| one.nonce.as_ref() == Some(nonce)).cloned()
    })
}

impl Rest {
    /// The message as REST shows it: with its reactions and the message it replies to.
    pub(crate) fn shown(&self, state: &world::State, message: &Message) -> Value {
        let mut object = state.message_json(message);
        let reactions = self.reactions().of(message.id, None);
        if !reactions.is_null() {
            object["reactions"] = reactions;
        }
        if message.kind == REPLY {
            let id = message.reference.as_ref().and_then(|one| one["message_id"].as_str());
            let replied = id
                .and_then(|id| id.parse().ok())
                .and_then(|id: u64| state.messages.get(&message.channel_id)?.get(&id));
            object["referenced_message"] =
                replied.map_or(Value::Null, |replied| state.message_json(replied));
        }
        object
    }

    /// The message as a bot sees it: contents of others need the MESSAGE_CONTENT intent.
    fn shown_to(&self, state: &world::State, caller: Caller, message: &Message) -> Value {
        let mut object = self.shown(state, message);
        let channel = state.channels.get(&message.channel_id);
        let in_guild = channel.is_some_and(|channel| channel.guild_id.is_some());
        let allowed = state
            .applications
            .get(&caller.application_id)
            .is_some_and(|app| app.privileged_intents & intents::MESSAGE_CONTENT != 0);
        let me = caller.bot_id.to_string();
        let mentions = object["mentions"].as_array();
        let mentioned = mentions.is_some_and(|all| all.iter().any(|user| user["id"] == me));
        if in_guild && !allowed && message.author_id != caller.bot_id && !mentioned {
            object["content"] = "".into();
            for field in ["embeds", "components", "attachments"] {
                object[field] = json!([]);
            }
        }
        object
    }
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
    Ok(Json(rest.world.read(|state| rest.shown(state, &sent))))
}

/// `?limit=&before=&after=&around=`
#[derive(Debug, Deserialize)]
pub(crate) struct ListQuery {
    limit: Option<usize>,
    before: Option<u64>,
    after: Option<u64>,
    around: Option<u64>,
}

impl ListQuery {
    /// The messages asked for, newest first.
    pub(crate) fn pick<'a>(
        &self,
        state: &'a world::State,
        channel: u64,
    ) -> Result<Vec<&'a Message>, ApiError> {
        let limit = self.limit.unwrap_or(50);
        if !(1..=100).contains(&limit) {
            let mut form = Form::default();
            let message = "int value should be between 1 and 100.";
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
        let found = query.pick(state, channel)?;
        if !state.may(caller.bot_id, channel, bits::READ_MESSAGE_HISTORY) {
            return Ok(Json(json!([])));
        }
        Ok(Json(found.into_iter().map(|one| rest.shown_to(state, caller, one)).collect()))
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
        Ok(Json(rest.shown_to(state, caller, message)))
    })
}

/// What a checked body changes about a message.
///
/// # Errors
/// The body is not as it must be, or nothing would be left of the message.
pub(super) fn change(
    rest: &Rest,
    message: &Message,
    body: MessageBody,
) -> Result<MessageChange, ApiError> {
    voice_message::may_edit(message.flags)?;
    let was_v2 = message.flags & COMPONENTS_V2 != 0;
    message_form::check_changes(&body.json, body.files.len(), was_v2)?;
    let attachments = changed_attachments(rest, message, &body);
    let settable = message_form::flags(&body.json) & SENDABLE;
    let flags = body.json.get("flags").is_some_and(Value::is_u64).then_some(
        // Neither can be taken away, and who sees the message cannot be changed.
        (settable & !message_form::EPHEMERAL)
            | (message.flags & (COMPONENTS_V2 | message_form::EPHEMERAL)),
    );
    let change = MessageChange {
        content: text(&body.json, "content"),
        embeds: embeds(&body.json),
        components: array(&body.json, "components"),
        attachments,
        flags,
        first_answer: false,
    };
    if leaves_nothing(message, &change) {
        return Err(ApiError::empty_message());
    }
    Ok(change)
}

/// Files that come are added; a list of attachments names those that stay.
fn changed_attachments(rest: &Rest, message: &Message, body: &MessageBody) -> Option<Vec<Value>> {
    let listed = body.json.get("attachments").and_then(Value::as_array);
    if listed.is_none() && body.files.is_empty() {
        return None;
    }
    let stays =
        |old: &&Value| listed.is_none_or(|all| all.iter().any(|one| one["id"] == old["id"]));
    let mut all: Vec<Value> = message.attachments.iter().filter(stays).cloned().collect();
    let described = body.json.get("attachments");
    all.extend(rest.keep_files(message.channel_id, body.files.clone(), described));
    Some(all)
}

fn leaves_nothing(message: &Message, change: &MessageChange) -> bool {
    let empty =
        |changed: &Option<Vec<Value>>, old: &[Value]| changed.as_deref().unwrap_or(old).is_empty();
    change.content.as_deref().unwrap_or(&message.content).trim().is_empty()
        && empty(&change.embeds, &message.embeds)
        && empty(&change.components, &message.components)
        && empty(&change.attachments, &message.attachments)
}

/// `PATCH /channels/{channel}/messages/{message}`
pub(super) async fn edit(
    State(rest): State<Rest>,
    Extension(caller): Extension<Caller>,
    Path((channel, message)): Path<(String, String)>,
    body: MessageBody,
) -> Answer {
    let place = place(&channel, &message)?;
    let before = rest.world.read(|state| found(state, caller.bot_id, place).cloned())?;
    if before.author_id != caller.bot_id {
        return Err(ApiError::not_the_author());
    }
    let change = change(&rest, &before, body)?;
    let edited = rest.world.edit_message(place.0, place.1, change);
    let edited = edited.map_err(|_| ApiError::unknown_message())?;
    Ok(Json(rest.world.read(|state| rest.shown(state, &edited))))
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
        if message.author_id == caller.bot_id {
            return Ok(());
        }
        if state.channels.get(&place.0).is_some_and(|channel| channel.guild_id.is_none()) {
            let why = "Cannot execute action on a DM channel";
            return Err(ApiError::new(StatusCode::FORBIDDEN, 50_003, why));
        }
        let moderator = state.may(caller.bot_id, place.0, bits::MANAGE_MESSAGES);
        if moderator { Ok(()) } else { Err(ApiError::missing_permissions()) }
    })?;
    let deleted = rest.world.delete_message(place.0, place.1);
    deleted.map_err(|_| ApiError::unknown_message())?;
    Ok(StatusCode::NO_CONTENT)
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
    rest.world.read(|state| {
        visible(state, caller.bot_id, channel)?;
        let moderator = state.may(caller.bot_id, channel, bits::MANAGE_MESSAGES);
        if moderator { Ok(()) } else { Err(ApiError::missing_permissions()) }
    })?;
    for id in ids.iter().filter_map(Value::as_str) {
        // Discord does not complain about messages that are gone.
        let _ = rest.world.delete_message(channel, snowflake("messages", id)?);
    }
    Ok(StatusCode::NO_CONTENT)
}
