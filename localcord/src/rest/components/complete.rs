//! What the server makes of checked components: each gets its number, what was left out, and the
//! files that it shows.

use std::collections::HashSet;

use serde_json::{Map, Value, json};

use super::media::attached;
use crate::world::{
    component::{inner, kind_of},
    component_kind as kind,
};

/// The components of a checked message as the server shows them; `attachments`: its files.
pub(in crate::rest) fn completed(components: &[Value], attachments: &[Value]) -> Vec<Value> {
    Completion::new(components, attachments, false).list(components)
}

/// The data of a checked callback that opens a modal, as the server shows it.
pub(in crate::rest) fn completed_modal(modal: &Value) -> Value {
    let components = modal["components"].as_array().map_or(&[][..], Vec::as_slice);
    let components = Completion::new(components, &[], true).list(components);
    json!({ "custom_id": modal["custom_id"], "title": modal["title"], "components": components })
}

struct Completion<'a> {
    attachments: &'a [Value],
    modal: bool,
    taken: HashSet<i64>,
    next: i64,
}

impl<'a> Completion<'a> {
    fn new(components: &[Value], attachments: &'a [Value], modal: bool) -> Self {
        let mut taken = HashSet::new();
        components.iter().for_each(|component| collect_numbers(component, &mut taken));
        Self { attachments, modal, taken, next: 1 }
    }

    fn list(&mut self, components: &[Value]) -> Vec<Value> {
        components.iter().map(|component| self.component(component)).collect()
    }

    /// The number a component brought along, or the next free one.
    fn number(&mut self, component: &Value) -> i64 {
        if let Some(own) = component["id"].as_i64().filter(|own| *own != 0) {
            return own;
        }
        while !self.taken.insert(self.next) {
            self.next += 1;
        }
        self.next
    }

    fn component(&mut self, component: &Value) -> Value {
        let kind = kind_of(component);
        let mut whole = usual(kind, component, self.modal);
        whole.insert("type".to_owned(), kind.into());
        whole.insert("id".to_owned(), self.number(component).into());
        for field in fields(kind) {
            if let Some(value) = component.get(*field).filter(|value| !value.is_null()) {
                let value = self.field(field, value);
                whole.insert((*field).to_owned(), value);
            }
        }
        if kind == kind::FILE {
            let id = whole.get("file").map(|file| file["attachment_id"].clone());
            let file = self.attachments.iter().find(|one| Some(&one["id"]) == id.as_ref());
            if let Some(file) = file {
                whole.insert("name".to_owned(), file["filename"].clone());
                whole.insert("size".to_owned(), file["size"].clone());
            }
        }
        whole.into()
    }

    fn field(&mut self, field: &str, value: &Value) -> Value {
        match field {
            "components" => self.list(value.as_array().map_or(&[], Vec::as_slice)).into(),
            "accessory" | "component" => self.component(value),
            "media" | "file" => self.media(value),
            "items" => {
                let items = value.as_array().into_iter().flatten();
                items
                    .map(|item| {
                        json!({
                            "media": self.media(&item["media"]),
                            "description": item["description"],
                            "spoiler": item["spoiler"] == true,
                        })
                    })
                    .collect()
            }
            _ => value.clone(),
        }
    }

    /// Where a picture or a file can be fetched.
    fn media(&self, item: &Value) -> Value {
        let url = item["url"].as_str().unwrap_or_default();
        let named = attached(url);
        let file = self.attachments.iter().find(|one| one["filename"].as_str() == named.as_deref());
        match file.filter(|_| named.is_some()) {
            Some(file) => json!({
                "url": file["url"],
                "proxy_url": file["proxy_url"],
                "content_type": file["content_type"],
                "attachment_id": file["id"],
                "width": null,
                "height": null,
            }),
            None => json!({ "url": url, "proxy_url": url, "width": null, "height": null }),
        }
    }
}

fn collect_numbers(component: &Value, taken: &mut HashSet<i64>) {
    taken.extend(component["id"].as_i64().filter(|own| *own != 0));
    inner(component).for_each(|one| collect_numbers(one, taken));
}

/// What a component has that says nothing else.
fn usual(kind: u64, component: &Value, modal: bool) -> Map<String, Value> {
    let mut whole = match kind {
        kind::STRING_SELECT
        | kind::USER_SELECT
        | kind::ROLE_SELECT
        | kind::MENTIONABLE_SELECT
        | kind::CHANNEL_SELECT
        | kind::FILE_UPLOAD => json!({ "min_values": 1, "max_values": 1 }),
        kind::CHECKBOX_GROUP => {
            let all = component["options"].as_array().map_or(0, Vec::len);
            json!({ "min_values": 1, "max_values": all })
        }
        kind::THUMBNAIL => json!({ "description": null, "spoiler": false }),
        kind::FILE => json!({ "spoiler": false }),
        kind::SEPARATOR => json!({ "divider": true, "spacing": 1 }),
        kind::CONTAINER => json!({ "accent_color": null, "spoiler": false }),
        kind::CHECKBOX => json!({ "default": false }),
        _ => json!({}),
    };
    let is_field = modal && kind != kind::CHECKBOX && fields(kind).contains(&"custom_id");
    if is_field {
        let required = component["required"] != false;
        if !required && whole["min_values"] == 1 {
            whole["min_values"] = 0.into();
        }
        whole["required"] = required.into();
    }
    match whole {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

/// The fields of a type. Whatever else came along is dropped.
fn fields(kind: u64) -> &'static [&'static str] {
    match kind {
        kind::ACTION_ROW | kind::CONTAINER => &["components", "accent_color", "spoiler"],
        kind::BUTTON => &["style", "label", "emoji", "custom_id", "url", "sku_id", "disabled"],
        kind::STRING_SELECT | kind::CHECKBOX_GROUP | kind::RADIO_GROUP => {
            &["custom_id", "options", "placeholder", "min_values", "max_values", "disabled"]
        }
        kind::USER_SELECT | kind::ROLE_SELECT | kind::MENTIONABLE_SELECT | kind::CHANNEL_SELECT => {
            &[
                "custom_id",
                "placeholder",
                "default_values",
                "channel_types",
                "min_values",
                "max_values",
                "disabled",
            ]
        }
        kind::FILE_UPLOAD => &["custom_id", "min_values", "max_values"],
        kind::SECTION => &["components", "accessory"],
        kind::TEXT_DISPLAY => &["content"],
        kind::THUMBNAIL => &["media", "description", "spoiler"],
        kind::MEDIA_GALLERY => &["items"],
        kind::FILE => &["file", "spoiler"],
        kind::SEPARATOR => &["divider", "spacing"],
        kind::LABEL => &["label", "description", "component"],
        kind::TEXT_INPUT => {
            &["custom_id", "style", "label", "min_length", "max_length", "value", "placeholder"]
        }
        kind::CHECKBOX => &["custom_id", "default"],
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_go_by_order_and_leave_out_those_that_are_taken() {
        let text = |number: Value| json!({ "type": 10, "content": "t", "id": number });
        let button = json!({ "type": 2, "style": 1, "label": "b", "custom_id": "b" });
        let section = json!({ "type": 9, "components": [text(Value::Null)], "accessory": button });
        let tree = [
            json!({ "type": 17, "id": 2, "components": [text(0.into()), section] }),
            text(Value::Null),
        ];
        let whole = Value::from(completed(&tree, &[]));
        let number = |pointer: &str| whole.pointer(pointer).and_then(Value::as_i64);
        for (pointer, expected) in [
            ("/0/id", 2),
            ("/0/components/0/id", 1),
            ("/0/components/1/id", 3),
            ("/0/components/1/components/0/id", 4),
            ("/0/components/1/accessory/id", 5),
            ("/1/id", 6),
        ] {
            assert_eq!(number(pointer), Some(expected), "{pointer}");
        }
    }

    #[test]
    fn what_was_left_out_is_as_usual_and_what_is_unknown_goes() {
        let cases = [
            (json!({ "type": 14, "x": 1 }), json!({ "divider": true, "spacing": 1 })),
            (
                json!({ "type": 5, "custom_id": "u", "required": true }),
                json!({ "custom_id": "u", "min_values": 1, "max_values": 1 }),
            ),
            (
                json!({ "type": 12, "items": [{ "media": { "url": "https://a.b/c" } }] }),
                json!({ "items": [{
                    "media": { "url": "https://a.b/c", "proxy_url": "https://a.b/c",
                        "width": null, "height": null },
                    "description": null, "spoiler": false,
                }]}),
            ),
        ];
        for (given, expected) in cases {
            let mut whole = completed(std::slice::from_ref(&given), &[]).remove(0);
            let fields = whole.as_object_mut().unwrap();
            assert_eq!((fields.remove("type"), fields.remove("id")).1, Some(json!(1)));
            assert_eq!(whole, expected, "{given}");
        }
    }

    #[test]
    fn a_file_is_the_one_that_came_along() {
        let attachment = json!({ "id": "5", "filename": "a_b.png", "size": 9,
            "url": "http://here/a_b.png", "proxy_url": "http://here/a_b.png",
            "content_type": "image/png" });
        let given = json!({ "type": 13, "file": { "url": "attachment://a b.png" } });
        let whole = completed(&[given], &[attachment]).remove(0);
        assert_eq!((&whole["name"], &whole["size"]), (&json!("a_b.png"), &json!(9)));
        assert_eq!(whole["file"]["url"], "http://here/a_b.png");
        assert_eq!(whole["file"]["attachment_id"], "5");
    }

    #[test]
    fn fields_of_modals_are_required_unless_it_is_said() {
        let field = |extra: Value| {
            let mut component = json!({ "type": 6, "custom_id": "r" });
            component["required"] = extra;
            json!({ "type": 18, "label": "l", "component": component })
        };
        let modal = json!({ "custom_id": "m", "title": "t", "components": [
            field(Value::Null), field(false.into())] });
        let whole = completed_modal(&modal);
        let shown = |at: usize| {
            let component = &whole["components"][at]["component"];
            (component["required"].clone(), component["min_values"].clone())
        };
        assert_eq!(shown(0), (json!(true), json!(1)));
        assert_eq!(shown(1), (json!(false), json!(0)));
    }
}
