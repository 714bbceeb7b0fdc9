//! `/config`: for an owner, and where the file allows it.

use super::{
    ConfigCommand, ControlContext, ControlDoor, DoorFailure,
    words::{block, quoted},
};

/// Carries it out. What was set is not repeated: it may be a secret.
pub(super) async fn answer(
    command: &ConfigCommand,
    context: &ControlContext<'_>,
    door: &dyn ControlDoor,
) -> Result<String, DoorFailure> {
    if let Some(refusal) = refusal(command, context) {
        return Err(DoorFailure(refusal.to_owned()));
    }
    Ok(match command {
        ConfigCommand::Get(path) => block("json", &door.config_get(path.as_deref()).await?),
        ConfigCommand::Set { path, value } => {
            door.config_set(path, value).await?;
            format!("{} is set.", quoted(path))
        }
        ConfigCommand::Unset(path) => {
            door.config_unset(path).await?;
            format!("{} is no longer set.", quoted(path))
        }
    })
}

fn refusal(command: &ConfigCommand, context: &ControlContext<'_>) -> Option<&'static str> {
    let writes = !matches!(command, ConfigCommand::Get(_));
    if !context.rules.config {
        Some("/config is switched off (commands.config).")
    } else if !context.owner {
        Some("Only an owner of the agent can use /config.")
    } else if writes && !context.rules.config_writes {
        Some("Changes from a chat are switched off (channels.discord.configWrites).")
    } else {
        None
    }
}
