//! What differs between two configurations, and what it takes for it to be in force.

use std::collections::BTreeSet;

use crate::{
    Config,
    origin::{Origin, is_at_or_below},
};

/// One key whose effective value differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The key, as in `channels.discord.dmPolicy`.
    pub path: String,
    /// When it is in force.
    pub effect: Effect,
}

/// When a change is in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// From the next message on.
    Live,
    /// When the account is started anew.
    AccountRestart,
    /// When the process is.
    ProcessRestart,
}

/// Keys of an account that its connection, or what listens and speaks for it, is made of.
const OF_THE_CONNECTION: &[&str] = &[
    "token",
    "enabled",
    "applicationId",
    "apiBaseUrl",
    "intents",
    "proxy",
    "eventQueue",
    "slashCommand",
    "gatewayInfoTimeoutMs",
    "gatewayReadyTimeoutMs",
    "gatewayRuntimeReadyTimeoutMs",
    "voice.enabled",
    "voice.mode",
    "voice.realtime",
    "voice.daveEncryption",
];

/// Keys that belong to the process as a whole.
const OF_THE_PROCESS: &[&str] = &[
    "session.store",
    "gateway.clawvoice.health",
    "agents.defaults.spikeAlert",
    "agents.defaults.responseCache",
];

impl Config {
    /// The keys whose values differ, in the order of their paths. A secret is compared by its
    /// value, which is in none of them.
    #[must_use]
    pub fn changes(old: &Self, new: &Self) -> Vec<Change> {
        let values = |config: &Self| -> Vec<(String, Origin)> {
            let all = config.origins.below("");
            all.map(|(path, origin)| (path.to_owned(), origin.clone())).collect()
        };
        let (before, after) = (values(old), values(new));
        let paths: BTreeSet<&String> = before.iter().chain(&after).map(|(path, _)| path).collect();
        paths
            .into_iter()
            .filter(|path| differs(old.origins.at(path), new.origins.at(path)))
            .map(|path| Change { path: path.clone(), effect: effect(path) })
            .collect()
    }
}

fn differs(old: Option<&Origin>, new: Option<&Origin>) -> bool {
    match (old, new) {
        (Some(old), Some(new)) => old.value != new.value || old.fingerprint != new.fingerprint,
        (old, new) => old.is_some() != new.is_some(),
    }
}

fn effect(path: &str) -> Effect {
    let is_budget = path.starts_with("agents.") && path.contains(".budget");
    if is_budget || OF_THE_PROCESS.iter().any(|part| is_at_or_below(path, part)) {
        return Effect::ProcessRestart;
    }
    let within = match path.strip_prefix("channels.discord.accounts.") {
        Some(rest) => rest.split_once('.').map(|(_, key)| key),
        None => path.strip_prefix("channels.discord."),
    };
    let restarts = |key: &str| OF_THE_CONNECTION.iter().any(|part| is_at_or_below(key, part));
    match within {
        // The next connection shows the new one.
        Some(key) if key.starts_with("voice.realtime.") && key.ends_with(".apiKey") => Effect::Live,
        Some(key) if restarts(key) => Effect::AccountRestart,
        // An account that comes or goes.
        None if path.starts_with("channels.discord.accounts") => Effect::AccountRestart,
        _ => Effect::Live,
    }
}
