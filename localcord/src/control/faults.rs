//! What goes wrong: settings, and faults that happen once when they are asked for.

use axum::{Json, extract::State, http::StatusCode};
use serde_json::{Value, json};

use super::{Control, Refusal, humans::id_in};
use crate::{
    fault::{FaultSettings, VoiceMessage},
    rest::body::JsonBody,
};

/// `GET faults`
pub(super) async fn faults(State(control): State<Control>) -> Json<FaultSettings> {
    Json(control.rest.faults.current())
}

/// `PUT faults`
pub(super) async fn set_faults(
    State(control): State<Control>,
    JsonBody(body): JsonBody,
) -> Result<Json<FaultSettings>, Refusal> {
    let settings: FaultSettings =
        serde_json::from_value(body).map_err(|error| Refusal::bad(error.to_string()))?;
    settings.check().map_err(Refusal::bad)?;
    control.rest.journal.record("fault", "set", json!(settings));
    control.rest.faults.set(settings);
    control.voice.apply_faults();
    Ok(Json(control.rest.faults.current()))
}

/// `POST faults/voice-close`
pub(super) async fn close_voice(
    State(control): State<Control>,
    JsonBody(body): JsonBody,
) -> Result<StatusCode, Refusal> {
    let user = id_in(&body, "user_id")?.ok_or_else(|| Refusal::bad("`user_id` must be there"))?;
    let code = body.get("code").and_then(Value::as_u64).and_then(|code| u16::try_from(code).ok());
    let code = code.filter(|code| (1000..5000).contains(code));
    let code = code.ok_or_else(|| Refusal::bad("`code` must be between 1000 and 4999"))?;
    let guilds: Vec<u64> = control.rest.world.read(|state| {
        let states = state.voice_states.keys().filter(|(_, there)| *there == user);
        states.map(|(guild, _)| *guild).collect()
    });
    if guilds.is_empty() {
        return Err(Refusal::new(StatusCode::CONFLICT, "that user is in no voice channel"));
    }
    for guild in guilds {
        control.voice.close_websocket(guild, user, code);
    }
    Ok(StatusCode::NO_CONTENT)
}

/// `POST faults/voice-message`
pub(super) async fn send_voice_message(
    State(control): State<Control>,
    JsonBody(body): JsonBody,
) -> Result<StatusCode, Refusal> {
    let user = id_in(&body, "user_id")?.ok_or_else(|| Refusal::bad("`user_id` must be there"))?;
    let message = body.get("message").cloned().unwrap_or_default();
    let message: VoiceMessage =
        serde_json::from_value(message).map_err(|error| Refusal::bad(error.to_string()))?;
    message.check().map_err(Refusal::bad)?;
    if control.voice.inject(user, &message) {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(Refusal::new(StatusCode::CONFLICT, "that user has no voice connection"))
    }
}

/// `POST faults/dave-version`
pub(super) async fn change_dave_version(
    State(control): State<Control>,
    JsonBody(body): JsonBody,
) -> Result<StatusCode, Refusal> {
    let channel = id_in(&body, "channel_id")?;
    let channel = channel.ok_or_else(|| Refusal::bad("`channel_id` must be there"))?;
    let version = match body.get("version").and_then(Value::as_u64) {
        Some(0) => 0,
        Some(1) => 1,
        _ => return Err(Refusal::bad("`version` must be 0 or 1")),
    };
    let data = json!({ "channel_id": channel.to_string(), "version": version });
    control.rest.journal.record("fault", "dave_version", data);
    control.voice.change_dave_version(channel, version);
    Ok(StatusCode::NO_CONTENT)
}
