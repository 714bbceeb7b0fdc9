//! What was registered the last time, so that nothing is asked of Discord if it is the same.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The form of the file; another one is not read.
const VERSION: u32 = 1;

/// How long commands are taken to be as they were registered, milliseconds: a day.
pub const VERIFIED_FOR_MS: u64 = 24 * 60 * 60 * 1_000;

/// A larger file is none of ours, bytes.
pub const MAX_KNOWN: u64 = 64 * 1024;

/// Scopes that are remembered; with one more, all are forgotten but that one.
const MOST_SCOPES: usize = 200;

/// What was registered for an application.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Known {
    version: u32,
    /// The application.
    application: u64,
    scopes: BTreeMap<String, Scope>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Scope {
    hash: String,
    /// Milliseconds since 1970.
    updated_at: u64,
}

impl Known {
    /// Nothing is known of this application's commands.
    #[must_use]
    pub const fn nothing(application: u64) -> Self {
        Self { version: VERSION, application, scopes: BTreeMap::new() }
    }

    /// As it was written; `None`: that cannot be read, and everything is to be registered.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let known: Self = serde_json::from_slice(bytes).ok()?;
        (known.version == VERSION && known.application != 0).then_some(known)
    }

    /// As it is to be written.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// The application.
    #[must_use]
    pub const fn application(&self) -> u64 {
        self.application
    }

    /// Whether a scope has commands with this fingerprint, as far as was seen within a day before
    /// `now` (milliseconds since 1970). A time to come is none.
    #[must_use]
    pub fn is_current(&self, scope: &str, hash: &str, now: u64) -> bool {
        self.scopes.get(scope).is_some_and(|it| {
            it.hash == hash
                && now.checked_sub(it.updated_at).is_some_and(|age| age < VERIFIED_FOR_MS)
        })
    }

    /// A scope was seen to have them.
    pub fn remember(&mut self, scope: &str, hash: String, now: u64) {
        if self.scopes.len() >= MOST_SCOPES && !self.scopes.contains_key(scope) {
            self.scopes.clear();
        }
        self.scopes.insert(scope.to_owned(), Scope { hash, updated_at: now });
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: u64 = 1_700_000_000_000;

    #[test]
    fn what_was_registered_is_known_for_a_day() {
        let mut known = Known::nothing(6);
        assert!(!known.is_current("global:reconcile", "aa", NOW));
        known.remember("global:reconcile", "aa".to_owned(), NOW);
        let known = Known::read(&known.bytes()).unwrap();
        assert_eq!(known.application(), 6);
        for (scope, hash, now, expected) in [
            ("global:reconcile", "aa", NOW, true),
            ("global:reconcile", "aa", NOW + VERIFIED_FOR_MS - 1, true),
            ("global:reconcile", "aa", NOW + VERIFIED_FOR_MS, false),
            ("global:reconcile", "aa", NOW - 1, false),
            ("global:reconcile", "ab", NOW, false),
            ("guild:1", "aa", NOW, false),
        ] {
            assert_eq!(known.is_current(scope, hash, now), expected, "{scope} {hash} {now}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_nothing() {
        let good = String::from_utf8(Known::nothing(6).bytes()).unwrap();
        for bytes in [
            String::new(),
            "{".to_owned(),
            good.replace("\"version\":1", "\"version\":2"),
            good.replace(":6", ":0"),
            good.replace("scopes", "scope"),
        ] {
            assert_eq!(Known::read(bytes.as_bytes()), None, "{bytes}");
        }
        assert!(Known::read(good.as_bytes()).is_some());
    }

    #[test]
    fn scopes_are_bounded() {
        let mut known = Known::nothing(6);
        for guild in 0..1_000 {
            known.remember(&format!("guild:{guild}"), "aa".to_owned(), NOW);
            assert!(known.is_current(&format!("guild:{guild}"), "aa", NOW));
        }
        assert!(known.bytes().len() < usize::try_from(MAX_KNOWN).unwrap());
    }

    proptest! {
        #[test]
        fn no_file_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Known::read(&bytes);
        }
    }
}
