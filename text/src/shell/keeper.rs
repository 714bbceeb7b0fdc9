//! Writes down, beside everything else, what the next process resumes.

use std::{path::PathBuf, time::Duration};

use clawvoice_session::{SessionTime, UserId};
use tokio::task::JoinHandle;

use super::{
    clock::{now, unix_ms},
    session_file,
};
use crate::connection::{link::Resumable, recall::Recall, saved::Saved};

/// What changed is written down at most this often,
const SAVE_PAUSE: Duration = Duration::from_secs(1);

/// and that the session still lives at least this often.
const SAVE_AGAIN: Duration = Duration::from_secs(30);

/// Where sessions are written down, and with which intents they were identified.
#[derive(Clone, Debug)]
pub(super) struct Persistence {
    pub(super) path: PathBuf,
    pub(super) intents: u64,
}

/// Keeps the file up to date; without a [`Persistence`] it does nothing.
#[derive(Debug)]
pub(super) struct Keeper {
    persistence: Option<Persistence>,
    saving: Option<JoinHandle<()>>,
    changed: bool,
    saved_at: SessionTime,
}

impl Keeper {
    pub(super) fn new(persistence: Option<Persistence>) -> Self {
        Self { persistence, saving: None, changed: false, saved_at: SessionTime::ZERO }
    }

    /// There is something new to write down.
    pub(super) fn note(&mut self) {
        self.changed = true;
    }

    /// When to write next.
    pub(super) fn due(&self) -> Option<SessionTime> {
        let pause = if self.changed { SAVE_PAUSE } else { SAVE_AGAIN };
        self.persistence.as_ref().map(|_| self.saved_at + pause)
    }

    /// Begins to write, unless the last time is not over yet.
    pub(super) fn save(&mut self, user: UserId, sessions: &[Option<Resumable>], recall: &Recall) {
        let Some(persistence) = &self.persistence else { return };
        self.saved_at = now();
        if self.saving.as_ref().is_some_and(|saving| !saving.is_finished()) {
            return;
        }
        self.changed = false;
        let intents = persistence.intents;
        let saved = Saved::new(unix_ms(), intents, user, sessions.to_vec(), recall.clone());
        let path = persistence.path.clone();
        self.saving = Some(tokio::task::spawn_blocking(move || {
            if let Err(error) = session_file::write(&path, &saved.bytes()) {
                tracing::warn!("{} cannot be written: {error}", path.display());
            }
        }));
    }

    /// Waits until what was begun is written.
    pub(super) async fn settle(&mut self) {
        if let Some(saving) = self.saving.take() {
            // A panic in it is in the log already.
            let _ = saving.await;
        }
    }
}
