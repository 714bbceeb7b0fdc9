//! The task that owns the database and the windows of the sessions in use.

use std::{collections::VecDeque, mem};

use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot};

use super::{StoreError, conversations, database::Database, turns::Stamp};
use crate::{
    SessionKey, UserId,
    history::{Exchange, Found, Outcome, SessionStatus, Spent, Window},
    spending::{Day, Hour, Spender},
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
    CostOfDay { session: SessionKey, day: Day, reply: Reply<i64> },
    SpentOn { day: Day, reply: Reply<Vec<(Spender, i64)>> },
    SpentByHour { since: Hour, reply: Reply<Vec<(Hour, i64)>> },
    SpentBy { user: UserId, reply: Reply<Spent> },
    AnswerTo { session: SessionKey, origin: String, reply: Reply<Option<(String, Outcome)>> },
    Status { session: SessionKey, reply: Reply<SessionStatus> },
    Reset { session: SessionKey, at: Timestamp, reply: Reply<()> },
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
            Command::CostOfDay { session, day, reply } => {
                let _ = reply.send(database.cost_of_day(&session, day).await);
            }
            Command::SpentOn { day, reply } => {
                let _ = reply.send(database.spent_on(day).await);
            }
            Command::SpentByHour { since, reply } => {
                let _ = reply.send(database.spent_by_hour(since).await);
            }
            Command::SpentBy { user, reply } => {
                let _ = reply.send(database.spent_by(user).await);
            }
            Command::AnswerTo { session, origin, reply } => {
                let _ = reply.send(database.answer_to(&session, &origin).await);
            }
            Command::Status { session, reply } => {
                let _ = reply.send(database.status(&session).await);
            }
            Command::Reset { session, at, reply } => {
                let _ = reply.send(windows.reset(&mut database, &session, at).await);
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
    recent: VecDeque<InUse>,
}

/// A session's window, and what the disk said of the session when it was read.
struct InUse {
    session: SessionKey,
    stamp: Stamp,
    window: Window,
}

impl Windows {
    /// Adds to the window if it is in memory; if not, the disk will have it when it is loaded. An
    /// exchange that began before a reset does not belong to what came after it.
    fn push(&mut self, session: &SessionKey, exchange: &Exchange) {
        if let Some(known) = self.recent.iter_mut().find(|known| known.session == *session)
            && exchange.generation.is_none_or(|began| began == known.window.generation())
        {
            known.window.push(exchange);
        }
    }

    fn forget(&mut self, session: &SessionKey) {
        self.recent.retain(|known| known.session != *session);
    }

    /// The session begins anew, in memory even if the disk does not take it.
    async fn reset(
        &mut self,
        database: &mut Database,
        session: &SessionKey,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        self.forget(session);
        let written = conversations::reset(database.connection(), session, at).await;
        if written.is_err() {
            let stamp = database.stamp(session).await.unwrap_or_default();
            let window = Window::new(self.budget).of(stamp.generation());
            self.keep(InUse { session: session.clone(), stamp, window });
        }
        written
    }

    /// From memory, unless the session began anew or lost turns by another hand. If the disk does
    /// not say, memory is believed.
    async fn of(
        &mut self,
        database: &mut Database,
        session: &SessionKey,
    ) -> Result<Window, StoreError> {
        let stamp = database.stamp(session).await;
        let known = self.recent.iter().position(|known| known.session == *session);
        let known = known.and_then(|index| self.recent.remove(index));
        let is_good = |known: &InUse| stamp.as_ref().map_or(true, |stamp| *stamp == known.stamp);
        let entry = match known.filter(is_good) {
            Some(entry) => entry,
            None => {
                let stamp = stamp?;
                let window = database.window(session, stamp, self.budget).await?;
                InUse { session: session.clone(), stamp, window }
            }
        };
        let window = entry.window.clone();
        self.keep(entry);
        Ok(window)
    }

    fn keep(&mut self, entry: InUse) {
        self.recent.push_back(entry);
        if self.recent.len() > WINDOWS {
            self.recent.pop_front();
        }
    }
}
