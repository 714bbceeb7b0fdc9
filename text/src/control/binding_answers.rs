//! `/unfocus`, `/agents` and `/session`.

use std::time::Duration;

use clawvoice_session::ChannelId;

use super::{
    ControlContext, ControlDoor, DoorFailure, Limit, SessionCommand,
    words::{listed, quoted},
};
use crate::routing::binding::{BindRefusal, BindingRecord, BoundPlace, duration_label};

/// Ends the place's binding.
pub(super) async fn unfocus(
    context: &ControlContext<'_>,
    door: &dyn ControlDoor,
) -> Result<String, DoorFailure> {
    let record = own(context, door).await?;
    may_change(&record, context)?;
    door.unbind(record.place).await.ok_or_else(not_bound)?;
    Ok(format!("No longer bound to {}.", quoted(record.name())))
}

/// Shows or sets a time of the place's binding.
pub(super) async fn limit(
    command: &SessionCommand,
    context: &ControlContext<'_>,
    door: &dyn ControlDoor,
) -> Result<String, DoorFailure> {
    let record = own(context, door).await?;
    let Some(to) = command.to else {
        return Ok(shown(&record, command.limit));
    };
    may_change(&record, context)?;
    let changed = door.set_limit(record.place, command.limit, to).await.ok_or_else(not_bound)?;
    Ok(shown(&changed, command.limit))
}

/// All agents, and the bindings of the place, of its channel, and of the channel's threads; an owner
/// is shown all.
pub(super) async fn agents(context: &ControlContext<'_>, door: &dyn ControlDoor) -> String {
    let agents: Vec<String> = door
        .agents()
        .await
        .iter()
        .map(|agent| {
            let name =
                agent.name.as_ref().map_or(String::new(), |name| format!(" {}", quoted(name)));
            let default = if agent.is_default { " (default)" } else { "" };
            format!("{}{name}{default}", quoted(&agent.id))
        })
        .collect();
    let text = listed("Agents:", &agents);
    if !context.rules.bindings {
        return text;
    }
    let bound = door.bindings().await;
    let near = bound.iter().filter(|record| context.owner || is_near(record, context));
    let lines: Vec<String> = near.map(line).collect();
    match lines.is_empty() {
        true => format!("{text}\nNothing is bound here."),
        false => format!("{text}\n{}", listed("Bindings:", &lines)),
    }
}

fn is_near(record: &BindingRecord, context: &ControlContext<'_>) -> bool {
    let channel: ChannelId = context.from.parent().unwrap_or(context.from.channel);
    let is_room = matches!(context.place(), BoundPlace::Channel(_));
    record.place == context.place()
        || (is_room
            && (record.parent == Some(channel) || record.place == BoundPlace::Channel(channel)))
}

fn line(record: &BindingRecord) -> String {
    let place = match record.place {
        BoundPlace::Channel(channel) => format!("<#{channel}>"),
        BoundPlace::User(user) => format!("direct messages of <@{user}>"),
    };
    format!(
        "{place} → {} of {}, idle limit {}, bound by <@{}>",
        quoted(record.name()),
        quoted(&record.agent),
        off_or(record.idle),
        record.bound_by
    )
}

fn shown(record: &BindingRecord, limit: Limit) -> String {
    match limit {
        Limit::Idle => format!("Idle limit: {}.", off_or(record.idle)),
        Limit::MaxAge => format!("Greatest age: {}.", off_or(record.max_age)),
    }
}

fn off_or(duration: Duration) -> String {
    if duration.is_zero() { "off".to_owned() } else { duration_label(duration) }
}

async fn own(
    context: &ControlContext<'_>,
    door: &dyn ControlDoor,
) -> Result<BindingRecord, DoorFailure> {
    if !context.rules.bindings {
        return Err(DoorFailure(BindRefusal::Disabled.to_string()));
    }
    door.binding(context.place()).await.ok_or_else(not_bound)
}

fn not_bound() -> DoorFailure {
    DoorFailure("This place is not bound to a session.".to_owned())
}

/// Whoever bound it, and owners.
fn may_change(record: &BindingRecord, context: &ControlContext<'_>) -> Result<(), DoorFailure> {
    if context.owner || record.bound_by == context.from.sender {
        return Ok(());
    }
    let refusal = format!("Only <@{}> or an owner can change this binding.", record.bound_by);
    Err(DoorFailure(refusal))
}
