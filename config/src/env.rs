//! Where environment variables come from.

use std::collections::BTreeMap;

/// A source of environment variables; a map in tests, the process's own in the binary.
pub trait Env {
    /// The variable's value. `None` if it is unset, empty or not UTF-8.
    fn var(&self, name: &str) -> Option<String>;
}

/// The environment of this process.
#[derive(Clone, Copy, Debug, Default)]
pub struct ProcessEnv;

impl Env for ProcessEnv {
    fn var(&self, name: &str) -> Option<String> {
        // Names no environment can hold; the platform's own check may panic on them.
        if name.is_empty() || name.contains(['=', '\0']) {
            return None;
        }
        std::env::var(name).ok().filter(|value| !value.is_empty())
    }
}

impl Env for BTreeMap<String, String> {
    fn var(&self, name: &str) -> Option<String> {
        self.get(name).filter(|value| !value.is_empty()).cloned()
    }
}
