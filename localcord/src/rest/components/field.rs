//! What only modals have: labels and the fields in them.

use serde_json::Value;

use super::Checker;
use crate::world::component_kind as kind;

const MOST_LABEL: usize = 45;
const MOST_DESCRIPTION: usize = 100;
/// Characters of a text input.
const MOST_TEXT: usize = 4000;
const MOST_PLACEHOLDER: usize = 100;
/// Options of radio groups and checkbox groups, files of an upload.
const MOST_OPTIONS: usize = 10;

const IN_LABEL: [u64; 10] = [
    kind::STRING_SELECT,
    kind::TEXT_INPUT,
    kind::USER_SELECT,
    kind::ROLE_SELECT,
    kind::MENTIONABLE_SELECT,
    kind::CHANNEL_SELECT,
    kind::FILE_UPLOAD,
    kind::RADIO_GROUP,
    kind::CHECKBOX_GROUP,
    kind::CHECKBOX,
];

impl Checker<'_> {
    pub(super) fn label(&mut self, path: &str, label: &Value) {
        self.form.required_text(path, label, "label", 1..=MOST_LABEL);
        self.form.text(path, label, "description", 0..=MOST_DESCRIPTION);
        let at = format!("{path}.component");
        match label.get("component").filter(|component| !component.is_null()) {
            Some(component) => self.component(&at, component, &IN_LABEL),
            None => self.form.required(&at),
        }
    }

    /// Without a label around them, text inputs have their own.
    pub(super) fn labels_of(&mut self, path: &str, inputs: &[Value]) {
        for (at, input) in inputs.iter().enumerate() {
            self.form.required_text(&format!("{path}.{at}"), input, "label", 1..=MOST_LABEL);
        }
    }

    pub(super) fn text_input(&mut self, path: &str, input: &Value) {
        self.custom_id(path, input);
        match input.get("style").filter(|style| !style.is_null()) {
            None => self.form.required(&format!("{path}.style")),
            Some(style) if matches!(style.as_u64(), Some(1 | 2)) => {}
            Some(_) => self.form.choice(&format!("{path}.style"), "(1, 2)"),
        }
        let least = self.form.integer(path, input, "min_length", 0..=4000);
        let most = self.form.integer(path, input, "max_length", 1..=4000);
        if least.zip(most).is_some_and(|(least, most)| least > most) {
            let why = "The specified minimum length exceeds the maximum length";
            let path = format!("{path}.min_length");
            self.form.wrong(&path, "TEXT_INPUT_COMPONENT_MIN_LENGTH_EXCEEDS_MAX_LENGTH", why);
        }
        self.form.text(path, input, "value", 0..=MOST_TEXT);
        self.form.text(path, input, "placeholder", 0..=MOST_PLACEHOLDER);
        self.form.flag(path, input, "required");
    }

    pub(super) fn file_upload(&mut self, path: &str, upload: &Value) {
        self.custom_id(path, upload);
        self.bounds(path, upload, 10, 1);
    }

    pub(super) fn radio_group(&mut self, path: &str, group: &Value) {
        self.custom_id(path, group);
        self.form.flag(path, group, "required");
        let one = super::select::Bounds { least: 1, most: 1 };
        self.options(path, group, 2..=MOST_OPTIONS, one);
    }

    pub(super) fn checkbox_group(&mut self, path: &str, group: &Value) {
        self.custom_id(path, group);
        let all = group["options"].as_array().map_or(0, Vec::len);
        let bounds = self.bounds(path, group, 10, i64::try_from(all).unwrap_or(10));
        self.options(path, group, 1..=MOST_OPTIONS, bounds);
    }

    pub(super) fn checkbox(&mut self, path: &str, checkbox: &Value) {
        self.custom_id(path, checkbox);
        self.form.flag(path, checkbox, "default");
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::{
        check_modal,
        fixtures::{around, one, told, with},
    };
    use crate::rest::error::Form;

    /// What is wrong with a field in a label, beside the path to it.
    fn wrong(component: Value) -> Vec<(String, String)> {
        let label = json!({ "type": 18, "label": "l", "component": component });
        let modal = json!({ "title": "t", "custom_id": "m", "components": [label] });
        let mut form = Form::default();
        check_modal(&mut form, &modal, &around());
        let base = "components[0].component";
        told(form)
            .into_iter()
            .map(|(path, code)| (path.strip_prefix(base).unwrap_or(&path).to_owned(), code))
            .collect()
    }

    fn options(count: usize) -> Value {
        (0..count).map(|n| json!({ "label": format!("l{n}"), "value": format!("v{n}") })).collect()
    }

    #[test]
    fn text_inputs_are_taken_or_refused() {
        let input = json!({ "type": 4, "custom_id": "t", "style": 1 });
        for (changes, expected) in [
            (json!({}), vec![]),
            (json!({ "style": 2, "min_length": 0, "max_length": 4000 }), vec![]),
            (json!({ "style": null }), one(".style", "BASE_TYPE_REQUIRED")),
            (json!({ "style": 3 }), one(".style", "BASE_TYPE_CHOICES")),
            (json!({ "custom_id": null }), one(".custom_id", "BASE_TYPE_REQUIRED")),
            (json!({ "min_length": 4001 }), one(".min_length", "NUMBER_TYPE_MAX")),
            (json!({ "max_length": 0 }), one(".max_length", "NUMBER_TYPE_MIN")),
            (
                json!({ "min_length": 5, "max_length": 4 }),
                one(".min_length", "TEXT_INPUT_COMPONENT_MIN_LENGTH_EXCEEDS_MAX_LENGTH"),
            ),
            (json!({ "value": "x".repeat(4001) }), one(".value", "BASE_TYPE_MAX_LENGTH")),
            (
                json!({ "placeholder": "x".repeat(101) }),
                one(".placeholder", "BASE_TYPE_MAX_LENGTH"),
            ),
            (json!({ "required": 1 }), one(".required", "BOOLEAN_TYPE_CONVERT")),
        ] {
            assert_eq!(wrong(with(&input, changes.clone())), expected, "{changes}");
        }
    }

    #[test]
    fn selects_in_modals_are_required_and_enabled() {
        let select = json!({ "type": 3, "custom_id": "s", "options": options(2) });
        let zero = one(".min_values", "SELECT_COMPONENT_REQUIRED_ZERO_MIN_VALUES");
        for (changes, expected) in [
            (json!({}), vec![]),
            (json!({ "min_values": 0 }), zero.clone()),
            (json!({ "min_values": 0, "required": true }), zero),
            (json!({ "min_values": 0, "required": false }), vec![]),
            (json!({ "disabled": false }), vec![]),
            (json!({ "disabled": true }), one(".disabled", "COMPONENT_DISABLED_IN_MODAL")),
        ] {
            assert_eq!(wrong(with(&select, changes.clone())), expected, "{changes}");
        }
        for kind in 5..=8 {
            assert_eq!(wrong(json!({ "type": kind, "custom_id": "s" })), vec![], "{kind}");
        }
    }

    #[test]
    fn groups_and_uploads_have_up_to_ten() {
        let length = "BASE_TYPE_BAD_LENGTH";
        let exceeds = "SELECT_COMPONENT_MAX_VALUES_EXCEEDS_OPTIONS";
        for (component, expected) in [
            (json!({ "type": 21, "options": options(2) }), vec![]),
            (json!({ "type": 21, "options": options(1) }), one(".options", length)),
            (json!({ "type": 21, "options": options(11) }), one(".options", length)),
            (json!({ "type": 22, "options": options(1) }), vec![]),
            (json!({ "type": 22, "options": options(10) }), vec![]),
            (json!({ "type": 22, "options": options(0) }), one(".options", length)),
            (json!({ "type": 22, "options": options(11) }), one(".options", length)),
            (json!({ "type": 22, "options": options(3), "max_values": 2 }), vec![]),
            (
                json!({ "type": 22, "options": options(3), "max_values": 4 }),
                one(".max_values", exceeds),
            ),
            (
                json!({ "type": 22, "options": options(3), "max_values": 11 }),
                one(".max_values", "NUMBER_TYPE_MAX"),
            ),
            (json!({ "type": 23 }), vec![]),
            (json!({ "type": 23, "default": 1 }), one(".default", "BOOLEAN_TYPE_CONVERT")),
            (json!({ "type": 19, "min_values": 1, "max_values": 10 }), vec![]),
            (json!({ "type": 19, "max_values": 11 }), one(".max_values", "NUMBER_TYPE_MAX")),
            (
                json!({ "type": 19, "min_values": 0 }),
                one(".min_values", "SELECT_COMPONENT_REQUIRED_ZERO_MIN_VALUES"),
            ),
            (json!({ "type": 2, "style": 1, "label": "l" }), one("", "UNION_TYPE_CHOICES")),
        ] {
            let told = wrong(with(&component, json!({ "custom_id": "g" })));
            assert_eq!(told, expected, "{component}");
        }
    }
}
