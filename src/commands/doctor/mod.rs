//! `clawvoice doctor`: looks at everything that has to be right, and says what to do about the
//! rest, one line each.

mod discord;
mod finding;
mod machine;
mod provider;
mod settings;

use std::{net::SocketAddr, path::Path};

use clawvoice_config::{Config, ProcessEnv, edit, migrate};
use serde_json::json;

use super::{config::located, once::block_on};
use crate::{
    cli::DoctorArgs,
    printer::{self, Failure},
};
pub(crate) use finding::{Finding, Level};

/// Runs the command.
pub(crate) fn run(args: &DoctorArgs) -> Result<(), Failure> {
    let file = located(args.config.as_deref())?;
    if args.fix {
        fix(&file)?;
    }
    let config = match clawvoice_config::load(&file, &ProcessEnv) {
        Ok(config) => config,
        Err(errors) => {
            let found = Finding::error("config", errors.to_string()).fix("put this right first");
            tell(&[found], args.json);
            return Err(Failure::user("the configuration cannot be used"));
        }
    };
    let health = args.health.or_else(|| crate::health::address(&config));
    let (findings, is_refused) = block_on(look(&config, args.offline, health))?;
    tell(&findings, args.json);
    let errors = findings.iter().filter(|it| it.level == Level::Error).count();
    match (errors, is_refused) {
        (0, _) => Ok(()),
        (_, true) => Err(Failure::auth("Discord refused the bot token")),
        (1, false) => Err(Failure::user("one thing does not work")),
        (errors, false) => Err(Failure::user(format_args!("{errors} things do not work"))),
    }
}

/// Writes the configuration as it is written today, and says what was done.
fn fix(file: &Path) -> Result<(), Failure> {
    let before = edit::read_for_edit(file).map_err(Failure::user)?;
    let migrated = migrate(&before, file, &ProcessEnv).map_err(Failure::user)?;
    for done in &migrated.done {
        printer::progress(done);
    }
    for left in &migrated.left {
        printer::progress(left);
    }
    if migrated.text != before {
        edit::write(file, &before, &migrated.text, &ProcessEnv).map_err(Failure::user)?;
    }
    Ok(())
}

async fn look(config: &Config, offline: bool, health: Option<SocketAddr>) -> (Vec<Finding>, bool) {
    let mut findings = settings::check(config);
    findings.extend(machine::check(config, health).await);
    if offline {
        return (findings, false);
    }
    let (of_discord, is_refused) = discord::check(config).await;
    findings.extend(of_discord);
    findings.extend(provider::check(config).await);
    (findings, is_refused)
}

fn tell(findings: &[Finding], as_json: bool) {
    if as_json {
        printer::result(format_args!("{:#}", json!({ "findings": findings })));
        return;
    }
    for finding in findings {
        printer::result(finding.to_text());
    }
}
