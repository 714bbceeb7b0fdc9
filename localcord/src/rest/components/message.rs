//! Layout: what may stand where in a message, and how much of it.

use serde_json::Value;

use super::{Around, Checker, Form};
use crate::world::{component::kind_of, component_kind as kind};

/// Rows of a message that has content as well.
const MOST_ROWS: usize = 5;
/// Children of a row.
const MOST_IN_ROW: usize = 5;
/// Texts of a section.
const MOST_IN_SECTION: usize = 3;
/// All components of a message of components alone.
const MOST_COMPONENTS: usize = 40;
/// Characters of all its text displays.
const MOST_TEXT: usize = 4000;
const MOST_COLOUR: i64 = 0xFF_FFFF;

const IN_ROW: [u64; 6] = [
    kind::BUTTON,
    kind::STRING_SELECT,
    kind::USER_SELECT,
    kind::ROLE_SELECT,
    kind::MENTIONABLE_SELECT,
    kind::CHANNEL_SELECT,
];
const IN_CONTAINER: [u64; 6] = [
    kind::ACTION_ROW,
    kind::SECTION,
    kind::TEXT_DISPLAY,
    kind::MEDIA_GALLERY,
    kind::FILE,
    kind::SEPARATOR,
];
const AT_TOP: [u64; 7] = [
    kind::ACTION_ROW,
    kind::SECTION,
    kind::TEXT_DISPLAY,
    kind::MEDIA_GALLERY,
    kind::FILE,
    kind::SEPARATOR,
    kind::CONTAINER,
];

/// Checks the `components` of a message; `v2`: it is one of components alone.
pub(in crate::rest) fn check_message(form: &mut Form, body: &Value, around: &Around, v2: bool) {
    let list = form.list("components", body.get("components"));
    if !v2 && list.len() > MOST_ROWS {
        let why = format!("Must be {MOST_ROWS} or fewer in length.");
        form.wrong("components", "BASE_TYPE_MAX_LENGTH", why);
    }
    let mut checker = Checker::new(form, around, false);
    checker.components("components", list, if v2 { &AT_TOP } else { &[kind::ACTION_ROW] });
    let (count, text) = (checker.count, checker.text);
    if count > MOST_COMPONENTS {
        let why = format!("Total number of components exceeds maximum of {MOST_COMPONENTS}");
        form.wrong("components", "COMPONENT_MAX_TOTAL_COMPONENTS_EXCEEDED", why);
    }
    if text > MOST_TEXT {
        let why = format!("Components displayable text size exceeds maximum size of {MOST_TEXT}");
        form.wrong("components", "COMPONENT_DISPLAYABLE_TEXT_SIZE_EXCEEDED", why);
    }
}

impl Checker<'_> {
    pub(super) fn action_row(&mut self, path: &str, row: &Value) {
        let at = format!("{path}.components");
        let list = self.form.list(&at, row.get("components"));
        self.form.count(&at, list.len(), 1..=MOST_IN_ROW);
        if self.modal {
            self.components(&at, list, &[kind::TEXT_INPUT]);
            self.labels_of(&at, list);
        } else {
            self.components(&at, list, &IN_ROW);
        }
        if list.len() <= MOST_IN_ROW {
            self.widths(&at, list, |one| if kind_of(one) == kind::BUTTON { 1 } else { 5 });
        }
    }

    pub(super) fn section(&mut self, path: &str, section: &Value) {
        let at = format!("{path}.components");
        let list = self.form.list(&at, section.get("components"));
        self.form.count(&at, list.len(), 1..=MOST_IN_SECTION);
        self.components(&at, list, &[kind::TEXT_DISPLAY]);
        let at = format!("{path}.accessory");
        match section.get("accessory").filter(|accessory| !accessory.is_null()) {
            Some(accessory) => self.component(&at, accessory, &[kind::BUTTON, kind::THUMBNAIL]),
            None => self.form.required(&at),
        }
    }

    pub(super) fn text_display(&mut self, path: &str, display: &Value) {
        if let Some(text) = self.form.required_text(path, display, "content", 1..=MOST_TEXT) {
            self.text += text.chars().count();
        }
    }

    pub(super) fn separator(&mut self, path: &str, separator: &Value) {
        self.form.flag(path, separator, "divider");
        let spacing = separator.get("spacing").filter(|spacing| !spacing.is_null());
        if spacing.is_some_and(|spacing| !matches!(spacing.as_u64(), Some(1 | 2))) {
            self.form.choice(&format!("{path}.spacing"), "(1, 2)");
        }
    }

    pub(super) fn container(&mut self, path: &str, container: &Value) {
        self.form.flag(path, container, "spoiler");
        self.form.integer(path, container, "accent_color", 0..=MOST_COLOUR);
        let at = format!("{path}.components");
        let list = self.form.list(&at, container.get("components"));
        self.form.count(&at, list.len(), 1..=MOST_COMPONENTS);
        self.components(&at, list, &IN_CONTAINER);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{
        super::fixtures::{around, one, told, wrong_at_top},
        *,
    };

    fn button(id: &str) -> Value {
        json!({ "type": 2, "style": 1, "label": "l", "custom_id": id })
    }

    fn row(children: Vec<Value>) -> Value {
        json!({ "type": 1, "components": children })
    }

    fn buttons(from: usize, count: usize) -> Value {
        row((from..from + count).map(|n| button(&n.to_string())).collect())
    }

    fn text(length: usize) -> Value {
        json!({ "type": 10, "content": "x".repeat(length) })
    }

    fn wrong(components: Value, v2: bool) -> Vec<(String, String)> {
        let mut form = Form::default();
        check_message(&mut form, &json!({ "components": components }), &around(), v2);
        told(form)
    }

    #[test]
    fn without_the_flag_there_are_five_rows() {
        let rows = |count: usize| (0..count).map(|n| buttons(n * 5, 5)).collect::<Value>();
        let union = "UNION_TYPE_CHOICES";
        let width = "COMPONENT_LAYOUT_WIDTH_EXCEEDED";
        let select = |id: &str| json!({ "type": 5, "custom_id": id });
        let cases = [
            (json!(null), vec![]),
            (json!([]), vec![]),
            (rows(5), vec![]),
            (rows(6), one("components", "BASE_TYPE_MAX_LENGTH")),
            (json!({}), one("components", "LIST_TYPE_CONVERT")),
            (json!(["row"]), one("components[0]", "MODEL_TYPE_CONVERT")),
            (json!([{}]), one("components[0].type", "BASE_TYPE_REQUIRED")),
            (json!([text(1)]), one("components[0]", union)),
            (json!([button("a")]), one("components[0]", union)),
            (json!([{ "type": 17, "components": [text(1)] }]), one("components[0]", union)),
            (json!([row(vec![])]), one("components[0].components", "BASE_TYPE_BAD_LENGTH")),
            (json!([buttons(0, 6)]), one("components[0].components", "BASE_TYPE_BAD_LENGTH")),
            (
                json!([row(vec![json!({ "type": 4, "custom_id": "t" })])]),
                one("components[0].components[0]", union),
            ),
            (json!([row(vec![select("a")])]), vec![]),
            (
                json!([row(vec![select("a"), select("b")])]),
                one("components[0].components[1]", width),
            ),
            (
                json!([row(vec![button("a"), select("b")])]),
                one("components[0].components[1]", width),
            ),
            (
                json!([buttons(0, 2), buttons(1, 1)]),
                one("components[1].components[0].custom_id", "COMPONENT_CUSTOM_ID_DUPLICATED"),
            ),
        ];
        for (components, expected) in cases {
            assert_eq!(wrong(components.clone(), false), expected, "{components}");
        }
    }

    #[test]
    fn with_the_flag_there_are_forty_components() {
        let length = "BASE_TYPE_BAD_LENGTH";
        let many = "COMPONENT_MAX_TOTAL_COMPONENTS_EXCEEDED";
        let container = |children: Vec<Value>| json!({ "type": 17, "components": children });
        let cases = [
            (Value::from(vec![text(1); 40]), vec![]),
            (Value::from(vec![text(1); 41]), one("components", many)),
            (json!([container(vec![text(1); 39])]), vec![]),
            (json!([container(vec![text(1); 40])]), one("components", many)),
            (json!([container(vec![])]), one("components[0].components", length)),
            (
                json!([container(vec![container(vec![text(1)])])]),
                one("components[0].components[0]", "UNION_TYPE_CHOICES"),
            ),
            (json!([text(4000)]), vec![]),
            (
                json!([text(2000), container(vec![text(2001)])]),
                one("components", "COMPONENT_DISPLAYABLE_TEXT_SIZE_EXCEEDED"),
            ),
            (json!([text(4001)]), one("components[0].content", length)),
            (json!([text(0)]), one("components[0].content", length)),
            (json!([{ "type": 10 }]), one("components[0].content", "BASE_TYPE_REQUIRED")),
            (
                json!([{ "type": 10, "content": "a", "id": 3 },
                       { "type": 10, "content": "b", "id": 3 }]),
                one("components[1].id", "COMPONENT_ID_DUPLICATED"),
            ),
            (
                json!([{ "type": 10, "content": "a", "id": 0 },
                       { "type": 10, "content": "b", "id": 0 }]),
                vec![],
            ),
            (json!([{ "type": 14, "divider": false, "spacing": 2 }]), vec![]),
            (
                json!([{ "type": 14, "spacing": 3 }]),
                one("components[0].spacing", "BASE_TYPE_CHOICES"),
            ),
            (json!([{ "type": 17, "components": [text(1)], "accent_color": 0xFF_FFFF }]), vec![]),
            (
                json!([{ "type": 17, "components": [text(1)], "accent_color": 0x100_0000 }]),
                one("components[0].accent_color", "NUMBER_TYPE_MAX"),
            ),
            (
                json!([{ "type": 17, "components": [text(1)], "spoiler": 1 }]),
                one("components[0].spoiler", "BOOLEAN_TYPE_CONVERT"),
            ),
            (json!([{ "type": 18 }]), one("components[0]", "UNION_TYPE_CHOICES")),
        ];
        for (components, expected) in cases {
            assert_eq!(wrong(components.clone(), true), expected, "{components}");
        }
    }

    #[test]
    fn a_section_has_texts_and_something_beside_them() {
        let picture = json!({ "type": 11, "media": { "url": "attachment://a.png" } });
        let section = |texts: usize, accessory: Value| json!({ "type": 9, "components": vec![text(1); texts], "accessory": accessory });
        for (count, accessory, expected) in [
            (1, button("a"), vec![]),
            (3, picture.clone(), vec![]),
            (0, picture.clone(), one(".components", "BASE_TYPE_BAD_LENGTH")),
            (4, picture, one(".components", "BASE_TYPE_BAD_LENGTH")),
            (1, Value::Null, one(".accessory", "BASE_TYPE_REQUIRED")),
            (1, text(1), one(".accessory", "UNION_TYPE_CHOICES")),
        ] {
            let told = wrong_at_top(section(count, accessory.clone()));
            assert_eq!(told, expected, "{count} {accessory}");
        }
        let nested = json!({ "type": 9, "components": [button("a")], "accessory": button("b") });
        assert_eq!(wrong_at_top(nested), one(".components[0]", "UNION_TYPE_CHOICES"));
    }
}
