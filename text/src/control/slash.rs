//! The same commands as slash commands. Source: Discord, "Application Commands".

use clawvoice_config::QueueDrop;

use super::{
    ControlCommand, ControlRules,
    parse::{DROPS, MODES, read},
};
use crate::command::{
    CommandOption, Definition, Invocation, Subcommand, Takes, argument_menu::missing,
};

/// The commands to register: `/config` and those about bindings only where they do something.
#[must_use]
pub fn definitions(rules: ControlRules) -> Vec<Definition> {
    all().into_iter().filter(|definition| is_there(&definition.name, rules)).collect()
}

/// Whether a command does something.
pub(super) fn is_there(name: &str, rules: ControlRules) -> bool {
    match name {
        "config" => rules.config,
        "focus" | "unfocus" | "session" => rules.bindings,
        _ => true,
    }
}

/// Whether the reply is for whoever asked alone, whatever the file says: menus are, and what
/// the configuration holds.
#[must_use]
pub fn is_private(invocation: &Invocation, definitions: &[Definition]) -> bool {
    let definition = definitions.iter().find(|it| it.name == invocation.name);
    let picks = matches!(invocation.name.as_str(), "model" | "models");
    let is_bare = invocation.options.is_empty();
    invocation.name == "config"
        || (picks && is_bare)
        || definition.is_some_and(|it| missing(it, invocation).is_some())
}

impl ControlCommand {
    /// The command that a slash command is; `None`: it is another one's.
    #[must_use]
    pub fn typed(invocation: &Invocation) -> Option<Self> {
        let definition = all().into_iter().find(|it| it.name == invocation.name)?;
        let chosen = invocation.subcommand.as_deref();
        let asked = definition.asked(chosen).iter();
        // As it would be written in a message.
        let given = asked.filter_map(|option| {
            let text = invocation.options.get(&option.name)?.trim();
            let is_named = definition.name == "queue" && option.name != "mode";
            Some(if is_named { format!("{}:{text}", option.name) } else { text.to_owned() })
        });
        let words: Vec<String> = chosen.map(str::to_owned).into_iter().chain(given).collect();
        read(&definition.name, words.join(" ").trim())
    }
}

fn all() -> Vec<Definition> {
    vec![
        command("new", "Begin a new conversation", vec![optional("message", "What to ask first")]),
        command(
            "reset",
            "Begin this conversation anew",
            vec![optional("message", "What to ask first")],
        ),
        command("stop", "Stop what the agent is doing here", Vec::new()),
        command("status", "Show this conversation's agent, model, queue and cost", Vec::new()),
        command(
            "model",
            "Show or choose the model that answers here",
            vec![optional("model", "A model, \"list\" or \"default\"").taking(Takes::Dynamic)],
        ),
        command("models", "List the models that can answer here", Vec::new()),
        Definition {
            subcommands: vec![
                subcommand(
                    "get",
                    "Show a value",
                    vec![optional("path", "Such as session.dmScope")],
                ),
                subcommand(
                    "set",
                    "Change a value",
                    vec![
                        required("path", "Such as session.dmScope"),
                        required("value", "JSON5, or plain text"),
                    ],
                ),
                subcommand(
                    "unset",
                    "Take a value out",
                    vec![required("path", "Such as session.dmScope")],
                ),
            ],
            ..command("config", "Show or change the configuration", Vec::new())
        },
        command(
            "focus",
            "Bind this thread, or a new one, to a session",
            vec![
                required("target", "A session's key or label, or an agent's id")
                    .taking(Takes::Dynamic),
            ],
        ),
        command("unfocus", "End this thread's binding", Vec::new()),
        command("agents", "List agents, and the bindings here", Vec::new()),
        Definition {
            subcommands: vec![
                subcommand(
                    "idle",
                    "How long nobody may write before the binding ends",
                    vec![optional("duration", "As in 24h, 90m, 2d, or off")],
                ),
                subcommand(
                    "max-age",
                    "At what age the binding ends",
                    vec![optional("duration", "As in 24h, 90m, 2d, or off")],
                ),
            ],
            ..command("session", "Show or set how long this binding lasts", Vec::new())
        },
        command(
            "queue",
            "Show or choose how messages wait while the agent works",
            vec![
                optional("mode", "What becomes of a message while the agent works")
                    .taking(modes())
                    .with_menu(),
                optional("cap", "How many may wait").taking(Takes::Number),
                optional("drop", "What goes when one more comes")
                    .taking(words(DROPS.map(QueueDrop::as_str))),
            ],
        ),
        command("whoami", "Show who you are to the agent", Vec::new()),
        command("help", "List the commands", Vec::new()),
        command("commands", "List all commands and their arguments", Vec::new()),
    ]
}

/// The modes of a queue, and the file's.
fn modes() -> Takes {
    let modes = MODES.iter().map(|mode| mode.as_str()).chain(["default"]);
    Takes::Choice(modes.map(str::to_owned).collect())
}

fn words<const N: usize>(words: [&str; N]) -> Takes {
    Takes::Choice(words.map(str::to_owned).to_vec())
}

fn command(name: &str, description: &str, options: Vec<CommandOption>) -> Definition {
    Definition { options, ..Definition::new(name, description) }
}

fn subcommand(name: &str, description: &str, options: Vec<CommandOption>) -> Subcommand {
    Subcommand { name: name.to_owned(), description: description.to_owned(), options }
}

fn optional(name: &str, description: &str) -> CommandOption {
    CommandOption::text(name, description)
}

fn required(name: &str, description: &str) -> CommandOption {
    CommandOption::text(name, description).required()
}
