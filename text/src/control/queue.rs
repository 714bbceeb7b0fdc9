//! `/queue`: how the turns of a conversation wait for the one that runs.

use super::{ControlContext, ControlDoor, DoorFailure, QueueCommand};
use crate::lane::LaneSettings;

/// Shows it, or chooses it until the program ends.
pub(super) async fn answer(
    command: &QueueCommand,
    context: &ControlContext<'_>,
    door: &dyn ControlDoor,
) -> Result<String, DoorFailure> {
    let session = &context.route.key;
    match command {
        QueueCommand::Show => {}
        QueueCommand::Default => door.set_queue(session, None).await?,
        QueueCommand::Set { mode, cap, drop } => {
            let (now, _) = door.queue(session).await?;
            let settings = LaneSettings {
                mode: mode.unwrap_or(now.mode),
                cap: cap.unwrap_or(now.cap),
                drop: drop.unwrap_or(now.drop),
            };
            door.set_queue(session, Some(settings)).await?;
        }
    }
    let (settings, is_chosen) = door.queue(session).await?;
    let chosen = if is_chosen { " (chosen here)" } else { "" };
    Ok(format!(
        "Queue: `{}`, at most {} wait, drop `{}`{chosen}.",
        settings.mode.as_str(),
        settings.cap,
        settings.drop.as_str()
    ))
}
