//! How long things are kept.

use std::time::Duration;

use clawvoice_config::{Maintenance, MaintenanceMode};

const DAY: Duration = Duration::from_secs(86_400);

/// How long things are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Messages that are dealt with and still known, so that one which comes again is not
    /// answered twice: so many of the newest. Default 10,000: what is finished and what is known
    /// again are the same rows, of which OpenClaw keeps 5,000 and 10,000.
    pub known_messages: u32,
    /// None of them is forgotten before that. Default 5 min.
    pub known_for: Duration,
    /// Events. Default 30 d.
    pub events_for: Duration,
    /// Events, however new: so many at most. Default 200,000.
    pub events: u32,
    /// Parts that were sent. Default 1 d.
    pub sent_for: Duration,
    /// Parts that Discord refused. Default 7 d.
    pub refused_for: Duration,
    /// A session is put away when nothing happens in it for so long. Default 30 d.
    pub sessions_for: Duration,
    /// Sessions in use; beyond it those that were used least recently are put away. Default 5,000.
    pub sessions: u32,
    /// What was spent, by the hour. Default 400 d.
    pub spending_for: Duration,
}

impl Retention {
    /// With what the file says of conversations. In mode `warn` none is put away.
    #[must_use]
    pub fn of(maintenance: &Maintenance) -> Self {
        let mut keep = Self::default();
        match maintenance.mode {
            MaintenanceMode::Enforce => {
                (keep.sessions_for, keep.sessions) =
                    (maintenance.prune_after, maintenance.max_entries);
            }
            MaintenanceMode::Warn => (keep.sessions_for, keep.sessions) = (Duration::MAX, u32::MAX),
        }
        keep
    }
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            known_messages: 10_000,
            known_for: Duration::from_secs(300),
            events_for: 30 * DAY,
            events: 200_000,
            sent_for: DAY,
            refused_for: 7 * DAY,
            sessions_for: 30 * DAY,
            sessions: 5_000,
            spending_for: 400 * DAY,
        }
    }
}

/// What was cleared away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Messages that came in.
    pub messages: u64,
    /// Parts of answers.
    pub parts: u64,
    /// Events.
    pub events: u64,
    /// Sessions, which are put away and not deleted.
    pub sessions: u64,
    /// Sums of what was spent.
    pub spending: u64,
    /// There is more to clear away: one sweep does not hold up others for long.
    pub more: bool,
}

/// What was deleted of a user.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Forgotten {
    /// Messages that came in.
    pub messages: u64,
    /// Parts of answers to them.
    pub parts: u64,
    /// What they said and were answered, a row each.
    pub turns: u64,
    /// Events about them, and of what was said with them in private.
    pub events: u64,
    /// Requests to be let in, and approvals.
    pub pairings: u64,
    /// What their direct messages are bound to.
    pub bindings: u64,
}
