//! Selects: with the sender's own options, or filled with users, roles and channels.

use serde_json::Value;

use super::Checker;
use crate::world::component_kind as kind;

/// Options of a select.
const MOST_OPTIONS: usize = 25;
const MOST_PLACEHOLDER: usize = 150;
/// Characters of an option's label, value and description.
const MOST_OPTION_TEXT: usize = 100;
/// Types of channels that can be asked for ("Channel Types").
const CHANNEL_TYPES: [u64; 12] = [0, 1, 2, 3, 4, 5, 10, 11, 12, 13, 15, 16];

/// How many values can be chosen.
#[derive(Clone, Copy)]
pub(super) struct Bounds {
    pub(super) least: i64,
    pub(super) most: i64,
}

impl Checker<'_> {
    pub(super) fn string_select(&mut self, path: &str, select: &Value) {
        self.select(path, select);
        let bounds = self.bounds(path, select, 25, 1);
        self.options(path, select, 1..=MOST_OPTIONS, bounds);
    }

    /// A list of options from which so many can be chosen.
    pub(super) fn options(
        &mut self,
        path: &str,
        field: &Value,
        count: std::ops::RangeInclusive<usize>,
        bounds: Bounds,
    ) {
        let at = format!("{path}.options");
        let options = self.form.list(&at, field.get("options"));
        self.form.count(&at, options.len(), count);
        let mut defaults = 0;
        for (index, option) in options.iter().enumerate() {
            let at = format!("{at}.{index}");
            self.form.required_text(&at, option, "label", 1..=MOST_OPTION_TEXT);
            self.form.required_text(&at, option, "value", 1..=MOST_OPTION_TEXT);
            self.form.text(&at, option, "description", 0..=MOST_OPTION_TEXT);
            self.form.flag(&at, option, "default");
            self.emoji(&at, option);
            let value = option.get("value").filter(|value| value.is_string());
            if value.is_some() && options[..index].iter().any(|one| one.get("value") == value) {
                let why = "The specified option value is already used";
                self.form.wrong(&at, "SELECT_COMPONENT_OPTION_VALUE_DUPLICATED", why);
            }
            defaults += i64::from(option["default"] == true);
        }
        if defaults > bounds.most {
            self.too_many_defaults(&at);
        }
        if !options.is_empty() && i64::try_from(options.len()).is_ok_and(|all| bounds.most > all) {
            let why = "The specified maximum values exceeds the number of options";
            let path = format!("{path}.max_values");
            self.form.wrong(&path, "SELECT_COMPONENT_MAX_VALUES_EXCEEDS_OPTIONS", why);
        }
    }

    fn too_many_defaults(&mut self, path: &str) {
        let why = "The specified number of default values exceeds the specified maximum values";
        self.form.wrong(path, "SELECT_COMPONENT_TOO_MANY_DEFAULT_VALUES", why);
    }

    /// A select whose options Discord puts in.
    pub(super) fn filled_select(&mut self, path: &str, select: &Value, kind: u64) {
        self.select(path, select);
        let bounds = self.bounds(path, select, 25, 1);
        let at = format!("{path}.default_values");
        let defaults = self.form.list(&at, select.get("default_values"));
        let known: &[&str] = match kind {
            kind::USER_SELECT => &["user"],
            kind::ROLE_SELECT => &["role"],
            kind::CHANNEL_SELECT => &["channel"],
            _ => &["user", "role"],
        };
        for (index, default) in defaults.iter().enumerate() {
            let at = format!("{at}.{index}");
            let id = &default["id"];
            let id = id.as_u64().or_else(|| id.as_str()?.parse::<u64>().ok());
            if id.is_none() {
                let why = format!("Value {} is not snowflake.", default["id"]);
                self.form.wrong(&format!("{at}.id"), "NUMBER_TYPE_COERCE", why);
            }
            if !default["type"].as_str().is_some_and(|given| known.contains(&given)) {
                let list = known.iter().map(|one| format!("'{one}'")).collect::<Vec<_>>();
                self.form.choice(&format!("{at}.type"), &format!("({})", list.join(", ")));
            }
        }
        match i64::try_from(defaults.len()).unwrap_or(i64::MAX) {
            0 => {}
            count if count > bounds.most => self.too_many_defaults(&at),
            count if count < bounds.least => {
                let why = "The specified number of default values is below the minimum values";
                self.form.wrong(&at, "SELECT_COMPONENT_TOO_FEW_DEFAULT_VALUES", why);
            }
            _ => {}
        }
        if kind == kind::CHANNEL_SELECT {
            let at = format!("{path}.channel_types");
            for (index, wanted) in
                self.form.list(&at, select.get("channel_types")).iter().enumerate()
            {
                if !wanted.as_u64().is_some_and(|wanted| CHANNEL_TYPES.contains(&wanted)) {
                    let list = "(0, 1, 2, 3, 4, 5, 10, 11, 12, 13, 15, 16)";
                    self.form.choice(&format!("{at}.{index}"), list);
                }
            }
        }
    }

    /// What all selects have.
    fn select(&mut self, path: &str, select: &Value) {
        self.custom_id(path, select);
        self.form.text(path, select, "placeholder", 0..=MOST_PLACEHOLDER);
        self.form.flag(path, select, "disabled");
        if self.modal && select["disabled"] == true {
            let why = "Components in modals cannot be disabled";
            self.form.wrong(&format!("{path}.disabled"), "COMPONENT_DISABLED_IN_MODAL", why);
        }
    }

    /// `min_values` and `max_values`, both at most `limit`; `usual`: the most if it is left out.
    pub(super) fn bounds(&mut self, path: &str, field: &Value, limit: i64, usual: i64) -> Bounds {
        let least = self.form.integer(path, field, "min_values", 0..=limit);
        let most = self.form.integer(path, field, "max_values", 1..=limit).unwrap_or(usual);
        self.form.flag(path, field, "required");
        let at = format!("{path}.min_values");
        if least.is_some_and(|least| least > most) {
            let why = "The specified minimum values exceeds the maximum values";
            self.form.wrong(&at, "SELECT_COMPONENT_MIN_VALUES_EXCEEDS_MAX_VALUES", why);
        }
        // `required` is true unless it is said otherwise, and means nothing in messages.
        if self.modal && least == Some(0) && field["required"] != false {
            let why = "Select menus marked as required cannot have a min_values of 0";
            self.form.wrong(&at, "SELECT_COMPONENT_REQUIRED_ZERO_MIN_VALUES", why);
        }
        Bounds { least: least.unwrap_or(1), most }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::fixtures::{one, with, wrong_in_row};

    fn options(count: usize) -> Value {
        (0..count).map(|n| json!({ "label": format!("l{n}"), "value": format!("v{n}") })).collect()
    }

    #[test]
    fn string_selects_are_taken_or_refused() {
        let select = json!({ "type": 3, "custom_id": "pick", "options": options(3) });
        let duplicated = "SELECT_COMPONENT_OPTION_VALUE_DUPLICATED";
        let option = |changes: Value| json!({ "options": [with(&json!({ "label": "l", "value": "v" }), changes)] });
        let long = "x".repeat(101);
        let cases = [
            (json!({}), vec![]),
            (json!({ "custom_id": null }), one(".custom_id", "BASE_TYPE_REQUIRED")),
            (json!({ "options": null }), one(".options", "BASE_TYPE_BAD_LENGTH")),
            (json!({ "options": options(25) }), vec![]),
            (json!({ "options": options(26) }), one(".options", "BASE_TYPE_BAD_LENGTH")),
            (json!({ "placeholder": "x".repeat(150) }), vec![]),
            (
                json!({ "placeholder": "x".repeat(151) }),
                one(".placeholder", "BASE_TYPE_MAX_LENGTH"),
            ),
            (json!({ "min_values": 0, "max_values": 3 }), vec![]),
            (json!({ "min_values": 0, "required": true }), vec![]),
            (json!({ "min_values": -1 }), one(".min_values", "NUMBER_TYPE_MIN")),
            (json!({ "max_values": 0 }), one(".max_values", "NUMBER_TYPE_MIN")),
            (json!({ "max_values": 26 }), one(".max_values", "NUMBER_TYPE_MAX")),
            (
                json!({ "min_values": 2 }),
                one(".min_values", "SELECT_COMPONENT_MIN_VALUES_EXCEEDS_MAX_VALUES"),
            ),
            (
                json!({ "max_values": 4 }),
                one(".max_values", "SELECT_COMPONENT_MAX_VALUES_EXCEEDS_OPTIONS"),
            ),
            (option(json!({ "label": long })), one(".options[0].label", "BASE_TYPE_BAD_LENGTH")),
            (option(json!({ "value": long })), one(".options[0].value", "BASE_TYPE_BAD_LENGTH")),
            (option(json!({ "value": null })), one(".options[0].value", "BASE_TYPE_REQUIRED")),
            (
                option(json!({ "description": long })),
                one(".options[0].description", "BASE_TYPE_MAX_LENGTH"),
            ),
            (
                option(json!({ "emoji": { "name": "x" } })),
                one(".options[0].emoji.name", "BUTTON_COMPONENT_INVALID_EMOJI"),
            ),
            (
                json!({ "options": [
                    { "label": "a", "value": "v" }, { "label": "b", "value": "v" }] }),
                one(".options[1]", duplicated),
            ),
            (
                json!({ "options": [
                    { "label": "a", "value": "a", "default": true },
                    { "label": "b", "value": "b", "default": true }] }),
                one(".options", "SELECT_COMPONENT_TOO_MANY_DEFAULT_VALUES"),
            ),
        ];
        for (changes, expected) in cases {
            assert_eq!(wrong_in_row(with(&select, changes.clone())), expected, "{changes}");
        }
    }

    #[test]
    fn filled_selects_are_taken_or_refused() {
        let default = |kind: &str| json!({ "default_values": [{ "id": "5", "type": kind }] });
        let wrong_type = one(".default_values[0].type", "BASE_TYPE_CHOICES");
        let two = json!([{ "id": "5", "type": "user" }, { "id": "6", "type": "user" }]);
        let cases = [
            (5, json!({}), vec![]),
            (5, default("user"), vec![]),
            (5, default("role"), wrong_type.clone()),
            (6, default("role"), vec![]),
            (7, default("user"), vec![]),
            (7, default("role"), vec![]),
            (7, default("channel"), wrong_type.clone()),
            (8, default("channel"), vec![]),
            (8, default("user"), wrong_type),
            (
                5,
                json!({ "default_values": [{ "id": "ada", "type": "user" }] }),
                one(".default_values[0].id", "NUMBER_TYPE_COERCE"),
            ),
            (
                5,
                json!({ "default_values": two }),
                one(".default_values", "SELECT_COMPONENT_TOO_MANY_DEFAULT_VALUES"),
            ),
            (
                5,
                json!({ "default_values": two, "min_values": 3, "max_values": 3 }),
                one(".default_values", "SELECT_COMPONENT_TOO_FEW_DEFAULT_VALUES"),
            ),
            (8, json!({ "channel_types": [0, 2] }), vec![]),
            (8, json!({ "channel_types": [0, 9] }), one(".channel_types[1]", "BASE_TYPE_CHOICES")),
            (6, json!({ "custom_id": "" }), one(".custom_id", "BASE_TYPE_BAD_LENGTH")),
        ];
        for (kind, changes, expected) in cases {
            let select = json!({ "type": kind, "custom_id": "pick" });
            assert_eq!(wrong_in_row(with(&select, changes.clone())), expected, "{kind} {changes}");
        }
    }
}
