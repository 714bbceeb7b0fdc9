//! `POST /webhooks/{webhook}/{token}`: a message under the webhook's name or another one ("Execute
//! Webhook").

use axum::{
    Json,
    extract::{Path, Query, State},
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use serde::Deserialize;
use serde_json::Value;

use super::{avatar_of, check_name, is_webhook, with_token};
use crate::{
    rest::{
        Rest,
        body::MessageBody,
        callbacks,
        error::{ApiError, Form},
        messages::{drafted, form},
        query, snowflake,
        threads::{Post, head_named, open_post, tags_of},
    },
    world::{self, Message, Sender, Webhook},
};

/// `?wait=&thread_id=&with_components=`
#[derive(Debug, Deserialize)]
pub(in crate::rest) struct ExecuteQuery {
    #[serde(default, deserialize_with = "query::flag")]
    wait: bool,
    thread_id: Option<String>,
    #[serde(default, deserialize_with = "query::flag")]
    with_components: bool,
}

/// A webhook's message, or a follow-up to an interaction.
pub(in crate::rest) async fn execute(
    State(rest): State<Rest>,
    Path((webhook, token)): Path<(String, String)>,
    Query(query): Query<ExecuteQuery>,
    body: MessageBody,
) -> Result<Response, ApiError> {
    if !is_webhook(&rest, &webhook) {
        let path = Path((webhook, token));
        return Ok(callbacks::follow_up(State(rest), path, body).await?.into_response());
    }
    let webhook = rest.world.read(|state| with_token(state, &webhook, &token))?;
    let body = with_components(&webhook, query.with_components, body)?;
    form::check_new(&body.json, &rest.around(webhook.id, &body, &[]))?;
    let sender = sender(&webhook, &body.json)?;
    let thread = query.thread_id.as_deref().map(|id| snowflake("thread_id", id)).transpose()?;
    let message = match target(&rest, &webhook, thread, &body.json)? {
        Target::Channel(channel) => {
            let attachments = rest.keep_files(channel, body.files, body.json.get("attachments"));
            rest.world.create_message(Message {
                channel_id: channel,
                author_id: webhook.id,
                sender: Some(sender),
                application_id: webhook.application_id,
                ..drafted(&body.json, attachments)
            })
        }
        Target::NewPost => {
            let post = Post {
                forum: webhook.channel_id,
                author: webhook.id,
                sender: Some(sender),
                application_id: webhook.application_id,
                tags: tags_of(&body.json)?,
                body,
            };
            let head = head_named(&post.body.json["thread_name"]);
            open_post(&rest, &head, post)?
        }
    };
    if !query.wait {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    Ok(Json(rest.world.read(|state| rest.shown(state, &message))).into_response())
}

/// The body without the components that the webhook cannot send: none of a human's webhook unless
/// they are asked for, and never those that somebody could use.
fn with_components(
    webhook: &Webhook,
    wanted: bool,
    mut body: MessageBody,
) -> Result<MessageBody, ApiError> {
    if webhook.application_id.is_some() {
        return Ok(body);
    }
    let Some(listed) = body.json.get("components").and_then(Value::as_array) else {
        return Ok(body);
    };
    if !wanted {
        body.json["components"] = Value::Null;
        return Ok(body);
    }
    let mut form = Form::default();
    for (at, component) in listed.iter().enumerate() {
        if is_interactive(component) {
            let why = "The specified component type is invalid in this context";
            form.wrong(&format!("components.{at}"), "COMPONENT_TYPE_INVALID", why);
        }
    }
    form.finish()?;
    Ok(body)
}

/// Something in it has a `custom_id`.
fn is_interactive(component: &Value) -> bool {
    !component["custom_id"].is_null() || world::component::inner(component).any(is_interactive)
}

/// The name and the picture of a message.
fn sender(webhook: &Webhook, body: &Value) -> Result<Sender, ApiError> {
    let mut form = Form::default();
    let name = body.get("username").and_then(Value::as_str).map(str::trim);
    if let Some(name) = name {
        check_name(&mut form, "username", name);
    }
    form.finish()?;
    let avatar = avatar_of(&body["avatar_url"]).or_else(|| webhook.avatar.clone());
    Ok(Sender { name: name.unwrap_or(&webhook.name).to_owned(), avatar })
}

enum Target {
    Channel(u64),
    NewPost,
}

fn target(
    rest: &Rest,
    webhook: &Webhook,
    thread: Option<u64>,
    body: &Value,
) -> Result<Target, ApiError> {
    let refused = |code, why: &str| Err(ApiError::new(StatusCode::BAD_REQUEST, code, why));
    let names_thread = body.get("thread_name").is_some_and(|name| !name.is_null());
    rest.world.read(|state| {
        let channel = state.channels.get(&webhook.channel_id);
        let channel = channel.ok_or_else(ApiError::unknown_channel)?;
        match (channel.is_forum(), thread, names_thread) {
            (_, Some(_), true) => refused(
                220_002,
                "Webhooks posted to forum channels cannot have both a thread_name and thread_id",
            ),
            (_, Some(thread), false) => {
                in_thread(state, webhook.channel_id, thread).map(Target::Channel)
            }
            (true, None, false) => refused(
                220_001,
                "Webhooks posted to forum channels must have a thread_name or thread_id",
            ),
            (false, None, true) => {
                refused(220_003, "Webhooks can only create threads in forum channels")
            }
            (true, None, true) => Ok(Target::NewPost),
            (false, None, false) => Ok(Target::Channel(channel.id)),
        }
    })
}

/// A thread of the webhook's channel.
pub(super) fn in_thread(state: &world::State, channel: u64, thread: u64) -> Result<u64, ApiError> {
    let found = state.channels.get(&thread);
    let found = found.filter(|one| one.is_thread() && one.parent_id == Some(channel));
    found.map(|one| one.id).ok_or_else(ApiError::unknown_channel)
}
