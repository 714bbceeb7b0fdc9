//! Buttons that humans click, and selects they choose in.

use axum::extract::{Query, State};
use serde_json::{Value, json};

use super::{
    Answer, Call, Control, Refusal,
    chosen::Chooser,
    conflict, guild_of, limit,
    payload::{Named, resolved},
    place,
};
use crate::{
    control::{
        Wait,
        humans::{Who, id_in},
    },
    rest::{
        body::JsonBody,
        interaction::{Interaction, interaction_kind},
    },
    world::{
        Message,
        component::{find, kind_of},
        component_kind as kind,
    },
};

/// `POST humans/{human}/components`
pub(in crate::control) async fn component(
    State(control): State<Control>,
    Who(human): Who,
    Query(query): Query<Wait>,
    JsonBody(body): JsonBody,
) -> Answer {
    let required = |field: &str| -> Result<u64, Refusal> {
        id_in(&body, field)?.ok_or_else(|| Refusal::bad(format!("`{field}` must be there")))
    };
    let (channel, message) = (required("channel_id")?, required("message_id")?);
    let custom_id = body.get("custom_id").and_then(Value::as_str).unwrap_or_default();
    let guild = control.rest.world.read(|state| guild_of(state, human, channel))?;
    let found = visible(&control, human, channel, message)?;
    let component = find(&found.components, custom_id)
        .filter(|component| !component["custom_id"].is_null())
        .ok_or_else(|| Refusal::unknown("component with that `custom_id`"))?;
    if component["disabled"] == true {
        return Err(conflict("that component is disabled"));
    }
    let call = control.rest.world.read(|state| {
        let mut data = json!({
            "custom_id": custom_id,
            "component_type": component["type"],
            "id": component["id"],
        });
        let values = body.get("values");
        if kind_of(component) == kind::BUTTON {
            if values.is_some() {
                return Err(Refusal::bad("a button takes no `values`"));
            }
        } else {
            let mut named = Named::default();
            let chooser = Chooser { state, human, guild, channel };
            let given = values.cloned().unwrap_or_else(|| json!([]));
            let values = chooser.values(component, &given, &mut named).map_err(Refusal::bad)?;
            data["values"] = json!(values);
            let objects = resolved(state, guild, human, &named);
            if !objects.is_null() {
                data["resolved"] = objects;
            }
        }
        let application = state.application_of(found.author_id).map(|found| found.id);
        let application = found.application_id.or(application);
        let interaction = Interaction {
            kind: interaction_kind::COMPONENT,
            application_id: application.unwrap_or_default(),
            guild_id: guild,
            channel_id: channel,
            user_id: human,
            source: Some(message),
            ..Interaction::default()
        };
        Ok(Call { interaction, data, message: Some(control.rest.shown(state, &found)) })
    })?;
    place(&control, call, query.wait, limit(&body)).await
}

/// A message of a channel that the human sees: nobody sees the ephemeral ones of others.
pub(super) fn visible(
    control: &Control,
    human: u64,
    channel: u64,
    message: u64,
) -> Result<Message, Refusal> {
    let hidden = control.rest.ephemerals().find(message).cloned();
    let hidden = hidden.filter(|one| one.viewer == human && one.message.channel_id == channel);
    let open =
        || control.rest.world.read(|state| state.messages.get(&channel)?.get(&message).cloned());
    let found = hidden.map(|one| one.message).or_else(open);
    found.ok_or_else(|| Refusal::unknown("message"))
}
