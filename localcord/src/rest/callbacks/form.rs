//! What a callback must look like, and which of them fit which interaction ("Interaction Callback
//! Type").

use serde_json::Value;

use super::{
    super::{
        components::{Around, check_modal},
        error::{ApiError, Form},
        interaction::{Interaction, interaction_kind},
    },
    callback_type,
};

/// Choices of an autocomplete answer.
const MOST_CHOICES: usize = 25;
/// Characters of a choice's name and of its value, if that is a text.
const MOST_CHOICE_TEXT: usize = 100;
/// Option types whose values are numbers ("Application Command Option Type").
const INTEGER: u64 = 4;
const NUMBER: u64 = 10;

/// Checks that a callback type fits the kind of an interaction.
///
/// # Errors
/// 50035.
pub(super) fn check_type(called: &Interaction, kind: u64) -> Result<(), ApiError> {
    use interaction_kind::{AUTOCOMPLETE, COMMAND, COMPONENT, MODAL_SUBMIT};
    let fits = match kind {
        callback_type::MESSAGE | callback_type::DEFERRED_MESSAGE => called.kind != AUTOCOMPLETE,
        callback_type::DEFERRED_UPDATE => matches!(called.kind, COMPONENT | MODAL_SUBMIT),
        // A modal that a command opened has no message to update.
        callback_type::UPDATE => {
            matches!(called.kind, COMPONENT | MODAL_SUBMIT) && called.source.is_some()
        }
        callback_type::CHOICES => called.kind == AUTOCOMPLETE,
        callback_type::MODAL => matches!(called.kind, COMMAND | COMPONENT),
        // Answers a ping, which only HTTP endpoints get; and what needs a shop or an activity.
        callback_type::PONG | callback_type::PREMIUM_REQUIRED | callback_type::LAUNCH_ACTIVITY => {
            false
        }
        _ => return Err(Form::not_among("type", "(1, 4, 5, 6, 7, 8, 9, 10, 12)")),
    };
    if fits {
        return Ok(());
    }
    let mut form = Form::default();
    let why = "The callback type does not fit the interaction";
    form.wrong("type", "INTERACTION_CALLBACK_TYPE_INVALID", why);
    Err(form.refusal())
}

/// Checks the choices for an option of a type.
///
/// # Errors
/// 50035.
pub(super) fn check_choices(data: &Value, option: Option<u64>) -> Result<(), ApiError> {
    let mut form = Form::default();
    if data.get("choices").is_none_or(Value::is_null) {
        form.required("choices");
    }
    let choices = form.list("choices", data.get("choices"));
    if choices.len() > MOST_CHOICES {
        let why = format!("Must be {MOST_CHOICES} or fewer in length.");
        form.wrong("choices", "BASE_TYPE_MAX_LENGTH", why);
    }
    for (index, choice) in choices.iter().enumerate() {
        let at = format!("choices.{index}");
        form.required_text(&at, choice, "name", 1..=MOST_CHOICE_TEXT);
        match choice.get("value") {
            None | Some(Value::Null) => form.required(&format!("{at}.value")),
            Some(value) if option == Some(INTEGER) && value.as_i64().is_none() => {
                let why = format!("Value {value} is not int.");
                form.wrong(&format!("{at}.value"), "NUMBER_TYPE_COERCE", why);
            }
            Some(value) if option == Some(NUMBER) && !value.is_number() => {
                let why = format!("Value {value} is not float.");
                form.wrong(&format!("{at}.value"), "NUMBER_TYPE_COERCE", why);
            }
            Some(_) if matches!(option, Some(INTEGER | NUMBER)) => {}
            Some(_) => {
                form.text(&at, choice, "value", 1..=MOST_CHOICE_TEXT);
            }
        }
    }
    form.finish().map_err(|refused| refused.within("data"))
}

/// Checks a modal.
///
/// # Errors
/// 50035.
pub(super) fn check_opened(data: &Value, around: &Around) -> Result<(), ApiError> {
    let mut form = Form::default();
    check_modal(&mut form, data, around);
    form.finish().map_err(|refused| refused.within("data"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn callbacks_fit_their_interactions() {
        use interaction_kind::{AUTOCOMPLETE, COMMAND, COMPONENT, MODAL_SUBMIT};
        let called =
            |kind: u8, source: Option<u64>| Interaction { kind, source, ..Interaction::default() };
        for (kind, source, fitting) in [
            (COMMAND, None, &[4, 5, 9][..]),
            (COMPONENT, Some(1), &[4, 5, 6, 7, 9]),
            (AUTOCOMPLETE, None, &[8]),
            (MODAL_SUBMIT, Some(1), &[4, 5, 6, 7]),
            (MODAL_SUBMIT, None, &[4, 5, 6]),
        ] {
            for callback in 0..=13 {
                let taken = check_type(&called(kind, source), callback).is_ok();
                assert_eq!(taken, fitting.contains(&callback), "{kind} {source:?} {callback}");
            }
        }
    }

    #[test]
    fn choices_have_names_and_values_of_their_options() {
        let choice = |value: Value| json!({ "name": "n", "value": value });
        let long = "x".repeat(101);
        for (choices, option, good) in [
            (json!([]), 3, true),
            (json!(null), 3, false),
            (json!({}), 3, false),
            (Value::from(vec![choice(json!("v")); 25]), 3, true),
            (Value::from(vec![choice(json!("v")); 26]), 3, false),
            (json!([{ "name": "", "value": "v" }]), 3, false),
            (json!([{ "name": long, "value": "v" }]), 3, false),
            (json!([{ "name": "n" }]), 3, false),
            (json!([choice(json!(long))]), 3, false),
            (json!([choice(json!(5))]), 3, false),
            (json!([choice(json!(5))]), 4, true),
            (json!([choice(json!(5.5))]), 4, false),
            (json!([choice(json!("5"))]), 4, false),
            (json!([choice(json!(5.5))]), 10, true),
            (json!([choice(json!("5.5"))]), 10, false),
        ] {
            let told = check_choices(&json!({ "choices": choices }), Some(option));
            assert_eq!(told.is_ok(), good, "{option} {choices}");
        }
    }
}
