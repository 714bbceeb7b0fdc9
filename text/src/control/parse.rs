//! Commands that are written as messages.

use clawvoice_config::{Config, QueueDrop, QueueMode};

use super::{
    ConfigCommand, ControlCommand, Limit, ModelCommand, QueueCommand, SessionCommand,
    duration::parse_limit,
};

const CONFIG_USAGE: &str = "/config get [path] | set <path> <value> | unset <path>";
const QUEUE_USAGE: &str = "/queue [steer|followup|collect|interrupt|default] [cap:<1 to 1000>] \
                           [drop:old|new|summarize]";
const FOCUS_USAGE: &str = "/focus <session key, session label or agent id>";
const SESSION_USAGE: &str = "/session idle <duration|off> | max-age <duration|off>, as in 24h, 90m \
                             or 2d";

/// The modes of a queue.
pub(super) const MODES: [QueueMode; 4] =
    [QueueMode::Steer, QueueMode::Followup, QueueMode::Collect, QueueMode::Interrupt];

/// What goes when a queue is full.
pub(super) const DROPS: [QueueDrop; 3] = [QueueDrop::Old, QueueDrop::New, QueueDrop::Summarize];

/// Most turns that somebody may let wait.
const MOST_WAITING: usize = 1_000;

/// Which messages are commands.
#[derive(Clone, Debug)]
pub struct TextCommands {
    /// `commands.text`.
    on: bool,
    /// `session.resetTriggers`, in small letters.
    triggers: Vec<String>,
}

impl TextCommands {
    /// As the file has it.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        let triggers = config.session.reset_triggers.as_deref().unwrap_or_default();
        Self {
            on: config.commands.text,
            triggers: triggers.iter().map(|trigger| trigger.trim().to_lowercase()).collect(),
        }
    }

    /// The command that a message is; a mention of the bot at its beginning is left out before.
    /// `None`: it is for the agent.
    #[must_use]
    pub fn parse(&self, text: &str) -> Option<ControlCommand> {
        let text = text.trim();
        if !self.on {
            return None;
        }
        if let Some(then) = self.triggers.iter().find_map(|trigger| after(text, trigger)) {
            return Some(ControlCommand::Reset { then: some_text(then) });
        }
        let (name, rest) = word(text.strip_prefix('/')?);
        // `/model: gpt` is what people write too.
        read(name.strip_suffix(':').unwrap_or(name), rest)
    }
}

/// What follows a trigger, which is a message of its own or at least its beginning.
fn after<'t>(text: &'t str, trigger: &str) -> Option<&'t str> {
    let mut rest = text.chars();
    for wanted in trigger.chars() {
        let letter = rest.next()?;
        if letter != wanted && !letter.to_lowercase().eq(std::iter::once(wanted)) {
            return None;
        }
    }
    let rest = rest.as_str();
    (rest.is_empty() || rest.starts_with(char::is_whitespace)).then_some(rest)
}

/// The first word, and the rest.
fn word(text: &str) -> (&str, &str) {
    let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    (word, rest.trim())
}

fn some_text(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// The command of that name, with what follows it. One that takes nothing and is followed by
/// something is none: `/status quo` is a message.
pub(super) fn read(name: &str, rest: &str) -> Option<ControlCommand> {
    let alone = |command: ControlCommand| rest.is_empty().then_some(command);
    match name.to_lowercase().as_str() {
        "new" => Some(ControlCommand::New { then: some_text(rest) }),
        "reset" => Some(ControlCommand::Reset { then: some_text(rest) }),
        "stop" => alone(ControlCommand::Stop),
        "status" => alone(ControlCommand::Status),
        "unfocus" => alone(ControlCommand::Unfocus),
        "agents" => alone(ControlCommand::Agents),
        "help" => alone(ControlCommand::Help),
        "whoami" | "id" => alone(ControlCommand::Whoami),
        "commands" => alone(ControlCommand::Commands),
        "queue" => Some(queue(rest)),
        "model" => Some(ControlCommand::Model(model(rest))),
        "models" => Some(ControlCommand::Model(match rest.split_whitespace().next() {
            None => ModelCommand::List,
            Some(word) if word.eq_ignore_ascii_case("add") => ModelCommand::Add,
            Some(_) => model(rest),
        })),
        "config" => Some(config(rest)),
        "focus" => Some(match some_text(rest) {
            Some(target) => ControlCommand::Focus { target },
            None => ControlCommand::Misused(FOCUS_USAGE),
        }),
        "session" => Some(session(rest)),
        _ => None,
    }
}

fn model(rest: &str) -> ModelCommand {
    match rest.to_lowercase().as_str() {
        "" | "status" => ModelCommand::Show,
        "list" => ModelCommand::List,
        "default" => ModelCommand::Default,
        _ => ModelCommand::Use(rest.to_owned()),
    }
}

/// `collect cap:10 drop:old`, in any order.
fn queue(rest: &str) -> ControlCommand {
    match rest.to_lowercase().as_str() {
        "" | "status" => return ControlCommand::Queue(QueueCommand::Show),
        "default" | "reset" => return ControlCommand::Queue(QueueCommand::Default),
        _ => {}
    }
    let (mut mode, mut cap, mut drop) = (None, None, None);
    for word in rest.split_whitespace() {
        let word = word.to_lowercase();
        let is_read = match word.split_once(':') {
            None => set(&mut mode, MODES.into_iter().find(|it| it.as_str() == word)),
            Some(("cap", number)) => set(&mut cap, cap_of(number)),
            Some(("drop", what)) => {
                set(&mut drop, DROPS.into_iter().find(|it| it.as_str() == what))
            }
            Some(_) => false,
        };
        if !is_read {
            return ControlCommand::Misused(QUEUE_USAGE);
        }
    }
    ControlCommand::Queue(QueueCommand::Set { mode, cap, drop })
}

/// Once, and only by something.
fn set<T>(value: &mut Option<T>, to: Option<T>) -> bool {
    let is_first = value.is_none();
    *value = to;
    is_first && value.is_some()
}

/// A whole number; Discord writes such as `10.0`, too.
fn cap_of(number: &str) -> Option<usize> {
    let whole = number.strip_suffix(".0").unwrap_or(number);
    whole.parse().ok().filter(|cap| (1..=MOST_WAITING).contains(cap))
}

fn config(rest: &str) -> ControlCommand {
    let (verb, rest) = word(rest);
    let (path, value) = word(rest);
    let command = match (verb.to_lowercase().as_str(), path, value) {
        ("get" | "show" | "", "", "") => ConfigCommand::Get(None),
        ("get" | "show", path, "") => ConfigCommand::Get(Some(path.to_owned())),
        ("set", path, value) if !value.is_empty() => {
            ConfigCommand::Set { path: path.to_owned(), value: value.to_owned() }
        }
        ("unset", path, "") if !path.is_empty() => ConfigCommand::Unset(path.to_owned()),
        _ => return ControlCommand::Misused(CONFIG_USAGE),
    };
    ControlCommand::Config(command)
}

fn session(rest: &str) -> ControlCommand {
    let (which, duration) = word(rest);
    let limit = match which.to_lowercase().as_str() {
        "idle" => Limit::Idle,
        "max-age" | "maxage" => Limit::MaxAge,
        _ => return ControlCommand::Misused(SESSION_USAGE),
    };
    let to = match duration {
        "" => None,
        duration => match parse_limit(duration) {
            Some(duration) => Some(duration),
            None => return ControlCommand::Misused(SESSION_USAGE),
        },
    };
    ControlCommand::Session(SessionCommand { limit, to })
}
