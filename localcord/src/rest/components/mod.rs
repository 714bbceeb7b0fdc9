//! Components of messages and modals: what they must look like, and what the server makes of them
//! ("Component Reference").
//!
//! ```text
//! message ─┐                         ┌─ button, select, media
//!          ├─ Checker ── component ──┤
//! modal ───┘                         └─ field (what only modals have)
//! completed: numbers, defaults, files behind attachment://
//! ```
//!
//! Error codes are Discord's where its answers are documented or seen; rules whose code is neither
//! have one named like its neighbours.

mod button;
mod complete;
mod field;
mod media;
mod message;
mod modal;
mod select;

use std::collections::{BTreeSet, HashSet};

use serde_json::Value;

pub(super) use self::{
    complete::{completed, completed_modal},
    message::check_message,
    modal::check_modal,
};
use super::{
    Rest,
    body::MessageBody,
    error::Form,
    files::{stored_name, stored_names},
    reactions::is_emoji,
};
use crate::world::component_kind as kind;

/// Characters of a `custom_id`.
const CUSTOM_ID: std::ops::RangeInclusive<usize> = 1..=100;
/// The largest number a component can have: 32 bits with a sign.
const MOST_NUMBER: i64 = 0x7FFF_FFFF;
/// What fits beside each other: five buttons, or one of anything else.
const ROW_WIDTH: usize = 5;

/// What components can refer to.
#[derive(Clone, Debug, Default)]
pub(super) struct Around {
    /// The names of the message's files, as they are stored.
    pub(super) files: Vec<String>,
    /// The custom emoji that the author has.
    pub(super) emojis: BTreeSet<u64>,
    /// How many files come with the message.
    pub(super) uploads: usize,
}

impl Rest {
    /// What the components of a body by this author can refer to; `kept`: the attachments that are
    /// there already.
    pub(super) fn around(&self, author: u64, body: &MessageBody, kept: &[Value]) -> Around {
        let named = kept.iter().filter_map(|one| one["filename"].as_str().map(ToOwned::to_owned));
        let files = named.chain(stored_names(body)).collect();
        let emojis = self.world.read(|state| {
            // A webhook is no user; it has the emoji of every guild.
            let is_user = state.users.contains_key(&author);
            let guilds = state.guilds.values();
            guilds
                .filter(|guild| !is_user || guild.members.contains_key(&author))
                .flat_map(|guild| guild.emojis.keys().copied())
                .collect()
        });
        Around { files, emojis, uploads: body.files.len() }
    }
}

/// Goes through a tree of components and notes what is wrong.
struct Checker<'a> {
    form: &'a mut Form,
    around: &'a Around,
    /// In a modal: other components, and `required` counts.
    modal: bool,
    custom_ids: HashSet<String>,
    numbers: HashSet<i64>,
    count: usize,
    text: usize,
}

impl<'a> Checker<'a> {
    fn new(form: &'a mut Form, around: &'a Around, modal: bool) -> Self {
        let (custom_ids, numbers) = (HashSet::new(), HashSet::new());
        Self { form, around, modal, custom_ids, numbers, count: 0, text: 0 }
    }

    /// Components of a list, each of one of these types.
    fn components(&mut self, path: &str, list: &[Value], allowed: &[u64]) {
        for (at, component) in list.iter().enumerate() {
            self.component(&format!("{path}.{at}"), component, allowed);
        }
    }

    fn component(&mut self, path: &str, component: &Value, allowed: &[u64]) {
        self.count += 1;
        if !component.is_object() {
            let why = "Only dictionaries may be used in a ModelType";
            return self.form.wrong(path, "MODEL_TYPE_CONVERT", why);
        }
        let Some(given) = component.get("type").filter(|given| !given.is_null()) else {
            return self.form.required(&format!("{path}.type"));
        };
        let Some(kind) = given.as_u64().filter(|kind| allowed.contains(kind)) else {
            let list = allowed.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            let list = if allowed.len() == 1 { format!("{list},") } else { list };
            let why = format!("Value of field \"type\" must be one of ({list}).");
            return self.form.wrong(path, "UNION_TYPE_CHOICES", why);
        };
        self.number(path, component);
        match kind {
            kind::ACTION_ROW => self.action_row(path, component),
            kind::BUTTON => self.button(path, component),
            kind::STRING_SELECT => self.string_select(path, component),
            kind::USER_SELECT
            | kind::ROLE_SELECT
            | kind::MENTIONABLE_SELECT
            | kind::CHANNEL_SELECT => self.filled_select(path, component, kind),
            kind::SECTION => self.section(path, component),
            kind::TEXT_DISPLAY => self.text_display(path, component),
            kind::THUMBNAIL => self.thumbnail(path, component),
            kind::MEDIA_GALLERY => self.media_gallery(path, component),
            kind::FILE => self.file(path, component),
            kind::SEPARATOR => self.separator(path, component),
            kind::CONTAINER => self.container(path, component),
            kind::LABEL => self.label(path, component),
            kind::TEXT_INPUT => self.text_input(path, component),
            kind::FILE_UPLOAD => self.file_upload(path, component),
            kind::RADIO_GROUP => self.radio_group(path, component),
            kind::CHECKBOX_GROUP => self.checkbox_group(path, component),
            // A checkbox; there is no other type in any of the lists.
            _ => self.checkbox(path, component),
        }
    }

    /// The `id` of a component, which no other one has. 0 is none.
    fn number(&mut self, path: &str, component: &Value) {
        let number = self.form.integer(path, component, "id", 0..=MOST_NUMBER);
        if let Some(number) = number.filter(|number| *number != 0)
            && !self.numbers.insert(number)
        {
            let why = "Component id cannot be duplicated";
            self.form.wrong(&format!("{path}.id"), "COMPONENT_ID_DUPLICATED", why);
        }
    }

    /// The `custom_id` that an interactive component must have.
    fn custom_id(&mut self, path: &str, component: &Value) {
        let id = self.form.required_text(path, component, "custom_id", CUSTOM_ID);
        self.unique(path, id);
    }

    fn unique(&mut self, path: &str, id: Option<&str>) {
        if id.is_some_and(|id| !self.custom_ids.insert(id.to_owned())) {
            let why = "Component custom id cannot be duplicated";
            let path = format!("{path}.custom_id");
            self.form.wrong(&path, "COMPONENT_CUSTOM_ID_DUPLICATED", why);
        }
    }

    /// Components side by side, with their widths: those that do not fit are wrong.
    fn widths(&mut self, path: &str, list: &[Value], width: impl Fn(&Value) -> usize) {
        let mut taken = 0;
        for (at, component) in list.iter().enumerate() {
            taken += width(component);
            if taken > ROW_WIDTH {
                let why = "The specified component exceeds the maximum width";
                let path = format!("{path}.{at}");
                self.form.wrong(&path, "COMPONENT_LAYOUT_WIDTH_EXCEEDED", why);
            }
        }
    }

    /// A partial emoji: one of Unicode's by its name, or a custom one by its id.
    fn emoji(&mut self, path: &str, object: &Value) {
        let Some(emoji) = object.get("emoji").filter(|emoji| !emoji.is_null()) else { return };
        let invalid = |form: &mut Form, field: &str| {
            let path = format!("{path}.emoji.{field}");
            form.wrong(&path, "BUTTON_COMPONENT_INVALID_EMOJI", "Invalid emoji");
        };
        match emoji.get("id").filter(|id| !id.is_null()) {
            Some(id) => {
                let id = id.as_u64().or_else(|| id.as_str()?.parse().ok());
                if id.is_none_or(|id| !self.around.emojis.contains(&id)) {
                    invalid(self.form, "id");
                }
            }
            None if !emoji["name"].as_str().is_some_and(is_emoji) => invalid(self.form, "name"),
            None => {}
        }
    }
}

#[cfg(test)]
mod fixtures {
    //! What the tests of the rules have in common.

    use serde_json::{Value, json};

    use super::Around;
    use crate::rest::error::Form;

    /// The codes of a form by the paths that discord.js shows: `components[0].custom_id`.
    pub(super) fn told(form: Form) -> Vec<(String, String)> {
        let Err(error) = form.finish() else { return Vec::new() };
        let mut found = Vec::new();
        collect(&error.errors(), "", &mut found);
        found
    }

    fn collect(node: &Value, path: &str, found: &mut Vec<(String, String)>) {
        for (name, child) in node.as_object().into_iter().flatten() {
            if name == "_errors" {
                let codes = child.as_array().into_iter().flatten();
                found.extend(codes.map(|one| {
                    (path.to_owned(), one["code"].as_str().unwrap_or_default().to_owned())
                }));
                continue;
            }
            let inside = match name.parse::<usize>() {
                Ok(index) => format!("{path}[{index}]"),
                Err(_) if path.is_empty() => name.clone(),
                Err(_) => format!("{path}.{name}"),
            };
            collect(child, &inside, found);
        }
    }

    /// A file `a.png` and the custom emoji 7.
    pub(super) fn around() -> Around {
        Around { files: vec!["a.png".to_owned()], emojis: [7].into(), uploads: 1 }
    }

    /// A component with other fields; null takes one away.
    pub(super) fn with(base: &Value, changes: Value) -> Value {
        let mut changed = base.clone();
        for (field, value) in changes.as_object().into_iter().flatten() {
            match value {
                Value::Null => drop(changed.as_object_mut().map(|all| all.remove(field))),
                value => changed[field] = value.clone(),
            }
        }
        changed
    }

    /// What is wrong with a message with one component, beside the path to that.
    pub(super) fn wrong_in_row(component: Value) -> Vec<(String, String)> {
        let body = json!({ "components": [{ "type": 1, "components": [component] }] });
        let mut form = Form::default();
        super::check_message(&mut form, &body, &around(), false);
        below(told(form), "components[0].components[0]")
    }

    /// The same for a top-level component of a message of components alone.
    pub(super) fn wrong_at_top(component: Value) -> Vec<(String, String)> {
        let mut form = Form::default();
        super::check_message(&mut form, &json!({ "components": [component] }), &around(), true);
        below(told(form), "components[0]")
    }

    fn below(told: Vec<(String, String)>, base: &str) -> Vec<(String, String)> {
        told.into_iter()
            .map(|(path, code)| (path.strip_prefix(base).unwrap_or(&path).to_owned(), code))
            .collect()
    }

    /// One thing wrong.
    pub(super) fn one(path: &str, code: &str) -> Vec<(String, String)> {
        vec![(path.to_owned(), code.to_owned())]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::{fixtures::around, *};

    /// JSON whose fields are those of components, with values that may fit or not.
    fn trees() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            (-2_i64..30).prop_map(Value::from),
            "[a-z:/ ]{0,12}".prop_map(Value::from),
        ];
        let name = prop::sample::select(vec![
            "type",
            "id",
            "custom_id",
            "components",
            "accessory",
            "component",
            "options",
            "items",
            "media",
            "file",
            "url",
            "content",
            "style",
            "emoji",
            "min_values",
            "max_values",
            "default_values",
            "label",
        ]);
        leaf.prop_recursive(6, 64, 6, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::vec((name.clone(), inner), 0..8).prop_map(|fields| {
                    let fields = fields.into_iter().map(|(name, value)| (name.to_owned(), value));
                    Value::Object(fields.collect())
                }),
            ]
        })
    }

    /// Collects the numbers of components, however deep.
    fn numbers(component: &Value, found: &mut Vec<i64>) {
        found.extend(component["id"].as_i64());
        crate::world::component::inner(component).for_each(|one| numbers(one, found));
    }

    proptest! {
        #[test]
        fn no_tree_panics_and_what_is_taken_is_numbered(tree in trees(), v2: bool) {
            let body = json!({ "components": tree, "title": "t", "custom_id": "m" });
            let mut form = Form::default();
            check_modal(&mut form, &body, &around());
            if form.finish().is_ok() {
                let _ = completed_modal(&body);
            }
            let mut form = Form::default();
            check_message(&mut form, &body, &around(), v2);
            let list = body["components"].as_array().cloned().unwrap_or_default();
            if form.finish().is_ok() {
                let mut found = Vec::new();
                completed(&list, &[]).iter().for_each(|one| numbers(one, &mut found));
                let different: HashSet<_> = found.iter().collect();
                prop_assert_eq!(different.len(), found.len());
                prop_assert!(found.iter().all(|number| *number > 0));
            }
        }
    }
}
