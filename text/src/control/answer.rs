//! Carries a command out and words the reply.

use super::{
    ControlCommand, ControlContext, ControlDoor, ControlRules, DoorFailure, ModelCommand, Stopped,
    binding_answers, config_answers,
    focus::focus,
    slash::{definitions, is_there},
    status::status,
    words::{listed, quoted},
};
use crate::command::{CommandOption, authority::Denial};

/// What `/models add` is answered.
const NO_ADDING: &str = "/models add is no longer there: models are listed in the configuration.";

/// The reply to a command. Returns when it is carried out. What [`ControlCommand::then`] asks is
/// the caller's to ask, if [`ControlContext::authorised`].
pub async fn answer(
    command: &ControlCommand,
    context: &ControlContext<'_>,
    door: &dyn ControlDoor,
) -> String {
    attempt(command, context, door).await.unwrap_or_else(|failure| failure.to_string())
}

/// The same.
///
/// # Errors
///
/// Why it was not carried out.
pub async fn attempt(
    command: &ControlCommand,
    context: &ControlContext<'_>,
    door: &dyn ControlDoor,
) -> Result<String, DoorFailure> {
    if !context.authorised {
        return Err(DoorFailure(Denial::NotAuthorized.to_string()));
    }
    if command.changes() && !door.may_still().await {
        return Err(DoorFailure(Denial::Changed.to_string()));
    }
    carry_out(command, context, door).await
}

async fn carry_out(
    command: &ControlCommand,
    context: &ControlContext<'_>,
    door: &dyn ControlDoor,
) -> Result<String, DoorFailure> {
    let session = &context.route.key;
    Ok(match command {
        ControlCommand::New { .. } => {
            door.reset(session).await?;
            "New conversation.".to_owned()
        }
        ControlCommand::Reset { .. } => {
            door.reset(session).await?;
            "Conversation reset.".to_owned()
        }
        ControlCommand::Stop => stopped(door.stop(session).await?),
        ControlCommand::Status => {
            let bound = door.binding(context.place()).await;
            status(context, &door.status(session).await?, bound.as_ref())
        }
        ControlCommand::Model(model) => self::model(model, context, door).await?,
        ControlCommand::Config(config) => config_answers::answer(config, context, door).await?,
        ControlCommand::Focus { target } => focus(target, context, door).await?,
        ControlCommand::Unfocus => binding_answers::unfocus(context, door).await?,
        ControlCommand::Agents => binding_answers::agents(context, door).await,
        ControlCommand::Session(session) => binding_answers::limit(session, context, door).await?,
        ControlCommand::Queue(queue) => super::queue::answer(queue, context, door).await?,
        ControlCommand::Whoami => whoami(context),
        ControlCommand::Help => help(context.rules),
        ControlCommand::Commands => commands(context.rules),
        ControlCommand::Misused(usage) => format!("Usage: `{usage}`"),
    })
}

fn stopped(stopped: Stopped) -> String {
    let dropped = match stopped.dropped {
        0 => String::new(),
        1 => " 1 waiting message was dropped.".to_owned(),
        many => format!(" {many} waiting messages were dropped."),
    };
    let ran = if stopped.was_running { "Stopped." } else { "Nothing was running." };
    format!("{ran}{dropped}")
}

async fn model(
    command: &ModelCommand,
    context: &ControlContext<'_>,
    door: &dyn ControlDoor,
) -> Result<String, DoorFailure> {
    let session = &context.route.key;
    let models = || door.models(&context.route.agent);
    Ok(match command {
        ModelCommand::Show => {
            let facts = door.status(session).await?;
            let chosen = if facts.model_is_chosen { " (chosen here)" } else { "" };
            format!("Model: {}{chosen}. `/model list` shows the others.", quoted(&facts.model))
        }
        ModelCommand::List => match models().await {
            models if models.is_empty() => "No models are listed; any can be named.".to_owned(),
            models => {
                let lines: Vec<String> = models.iter().map(|model| quoted(model)).collect();
                listed("Models:", &lines)
            }
        },
        ModelCommand::Add => NO_ADDING.to_owned(),
        ModelCommand::Default => {
            door.set_model(session, None).await?;
            "This conversation is answered by the agent's own model again.".to_owned()
        }
        ModelCommand::Use(named) => {
            let model = pick(&models().await, named)?;
            door.set_model(session, Some(&model)).await?;
            format!("This conversation is answered by {} from now on.", quoted(&model))
        }
    })
}

/// The model of that name, with or without its provider.
fn pick(models: &[String], named: &str) -> Result<String, DoorFailure> {
    let short =
        |model: &str| model.split_once('/').map_or(String::new(), |(_, it)| it.to_lowercase());
    let wanted = named.to_lowercase();
    if models.is_empty() {
        return Ok(named.to_owned());
    }
    if let Some(exact) = models.iter().find(|model| model.to_lowercase() == wanted) {
        return Ok(exact.clone());
    }
    let found: Vec<&String> = models.iter().filter(|model| short(model) == wanted).collect();
    match found.as_slice() {
        [model] => Ok((*model).clone()),
        [] => Err(DoorFailure(format!(
            "There is no model {} here. `/model list` shows which there are.",
            quoted(named)
        ))),
        _ => Err(DoorFailure(format!(
            "Several providers have {}; name one, as in {}.",
            quoted(named),
            quoted(found.first().map_or("", |model| model.as_str()))
        ))),
    }
}

fn whoami(context: &ControlContext<'_>) -> String {
    let owner = if context.owner { "yes" } else { "no" };
    let user = context.from.sender;
    format!(
        "User: <@{user}> (`{user}`)\nOwner of the agent: {owner}\nSession: `{}`",
        context.route.key
    )
}

/// Every command with its arguments, as it is registered.
fn commands(rules: ControlRules) -> String {
    let mut lines = Vec::new();
    for definition in definitions(rules) {
        let mut line = |name: &str, description: &str, options: &[CommandOption]| {
            let argument = |option: &CommandOption| match option.required {
                true => format!(" <{}>", option.name),
                false => format!(" [{}]", option.name),
            };
            let arguments: String = options.iter().map(argument).collect();
            lines.push(format!("`/{name}{arguments}`: {description}"));
        };
        if definition.subcommands.is_empty() {
            line(&definition.name, &definition.description, &definition.options);
        }
        for sub in &definition.subcommands {
            let name = format!("{} {}", definition.name, sub.name);
            line(&name, &sub.description, &sub.options);
        }
    }
    listed("Commands:", &lines)
}

fn help(rules: ControlRules) -> String {
    let all = [
        ("new", "`/new [message]`: begin a new conversation"),
        ("reset", "`/reset [message]`: begin this conversation anew"),
        ("stop", "`/stop`: stop what the agent is doing here"),
        ("status", "`/status`: agent, model, queue and cost of this conversation"),
        ("model", "`/model [name|list|default]`: show or choose the model"),
        ("config", "`/config get|set|unset`: show or change the configuration"),
        ("focus", "`/focus <target>`: bind this thread, or a new one, to a session"),
        ("unfocus", "`/unfocus`: end this thread's binding"),
        ("session", "`/session idle|max-age <duration|off>`: how long the binding lasts"),
        ("agents", "`/agents`: agents, and the bindings here"),
        ("queue", "`/queue [mode|default]`: how messages wait while the agent works"),
        ("whoami", "`/whoami`: who you are to the agent"),
        ("commands", "`/commands`: all commands and their arguments"),
        ("help", "`/help`: this list"),
    ];
    let there = all.iter().filter(|(name, _)| is_there(name, rules));
    let lines: Vec<String> = there.map(|(_, line)| (*line).to_owned()).collect();
    listed("Commands:", &lines)
}
