//! Slash commands, in our own types: what is registered, and what a user typed.
//!
//! Source: Discord, "Application Commands" and "Receiving and Responding".

pub mod argument_menu;
pub mod authority;
pub mod complete;
mod definition;
pub mod deploy;
pub mod model_picker;
mod vc;

use std::collections::BTreeMap;

use clawvoice_session::{ChannelId, Directory, VoiceControl, access::Policy};

pub use self::definition::{CommandOption, Definition, MOST_CHOICES, Subcommand, Takes};
use crate::interaction::Caller;

/// The kinds of channel a command can tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChannelKind {
    /// GUILD_VOICE (2).
    Voice,
    /// GUILD_STAGE_VOICE (13).
    Stage,
    /// Every other kind.
    Other,
}

impl ChannelKind {
    /// From Discord's channel type number.
    #[must_use]
    pub const fn from_wire(kind: u64) -> Self {
        match kind {
            2 => Self::Voice,
            13 => Self::Stage,
            _ => Self::Other,
        }
    }

    /// Whether one can speak in it.
    #[must_use]
    pub const fn is_voice(self) -> bool {
        matches!(self, Self::Voice | Self::Stage)
    }
}

/// A slash command as a user typed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invocation {
    /// Who typed it, and where.
    pub by: Caller,
    /// The command's name.
    pub name: String,
    /// The chosen subcommand.
    pub subcommand: Option<String>,
    /// The chosen channel option.
    pub channel: Option<ChosenChannel>,
    /// What was typed into the other options, by their names.
    pub options: BTreeMap<String, String>,
}

/// A slash command that is being typed: what one of its options could be is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completion {
    /// As far as it is typed.
    pub invocation: Invocation,
    /// The option.
    pub option: String,
}

impl Completion {
    /// What the option says so far.
    #[must_use]
    pub fn typed(&self) -> &str {
        self.invocation.options.get(&self.option).map_or("", String::as_str)
    }
}

/// A channel that was chosen as an option.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChosenChannel {
    /// Its id.
    pub id: ChannelId,
    /// Its kind, if Discord resolved it.
    pub kind: Option<ChannelKind>,
    /// Its name; empty if unknown.
    pub name: String,
}

/// What whoever gave a slash command is shown.
#[derive(Clone, Debug, PartialEq)]
pub enum SlashReply {
    /// Words; none: it is done.
    Said(String),
    /// Why it is not done: for whoever asked alone.
    Denied(String),
    /// A message with components, as Discord takes it, without its flags.
    Shown(serde_json::Value),
}

/// What commands go by beside what was typed.
#[derive(Clone, Copy)]
pub struct Doors<'a> {
    /// What `/vc` steers; `None`: it is not there yet.
    pub voice: Option<&'a dyn VoiceControl>,
    /// Who may command the agent where.
    pub policy: &'a Policy,
    /// What places are called.
    pub directory: &'a Directory,
}

/// The commands to register: `/vc` if voice is on, else none.
#[must_use]
pub fn definitions(voice: bool) -> Vec<Definition> {
    if voice { vec![vc::definition()] } else { Vec::new() }
}

/// Whether a command is voice's.
#[must_use]
pub fn is_voice(invocation: &Invocation) -> bool {
    invocation.name == vc::NAME
}

/// The reply to a command, as shown to the user who typed it. Returns when the command is carried
/// out; a join takes up to its connect timeout.
pub async fn answer(invocation: &Invocation, doors: Doors<'_>) -> String {
    match invocation.name.as_str() {
        vc::NAME => vc::answer(invocation, doors).await,
        other => format!("/{other} is not a command of this bot."),
    }
}
