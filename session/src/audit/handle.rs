//! Where those who use a credential tell of it.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use clawvoice_config::SecretId;
use secrecy::SecretString;
use tokio::sync::mpsc;

use super::{Answer, Purpose};

/// Reports that may wait; what comes on top is dropped and counted, since nobody who uses a
/// credential waits for this.
const WAITING: usize = 1_024;

/// What is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    /// A credential will be used.
    Declared {
        /// Which.
        id: SecretId,
        /// Where it stands in the configuration.
        path: String,
        /// What for.
        purpose: Purpose,
    },
    /// It was used.
    Used {
        /// Which.
        id: SecretId,
        /// What for.
        purpose: Purpose,
        /// How that went.
        answer: Answer,
    },
}

/// The end at which reports come out.
pub type Reports = mpsc::Receiver<Report>;

/// Figures since the process began.
#[derive(Debug, Default)]
pub struct UseCounts {
    answers: [AtomicU64; 3],
    dropped: AtomicU64,
    anomalies: AtomicU64,
}

impl UseCounts {
    /// Uses that went so.
    #[must_use]
    pub fn uses(&self, answer: Answer) -> u64 {
        self.answers[answer as usize].load(Ordering::Relaxed)
    }

    /// Reports that were dropped.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// What was warned of.
    #[must_use]
    pub fn anomalies(&self) -> u64 {
        self.anomalies.load(Ordering::Relaxed)
    }

    pub(crate) fn note_anomaly(&self) {
        self.anomalies.fetch_add(1, Ordering::Relaxed);
    }
}

/// Takes reports. All clones are one.
#[derive(Clone, Debug)]
pub struct Auditor {
    reports: mpsc::Sender<Report>,
    counts: Arc<UseCounts>,
}

/// One, and the end at which its reports come out.
#[must_use]
pub fn auditor() -> (Auditor, Reports) {
    let (reports, out) = mpsc::channel(WAITING);
    (Auditor { reports, counts: Arc::default() }, out)
}

impl Auditor {
    /// A secret that stands at `path` of the configuration will be used.
    #[must_use]
    pub fn declare(&self, path: &str, secret: &SecretString, purpose: Purpose) -> Credential {
        let id = SecretId::of(secret);
        self.report(Report::Declared { id: id.clone(), path: path.to_owned(), purpose });
        Credential { id, purpose, auditor: self.clone() }
    }

    /// Figures since the process began.
    #[must_use]
    pub fn counts(&self) -> &Arc<UseCounts> {
        &self.counts
    }

    fn report(&self, report: Report) {
        if self.reports.try_send(report).is_err() {
            self.counts.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// A credential in the hands of whoever uses it for one purpose. It does not hold the secret.
#[derive(Clone, Debug)]
pub struct Credential {
    id: SecretId,
    purpose: Purpose,
    auditor: Auditor,
}

impl Credential {
    /// It was used.
    pub fn used(&self, answer: Answer) {
        self.auditor.counts.answers[answer as usize].fetch_add(1, Ordering::Relaxed);
        let (id, purpose) = (self.id.clone(), self.purpose);
        self.auditor.report(Report::Used { id, purpose, answer });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_takes_is_dropped_and_counted() {
        let (auditor, mut reports) = auditor();
        let key = auditor.declare("models.x", &"abc".to_owned().into(), Purpose::Model);
        for _ in 0..WAITING {
            key.used(Answer::Ok);
        }
        key.used(Answer::Refused);
        let counts = auditor.counts();
        assert_eq!(counts.uses(Answer::Ok), WAITING as u64);
        assert_eq!((counts.uses(Answer::Refused), counts.dropped()), (1, 2));
        let Ok(Report::Declared { id, path, .. }) = reports.try_recv() else { panic!("declared") };
        assert_eq!((id.as_str(), path.as_str()), ("ba7816bf", "models.x"));
        assert!(!format!("{key:?}").contains("abc"));
    }
}
