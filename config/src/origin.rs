//! Where every effective value came from.

use std::{collections::BTreeMap, fmt};

use serde_json::Value;

use crate::{secret_id::SecretId, span::Position};

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// It stands in the file.
    File {
        /// Where.
        at: Position,
        /// The key under which it stands, if it is another one: an old name, or a common setting.
        written_as: Option<String>,
        /// The account that has it from `channels.discord`.
        inherited_by: Option<String>,
    },
    /// An environment variable.
    Env(String),
    /// Nothing is written.
    Default,
}

/// An effective value and its source. Secrets are never in it: they are shown as a mark.
#[derive(Clone, Debug, PartialEq)]
pub struct Origin {
    /// The value as JSON, redacted.
    pub value: Value,
    /// Where it came from.
    pub source: Source,
    /// Tells two secrets apart without telling either.
    pub(crate) fingerprint: Option<u64>,
    /// What it is called, if it is a secret.
    pub secret: Option<SecretId>,
}

/// Of a secret, valid in this process only.
pub(crate) fn fingerprint(secret: &str) -> u64 {
    use std::{hash::BuildHasher as _, hash::RandomState, sync::OnceLock};
    static SEED: OnceLock<RandomState> = OnceLock::new();
    SEED.get_or_init(RandomState::new).hash_one(secret)
}

/// Every value that was asked for, by path.
#[derive(Clone, Default)]
pub struct Origins {
    file: String,
    by_path: BTreeMap<String, Origin>,
}

impl Origins {
    pub(crate) fn of(file: &str) -> Self {
        Self { file: file.to_owned(), by_path: BTreeMap::new() }
    }

    pub(crate) fn note(&mut self, path: &str, origin: Origin) {
        // A path may be asked for more than once; what stands in the file goes first.
        let is_new = self.by_path.get(path).is_none_or(|known| known.source == Source::Default);
        if is_new {
            self.by_path.insert(path.to_owned(), origin);
        }
    }

    pub(crate) fn fingerprint(&mut self, path: &str, secret: &str) {
        if let Some(origin) = self.by_path.get_mut(path) {
            origin.fingerprint = Some(fingerprint(secret));
            origin.secret = Some(SecretId::of_text(secret));
        }
    }

    /// The file, as it was named.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The value at exactly this path.
    #[must_use]
    pub fn at(&self, path: &str) -> Option<&Origin> {
        self.by_path.get(path)
    }

    /// Every secret there is a value of, by path. An account has those that it inherits, too.
    pub fn secrets(&self) -> impl Iterator<Item = (&str, &SecretId)> {
        self.by_path
            .iter()
            .filter_map(|(path, origin)| Some((path.as_str(), origin.secret.as_ref()?)))
    }

    /// The values at and below a path, in the order of their paths. `""` is the whole.
    pub fn below<'o>(&'o self, path: &'o str) -> impl Iterator<Item = (&'o str, &'o Origin)> {
        self.by_path
            .iter()
            .map(|(known, origin)| (known.as_str(), origin))
            .filter(move |(known, _)| is_at_or_below(known, path))
    }

    /// `clawvoice.json5:12:9`, `env DISCORD_BOT_TOKEN`, `default`, and what else is to be known.
    #[must_use]
    pub fn describe(&self, source: &Source) -> String {
        match source {
            Source::File { at, written_as, inherited_by } => {
                let place = format!("{}:{}:{}", self.file, at.line, at.column);
                match (inherited_by, written_as) {
                    (Some(account), _) => format!("root, inherited by account {account}, {place}"),
                    (None, Some(key)) => format!("{place}, written as {key}"),
                    (None, None) => place,
                }
            }
            Source::Env(name) => format!("env {name}"),
            Source::Default => "default".to_owned(),
        }
    }
}

impl fmt::Debug for Origins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} values of {}", self.by_path.len(), self.file)
    }
}

/// Whether `path` is `above` or a part of it.
pub(crate) fn is_at_or_below(path: &str, above: &str) -> bool {
    if above.is_empty() {
        return true;
    }
    path.strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

#[cfg(test)]
mod tests {
    use super::is_at_or_below;

    #[test]
    fn a_part_is_below_and_a_longer_name_is_not() {
        for (path, above, expected) in [
            ("a.b", "a.b", true),
            ("a.b.c", "a.b", true),
            ("a.b[0]", "a.b", true),
            ("a.bc", "a.b", false),
            ("a", "", true),
            ("a", "a.b", false),
        ] {
            assert_eq!(is_at_or_below(path, above), expected, "{path} {above}");
        }
    }
}
