//! Modals that humans fill in and submit.

use axum::extract::{Query, State};
use serde_json::{Value, json};

use super::{
    Answer, Call, Control, Refusal,
    chosen::{Chooser, count, name, offered},
    conflict, guild_of, limit,
    payload::{Named, resolved},
    place,
};
use crate::{
    control::{
        Wait,
        humans::{Who, id_in},
        messages::file,
    },
    rest::{
        body::{JsonBody, Upload},
        interaction::{Exchange, Interaction, interaction_kind},
    },
    world::{
        component::{inner, kind_of},
        component_kind as kind,
    },
};

/// The callback type that opens a modal.
const MODAL: u64 = 9;
/// The style of text inputs with one line.
const SHORT: u64 = 1;

/// `POST humans/{human}/modals`
pub(in crate::control) async fn submit(
    State(control): State<Control>,
    Who(human): Who,
    Query(query): Query<Wait>,
    JsonBody(body): JsonBody,
) -> Answer {
    let id = id_in(&body, "interaction_id")?;
    let id = id.ok_or_else(|| Refusal::bad("`interaction_id` must be there"))?;
    let (opener, modal) = opened(&control, human, id)?;
    let (guild, channel) = (opener.guild_id, opener.channel_id);
    let none = json!({});
    let values = body.get("values").unwrap_or(&none);
    let components = modal["components"].as_array().map_or(&[][..], Vec::as_slice);
    let (mut filled, mut named, uploads) = control.rest.world.read(|state| {
        guild_of(state, human, channel)?;
        let chooser = Chooser { state, human, guild, channel };
        let mut filling = Filling { chooser, values, named: Named::default(), uploads: Vec::new() };
        let filled = filling.all(components).map_err(Refusal::bad)?;
        Ok::<_, Refusal>((filled, filling.named, filling.uploads))
    })?;
    for (custom_id, files) in uploads {
        let kept = control.rest.keep_files(channel, files, None);
        let ids: Value = kept.iter().map(|file| file["id"].clone()).collect();
        filled.iter_mut().for_each(|one| set_values(one, &custom_id, &ids));
        named.attachments.extend(kept);
    }
    let source = opener
        .source
        .and_then(|source| super::component::visible(&control, human, channel, source).ok());
    let call = control.rest.world.read(|state| {
        let mut data = json!({ "custom_id": modal["custom_id"], "components": filled });
        let objects = resolved(state, guild, human, &named);
        if !objects.is_null() {
            data["resolved"] = objects;
        }
        let interaction = Interaction {
            kind: interaction_kind::MODAL_SUBMIT,
            application_id: opener.application_id,
            guild_id: guild,
            channel_id: channel,
            user_id: human,
            source: opener.source,
            opened_by: Some(id),
            ..Interaction::default()
        };
        let message = source.as_ref().map(|source| control.rest.shown(state, source));
        Call { interaction, data, message }
    });
    place(&control, call, query.wait, limit(&body)).await
}

/// The modal that an interaction of this human was answered with, if it is still open, and the
/// interaction.
fn opened(control: &Control, human: u64, id: u64) -> Result<(Interaction, Value), Refusal> {
    let interactions = control.rest.interactions();
    let exchange = interactions.by_id(id).filter(|one| one.interaction.user_id == human);
    let exchange = exchange.ok_or_else(|| Refusal::unknown("interaction of that human"))?;
    let callback = exchange.callback.as_ref();
    let modal = callback.filter(|callback| callback["type"] == MODAL);
    let modal = modal.ok_or_else(|| conflict("that interaction opened no modal"))?;
    // One that failed stays open.
    let submitted = interactions.submission_of(id);
    if submitted.is_some_and(|one| one.callback.is_some()) {
        return Err(conflict("that modal was submitted and is closed"));
    }
    if submitted.and_then(Exchange::fails_at).is_some_and(|at| at > std::time::Instant::now()) {
        return Err(conflict("that modal is being submitted"));
    }
    Ok((exchange.interaction.clone(), modal["data"].clone()))
}

/// Sets the values of a field that is filled in.
fn set_values(component: &mut Value, custom_id: &str, values: &Value) {
    if component["custom_id"] == custom_id {
        component["values"] = values.clone();
    } else if component["component"].is_object() {
        set_values(&mut component["component"], custom_id, values);
    }
}

/// Fills in the fields of a modal.
struct Filling<'a> {
    chooser: Chooser<'a>,
    values: &'a Value,
    named: Named,
    /// The files of uploads, by the fields' `custom_id`.
    uploads: Vec<(String, Vec<Upload>)>,
}

impl Filling<'_> {
    fn all(&mut self, components: &[Value]) -> Result<Vec<Value>, String> {
        let given = self.values.as_object().ok_or("`values` must be an object")?;
        for custom_id in given.keys() {
            if crate::world::component::find(components, custom_id).is_none() {
                return Err(format!("there is no field `{custom_id}`"));
            }
        }
        components.iter().map(|component| self.component(component)).collect()
    }

    fn component(&mut self, component: &Value) -> Result<Value, String> {
        let mut shown = json!({ "type": component["type"], "id": component["id"] });
        match kind_of(component) {
            kind::ACTION_ROW => {
                let fields = inner(component).map(|one| self.component(one));
                shown["components"] = fields.collect::<Result<Vec<_>, _>>()?.into();
            }
            kind::LABEL => shown["component"] = self.component(&component["component"])?,
            kind::TEXT_DISPLAY => {}
            kind => {
                shown["custom_id"] = component["custom_id"].clone();
                let custom_id = component["custom_id"].as_str().unwrap_or_default();
                let given = self.values.get(custom_id).filter(|value| !value.is_null());
                let (field, value) = self.field(kind, component, given)?;
                shown[field] = value;
            }
        }
        Ok(shown)
    }

    fn field(
        &mut self,
        kind: u64,
        field: &Value,
        given: Option<&Value>,
    ) -> Result<(&'static str, Value), String> {
        Ok(match kind {
            kind::TEXT_INPUT => ("value", typed(field, given)?.into()),
            kind::CHECKBOX => ("value", checked(field, given)?.into()),
            kind::RADIO_GROUP => ("value", picked(field, given)?.into()),
            kind::FILE_UPLOAD => {
                let files = files(field, given)?;
                let custom_id = field["custom_id"].as_str().unwrap_or_default().to_owned();
                self.uploads.push((custom_id, files));
                ("values", json!([]))
            }
            _ => {
                let given = given.cloned().unwrap_or_else(|| preselected(field));
                let values = self.chooser.values(field, &given, &mut self.named)?;
                ("values", json!(values))
            }
        })
    }
}

/// What is chosen before the human does anything.
fn preselected(field: &Value) -> Value {
    let options = field["options"].as_array().into_iter().flatten();
    let options = options.filter(|option| option["default"] == true).map(|one| &one["value"]);
    let filled = field["default_values"].as_array().into_iter().flatten().map(|one| &one["id"]);
    options.chain(filled).cloned().collect()
}

fn typed(field: &Value, given: Option<&Value>) -> Result<String, String> {
    let what = name(field);
    let text = match given {
        None => field["value"].as_str().unwrap_or_default(),
        Some(given) => given.as_str().ok_or_else(|| format!("{what} takes a text"))?,
    };
    let length = u64::try_from(text.chars().count()).unwrap_or(u64::MAX);
    if length == 0 && field["required"] == false {
        return Ok(String::new());
    }
    let least = field["min_length"].as_u64().unwrap_or(0).max(1);
    let most = field["max_length"].as_u64().unwrap_or(4000);
    if !(least..=most).contains(&length) {
        return Err(format!("{what} takes {least} to {most} characters, not {length}"));
    }
    if field["style"] == SHORT && text.contains('\n') {
        return Err(format!("{what} takes one line"));
    }
    Ok(text.to_owned())
}

fn checked(field: &Value, given: Option<&Value>) -> Result<bool, String> {
    let given = given.unwrap_or(&field["default"]);
    given.as_bool().ok_or_else(|| format!("{} takes true or false", name(field)))
}

fn picked(field: &Value, given: Option<&Value>) -> Result<Option<String>, String> {
    let usual = preselected(field);
    let given = given.unwrap_or(&usual[0]);
    if given.is_null() {
        if field["required"] == false {
            return Ok(None);
        }
        return Err(format!("{} must be chosen", name(field)));
    }
    let value = given.as_str().ok_or_else(|| format!("{} takes one value", name(field)))?;
    offered(field, value)?;
    Ok(Some(value.to_owned()))
}

fn files(field: &Value, given: Option<&Value>) -> Result<Vec<Upload>, String> {
    let what = name(field);
    let list = match given {
        None => &[][..],
        Some(given) => given.as_array().ok_or_else(|| format!("{what} takes a list of files"))?,
    };
    count(field, list.len())?;
    (0..).zip(list).map(|(index, one)| file(index, one)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::default::{ADA, BEN, GENERAL, GUILD, default_state};

    fn fill(fields: Value, values: Value) -> Result<Value, String> {
        let state = default_state();
        let chooser = Chooser { state: &state, human: ADA, guild: Some(GUILD), channel: GENERAL };
        let mut filling =
            Filling { chooser, values: &values, named: Named::default(), uploads: Vec::new() };
        let labels: Vec<Value> = fields
            .as_array()
            .unwrap()
            .iter()
            .map(|field| json!({ "type": 18, "id": 1, "component": field }))
            .collect();
        filling.all(&labels).map(Value::from)
    }

    #[test]
    fn fields_take_what_the_client_lets_in() {
        let text = json!({ "type": 4, "id": 2, "custom_id": "f", "style": 1, "required": true,
            "min_length": 2, "max_length": 3 });
        let free = json!({ "type": 4, "custom_id": "f", "style": 2, "required": false });
        let options = json!([{ "value": "a" }, { "value": "b" }]);
        let radio = json!({ "type": 21, "custom_id": "f", "options": options, "required": true });
        let optional = json!({ "type": 21, "custom_id": "f", "options": options,
            "required": false });
        let group = json!({ "type": 22, "custom_id": "f", "options": options, "min_values": 1,
            "max_values": 2, "required": true });
        let checkbox = json!({ "type": 23, "custom_id": "f", "default": false });
        let user = json!({ "type": 5, "custom_id": "f", "min_values": 1, "max_values": 1,
            "required": true });
        let upload = json!({ "type": 19, "custom_id": "f", "min_values": 1, "max_values": 1 });
        let preset = json!({ "type": 3, "custom_id": "f", "min_values": 1, "max_values": 1,
            "options": [{ "value": "a", "default": true }] });
        let file = json!({ "name": "a.txt", "text": "x" });
        let cases = [
            (&text, json!("ab"), Ok(json!("ab"))),
            (&text, json!("a"), Err("`f` takes 2 to 3 characters, not 1")),
            (&text, json!("abcd"), Err("`f` takes 2 to 3 characters, not 4")),
            (&text, json!(null), Err("`f` takes 2 to 3 characters, not 0")),
            (&text, json!("a\nb"), Err("`f` takes one line")),
            (&text, json!(5), Err("`f` takes a text")),
            (&free, json!(null), Ok(json!(""))),
            (&free, json!("a\nb"), Ok(json!("a\nb"))),
            (&radio, json!("b"), Ok(json!("b"))),
            (&radio, json!("c"), Err("`c` is not offered in `f`")),
            (&radio, json!(null), Err("`f` must be chosen")),
            (&optional, json!(null), Ok(json!(null))),
            (&group, json!(["b", "a"]), Ok(json!(["b", "a"]))),
            (&group, json!([]), Err("`f` takes 1 to 2 values, not 0")),
            (&checkbox, json!(true), Ok(json!(true))),
            (&checkbox, json!(null), Ok(json!(false))),
            (&checkbox, json!("yes"), Err("`f` takes true or false")),
            (&user, json!([BEN.to_string()]), Ok(json!([BEN.to_string()]))),
            (&user, json!(null), Err("`f` takes 1 to 1 values, not 0")),
            (&upload, json!([file]), Ok(json!([]))),
            (&upload, json!(null), Err("`f` takes 1 to 1 values, not 0")),
            (&upload, json!([{ "name": "a" }]), Err("every file needs either `text` or `base64`")),
            (&preset, json!(null), Ok(json!(["a"]))),
        ];
        for (field, given, expected) in cases {
            let filled = fill(json!([field]), json!({ "f": given })).map(|filled| {
                let component = &filled[0]["component"];
                component.get("value").unwrap_or(&component["values"]).clone()
            });
            assert_eq!(filled, expected.map_err(str::to_owned), "{field} {given}");
        }
    }

    #[test]
    fn all_fields_are_sent_and_no_others() {
        let text = |id: &str| json!({ "type": 4, "id": 2, "custom_id": id, "required": false });
        let filled = fill(json!([text("a"), text("b")]), json!({ "b": "x" })).unwrap();
        let field = |id: &str, value: &str| {
            let component = json!({ "type": 4, "id": 2, "custom_id": id, "value": value });
            json!({ "type": 18, "id": 1, "component": component })
        };
        assert_eq!(filled, json!([field("a", ""), field("b", "x")]));
        let unknown = fill(json!([text("a")]), json!({ "c": "x" }));
        assert_eq!(unknown, Err("there is no field `c`".to_owned()));
        assert_eq!(fill(json!([]), json!([])), Err("`values` must be an object".to_owned()));
    }
}
