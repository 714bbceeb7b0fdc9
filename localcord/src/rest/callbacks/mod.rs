//! Answers to interactions: the first one, followups, and changes to both.

use std::time::Instant;

use axum::{
    Json,
    extract::{Path, Query, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Rest,
    body::MessageBody,
    error::{ApiError, Form},
    interaction::{Interaction, Refused},
    messages::{
        change, drafted,
        form::{self as message_form, EPHEMERAL, LOADING},
    },
    snowflake,
};
use crate::world::{self, Message, MessageChange};

/// Interaction types.
const COMMAND: u8 = 2;
const COMPONENT: u8 = 3;
const AUTOCOMPLETE: u8 = 4;
const MODAL_SUBMIT: u8 = 5;
/// Message type of an answer to a slash command.
const COMMAND_ANSWER: u8 = 20;
/// Choices of an autocomplete answer.
const MOST_CHOICES: usize = 25;

/// Callback types ("Interaction Callback Type").
mod callback_type {
    pub(super) const PONG: u64 = 1;
    pub(super) const MESSAGE: u64 = 4;
    pub(super) const DEFERRED_MESSAGE: u64 = 5;
    pub(super) const DEFERRED_UPDATE: u64 = 6;
    pub(super) const UPDATE: u64 = 7;
    pub(super) const CHOICES: u64 = 8;
    pub(super) const MODAL: u64 = 9;
}

/// `?with_response=true`
#[derive(Debug, Deserialize)]
pub(super) struct CallbackQuery {
    #[serde(default, deserialize_with = "super::query::flag")]
    with_response: bool,
}

/// `POST /interactions/{id}/{token}/callback`
pub(super) async fn callback(
    State(rest): State<Rest>,
    Path((id, token)): Path<(String, String)>,
    Query(query): Query<CallbackQuery>,
    body: MessageBody,
) -> Result<Response, ApiError> {
    let id = snowflake("interaction_id", &id)?;
    let Some(kind) = body.json.get("type").and_then(Value::as_u64) else {
        return Err(Form::missing("type"));
    };
    let called = rest.interactions().find(&token).map(|one| one.kind);
    check_callback(called.ok_or_else(ApiError::unknown_interaction)?, kind, &body)?;
    let answered = rest.interactions().handle_answer(Instant::now(), id, &token).cloned();
    let interaction = answered.map_err(|refused| match refused {
        Refused::AlreadyAnswered => ApiError::already_acknowledged(),
        Refused::Unknown | Refused::TokenDied => ApiError::unknown_interaction(),
    })?;
    let given = body.json.clone();
    let message = carry_out(&rest, &interaction, kind, body);
    if let Ok(stored) =
        rest.interactions().followed(Instant::now(), interaction.application_id, &token)
    {
        stored.callback = Some(given);
        stored.original = message.as_ref().map(|message| message.id).or(stored.source);
        stored.ephemeral.extend(message.iter().filter(|one| is_ephemeral(one)).cloned());
        stored.settled = kind != callback_type::DEFERRED_MESSAGE;
    }
    rest.note_answer();
    if !query.with_response {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    Ok(Json(
        rest.world.read(|state| response_json(&rest, state, &interaction, kind, message.as_ref())),
    )
    .into_response())
}

/// A callback fits the kind of interaction, and what it carries is as it must be.
fn check_callback(called: u8, kind: u64, body: &MessageBody) -> Result<(), ApiError> {
    let fits = match kind {
        callback_type::MESSAGE | callback_type::DEFERRED_MESSAGE => called != AUTOCOMPLETE,
        callback_type::DEFERRED_UPDATE | callback_type::UPDATE => {
            matches!(called, COMPONENT | MODAL_SUBMIT)
        }
        callback_type::CHOICES => called == AUTOCOMPLETE,
        callback_type::MODAL => matches!(called, COMMAND | COMPONENT),
        // Answers a ping, which only HTTP endpoints get.
        callback_type::PONG => false,
        _ => return Err(Form::not_among("type", "(1, 4, 5, 6, 7, 8, 9)")),
    };
    if !fits {
        let mut form = Form::default();
        let why = "The callback type does not fit the interaction";
        form.wrong("type", "INTERACTION_CALLBACK_TYPE_INVALID", why);
        return Err(form.refusal());
    }
    let data = body.json.get("data").unwrap_or(&Value::Null);
    match kind {
        callback_type::MESSAGE => message_form::check_new(data, body.files.len()),
        callback_type::DEFERRED_MESSAGE => check_deferred(data),
        callback_type::UPDATE => message_form::check_changes(data, body.files.len(), false),
        callback_type::CHOICES => check_choices(data),
        callback_type::MODAL => check_modal(data),
        _ => Ok(()),
    }
}

/// A deferred answer can only say that it will be ephemeral.
fn check_deferred(data: &Value) -> Result<(), ApiError> {
    let mut form = Form::default();
    if message_form::flags(data) & !EPHEMERAL != 0 {
        let why = "Only the EPHEMERAL flag may be set here";
        form.wrong("data.flags", "MESSAGE_FLAGS_INVALID", why);
    }
    form.finish()
}

fn check_choices(data: &Value) -> Result<(), ApiError> {
    let choices = data.get("choices").and_then(Value::as_array);
    let choices = choices.ok_or_else(|| Form::missing("data.choices"))?;
    let mut form = Form::default();
    if choices.len() > MOST_CHOICES {
        let why = format!("Must be {MOST_CHOICES} or fewer in length.");
        form.wrong("data.choices", "BASE_TYPE_MAX_LENGTH", why);
    }
    for (index, choice) in choices.iter().enumerate() {
        let name = choice["name"].as_str().map_or(0, |name| name.chars().count());
        if !(1..=100).contains(&name) {
            let why = "Must be between 1 and 100 in length.";
            form.wrong(&format!("data.choices.{index}.name"), "BASE_TYPE_BAD_LENGTH", why);
        }
        if choice["value"].is_null() {
            let why = "This field is required";
            form.wrong(&format!("data.choices.{index}.value"), "BASE_TYPE_REQUIRED", why);
        }
    }
    form.finish()
}

fn check_modal(data: &Value) -> Result<(), ApiError> {
    let mut form = Form::default();
    for (field, most) in [("title", 45), ("custom_id", 100)] {
        let path = format!("data.{field}");
        match data.get(field).and_then(Value::as_str) {
            Some(text) => {
                form.length(&path, text, 1, most);
            }
            None => form.required(&path),
        }
    }
    match data.get("components").and_then(Value::as_array).map(Vec::len) {
        Some(1..=5) => {}
        Some(_) => form.wrong(
            "data.components",
            "BASE_TYPE_BAD_LENGTH",
            "Must be between 1 and 5 in length.",
        ),
        None => form.required("data.components"),
    }
    form.finish()
}

/// Does what the first answer asks for; the message that came of it.
fn carry_out(
    rest: &Rest,
    interaction: &Interaction,
    kind: u64,
    body: MessageBody,
) -> Option<Message> {
    let data = body.json.get("data").cloned().unwrap_or_else(|| json!({}));
    let body = MessageBody { json: data, files: body.files };
    match kind {
        callback_type::MESSAGE => Some(publish(rest, interaction, body)),
        callback_type::DEFERRED_MESSAGE => {
            let flags = message_form::flags(&body.json) & EPHEMERAL;
            let waiting = Message { flags: flags | LOADING, ..blank(rest, interaction) };
            Some(place(rest, waiting))
        }
        callback_type::UPDATE => {
            let source = (interaction.channel_id, interaction.source?);
            let message =
                rest.world.read(|state| state.messages.get(&source.0)?.get(&source.1).cloned())?;
            let change = change(rest, &message, body).ok()?;
            rest.world.edit_message(source.0, source.1, change).ok()
        }
        _ => None,
    }
}

/// A message of the application in the interaction's channel, with nothing in it yet.
fn blank(rest: &Rest, interaction: &Interaction) -> Message {
    let user = rest.world.read(|state| state.user_json(interaction.user_id));
    let kind = if interaction.kind == COMMAND { COMMAND_ANSWER } else { 0 };
    let owner = interaction.guild_id.unwrap_or(interaction.user_id).to_string();
    Message {
        channel_id: interaction.channel_id,
        author_id: interaction.bot_id,
        kind,
        application_id: Some(interaction.application_id),
        interaction: Some(json!({
            "id": interaction.id.to_string(),
            "type": interaction.kind,
            "name": interaction.command,
            "user": user,
            "authorizing_integration_owners": { "0": owner },
        })),
        ..Message::default()
    }
}

/// Sends what a checked body says.
fn publish(rest: &Rest, interaction: &Interaction, body: MessageBody) -> Message {
    let described = body.json.get("attachments");
    let attachments = rest.keep_files(interaction.channel_id, body.files, described);
    let blank = blank(rest, interaction);
    let draft = drafted(&body.json);
    let hidden = message_form::flags(&body.json) & EPHEMERAL;
    let message = Message {
        channel_id: blank.channel_id,
        author_id: blank.author_id,
        kind: blank.kind,
        application_id: blank.application_id,
        interaction: blank.interaction,
        attachments,
        flags: draft.flags | hidden,
        ..draft
    };
    place(rest, message)
}

/// Puts a message into its channel, or only gives it an id if nobody else is to see it.
fn place(rest: &Rest, message: Message) -> Message {
    if is_ephemeral(&message) {
        let id = rest.world.write(world::State::next_id);
        return Message { id, ..message };
    }
    rest.world.create_message(message)
}

fn is_ephemeral(message: &Message) -> bool {
    message.flags & EPHEMERAL != 0
}

fn response_json(
    rest: &Rest,
    state: &world::State,
    interaction: &Interaction,
    kind: u64,
    message: Option<&Message>,
) -> Value {
    let mut answer = json!({
        "interaction": {
            "id": interaction.id.to_string(),
            "type": interaction.kind,
        },
        "resource": { "type": kind },
    });
    if let Some(message) = message {
        answer["interaction"]["response_message_id"] = message.id.to_string().into();
        answer["interaction"]["response_message_loading"] = (message.flags & LOADING != 0).into();
        answer["interaction"]["response_message_ephemeral"] = is_ephemeral(message).into();
        answer["resource"]["message"] = rest.shown(state, message);
    }
    answer
}

/// The interaction that a webhook path belongs to.
fn followed(rest: &Rest, application: &str, token: &str) -> Result<Interaction, ApiError> {
    let application = snowflake("application_id", application)?;
    let mut interactions = rest.interactions();
    interactions.followed(Instant::now(), application, token).cloned().map_err(|refused| {
        match refused {
            Refused::TokenDied => ApiError::invalid_webhook_token(),
            Refused::Unknown | Refused::AlreadyAnswered => ApiError::unknown_webhook(),
        }
    })
}

/// The message of a webhook path: `@original` or an id.
fn target(rest: &Rest, interaction: &Interaction, message: &str) -> Result<Message, ApiError> {
    let id = if message == "@original" {
        interaction.original.ok_or_else(ApiError::unknown_message)?
    } else {
        snowflake("message_id", message)?
    };
    if let Some(hidden) = interaction.ephemeral.iter().find(|one| one.id == id) {
        return Ok(hidden.clone());
    }
    let found =
        rest.world.read(|state| state.messages.get(&interaction.channel_id)?.get(&id).cloned());
    let own = found.filter(|one| one.application_id == Some(interaction.application_id));
    own.ok_or_else(ApiError::unknown_message)
}

/// `POST /webhooks/{application}/{token}`: the first one after a deferred answer fills that in.
pub(super) async fn follow_up(
    State(rest): State<Rest>,
    Path((application, token)): Path<(String, String)>,
    body: MessageBody,
) -> Result<Json<Value>, ApiError> {
    let interaction = followed(&rest, &application, &token)?;
    message_form::check_new(&body.json, body.files.len())?;
    if let Ok(original) = target(&rest, &interaction, "@original")
        && original.flags & LOADING != 0
    {
        return apply(&rest, &interaction, &token, &original, body);
    }
    let message = publish(&rest, &interaction, body);
    if is_ephemeral(&message) {
        keep_hidden(&rest, &interaction, &token, message.clone());
    }
    rest.note_answer();
    Ok(Json(rest.world.read(|state| rest.shown(state, &message))))
}

/// `PATCH /webhooks/{application}/{token}/messages/{message}`
pub(super) async fn edit(
    State(rest): State<Rest>,
    Path((application, token, message)): Path<(String, String, String)>,
    body: MessageBody,
) -> Result<Json<Value>, ApiError> {
    let interaction = followed(&rest, &application, &token)?;
    let message = target(&rest, &interaction, &message)?;
    apply(&rest, &interaction, &token, &message, body)
}

/// Changes an answer; one that was deferred is there then.
fn apply(
    rest: &Rest,
    interaction: &Interaction,
    token: &str,
    message: &Message,
    body: MessageBody,
) -> Result<Json<Value>, ApiError> {
    let mut change = change(rest, message, body)?;
    if message.flags & LOADING != 0 {
        change.first_answer = true;
        change.flags = Some(change.flags.unwrap_or(message.flags) & !LOADING);
    }
    let edited = if is_ephemeral(message) {
        let edited = changed(message.clone(), change);
        keep_hidden(rest, interaction, token, edited.clone());
        edited
    } else {
        let edited = rest.world.edit_message(message.channel_id, message.id, change);
        edited.map_err(|_| ApiError::unknown_message())?
    };
    if interaction.original == Some(message.id)
        && let Ok(stored) =
            rest.interactions().followed(Instant::now(), interaction.application_id, token)
    {
        stored.settled = true;
    }
    rest.note_answer();
    Ok(Json(rest.world.read(|state| rest.shown(state, &edited))))
}

/// A message only its caller sees, changed; there is no event for it.
fn changed(message: Message, change: MessageChange) -> Message {
    Message {
        content: change.content.unwrap_or(message.content),
        embeds: change.embeds.unwrap_or(message.embeds),
        components: change.components.unwrap_or(message.components),
        attachments: change.attachments.unwrap_or(message.attachments),
        flags: change.flags.unwrap_or(message.flags),
        ..message
    }
}

/// Keeps a message only its caller sees, in place of an older version of it.
fn keep_hidden(rest: &Rest, interaction: &Interaction, token: &str, message: Message) {
    let mut all = rest.interactions();
    let stored = all.followed(Instant::now(), interaction.application_id, token);
    if let Ok(stored) = stored {
        stored.ephemeral.retain(|known| known.id != message.id);
        stored.ephemeral.push(message);
    }
}

/// `GET /webhooks/{application}/{token}/messages/{message}`
pub(super) async fn read(
    State(rest): State<Rest>,
    Path((application, token, message)): Path<(String, String, String)>,
) -> Result<Json<Value>, ApiError> {
    let interaction = followed(&rest, &application, &token)?;
    let message = target(&rest, &interaction, &message)?;
    Ok(Json(rest.world.read(|state| rest.shown(state, &message))))
}

/// `DELETE /webhooks/{application}/{token}/messages/{message}`
pub(super) async fn delete(
    State(rest): State<Rest>,
    Path((application, token, message)): Path<(String, String, String)>,
) -> Result<StatusCode, ApiError> {
    let interaction = followed(&rest, &application, &token)?;
    let message = target(&rest, &interaction, &message)?;
    if is_ephemeral(&message) {
        let mut all = rest.interactions();
        let stored = all.followed(Instant::now(), interaction.application_id, &token);
        if let Ok(stored) = stored {
            stored.ephemeral.retain(|known| known.id != message.id);
        }
    } else {
        let deleted = rest.world.delete_message(message.channel_id, message.id);
        deleted.map_err(|_| ApiError::unknown_message())?;
    }
    rest.note_answer();
    Ok(StatusCode::NO_CONTENT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callbacks_fit_their_interactions() {
        let body = |kind: u64, data: Value| MessageBody {
            json: json!({ "type": kind, "data": data }),
            files: Vec::new(),
        };
        let row = json!([{ "type": 1, "components": [] }]);
        let modal = json!({ "title": "t", "custom_id": "c", "components": row });
        let long = json!({ "title": "t".repeat(46), "custom_id": "c", "components": row });
        let cases = [
            (COMMAND, 4, json!({ "content": "hi" }), true),
            (COMMAND, 4, json!({}), false),
            (COMMAND, 4, Value::Null, false),
            (COMMAND, 5, Value::Null, true),
            (COMMAND, 6, Value::Null, false),
            (COMPONENT, 6, Value::Null, true),
            (COMMAND, 7, json!({ "content": "hi" }), false),
            (COMPONENT, 7, json!({ "content": "hi" }), true),
            (COMMAND, 8, json!({ "choices": [] }), false),
            (AUTOCOMPLETE, 8, json!({ "choices": [] }), true),
            (AUTOCOMPLETE, 8, json!({ "choices": vec![json!({}); 26] }), false),
            (AUTOCOMPLETE, 4, json!({ "content": "hi" }), false),
            (COMMAND, 9, modal.clone(), true),
            (COMMAND, 9, long, false),
            (MODAL_SUBMIT, 9, modal, false),
            (COMMAND, 2, Value::Null, false),
            (COMMAND, 99, Value::Null, false),
        ];
        for (called, kind, data, good) in cases {
            let body = body(kind, data);
            assert_eq!(check_callback(called, kind, &body).is_ok(), good, "{called} {}", body.json);
        }
    }
}
