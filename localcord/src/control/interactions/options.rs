//! From what a human typed to the options of a command, as its registration wants them.

use std::ops::RangeInclusive;

use serde_json::{Map, Value, json};

use super::payload::Named;
use crate::{
    control::messages::file,
    rest::body::Upload,
    world::{State as World, bits},
};

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
    pub(super) const ATTACHMENT: u64 = 11;
}

/// Characters of a text option.
const MOST_TEXT: u64 = 6000;
/// The whole numbers that every client can hold: 2^53 and less, either side of 0.
const INTEGERS: RangeInclusive<i64> = -9_007_199_254_740_992..=9_007_199_254_740_992;

/// Options in the shape of INTERACTION_CREATE, and what came with them.
#[derive(Debug, Default)]
pub(super) struct Filled {
    pub(super) options: Vec<Value>,
    /// What the values name.
    pub(super) named: Named,
    /// The files, in the order of their options.
    pub(super) uploads: Vec<Upload>,
    /// The type of the option that is being typed.
    pub(super) focused: Option<u64>,
}

/// Fills in options for a human in a channel.
pub(super) struct Filling<'a> {
    pub(super) state: &'a World,
    pub(super) human: u64,
    pub(super) guild: Option<u64>,
    pub(super) channel: u64,
    /// The option that is being typed: nothing is required yet.
    pub(super) focused: Option<&'a str>,
    pub(super) filled: Filled,
}

impl Filling<'_> {
    /// Puts options into the shape of INTERACTION_CREATE. `given` is Discord's list
    /// (`[{name, value | options}]`) or an object (`{name: value | {…}}`).
    ///
    /// # Errors
    /// In words: an option that is not registered, is missing, or has the wrong value.
    pub(super) fn options(&mut self, registered: &Value, given: &Value) -> Result<(), String> {
        self.filled.options = self.list(registered, given)?;
        Ok(())
    }

    fn list(&mut self, registered: &Value, given: &Value) -> Result<Vec<Value>, String> {
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
                Some((_, value)) => filled.push(self.option(option, name, value)?),
                None if option["required"] == true && self.focused.is_none() => {
                    return Err(format!("`{name}` is required"));
                }
                None => {}
            }
        }
        let subcommands = registered.iter().any(nests);
        if subcommands && filled.len() != 1 {
            return Err("exactly one subcommand must be chosen".to_owned());
        }
        Ok(filled)
    }

    fn option(&mut self, option: &Value, name: &str, value: &Value) -> Result<Value, String> {
        let kind = option["type"].as_u64().unwrap_or_default();
        if nests(option) {
            let options = self.list(&option["options"], value)?;
            return Ok(json!({ "name": name, "type": kind, "options": options }));
        }
        let mut filled = Map::new();
        filled.insert("name".to_owned(), name.into());
        filled.insert("type".to_owned(), kind.into());
        if self.focused == Some(name) {
            if option["autocomplete"] != true {
                return Err(format!("`{name}` has no autocomplete"));
            }
            // What is typed is a text, whatever it will be.
            let typed = value.as_str().ok_or_else(|| format!("`{name}` is typed as a text"))?;
            filled.insert("value".to_owned(), typed.into());
            filled.insert("focused".to_owned(), true.into());
            self.filled.focused = Some(kind);
            return Ok(filled.into());
        }
        self.check(kind, option, name, value)?;
        let choices = option["choices"].as_array().filter(|choices| !choices.is_empty());
        if choices.is_some_and(|choices| !choices.iter().any(|choice| choice["value"] == *value)) {
            return Err(format!("`{name}` must be one of its choices"));
        }
        filled.insert("value".to_owned(), value.clone());
        Ok(filled.into())
    }

    /// The value fits the option.
    fn check(
        &mut self,
        kind: u64,
        option: &Value,
        name: &str,
        value: &Value,
    ) -> Result<(), String> {
        let wrong = || format!("`{name}` has the wrong kind of value");
        let id = || value.as_str().and_then(|text| text.parse::<u64>().ok()).ok_or_else(wrong);
        let unknown = |what: &str| format!("`{name}` names no {what} that is there");
        match kind {
            option_type::STRING => {
                let text = value.as_str().ok_or_else(wrong)?;
                let length = u64::try_from(text.chars().count()).unwrap_or(u64::MAX);
                let least = option["min_length"].as_u64().unwrap_or(1).max(1);
                let most = option["max_length"].as_u64().unwrap_or(MOST_TEXT);
                if !(least..=most).contains(&length) {
                    return Err(format!("`{name}` takes {least} to {most} characters"));
                }
            }
            option_type::INTEGER => {
                let number = value.as_i64().ok_or_else(wrong)?;
                if !INTEGERS.contains(&number) {
                    return Err(format!("`{name}` is too large a number"));
                }
                in_bounds(option, name, value)?;
            }
            option_type::NUMBER if value.is_number() => in_bounds(option, name, value)?,
            option_type::BOOLEAN if value.is_boolean() => {}
            option_type::USER => {
                let id = Some(id()?).filter(|id| self.state.users.contains_key(id));
                self.filled.named.users.push(id.ok_or_else(|| unknown("user"))?);
            }
            option_type::CHANNEL => {
                let id = Some(id()?).filter(|id| self.sees(*id, option));
                self.filled.named.channels.push(id.ok_or_else(|| unknown("channel"))?);
            }
            option_type::ROLE => {
                let id = Some(id()?).filter(|id| self.is_role(*id));
                self.filled.named.roles.push(id.ok_or_else(|| unknown("role"))?);
            }
            option_type::MENTIONABLE => {
                let id = id()?;
                if self.is_role(id) {
                    self.filled.named.roles.push(id);
                } else if self.state.users.contains_key(&id) {
                    self.filled.named.users.push(id);
                } else {
                    return Err(unknown("user or role"));
                }
            }
            option_type::ATTACHMENT => {
                let index = u64::try_from(self.filled.uploads.len()).unwrap_or(u64::MAX);
                self.filled.uploads.push(file(index, value)?);
            }
            _ => return Err(wrong()),
        }
        Ok(())
    }

    /// A channel of the guild, or the direct message itself, of a type that is asked for.
    fn sees(&self, id: u64, option: &Value) -> bool {
        let Some(channel) = self.state.channels.get(&id) else { return false };
        let wanted = option["channel_types"].as_array();
        (channel.guild_id.is_some() || id == self.channel)
            && channel.guild_id == self.guild
            && self.state.may(self.human, id, bits::VIEW_CHANNEL)
            && wanted.is_none_or(|wanted| {
                wanted.is_empty() || wanted.iter().any(|kind| *kind == channel.kind)
            })
    }

    fn is_role(&self, id: u64) -> bool {
        let guild = self.guild.and_then(|guild| self.state.guilds.get(&guild));
        guild.is_some_and(|guild| guild.roles.contains_key(&id))
    }
}

/// `min_value` and `max_value`.
fn in_bounds(option: &Value, name: &str, value: &Value) -> Result<(), String> {
    let number = value.as_f64().unwrap_or_default();
    let below = option["min_value"].as_f64().is_some_and(|least| number < least);
    let above = option["max_value"].as_f64().is_some_and(|most| number > most);
    if below || above { Err(format!("`{name}` is out of its bounds")) } else { Ok(()) }
}

/// Puts the ids of files that are kept now into their options, in order.
pub(super) fn set_attachments<'a>(
    options: &mut [Value],
    kept: &mut impl Iterator<Item = &'a Value>,
) {
    for option in options {
        if option["type"] == option_type::ATTACHMENT {
            option["value"] = kept.next().map(|file| file["id"].clone()).unwrap_or_default();
        }
        if let Some(Value::Array(inner)) = option.get_mut("options") {
            set_attachments(inner, &mut *kept);
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::default::{ADA, BEN, GENERAL, GUILD, LOUNGE, default_state};

    fn fill(registered: &Value, given: &Value) -> Result<Filled, String> {
        fill_focused(registered, given, None)
    }

    fn fill_focused(
        registered: &Value,
        given: &Value,
        focused: Option<&str>,
    ) -> Result<Filled, String> {
        let state = default_state();
        let (human, guild, channel, filled) = (ADA, Some(GUILD), GENERAL, Filled::default());
        let mut filling = Filling { state: &state, human, guild, channel, focused, filled };
        filling.options(registered, given)?;
        Ok(filling.filled)
    }

    fn registered() -> Value {
        json!([
            { "name": "join", "type": 1, "options": [
                { "name": "channel", "type": 7, "required": true, "channel_types": [2, 13] },
                { "name": "mode", "type": 3, "choices": [{ "name": "A", "value": "a" }] },
            ]},
            { "name": "leave", "type": 1 },
        ])
    }

    #[test]
    fn options_take_the_registered_shape() {
        let lounge = LOUNGE.to_string();
        let expected = json!([{ "name": "join", "type": 1, "options": [
            { "name": "channel", "type": 7, "value": lounge },
            { "name": "mode", "type": 3, "value": "a" },
        ]}]);
        for given in [
            json!({ "join": { "mode": "a", "channel": lounge } }),
            json!([{ "name": "join", "type": 1, "options": [
                { "name": "channel", "value": lounge }, { "name": "mode", "value": "a" }] }]),
        ] {
            let filled = fill(&registered(), &given).unwrap();
            assert_eq!(Value::from(filled.options), expected);
            assert_eq!(filled.named.channels, [LOUNGE]);
        }
    }

    #[test]
    fn what_is_not_registered_is_refused() {
        let (lounge, general) = (LOUNGE.to_string(), GENERAL.to_string());
        let cases = [
            (json!({}), "exactly one subcommand must be chosen"),
            (json!({ "stop": {} }), "there is no option `stop`"),
            (json!({ "join": {} }), "`channel` is required"),
            (json!({ "join": { "channel": 12 } }), "`channel` has the wrong kind of value"),
            (json!({ "join": { "channel": "12" } }), "`channel` names no channel that is there"),
            (json!({ "join": { "channel": general } }), "`channel` names no channel that is there"),
            (
                json!({ "join": { "channel": lounge, "mode": "b" } }),
                "`mode` must be one of its choices",
            ),
            (
                json!({ "join": { "channel": lounge }, "leave": {} }),
                "exactly one subcommand must be chosen",
            ),
            (json!("join"), "`options` must be a list or an object"),
            (json!([{ "value": 1 }]), "every option needs a `name`"),
        ];
        for (given, expected) in cases {
            assert_eq!(fill(&registered(), &given).unwrap_err(), expected, "{given}");
        }
        assert!(fill(&Value::Null, &Value::Null).is_ok());
    }

    #[test]
    fn every_type_has_its_values() {
        let file = json!({ "name": "a.txt", "text": "x" });
        let cases = [
            (json!({ "type": 3 }), json!("text"), true),
            (json!({ "type": 3 }), json!(""), false),
            (json!({ "type": 3 }), json!(5), false),
            (json!({ "type": 3, "min_length": 3 }), json!("ab"), false),
            (json!({ "type": 3, "max_length": 1 }), json!("ab"), false),
            (json!({ "type": 4 }), json!(-5), true),
            (json!({ "type": 4 }), json!(5.5), false),
            (json!({ "type": 4 }), json!(1_u64 << 54), false),
            (json!({ "type": 4, "min_value": 3 }), json!(2), false),
            (json!({ "type": 4, "max_value": 3 }), json!(4), false),
            (json!({ "type": 5 }), json!(true), true),
            (json!({ "type": 5 }), json!("true"), false),
            (json!({ "type": 6 }), json!(BEN.to_string()), true),
            (json!({ "type": 6 }), json!("404"), false),
            (json!({ "type": 7 }), json!(GENERAL.to_string()), true),
            (json!({ "type": 8 }), json!(GUILD.to_string()), true),
            (json!({ "type": 8 }), json!(BEN.to_string()), false),
            (json!({ "type": 9 }), json!(BEN.to_string()), true),
            (json!({ "type": 9 }), json!(GUILD.to_string()), true),
            (json!({ "type": 9 }), json!("404"), false),
            (json!({ "type": 10 }), json!(5.5), true),
            (json!({ "type": 10, "max_value": 5 }), json!(5.5), false),
            (json!({ "type": 11 }), file, true),
            (json!({ "type": 11 }), json!("5"), false),
        ];
        for (mut option, value, good) in cases {
            option["name"] = "x".into();
            let filled = fill(&json!([option]), &json!({ "x": value }));
            assert_eq!(filled.is_ok(), good, "{option} {value}");
        }
    }

    #[test]
    fn what_is_typed_is_focused_and_nothing_is_required_yet() {
        let options = json!([
            { "name": "first", "type": 3, "required": true },
            { "name": "number", "type": 4, "autocomplete": true },
            { "name": "plain", "type": 3 },
        ]);
        let filled = fill_focused(&options, &json!({ "number": "1" }), Some("number")).unwrap();
        let expected = json!([{ "name": "number", "type": 4, "value": "1", "focused": true }]);
        assert_eq!((Value::from(filled.options), filled.focused), (expected, Some(4)));
        let plain = fill_focused(&options, &json!({ "plain": "x" }), Some("plain"));
        assert_eq!(plain.unwrap_err(), "`plain` has no autocomplete");
        let number = fill_focused(&options, &json!({ "number": 1 }), Some("number"));
        assert_eq!(number.unwrap_err(), "`number` is typed as a text");
        let absent = fill_focused(&options, &json!({}), Some("number")).unwrap();
        assert_eq!(absent.focused, None);
    }

    #[test]
    fn files_get_their_ids_in_order() {
        let file = |value: &str| json!({ "name": "f", "type": 11, "value": value });
        let mut options =
            vec![json!({ "name": "s", "type": 1, "options": [file("x")] }), file("y")];
        let kept = [json!({ "id": "5" }), json!({ "id": "6" })];
        set_attachments(&mut options, &mut kept.iter());
        assert_eq!(options[0]["options"][0], file("5"));
        assert_eq!(options[1], file("6"));
    }
}
