//! The same commands as slash commands. Source: Discord, "Application Commands".

use super::{ControlCommand, ControlRules, parse::read};
use crate::command::{CommandOption, Definition, Invocation, Subcommand};

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

impl ControlCommand {
    /// The command that a slash command is; `None`: it is another one's.
    #[must_use]
    pub fn typed(invocation: &Invocation) -> Option<Self> {
        let definition = all().into_iter().find(|it| it.name == invocation.name)?;
        let chosen = invocation.subcommand.as_deref();
        let asked = definition.asked(chosen).iter();
        let given = asked.filter_map(|option| invocation.options.get(&option.name));
        // As it would be written in a message.
        let words: Vec<&str> = chosen.into_iter().chain(given.map(|text| text.trim())).collect();
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
            vec![optional("name", "A model, \"list\" or \"default\"")],
        ),
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
            vec![required("target", "A session's key or label, or an agent's id")],
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
        command("help", "List the commands", Vec::new()),
    ]
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
