//! Refusals in the shape Discord gives them ("Error Messages", "JSON Error Codes").

use std::ops::RangeInclusive;

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

    /// The same refusal of a form that stands in a field of a larger one.
    pub(crate) fn within(self, field: &str) -> Self {
        Self { errors: self.errors.map(|errors| json!({ field: errors })), ..self }
    }

    /// The tree of wrong fields; null if there is none.
    #[cfg(test)]
    pub(crate) fn errors(&self) -> Value {
        self.errors.clone().unwrap_or_default()
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

    /// A field that may be left out is a text of a length in characters; the text.
    pub(crate) fn text<'v>(
        &mut self,
        at: &str,
        object: &'v Value,
        field: &str,
        length: RangeInclusive<usize>,
    ) -> Option<&'v str> {
        let path = format!("{at}.{field}");
        match object.get(field) {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) => {
                self.length(&path, text, *length.start(), *length.end()).then_some(text)
            }
            Some(_) => {
                self.wrong(&path, "STRING_TYPE_CONVERT", "Could not interpret as string.");
                None
            }
        }
    }

    /// The same for a field that must be there.
    pub(crate) fn required_text<'v>(
        &mut self,
        at: &str,
        object: &'v Value,
        field: &str,
        length: RangeInclusive<usize>,
    ) -> Option<&'v str> {
        if object.get(field).is_none_or(Value::is_null) {
            self.required(&format!("{at}.{field}"));
        }
        self.text(at, object, field, length)
    }

    /// A field that may be left out is a whole number in a range; the number.
    pub(crate) fn integer(
        &mut self,
        at: &str,
        object: &Value,
        field: &str,
        range: RangeInclusive<i64>,
    ) -> Option<i64> {
        let given = object.get(field).filter(|value| !value.is_null())?;
        let path = format!("{at}.{field}");
        let Some(number) = given.as_i64() else {
            self.wrong(&path, "NUMBER_TYPE_COERCE", format!("Value {given} is not int."));
            return None;
        };
        if number < *range.start() {
            let least = range.start();
            let why = format!("int value should be greater than or equal to {least}.");
            self.wrong(&path, "NUMBER_TYPE_MIN", why);
        } else if number > *range.end() {
            let most = range.end();
            let why = format!("int value should be less than or equal to {most}.");
            self.wrong(&path, "NUMBER_TYPE_MAX", why);
        }
        range.contains(&number).then_some(number)
    }

    /// A field that may be left out is true or false.
    pub(crate) fn flag(&mut self, at: &str, object: &Value, field: &str) {
        let given = object.get(field).filter(|value| !value.is_null());
        if given.is_some_and(|value| !value.is_boolean()) {
            let why = "Must be either true or false.";
            self.wrong(&format!("{at}.{field}"), "BOOLEAN_TYPE_CONVERT", why);
        }
    }

    /// A field is a list; empty if it is left out or no list.
    pub(crate) fn list<'v>(&mut self, path: &str, value: Option<&'v Value>) -> &'v [Value] {
        match value {
            None | Some(Value::Null) => &[],
            Some(Value::Array(list)) => list,
            Some(_) => {
                let why = "Only iterables may be used in a ListType";
                self.wrong(path, "LIST_TYPE_CONVERT", why);
                &[]
            }
        }
    }

    /// A list has a length.
    pub(crate) fn count(&mut self, path: &str, length: usize, range: RangeInclusive<usize>) {
        if !range.contains(&length) {
            let why = format!("Must be between {} and {} in length.", range.start(), range.end());
            self.wrong(path, "BASE_TYPE_BAD_LENGTH", why);
        }
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
    fn fields_are_looked_at_one_by_one() {
        let body = json!({ "text": "ab", "number": 7, "flag": 1, "null": null, "list": {} });
        let mut form = Form::default();
        assert_eq!(form.text("at", &body, "text", 1..=2), Some("ab"));
        assert_eq!(form.integer("at", &body, "number", 0..=7), Some(7));
        assert_eq!(form.text("at", &body, "null", 1..=2), None);
        assert_eq!(form.clone().finish(), Ok(()));
        assert_eq!(form.text("at", &body, "number", 1..=2), None);
        assert_eq!(form.required_text("at", &body, "null", 1..=2), None);
        assert_eq!(form.integer("at", &body, "text", 0..=7), None);
        assert_eq!(form.integer("low", &body, "number", 8..=9), None);
        assert_eq!(form.integer("high", &body, "number", 0..=6), None);
        form.flag("at", &body, "flag");
        assert_eq!(form.list("at.list", body.get("list")).len(), 0);
        form.count("count", 3, 1..=2);
        let error = form.refusal().within("data");
        let errors = error.errors.unwrap();
        for (pointer, code) in [
            ("/data/at/number", "STRING_TYPE_CONVERT"),
            ("/data/at/null", "BASE_TYPE_REQUIRED"),
            ("/data/at/text", "NUMBER_TYPE_COERCE"),
            ("/data/low/number", "NUMBER_TYPE_MIN"),
            ("/data/high/number", "NUMBER_TYPE_MAX"),
            ("/data/at/flag", "BOOLEAN_TYPE_CONVERT"),
            ("/data/at/list", "LIST_TYPE_CONVERT"),
            ("/data/count", "BASE_TYPE_BAD_LENGTH"),
        ] {
            let found = errors.pointer(&format!("{pointer}/_errors/0/code"));
            assert_eq!(found, Some(&json!(code)), "{pointer}");
        }
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
