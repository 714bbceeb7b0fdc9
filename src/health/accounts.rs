//! How each account is: its gateway, and what its text has done.

use std::collections::BTreeMap;

use clawvoice_session::{
    audit::{Answer, UseCounts},
    shell::spending::{SpendingMonitor, SpendingStatus},
};
use clawvoice_text::shell::{
    desk::{TextMonitor, TextStatus},
    gateway::{GatewayMonitor, GatewayStatus, ShardStatus},
};
use jiff::Timestamp;
use serde::Serialize;

use super::GatewayHealth;

/// Where an account writes how it is.
#[derive(Clone, Debug)]
pub(crate) struct AccountMonitor {
    /// Its key in the configuration.
    pub(crate) id: String,
    /// Its gateway.
    pub(crate) gateway: GatewayMonitor,
    /// Its text.
    pub(crate) text: TextMonitor,
}

/// How an account is.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(crate) struct AccountHealth {
    /// Its key in the configuration.
    pub(crate) id: String,
    /// Its gateway.
    pub(crate) gateway: GatewayHealth,
    /// Its text.
    pub(crate) text: TextHealth,
}

/// What text of an account has done since it was started.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct TextHealth {
    /// Messages that were dropped, by reason; reasons of none are left out.
    pub(crate) drops: BTreeMap<&'static str, u64>,
    /// Turns that were answered.
    pub(crate) answered: u64,
    /// Turns that failed.
    pub(crate) failed: u64,
    /// Messages that are not decided yet.
    pub(crate) deciding: usize,
    /// Sessions with turns that run or wait.
    pub(crate) sessions: usize,
}

/// How the accounts of the process are.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Health {
    /// All gateways as if they were one.
    pub(crate) gateway: GatewayHealth,
    /// One by one.
    pub(crate) accounts: Vec<AccountHealth>,
    /// What is spent.
    pub(crate) spending: SpendingStatus,
    /// How credentials are used.
    pub(crate) credentials: CredentialHealth,
}

/// How credentials are used, since the process began.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct CredentialHealth {
    /// Uses, by how they went.
    pub(crate) uses: [(&'static str, u64); 3],
    /// Uses that nobody could be told of.
    pub(crate) dropped: u64,
    /// What was warned of.
    pub(crate) anomalies: u64,
}

impl CredentialHealth {
    fn of(counts: &UseCounts) -> Self {
        Self {
            uses: Answer::ALL.map(|answer| (answer.word(), counts.uses(answer))),
            dropped: counts.dropped(),
            anomalies: counts.anomalies(),
        }
    }
}

impl AccountMonitor {
    /// Of an account that has not begun.
    pub(crate) fn new(id: &str) -> Self {
        let (gateway, text) = (GatewayMonitor::default(), TextMonitor::default());
        Self { id: id.to_owned(), gateway, text }
    }
}

impl Health {
    /// As the accounts, what is spent, and the uses of credentials are now.
    pub(crate) fn of(
        monitors: &[AccountMonitor],
        spending: &SpendingMonitor,
        counts: &UseCounts,
    ) -> Self {
        Self {
            gateway: GatewayHealth::of(&whole(monitors)),
            accounts: monitors.iter().map(AccountHealth::of).collect(),
            spending: spending.snapshot(Timestamp::now()),
            credentials: CredentialHealth::of(counts),
        }
    }
}

impl AccountHealth {
    fn of(monitor: &AccountMonitor) -> Self {
        Self {
            id: monitor.id.clone(),
            gateway: GatewayHealth::of(&whole(std::slice::from_ref(monitor))),
            text: TextHealth::of(&monitor.text.snapshot()),
        }
    }
}

impl TextHealth {
    fn of(status: &TextStatus) -> Self {
        let drops = status.drops.iter().filter(|(_, count)| *count > 0);
        Self {
            drops: drops.map(|(reason, count)| (reason.code(), count)).collect(),
            answered: status.answered,
            failed: status.failed,
            deciding: status.deciding,
            sessions: status.sessions,
        }
    }
}

fn whole(monitors: &[AccountMonitor]) -> GatewayStatus {
    let mut whole = GatewayStatus::default();
    for status in monitors.iter().map(|monitor| monitor.gateway.snapshot()) {
        // An account that is not connected yet has no shard to say so.
        let missing = status.shards.is_empty().then(ShardStatus::default);
        whole.shards.extend(status.shards.into_iter().chain(missing));
        whole.queue_depth += status.queue_depth;
        whole.rejected_events += status.rejected_events;
        whole.listeners += status.listeners;
        whole.restarts += status.restarts;
    }
    whole
}

#[cfg(test)]
mod tests {
    use clawvoice_text::inbound::{DropCounters, DropReason};

    use super::*;

    #[test]
    fn drops_are_told_by_their_reason_and_only_those_there_were() {
        let mut drops = DropCounters::default();
        drops.count(DropReason::NoMention);
        drops.count(DropReason::NoMention);
        let status = TextStatus { drops, answered: 3, failed: 1, ..TextStatus::default() };
        let told = serde_json::to_value(TextHealth::of(&status)).unwrap();
        let expected = serde_json::json!({
            "drops": { "no-mention": 2 }, "answered": 3, "failed": 1, "deciding": 0, "sessions": 0,
        });
        assert_eq!(told, expected);
    }

    #[test]
    fn an_account_that_has_not_begun_is_not_connected() {
        let accounts = [AccountMonitor::new("a"), AccountMonitor::new("b")];
        let health = Health::of(&accounts, &SpendingMonitor::default(), &UseCounts::default());
        let ids: Vec<&str> = health.accounts.iter().map(|account| account.id.as_str()).collect();
        assert_eq!(ids, ["a", "b"]);
        assert!(!health.gateway.connected && !health.accounts[0].gateway.connected);
    }
}
