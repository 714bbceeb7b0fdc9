//! Why a client event was refused.

use serde_json::{Value, json};

/// What goes into an `error` event. The session stays open after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) code: &'static str,
    pub(super) message: String,
    pub(super) param: Option<String>,
}

impl Refusal {
    pub(super) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), param: None }
    }

    pub(super) fn at(mut self, param: impl Into<String>) -> Self {
        self.param = Some(param.into());
        self
    }

    /// The same, of a field of `item` or of none that stands within another.
    pub(super) fn within(mut self, outer: &str) -> Self {
        self.param = self.param.map(|param| {
            let field = param.strip_prefix("item.").unwrap_or(&param);
            format!("{outer}.{field}")
        });
        self
    }

    pub(super) fn missing(param: &str) -> Self {
        let message = format!("Missing required parameter: '{param}'.");
        Self::new("missing_required_parameter", message).at(param)
    }

    pub(super) fn unknown(param: &str) -> Self {
        Self::new("unknown_parameter", format!("Unknown parameter: '{param}'.")).at(param)
    }

    pub(super) fn wrong_type(param: &str, expected: &str, got: &Value) -> Self {
        let message =
            format!("Invalid type for '{param}': expected {expected}, but got {}.", kind(got));
        Self::new("invalid_type", message).at(param)
    }

    pub(super) fn wrong_value(param: &str, expected: &str) -> Self {
        let message = format!("Invalid value for '{param}': expected {expected}.");
        Self::new("invalid_value", message).at(param)
    }

    /// The `error` object. `client_event` is the `event_id` of the event that was refused.
    pub(super) fn to_json(&self, client_event: Option<&str>) -> Value {
        json!({
            "type": "invalid_request_error",
            "code": self.code,
            "message": self.message,
            "param": self.param,
            "event_id": client_event,
        })
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(number) if number.is_f64() => "a decimal",
        Value::Number(_) => "an integer",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// A required text field of an event.
pub(super) fn text<'v>(event: &'v Value, field: &str) -> Result<&'v str, Refusal> {
    match event.get(field) {
        None | Some(Value::Null) => Err(Refusal::missing(field)),
        Some(Value::String(text)) => Ok(text),
        Some(other) => Err(Refusal::wrong_type(field, "a string", other)),
    }
}

/// An optional text field of an event; `null` is absence.
pub(super) fn optional_text<'v>(event: &'v Value, field: &str) -> Result<Option<&'v str>, Refusal> {
    match event.get(field) {
        None | Some(Value::Null) => Ok(None),
        Some(_) => text(event, field).map(Some),
    }
}

/// A required whole number of at least 0.
pub(super) fn whole(event: &Value, field: &str) -> Result<u64, Refusal> {
    let value = event.get(field).ok_or_else(|| Refusal::missing(field))?;
    match (value.as_u64(), value.as_i64()) {
        (Some(number), _) => Ok(number),
        (None, Some(_)) => Err(Refusal::new(
            "integer_below_min_value",
            format!("Invalid '{field}': integer below minimum value. Expected a value >= 0."),
        )
        .at(field)),
        (None, None) => Err(Refusal::wrong_type(field, "an integer", value)),
    }
}
