//! Old names and numeric ids of a file, written as they are written today. Who has access stays
//! the same: a step by which an effective value would change is not taken.

use std::path::Path;

use crate::{
    Config, ConfigErrors, Env,
    edit::{self, Edit, KeyPath, Payload},
    load::check,
    walk::ExecRefs,
};

/// A value that stands under an old name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct OldName {
    /// Where it stands.
    pub from: String,
    /// Where it belongs.
    pub to: String,
    /// It counts for nothing: the new name is written, too.
    pub superseded: bool,
}

/// A file as it is written today.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Migrated {
    /// The text.
    pub text: String,
    /// What was done, as in `Moved A → B`.
    pub done: Vec<String>,
    /// What a person must do.
    pub left: Vec<String>,
}

/// Rewrites what can be rewritten of a text that stands at `origin`. Programs that give out secrets
/// are not run. Comments stay as far as the keys they stand at do.
///
/// # Errors
///
/// Everything wrong with the text: what cannot be used is not rewritten.
pub fn migrate(text: &str, origin: &Path, env: &dyn Env) -> Result<Migrated, ConfigErrors> {
    let config = &check(text, origin, env, ExecRefs::Skip).outcome?;
    let mut migrated = Migrated { text: text.to_owned(), done: Vec::new(), left: Vec::new() };
    for old in &config.old_names {
        let OldName { from, to, superseded } = old;
        let done = match superseded {
            true => format!("Removed {from}: {to} is written, too"),
            false => format!("Moved {from} → {to}"),
        };
        match moved(&migrated.text, origin, old).filter(|new| means(config, new, origin, env)) {
            Some(text) => {
                migrated.text = text;
                migrated.done.push(done);
            }
            None => migrated.left.push(format!("{from} is an old name of {to}: move it by hand")),
        }
    }
    for id in &config.numeric_ids {
        // A number in quotes is the same id, if not the same JSON.
        let quoted = quoted(&migrated.text, origin, id);
        let is_good = |new: &String| check(new, origin, env, ExecRefs::Skip).outcome.is_ok();
        match quoted.filter(is_good) {
            Some(text) => {
                migrated.text = text;
                migrated.done.push(format!("Quoted {id}"));
            }
            None => migrated.left.push(format!("{id} is a number: put quotes around it")),
        }
    }
    Ok(migrated)
}

/// Whether a text means what the configuration is.
fn means(config: &Config, text: &str, origin: &Path, env: &dyn Env) -> bool {
    let checked = check(text, origin, env, ExecRefs::Skip);
    checked.outcome.is_ok_and(|new| Config::changes(config, &new).is_empty())
}

fn moved(text: &str, origin: &Path, old: &OldName) -> Option<String> {
    let from: KeyPath = old.from.parse().ok()?;
    let mut text = text.to_owned();
    if !old.superseded {
        let value = edit::get(&text, origin, &from).ok()??;
        // Redacted values cannot be carried over; no secret has an old name.
        let value = Payload::json5(&value.to_string(), origin).ok()?;
        let path = old.to.parse().ok()?;
        text = edit::apply(&text, origin, &Edit::Set { path, value }).ok()?.text;
    }
    Some(edit::apply(&text, origin, &Edit::Unset { path: from }).ok()?.text)
}

fn quoted(text: &str, origin: &Path, id: &str) -> Option<String> {
    let path: KeyPath = id.parse().ok()?;
    let number = edit::get(text, origin, &path).ok()??;
    let value = Payload::text(&number.to_string());
    Some(edit::apply(text, origin, &Edit::Set { path, value }).ok()?.text)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn of(text: &str) -> Migrated {
        let env: BTreeMap<String, String> = BTreeMap::new();
        let origin = Path::new("/etc/claw.json5");
        let config = crate::parse(text, origin, &env).unwrap_or_else(|errors| panic!("{errors}"));
        let migrated = migrate(text, origin, &env).unwrap();
        let again = crate::parse(&migrated.text, origin, &env).unwrap();
        let (old, new) = (&config.discord, &again.discord);
        assert_eq!((&old.access, &old.guilds), (&new.access, &new.guilds), "access is as it was");
        migrated
    }

    #[test]
    fn old_names_become_new_ones_and_comments_stay() {
        let migrated = of(
            "{ channels: { discord: {\n  token: 'a.b.c', // hush\n  dm: { policy: 'disabled' },\n  \
             guilds: { 1: { channels: { 2: { allow: false } } } },\n} } }",
        );
        assert_eq!(
            migrated.done,
            [
                "Moved channels.discord.dm.policy → channels.discord.dmPolicy",
                "Moved channels.discord.guilds.1.channels.2.allow → \
                 channels.discord.guilds.1.channels.2.enabled",
            ]
        );
        assert!(migrated.text.contains("// hush") && migrated.text.contains("dmPolicy"));
        assert!(!migrated.text.contains("allow:"), "{}", migrated.text);
        assert_eq!(of(&migrated.text).done, [""; 0], "once is enough");
    }

    #[test]
    fn what_is_inherited_stays_at_the_root() {
        let migrated = of("{ channels: { discord: { dm: { policy: 'disabled' }, accounts: { \
                           a: { token: 'a.b.c' }, b: { token: 'd.e.f' } } } } }");
        assert_eq!(migrated.done, ["Moved channels.discord.dm.policy → channels.discord.dmPolicy"]);
    }

    #[test]
    fn a_number_becomes_an_id() {
        let migrated =
            of("{ channels: { discord: { token: 'a.b.c', allowFrom: [4000000000000001] } } }");
        assert_eq!(migrated.done, ["Quoted channels.discord.allowFrom[0]"]);
        assert!(migrated.text.contains("\"4000000000000001\""), "{}", migrated.text);
    }
}
