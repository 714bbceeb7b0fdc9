//! `channels.discord.accounts`: several bots in one process, and what they inherit.

use std::fmt;

use secrecy::ExposeSecret as _;

use crate::{
    cursor::Section,
    schema::{
        discord::{self, Above, Discord, Role},
        speech::{self, Speech},
        voice::VoiceMode,
    },
    walk::Surface,
};

/// The account that is there without a block, and the only one that `DISCORD_BOT_TOKEN` is for.
pub(crate) const DEFAULT: &str = "default";

/// A bot.
#[derive(Clone, Debug)]
pub struct Account {
    /// Its key in `accounts`, or `default`.
    pub id: String,
    /// `name`: what people call it.
    pub name: Option<String>,
    /// Whether it is to be started.
    pub enabled: bool,
    /// Why not.
    pub disabled: Option<Disabled>,
    /// Its effective settings.
    pub discord: Discord,
    /// Who transcribes and speaks; read in mode `stt-tts` only, where voice is on.
    pub speech: Option<Speech>,
}

/// Why an account is not started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disabled {
    /// It, or `channels.discord`, is switched off.
    SwitchedOff,
    /// It has no bot token.
    NoToken,
    /// Another account has the same token.
    DuplicateToken,
}

impl fmt::Display for Disabled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SwitchedOff => "switched off",
            Self::NoToken => "no bot token",
            Self::DuplicateToken => "duplicate bot token",
        })
    }
}

/// All accounts, of which the one at the index is the default one. Never empty.
pub(crate) fn read(
    root: &Section<'_, '_>,
    section: &Section<'_, '_>,
    above: &Above<'_, '_, '_>,
) -> (Vec<Account>, usize) {
    let blocks = section.section("accounts");
    blocks.finish_leniently();
    let named = section.field("defaultAccount");
    let entries = blocks.entries();
    if entries.is_empty() {
        let account = account(root, section, DEFAULT, above, Role::Alone);
        check_default(named.as_ref(), &[DEFAULT]);
        return (vec![account], 0);
    }
    // Once for itself, so that it is checked even where every account goes over it.
    discord::read(&section.on(Surface::Unread), above, Role::Common);
    let ids: Vec<&str> = entries.iter().map(|(id, _)| id.as_str()).collect();
    check_default(named.as_ref(), &ids);
    let wanted = named.and_then(|field| field.text());
    let first = match ids.contains(&DEFAULT) {
        true => DEFAULT,
        false => ids.first().copied().unwrap_or(DEFAULT),
    };
    let default = wanted.filter(|id| ids.contains(&id.as_str())).unwrap_or(first.to_owned());
    let read = |(id, field): &(String, crate::field::Field<'_, '_>)| {
        let role = if *id == default { Role::Default } else { Role::Further };
        account(root, &field.section().over(section), id, above, role)
    };
    let mut accounts: Vec<Account> = entries.iter().map(read).collect();
    one_account_a_token(&mut accounts);
    let index = accounts.iter().position(|account| account.id == default).unwrap_or(0);
    (accounts, index)
}

fn check_default(named: Option<&crate::field::Field<'_, '_>>, ids: &[&str]) {
    let Some(field) = named else { return };
    if let Some(id) = field.text()
        && !ids.contains(&id.as_str())
    {
        let hint = format!("one of {}", ids.join(", "));
        field.refuse("there is no such account", &hint);
    }
}

fn account(
    root: &Section<'_, '_>,
    section: &Section<'_, '_>,
    id: &str,
    above: &Above<'_, '_, '_>,
    role: Role,
) -> Account {
    let discord = discord::read_as(section, above, role, id);
    let voice = section.section("voice");
    let wants_speech =
        discord.enabled && discord.voice.enabled && discord.voice.mode == VoiceMode::SttTts
            || section.is_describing();
    let disabled = match discord.enabled && discord.token.is_some() {
        true => None,
        false if discord::is_switched_on(section) == Some(false) => Some(Disabled::SwitchedOff),
        false => Some(Disabled::NoToken),
    };
    Account {
        id: id.to_owned(),
        name: section.text("name"),
        enabled: disabled.is_none(),
        disabled,
        speech: wants_speech.then(|| speech::of(root, &voice.section("tts"))),
        discord,
    }
}

/// Of those with the same token one runs: one with the token in the file, else the first.
fn one_account_a_token(accounts: &mut [Account]) {
    let in_order = {
        let mut order: Vec<usize> = (0..accounts.len()).collect();
        order.sort_by_key(|index| accounts[*index].discord.token_is_from_env);
        order
    };
    let mut taken: Vec<String> = Vec::new();
    for index in in_order {
        let account = &mut accounts[index];
        let Some(token) = account.discord.token.as_ref().filter(|_| account.enabled) else {
            continue;
        };
        let token = token.expose_secret();
        if taken.iter().any(|known| known == token) {
            account.enabled = false;
            account.disabled = Some(Disabled::DuplicateToken);
        } else {
            taken.push(token.to_owned());
        }
    }
}
