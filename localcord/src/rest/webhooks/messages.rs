//! A webhook's own messages, read, edited and deleted by its token; or those of an interaction.

use axum::{
    Json,
    extract::{Path, Query, State},
    http::StatusCode,
};
use serde::Deserialize;
use serde_json::Value;

use super::{execute::in_thread, is_webhook, with_token};
use crate::{
    rest::{
        Rest,
        body::MessageBody,
        callbacks,
        error::ApiError,
        messages::{change, unless_archived},
        snowflake,
    },
    world::Message,
};

type Named = Path<(String, String, String)>;

/// `?thread_id=`
#[derive(Debug, Deserialize)]
pub(in crate::rest) struct MessageQuery {
    thread_id: Option<String>,
}

/// The message of a path, if the webhook posted it.
fn own(
    rest: &Rest,
    (webhook, token, message): (&str, &str, &str),
    query: &MessageQuery,
) -> Result<Message, ApiError> {
    let thread = query.thread_id.as_deref().map(|id| snowflake("thread_id", id)).transpose()?;
    let id = snowflake("message_id", message)?;
    rest.world.read(|state| {
        let webhook = with_token(state, webhook, token)?;
        let channel = match thread {
            Some(thread) => in_thread(state, webhook.channel_id, thread)?,
            None => webhook.channel_id,
        };
        let found = state.messages.get(&channel).and_then(|all| all.get(&id));
        let found = found.filter(|one| one.sender.is_some() && one.author_id == webhook.id);
        found.cloned().ok_or_else(ApiError::unknown_message)
    })
}

/// `GET /webhooks/{webhook}/{token}/messages/{message}`
pub(in crate::rest) async fn read(
    State(rest): State<Rest>,
    Path((webhook, token, message)): Named,
    Query(query): Query<MessageQuery>,
) -> Result<Json<Value>, ApiError> {
    if !is_webhook(&rest, &webhook) {
        return callbacks::read(State(rest), Path((webhook, token, message))).await;
    }
    let message = own(&rest, (&webhook, &token, &message), &query)?;
    Ok(Json(rest.world.read(|state| rest.shown(state, &message))))
}

/// `PATCH /webhooks/{webhook}/{token}/messages/{message}`
pub(in crate::rest) async fn edit(
    State(rest): State<Rest>,
    Path((webhook, token, message)): Named,
    Query(query): Query<MessageQuery>,
    body: MessageBody,
) -> Result<Json<Value>, ApiError> {
    if !is_webhook(&rest, &webhook) {
        return callbacks::edit(State(rest), Path((webhook, token, message)), body).await;
    }
    let before = own(&rest, (&webhook, &token, &message), &query)?;
    rest.world.read(|state| unless_archived(state, before.channel_id))?;
    let change = change(&rest, &before, body)?;
    let edited = rest.world.edit_message(before.channel_id, before.id, change);
    let edited = edited.map_err(|_| ApiError::unknown_message())?;
    Ok(Json(rest.world.read(|state| rest.shown(state, &edited))))
}

/// `DELETE /webhooks/{webhook}/{token}/messages/{message}`
pub(in crate::rest) async fn delete(
    State(rest): State<Rest>,
    Path((webhook, token, message)): Named,
    Query(query): Query<MessageQuery>,
) -> Result<StatusCode, ApiError> {
    if !is_webhook(&rest, &webhook) {
        return callbacks::delete(State(rest), Path((webhook, token, message))).await;
    }
    let message = own(&rest, (&webhook, &token, &message), &query)?;
    rest.world.read(|state| unless_archived(state, message.channel_id))?;
    let deleted = rest.world.delete_message(message.channel_id, message.id);
    deleted.map_err(|_| ApiError::unknown_message())?;
    Ok(StatusCode::NO_CONTENT)
}
