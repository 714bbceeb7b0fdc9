//! What follows the first answer for fifteen minutes: more messages, and changes to all of them.

use std::time::Instant;

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use serde_json::Value;

use super::{
    super::{
        Rest,
        body::MessageBody,
        error::ApiError,
        interaction::{Exchange, Refused},
        messages::{
            change,
            form::{self as message_form, LOADING},
        },
        snowflake,
    },
    publish::{applied, is_ephemeral, publish},
};
use crate::world::Message;

/// The interaction that a webhook path belongs to.
fn followed(rest: &Rest, application: &str, token: &str) -> Result<Exchange, ApiError> {
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
fn target(rest: &Rest, exchange: &Exchange, message: &str) -> Result<Message, ApiError> {
    let id = if message == "@original" {
        exchange.original.ok_or_else(ApiError::unknown_message)?
    } else {
        snowflake("message_id", message)?
    };
    rest.message_of(&exchange.interaction, id).ok_or_else(ApiError::unknown_message)
}

/// `POST /webhooks/{application}/{token}`: the first one after a deferred answer fills that in.
pub(in crate::rest) async fn follow_up(
    State(rest): State<Rest>,
    Path((application, token)): Path<(String, String)>,
    body: MessageBody,
) -> Result<Json<Value>, ApiError> {
    let exchange = followed(&rest, &application, &token)?;
    let around = rest.around(exchange.interaction.bot_id, &body, &[]);
    message_form::check_new(&body.json, &around)?;
    if let Ok(original) = target(&rest, &exchange, "@original")
        && original.flags & LOADING != 0
    {
        return apply(&rest, &exchange, &token, &original, body);
    }
    let message = publish(&rest, &exchange.interaction, exchange.original, body);
    rest.note(&token, |exchange| exchange.followups.push(message.id));
    Ok(Json(rest.world.read(|state| rest.shown(state, &message))))
}

/// `PATCH /webhooks/{application}/{token}/messages/{message}`
pub(in crate::rest) async fn edit(
    State(rest): State<Rest>,
    Path((application, token, message)): Path<(String, String, String)>,
    body: MessageBody,
) -> Result<Json<Value>, ApiError> {
    let exchange = followed(&rest, &application, &token)?;
    let message = target(&rest, &exchange, &message)?;
    apply(&rest, &exchange, &token, &message, body)
}

/// Changes an answer; one that was deferred is there then.
fn apply(
    rest: &Rest,
    exchange: &Exchange,
    token: &str,
    message: &Message,
    body: MessageBody,
) -> Result<Json<Value>, ApiError> {
    let mut change = change(rest, message, body)?;
    if message.flags & LOADING != 0 {
        change.first_answer = true;
        change.flags = Some(change.flags.unwrap_or(message.flags) & !LOADING);
    }
    let edited = applied(rest, message, change)?;
    let is_original = exchange.original == Some(message.id);
    rest.note(token, |exchange| exchange.settled |= is_original);
    Ok(Json(rest.world.read(|state| rest.shown(state, &edited))))
}

/// `GET /webhooks/{application}/{token}/messages/{message}`
pub(in crate::rest) async fn read(
    State(rest): State<Rest>,
    Path((application, token, message)): Path<(String, String, String)>,
) -> Result<Json<Value>, ApiError> {
    let exchange = followed(&rest, &application, &token)?;
    let message = target(&rest, &exchange, &message)?;
    Ok(Json(rest.world.read(|state| rest.shown(state, &message))))
}

/// `DELETE /webhooks/{application}/{token}/messages/{message}`
pub(in crate::rest) async fn delete(
    State(rest): State<Rest>,
    Path((application, token, message)): Path<(String, String, String)>,
) -> Result<StatusCode, ApiError> {
    let exchange = followed(&rest, &application, &token)?;
    let message = target(&rest, &exchange, &message)?;
    let gone = if is_ephemeral(&message) {
        rest.ephemerals().remove(message.id)
    } else {
        rest.world.delete_message(message.channel_id, message.id).is_ok()
    };
    if !gone {
        return Err(ApiError::unknown_message());
    }
    rest.note(&token, |exchange| {
        exchange.followups.retain(|known| *known != message.id);
        if exchange.original == Some(message.id) {
            exchange.original = None;
            // Nobody waits for what was thrown away.
            exchange.settled = true;
        }
    });
    Ok(StatusCode::NO_CONTENT)
}
