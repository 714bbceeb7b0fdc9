//! Webhooks: made, changed and deleted ("Webhook Resource").
//!
//! The same paths serve the answers to interactions, whose first id is an application's: they are
//! handed on to `callbacks`.

mod execute;
mod messages;

use axum::{
    Extension, Json,
    extract::{Path, State},
    http::StatusCode,
};
use serde_json::Value;
use sha2::{Digest, Sha256};

pub(super) use self::{
    execute::execute,
    messages::{delete as delete_message, edit as edit_message, read as read_message},
};
use super::{
    Rest,
    body::JsonBody,
    channels::visible,
    error::{ApiError, Form},
    gate::Caller,
    guilds::joined,
    snowflake,
};
use crate::world::{self, Channel, Webhook, bits, kind};

/// Webhooks of a channel.
const MOST: usize = 15;

type Answer = Result<Json<Value>, ApiError>;

/// A name, which must not be taken for Discord's.
fn check_name(form: &mut Form, field: &str, name: &str) {
    form.length(field, name, 1, 80);
    for word in ["clyde", "discord"] {
        if name.to_lowercase().contains(word) {
            let why = format!("Username cannot contain \"{word}\"");
            form.wrong(field, "USERNAME_INVALID_CONTAINS", why);
        }
    }
}

/// The name in a body; it has to be there if `required`.
fn name_in(body: &Value, required: bool) -> Result<Option<String>, ApiError> {
    match body.get("name").and_then(Value::as_str).map(str::trim) {
        Some(name) => {
            let mut form = Form::default();
            check_name(&mut form, "name", name);
            form.finish()?;
            Ok(Some(name.to_owned()))
        }
        None if required => Err(Form::missing("name")),
        None => Ok(None),
    }
}

/// What stands for a picture: the same for the same data.
fn avatar_of(value: &Value) -> Option<String> {
    let digest = Sha256::digest(value.as_str()?.as_bytes());
    Some(digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect())
}

/// The channel of a path, if the caller may manage its webhooks.
fn managed(state: &world::State, caller: Caller, channel: u64) -> Result<&Channel, ApiError> {
    let channel = visible(state, caller.bot_id, channel)?;
    if channel.guild_id.is_none() || channel.is_thread() || channel.kind == kind::CATEGORY {
        return Err(ApiError::wrong_channel_type());
    }
    let may = state.may(caller.bot_id, channel.id, bits::MANAGE_WEBHOOKS);
    if may { Ok(channel) } else { Err(ApiError::missing_permissions()) }
}

/// `POST /channels/{channel}/webhooks`
pub(super) async fn create(
    State(rest): State<Rest>,
    Extension(caller): Extension<Caller>,
    Path(channel): Path<String>,
    JsonBody(body): JsonBody,
) -> Answer {
    let channel_id = snowflake("channel_id", &channel)?;
    let name = name_in(&body, true)?.unwrap_or_default();
    rest.world.write(|state| {
        let guild_id = managed(state, caller, channel_id)?.guild_id.unwrap_or_default();
        let there = state.webhooks.values().filter(|one| one.channel_id == channel_id).count();
        if there >= MOST {
            let why = "Maximum number of webhooks reached (15)";
            return Err(ApiError::new(StatusCode::BAD_REQUEST, 30_007, why));
        }
        let webhook = Webhook {
            id: state.next_id(),
            channel_id,
            guild_id,
            creator_id: caller.bot_id,
            application_id: state.application_of(caller.bot_id).map(|found| found.id),
            name,
            avatar: avatar_of(&body["avatar"]),
            token: format!("{:032x}{:032x}", rand::random::<u128>(), rand::random::<u128>()),
        };
        let object = webhook.to_json(state, true);
        state.webhooks.insert(webhook.id, webhook);
        rest.world.tell_webhooks(guild_id, channel_id);
        Ok(Json(object))
    })
}

/// `GET /channels/{channel}/webhooks`
pub(super) async fn list(
    State(rest): State<Rest>,
    Extension(caller): Extension<Caller>,
    Path(channel): Path<String>,
) -> Answer {
    let channel_id = snowflake("channel_id", &channel)?;
    rest.world.read(|state| {
        managed(state, caller, channel_id)?;
        let all = state.webhooks.values().filter(|one| one.channel_id == channel_id);
        Ok(Json(all.map(|one| one.to_json(state, true)).collect()))
    })
}

/// `GET /guilds/{guild}/webhooks`
pub(super) async fn list_of_guild(
    State(rest): State<Rest>,
    Extension(caller): Extension<Caller>,
    Path(guild): Path<String>,
) -> Answer {
    rest.world.read(|state| {
        let guild = joined(state, caller, &guild)?.id;
        if state.guild_permissions(guild, caller.bot_id) & bits::MANAGE_WEBHOOKS == 0 {
            return Err(ApiError::missing_permissions());
        }
        let all = state.webhooks.values().filter(|one| one.guild_id == guild);
        Ok(Json(all.map(|one| one.to_json(state, true)).collect()))
    })
}

/// The webhook of an id, if the caller may manage it.
fn managed_webhook(
    state: &world::State,
    caller: Caller,
    webhook: &str,
) -> Result<Webhook, ApiError> {
    let found = state.webhooks.get(&snowflake("webhook_id", webhook)?);
    let found = found.ok_or_else(ApiError::unknown_webhook)?;
    managed(state, caller, found.channel_id)?;
    Ok(found.clone())
}

/// The webhook of an id and its token.
fn with_token(state: &world::State, webhook: &str, token: &str) -> Result<Webhook, ApiError> {
    let found = state.webhooks.get(&snowflake("webhook_id", webhook)?);
    let found = found.ok_or_else(ApiError::unknown_webhook)?;
    if found.token == token { Ok(found.clone()) } else { Err(ApiError::invalid_webhook_token()) }
}

/// Whether the id of a path is a webhook's, not an application's.
fn is_webhook(rest: &Rest, id: &str) -> bool {
    rest.world.read(|state| id.parse().is_ok_and(|id: u64| state.webhooks.contains_key(&id)))
}

/// `GET /webhooks/{webhook}`
pub(super) async fn read(
    State(rest): State<Rest>,
    Extension(caller): Extension<Caller>,
    Path(webhook): Path<String>,
) -> Answer {
    rest.world
        .read(|state| Ok(Json(managed_webhook(state, caller, &webhook)?.to_json(state, true))))
}

/// `GET /webhooks/{webhook}/{token}`
pub(super) async fn read_with_token(
    State(rest): State<Rest>,
    Path((webhook, token)): Path<(String, String)>,
) -> Answer {
    rest.world.read(|state| Ok(Json(with_token(state, &webhook, &token)?.to_json(state, false))))
}

/// Changes the name and the picture, and the channel if that is given.
fn change(
    rest: &Rest,
    state: &mut world::State,
    webhook: Webhook,
    body: &Value,
    channel_id: Option<u64>,
) -> Result<Webhook, ApiError> {
    let name = name_in(body, false)?.unwrap_or_else(|| webhook.name.clone());
    let avatar = match body.get("avatar") {
        Some(avatar) => avatar_of(avatar),
        None => webhook.avatar.clone(),
    };
    let before = webhook.channel_id;
    let channel_id = channel_id.unwrap_or(before);
    let changed = Webhook { name, avatar, channel_id, ..webhook };
    state.webhooks.insert(changed.id, changed.clone());
    rest.world.tell_webhooks(changed.guild_id, channel_id);
    if before != channel_id {
        rest.world.tell_webhooks(changed.guild_id, before);
    }
    Ok(changed)
}

/// `PATCH /webhooks/{webhook}`
pub(super) async fn edit(
    State(rest): State<Rest>,
    Extension(caller): Extension<Caller>,
    Path(webhook): Path<String>,
    JsonBody(body): JsonBody,
) -> Answer {
    rest.world.write(|state| {
        let webhook = managed_webhook(state, caller, &webhook)?;
        let moved = body.get("channel_id").and_then(Value::as_str);
        let moved = moved.map(|id| snowflake("channel_id", id)).transpose()?;
        if let Some(channel) = moved
            && managed(state, caller, channel)?.guild_id != Some(webhook.guild_id)
        {
            return Err(ApiError::unknown_channel());
        }
        let changed = change(&rest, state, webhook, &body, moved)?;
        Ok(Json(changed.to_json(state, true)))
    })
}

/// `PATCH /webhooks/{webhook}/{token}`
pub(super) async fn edit_with_token(
    State(rest): State<Rest>,
    Path((webhook, token)): Path<(String, String)>,
    JsonBody(body): JsonBody,
) -> Answer {
    rest.world.write(|state| {
        let webhook = with_token(state, &webhook, &token)?;
        let changed = change(&rest, state, webhook, &body, None)?;
        Ok(Json(changed.to_json(state, false)))
    })
}

fn remove(rest: &Rest, state: &mut world::State, webhook: &Webhook) -> StatusCode {
    state.webhooks.remove(&webhook.id);
    rest.world.tell_webhooks(webhook.guild_id, webhook.channel_id);
    StatusCode::NO_CONTENT
}

/// `DELETE /webhooks/{webhook}`
pub(super) async fn delete(
    State(rest): State<Rest>,
    Extension(caller): Extension<Caller>,
    Path(webhook): Path<String>,
) -> Result<StatusCode, ApiError> {
    rest.world.write(|state| {
        let webhook = managed_webhook(state, caller, &webhook)?;
        Ok(remove(&rest, state, &webhook))
    })
}

/// `DELETE /webhooks/{webhook}/{token}`
pub(super) async fn delete_with_token(
    State(rest): State<Rest>,
    Path((webhook, token)): Path<(String, String)>,
) -> Result<StatusCode, ApiError> {
    rest.world.write(|state| {
        let webhook = with_token(state, &webhook, &token)?;
        Ok(remove(&rest, state, &webhook))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_not_discords() {
        for (name, good) in [
            ("bridge", true),
            ("x", true),
            ("", false),
            (&"x".repeat(81), false),
            ("My Discord Bot", false),
            ("CLYDE", false),
        ] {
            let mut form = Form::default();
            check_name(&mut form, "name", name);
            assert_eq!(form.finish().is_ok(), good, "{name}");
        }
        assert_eq!(avatar_of(&Value::Null), None);
        assert_eq!(avatar_of(&"x".into()).map(|hash| hash.len()), Some(32));
    }
}
