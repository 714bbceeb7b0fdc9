//! Who gives a command, and where.

use clawvoice_config::{Config, Discord};

use crate::routing::{Origin, Route, binding::BoundPlace};

/// What the file says of commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ControlRules {
    /// `commands.config`: there is a `/config`.
    pub config: bool,
    /// `configWrites`: it may change something.
    pub config_writes: bool,
    /// `threadBindings.enabled`: places can be bound.
    pub bindings: bool,
}

impl ControlRules {
    /// Those of an account.
    #[must_use]
    pub const fn of(config: &Config, discord: &Discord) -> Self {
        Self {
            config: config.commands.config,
            config_writes: discord.features.config_writes,
            bindings: discord.delivery.thread_bindings.enabled,
        }
    }
}

/// Who gives a command, and where.
#[derive(Clone, Copy, Debug)]
pub struct ControlContext<'a> {
    /// Where it was given, and by whom.
    pub from: &'a Origin<'a>,
    /// The conversation it is about: where a message from there would be taken now.
    pub route: &'a Route,
    /// Whether they may give commands there.
    pub authorised: bool,
    /// Whether they own the agent.
    pub owner: bool,
    /// What the file says.
    pub rules: ControlRules,
    /// Milliseconds since 1970.
    pub now: u64,
}

impl ControlContext<'_> {
    /// What is bound if the place is.
    pub(super) const fn place(&self) -> BoundPlace {
        BoundPlace::of(self.from)
    }
}
