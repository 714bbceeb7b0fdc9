//! `clawvoice security audit`: who may do what, and what should be narrower.

use std::path::Path;

use clawvoice_config::{
    Config, Discord, DmScope, GroupPolicy, ProcessEnv, REDACTED, Sender, Source,
};
use serde_json::json;

use super::{
    config::located,
    doctor::{Finding, Level},
};
use crate::{
    cli::AuditArgs,
    printer::{self, Failure},
};

/// Runs the command. What is critical is an error; the rest only advice.
pub(crate) fn run(args: &AuditArgs) -> Result<(), Failure> {
    let file = located(args.config.as_deref())?;
    let config = clawvoice_config::load(&file, &ProcessEnv).map_err(Failure::user)?;
    let mut findings = of_settings(&config);
    findings.extend(of_files(&config, &file));
    if args.json {
        printer::result(format_args!("{:#}", json!({ "findings": findings })));
    } else {
        findings.iter().for_each(|finding| printer::result(finding.to_text()));
    }
    match findings.iter().filter(|finding| finding.level == Level::Error).count() {
        0 => Ok(()),
        critical => Err(Failure::user(format_args!("{critical} findings are critical"))),
    }
}

fn of_settings(config: &Config) -> Vec<Finding> {
    let mut findings = vec![owners(config)];
    for account in &config.accounts {
        let discord = &account.discord;
        findings.extend(names(discord));
        findings.extend(commands(config, discord));
        findings.extend(groups(config, discord));
        findings.extend(direct(config, discord));
    }
    findings
}

fn owners(config: &Config) -> Finding {
    const ID: &str = "commands.owners";
    let owners = config.owners_in_force();
    let who = match owners.len() {
        0 => "nobody owns the agent".to_owned(),
        1 => "one person owns the agent".to_owned(),
        more => format!("{more} people own the agent"),
    };
    if config.commands.owners.is_none() && config.commands.owner_from_allow_from {
        let what =
            format!("{who}: whoever is admitted by allowFrom (commands.ownerFromAllowFrom is on)");
        return Finding::warn(ID, what)
            .fix("list owners in commands.ownerAllowFrom and switch ownerFromAllowFrom off");
    }
    Finding::ok(ID, format!("{who}, by commands.ownerAllowFrom alone"))
}

/// Names can be taken by anybody.
fn names(discord: &Discord) -> Option<Finding> {
    const ID: &str = "channels.discord.allowFrom.name_based_entries";
    let lists = discord.access.allow_from.iter().chain(discord.guilds.values().flat_map(|guild| {
        let channels = guild.channels.values().filter_map(|channel| channel.users.as_ref());
        guild.users.iter().chain(channels)
    }));
    let entries = lists.flatten().filter_map(|sender| match sender {
        Sender::Name(name) => Some(name.as_str()),
        _ => None,
    });
    let entries: Vec<&str> = entries.collect();
    if entries.is_empty() {
        return None;
    }
    let shown = entries.iter().take(8).copied().collect::<Vec<_>>().join(", ");
    let what = format!("{} entries are names ({shown})", entries.len());
    Some(if discord.access.name_matching {
        Finding::new(
            ID,
            Level::Note,
            format!("{what}, and names are matched: anybody can take one"),
        )
    } else {
        Finding::warn(ID, format!("{what}, and names are not matched: they admit nobody"))
            .fix("write ids in their place (Discord: Developer Mode → Copy User ID)")
    })
}

fn commands(config: &Config, discord: &Discord) -> Option<Finding> {
    if !discord.commands.native {
        return None;
    }
    let is_somebody_listed = discord.access.allow_from.is_some()
        || config.commands.allow_from.is_some()
        || config.commands.owners.is_some()
        || discord.guilds.values().any(|guild| {
            guild.users.is_some()
                || guild.roles.is_some()
                || guild.channels.values().any(|it| it.users.is_some() || it.roles.is_some())
        });
    if !config.commands.use_access_groups && !is_somebody_listed {
        let id = "channels.discord.commands.native.unrestricted";
        let what =
            "everybody may use every slash command: useAccessGroups is off, and nobody is listed";
        return Some(
            Finding::error(id, what).fix(
                "remove commands.useAccessGroups, and list yourself in commands.ownerAllowFrom",
            ),
        );
    }
    let id = "channels.discord.commands.native.no_allowlists";
    let what = "nobody is listed anywhere, so nobody may use a slash command";
    (!is_somebody_listed)
        .then(|| Finding::warn(id, what).fix("list yourself in commands.ownerAllowFrom"))
}

fn groups(config: &Config, discord: &Discord) -> Option<Finding> {
    const ID: &str = "channels.discord.groupPolicy";
    if discord.access.group_policy != GroupPolicy::Open {
        return None;
    }
    let is_restricted = !discord.guilds.is_empty();
    let what = "the agent listens in every guild it is invited to";
    Some(if is_restricted || config.owners_in_force().is_empty() {
        Finding::warn(ID, what).fix("groupPolicy: \"allowlist\", and the guilds under `guilds`")
    } else {
        let what = format!("{what}, and somebody there may have an owner's tools");
        Finding::error(ID, what).fix("groupPolicy: \"allowlist\", and the guilds under `guilds`")
    })
}

fn direct(config: &Config, discord: &Discord) -> Option<Finding> {
    let listed = discord.access.allow_from.as_deref().unwrap_or_default();
    let several = listed.len() > 1 || listed.contains(&Sender::Anyone);
    (discord.access.dm_enabled && several && config.session.dm_scope == DmScope::Main).then(|| {
        Finding::warn("session.dmScope", "several people write to one and the same conversation")
            .fix("session: { dmScope: \"per-channel-peer\" }")
    })
}

fn of_files(config: &Config, file: &Path) -> Vec<Finding> {
    let mut findings = Vec::new();
    let text = std::fs::read_to_string(file).unwrap_or_default();
    for (path, origin) in config.origins.below("") {
        if origin.value == REDACTED && is_plain(&text, &origin.source) {
            let what = format!("{path} stands in the file as it is");
            findings.push(
                Finding::warn("secrets.plaintext", what)
                    .fix("keep it in an environment variable and write its name: \"${NAME}\""),
            );
        }
    }
    #[cfg(unix)]
    for looked_at in [Some(file), config.session_store.parent()].into_iter().flatten() {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = looked_at.metadata().map_or(0, |metadata| metadata.permissions().mode());
        if mode & 0o007 != 0 {
            let what = format!("everybody on this machine may read {}", looked_at.display());
            findings.push(
                Finding::warn("files.permissions", what)
                    .fix(format!("chmod go-rwx {}", looked_at.display())),
            );
        }
    }
    findings
}

/// Whether a value is a text that is no reference.
fn is_plain(text: &str, source: &Source) -> bool {
    let Source::File { at, .. } = source else { return false };
    let line = text.lines().nth(at.line.saturating_sub(1)).unwrap_or_default();
    let mut rest = line.chars().skip(at.column.saturating_sub(1));
    matches!(rest.next(), Some('"' | '\'')) && rest.next() != Some('$')
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn ids(discord: &str, rest: &str) -> Vec<(&'static str, Level)> {
        let text =
            format!("{{ channels: {{ discord: {{ token: 'a.b.c', {discord} }} }}, {rest} }}");
        let env: BTreeMap<String, String> = BTreeMap::new();
        let config = clawvoice_config::parse(&text, Path::new("/etc/claw.json5"), &env).unwrap();
        let findings = of_settings(&config).into_iter();
        findings.filter(|it| it.level != Level::Ok).map(|it| (it.id, it.level)).collect()
    }

    #[test]
    fn what_is_too_wide_is_named_by_its_documented_id() {
        let owned = "commands: { ownerAllowFrom: ['1'] }";
        for (discord, rest, expected) in [
            ("", owned, &[][..]),
            ("", "", &[("channels.discord.commands.native.no_allowlists", Level::Warn)]),
            (
                "",
                "commands: { useAccessGroups: false }",
                &[("channels.discord.commands.native.unrestricted", Level::Error)],
            ),
            ("groupPolicy: 'open'", owned, &[("channels.discord.groupPolicy", Level::Error)]),
            (
                "allowFrom: ['ada']",
                owned,
                &[("channels.discord.allowFrom.name_based_entries", Level::Warn)],
            ),
            (
                "allowFrom: ['ada'], dangerouslyAllowNameMatching: true",
                owned,
                &[("channels.discord.allowFrom.name_based_entries", Level::Note)],
            ),
            ("allowFrom: ['1', '2']", owned, &[("session.dmScope", Level::Warn)]),
            (
                "allowFrom: ['1']",
                "commands: { ownerFromAllowFrom: true }",
                &[("commands.owners", Level::Warn)],
            ),
        ] {
            assert_eq!(ids(discord, rest), expected, "{discord} {rest}");
        }
    }

    #[test]
    fn a_secret_in_the_file_is_told_from_a_reference() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("claw.json5");
        let text = "{ channels: { discord: { token: 'a.b.c',\n  voice: { realtime: { provider: 'openai', providers: { openai: { apiKey: '${KEY}' } } } } } } }";
        std::fs::write(&path, text).unwrap();
        let env = BTreeMap::from([("KEY".to_owned(), "sk-1".to_owned())]);
        let config = clawvoice_config::parse(text, &path, &env).unwrap();
        let plain: Vec<Finding> = of_files(&config, &path)
            .into_iter()
            .filter(|finding| finding.id == "secrets.plaintext")
            .collect();
        assert_eq!(plain.len(), 1, "{plain:?}");
        assert!(plain[0].what.starts_with("channels.discord.token "), "{}", plain[0].what);
    }
}
