//! What is written down of the uses of credentials, and what is warned of.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Duration,
};

use clawvoice_config::SecretId;
use jiff::Timestamp;

use super::{Anomaly, Answer, KnownUse, Purpose, Report};

/// How often uses are counted up.
const HOUR: Duration = Duration::from_secs(3_600);

/// Declarations come one after the other when something starts; they are judged together.
const TOGETHER: Duration = Duration::from_secs(1);

/// A credential should be replaced by then.
const OLD: Duration = Duration::from_secs(90 * 86_400);

/// Pairs of credential and purpose that are followed; a further one is not. A configuration has a
/// few dozen.
const MOST: usize = 1_024;

/// What becomes of a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// For the event log.
    Log(Noted),
    /// In the place of what was kept of this credential and purpose.
    Save(KnownUse),
    /// For a person.
    Warn(Anomaly),
}

/// A line of the event log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Noted {
    /// Which credential.
    pub id: SecretId,
    /// Where it stands in the configuration.
    pub path: String,
    /// What for.
    pub purpose: Purpose,
    /// How it went, last.
    pub answer: Answer,
    /// How many uses this line stands for.
    pub uses: u64,
}

/// Follows every credential.
#[derive(Debug)]
pub struct Ledger {
    entries: BTreeMap<(SecretId, Purpose), Entry>,
    seen: BTreeMap<SecretId, Seen>,
    outputs: VecDeque<Output>,
    count_at: Option<Timestamp>,
    judge_at: Option<Timestamp>,
}

#[derive(Debug, Default)]
struct Entry {
    paths: BTreeSet<String>,
    /// The purpose is new for a credential that is not.
    is_strange: bool,
    /// In this process.
    is_used: bool,
    uses: u64,
    /// Uses that no line has counted.
    uncounted: u64,
    last_use: Option<Timestamp>,
    answer: Option<Answer>,
}

#[derive(Debug)]
struct Seen {
    first: Timestamp,
    /// From an earlier process.
    is_known: bool,
    is_old_told: bool,
    /// How many purposes it was told to serve.
    shared_told: usize,
}

impl Ledger {
    /// With what earlier processes knew.
    #[must_use]
    pub fn new(known: impl IntoIterator<Item = KnownUse>) -> Self {
        let (mut entries, mut seen) = (BTreeMap::new(), BTreeMap::new());
        for known in known.into_iter().take(MOST) {
            let first = known.first_seen;
            seen.entry(known.id.clone()).or_insert(Seen { is_known: true, ..Seen::at(first) });
            let entry = Entry {
                uses: known.uses,
                last_use: known.last_use,
                answer: known.answer,
                ..Entry::default()
            };
            entries.insert((known.id, known.purpose), entry);
        }
        Self { entries, seen, outputs: VecDeque::new(), count_at: None, judge_at: None }
    }

    /// Takes a report.
    pub fn handle(&mut self, now: Timestamp, report: Report) {
        match report {
            Report::Declared { id, path, purpose } => {
                let Some(entry) = self.entry(now, &id, purpose) else { return };
                entry.paths.insert(path);
                self.judge_at.get_or_insert(after(now, TOGETHER));
            }
            Report::Used { id, purpose, answer } => self.used(now, id, purpose, answer),
        }
    }

    /// What is to be done next.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`Self::handle_timeout`] is due.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        self.count_at.into_iter().chain(self.judge_at).min()
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        if self.judge_at.is_some_and(|due| due <= now) {
            self.judge_at = None;
            self.judge(now);
        }
        if self.count_at.is_some_and(|due| due <= now) {
            self.finish();
            self.judge(now);
        }
    }

    /// Counts up what no line has counted: an hour is over, or the process is.
    pub fn finish(&mut self) {
        self.count_at = None;
        for ((id, purpose), entry) in &mut self.entries {
            let uses = std::mem::take(&mut entry.uncounted);
            if let Some(answer) = entry.answer.filter(|_| uses > 0) {
                let path = entry.path();
                let (id, purpose) = (id.clone(), *purpose);
                let noted = Noted { id: id.clone(), path, purpose, answer, uses };
                self.outputs.push_back(Output::Log(noted));
                let first = self.seen.get(&id).map(|seen| seen.first);
                self.outputs.extend(first.map(|first| entry.save(id, purpose, first)));
            }
        }
    }

    /// The entry of a pair; a new one is kept at once, so that its purpose is known.
    fn entry(&mut self, now: Timestamp, id: &SecretId, purpose: Purpose) -> Option<&mut Entry> {
        let key = (id.clone(), purpose);
        if !self.entries.contains_key(&key) {
            if self.entries.len() >= MOST {
                return None;
            }
            let seen = self.seen.entry(id.clone()).or_insert(Seen::at(now));
            let entry = Entry { is_strange: seen.is_known, ..Entry::default() };
            self.outputs.push_back(entry.save(id.clone(), purpose, seen.first));
            self.entries.insert(key.clone(), entry);
        }
        self.entries.get_mut(&key)
    }

    fn used(&mut self, now: Timestamp, id: SecretId, purpose: Purpose, answer: Answer) {
        let Some(entry) = self.entry(now, &id, purpose) else { return };
        let before = entry.answer;
        // That nobody answers says nothing of the credential.
        let after_it = match (before, answer) {
            (Some(known), Answer::Unknown) => known,
            _ => answer,
        };
        entry.uses = entry.uses.saturating_add(1);
        entry.uncounted = entry.uncounted.saturating_add(1);
        (entry.last_use, entry.answer) = (Some(now), Some(after_it));
        let is_first = !std::mem::replace(&mut entry.is_used, true);
        let is_strange = std::mem::replace(&mut entry.is_strange, false);
        let path = entry.path();
        if is_first || before != entry.answer {
            let uses = std::mem::take(&mut entry.uncounted);
            let noted = Noted { id: id.clone(), path: path.clone(), purpose, answer, uses };
            let first = self.seen.get(&id).map_or(now, |seen| seen.first);
            let saved = self
                .entries
                .get(&(id.clone(), purpose))
                .map(|entry| entry.save(id.clone(), purpose, first));
            self.outputs.push_back(Output::Log(noted));
            self.outputs.extend(saved);
        }
        if is_strange {
            let (path, id) = (path.clone(), id.clone());
            self.warn(Anomaly::NewPurpose { path, id, purpose });
        }
        if (before, after_it) == (Some(Answer::Ok), Answer::Refused) {
            self.warn(Anomaly::RefusedAfterOk { path, id, purpose });
        }
        self.count_at.get_or_insert(after(now, HOUR));
    }

    /// Of those that this process has: which serve several purposes, and which are old.
    fn judge(&mut self, now: Timestamp) {
        let mut anomalies = Vec::new();
        for (id, seen) in &mut self.seen {
            let (mut purposes, mut paths) = (BTreeSet::new(), BTreeSet::new());
            let from = (id.clone(), Purpose::Gateway);
            for ((of, purpose), entry) in self.entries.range(from..) {
                if of != id {
                    break;
                }
                if !entry.paths.is_empty() {
                    purposes.insert(purpose.owner());
                    paths.extend(entry.paths.iter().cloned());
                }
            }
            let Some(path) = paths.first().cloned() else { continue };
            if purposes.len() > seen.shared_told.max(1) {
                seen.shared_told = purposes.len();
                let paths = paths.into_iter().collect();
                anomalies.push(Anomaly::Shared { id: id.clone(), paths });
            }
            let age = Duration::try_from(now.duration_since(seen.first)).unwrap_or_default();
            if age >= OLD && !std::mem::replace(&mut seen.is_old_told, true) {
                let days = age.as_secs() / 86_400;
                anomalies.push(Anomaly::Old { path, id: id.clone(), days });
            }
        }
        anomalies.into_iter().for_each(|anomaly| self.warn(anomaly));
    }

    fn warn(&mut self, anomaly: Anomaly) {
        self.outputs.push_back(Output::Warn(anomaly));
    }
}

impl Entry {
    /// Where it stands; of several places the first.
    fn path(&self) -> String {
        self.paths.first().cloned().unwrap_or_default()
    }

    fn save(&self, id: SecretId, purpose: Purpose, first_seen: Timestamp) -> Output {
        let (uses, last_use, answer) = (self.uses, self.last_use, self.answer);
        Output::Save(KnownUse { id, purpose, first_seen, uses, last_use, answer })
    }
}

impl Seen {
    const fn at(first: Timestamp) -> Self {
        Self { first, is_known: false, is_old_told: false, shared_told: 0 }
    }
}

fn after(now: Timestamp, wait: Duration) -> Timestamp {
    now.checked_add(wait).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
#[path = "ledger_tests.rs"]
mod tests;
