//! The store: every session and what was said in it, in one SQLite file.
//!
//! One task owns the connection and, before it, the newest part of every session that is in use,
//! so that the model's history needs no disk. Writes that come together are committed together.
//! A written exchange survives the death of the process; write-ahead logging without a sync per
//! commit means that the death of the machine may cost the last moments, never the file.
//!
//! Beside it, in the same file and each with a connection of its own: [`Mailbox`], what came in
//! and what goes out, [`Pairings`], who was let in, and [`Spendings`], what it all
//! cost.

mod columns;
mod conversations;
mod database;
mod inherit;
mod mailbox;
mod pairing;
mod search;
mod spending;
mod task;
mod turns;

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use tokio::{
    sync::{Mutex, mpsc, oneshot},
    task::JoinHandle,
};

use crate::{
    SessionKey, UserId,
    history::{Exchange, Found, Outcome, SessionStatus, Spent, Window},
    spending::{Day, Hour, Spender},
};
pub use mailbox::Mailbox;
pub use pairing::{NotApproved, Pairings};
pub use spending::Spendings;
use task::Command;

/// Commands that may wait for the store's task; the next one waits in its caller.
const WAITING: usize = 256;

/// Why the store did not do something.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file or its folder cannot be made.
    #[error("{} cannot be created: {source}", path.display())]
    Create {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file cannot be opened as our database.
    #[error("{} cannot be opened: {words}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        words: String,
        /// The disk is to blame, or another process, and not what is in the file.
        passing: bool,
    },
    /// SQLite refused.
    #[error("the session store failed: {0}")]
    Database(#[from] sqlx::Error),
    /// It was done, and lost with what was to be committed beside it.
    #[error("the session store failed: {0}")]
    NotCommitted(String),
    /// The store is closed.
    #[error("the session store is closed")]
    Closed,
}

impl StoreError {
    /// Whether one can work on without the file: it is locked, or the disk is full, read-only or
    /// broken. Of a file with something else in it this cannot be said.
    #[must_use]
    pub const fn may_pass(&self) -> bool {
        matches!(self, Self::Create { .. } | Self::Open { passing: true, .. })
    }
}

/// A handle on the store.
#[derive(Debug)]
pub struct Store {
    commands: mpsc::Sender<Command>,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl Store {
    /// Opens the file, creating it (readable by its owner alone) and bringing it up to date.
    /// `history_tokens` bounds what [`Self::window`] gives.
    ///
    /// # Errors
    ///
    /// When the file cannot be made, is no database, or is of a newer version.
    pub async fn open(path: &Path, history_tokens: u64) -> Result<Self, StoreError> {
        Ok(Self::start(database::Database::open(path).await?, history_tokens))
    }

    /// A store that lives as long as the process: for the time when there is no disk to write to.
    ///
    /// # Errors
    ///
    /// When SQLite refuses.
    pub async fn in_memory(history_tokens: u64) -> Result<Self, StoreError> {
        Ok(Self::start(database::Database::in_memory().await?, history_tokens))
    }

    /// Whether the file can be written to now, and is whole. Nothing in it changes.
    ///
    /// # Errors
    ///
    /// When it cannot be opened, is locked by another process, or is damaged.
    pub async fn check(path: &Path) -> Result<(), StoreError> {
        database::Database::check(path).await
    }

    fn start(database: database::Database, history_tokens: u64) -> Self {
        let (commands, incoming) = mpsc::channel(WAITING);
        let task = tokio::spawn(task::run(database, history_tokens, incoming));
        Self { commands, task: Mutex::new(Some(task)) }
    }

    /// Writes an exchange and returns once it is committed; gives its number, if there was anything
    /// to write.
    ///
    /// # Errors
    ///
    /// When it is not on disk. The session's window has it nevertheless.
    pub async fn record(
        &self,
        session: &SessionKey,
        exchange: Exchange,
    ) -> Result<Option<i64>, StoreError> {
        let (done, committed) = oneshot::channel();
        self.send(Command::Record { session: session.clone(), exchange, done }).await?;
        committed.await.map_err(|_| StoreError::Closed)?
    }

    /// Puts another answer in the place of the one of an exchange.
    ///
    /// # Errors
    ///
    /// When it is not on disk.
    pub async fn amend(
        &self,
        session: &SessionKey,
        exchange: i64,
        answered: String,
    ) -> Result<(), StoreError> {
        let session = session.clone();
        self.ask(|reply| Command::Amend { session, exchange, answered, reply }).await?
    }

    /// The session begins anew: what was said before is found by [`Store::search`] alone. What is
    /// being answered still belongs to the time before.
    ///
    /// # Errors
    ///
    /// When it is not on disk. Until the end of the process it holds nevertheless.
    pub async fn reset(&self, session: &SessionKey) -> Result<(), StoreError> {
        let (session, at) = (session.clone(), Timestamp::now());
        self.ask(|reply| Command::Reset { session, at, reply }).await?
    }

    /// What was answered to an [`Exchange::origin`], and how that ended. `None`: nothing is known
    /// of it.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub async fn answer_to(
        &self,
        session: &SessionKey,
        origin: &str,
    ) -> Result<Option<(String, Outcome)>, StoreError> {
        let (session, origin) = (session.clone(), origin.to_owned());
        self.ask(|reply| Command::AnswerTo { session, origin, reply }).await?
    }

    /// What the session has come to since it began, or since its last reset.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub async fn status(&self, session: &SessionKey) -> Result<SessionStatus, StoreError> {
        self.ask(|reply| Command::Status { session: session.clone(), reply }).await?
    }

    /// The newest part of the session's history since its last reset.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub async fn window(&self, session: &SessionKey) -> Result<Window, StoreError> {
        self.ask(|reply| Command::Window { session: session.clone(), reply }).await?
    }

    /// At most `most` messages of the session that hold words of `query`, best first.
    ///
    /// # Errors
    ///
    /// When they cannot be read.
    pub async fn search(
        &self,
        session: &SessionKey,
        query: &str,
        most: u32,
    ) -> Result<Vec<Found>, StoreError> {
        let (session, query) = (session.clone(), query.to_owned());
        self.ask(|reply| Command::Search { session, query, most, reply }).await?
    }

    /// One message of the session.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub async fn message(
        &self,
        session: &SessionKey,
        id: i64,
    ) -> Result<Option<Found>, StoreError> {
        self.ask(|reply| Command::Message { session: session.clone(), id, reply }).await?
    }

    /// What the session has cost so far.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub async fn spent_in(&self, session: &SessionKey) -> Result<Spent, StoreError> {
        self.ask(|reply| Command::SpentIn { session: session.clone(), reply }).await?
    }

    /// What the session has cost in a day, in billionths of a US dollar.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub async fn cost_of_day(&self, session: &SessionKey, day: Day) -> Result<i64, StoreError> {
        self.ask(|reply| Command::CostOfDay { session: session.clone(), day, reply }).await?
    }

    /// What was spent in a day, and on whose account, in billionths of a US dollar.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub async fn spent_on(&self, day: Day) -> Result<Vec<(Spender, i64)>, StoreError> {
        self.ask(|reply| Command::SpentOn { day, reply }).await?
    }

    /// What every hour has cost from one on, in its order, in billionths of a US dollar. Hours in
    /// which nothing was spent are left out.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub async fn spent_by_hour(&self, since: Hour) -> Result<Vec<(Hour, i64)>, StoreError> {
        self.ask(|reply| Command::SpentByHour { since, reply }).await?
    }

    /// What answering the user has cost so far, in all sessions.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub async fn spent_by(&self, user: UserId) -> Result<Spent, StoreError> {
        self.ask(|reply| Command::SpentBy { user, reply }).await?
    }

    /// Writes what waits and closes the file. Everything after it fails with
    /// [`StoreError::Closed`].
    pub async fn close(&self) {
        let (reply, closed) = oneshot::channel();
        if self.commands.send(Command::Close(reply)).await.is_ok() {
            let _ = closed.await;
        }
        if let Some(task) = self.task.lock().await.take() {
            // A panic in it is in the log already.
            let _ = task.await;
        }
    }

    async fn send(&self, command: Command) -> Result<(), StoreError> {
        self.commands.send(command).await.map_err(|_| StoreError::Closed)
    }

    async fn ask<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<T>) -> Command,
    ) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        self.send(command(reply)).await?;
        answer.await.map_err(|_| StoreError::Closed)
    }
}
