//! Application commands, everywhere and per guild.

use axum::{
    Extension, Json,
    extract::{Path, State},
    http::StatusCode,
};
use serde_json::Value;

use super::{
    Rest,
    body::JsonBody,
    command_form,
    error::{ApiError, Form},
    gate::Caller,
    snowflake,
};
use crate::world;

type Answer = Result<Json<Value>, ApiError>;
type Created = Result<(StatusCode, Json<Value>), ApiError>;

/// Where commands are valid: an application's guild, or everywhere.
type Scope = (u64, Option<u64>);

/// The scope of a path, if it is the caller's own and its bot is in the guild.
fn scope(
    rest: &Rest,
    caller: Caller,
    application: &str,
    guild: Option<&str>,
) -> Result<Scope, ApiError> {
    let application = snowflake("application_id", application)?;
    if application != caller.application_id {
        let why = "You are not authorized to perform this action on this application";
        return Err(ApiError::new(StatusCode::FORBIDDEN, 20_012, why));
    }
    let Some(guild) = guild else { return Ok((application, None)) };
    let guild = snowflake("guild_id", guild)?;
    let inside = rest.world.read(|state| {
        let guild = state.guilds.get(&guild);
        guild.is_some_and(|guild| guild.members.contains_key(&caller.bot_id))
    });
    if inside { Ok((application, Some(guild))) } else { Err(ApiError::missing_access()) }
}

fn list(rest: &Rest, scope: Scope) -> Value {
    rest.world.read(|state| state.commands.get(&scope).cloned().unwrap_or_default().into())
}

fn create(rest: &Rest, scope: Scope, command: &Value) -> Created {
    command_form::check(command)?;
    rest.world.write(|state| {
        let id = state.next_id();
        let all = state.commands.entry(scope).or_default();
        let same = |known: &&mut Value| same_command(known, command);
        // A second command with the name of a first replaces it.
        if let Some(known) = all.iter_mut().find(same) {
            let kept = known["id"].as_str().and_then(|id| id.parse().ok()).unwrap_or(id);
            *known = command_form::completed(command, kept, scope.0, scope.1);
            known["version"] = id.to_string().into();
            return Ok((StatusCode::OK, Json(known.clone())));
        }
        let kind = command_form::command_type(command);
        let most = command_form::most_of_type(kind);
        if all.iter().filter(|one| command_form::command_type(one) == kind).count() >= most {
            return Err(command_form::too_many(most));
        }
        let full = command_form::completed(command, id, scope.0, scope.1);
        all.push(full.clone());
        Ok((StatusCode::CREATED, Json(full)))
    })
}

fn same_command(one: &Value, other: &Value) -> bool {
    one["name"] == other["name"]
        && command_form::command_type(one) == command_form::command_type(other)
}

fn replace(rest: &Rest, scope: Scope, commands: &Value) -> Answer {
    let Some(commands) = commands.as_array() else {
        let mut form = Form::default();
        form.wrong("_", "LIST_TYPE_CONVERT", "Only iterables may be used in a ListType");
        return Err(form.refusal());
    };
    command_form::check_all(commands)?;
    Ok(Json(rest.world.write(|state| {
        let before = state.commands.remove(&scope).unwrap_or_default();
        let mut all = Vec::with_capacity(commands.len());
        for command in commands {
            let fresh = state.next_id();
            let known = before.iter().find(|known| same_command(known, command));
            let id = known.and_then(|known| known["id"].as_str()?.parse().ok()).unwrap_or(fresh);
            let mut full = command_form::completed(command, id, scope.0, scope.1);
            full["version"] = fresh.to_string().into();
            all.push(full);
        }
        state.commands.insert(scope, all.clone());
        all.into()
    })))
}

fn position(state: &world::State, scope: Scope, id: u64) -> Result<usize, ApiError> {
    let id = id.to_string();
    let all = state.commands.get(&scope).into_iter().flatten();
    let mut numbered = all.enumerate();
    let found = numbered.find(|(_, command)| command["id"] == id).map(|(at, _)| at);
    found.ok_or_else(ApiError::unknown_command)
}

fn read(rest: &Rest, scope: Scope, id: &str) -> Answer {
    let id = snowflake("command_id", id)?;
    rest.world.read(|state| {
        let at = position(state, scope, id)?;
        Ok(Json(state.commands.get(&scope).map_or(Value::Null, |all| all[at].clone())))
    })
}

fn edit(rest: &Rest, scope: Scope, id: &str, changes: &Value) -> Answer {
    let id = snowflake("command_id", id)?;
    rest.world.write(|state| {
        let at = position(state, scope, id)?;
        let version = state.next_id().to_string();
        let all = state.commands.entry(scope).or_default();
        let mut changed = all[at].clone();
        command_form::merge(&mut changed, changes);
        command_form::check(&changed)?;
        let taken = all.iter().enumerate().any(|(n, one)| n != at && same_command(one, &changed));
        if taken {
            let mut form = Form::default();
            let why = "Application command names must be unique";
            form.wrong("name", "APPLICATION_COMMANDS_DUPLICATE_NAME", why);
            return Err(form.refusal());
        }
        changed["version"] = version.into();
        all[at] = changed.clone();
        Ok(Json(changed))
    })
}

fn delete(rest: &Rest, scope: Scope, id: &str) -> Result<StatusCode, ApiError> {
    let id = snowflake("command_id", id)?;
    rest.world.write(|state| {
        let at = position(state, scope, id)?;
        state.commands.entry(scope).or_default().remove(at);
        Ok(StatusCode::NO_CONTENT)
    })
}

/// `GET /applications/{application}/commands`
pub(super) async fn list_global(
    State(rest): State<Rest>,
    Extension(caller): Extension<Caller>,
    Path(application): Path<String>,
) -> Answer {
    Ok(Json(list(&rest, scope(&rest, caller, &application, None)?)))
}

/// `POST /applications/{application}/commands`: 201 for a new one, 200 for one replaced.
pub(super) async fn create_global(
    State(rest): State<Rest>,
    Extension(caller): Extension<Caller>,
    Path(application): Path<String>,
    JsonBody(command): JsonBody,
) -> Created {
    create(&rest, scope(&rest, caller, &application, None)?, &command)
}

/// `PUT /applications/{application}/commands`
pub(super) async fn replace_global(
    State(rest): State<Rest>,
    Extension(caller): Extension<Caller>,
    Path(application): Path<String>,
    JsonBody(commands): JsonBody,
) -> Answer {
    replace(&rest, scope(&rest, caller, &application, None)?, &commands)
}

/// `GET /applications/{application}/commands/{command}`
pub(super) async fn read_global(
    State(rest): State<Rest>,
    Extension(caller): Extension<Caller>,
    Path((application, id)): Path<(String, String)>,
) -> Answer {
    read(&rest, scope(&rest, caller, &application, None)?, &id)
}

/// `PATCH /applications/{application}/commands/{command}`
pub(super) async fn edit_global(
    State(rest): State<Rest>,
    Extension(caller): Extension<Caller>,
    Path((application, id)): Path<(String, String)>,
    JsonBody(changes): JsonBody,
) -> Answer {
    edit(&rest, scope(&rest, caller, &application, None)?, &id, &changes)
}

/// `DELETE /applications/{application}/commands/{command}`
pub(super) async fn delete_global(
    State(rest): State<Rest>,
    Extension(caller): Extension<Caller>,
    Path((application, id)): Path<(String, String)>,
) -> Result<StatusCode, ApiError> {
    delete(&rest, scope(&rest, caller, &application, None)?, &id)
}

/// `GET /applications/{application}/guilds/{guild}/commands`
pub(super) async fn list_guild(
    State(rest): State<Rest>,
    Extension(caller): Extension<Caller>,
    Path((application, guild)): Path<(String, String)>,
) -> Answer {
    Ok(Json(list(&rest, scope(&rest, caller, &application, Some(&guild))?)))
}

/// `POST /applications/{application}/guilds/{guild}/commands`
pub(super) async fn create_guild(
    State(rest): State<Rest>,
    Extension(caller): Extension<Caller>,
    Path((application, guild)): Path<(String, String)>,
    JsonBody(command): JsonBody,
) -> Created {
    create(&rest, scope(&rest, caller, &application, Some(&guild))?, &command)
}

/// `PUT /applications/{application}/guilds/{guild}/commands`
pub(super) async fn replace_guild(
    State(rest): State<Rest>,
    Extension(caller): Extension<Caller>,
    Path((application, guild)): Path<(String, String)>,
    JsonBody(commands): JsonBody,
) -> Answer {
    replace(&rest, scope(&rest, caller, &application, Some(&guild))?, &commands)
}

/// `GET /applications/{application}/guilds/{guild}/commands/{command}`
pub(super) async fn read_guild(
    State(rest): State<Rest>,
    Extension(caller): Extension<Caller>,
    Path((application, guild, id)): Path<(String, String, String)>,
) -> Answer {
    read(&rest, scope(&rest, caller, &application, Some(&guild))?, &id)
}

/// `PATCH /applications/{application}/guilds/{guild}/commands/{command}`
pub(super) async fn edit_guild(
    State(rest): State<Rest>,
    Extension(caller): Extension<Caller>,
    Path((application, guild, id)): Path<(String, String, String)>,
    JsonBody(changes): JsonBody,
) -> Answer {
    edit(&rest, scope(&rest, caller, &application, Some(&guild))?, &id, &changes)
}

/// `DELETE /applications/{application}/guilds/{guild}/commands/{command}`
pub(super) async fn delete_guild(
    State(rest): State<Rest>,
    Extension(caller): Extension<Caller>,
    Path((application, guild, id)): Path<(String, String, String)>,
) -> Result<StatusCode, ApiError> {
    delete(&rest, scope(&rest, caller, &application, Some(&guild))?, &id)
}
