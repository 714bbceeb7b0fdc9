//! All rules about people of one account, together: what changes when the configuration is reloaded.

use clawvoice_config::{Config, Discord};

use super::{
    command::CommandRules,
    rules::{AccessRules, GroupPolicy},
};

/// Who may talk to the agent, and who may command it.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// Where it listens, and to whom.
    pub access: AccessRules,
    /// Who commands it.
    pub commands: CommandRules,
}

impl Policy {
    /// Everybody may do everything, everywhere.
    #[must_use]
    pub fn open() -> Self {
        let access = AccessRules { group_policy: GroupPolicy::Open, ..AccessRules::default() };
        Self { access, commands: CommandRules::default() }
    }

    /// That of an account.
    #[must_use]
    pub fn of(config: &Config, discord: &Discord) -> Self {
        Self {
            access: AccessRules::of(discord, &config.access_groups),
            commands: CommandRules::of(config, discord),
        }
    }
}
