//! From what a human typed to the options of a command, as its registration wants them.

use serde_json::{Map, Value, json};

/// Option types ("Application Command Option Type").
mod option_type {
    pub(super) const SUB_COMMAND: u64 = 1;
    pub(super) const SUB_COMMAND_GROUP: u64 = 2;
    pub(super) const STRING: u64 = 3;
    pub(super) const INTEGER: u64 = 4;
    pub(super) const BOOLEAN: u64 = 5;
    pub(super) const USER: u64 = 6;
    pub(super) const CHANNEL: u64 = 7;
    pub(super) const ROLE: u64 = 8;
    pub(super) const MENTIONABLE: u64 = 9;
    pub(super) const NUMBER: u64 = 10;
}

/// The ids that option values name, for the `resolved` part of an interaction.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) users: Vec<u64>,
    pub(super) channels: Vec<u64>,
    pub(super) roles: Vec<u64>,
}

/// Puts options into the shape of INTERACTION_CREATE. `given` is Discord's list
/// (`[{name, value | options}]`) or an object (`{name: value | {…}}`).
///
/// # Errors
/// In words: an option that is not registered, is missing, or has the wrong value.
pub(super) fn fill_options(
    registered: &Value,
    given: &Value,
    named: &mut Named,
) -> Result<Vec<Value>, String> {
    let registered = registered.as_array().map_or(&[][..], Vec::as_slice);
    let given = pairs(given)?;
    for (name, _) in &given {
        if !registered.iter().any(|option| option["name"] == name.as_str()) {
            return Err(format!("there is no option `{name}`"));
        }
    }
    let mut filled = Vec::new();
    for option in registered {
        let name = option["name"].as_str().unwrap_or_default();
        match given.iter().find(|(known, _)| known == name) {
            Some((_, value)) => filled.push(fill(option, name, value, named)?),
            None if option["required"] == true => return Err(format!("`{name}` is required")),
            None => {}
        }
    }
    let subcommands = registered.iter().any(nests);
    if subcommands && filled.len() != 1 {
        return Err("exactly one subcommand must be chosen".to_owned());
    }
    Ok(filled)
}

fn nests(option: &Value) -> bool {
    matches!(
        option["type"].as_u64(),
        Some(option_type::SUB_COMMAND | option_type::SUB_COMMAND_GROUP)
    )
}

/// Names with their values or nested options.
fn pairs(given: &Value) -> Result<Vec<(String, Value)>, String> {
    match given {
        Value::Null => Ok(Vec::new()),
        Value::Object(fields) => {
            Ok(fields.iter().map(|(name, value)| (name.clone(), value.clone())).collect())
        }
        Value::Array(list) => list
            .iter()
            .map(|one| {
                let name = one["name"].as_str().ok_or("every option needs a `name`")?;
                let value = one.get("value").or_else(|| one.get("options"));
                Ok((name.to_owned(), value.cloned().unwrap_or_default()))
            })
            .collect(),
        _ => Err("`options` must be a list or an object".to_owned()),
    }
}

fn fill(option: &Value, name: &str, value: &Value, named: &mut Named) -> Result<Value, String> {
    let kind = option["type"].as_u64().unwrap_or_default();
    if nests(option) {
        let options = fill_options(&option["options"], value, named)?;
        return Ok(json!({ "name": name, "type": kind, "options": options }));
    }
    let id = || value.as_str().and_then(|text| text.parse::<u64>().ok());
    let wrong = || format!("`{name}` has the wrong kind of value");
    match kind {
        option_type::STRING if value.is_string() => {}
        option_type::INTEGER if value.is_i64() || value.is_u64() => {}
        option_type::BOOLEAN if value.is_boolean() => {}
        option_type::NUMBER if value.is_number() => {}
        option_type::USER => named.users.push(id().ok_or_else(wrong)?),
        option_type::CHANNEL => named.channels.push(id().ok_or_else(wrong)?),
        option_type::ROLE => named.roles.push(id().ok_or_else(wrong)?),
        option_type::MENTIONABLE => {
            let id = id().ok_or_else(wrong)?;
            named.users.push(id);
            named.roles.push(id);
        }
        _ => return Err(wrong()),
    }
    let choices = option["choices"].as_array().filter(|choices| !choices.is_empty());
    if choices.is_some_and(|choices| !choices.iter().any(|choice| choice["value"] == *value)) {
        return Err(format!("`{name}` must be one of its choices"));
    }
    let mut filled = Map::new();
    filled.insert("name".to_owned(), name.into());
    filled.insert("type".to_owned(), kind.into());
    filled.insert("value".to_owned(), value.clone());
    Ok(filled.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn registered() -> Value {
        json!([
            { "name": "join", "type": 1, "options": [
                { "name": "channel", "type": 7, "required": true },
                { "name": "mode", "type": 3, "choices": [{ "name": "A", "value": "a" }] },
            ]},
            { "name": "leave", "type": 1 },
        ])
    }

    #[test]
    fn options_take_the_registered_shape() {
        let expected = json!([{ "name": "join", "type": 1, "options": [
            { "name": "channel", "type": 7, "value": "12" },
            { "name": "mode", "type": 3, "value": "a" },
        ]}]);
        for given in [
            json!({ "join": { "mode": "a", "channel": "12" } }),
            json!([{ "name": "join", "type": 1, "options": [
                { "name": "channel", "value": "12" }, { "name": "mode", "value": "a" }] }]),
        ] {
            let mut named = Named::default();
            let filled = fill_options(&registered(), &given, &mut named).unwrap();
            assert_eq!(Value::from(filled), expected);
            assert_eq!(named.channels, [12]);
        }
    }

    #[test]
    fn what_is_not_registered_is_refused() {
        let cases = [
            (json!({}), "exactly one subcommand must be chosen"),
            (json!({ "stop": {} }), "there is no option `stop`"),
            (json!({ "join": {} }), "`channel` is required"),
            (json!({ "join": { "channel": 12 } }), "`channel` has the wrong kind of value"),
            (
                json!({ "join": { "channel": "12", "mode": "b" } }),
                "`mode` must be one of its choices",
            ),
            (
                json!({ "join": { "channel": "12" }, "leave": {} }),
                "exactly one subcommand must be chosen",
            ),
            (json!("join"), "`options` must be a list or an object"),
            (json!([{ "value": 1 }]), "every option needs a `name`"),
        ];
        for (given, expected) in cases {
            let refused = fill_options(&registered(), &given, &mut Named::default());
            assert_eq!(refused.unwrap_err(), expected, "{given}");
        }
        assert!(fill_options(&Value::Null, &Value::Null, &mut Named::default()).is_ok());
    }
}
