//! `clawvoice security secrets`: which credentials there are, and what they were used for.

use std::collections::{BTreeMap, BTreeSet};

use clawvoice_config::{Config, ProcessEnv, SecretId};
use clawvoice_session::{
    audit::{Answer, KnownUse},
    shell::store::Mailbox,
};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{config::located, once::block_on};
use crate::{
    cli::AuditArgs,
    printer::{self, Failure},
};

/// From then on it is told that a credential should be replaced, in days.
const OLD_DAYS: i64 = 90;

/// Runs the command. A clawvoice that has not run yet has used nothing.
pub(crate) fn run(args: &AuditArgs) -> Result<(), Failure> {
    let file = located(args.config.as_deref())?;
    let config = clawvoice_config::load(&file, &ProcessEnv).map_err(Failure::user)?;
    let known = if config.session_store.exists() {
        block_on(async {
            let mailbox = Mailbox::open(&config.session_store).await?;
            let known = mailbox.credential_uses().await;
            mailbox.close().await;
            known
        })?
        .map_err(Failure::user)?
    } else {
        Vec::new()
    };
    let secrets = listed(&config, known);
    let now = Timestamp::now();
    if args.json {
        let secrets: Vec<Value> = secrets.iter().map(|it| it.to_json(now)).collect();
        printer::result(format_args!("{:#}", json!({ "secrets": secrets })));
    } else {
        secrets.iter().for_each(|it| printer::result(it.to_text(now)));
    }
    Ok(())
}

/// A credential of the configuration, or one that it no longer has.
struct Secret {
    id: SecretId,
    paths: Vec<String>,
    uses: Vec<KnownUse>,
}

fn listed(config: &Config, known: Vec<KnownUse>) -> Vec<Secret> {
    let mut paths: BTreeMap<&SecretId, Vec<String>> = BTreeMap::new();
    for (path, id) in config.origins.secrets() {
        paths.entry(id).or_default().push(path.to_owned());
    }
    let ids: BTreeSet<&SecretId> =
        paths.keys().copied().chain(known.iter().map(|it| &it.id)).collect();
    let secret = |id: &&SecretId| Secret {
        id: (*id).clone(),
        paths: paths.get(id).cloned().unwrap_or_default(),
        uses: known.iter().filter(|it| it.id == **id).cloned().collect(),
    };
    let mut all: Vec<Secret> = ids.iter().map(secret).collect();
    // What the configuration has comes first, in its order.
    all.sort_by(|a, b| (a.paths.is_empty(), &a.paths).cmp(&(b.paths.is_empty(), &b.paths)));
    all
}

impl Secret {
    fn age_days(&self, now: Timestamp) -> Option<i64> {
        let first = self.uses.first()?.first_seen;
        Some(now.duration_since(first).as_secs().max(0) / 86_400)
    }

    fn to_json(&self, now: Timestamp) -> Value {
        let purposes: Vec<Value> = self
            .uses
            .iter()
            .map(|it| {
                json!({
                    "purpose": it.purpose.word(), "uses": it.uses,
                    "last_use": it.last_use.map(|at| at.to_string()),
                    "outcome": it.answer.map(Answer::word),
                })
            })
            .collect();
        json!({
            "id": self.id.as_str(), "paths": self.paths, "purposes": purposes,
            "age_days": self.age_days(now),
        })
    }

    fn to_text(&self, now: Timestamp) -> String {
        let paths = match self.paths.is_empty() {
            true => "no longer in the configuration".to_owned(),
            false => self.paths.join(", "),
        };
        let age = match self.age_days(now) {
            Some(days) if days >= OLD_DAYS => format!("{days} days: replace it"),
            Some(1) => "1 day".to_owned(),
            Some(days) => format!("{days} days"),
            None => "never used".to_owned(),
        };
        let mut text = format!("{}  {paths}  ({age})", self.id);
        for used in &self.uses {
            let last = match (used.last_use, used.answer) {
                (Some(at), Some(answer)) => {
                    let at = at.strftime("%Y-%m-%d %H:%M:%S UTC");
                    format!("{} times, last {at}: {}", used.uses, answer.word())
                }
                _ => "not yet".to_owned(),
            };
            text.push_str(&format!("\n{:10}{:<14} {last}", "", used.purpose.word()));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use clawvoice_session::audit::Purpose;

    use super::*;

    #[test]
    fn credentials_are_listed_by_path_and_those_that_are_gone_last() {
        let text = "{ channels: { discord: { token: 'abc' } }, models: { providers: { x: { baseUrl: \
                    'http://x/v1', apiKey: 'sk-1' } } } }";
        let nothing: BTreeMap<String, String> = BTreeMap::new();
        let config = clawvoice_config::parse(text, Path::new("/etc/c.json5"), &nothing).unwrap();
        let at = |secs| Timestamp::from_second(secs).unwrap();
        let used = |id: &str, answer| KnownUse {
            id: SecretId::kept(id).unwrap(),
            purpose: Purpose::Gateway,
            first_seen: at(0),
            uses: 3,
            last_use: Some(at(60)),
            answer: Some(answer),
        };
        let known = vec![used("00000000", Answer::Refused), used("ba7816bf", Answer::Ok)];
        let shown: Vec<String> =
            listed(&config, known).iter().map(|it| it.to_text(at(90 * 86_400))).collect();
        assert_eq!(shown.len(), 3, "{shown:?}");
        assert_eq!(
            shown[0],
            "ba7816bf  channels.discord.token  (90 days: replace it)\n          gateway        3 \
             times, last 1970-01-01 00:01:00 UTC: ok"
        );
        assert!(shown[1].ends_with("  models.providers.x.apiKey  (never used)"), "{shown:?}");
        assert!(shown[2].starts_with("00000000  no longer in the configuration"), "{shown:?}");
        assert!(!shown.join("").contains("abc") && !shown.join("").contains("sk-1"));
    }
}
