//! Refusals in the shape Discord gives them ("Error Messages", "JSON Error Codes").

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::{Map, Value, json};

/// A refused request: an HTTP status and Discord's JSON body.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ApiError {
    status: StatusCode,
    code: u32,
    message: String,
    errors: Option<Value>,
}

impl ApiError {
    /// A refusal with one of Discord's JSON error codes.
    pub(crate) fn new(status: StatusCode, code: u32, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), errors: None }
    }

    /// A refusal that has no code of its own: `404: Not Found`, code 0.
    pub(crate) fn plain(status: StatusCode) -> Self {
        let reason = status.canonical_reason().unwrap_or("Unknown");
        Self::new(status, 0, format!("{}: {reason}", status.as_u16()))
    }

    /// 404 with a code of the 10000 family: `Unknown Channel`.
    pub(crate) fn unknown(code: u32, what: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, code, format!("Unknown {what}"))
    }

    /// 401.
    pub(crate) fn unauthorized() -> Self {
        Self::plain(StatusCode::UNAUTHORIZED)
    }

    /// 10002.
    pub(crate) fn unknown_application() -> Self {
        Self::unknown(10_002, "Application")
    }

    /// 10003.
    pub(crate) fn unknown_channel() -> Self {
        Self::unknown(10_003, "Channel")
    }

    /// 10004.
    pub(crate) fn unknown_guild() -> Self {
        Self::unknown(10_004, "Guild")
    }

    /// 10007.
    pub(crate) fn unknown_member() -> Self {
        Self::unknown(10_007, "Member")
    }

    /// 10008.
    pub(crate) fn unknown_message() -> Self {
        Self::unknown(10_008, "Message")
    }

    /// 10013.
    pub(crate) fn unknown_user() -> Self {
        Self::unknown(10_013, "User")
    }

    /// 10015.
    pub(crate) fn unknown_webhook() -> Self {
        Self::unknown(10_015, "Webhook")
    }

    /// 10062: no such interaction, or its three seconds are over.
    pub(crate) fn unknown_interaction() -> Self {
        Self::unknown(10_062, "interaction")
    }

    /// 10063.
    pub(crate) fn unknown_command() -> Self {
        Self::unknown(10_063, "application command")
    }

    /// 10065: the user is in no voice channel.
    pub(crate) fn unknown_voice_state() -> Self {
        Self::unknown(10_065, "Voice State")
    }

    /// 40060.
    pub(crate) fn already_acknowledged() -> Self {
        Self::new(StatusCode::BAD_REQUEST, 40_060, "Interaction has already been acknowledged.")
    }

    /// 50001.
    pub(crate) fn missing_access() -> Self {
        Self::new(StatusCode::FORBIDDEN, 50_001, "Missing Access")
    }

    /// 50003.
    pub(crate) fn direct_message() -> Self {
        Self::new(StatusCode::FORBIDDEN, 50_003, "Cannot execute action on a DM channel")
    }

    /// 50005.
    pub(crate) fn not_the_author() -> Self {
        Self::new(StatusCode::FORBIDDEN, 50_005, "Cannot edit a message authored by another user")
    }

    /// 50006.
    pub(crate) fn empty_message() -> Self {
        Self::new(StatusCode::BAD_REQUEST, 50_006, "Cannot send an empty message")
    }

    /// 50007: they take none, or none from this user.
    pub(crate) fn no_direct_messages() -> Self {
        Self::new(StatusCode::FORBIDDEN, 50_007, "Cannot send messages to this user")
    }

    /// 50021.
    pub(crate) fn system_message() -> Self {
        Self::new(StatusCode::FORBIDDEN, 50_021, "Cannot execute action on a system message")
    }

    /// 50083.
    pub(crate) fn archived_thread() -> Self {
        Self::new(StatusCode::BAD_REQUEST, 50_083, "Thread is archived")
    }

    /// 50024.
    pub(crate) fn wrong_channel_type() -> Self {
        Self::new(StatusCode::BAD_REQUEST, 50_024, "Cannot execute action on this channel type")
    }

    /// 50013.
    pub(crate) fn missing_permissions() -> Self {
        Self::new(StatusCode::FORBIDDEN, 50_013, "Missing Permissions")
    }

    /// 50027: the token of an interaction lives 15 minutes.
    pub(crate) fn invalid_webhook_token() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, 50_027, "Invalid Webhook Token")
    }

    /// 50109.
    pub(crate) fn not_json() -> Self {
        Self::new(StatusCode::BAD_REQUEST, 50_109, "The request body contains invalid JSON.")
    }

    /// 40005.
    pub(crate) fn too_large() -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, 40_005, "Request entity too large")
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut body = json!({ "message": self.message, "code": self.code });
        if let Some(errors) = self.errors {
            body["errors"] = errors;
        }
        (self.status, Json(body)).into_response()
    }
}

/// Collects what is wrong with a form; 50035 with the tree of fields if anything is.
#[derive(Clone, Debug, Default)]
pub(crate) struct Form {
    tree: Map<String, Value>,
}

impl Form {
    /// A field is wrong. `path` is dotted, list positions are numbers: `options.0.name`.
    pub(crate) fn wrong(&mut self, path: &str, code: &str, message: impl Into<String>) {
        let mut node = &mut self.tree;
        for part in path.split('.') {
            let child = node.entry(part).or_insert_with(|| Value::Object(Map::new()));
            let Value::Object(inner) = child else { return };
            node = inner;
        }
        let list = node.entry("_errors").or_insert_with(|| Value::Array(Vec::new()));
        if let Value::Array(list) = list {
            list.push(json!({ "code": code, "message": message.into() }));
        }
    }

    /// A field must be there.
    pub(crate) fn required(&mut self, path: &str) {
        self.wrong(path, "BASE_TYPE_REQUIRED", "This field is required");
    }

    /// A text must have a length in characters; true if it has.
    pub(crate) fn length(&mut self, path: &str, text: &str, min: usize, max: usize) -> bool {
        let length = text.chars().count();
        let fits = (min..=max).contains(&length);
        if !fits && min > 0 {
            let message = format!("Must be between {min} and {max} in length.");
            self.wrong(path, "BASE_TYPE_BAD_LENGTH", message);
        } else if !fits {
            let message = format!("Must be {max} or fewer in length.");
            self.wrong(path, "BASE_TYPE_MAX_LENGTH", message);
        }
        fits
    }

    /// A field that had to be there is missing: 50035 at once.
    pub(crate) fn missing(path: &str) -> ApiError {
        let mut form = Self::default();
        form.required(path);
        form.refusal()
    }

    /// A field has no allowed value: 50035 at once.
    pub(crate) fn not_among(path: &str, allowed: &str) -> ApiError {
        let mut form = Self::default();
        form.choice(path, allowed);
        form.refusal()
    }

    /// A value is none of those allowed.
    pub(crate) fn choice(&mut self, path: &str, allowed: &str) {
        self.wrong(path, "BASE_TYPE_CHOICES", format!("Value must be one of {allowed}."));
    }

    /// Nothing was wrong, or 50035.
    ///
    /// # Errors
    /// Something was wrong.
    pub(crate) fn finish(self) -> Result<(), ApiError> {
        if self.tree.is_empty() { Ok(()) } else { Err(self.refusal()) }
    }

    /// 50035 with what was wrong.
    pub(crate) fn refusal(self) -> ApiError {
        ApiError {
            errors: Some(Value::Object(self.tree)),
            ..ApiError::new(StatusCode::BAD_REQUEST, 50_035, "Invalid Form Body")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_refusals_name_the_status() {
        let error = ApiError::unauthorized();
        assert_eq!((error.message.as_str(), error.code), ("401: Unauthorized", 0));
        assert_eq!(ApiError::plain(StatusCode::NOT_FOUND).message, "404: Not Found");
    }

    #[test]
    fn a_form_tells_each_field_what_is_wrong() {
        assert_eq!(Form::default().finish(), Ok(()));
        let mut form = Form::default();
        assert!(!form.length("content", &"x".repeat(2001), 0, 2000));
        assert!(form.length("content", &"ä".repeat(2000), 0, 2000));
        form.required("options.0.name");
        let error = form.finish().unwrap_err();
        assert_eq!(error.code, 50_035);
        assert_eq!(
            error.errors.unwrap(),
            json!({
                "content": { "_errors": [{
                    "code": "BASE_TYPE_MAX_LENGTH",
                    "message": "Must be 2000 or fewer in length.",
                }]},
                "options": { "0": { "name": { "_errors": [{
                    "code": "BASE_TYPE_REQUIRED",
                    "message": "This field is required",
                }]}}},
            })
        );
    }
}
