//! Calls that the fault settings keep from end-to-end encryption.

use std::collections::BTreeSet;

use serde_json::json;

use super::Hub;
use crate::fault::Downgrade;

/// The downgrades in the fault settings, and where they are in force.
#[derive(Debug, Default)]
pub(super) struct Downgrades {
    rules: Vec<Downgrade>,
    began_ms: u64,
    /// Until when everything that begins or ends has been applied.
    applied_ms: u64,
    /// Channels whose calls were taken down here.
    down: BTreeSet<u64>,
}

impl Downgrades {
    pub(super) fn configure(&mut self, now_ms: u64, rules: &[Downgrade]) {
        self.rules = rules.to_vec();
        self.began_ms = now_ms;
    }

    fn covers(&self, now_ms: u64, channel: u64) -> bool {
        self.rules.iter().any(|rule| {
            let (from, until) = rule.period(self.began_ms);
            rule.channel.is_none_or(|one| one == channel)
                && from <= now_ms
                && until.is_none_or(|until| now_ms < until)
        })
    }

    /// When something begins or ends next, ms.
    pub(super) fn poll_timeout(&self) -> Option<u64> {
        let periods = self.rules.iter().map(|rule| rule.period(self.began_ms));
        let moments = periods.flat_map(|(from, until)| [Some(from), until]).flatten();
        moments.filter(|at| *at > self.applied_ms).min()
    }
}

impl Hub {
    /// Takes calls down and up as the fault settings want them now.
    pub(super) fn apply_downgrades(&mut self, now_ms: u64) {
        if self.downgrades.rules.is_empty() && self.downgrades.down.is_empty() {
            return;
        }
        self.downgrades.applied_ms = now_ms;
        let channels: Vec<u64> = self.rooms.keys().copied().collect();
        // A call that is over takes its state with it.
        self.downgrades.down.retain(|channel| channels.contains(channel));
        for channel in channels {
            let wanted = self.downgrades.covers(now_ms, channel);
            let changes = if wanted {
                self.downgrades.down.insert(channel)
            } else {
                self.downgrades.down.remove(&channel)
            };
            if changes {
                let version = u16::from(!wanted);
                let data = json!({ "channel_id": channel.to_string(), "version": version });
                self.journal("fault", "dave_version", data);
                self.handle_dave_version(now_ms, channel, version);
            }
        }
    }
}
