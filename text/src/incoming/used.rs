//! INTERACTION_CREATE: buttons, menus and forms.
//!
//! Source: Discord, "Receiving and Responding", "Component Reference".

use std::{collections::BTreeMap, str::FromStr};

use clawvoice_session::MessageId;
use serde::Deserialize;
use serde_json::Value;

use crate::{
    interaction::{Caller, ComponentUse, ModalSubmit, Resolved, SourceMessage, SubmittedField},
    routing::name::cut,
};

/// What is kept of a message's text, UTF-16 units: no more than so many characters.
const MAX_TEXT: usize = 500;

/// Discord nests no deeper; what does is not read.
const DEEPEST: usize = 5;

/// Component type 10: a text.
const TEXT: u64 = 10;

#[derive(Default, Deserialize)]
struct WireUse {
    custom_id: Option<String>,
    #[serde(default)]
    component_type: u64,
    #[serde(default)]
    values: Vec<Value>,
    #[serde(default)]
    resolved: Value,
    #[serde(default)]
    components: Value,
}

#[derive(Deserialize)]
struct WireMessage {
    id: MessageId,
    #[serde(default)]
    flags: u64,
    #[serde(default)]
    content: String,
    #[serde(default)]
    components: Value,
}

/// A button or a menu; `None`: it does not say which, or where.
pub(super) fn component(by: Caller, data: Value, message: Option<Value>) -> Option<ComponentUse> {
    let data: WireUse = serde_json::from_value(data).ok()?;
    Some(ComponentUse {
        by,
        custom_id: data.custom_id?,
        kind: data.component_type,
        values: data.values.iter().filter_map(text).collect(),
        named: resolved(&data.resolved),
        message: source(message)?,
    })
}

/// A form; `None`: it does not say which.
pub(super) fn modal(by: Caller, data: Value, message: Option<Value>) -> Option<ModalSubmit> {
    let data: WireUse = serde_json::from_value(data).ok()?;
    let mut fields = Vec::new();
    collect_fields(&data.components, 0, &mut fields);
    Some(ModalSubmit {
        by,
        custom_id: data.custom_id?,
        fields,
        named: resolved(&data.resolved),
        message: source(message),
    })
}

fn source(message: Option<Value>) -> Option<SourceMessage> {
    let message: WireMessage = serde_json::from_value(message?).ok()?;
    let mut said = message.content;
    if said.is_empty() {
        collect_texts(&message.components, 0, &mut said);
    }
    let text = cut(&said, MAX_TEXT).to_owned();
    Some(SourceMessage { id: message.id, flags: message.flags, text })
}

fn children(component: &Value) -> impl Iterator<Item = &Value> {
    ["component", "components"].into_iter().filter_map(|name| component.get(name))
}

fn collect_fields(components: &Value, depth: usize, fields: &mut Vec<SubmittedField>) {
    if depth > DEEPEST {
        return;
    }
    match components {
        Value::Array(all) => all.iter().for_each(|one| collect_fields(one, depth + 1, fields)),
        one => match one.get("custom_id").and_then(Value::as_str) {
            Some(custom_id) => fields.push(SubmittedField {
                custom_id: custom_id.to_owned(),
                kind: one.get("type").and_then(Value::as_u64).unwrap_or_default(),
                values: values(one),
            }),
            None => children(one).for_each(|below| collect_fields(below, depth + 1, fields)),
        },
    }
}

fn values(field: &Value) -> Vec<String> {
    match (field.get("values"), field.get("value")) {
        (Some(Value::Array(all)), _) => all.iter().filter_map(text).collect(),
        (_, Some(one)) => text(one).into_iter().collect(),
        _ => Vec::new(),
    }
}

fn collect_texts(components: &Value, depth: usize, said: &mut String) {
    // Each level of components is two of JSON: a list and its members.
    if depth > 2 * DEEPEST || said.len() > 4 * MAX_TEXT {
        return;
    }
    match components {
        Value::Array(all) => all.iter().for_each(|one| collect_texts(one, depth + 1, said)),
        one => {
            let is_text = one.get("type").and_then(Value::as_u64) == Some(TEXT);
            if let Some(content) = one.get("content").and_then(Value::as_str).filter(|_| is_text) {
                if !said.is_empty() {
                    said.push('\n');
                }
                said.push_str(content);
            }
            children(one).for_each(|below| collect_texts(below, depth + 1, said));
        }
    }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        _ => None,
    }
}

fn resolved(resolved: &Value) -> Resolved {
    Resolved {
        users: names(resolved, "users", "username"),
        roles: names(resolved, "roles", "name"),
        channels: names(resolved, "channels", "name"),
    }
}

fn names<Id: FromStr + Ord>(resolved: &Value, kind: &str, name: &str) -> BTreeMap<Id, String> {
    let all = resolved.get(kind).and_then(Value::as_object).into_iter().flatten();
    let named = |(id, one): (&String, &Value)| Some((id.parse().ok()?, one[name].as_str()?.into()));
    all.filter_map(named).collect()
}

#[cfg(test)]
mod tests {
    use clawvoice_session::{ChannelId, RoleId, UserId};
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_menu_with_what_was_chosen() {
        let data = json!({"custom_id": "a;b=%ZZ\u{0}", "component_type": 7, "values": ["9", "80"],
            "resolved": {"users": {"9": {"username": "ada"}, "x": {"username": "nobody"}},
                "roles": {"80": {"name": "Crew"}}, "channels": {"5": {"name": "chat"}, "6": {}}}});
        let message = json!({"id": "70", "flags": 32832, "content": "", "components": [{"type": 17,
            "components": [{"type": 10, "content": "Pick"}, {"type": 9, "components":
                [{"type": 10, "content": "one"}], "accessory": {"type": 11}}]}]});
        let read = component(Caller::default(), data, Some(message)).unwrap();
        assert_eq!((read.custom_id.as_str(), read.kind), ("a;b=%ZZ\u{0}", 7));
        assert_eq!(read.values, ["9", "80"]);
        assert_eq!(read.named.users, BTreeMap::from([(UserId::new(9), "ada".to_owned())]));
        assert_eq!(read.named.roles, BTreeMap::from([(RoleId::new(80), "Crew".to_owned())]));
        assert_eq!(read.named.channels, BTreeMap::from([(ChannelId::new(5), "chat".to_owned())]));
        assert_eq!(read.message.id.get(), 70);
        assert_eq!((read.message.flags, read.message.text.as_str()), (32832, "Pick\none"));
    }

    #[test]
    fn a_text_of_a_message_is_cut() {
        let message = json!({"id": "70", "content": "é".repeat(2_000)});
        let read = source(Some(message)).unwrap();
        assert_eq!(read.text.chars().count(), 500);
    }

    #[test]
    fn a_component_without_id_or_message_is_none() {
        let message = json!({"id": "70"});
        let data = json!({"custom_id": "x", "component_type": 2});
        let by = Caller::default;
        assert!(component(by(), data.clone(), Some(message.clone())).is_some());
        assert!(component(by(), data, None).is_none());
        assert!(component(by(), json!({"component_type": 2}), Some(message)).is_none());
        assert!(component(by(), json!(null), None).is_none());
    }

    #[test]
    fn a_form_and_all_its_fields() {
        let field = |kind: u64, id: &str, rest: Value| {
            let mut one = json!({"type": kind, "custom_id": id});
            one.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
            one
        };
        let data = json!({"custom_id": "form", "components": [
            {"type": 18, "component": field(4, "words", json!({"value": "a\nb"}))},
            {"type": 18, "component": field(4, "empty", json!({"value": ""}))},
            {"type": 18, "component": field(21, "radio", json!({"value": "high"}))},
            {"type": 18, "component": field(21, "none", json!({"value": null}))},
            {"type": 18, "component": field(22, "boxes", json!({"values": ["x", "y"]}))},
            {"type": 1, "components": [field(4, "older", json!({"value": "c"}))]},
            {"type": 18, "component": {"type": 4}}]});
        let read = modal(Caller::default(), data, None).unwrap();
        let fields: Vec<(&str, u64, Vec<&str>)> = read
            .fields
            .iter()
            .map(|it| {
                (it.custom_id.as_str(), it.kind, it.values.iter().map(String::as_str).collect())
            })
            .collect();
        assert_eq!(
            fields,
            [
                ("words", 4, vec!["a\nb"]),
                ("empty", 4, vec![""]),
                ("radio", 21, vec!["high"]),
                ("none", 21, vec![]),
                ("boxes", 22, vec!["x", "y"]),
                ("older", 4, vec!["c"]),
            ]
        );
        assert!(read.message.is_none());
    }

    fn anything() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            ".{0,12}".prop_map(Value::from),
        ];
        let key = prop_oneof![
            Just("custom_id".to_owned()),
            Just("components".to_owned()),
            Just("component".to_owned()),
            Just("values".to_owned()),
            Just("value".to_owned()),
            Just("resolved".to_owned()),
            Just("users".to_owned()),
            Just("type".to_owned()),
            Just("content".to_owned()),
            Just("id".to_owned()),
        ];
        leaf.prop_recursive(12, 64, 6, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::btree_map(key.clone(), inner, 0..6)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn nothing_panics_and_texts_stay_short(data in anything(), message in anything()) {
            let by = Caller::default;
            if let Some(read) = component(by(), data.clone(), Some(message.clone())) {
                prop_assert!(read.message.text.chars().count() <= MAX_TEXT);
            }
            let _ = modal(by(), data, Some(message));
        }
    }
}
