//! What a run has shown.

use std::collections::{BTreeMap, VecDeque};

use clawvoice_session::SessionTime;
use serde::Serialize;

/// Lines kept of what happened: some seconds of a busy channel.
const TAIL: usize = 300;
/// Failures described; all are counted.
const DESCRIBED: usize = 12;

/// Why nothing promised a frame to be heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unpromised {
    /// Of an epoch that the call was never in, or entered more than 2 s later: from before it
    /// joined, or while it recovered.
    NoKey,
    /// Its epoch was superseded more than 10 s before.
    Superseded,
    /// Its sender had been removed from the group when it arrived.
    Removed,
    /// Not encrypted outside the windows for that.
    Plaintext,
    /// Nobody said whose it is in time, and no key could.
    Unnamed,
    /// The network let another one of its sender overtake it, and that was the first of all: what
    /// is heard at once cannot be preceded any more.
    Overtaken,
}

/// Frames by what became of them.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Counts {
    /// Sent by members.
    pub sent: u64,
    /// Of these, lost by the network, never to arrive.
    pub lost_by_network: u64,
    /// Arrived at the call, each counted once.
    pub arrived: u64,
    /// Of the arrived, promised to be heard.
    pub promised: u64,
    /// Of the promised, heard once and of the right user.
    pub heard: u64,
    /// Of the promised, never heard.
    pub lost: u64,
    /// Heard although nothing promised it, by the reason why not.
    pub beyond_promise: BTreeMap<Unpromised, u64>,
    /// Not promised and not heard, by reason.
    pub unpromised: BTreeMap<Unpromised, u64>,
    /// Arrived just before the call left, which did not wait for them to be heard.
    pub cut_off: u64,
    /// Heard as another user's.
    pub wrong_user: u64,
    /// Heard more than once.
    pub repeated: u64,
    /// Heard, but no frame that was sent.
    pub unknown: u64,
    /// Made up by the decoder for lost ones.
    pub concealed: u64,
}

/// The result of a run.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// What everything random came from, MLS apart.
    pub seed: u64,
    /// Things that happened, by what they were.
    pub events: BTreeMap<&'static str, u64>,
    /// Virtual time, s.
    pub virtual_s: f64,
    /// Frames.
    pub frames: Counts,
    /// MLS epochs that the call entered.
    pub epochs: u64,
    /// Transitions that it executed.
    pub transitions: u64,
    /// Times it asked for recovery (op 31).
    pub recoveries: u64,
    /// Everything that must not be.
    pub failed: u64,
    /// The first of these in words.
    pub failures: Vec<String>,
    /// What happened before the first of them.
    #[serde(skip)]
    pub log: Vec<String>,
    #[serde(skip)]
    tail: VecDeque<String>,
}

impl Report {
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed, ..Self::default() }
    }

    /// How many events there were.
    #[must_use]
    pub fn total_events(&self) -> u64 {
        self.events.values().sum()
    }

    /// Writes down what happened.
    pub(crate) fn note(&mut self, now: SessionTime, what: impl FnOnce() -> String) {
        if self.failed > 0 {
            return;
        }
        if self.tail.len() >= TAIL {
            self.tail.pop_front();
        }
        self.tail.push_back(format!("{:>10.3} ms  {}", now.as_micros() as f64 / 1e3, what()));
    }

    /// Something is as it must not be.
    pub(crate) fn fail(&mut self, now: SessionTime, what: impl FnOnce() -> String) {
        if self.failed == 0 {
            self.log = self.tail.drain(..).collect();
        }
        self.failed += 1;
        if self.failures.len() < DESCRIBED {
            self.failures.push(format!("{:>10.3} ms  {}", now.as_micros() as f64 / 1e3, what()));
        }
    }

    /// The seed, what failed, and what happened before, for a failed test.
    #[must_use]
    pub fn describe(&self) -> String {
        format!(
            "seed {}: {} failures\n--- log\n{}\n--- failures\n{}\n--- {:?}",
            self.seed,
            self.failed,
            self.log.join("\n"),
            self.failures.join("\n"),
            self.frames,
        )
    }
}
