//! Modals ("Interaction Callback Data Structure", modal).

use serde_json::Value;

use super::{Around, CUSTOM_ID, Checker, Form};
use crate::world::component_kind as kind;

const MOST_TITLE: usize = 45;
const MOST_COMPONENTS: usize = 5;
const AT_TOP: [u64; 3] = [kind::ACTION_ROW, kind::TEXT_DISPLAY, kind::LABEL];

/// Checks the data of a callback that opens a modal.
pub(in crate::rest) fn check_modal(form: &mut Form, modal: &Value, around: &Around) {
    for (field, length) in [("title", 1..=MOST_TITLE), ("custom_id", CUSTOM_ID)] {
        match modal.get(field) {
            None | Some(Value::Null) => form.required(field),
            Some(Value::String(text)) => {
                form.length(field, text, *length.start(), *length.end());
            }
            Some(_) => form.wrong(field, "STRING_TYPE_CONVERT", "Could not interpret as string."),
        }
    }
    let list = form.list("components", modal.get("components"));
    form.count("components", list.len(), 1..=MOST_COMPONENTS);
    Checker::new(form, around, true).components("components", list, &AT_TOP);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{
        super::fixtures::{around, one, told, with},
        *,
    };

    fn wrong(modal: Value) -> Vec<(String, String)> {
        let mut form = Form::default();
        check_modal(&mut form, &modal, &around());
        told(form)
    }

    fn input(id: &str) -> Value {
        json!({ "type": 4, "custom_id": id, "style": 1 })
    }

    fn label(id: &str) -> Value {
        json!({ "type": 18, "label": "l", "component": input(id) })
    }

    #[test]
    fn modals_are_taken_or_refused() {
        let modal = json!({ "title": "t", "custom_id": "m", "components": [label("a")] });
        let length = "BASE_TYPE_BAD_LENGTH";
        let labels = |count: usize| (0..count).map(|n| label(&n.to_string())).collect::<Value>();
        let old = |input: Value| json!({ "components": [{ "type": 1, "components": [input] }] });
        for (changes, expected) in [
            (json!({}), vec![]),
            (json!({ "title": "x".repeat(45) }), vec![]),
            (json!({ "title": "x".repeat(46) }), one("title", length)),
            (json!({ "title": null }), one("title", "BASE_TYPE_REQUIRED")),
            (json!({ "custom_id": "x".repeat(101) }), one("custom_id", length)),
            (json!({ "custom_id": null }), one("custom_id", "BASE_TYPE_REQUIRED")),
            (json!({ "components": labels(5) }), vec![]),
            (json!({ "components": labels(6) }), one("components", length)),
            (json!({ "components": [] }), one("components", length)),
            (json!({ "components": null }), one("components", length)),
            (json!({ "components": [{ "type": 10, "content": "t" }] }), vec![]),
            (
                json!({ "components": [{ "type": 17, "components": [] }] }),
                one("components[0]", "UNION_TYPE_CHOICES"),
            ),
            (
                json!({ "components": [label("a"), label("a")] }),
                one("components[1].component.custom_id", "COMPONENT_CUSTOM_ID_DUPLICATED"),
            ),
            (old(with(&input("a"), json!({ "label": "l" }))), vec![]),
            (old(input("a")), one("components[0].components[0].label", "BASE_TYPE_REQUIRED")),
            (
                old(json!({ "type": 5, "custom_id": "a", "label": "l" })),
                one("components[0].components[0]", "UNION_TYPE_CHOICES"),
            ),
        ] {
            assert_eq!(wrong(with(&modal, changes.clone())), expected, "{changes}");
        }
    }

    #[test]
    fn labels_name_one_field() {
        for (changes, expected) in [
            (json!({ "label": "x".repeat(45), "description": "x".repeat(100) }), vec![]),
            (
                json!({ "label": "x".repeat(46) }),
                one("components[0].label", "BASE_TYPE_BAD_LENGTH"),
            ),
            (json!({ "label": null }), one("components[0].label", "BASE_TYPE_REQUIRED")),
            (
                json!({ "description": "x".repeat(101) }),
                one("components[0].description", "BASE_TYPE_MAX_LENGTH"),
            ),
            (json!({ "component": null }), one("components[0].component", "BASE_TYPE_REQUIRED")),
        ] {
            let components = [with(&label("a"), changes.clone())];
            let modal = json!({ "title": "t", "custom_id": "m", "components": components });
            assert_eq!(wrong(modal), expected, "{changes}");
        }
    }
}
