//! The task that owns the database and the windows of the sessions in use.

use std::{collections::VecDeque, mem};

use tokio::sync::{mpsc, oneshot};

use super::{StoreError, database::Database};
use crate::{
    SessionKey, UserId,
    history::{Exchange, Found, Spent, Window},
};

/// Sessions whose window is kept in memory; beyond it the one longest unused is forgotten.
const WINDOWS: usize = 128;

/// Exchanges that are committed together at most.
const BATCH: usize = 64;

type Reply<T> = oneshot::Sender<Result<T, StoreError>>;

#[derive(Debug)]
pub(super) enum Command {
    Record { session: SessionKey, exchange: Exchange, done: Reply<Option<i64>> },
    Amend { session: SessionKey, exchange: i64, answered: String, reply: Reply<()> },
    Window { session: SessionKey, reply: Reply<Window> },
    Search { session: SessionKey, query: String, most: u32, reply: Reply<Vec<Found>> },
    Message { session: SessionKey, id: i64, reply: Reply<Option<Found>> },
    SpentIn { session: SessionKey, reply: Reply<Spent> },
    SpentBy { user: UserId, reply: Reply<Spent> },
    Close(oneshot::Sender<()>),
}

type Record = (SessionKey, Exchange, Reply<Option<i64>>);

pub(super) async fn run(
    mut database: Database,
    history_tokens: u64,
    mut incoming: mpsc::Receiver<Command>,
) {
    let mut windows = Windows { budget: history_tokens, recent: VecDeque::new() };
    let mut put_back = None;
    let mut is_failing = false;
    // Askers that are gone need no answer: what sending says is passed over.
    while let Some(command) = match put_back.take() {
        Some(command) => Some(command),
        None => incoming.recv().await,
    } {
        match command {
            Command::Record { session, exchange, done } => {
                let mut batch = vec![(session, exchange, done)];
                while batch.len() < BATCH && put_back.is_none() {
                    match incoming.try_recv() {
                        Ok(Command::Record { session, exchange, done }) => {
                            batch.push((session, exchange, done));
                        }
                        Ok(other) => put_back = Some(other),
                        Err(_) => break,
                    }
                }
                record(&mut database, &mut windows, batch, &mut is_failing).await;
            }
            Command::Amend { session, exchange, answered, reply } => {
                // It is read again from the disk when it is needed.
                windows.forget(&session);
                let _ = reply.send(database.amend(&session, exchange, &answered).await);
            }
            Command::Window { session, reply } => {
                let _ = reply.send(windows.of(&mut database, &session).await);
            }
            Command::Search { session, query, most, reply } => {
                let _ = reply.send(database.search(&session, &query, most).await);
            }
            Command::Message { session, id, reply } => {
                let _ = reply.send(database.message(&session, id).await);
            }
            Command::SpentIn { session, reply } => {
                let _ = reply.send(database.spent_in(&session).await);
            }
            Command::SpentBy { user, reply } => {
                let _ = reply.send(database.spent_by(user).await);
            }
            Command::Close(reply) => {
                database.close().await;
                let _ = reply.send(());
                return;
            }
        }
    }
    database.close().await;
}

/// One warning when writing begins to fail, however long it goes on.
async fn record(
    database: &mut Database,
    windows: &mut Windows,
    batch: Vec<Record>,
    is_failing: &mut bool,
) {
    for (session, exchange, _) in &batch {
        windows.push(session, exchange);
    }
    let outcome = database.record(batch.iter().map(|(s, e, _)| (s, e))).await;
    let failed = outcome.as_ref().err().map(ToString::to_string);
    match (&failed, mem::replace(is_failing, failed.is_some())) {
        (Some(words), false) => tracing::warn!("conversations are not kept: {words}"),
        (None, true) => tracing::info!("conversations are kept again"),
        _ => {}
    }
    let mut numbers = outcome.unwrap_or_default().into_iter();
    for (_, _, done) in batch {
        let told = match &failed {
            None => Ok(numbers.next().flatten()),
            Some(words) => Err(StoreError::Database(sqlx::Error::Protocol(words.clone()))),
        };
        let _ = done.send(told);
    }
}

/// The windows in use, the one used last at the back.
struct Windows {
    budget: u64,
    recent: VecDeque<(SessionKey, Window)>,
}

impl Windows {
    /// Adds to the window if it is in memory; if not, the disk will have it when it is loaded.
    fn push(&mut self, session: &SessionKey, exchange: &Exchange) {
        if let Some((_, window)) = self.recent.iter_mut().find(|(key, _)| key == session) {
            window.push(exchange);
        }
    }

    fn forget(&mut self, session: &SessionKey) {
        self.recent.retain(|(key, _)| key != session);
    }

    async fn of(
        &mut self,
        database: &mut Database,
        session: &SessionKey,
    ) -> Result<Window, StoreError> {
        let known = self.recent.iter().position(|(key, _)| key == session);
        let entry = match known.and_then(|index| self.recent.remove(index)) {
            Some(entry) => entry,
            None => (session.clone(), database.window(session, self.budget).await?),
        };
        let window = entry.1.clone();
        self.recent.push_back(entry);
        if self.recent.len() > WINDOWS {
            self.recent.pop_front();
        }
        Ok(window)
    }
}
