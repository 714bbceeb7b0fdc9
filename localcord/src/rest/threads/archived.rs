//! Lists of threads: the archived ones of a channel, the active ones of a guild.

use axum::{
    Extension, Json,
    extract::{Path, Query, State},
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    rest::{
        Rest,
        channels::visible,
        error::{ApiError, Form},
        gate::Caller,
        guilds::joined,
        snowflake,
    },
    world::{self, Channel, bits, kind, snowflake_ms, thread_member_json},
};

type Answer = Result<Json<Value>, ApiError>;

/// `?before=&limit=`
#[derive(Debug, Deserialize)]
pub(in crate::rest) struct ArchivedQuery {
    before: Option<String>,
    limit: Option<usize>,
}

/// `GET /guilds/{guild}/threads/active`
pub(in crate::rest) async fn active(
    State(rest): State<Rest>,
    Extension(caller): Extension<Caller>,
    Path(guild): Path<String>,
) -> Answer {
    rest.world.read(|state| {
        let guild = joined(state, caller, &guild)?;
        let threads = state
            .channels_in(guild.id)
            .filter(|channel| channel.is_thread() && !channel.thread.archived)
            .filter(|thread| state.may(caller.bot_id, thread.id, bits::VIEW_CHANNEL));
        let mut list = listed(state, caller.bot_id, &threads.collect::<Vec<_>>());
        list["has_more"] = false.into();
        Ok(Json(list))
    })
}

/// `GET /channels/{channel}/threads/archived/public`
pub(in crate::rest) async fn public(
    State(rest): State<Rest>,
    Extension(caller): Extension<Caller>,
    Path(channel): Path<String>,
    Query(query): Query<ArchivedQuery>,
) -> Answer {
    let wanted = |thread: &Channel| thread.kind != kind::PRIVATE_THREAD;
    archived(&rest, caller, &channel, &query, 0, wanted)
}

/// `GET /channels/{channel}/threads/archived/private`: needs MANAGE_THREADS.
pub(in crate::rest) async fn private(
    State(rest): State<Rest>,
    Extension(caller): Extension<Caller>,
    Path(channel): Path<String>,
    Query(query): Query<ArchivedQuery>,
) -> Answer {
    let wanted = |thread: &Channel| thread.kind == kind::PRIVATE_THREAD;
    archived(&rest, caller, &channel, &query, bits::MANAGE_THREADS, wanted)
}

/// `GET /channels/{channel}/users/@me/threads/archived/private`
pub(in crate::rest) async fn own_private(
    State(rest): State<Rest>,
    Extension(caller): Extension<Caller>,
    Path(channel): Path<String>,
    Query(query): Query<ArchivedQuery>,
) -> Answer {
    let wanted = |thread: &Channel| {
        thread.kind == kind::PRIVATE_THREAD && thread.thread.members.contains_key(&caller.bot_id)
    };
    archived(&rest, caller, &channel, &query, 0, wanted)
}

/// The threads of a channel that are archived, the latest first.
fn archived(
    rest: &Rest,
    caller: Caller,
    channel: &str,
    query: &ArchivedQuery,
    needed: u64,
    wanted: impl Fn(&Channel) -> bool,
) -> Answer {
    let id = snowflake("channel_id", channel)?;
    let limit = query.limit.unwrap_or(50);
    let before = query.before.as_deref().map(at_ms).transpose()?.unwrap_or(u64::MAX);
    if !(1..=100).contains(&limit) {
        let mut form = Form::default();
        form.wrong("limit", "NUMBER_TYPE_MAX", "int value should be between 1 and 100.");
        return Err(form.refusal());
    }
    rest.world.read(|state| {
        let place = visible(state, caller.bot_id, id)?;
        if !state.may(caller.bot_id, id, bits::READ_MESSAGE_HISTORY | needed) {
            return Err(ApiError::missing_permissions());
        }
        let guild = place.guild_id.ok_or_else(ApiError::wrong_channel_type)?;
        let changed = |one: &Channel| one.thread.archive_changed_ms.unwrap_or(snowflake_ms(one.id));
        let mut found: Vec<&Channel> = state
            .channels_in(guild)
            .filter(|one| one.is_thread() && one.parent_id == Some(id) && one.thread.archived)
            .filter(|one| wanted(one) && changed(one) < before)
            .collect();
        found.sort_by_key(|one| std::cmp::Reverse((changed(one), one.id)));
        let more = found.len() > limit;
        found.truncate(limit);
        let mut list = listed(state, caller.bot_id, &found);
        list["has_more"] = more.into();
        Ok(Json(list))
    })
}

fn listed(state: &world::State, user: u64, threads: &[&Channel]) -> Value {
    let members: Value =
        threads.iter().filter_map(|thread| thread_member_json(thread, user)).collect();
    let threads: Value =
        threads.iter().map(|thread| state.channel_json(thread, Some(user))).collect();
    json!({ "threads": threads, "members": members })
}

/// An ISO 8601 time, in Unix milliseconds.
fn at_ms(text: &str) -> Result<u64, ApiError> {
    // A `+` in a query that was not escaped is a space.
    let time = text.replace(' ', "+").parse::<jiff::Timestamp>().ok();
    time.and_then(|time| u64::try_from(time.as_millisecond()).ok()).ok_or_else(|| {
        let mut form = Form::default();
        form.wrong("before", "DATE_TIME_TYPE_PARSE", format!("\"{text}\" is not a time."));
        form.refusal()
    })
}
