//! Discord: the token, the intents, the guilds, and what the bot may do where it is wanted.

use std::collections::BTreeSet;

use clawvoice_config::Config;
use clawvoice_session::{ChannelId, GuildId};
use clawvoice_text::shell::probe::{BotFacts, ChannelFacts, IntentState, Probe, ProbeFailure};

use super::finding::Finding;
use crate::invite;

/// Where the portal's switches are.
const PORTAL: &str = "https://discord.com/developers/applications → your application → Bot";

/// Asks Discord. Gives findings, and whether the token was refused.
pub(super) async fn check(config: &Config) -> (Vec<Finding>, bool) {
    let discord = &config.discord;
    let Some(token) = &discord.token else {
        let finding = Finding::error("discord.token", "channels.discord is switched off")
            .fix("set channels.discord.enabled to true");
        return (vec![finding], false);
    };
    let base = discord.api_base_url.as_ref().map(ToString::to_string);
    let Some(probe) = Probe::new(token, base.as_deref()) else {
        let finding =
            Finding::error("discord.address", "channels.discord.apiBaseUrl is no address")
                .fix("write it as http://127.0.0.1:8390");
        return (vec![finding], false);
    };
    let bot = match probe.bot().await {
        Ok(bot) => bot,
        Err(failure) => return unknown(&failure),
    };
    let mut findings = vec![Finding::ok(
        "discord.token",
        format!("the token is that of {} ({})", bot.name, bot.user),
    )];
    findings.extend(intents(config, &bot));
    findings.push(gateway(&probe).await);
    match probe.guilds().await {
        Ok(guilds) => {
            let there: BTreeSet<GuildId> = guilds.iter().map(|(guild, _)| *guild).collect();
            findings.push(guilds_of_the_bot(&guilds, bot.application));
            findings.extend(absent(config, &there, bot.application));
            for (key, channel) in wanted(config, &there) {
                findings.push(match probe.channel(bot.user, channel).await {
                    Ok(facts) => permissions(&key, &facts),
                    Err(failure) => unseen(&key, channel, &failure),
                });
            }
        }
        Err(failure) => findings.push(Finding::warn("discord.guilds", failure.to_string())),
    }
    (findings, false)
}

fn unknown(failure: &ProbeFailure) -> (Vec<Finding>, bool) {
    let is_refused = *failure == ProbeFailure::TokenRefused;
    let fix = match failure {
        ProbeFailure::TokenRefused => {
            format!("copy the token anew: {PORTAL}. A reset makes the old one useless")
        }
        ProbeFailure::Refused(_) => "look at the answer above".to_owned(),
        ProbeFailure::Unreachable(_) => {
            "this machine does not reach Discord: look at DNS, firewall and proxy".to_owned()
        }
    };
    (vec![Finding::error("discord.token", failure.to_string()).fix(fix)], is_refused)
}

/// An intent that is asked for and not switched on closes the gateway with 4014.
fn intents(config: &Config, bot: &BotFacts) -> Vec<Finding> {
    let wanted = &config.discord.intents;
    [
        ("Message Content", wanted.message_content, bot.message_content, "discord.intents"),
        ("Server Members", wanted.guild_members, bot.guild_members, "discord.intents"),
        ("Presence", wanted.presence, bot.presence, "discord.intents"),
    ]
    .into_iter()
    .filter(|(_, wanted, _, _)| *wanted)
    .map(|(name, _, state, id)| match state {
        IntentState::Enabled => Finding::ok(id, format!("{name} Intent is enabled")),
        IntentState::Limited => {
            Finding::ok(id, format!("{name} Intent is enabled (for up to 100 guilds)"))
        }
        IntentState::Disabled => Finding::error(
            id,
            format!("{name} Intent is switched off in the portal: Discord closes with 4014"),
        )
        .fix(format!("switch it on: {PORTAL} → Privileged Gateway Intents")),
    })
    .collect()
}

async fn gateway(probe: &Probe) -> Finding {
    const ID: &str = "discord.gateway";
    match probe.gateway().await {
        Ok(facts) if facts.sessions_left == 0 => {
            Finding::error(ID, "no new gateway session may be started until tomorrow").fix(
                "something connects again and again: look for a second process with this token",
            )
        }
        Ok(facts) if facts.sessions_left < 50 => Finding::warn(
            ID,
            format!("only {} gateway sessions may still be started today", facts.sessions_left),
        )
        .fix("something connects again and again: look for a second process with this token"),
        Ok(facts) => {
            Finding::ok(ID, format!("{}, {} sessions left today", facts.url, facts.sessions_left))
        }
        Err(failure) => Finding::error(ID, failure.to_string())
            .fix("this machine does not reach Discord: look at DNS, firewall and proxy"),
    }
}

fn guilds_of_the_bot(guilds: &[(GuildId, String)], application: u64) -> Finding {
    const ID: &str = "discord.guilds";
    if guilds.is_empty() {
        return Finding::error(ID, "the bot is in no guild").fix(invite(application));
    }
    let named: Vec<String> =
        guilds.iter().take(5).map(|(id, name)| format!("{name} ({id})")).collect();
    let more = if guilds.len() > 5 { ", …" } else { "" };
    let count =
        if guilds.len() == 1 { "one guild".to_owned() } else { format!("{} guilds", guilds.len()) };
    Finding::ok(ID, format!("in {count}: {}{more}", named.join(", ")))
}

fn invite(application: u64) -> String {
    format!("invite it: {}", invite::url(application))
}

/// Guilds that are configured, and that the bot is not in.
fn absent(config: &Config, there: &BTreeSet<GuildId>, application: u64) -> Vec<Finding> {
    let voice = &config.discord.voice;
    // What is named by its name is looked up when the bot has seen the guild.
    let by_id = config.discord.guilds.keys().filter_map(|key| key.parse::<u64>().ok());
    let configured = by_id.map(|id| ("guilds", id));
    let auto = voice.auto_join.iter().map(|it| ("voice.autoJoin", it.target.guild.get()));
    let allowed = voice.allowed_channels.iter().flatten();
    let allowed = allowed.map(|it| ("voice.allowedChannels", it.guild.get()));
    let wanted: BTreeSet<(&str, u64)> = configured.chain(auto).chain(allowed).collect();
    wanted
        .into_iter()
        .filter(|(_, guild)| !there.contains(&GuildId::new(*guild)))
        .map(|(key, guild)| {
            let what = format!("channels.discord.{key} names guild {guild}; the bot is not in it");
            Finding::error("discord.guilds", what).fix(invite(application))
        })
        .collect()
}

/// Channels of the configuration in guilds where the bot is, with the key that names each.
fn wanted(config: &Config, there: &BTreeSet<GuildId>) -> Vec<(String, ChannelId)> {
    let voice = &config.discord.voice;
    let auto = voice.auto_join.iter().map(|it| ("voice.autoJoin", it.target));
    let allowed = voice.allowed_channels.iter().flatten();
    let allowed = allowed.map(|it| ("voice.allowedChannels", *it));
    let mut channels: Vec<(String, ChannelId)> = auto
        .chain(allowed)
        .filter(|(_, it)| there.contains(&GuildId::new(it.guild.get())))
        .map(|(key, it)| (key.to_owned(), ChannelId::new(it.channel.get())))
        .collect();
    for (guild, entry) in &config.discord.guilds {
        if guild.parse().is_ok_and(|guild: GuildId| there.contains(&guild)) {
            let key = format!("guilds.{guild}.channels");
            let ids = entry.channels.keys().filter_map(|id| id.parse().ok());
            channels.extend(ids.map(|id: ChannelId| (key.clone(), id)));
        }
    }
    channels.sort_by_key(|(_, channel)| *channel);
    channels.dedup_by_key(|(_, channel)| *channel);
    channels
}

fn permissions(key: &str, facts: &ChannelFacts) -> Finding {
    const ID: &str = "discord.permissions";
    let ChannelFacts { channel, name, missing, is_voice, .. } = facts;
    if key.starts_with("voice.") && !is_voice {
        let what = format!("channels.discord.{key} names #{name} ({channel}), which has no voice");
        return Finding::error(ID, what).fix("name a voice or stage channel");
    }
    if missing.is_empty() {
        return Finding::ok(ID, format!("all that is needed in #{name} ({channel})"));
    }
    Finding::error(ID, format!("the bot lacks {} in #{name} ({channel})", missing.join(", ")))
        .fix("allow it to the bot's role in the channel's settings → Permissions")
}

fn unseen(key: &str, channel: ChannelId, failure: &ProbeFailure) -> Finding {
    let what = format!("channels.discord.{key} names channel {channel}: {failure}");
    Finding::error("discord.permissions", what)
        .fix("the id may be wrong, or the bot may lack View Channel there")
}
