//! Guilds: their channels, roles, members and voice states.

use axum::{
    Extension, Json,
    extract::{Path, Query, State},
};
use serde::Deserialize;
use serde_json::Value;

use super::{
    Rest,
    error::{ApiError, Form},
    gate::Caller,
    snowflake,
};
use crate::world::{self, Guild, Role, intents};

/// Members in one answer.
const MOST_MEMBERS: usize = 1000;

type Answer = Result<Json<Value>, ApiError>;

/// The guild, if the caller is in it.
pub(super) fn joined<'a>(
    state: &'a world::State,
    caller: Caller,
    id: &str,
) -> Result<&'a Guild, ApiError> {
    let guild = state.guilds.get(&snowflake("guild_id", id)?);
    let guild = guild.ok_or_else(ApiError::unknown_guild)?;
    // Discord does not tell a stranger whether there is such a guild.
    let inside = guild.members.contains_key(&caller.bot_id);
    if inside { Ok(guild) } else { Err(ApiError::unknown_guild()) }
}

/// The user of a path; `@me` is the caller.
pub(super) fn user_id(text: &str, caller: Caller) -> Result<u64, ApiError> {
    if text == "@me" { Ok(caller.bot_id) } else { snowflake("user_id", text) }
}

/// `?with_counts=true`
#[derive(Debug, Deserialize)]
pub(super) struct Counts {
    #[serde(default, deserialize_with = "super::query::flag")]
    with_counts: bool,
}

/// `GET /guilds/{guild}`
pub(super) async fn guild(
    State(rest): State<Rest>,
    Extension(caller): Extension<Caller>,
    Path(guild): Path<String>,
    Query(wanted): Query<Counts>,
) -> Answer {
    rest.world.read(|state| {
        let guild = joined(state, caller, &guild)?;
        let mut object = state.guild_json(guild);
        if wanted.with_counts {
            object["approximate_member_count"] = guild.members.len().into();
            object["approximate_presence_count"] = guild.members.len().into();
        }
        Ok(Json(object))
    })
}

/// `GET /guilds/{guild}/channels`: without threads.
pub(super) async fn channels(
    State(rest): State<Rest>,
    Extension(caller): Extension<Caller>,
    Path(guild): Path<String>,
) -> Answer {
    rest.world.read(|state| {
        let guild = joined(state, caller, &guild)?;
        let channels = state.channels_in(guild.id).filter(|channel| !channel.is_thread());
        Ok(Json(channels.map(|channel| state.channel_json(channel, None)).collect()))
    })
}

/// `GET /guilds/{guild}/roles`
pub(super) async fn roles(
    State(rest): State<Rest>,
    Extension(caller): Extension<Caller>,
    Path(guild): Path<String>,
) -> Answer {
    rest.world.read(|state| {
        let guild = joined(state, caller, &guild)?;
        Ok(Json(guild.roles.values().map(Role::to_json).collect()))
    })
}

/// `?limit=&after=` of member lists, `?limit=&query=` of searches.
#[derive(Debug, Deserialize)]
pub(super) struct MemberQuery {
    limit: Option<usize>,
    after: Option<u64>,
    query: Option<String>,
}

impl MemberQuery {
    fn limit(&self) -> Result<usize, ApiError> {
        let limit = self.limit.unwrap_or(1);
        if (1..=MOST_MEMBERS).contains(&limit) {
            return Ok(limit);
        }
        let mut form = Form::default();
        let (code, message) = if limit == 0 {
            ("NUMBER_TYPE_MIN", "int value should be greater than or equal to 1.")
        } else {
            ("NUMBER_TYPE_MAX", "int value should be less than or equal to 1000.")
        };
        form.wrong("limit", code, message);
        Err(form.refusal())
    }
}

/// `GET /guilds/{guild}/members`: needs the privileged GUILD_MEMBERS intent.
pub(super) async fn members(
    State(rest): State<Rest>,
    Extension(caller): Extension<Caller>,
    Path(guild): Path<String>,
    Query(query): Query<MemberQuery>,
) -> Answer {
    let limit = query.limit()?;
    let after = query.after.unwrap_or(0);
    rest.world.read(|state| {
        let guild = joined(state, caller, &guild)?;
        let application = state.applications.get(&caller.application_id);
        if application.is_some_and(|app| app.privileged_intents & intents::GUILD_MEMBERS == 0) {
            return Err(ApiError::missing_access());
        }
        let ids = guild.members.keys().copied().filter(|user| *user > after).take(limit);
        Ok(Json(ids.filter_map(|user| state.member_json(guild.id, user)).collect()))
    })
}

/// `GET /guilds/{guild}/members/search`: names that begin with the query.
pub(super) async fn search_members(
    State(rest): State<Rest>,
    Extension(caller): Extension<Caller>,
    Path(guild): Path<String>,
    Query(query): Query<MemberQuery>,
) -> Answer {
    let limit = query.limit()?;
    let Some(wanted) = query.query.map(|text| text.to_lowercase()) else {
        return Err(Form::missing("query"));
    };
    rest.world.read(|state| {
        let guild = joined(state, caller, &guild)?;
        let matches = |user: u64, nick: Option<&String>| {
            let account = state.users.get(&user);
            let names = [
                nick,
                account.map(|account| &account.username),
                account.and_then(|account| account.global_name.as_ref()),
            ];
            names.into_iter().flatten().any(|name| name.to_lowercase().starts_with(&wanted))
        };
        let found = guild.members.values().filter(|one| matches(one.user_id, one.nick.as_ref()));
        let found = found.take(limit).filter_map(|one| state.member_json(guild.id, one.user_id));
        Ok(Json(found.collect()))
    })
}

/// `GET /guilds/{guild}/members/{user}`
pub(super) async fn member(
    State(rest): State<Rest>,
    Extension(caller): Extension<Caller>,
    Path((guild, user)): Path<(String, String)>,
) -> Answer {
    let user = user_id(&user, caller)?;
    rest.world.read(|state| {
        let guild = joined(state, caller, &guild)?;
        state.member_json(guild.id, user).map(Json).ok_or_else(ApiError::unknown_member)
    })
}
