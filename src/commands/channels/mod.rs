//! `clawvoice channels status|capabilities`: how each account is, and how Discord sees the bot.

mod outbox;
mod status;

use std::path::Path;

use clawvoice_config::{Config, ProcessEnv};
use clawvoice_session::ChannelId;
use clawvoice_text::shell::probe::{BotFacts, ChannelFacts, IntentState, Probe, ProbeFailure};
use serde_json::json;

use super::{config::located, once::block_on};
use crate::{
    cli::{CapabilitiesArgs, ChannelsCommand},
    printer::{self, Failure},
};

/// Runs the command.
pub(crate) fn run(command: &ChannelsCommand) -> Result<(), Failure> {
    block_on(async {
        match command {
            ChannelsCommand::Status(args) => status::run(args).await,
            ChannelsCommand::Capabilities(args) => capabilities(args).await,
        }
    })?
}

async fn capabilities(args: &CapabilitiesArgs) -> Result<(), Failure> {
    let config = load(args.config.as_deref())?;
    let probe = probe(&config)?;
    let bot = probe.bot().await.map_err(refused)?;
    let channel = match args.target {
        Some(target) => Some(probe.channel(bot.user, target).await.map_err(|failure| {
            refused(failure).hint(format_args!(
                "channel {target}: the id may be wrong, or the bot may lack View Channel there"
            ))
        })?),
        None => None,
    };
    if args.json {
        printer::result(format_args!("{:#}", json!({ "bot": bot, "target": channel })));
        return Ok(());
    }
    printer::result(format_args!("bot: {} ({})", bot.name, bot.user));
    printer::result(format_args!("intents: {}", intents(&bot)));
    if let Some(channel) = channel {
        printer::result(in_words(&channel, args.target));
    }
    Ok(())
}

fn in_words(facts: &ChannelFacts, target: Option<ChannelId>) -> String {
    let kind = if facts.is_voice { "voice" } else { "text" };
    let id = target.unwrap_or(facts.channel);
    let missing = match facts.missing[..] {
        [] => "none of those needed".to_owned(),
        _ => facts.missing.join(", "),
    };
    format!(
        "channel: #{} ({id}), {kind}\npermissions: {}\nmissing: {missing}",
        facts.name,
        facts.permissions.join(", ")
    )
}

fn intents(bot: &BotFacts) -> String {
    let word = |state| match state {
        IntentState::Enabled => "enabled",
        IntentState::Limited => "limited",
        IntentState::Disabled => "disabled",
    };
    format!(
        "MessageContent {}, GuildMembers {}, Presence {}",
        word(bot.message_content),
        word(bot.guild_members),
        word(bot.presence)
    )
}

fn load(path: Option<&Path>) -> Result<Config, Failure> {
    clawvoice_config::load(&located(path)?, &ProcessEnv).map_err(Failure::user)
}

fn probe(config: &Config) -> Result<Probe, Failure> {
    let discord = &config.discord;
    let token = discord.token.as_ref().ok_or_else(|| {
        Failure::user("channels.discord is switched off")
            .hint("set channels.discord.enabled to true")
    })?;
    let base = discord.api_base_url.as_ref().map(ToString::to_string);
    Probe::new(token, base.as_deref())
        .ok_or_else(|| Failure::user("channels.discord.apiBaseUrl is no address"))
}

fn refused(failure: ProbeFailure) -> Failure {
    match failure {
        ProbeFailure::TokenRefused => Failure::auth(&failure).hint(
            "copy the token anew from the Bot page of https://discord.com/developers/applications",
        ),
        ProbeFailure::Refused(_) | ProbeFailure::Unreachable(_) => Failure::user(&failure),
    }
}
