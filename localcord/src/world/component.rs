//! Components of messages and modals: trees of JSON objects ("Component Reference").

use serde_json::Value;

/// The message flag of those that are made of components alone ("Message Flags").
pub const COMPONENTS_V2: u64 = 1 << 15;

/// Component types ("Component Types").
pub mod component_kind {
    /// A row of buttons, or one select; in old modals one text input.
    pub const ACTION_ROW: u64 = 1;
    /// A button.
    pub const BUTTON: u64 = 2;
    /// A select with the sender's own options.
    pub const STRING_SELECT: u64 = 3;
    /// A field for text, in modals.
    pub const TEXT_INPUT: u64 = 4;
    /// A select of users.
    pub const USER_SELECT: u64 = 5;
    /// A select of roles.
    pub const ROLE_SELECT: u64 = 6;
    /// A select of users and roles.
    pub const MENTIONABLE_SELECT: u64 = 7;
    /// A select of channels.
    pub const CHANNEL_SELECT: u64 = 8;
    /// Texts with something beside them.
    pub const SECTION: u64 = 9;
    /// Text.
    pub const TEXT_DISPLAY: u64 = 10;
    /// A small picture beside a section.
    pub const THUMBNAIL: u64 = 11;
    /// Pictures.
    pub const MEDIA_GALLERY: u64 = 12;
    /// A file to download.
    pub const FILE: u64 = 13;
    /// Room between others.
    pub const SEPARATOR: u64 = 14;
    /// Puts others into a box.
    pub const CONTAINER: u64 = 17;
    /// Names a field of a modal.
    pub const LABEL: u64 = 18;
    /// A field for files, in modals.
    pub const FILE_UPLOAD: u64 = 19;
    /// One of several options, in modals.
    pub const RADIO_GROUP: u64 = 21;
    /// Some of several options, in modals.
    pub const CHECKBOX_GROUP: u64 = 22;
    /// Yes or no, in modals.
    pub const CHECKBOX: u64 = 23;
}

/// A component's type; 0 if it has none.
#[must_use]
pub fn kind_of(component: &Value) -> u64 {
    component.get("type").and_then(Value::as_u64).unwrap_or(0)
}

/// The components right inside a component, in Discord's order.
pub fn inner(component: &Value) -> impl Iterator<Item = &Value> {
    let list = component.get("components").and_then(Value::as_array);
    let single = ["accessory", "component"].into_iter().filter_map(|field| component.get(field));
    list.into_iter().flatten().chain(single)
}

/// The component with a `custom_id`, however deep.
#[must_use]
pub fn find<'a>(components: &'a [Value], custom_id: &str) -> Option<&'a Value> {
    fn within<'a>(component: &'a Value, custom_id: &str) -> Option<&'a Value> {
        if component["custom_id"] == custom_id {
            return Some(component);
        }
        inner(component).find_map(|one| within(one, custom_id))
    }
    components.iter().find_map(|component| within(component, custom_id))
}

/// What the text displays say, in order.
#[must_use]
pub fn texts(components: &[Value]) -> Vec<&str> {
    fn collect<'a>(component: &'a Value, found: &mut Vec<&'a str>) {
        if kind_of(component) == component_kind::TEXT_DISPLAY {
            found.extend(component["content"].as_str());
        }
        inner(component).for_each(|one| collect(one, found));
    }
    let mut found = Vec::new();
    components.iter().for_each(|component| collect(component, &mut found));
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn tree() -> Vec<Value> {
        vec![
            json!({ "type": 17, "components": [
                { "type": 10, "content": "one" },
                { "type": 9, "components": [{ "type": 10, "content": "two" }],
                  "accessory": { "type": 2, "custom_id": "beside" } },
            ]}),
            json!({ "type": 18, "component": { "type": 4, "custom_id": "field" } }),
        ]
    }

    #[test]
    fn components_are_found_however_deep() {
        let tree = tree();
        assert_eq!(find(&tree, "beside").map(kind_of), Some(component_kind::BUTTON));
        assert_eq!(find(&tree, "field").map(kind_of), Some(component_kind::TEXT_INPUT));
        assert_eq!(find(&tree, "other"), None);
        assert_eq!(kind_of(&json!({})), 0);
    }

    #[test]
    fn texts_come_in_order() {
        assert_eq!(texts(&tree()), ["one", "two"]);
    }
}
