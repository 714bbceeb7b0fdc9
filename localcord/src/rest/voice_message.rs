//! What Discord asks of a voice message ("Voice Messages"; codes 50159 to 50162 and 50173 of "JSON
//! Error Codes").

use axum::http::StatusCode;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;

use super::{
    body::Upload,
    error::{ApiError, Form},
    messages::form::{VOICE_MESSAGE, flags},
};
use crate::world::{self, bits};

/// Points of a waveform.
const MOST_POINTS: usize = 256;

fn refusal(code: u32, why: &str) -> ApiError {
    ApiError::new(StatusCode::BAD_REQUEST, code, why)
}

/// Checks a message with the flag: nothing but one sound, with its length and its curve.
///
/// # Errors
/// 50159 to 50161, or 50035 for a length or curve that is none.
pub(super) fn check(body: &Value, files: &[Upload]) -> Result<(), ApiError> {
    if flags(body) & VOICE_MESSAGE == 0 {
        return Ok(());
    }
    if has_more_than_sound(body) {
        return Err(refusal(50_159, "Voice messages do not support additional content."));
    }
    let listed = body.get("attachments").and_then(Value::as_array).map_or(0, Vec::len);
    let [file] = files else { return Err(not_one_sound()) };
    let is_sound = file.content_type.as_deref().is_some_and(|kind| kind.starts_with("audio/"));
    if listed > 1 || !is_sound {
        return Err(not_one_sound());
    }
    let about = body.pointer("/attachments/0").unwrap_or(&Value::Null);
    let present = |field: &str| about.get(field).filter(|value| !value.is_null());
    let (Some(duration), Some(waveform)) = (present("duration_secs"), present("waveform")) else {
        return Err(refusal(50_161, "Voice messages must have supporting metadata."));
    };
    let mut form = Form::default();
    match duration.as_f64() {
        Some(seconds) if seconds >= 0.0 => {}
        Some(_) => {
            let words = "float value should be greater than or equal to 0.";
            form.wrong("attachments.0.duration_secs", "NUMBER_TYPE_MIN", words);
        }
        None => {
            let words = "Value is not float.";
            form.wrong("attachments.0.duration_secs", "NUMBER_TYPE_COERCE", words);
        }
    }
    let points = waveform.as_str().and_then(|text| STANDARD.decode(text).ok());
    match points.map(|points| points.len()) {
        Some(1..=MOST_POINTS) => {}
        Some(_) => {
            let words = format!("Must be between 1 and {MOST_POINTS} in length.");
            form.wrong("attachments.0.waveform", "BASE_TYPE_BAD_LENGTH", words);
        }
        None => form.wrong("attachments.0.waveform", "BASE64_TYPE_INVALID", "Not base64."),
    }
    form.finish()
}

fn not_one_sound() -> ApiError {
    refusal(50_160, "Voice messages must have a single audio attachment.")
}

fn has_more_than_sound(body: &Value) -> bool {
    let filled = |field: &str| match body.get(field) {
        None | Some(Value::Null) => false,
        Some(Value::String(text)) => !text.is_empty(),
        Some(Value::Array(list)) => !list.is_empty(),
        Some(_) => true,
    };
    ["content", "embeds", "components", "sticker_ids", "poll"].iter().any(|field| filled(field))
}

/// Checks that the author may send a voice message there.
///
/// # Errors
/// 50173.
pub(super) fn may_send(
    state: &world::State,
    author: u64,
    channel: u64,
    body: &Value,
) -> Result<(), ApiError> {
    let is_one = flags(body) & VOICE_MESSAGE != 0;
    if is_one && !state.may(author, channel, bits::SEND_VOICE_MESSAGES) {
        let why = "You cannot send voice messages in this channel.";
        return Err(ApiError::new(StatusCode::FORBIDDEN, 50_173, why));
    }
    Ok(())
}

/// Checks that a message may be changed.
///
/// # Errors
/// 50162: it is a voice message.
pub(super) fn may_edit(flags: u64) -> Result<(), ApiError> {
    if flags & VOICE_MESSAGE == 0 {
        return Ok(());
    }
    Err(refusal(50_162, "Voice messages cannot be edited."))
}

/// Gives the attachment of a checked voice message its length and its curve.
pub(super) fn describe(attachments: &mut [Value], body: &Value) {
    if flags(body) & VOICE_MESSAGE == 0 {
        return;
    }
    let about = body.pointer("/attachments/0").unwrap_or(&Value::Null);
    for attachment in attachments {
        for field in ["duration_secs", "waveform"] {
            attachment[field] = about[field].clone();
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::{
        body::{Bytes, to_bytes},
        response::IntoResponse,
    };
    use serde_json::json;

    use super::*;

    fn sound(content_type: &str) -> Upload {
        let content_type = Some(content_type.to_owned());
        let bytes = Bytes::from_static(b"OggS");
        Upload { index: 0, name: "voice-message.ogg".to_owned(), content_type, bytes }
    }

    fn attachment() -> Value {
        json!({ "id": "0", "duration_secs": 1.07, "waveform": STANDARD.encode([9; 256]) })
    }

    fn voice(changes: &Value) -> Value {
        let mut body = json!({ "flags": 8192, "attachments": [attachment()] });
        for (field, value) in changes.as_object().unwrap() {
            body[field] = value.clone();
        }
        body
    }

    async fn code(body: &Value, files: &[Upload]) -> u64 {
        let Err(error) = check(body, files) else { return 0 };
        let response = error.into_response();
        let bytes = to_bytes(response.into_body(), 10_000).await.unwrap();
        serde_json::from_slice::<Value>(&bytes).unwrap()["code"].as_u64().unwrap()
    }

    #[tokio::test]
    async fn voice_messages_are_taken_or_refused_with_discords_codes() {
        let ogg = || vec![sound("audio/ogg")];
        let with = |field: &str, value: Value| {
            let mut changed = attachment();
            changed[field] = value;
            voice(&json!({ "attachments": [changed] }))
        };
        let cases = [
            (voice(&json!({})), ogg(), 0),
            (voice(&json!({ "content": "", "embeds": [] })), ogg(), 0),
            (voice(&json!({ "flags": 8192 + 4096 })), ogg(), 0),
            (voice(&json!({ "content": "hi" })), ogg(), 50_159),
            (voice(&json!({ "embeds": [{ "title": "t" }] })), ogg(), 50_159),
            (voice(&json!({ "components": [{ "type": 1 }] })), ogg(), 50_159),
            (voice(&json!({ "sticker_ids": ["1"] })), ogg(), 50_159),
            (voice(&json!({ "poll": {} })), ogg(), 50_159),
            (voice(&json!({})), vec![], 50_160),
            (voice(&json!({})), vec![sound("audio/ogg"), sound("audio/ogg")], 50_160),
            (voice(&json!({ "attachments": [attachment(), attachment()] })), ogg(), 50_160),
            (voice(&json!({})), vec![sound("image/png")], 50_160),
            (voice(&json!({ "attachments": [] })), ogg(), 50_161),
            (with("duration_secs", Value::Null), ogg(), 50_161),
            (with("waveform", Value::Null), ogg(), 50_161),
            (with("duration_secs", json!("1")), ogg(), 50_035),
            (with("duration_secs", json!(-1)), ogg(), 50_035),
            (with("waveform", json!("???")), ogg(), 50_035),
            (with("waveform", json!(STANDARD.encode([9; 257]))), ogg(), 50_035),
            // Without the flag it is a file like any other.
            (voice(&json!({ "flags": 0, "content": "hi", "attachments": [] })), ogg(), 0),
        ];
        for (body, files, expected) in cases {
            assert_eq!(code(&body, &files).await, expected, "{body}");
        }
    }
}
