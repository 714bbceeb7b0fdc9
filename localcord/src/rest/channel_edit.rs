//! `PATCH /channels/{channel}`: what changes about channels and threads, and who may change it.
//!
//! Source: Discord, "Modify Channel" and "Threads", sections on archived and locked threads.

use axum::{
    Extension, Json,
    extract::{Path, State},
};
use serde_json::Value;

use super::{
    Rest,
    body::JsonBody,
    channels::visible,
    error::{ApiError, Form},
    gate::Caller,
    snowflake,
    threads::{archive_minutes, check_tags},
};
use crate::world::{self, Channel, ChannelChange, ForumTag, REQUIRE_TAG, bits};

/// Channel flag of a post: it stays on top of its forum.
const PINNED: u64 = 1 << 1;
/// The longest slowmode, seconds.
const MOST_SLOWMODE_S: u64 = 21_600;
/// Tags of a forum.
const MOST_TAGS: usize = 20;

/// `PATCH /channels/{channel}`
pub(super) async fn edit(
    State(rest): State<Rest>,
    Extension(caller): Extension<Caller>,
    Path(channel): Path<String>,
    JsonBody(body): JsonBody,
) -> Result<Json<Value>, ApiError> {
    let id = snowflake("channel_id", &channel)?;
    if !body.is_object() {
        return Err(ApiError::not_json());
    }
    rest.world.write(|state| {
        let channel = visible(state, caller.bot_id, id)?.clone();
        if channel.guild_id.is_none() {
            return Err(ApiError::direct_message());
        }
        let change = if channel.is_thread() {
            let change = thread_change(state, &channel, &body)?;
            may_change_thread(state, caller.bot_id, &channel, &change)?;
            check_applied(state, caller.bot_id, &channel, &change)?;
            change
        } else {
            if !state.may(caller.bot_id, id, bits::MANAGE_CHANNELS) {
                return Err(ApiError::missing_permissions());
            }
            channel_change(state, &channel, &body)?
        };
        rest.world.change_channel(state, id, caller.bot_id, change);
        let channel = state.channels.get(&id).ok_or_else(ApiError::unknown_channel)?;
        Ok(Json(state.channel_json(channel, Some(caller.bot_id))))
    })
}

/// What a body changes about a channel of a guild.
pub(crate) fn channel_change(
    state: &mut world::State,
    channel: &Channel,
    body: &Value,
) -> Result<ChannelChange, ApiError> {
    let mut form = Form::default();
    let mut change = ChannelChange {
        name: name(&mut form, body),
        nsfw: body["nsfw"].as_bool(),
        slowmode_s: slowmode(&mut form, body),
        default_auto_archive: archive_minutes(&mut form, body, "default_auto_archive_duration"),
        ..ChannelChange::default()
    };
    match body.get("topic") {
        Some(Value::Null) => change.topic = Some(None),
        Some(Value::String(topic)) => {
            let most = if channel.is_forum() { 4096 } else { 1024 };
            form.length("topic", topic, 0, most);
            change.topic = Some(Some(topic.clone()));
        }
        _ => {}
    }
    if channel.is_forum() {
        change.flags = body["flags"].as_u64().map(|flags| flags & REQUIRE_TAG);
        change.tags = tags(&mut form, state, body);
    }
    form.finish()?;
    Ok(change)
}

fn name(form: &mut Form, body: &Value) -> Option<String> {
    let name = body.get("name")?.as_str()?;
    form.length("name", name, 1, 100);
    Some(name.to_owned())
}

fn slowmode(form: &mut Form, body: &Value) -> Option<u16> {
    let seconds = body.get("rate_limit_per_user")?;
    let seconds = if seconds.is_null() { 0 } else { seconds.as_u64().unwrap_or(u64::MAX) };
    if seconds > MOST_SLOWMODE_S {
        let why = format!("int value should be less than or equal to {MOST_SLOWMODE_S}.");
        form.wrong("rate_limit_per_user", "NUMBER_TYPE_MAX", why);
    }
    u16::try_from(seconds).ok()
}

/// The tags of a forum; those without an id are new.
fn tags(form: &mut Form, state: &mut world::State, body: &Value) -> Option<Vec<ForumTag>> {
    let listed = body.get("available_tags")?.as_array()?;
    if listed.len() > MOST_TAGS {
        let why = format!("Must be {MOST_TAGS} or fewer in length.");
        form.wrong("available_tags", "BASE_TYPE_MAX_LENGTH", why);
        return None;
    }
    let mut tags: Vec<ForumTag> = Vec::new();
    for (at, tag) in listed.iter().enumerate() {
        let path = format!("available_tags.{at}.name");
        let name = tag["name"].as_str().unwrap_or_default();
        form.length(&path, name, 1, 50);
        if tags.iter().any(|known| known.name == name) {
            form.wrong(&path, "TAG_NAMES_MUST_BE_UNIQUE", "Tag names must be unique");
        }
        let id = tag["id"].as_str().and_then(|id| id.parse().ok());
        let id = id.unwrap_or_else(|| state.next_id());
        let moderated = tag["moderated"].as_bool().unwrap_or(false);
        tags.push(ForumTag { id, name: name.to_owned(), moderated });
    }
    Some(tags)
}

/// What a body changes about a thread.
fn thread_change(
    state: &world::State,
    thread: &Channel,
    body: &Value,
) -> Result<ChannelChange, ApiError> {
    let mut form = Form::default();
    let parent = thread.parent_id.and_then(|parent| state.channels.get(&parent));
    let post = parent.is_some_and(Channel::is_forum);
    let change = ChannelChange {
        name: name(&mut form, body),
        slowmode_s: slowmode(&mut form, body),
        auto_archive_minutes: archive_minutes(&mut form, body, "auto_archive_duration"),
        archived: body["archived"].as_bool(),
        locked: body["locked"].as_bool(),
        invitable: body["invitable"].as_bool(),
        flags: body["flags"].as_u64().filter(|_| post).map(|flags| flags & PINNED),
        applied_tags: applied(body).filter(|_| post),
        ..ChannelChange::default()
    };
    form.finish()?;
    Ok(change)
}

fn applied(body: &Value) -> Option<Vec<u64>> {
    let ids = body.get("applied_tags")?.as_array()?;
    // One that is no id is unknown.
    Some(ids.iter().map(|id| id.as_str().and_then(|id| id.parse().ok()).unwrap_or(0)).collect())
}

/// The tags are the forum's, and those that only moderators give are given by one.
fn check_applied(
    state: &world::State,
    user: u64,
    thread: &Channel,
    change: &ChannelChange,
) -> Result<(), ApiError> {
    let Some(applied) = &change.applied_tags else { return Ok(()) };
    let parent = thread.parent_id.and_then(|parent| state.channels.get(&parent));
    let parent = parent.ok_or_else(ApiError::unknown_channel)?;
    check_tags(state, user, parent, applied)
}

/// The owner of a thread may do much with it, somebody who may write in it may open it again, the
/// rest takes MANAGE_THREADS.
fn may_change_thread(
    state: &world::State,
    user: u64,
    thread: &Channel,
    change: &ChannelChange,
) -> Result<(), ApiError> {
    if thread.thread.archived && change.archived != Some(false) {
        return Err(ApiError::archived_thread());
    }
    if state.may(user, thread.id, bits::MANAGE_THREADS) {
        return Ok(());
    }
    let reopens = ChannelChange { archived: Some(false), ..ChannelChange::default() };
    let writes = state.may(user, thread.id, bits::SEND_MESSAGES_IN_THREADS);
    if *change == reopens && !thread.thread.locked && writes {
        return Ok(());
    }
    let of_moderators = change.locked.is_some()
        || change.slowmode_s.is_some()
        || change.flags.is_some()
        || (thread.thread.locked && change.archived.is_some());
    if thread.owner_id == Some(user) && !of_moderators {
        return Ok(());
    }
    Err(ApiError::missing_permissions())
}
