//! Threads and posts: how they are opened ("Start Thread from Message", "Start Thread without
//! Message", "Start Thread in Forum or Media Channel").

pub(super) mod archived;
pub(super) mod members;
mod post;

use axum::{
    Extension, Json,
    extract::{Path, State},
    http::StatusCode,
};
use serde_json::Value;

pub(super) use self::post::{Post, head_named, open_post, tags_of};
use super::{
    Rest,
    body::{JsonBody, MessageBody},
    channels::visible,
    error::{ApiError, Form},
    gate::Caller,
    snowflake,
};
use crate::world::{self, Channel, Thread, bits, kind, message_kind, thread::ARCHIVE_MINUTES};

/// Tags of a post.
const MOST_TAGS: usize = 5;

type Answer = Result<(StatusCode, Json<Value>), ApiError>;

/// `POST /channels/{channel}/threads`: a thread that starts with no message, or a post.
pub(super) async fn start(
    State(rest): State<Rest>,
    Extension(caller): Extension<Caller>,
    Path(channel): Path<String>,
    body: MessageBody,
) -> Answer {
    let parent = snowflake("channel_id", &channel)?;
    let (kind, forum) = rest.world.read(|state| {
        let place = visible(state, caller.bot_id, parent)?;
        Ok::<_, ApiError>((place.kind, place.is_forum()))
    })?;
    if forum {
        return post::start(&rest, caller, parent, body);
    }
    // Without a type Discord makes a private thread.
    let wanted = match body.json.get("type").and_then(Value::as_u64) {
        Some(10) => kind::ANNOUNCEMENT_THREAD,
        Some(11) => kind::PUBLIC_THREAD,
        None | Some(12) => kind::PRIVATE_THREAD,
        Some(_) => return Err(Form::not_among("type", "(10, 11, 12)")),
    };
    let of_announcements = wanted == kind::ANNOUNCEMENT_THREAD;
    if of_announcements != (kind == kind::ANNOUNCEMENT) {
        return Err(ApiError::wrong_channel_type());
    }
    open(&rest, caller, (parent, None), wanted, &body.json)
}

/// `POST /channels/{channel}/messages/{message}/threads`: a thread about a message; it has the
/// message's id.
pub(super) async fn start_from(
    State(rest): State<Rest>,
    Extension(caller): Extension<Caller>,
    Path((channel, message)): Path<(String, String)>,
    JsonBody(body): JsonBody,
) -> Answer {
    let parent = snowflake("channel_id", &channel)?;
    let message = snowflake("message_id", &message)?;
    let announcements = rest.world.read(|state| {
        let place = visible(state, caller.bot_id, parent)?;
        Ok::<_, ApiError>(place.kind == kind::ANNOUNCEMENT)
    })?;
    let wanted = if announcements { kind::ANNOUNCEMENT_THREAD } else { kind::PUBLIC_THREAD };
    open(&rest, caller, (parent, Some(message)), wanted, &body)
}

fn open(
    rest: &Rest,
    caller: Caller,
    (parent, message): (u64, Option<u64>),
    thread_kind: u8,
    body: &Value,
) -> Answer {
    let head = Head::read(body)?;
    rest.world.write(|state| {
        let place = visible(state, caller.bot_id, parent)?;
        if !matches!(place.kind, kind::TEXT | kind::ANNOUNCEMENT) {
            return Err(ApiError::wrong_channel_type());
        }
        let needed = match thread_kind {
            kind::PRIVATE_THREAD => bits::CREATE_PRIVATE_THREADS,
            _ => bits::CREATE_PUBLIC_THREADS,
        };
        if !state.may(caller.bot_id, parent, needed) {
            return Err(ApiError::missing_permissions());
        }
        let place = place.clone();
        if let Some(message) = message {
            may_open_on(state, parent, message)?;
        }
        let id = message.unwrap_or_else(|| state.next_id());
        let mut thread = head.thread(id, thread_kind, &place, caller.bot_id);
        thread.thread.invitable = body["invitable"].as_bool().unwrap_or(true);
        rest.world.open_thread(state, thread);
        let thread = state.channels.get(&id).ok_or_else(ApiError::unknown_channel)?;
        let object = state.channel_json(thread, Some(caller.bot_id));
        Ok((StatusCode::CREATED, Json(object)))
    })
}

/// One thread for a message, and none for Discord's own.
fn may_open_on(state: &world::State, channel: u64, message: u64) -> Result<(), ApiError> {
    let found = state.messages.get(&channel).and_then(|all| all.get(&message));
    let found = found.ok_or_else(ApiError::unknown_message)?;
    if state.channels.contains_key(&message) {
        let why = "A thread has already been created for this message";
        return Err(ApiError::new(StatusCode::BAD_REQUEST, 160_004, why));
    }
    if message_kind::is_written(found.kind) { Ok(()) } else { Err(ApiError::system_message()) }
}

/// What every body that opens a thread says.
struct Head {
    name: String,
    auto_archive_minutes: Option<u16>,
    slowmode_s: u16,
}

impl Head {
    fn read(body: &Value) -> Result<Self, ApiError> {
        let name = body.get("name").and_then(Value::as_str);
        let name = name.ok_or_else(|| Form::missing("name"))?;
        let mut form = Form::default();
        form.length("name", name, 1, 100);
        let auto_archive_minutes = archive_minutes(&mut form, body, "auto_archive_duration");
        form.finish()?;
        let slowmode = body["rate_limit_per_user"].as_u64().unwrap_or(0);
        let slowmode_s = u16::try_from(slowmode).unwrap_or(u16::MAX);
        Ok(Self { name: name.to_owned(), auto_archive_minutes, slowmode_s })
    }

    fn thread(&self, id: u64, kind: u8, parent: &Channel, owner: u64) -> Channel {
        let usual = parent.default_auto_archive.unwrap_or(Thread::default().auto_archive_minutes);
        let auto_archive_minutes = self.auto_archive_minutes.unwrap_or(usual);
        Channel {
            id,
            kind,
            guild_id: parent.guild_id,
            parent_id: Some(parent.id),
            name: self.name.clone(),
            owner_id: Some(owner),
            slowmode_s: self.slowmode_s,
            thread: Thread { auto_archive_minutes, ..Thread::default() },
            ..Channel::default()
        }
    }
}

/// Minutes until a thread is archived: one of four.
pub(super) fn archive_minutes(form: &mut Form, body: &Value, field: &str) -> Option<u16> {
    let value = body.get(field).filter(|value| !value.is_null())?;
    let minutes = value.as_u64().and_then(|minutes| u16::try_from(minutes).ok());
    let minutes = minutes.filter(|minutes| ARCHIVE_MINUTES.contains(minutes));
    if minutes.is_none() {
        form.choice(field, "(60, 1440, 4320, 10080)");
    }
    minutes
}

/// The tags of a post are its forum's, and those that only moderators give are given by one.
pub(super) fn check_tags(
    state: &world::State,
    user: u64,
    forum: &Channel,
    applied: &[u64],
) -> Result<(), ApiError> {
    if applied.len() > MOST_TAGS {
        let mut form = Form::default();
        let why = format!("Must be {MOST_TAGS} or fewer in length.");
        form.wrong("applied_tags", "BASE_TYPE_MAX_LENGTH", why);
        return Err(form.refusal());
    }
    if forum.flags & world::REQUIRE_TAG != 0 && applied.is_empty() {
        let why = "A tag is required to create a forum post in this channel";
        return Err(ApiError::new(StatusCode::BAD_REQUEST, 40_067, why));
    }
    for tag in applied {
        let found = forum.tags.iter().find(|known| known.id == *tag);
        let found = found.ok_or_else(|| ApiError::unknown(10_087, "Tag"))?;
        if found.moderated && !state.may(user, forum.id, bits::MANAGE_THREADS) {
            return Err(ApiError::missing_permissions());
        }
    }
    Ok(())
}
