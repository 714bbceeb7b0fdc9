//! The bot as which a command asks Discord.

use std::path::Path;

use clawvoice_config::{Config, Disabled, ProcessEnv};
use clawvoice_text::shell::rest::DiscordRest;

use super::config::located;
use crate::{
    bot::{self, of_account},
    printer::Failure,
};

/// The bot of an account.
pub(crate) struct AsBot {
    /// The account's key in the configuration.
    pub(crate) account: String,
    /// The configuration as the account has it.
    pub(crate) config: Config,
    /// REST, in the bot's name.
    pub(crate) rest: DiscordRest,
}

impl AsBot {
    /// Of this file, or the one there is; of this account, or the default one.
    pub(crate) fn new(file: Option<&Path>, account: Option<&str>) -> Result<Self, Failure> {
        let file = located(file)?;
        let config = clawvoice_config::load(&file, &ProcessEnv).map_err(Failure::user)?;
        let id = account.unwrap_or(&config.default_account).to_owned();
        Self::of(&config, id)
    }

    /// Of an account of a configuration.
    pub(crate) fn of(config: &Config, id: String) -> Result<Self, Failure> {
        let Some(account) = config.accounts.iter().find(|account| account.id == id) else {
            let known: Vec<&str> =
                config.accounts.iter().map(|account| account.id.as_str()).collect();
            return Err(Failure::user(format_args!("there is no account {id}"))
                .hint(format_args!("channels.discord has: {}", known.join(", "))));
        };
        match account.disabled {
            Some(Disabled::SwitchedOff) => {
                return Err(Failure::user(format_args!("account {id} is switched off"))
                    .hint("set `enabled` of the account and of channels.discord to true"));
            }
            Some(Disabled::NoToken) => {
                return Err(Failure::user(format_args!("account {id} has no bot token"))
                    .hint("put it into DISCORD_BOT_TOKEN, or set `token` of the account"));
            }
            // The other one is the same bot.
            Some(Disabled::DuplicateToken) | None => {}
        }
        let config = of_account(config, account);
        let rest = bot::rest(&config)?;
        Ok(Self { account: id, config, rest })
    }
}
