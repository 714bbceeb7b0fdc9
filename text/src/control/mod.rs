//! Commands that are about a conversation itself: beginning anew, what it costs, its model, which
//! thread belongs to it, and the configuration.
//!
//! ```text
//! message → TextCommands::parse   ┐
//! slash   → ControlCommand::typed ┴→ ControlCommand → answer → ControlDoor
//!                                                            → the reply's text
//! ```
//!
//! Whether somebody may give commands is decided before (`session::access`); what only an owner may
//! is decided here. Does not: change anything itself. That is the door's.

mod answer;
mod binding_answers;
mod config_answers;
mod context;
mod door;
mod duration;
mod focus;
mod parse;
mod queue;
mod slash;
mod status;
mod words;

use std::time::Duration;

use clawvoice_config::{QueueDrop, QueueMode};

pub use answer::{answer, attempt};
pub use context::{ControlContext, ControlRules};
pub use door::{AgentFacts, ControlDoor, DoorFailure, Limit, SessionFacts, SessionName, Stopped};
pub use duration::parse_limit;
pub use parse::TextCommands;
pub use slash::{definitions, is_private};

#[cfg(test)]
mod tests;

/// A command, as somebody gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ControlCommand {
    /// `/new [message]`: a new conversation, which begins with the message.
    New {
        /// What is then asked.
        then: Option<String>,
    },
    /// `/reset [message]`, or one of `session.resetTriggers`: likewise.
    Reset {
        /// What is then asked.
        then: Option<String>,
    },
    /// `/stop`: what runs ends, what waits is dropped.
    Stop,
    /// `/status`.
    Status,
    /// `/model`.
    Model(ModelCommand),
    /// `/config`.
    Config(ConfigCommand),
    /// `/focus <target>`: the place belongs to a session.
    Focus {
        /// A session's key or label, or an agent's id.
        target: String,
    },
    /// `/unfocus`.
    Unfocus,
    /// `/agents`: who is there, and what is bound.
    Agents,
    /// `/session`: how long a binding lasts.
    Session(SessionCommand),
    /// `/queue`: how turns wait for the one that runs.
    Queue(QueueCommand),
    /// `/whoami`.
    Whoami,
    /// `/help`: what there is, in short.
    Help,
    /// `/commands`: all of it.
    Commands,
    /// A command that is there, written wrongly; holds how it is written.
    Misused(&'static str),
}

/// `/model`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModelCommand {
    /// Which one answers.
    Show,
    /// `list`: which there are.
    List,
    /// `default`: no longer a chosen one.
    Default,
    /// This one.
    Use(String),
    /// `/models add`, which is no more.
    Add,
}

/// `/queue`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QueueCommand {
    /// How they wait now.
    Show,
    /// As the file says.
    Default,
    /// Otherwise; what is `None` stays.
    Set {
        /// What becomes of a turn that comes while another one runs.
        mode: Option<QueueMode>,
        /// So many may wait.
        cap: Option<usize>,
        /// What goes when one more comes.
        drop: Option<QueueDrop>,
    },
}

/// `/config`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfigCommand {
    /// `get [path]`; without one, all.
    Get(Option<String>),
    /// `set <path> <value>`.
    Set {
        /// Where.
        path: String,
        /// JSON5, or a plain text.
        value: String,
    },
    /// `unset <path>`.
    Unset(String),
}

/// `/session`: a time of the binding, to be shown or set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionCommand {
    /// Which one.
    pub limit: Limit,
    /// What it becomes; zero: off. `None`: it is shown.
    pub to: Option<Duration>,
}

impl ControlCommand {
    /// Whether it changes anything, rather than only telling.
    #[must_use]
    pub const fn changes(&self) -> bool {
        match self {
            Self::New { .. }
            | Self::Reset { .. }
            | Self::Stop
            | Self::Focus { .. }
            | Self::Unfocus => true,
            Self::Model(model) => matches!(model, ModelCommand::Default | ModelCommand::Use(_)),
            Self::Config(config) => !matches!(config, ConfigCommand::Get(_)),
            Self::Session(session) => session.to.is_some(),
            Self::Queue(queue) => !matches!(queue, QueueCommand::Show),
            Self::Status
            | Self::Agents
            | Self::Whoami
            | Self::Help
            | Self::Commands
            | Self::Misused(_) => false,
        }
    }

    /// What is asked once the command is carried out: `/new` and `/reset` may be followed by it.
    #[must_use]
    pub fn then(&self) -> Option<&str> {
        match self {
            Self::New { then } | Self::Reset { then } => then.as_deref(),
            _ => None,
        }
    }
}
