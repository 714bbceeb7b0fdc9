//! Where somebody is in voice, and changes of it in a stage channel.

use axum::{
    Extension, Json,
    extract::{Path, State},
    http::StatusCode,
};
use serde_json::Value;

use super::{
    Rest,
    body::JsonBody,
    error::{ApiError, Form},
    gate::Caller,
    guilds::{joined, user_id},
};
use crate::world::{StageChange, StageDenied};

/// `GET /guilds/{guild}/voice-states/{user}`
pub(super) async fn show(
    State(rest): State<Rest>,
    Extension(caller): Extension<Caller>,
    Path((guild, user)): Path<(String, String)>,
) -> Result<Json<Value>, ApiError> {
    let user = user_id(&user, caller)?;
    rest.world.read(|state| {
        let guild = joined(state, caller, &guild)?;
        let voice = state.voice_states.get(&(guild.id, user));
        let voice = voice.ok_or_else(ApiError::unknown_voice_state)?;
        Ok(Json(state.voice_state_json(voice)))
    })
}

/// `PATCH /guilds/{guild}/voice-states/{user}`: to speak in a stage, to ask for it, or to stop;
/// [`crate::world::World::change_stage`] says who may.
pub(super) async fn change(
    State(rest): State<Rest>,
    Extension(caller): Extension<Caller>,
    Path((guild, user)): Path<(String, String)>,
    JsonBody(body): JsonBody,
) -> Result<StatusCode, ApiError> {
    let user = user_id(&user, caller)?;
    let guild = rest.world.read(|state| joined(state, caller, &guild).map(|guild| guild.id))?;
    // The request is a field of one's own voice state only.
    let change = stage_change(&body, user == caller.bot_id)?;
    rest.world.change_stage(caller.bot_id, guild, user, change)?;
    Ok(StatusCode::NO_CONTENT)
}

/// Reads the body; fields that are absent change nothing.
pub(crate) fn stage_change(body: &Value, is_self: bool) -> Result<StageChange, ApiError> {
    let mut change = StageChange::default();
    let mut form = Form::default();
    match body.get("channel_id") {
        None | Some(Value::Null) => {}
        Some(id) => match id.as_str().and_then(|id| id.parse().ok()).or_else(|| id.as_u64()) {
            Some(id) => change.channel_id = Some(id),
            None => form.wrong("channel_id", "NUMBER_TYPE_COERCE", "Value is not snowflake."),
        },
    }
    match body.get("suppress") {
        None | Some(Value::Null) => {}
        Some(Value::Bool(suppress)) => change.suppress = Some(*suppress),
        Some(_) => form.wrong("suppress", "BOOLEAN_TYPE_CONVERT", "Must be either true or false."),
    }
    match body.get("request_to_speak_timestamp").filter(|_| is_self) {
        None => {}
        Some(Value::Null) => change.request_to_speak_ms = Some(None),
        Some(at) => match at.as_str().and_then(|text| text.parse::<jiff::Timestamp>().ok()) {
            Some(at) => {
                let at_ms = u64::try_from(at.as_millisecond()).unwrap_or(0);
                change.request_to_speak_ms = Some(Some(at_ms));
            }
            None => form.wrong(
                "request_to_speak_timestamp",
                "DATE_TIME_TYPE_PARSE",
                "Could not parse the value. Should be ISO8601.",
            ),
        },
    }
    form.finish()?;
    Ok(change)
}

impl From<StageDenied> for ApiError {
    fn from(denied: StageDenied) -> Self {
        match denied {
            StageDenied::NotThere => Self::unknown_voice_state(),
            StageDenied::NotAStage => Self::wrong_channel_type(),
            StageDenied::MissingPermissions => Self::missing_permissions(),
            StageDenied::Past => {
                let mut form = Form::default();
                form.wrong(
                    "request_to_speak_timestamp",
                    "DATE_TIME_TYPE_PAST",
                    "The time must not be in the past.",
                );
                form.refusal()
            }
        }
    }
}
