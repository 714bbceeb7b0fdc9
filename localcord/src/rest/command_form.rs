//! What an application command must look like ("Application Commands", structure and limits).

use serde_json::{Value, json};

use super::error::{ApiError, Form};

/// Options per command, choices per option.
const MOST_OPTIONS: usize = 25;
/// Commands per scope, by type: slash, user, message, primary entry point.
const MOST_PER_TYPE: [(u64, usize); 4] = [(1, 100), (2, 5), (3, 5), (4, 1)];
/// Characters in all names, descriptions and choice values of one command.
const MOST_CHARACTERS: usize = 8000;
const SUB_COMMAND: u64 = 1;
const SUB_COMMAND_GROUP: u64 = 2;
const STRING: u64 = 3;
const INTEGER: u64 = 4;
const CHANNEL: u64 = 7;
const NUMBER: u64 = 10;
const LAST_OPTION_TYPE: u64 = 11;
/// The most that a text option's length can be bounded by.
const MOST_LENGTH: i64 = 6000;
/// Fields a client may set; the rest is the server's.
const SETTABLE: [&str; 11] = [
    "name",
    "name_localizations",
    "description",
    "description_localizations",
    "options",
    "default_member_permissions",
    "dm_permission",
    "nsfw",
    "contexts",
    "integration_types",
    "type",
];

/// The type of a command; slash commands may leave it out.
pub(crate) fn command_type(command: &Value) -> u64 {
    command.get("type").and_then(Value::as_u64).unwrap_or(1)
}

/// Checks a list of commands that is to replace all commands of a scope.
///
/// # Errors
/// 50035 with the tree of wrong fields; 30032 when there are too many.
pub(crate) fn check_all(commands: &[Value]) -> Result<(), ApiError> {
    for (kind, most) in MOST_PER_TYPE {
        if commands.iter().filter(|command| command_type(command) == kind).count() > most {
            return Err(too_many(most));
        }
    }
    let mut form = Form::default();
    for (at, command) in commands.iter().enumerate() {
        check_command(&mut form, &format!("{at}."), command);
        let key = |command: &Value| (command_type(command), command.get("name").cloned());
        if commands[..at].iter().any(|earlier| key(earlier) == key(command)) {
            form.wrong(
                &format!("{at}.name"),
                "APPLICATION_COMMANDS_DUPLICATE_NAME",
                "Application command names must be unique",
            );
        }
    }
    form.finish()
}

/// The refusal for one command more than a scope may hold.
pub(crate) fn too_many(most: usize) -> ApiError {
    let message = format!("Maximum number of application commands reached ({most})");
    ApiError::new(axum::http::StatusCode::BAD_REQUEST, 30_032, message)
}

/// How many commands of a type a scope may hold.
pub(crate) fn most_of_type(kind: u64) -> usize {
    MOST_PER_TYPE.iter().find(|(known, _)| *known == kind).map_or(0, |(_, most)| *most)
}

/// Checks one command.
///
/// # Errors
/// 50035 with the tree of wrong fields.
pub(crate) fn check(command: &Value) -> Result<(), ApiError> {
    let mut form = Form::default();
    check_command(&mut form, "", command);
    form.finish()
}

/// The command as the server stores and shows it: what the client set, and defaults for the rest.
pub(crate) fn completed(command: &Value, id: u64, application: u64, guild: Option<u64>) -> Value {
    let mut full = json!({
        "name_localizations": null,
        "description": "",
        "description_localizations": null,
        "default_member_permissions": null,
        "dm_permission": true,
        "nsfw": false,
        "contexts": null,
        "integration_types": [0],
        "type": 1,
    });
    merge(&mut full, command);
    full["id"] = id.to_string().into();
    full["version"] = id.to_string().into();
    full["application_id"] = application.to_string().into();
    if let Some(guild) = guild {
        full["guild_id"] = guild.to_string().into();
    }
    full
}

/// Puts the fields a client may set over those of a stored command.
pub(crate) fn merge(stored: &mut Value, changes: &Value) {
    for field in SETTABLE {
        if let Some(value) = changes.get(field) {
            stored[field] = value.clone();
        }
    }
}

fn check_command(form: &mut Form, at: &str, command: &Value) {
    let kind = command_type(command);
    if !(1..=4).contains(&kind) {
        form.choice(&format!("{at}type"), "(1, 2, 3, 4)");
    }
    check_name(form, at, command, kind == 1);
    let description = command.get("description").and_then(Value::as_str).unwrap_or_default();
    if kind == 1 {
        check_description(form, at, command);
    } else if matches!(kind, 2 | 3) && !description.is_empty() {
        form.wrong(
            &format!("{at}description"),
            "APPLICATION_COMMAND_CONTEXT_MENU_DESCRIPTION",
            "Context menu commands cannot have descriptions",
        );
    }
    check_options(form, at, command, 0);
    if characters(command) > MOST_CHARACTERS {
        form.wrong(
            &format!("{at}name"),
            "APPLICATION_COMMAND_TOO_LARGE",
            format!("Command exceeds maximum size ({MOST_CHARACTERS})"),
        );
    }
}

fn check_name(form: &mut Form, at: &str, thing: &Value, slash: bool) {
    let path = format!("{at}name");
    let Some(name) = thing.get("name").and_then(Value::as_str) else {
        return form.required(&path);
    };
    if form.length(&path, name, 1, 32) && slash && !is_slash_name(name) {
        form.wrong(
            &path,
            "APPLICATION_COMMAND_INVALID_NAME",
            "Command name is invalid: lowercase letters, digits, - and _ only",
        );
    }
}

/// Letters and digits of any script, `-`, `_` and `'`; no upper case where a lower case exists.
fn is_slash_name(name: &str) -> bool {
    name.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | '\''))
        && name.to_lowercase() == name
}

fn check_description(form: &mut Form, at: &str, thing: &Value) {
    let path = format!("{at}description");
    match thing.get("description").and_then(Value::as_str) {
        Some(text) => {
            form.length(&path, text, 1, 100);
        }
        None => form.required(&path),
    }
}

fn check_options(form: &mut Form, at: &str, parent: &Value, depth: u8) {
    let options = match parent.get("options") {
        None | Some(Value::Null) => return,
        Some(Value::Array(options)) => options,
        Some(_) => {
            return form.wrong(
                &format!("{at}options"),
                "LIST_TYPE_CONVERT",
                "Only iterables may be used in a ListType",
            );
        }
    };
    if options.len() > MOST_OPTIONS {
        form.wrong(
            &format!("{at}options"),
            "BASE_TYPE_MAX_LENGTH",
            format!("Must be {MOST_OPTIONS} or fewer in length."),
        );
    }
    let mut optional_seen = false;
    for (index, option) in options.iter().enumerate() {
        let path = format!("{at}options.{index}.");
        check_option(form, &path, option, depth);
        let required = option.get("required").and_then(Value::as_bool).unwrap_or(false);
        if required && optional_seen {
            form.wrong(
                &format!("{path}required"),
                "APPLICATION_COMMAND_OPTIONS_REQUIRED_INVALID",
                "Required options must be placed before non-required options",
            );
        }
        optional_seen |= !required;
        let name = option.get("name");
        if options[..index].iter().any(|earlier| earlier.get("name") == name) {
            form.wrong(
                &format!("{path}name"),
                "APPLICATION_COMMAND_OPTIONS_NAME_ALREADY_EXISTS",
                "Option name already exists",
            );
        }
    }
}

fn check_option(form: &mut Form, path: &str, option: &Value, depth: u8) {
    check_name(form, path, option, true);
    check_description(form, path, option);
    let kind = option.get("type").and_then(Value::as_u64).unwrap_or(0);
    let nests = matches!(kind, SUB_COMMAND | SUB_COMMAND_GROUP);
    let misplaced = (kind == SUB_COMMAND && depth > 1) || (kind == SUB_COMMAND_GROUP && depth > 0);
    if kind == 0 {
        form.required(&format!("{path}type"));
    } else if kind > LAST_OPTION_TYPE {
        form.choice(&format!("{path}type"), "(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11)");
    } else if misplaced {
        form.wrong(
            &format!("{path}type"),
            "APPLICATION_COMMAND_OPTIONS_TYPE_INVALID",
            "Sub-command and sub-command group option types cannot be nested here",
        );
    }
    if nests && depth < 2 {
        check_options(form, path, option, depth + if kind == SUB_COMMAND { 2 } else { 1 });
    }
    check_choices(form, path, option);
    check_bounds(form, path, option, kind);
}

/// What only some types have: choices, autocomplete in their place, bounds, types of channels.
fn check_bounds(form: &mut Form, path: &str, option: &Value, kind: u64) {
    let at = path.trim_end_matches('.');
    let has = |field: &str| option.get(field).is_some_and(|value| !value.is_null());
    let is_typed = matches!(kind, STRING | INTEGER | NUMBER);
    let chosen = option["choices"].as_array().is_some_and(|choices| !choices.is_empty());
    form.flag(at, option, "autocomplete");
    if option["autocomplete"] == true && chosen {
        let why = "Options with autocomplete cannot have choices";
        let path = format!("{path}autocomplete");
        form.wrong(&path, "APPLICATION_COMMAND_OPTIONS_AUTOCOMPLETE_CHOICES", why);
    }
    let misplaced = [
        ("choices", chosen && !is_typed),
        ("autocomplete", option["autocomplete"] == true && !is_typed),
        ("min_value", has("min_value") && !matches!(kind, INTEGER | NUMBER)),
        ("max_value", has("max_value") && !matches!(kind, INTEGER | NUMBER)),
        ("min_length", has("min_length") && kind != STRING),
        ("max_length", has("max_length") && kind != STRING),
        ("channel_types", has("channel_types") && kind != CHANNEL),
    ];
    for (field, wrong) in misplaced {
        if wrong {
            let why = "This field is not for options of this type";
            let path = format!("{path}{field}");
            form.wrong(&path, "APPLICATION_COMMAND_OPTIONS_TYPE_INVALID", why);
        }
    }
    let least = form.integer(at, option, "min_length", 0..=MOST_LENGTH);
    let most = form.integer(at, option, "max_length", 1..=MOST_LENGTH);
    let values = (option["min_value"].as_f64(), option["max_value"].as_f64());
    let crossed = least.zip(most).is_some_and(|(least, most)| least > most)
        || values.0.zip(values.1).is_some_and(|(least, most)| least > most);
    if crossed {
        let why = "The minimum exceeds the maximum";
        form.wrong(at, "APPLICATION_COMMAND_OPTIONS_BOUNDS_INVALID", why);
    }
}

fn check_choices(form: &mut Form, path: &str, option: &Value) {
    let Some(choices) = option.get("choices").and_then(Value::as_array) else { return };
    if choices.len() > MOST_OPTIONS {
        form.wrong(
            &format!("{path}choices"),
            "BASE_TYPE_MAX_LENGTH",
            format!("Must be {MOST_OPTIONS} or fewer in length."),
        );
    }
    for (index, choice) in choices.iter().enumerate() {
        let name_path = format!("{path}choices.{index}.name");
        match choice.get("name").and_then(Value::as_str) {
            Some(name) => {
                form.length(&name_path, name, 1, 100);
            }
            None => form.required(&name_path),
        }
        let value_path = format!("{path}choices.{index}.value");
        match choice.get("value") {
            Some(Value::String(text)) => {
                form.length(&value_path, text, 1, 100);
            }
            Some(Value::Number(_)) => {}
            _ => form.required(&value_path),
        }
    }
}

/// Characters of all names, descriptions and values, as Discord counts the size of a command.
fn characters(thing: &Value) -> usize {
    let own: usize = ["name", "description", "value"]
        .iter()
        .filter_map(|field| thing.get(field)?.as_str())
        .map(|text| text.chars().count())
        .sum();
    let nested: usize = ["options", "choices"]
        .iter()
        .filter_map(|field| thing.get(field)?.as_array())
        .flatten()
        .map(characters)
        .sum();
    own + nested
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse;

    use super::*;

    fn option(name: &str, kind: u64, required: bool) -> Value {
        json!({ "name": name, "description": "d", "type": kind, "required": required })
    }

    #[test]
    fn commands_are_taken_or_refused() {
        let group = json!({ "name": "g", "description": "d", "type": 2, "options": [
            { "name": "join", "description": "d", "type": 1, "options": [option("where", 7, true)] }
        ]});
        let group_in_sub =
            json!({ "name": "s", "description": "d", "type": 1, "options": [group] });
        let choice = json!({ "name": "one", "description": "d", "type": 3,
            "choices": [{ "name": "", "value": "v" }] });
        let cases = [
            (json!({ "name": "vc", "description": "Voice" }), true),
            (json!({ "name": "sprich-über_das", "description": "d" }), true),
            (json!({ "name": "VC", "description": "Voice" }), false),
            (json!({ "name": "two words", "description": "d" }), false),
            (json!({ "name": "x".repeat(33), "description": "d" }), false),
            (json!({ "name": "vc" }), false),
            (json!({ "name": "vc", "description": "d".repeat(101) }), false),
            (json!({ "description": "d" }), false),
            (json!({ "name": "Say It", "type": 3 }), true),
            (json!({ "name": "Say It", "type": 3, "description": "no" }), false),
            (json!({ "name": "x", "type": 9 }), false),
            (json!({ "name": "x", "description": "d", "options": [group] }), true),
            (json!({ "name": "x", "description": "d", "options": [group_in_sub] }), false),
            (json!({ "name": "x", "description": "d", "options": [choice] }), false),
            (json!({ "name": "x", "description": "d", "options": "no" }), false),
            (
                json!({ "name": "x", "description": "d", "options": [option("a", 12, false)] }),
                false,
            ),
            (
                json!({ "name": "x", "description": "d",
                    "options": [option("a", 3, false), option("b", 3, true)] }),
                false,
            ),
            (
                json!({ "name": "x", "description": "d",
                    "options": [option("a", 3, true), option("a", 3, true)] }),
                false,
            ),
        ];
        for (command, good) in cases {
            assert_eq!(check(&command).is_ok(), good, "{command}");
        }
    }

    #[test]
    fn options_have_what_their_types_have() {
        let choices = json!([{ "name": "a", "value": "a" }]);
        for (option, good) in [
            (json!({ "type": 3, "autocomplete": true }), true),
            (json!({ "type": 10, "autocomplete": true }), true),
            (json!({ "type": 6, "autocomplete": true }), false),
            (json!({ "type": 3, "autocomplete": "yes" }), false),
            (json!({ "type": 3, "choices": choices }), true),
            (json!({ "type": 5, "choices": choices }), false),
            (json!({ "type": 3, "choices": choices, "autocomplete": true }), false),
            (json!({ "type": 3, "min_length": 0, "max_length": 6000 }), true),
            (json!({ "type": 3, "max_length": 6001 }), false),
            (json!({ "type": 3, "min_length": 3, "max_length": 2 }), false),
            (json!({ "type": 4, "min_length": 1 }), false),
            (json!({ "type": 4, "min_value": -5, "max_value": 5 }), true),
            (json!({ "type": 10, "min_value": 1.5, "max_value": 1.0 }), false),
            (json!({ "type": 3, "max_value": 5 }), false),
            (json!({ "type": 7, "channel_types": [0] }), true),
            (json!({ "type": 8, "channel_types": [0] }), false),
        ] {
            let mut full = option.clone();
            (full["name"], full["description"]) = ("o".into(), "d".into());
            let command = json!({ "name": "x", "description": "d", "options": [full] });
            assert_eq!(check(&command).is_ok(), good, "{option}");
        }
    }

    #[test]
    fn a_scope_has_unique_names_and_a_limit() {
        let slash = |name: &str| json!({ "name": name, "description": "d" });
        assert!(check_all(&[slash("a"), json!({ "name": "a", "type": 2 })]).is_ok());
        assert!(check_all(&[slash("a"), slash("a")]).is_err());
        let many: Vec<Value> = (0..101).map(|n| slash(&format!("c{n}"))).collect();
        assert!(check_all(&many[..100]).is_ok());
        assert_eq!(check_all(&many).unwrap_err().into_response().status(), 400);
    }

    #[test]
    fn the_server_fills_in_what_the_client_left_out() {
        let full =
            completed(&json!({ "name": "vc", "description": "d", "id": "9" }), 5, 6, Some(7));
        assert_eq!(full["id"], "5");
        assert_eq!(full["application_id"], "6");
        assert_eq!(full["guild_id"], "7");
        assert_eq!(full["type"], 1);
    }
}
