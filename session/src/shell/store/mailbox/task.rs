//! The task that owns the mailbox's connection: what waits for it together is committed together.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use futures_util::future::BoxFuture;
use sqlx::SqliteConnection;
use tokio::sync::{mpsc, oneshot};

use super::super::{StoreError, database::Database};

/// Jobs that may wait for the task; the next one waits in its caller.
pub(super) const WAITING: usize = 1024;

pub(super) enum Command {
    Job(Box<dyn Job>),
    Close(oneshot::Sender<()>),
}

/// Something to do with the database.
pub(super) trait Job: Send {
    /// Whether it changes anything.
    fn writes(&self) -> bool;

    /// Does it; why it did not work, in words. Then what it changed is taken back.
    fn go<'c>(&'c mut self, connection: &'c mut SqliteConnection) -> BoxFuture<'c, Option<String>>;

    /// Tells the asker how it went. `lost`: why nothing of it is on disk, though it may have
    /// worked.
    fn tell(self: Box<Self>, lost: Option<&str>);
}

/// A job that was asked for.
pub(super) struct Asked<T, F> {
    writes: bool,
    work: Option<F>,
    outcome: Option<Result<T, StoreError>>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<T, F> Asked<T, F>
where
    T: Send + 'static,
    F: for<'c> FnOnce(&'c mut SqliteConnection) -> BoxFuture<'c, Result<T, StoreError>>
        + Send
        + 'static,
{
    pub(super) fn new(
        writes: bool,
        work: F,
    ) -> (Box<Self>, oneshot::Receiver<Result<T, StoreError>>) {
        let (reply, answer) = oneshot::channel();
        (Box::new(Self { writes, work: Some(work), outcome: None, reply }), answer)
    }
}

impl<T, F> Job for Asked<T, F>
where
    T: Send + 'static,
    F: for<'c> FnOnce(&'c mut SqliteConnection) -> BoxFuture<'c, Result<T, StoreError>>
        + Send
        + 'static,
{
    fn writes(&self) -> bool {
        self.writes
    }

    fn go<'c>(&'c mut self, connection: &'c mut SqliteConnection) -> BoxFuture<'c, Option<String>> {
        Box::pin(async move {
            let outcome = self.work.take()?(connection).await;
            let why = outcome.as_ref().err().map(ToString::to_string);
            self.outcome = Some(outcome);
            why
        })
    }

    fn tell(self: Box<Self>, lost: Option<&str>) {
        let told = match (self.outcome, lost) {
            (Some(Err(error)), _) => Err(error),
            (Some(Ok(value)), None) => Ok(value),
            (_, lost) => Err(StoreError::NotCommitted(lost.unwrap_or("not done").to_owned())),
        };
        // Askers that are gone need no answer.
        let _ = self.reply.send(told);
    }
}

pub(super) async fn run(
    mut database: Database,
    mut incoming: mpsc::Receiver<Command>,
    commits: Arc<AtomicU64>,
) {
    let mut is_failing = false;
    let mut waiting = Vec::new();
    while incoming.recv_many(&mut waiting, WAITING).await > 0 {
        let mut jobs = Vec::with_capacity(waiting.len());
        let mut closing = None;
        for command in waiting.drain(..) {
            match command {
                // What comes after the end finds its reply dropped, which says the same.
                Command::Job(_) if closing.is_some() => {}
                Command::Job(job) => jobs.push(job),
                Command::Close(reply) => closing = Some(reply),
            }
        }
        let lost = transaction(database.connection(), &mut jobs, &commits).await.err();
        match (&lost, std::mem::replace(&mut is_failing, lost.is_some())) {
            (Some(words), false) => tracing::warn!("messages are not kept: {words}"),
            (None, true) => tracing::info!("messages are kept again"),
            _ => {}
        }
        for job in jobs {
            job.tell(lost.as_deref());
        }
        if let Some(reply) = closing {
            database.close().await;
            let _ = reply.send(());
            return;
        }
    }
    database.close().await;
}

/// All jobs in one transaction, each taken back by itself if it fails. An error, in words: nothing
/// was committed.
///
/// Statements rather than sqlx's transactions: when the disk is full SQLite may have rolled back by
/// itself, and the depth that sqlx counts would be wrong from then on.
async fn transaction(
    connection: &mut SqliteConnection,
    jobs: &mut [Box<dyn Job>],
    commits: &AtomicU64,
) -> Result<(), String> {
    let writes = jobs.iter().any(|job| job.writes());
    let done = steps(connection, jobs, writes).await;
    if done.is_err() {
        // It fails when SQLite has done so already.
        let _ = execute(connection, "ROLLBACK").await;
    } else if writes {
        commits.fetch_add(1, Ordering::Relaxed);
    }
    done
}

async fn steps(
    connection: &mut SqliteConnection,
    jobs: &mut [Box<dyn Job>],
    writes: bool,
) -> Result<(), String> {
    // Another connection may write as well: the lock is waited for now, since a transaction that
    // has read already could only fail.
    execute(connection, if writes { "BEGIN IMMEDIATE" } else { "BEGIN" }).await?;
    for job in jobs {
        execute(connection, "SAVEPOINT job").await?;
        if let Some(why) = job.go(connection).await {
            // Where that cannot be, the transaction is gone, and the job's words tell why.
            execute(connection, "ROLLBACK TO job").await.map_err(|_| why)?;
        }
        execute(connection, "RELEASE job").await?;
    }
    execute(connection, "COMMIT").await
}

async fn execute(connection: &mut SqliteConnection, statement: &'static str) -> Result<(), String> {
    let done = sqlx::query(statement).execute(connection).await;
    done.map(|_| ()).map_err(|error| error.to_string())
}
