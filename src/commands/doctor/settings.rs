//! The configuration: what is allowed, and is hardly what was meant.

use std::collections::BTreeSet;

use clawvoice_config::{AccessGroup, AllowBots, Config, Discord, DmPolicy, GroupPolicy, Sender};

use super::finding::{Finding, Level};

/// Work on an event that is given less time than this is logged as hanging although it is not.
const SHORT_LISTENER_MS: u128 = 30_000;

pub(super) fn check(config: &Config) -> Vec<Finding> {
    let warnings = config.warnings.iter();
    let mut findings: Vec<Finding> =
        warnings.map(|warning| Finding::warn("config", warning.to_string())).collect();
    if !config.old_names.is_empty() {
        let what = format!("{} keys have old names", config.old_names.len());
        findings.push(
            Finding::warn("config.names", what).fix("`clawvoice doctor --fix` writes the new ones"),
        );
    }
    findings.extend(numbers(config));
    if findings.is_empty() {
        findings.push(Finding::ok("config", "the configuration is read without a complaint"));
    }
    for account in &config.accounts {
        if let Some(why) = account.disabled {
            let what = format!("account {} is not started: {why}", account.id);
            findings.push(Finding::new("accounts", Level::Note, what));
            continue;
        }
        let discord = &account.discord;
        findings.extend(guilds(discord));
        findings.extend(commands(config, discord));
        findings.extend(direct(discord));
        findings.extend(bots(discord));
        findings.extend(groups(config, discord));
        findings.extend(voice(discord));
        findings.extend(queue(discord));
    }
    findings
}

/// An id that is a number is right as long as it is small enough for one.
fn numbers(config: &Config) -> Option<Finding> {
    let first = config.numeric_ids.first()?;
    let what = format!("{} ids are numbers, {first} for one", config.numeric_ids.len());
    Some(Finding::warn("config.ids", what).fix("`clawvoice doctor --fix` puts quotes around them"))
}

fn guilds(discord: &Discord) -> Option<Finding> {
    const ID: &str = "access.guilds";
    match discord.access.group_policy {
        GroupPolicy::Allowlist if discord.guilds.is_empty() => Some(
            Finding::error(
                ID,
                "groupPolicy is \"allowlist\" and `guilds` is empty: the agent listens in no guild",
            )
            .fix("add the guild: channels.discord.guilds: { \"<guild id>\": { users: [\"<your id>\"] } }"),
        ),
        GroupPolicy::Disabled => Some(
            Finding::warn(ID, "groupPolicy is \"disabled\": the agent listens in no guild")
                .fix("groupPolicy: \"allowlist\" and the guilds under `guilds`"),
        ),
        GroupPolicy::Allowlist | GroupPolicy::Open => None,
    }
}

fn commands(config: &Config, discord: &Discord) -> Option<Finding> {
    let is_restricted = discord.guilds.values().any(|guild| {
        guild.users.is_some()
            || guild.roles.is_some()
            || guild.channels.values().any(|it| it.users.is_some() || it.roles.is_some())
    });
    let somebody = is_restricted
        || discord.access.allow_from.is_some()
        || config.commands.owners.is_some()
        || config.commands.allow_from.is_some();
    (discord.commands.native && config.commands.use_access_groups && !somebody).then(|| {
        Finding::error("access.commands", "nobody is listed, so nobody may use /vc")
            .fix("list yourself: commands: { ownerAllowFrom: [\"<your id>\"] }")
    })
}

fn direct(discord: &Discord) -> Option<Finding> {
    const ID: &str = "access.dm";
    let access = &discord.access;
    let what = match access.dm_policy {
        _ if !access.dm_enabled => "direct messages are switched off (dm.enabled)",
        DmPolicy::Disabled => "direct messages are switched off (dmPolicy)",
        DmPolicy::Pairing => "who writes in private gets a pairing code, and must be approved",
        DmPolicy::Allowlist | DmPolicy::Open => return None,
    };
    Some(Finding::new(ID, Level::Note, what))
}

fn bots(discord: &Discord) -> Option<Finding> {
    let access = &discord.access;
    (access.allow_bots == AllowBots::Yes && !access.bot_loop.enabled).then(|| {
        Finding::warn(
            "access.bots",
            "other bots are answered without a limit: two may talk for ever",
        )
        .fix("allowBots: \"mentions\", or botLoopProtection: { enabled: true }")
    })
}

/// Groups that lists name and that do not exist admit nobody.
fn groups(config: &Config, discord: &Discord) -> Vec<Finding> {
    let guilds = discord.guilds.values().flat_map(|guild| {
        let channels = guild.channels.values().filter_map(|channel| channel.users.as_ref());
        guild.users.iter().chain(channels)
    });
    let named =
        discord.access.allow_from.iter().chain(guilds).flatten().filter_map(|it| match it {
            Sender::AccessGroup(name) => Some(name.as_str()),
            _ => None,
        });
    let named: BTreeSet<&str> = named.collect();
    let unknown = named.into_iter().filter(|name| {
        matches!(config.access_groups.get(*name), None | Some(AccessGroup::Unknown))
    });
    unknown
        .map(|name| {
            let what = format!("accessGroup:{name} is named and does not exist: it admits nobody");
            Finding::error("access.groups", what).fix(format!("add accessGroups: {{ {name}: … }}"))
        })
        .collect()
}

fn voice(discord: &Discord) -> Vec<Finding> {
    let voice = &discord.voice;
    let mut findings = Vec::new();
    if voice.enabled && !voice.dave_encryption {
        findings.push(
            Finding::error(
                "voice.dave",
                "daveEncryption is off: Discord closes such calls with 4017",
            )
            .fix("remove voice.daveEncryption"),
        );
    }
    if voice.enabled && voice.decryption_failure_tolerance < 24 {
        let tolerance = voice.decryption_failure_tolerance;
        let what = format!("decryptionFailureTolerance is {tolerance}: keys are changed in vain");
        findings.push(Finding::warn("voice.dave", what).fix("start at the default, 24"));
    }
    if voice.enabled && !discord.intents.voice_states {
        findings.push(
            Finding::error("voice.intent", "intents.voiceStates is off: no call can be joined")
                .fix("remove intents.voiceStates"),
        );
    }
    findings
}

fn queue(discord: &Discord) -> Option<Finding> {
    let timeout = discord.connection.event_queue.listener_timeout.as_millis();
    (timeout < SHORT_LISTENER_MS).then(|| {
        let what = format!("eventQueue.listenerTimeout is {timeout} ms: slow work is called stuck");
        Finding::warn("connection.queue", what).fix("remove it; the default is 120000")
    })
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, path::Path};

    use super::*;

    fn wrong(discord: &str, rest: &str) -> Vec<&'static str> {
        let text =
            format!("{{ channels: {{ discord: {{ token: 'a.b.c', {discord} }} }}, {rest} }}");
        let env: BTreeMap<String, String> = BTreeMap::new();
        let config = clawvoice_config::parse(&text, Path::new("/etc/claw.json5"), &env).unwrap();
        let findings = check(&config).into_iter().filter(|it| it.level >= Level::Warn);
        findings.map(|finding| finding.id).collect()
    }

    #[test]
    fn each_mistake_of_the_documentation_is_found() {
        let fine = "guilds: { 1: { users: ['2'] } }";
        for (discord, rest, expected) in [
            (fine.to_owned(), "", &[][..]),
            (String::new(), "commands: { ownerAllowFrom: ['2'] }", &["access.guilds"]),
            (String::new(), "", &["access.guilds", "access.commands"]),
            ("groupPolicy: 'open'".to_owned(), "", &["access.commands"]),
            (
                format!("{fine}, allowBots: true, botLoopProtection: {{ enabled: false }}"),
                "",
                &["access.bots"],
            ),
            (format!("{fine}, allowFrom: ['accessGroup:x']"), "", &["access.groups"]),
            (format!("{fine}, voice: {{ daveEncryption: false }}"), "", &["voice.dave"]),
            (format!("{fine}, voice: {{ decryptionFailureTolerance: 1 }}"), "", &["voice.dave"]),
            (
                format!("{fine}, voice: {{}}, intents: {{ voiceStates: false }}"),
                "",
                &["voice.intent"],
            ),
            (format!("{fine}, eventQueue: {{ listenerTimeout: 1000 }}"), "", &["connection.queue"]),
        ] {
            assert_eq!(wrong(&discord, rest), expected, "{discord} {rest}");
        }
    }
}
