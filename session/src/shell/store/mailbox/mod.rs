//! The mailbox: what came in and is to be dealt with, what goes out and is to arrive, and what is
//! to be known of sessions and threads after a restart.

mod bindings;
mod budget;
mod credentials;
mod events;
mod inbox;
mod outbox;
mod retention;
mod sessions;
mod task;

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use sqlx::SqliteConnection;
use tokio::{
    sync::{Mutex, mpsc, oneshot},
    task::JoinHandle,
};

use super::{StoreError, database::Database};
use crate::{
    ChannelId, MessageId, SessionKey, UserId,
    mail::{
        Arrival, Event, Finished, Forgotten, Logged, NewPart, Outcome, Part, PartId, Received,
        Refused, Retention, Swept,
    },
};
use task::{Asked, Command, WAITING};

/// A handle on the mailbox; all clones are one.
///
/// One task owns a connection to the store's file and commits together what waits for it together.
/// Whatever returns is on disk and survives the death of the process. 1,024 calls may wait, the
/// next wait for them. A call that is dropped may have been carried out or not.
///
/// What is received, dropped, sent, refused, bound and unbound is logged by itself, in the same
/// transaction; only what else happened is for [`Mailbox::event`].
#[derive(Clone, Debug)]
pub struct Mailbox {
    jobs: mpsc::Sender<Command>,
    task: Arc<Mutex<Option<JoinHandle<()>>>>,
    commits: Arc<AtomicU64>,
}

impl Mailbox {
    /// Opens the store's file, which others may have open as well.
    ///
    /// # Errors
    ///
    /// As [`super::Store::open`].
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        Ok(Self::start(Database::open(path).await?))
    }

    /// One that ends with the process, and knows nothing of any [`super::Store`].
    ///
    /// # Errors
    ///
    /// When there is no memory for it.
    pub async fn in_memory() -> Result<Self, StoreError> {
        Ok(Self::start(Database::in_memory().await?))
    }

    fn start(database: Database) -> Self {
        let (jobs, incoming) = mpsc::channel(WAITING);
        let commits = Arc::new(AtomicU64::new(0));
        let task = tokio::spawn(task::run(database, incoming, Arc::clone(&commits)));
        Self { jobs, task: Arc::new(Mutex::new(Some(task))), commits }
    }

    /// Keeps messages that came in; for each, whether it is new.
    ///
    /// # Errors
    ///
    /// When they are not on disk; better a message is answered twice than not at all.
    pub async fn receive(&self, arrivals: Vec<Arrival>) -> Result<Vec<bool>, StoreError> {
        self.write(move |c| Box::pin(async move { inbox::receive(c, &arrivals).await })).await
    }

    /// What came in and is not dealt with, oldest first.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub async fn unfinished(&self, account: &str) -> Result<Vec<Received>, StoreError> {
        let account = account.to_owned();
        self.read(move |c| Box::pin(async move { inbox::unfinished(c, &account).await })).await
    }

    /// Where people wrote of late, the latest first, and the last message of each that came in.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub async fn last_seen(
        &self,
        account: &str,
        most: u32,
    ) -> Result<Vec<(ChannelId, MessageId)>, StoreError> {
        let account = account.to_owned();
        self.read(move |c| Box::pin(async move { inbox::last_seen(c, &account, most).await })).await
    }

    /// These messages are one turn of that session: after a crash they are to be one again.
    ///
    /// # Errors
    ///
    /// When it is not on disk.
    pub async fn assign(
        &self,
        account: &str,
        messages: Vec<(ChannelId, MessageId)>,
        session: &SessionKey,
        turn: &str,
    ) -> Result<(), StoreError> {
        let (account, session, turn) = (account.to_owned(), session.clone(), turn.to_owned());
        self.write(move |c| {
            Box::pin(async move { inbox::assign(c, &account, &messages, &session, &turn).await })
        })
        .await
    }

    /// These messages are to be new when they come again: what was done about them failed in a way
    /// that passes.
    ///
    /// # Errors
    ///
    /// When it is not on disk.
    pub async fn release(
        &self,
        account: &str,
        messages: Vec<(ChannelId, MessageId)>,
    ) -> Result<(), StoreError> {
        let account = account.to_owned();
        self.write(move |c| Box::pin(async move { inbox::release(c, &account, &messages).await }))
            .await
    }

    /// These messages are dealt with; those that were already keep their outcome.
    ///
    /// # Errors
    ///
    /// When it is not on disk.
    pub async fn finish(
        &self,
        account: &str,
        messages: Vec<(ChannelId, MessageId)>,
        outcome: Outcome,
    ) -> Result<(), StoreError> {
        let (account, now) = (account.to_owned(), Timestamp::now());
        self.write(move |c| {
            Box::pin(async move { inbox::finish(c, &account, &messages, &outcome, now).await })
        })
        .await
    }

    /// A turn's messages are dealt with and its answer's parts queued, both or neither. Gives the
    /// parts' names in their order.
    ///
    /// # Errors
    ///
    /// When it is not on disk.
    pub async fn answer(
        &self,
        finished: Finished,
        parts: Vec<NewPart>,
    ) -> Result<Vec<PartId>, StoreError> {
        let now = Timestamp::now();
        self.write(move |c| {
            Box::pin(async move {
                let Finished { account, messages, outcome, .. } = &finished;
                inbox::finish(c, account, messages, outcome, now).await?;
                outbox::queue(c, &finished, &parts, now).await
            })
        })
        .await
    }

    /// What is queued and not sent, in the order of sending.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub async fn undelivered(&self, account: &str) -> Result<Vec<Part>, StoreError> {
        let account = account.to_owned();
        self.read(move |c| Box::pin(async move { outbox::undelivered(c, &account).await })).await
    }

    /// A part is about to be sent.
    ///
    /// # Errors
    ///
    /// When it is not on disk.
    pub async fn trying(&self, part: PartId) -> Result<(), StoreError> {
        let now = Timestamp::now();
        self.write(move |c| Box::pin(async move { outbox::trying(c, part, now).await })).await
    }

    /// A part was sent, and became that message.
    ///
    /// # Errors
    ///
    /// When it is not on disk.
    pub async fn delivered(&self, part: PartId, message: MessageId) -> Result<(), StoreError> {
        let now = Timestamp::now();
        self.write(move |c| Box::pin(async move { outbox::delivered(c, part, message, now).await }))
            .await
    }

    /// A part will not be sent; `error` says why and holds no secret. 500 characters are kept.
    ///
    /// # Errors
    ///
    /// When it is not on disk.
    pub async fn refused(&self, part: PartId, error: String) -> Result<(), StoreError> {
        let now = Timestamp::now();
        self.write(move |c| Box::pin(async move { outbox::refused(c, part, &error, now).await }))
            .await
    }

    /// At most `most` parts that were refused, newest first.
    ///
    /// # Errors
    ///
    /// When they cannot be read.
    pub async fn refused_parts(
        &self,
        account: &str,
        most: u32,
    ) -> Result<Vec<Refused>, StoreError> {
        let account = account.to_owned();
        self.read(move |c| Box::pin(async move { outbox::refused_parts(c, &account, most).await }))
            .await
    }

    /// Something else happened.
    ///
    /// # Errors
    ///
    /// When it is not on disk.
    pub async fn event(&self, event: Event) -> Result<(), StoreError> {
        let now = Timestamp::now();
        self.write(move |c| Box::pin(async move { events::log(c, now, &event).await })).await
    }

    /// At most `most` events of a conversation behind the one numbered `after`, oldest first.
    ///
    /// # Errors
    ///
    /// When they cannot be read.
    pub async fn events(
        &self,
        account: &str,
        conversation: &str,
        after: i64,
        most: u32,
    ) -> Result<Vec<Logged>, StoreError> {
        let (account, conversation) = (account.to_owned(), conversation.to_owned());
        self.read(move |c| {
            Box::pin(async move { events::events(c, &account, &conversation, after, most).await })
        })
        .await
    }

    /// Deletes what a user wrote, what they were answered, what was logged about them, and that they
    /// were let in, in all sessions and accounts. A store on the same file takes notice. The names
    /// of their sessions stay.
    ///
    /// # Errors
    ///
    /// When it is not on disk; then nothing is deleted.
    pub async fn forget_user(&self, user: UserId) -> Result<Forgotten, StoreError> {
        self.write(move |c| Box::pin(async move { retention::forget(c, user).await })).await
    }

    /// Clears away what is old, at most 2,000 of each kind.
    ///
    /// # Errors
    ///
    /// When it is not on disk.
    pub async fn sweep(&self, now: Timestamp, keep: &Retention) -> Result<Swept, StoreError> {
        let keep = *keep;
        self.write(move |c| Box::pin(async move { retention::sweep(c, now, &keep).await })).await
    }

    /// Transactions that were committed: fewer than calls, when many come together.
    #[must_use]
    pub fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }

    /// Writes what waits and closes the file. Everything after it, by whatever clone, fails with
    /// [`StoreError::Closed`].
    pub async fn close(&self) {
        let (reply, closed) = oneshot::channel();
        if self.jobs.send(Command::Close(reply)).await.is_ok() {
            let _ = closed.await;
        }
        if let Some(task) = self.task.lock().await.take() {
            // A panic in it is in the log already.
            let _ = task.await;
        }
    }

    async fn write<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut SqliteConnection) -> BoxFuture<'c, Result<T, StoreError>>
            + Send
            + 'static,
    {
        self.ask(true, work).await
    }

    async fn read<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut SqliteConnection) -> BoxFuture<'c, Result<T, StoreError>>
            + Send
            + 'static,
    {
        self.ask(false, work).await
    }

    async fn ask<T, F>(&self, writes: bool, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut SqliteConnection) -> BoxFuture<'c, Result<T, StoreError>>
            + Send
            + 'static,
    {
        let (job, answer) = Asked::new(writes, work);
        self.jobs.send(Command::Job(job)).await.map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)?
    }
}

#[cfg(test)]
mod tests;
