//! The statements on what was said.

use futures_util::StreamExt as _;
use sqlx::{Connection as _, Row as _, SqliteConnection, sqlite::SqliteRow};

use super::{
    StoreError,
    columns::{id, kept, timestamp},
    database::Database,
    spending,
};
use crate::{
    Generation, SessionKey, UserId,
    agent::{AskedBy, Usage},
    history::{Exchange, Outcome, SessionStatus, Spent, Window},
};

/// Tells whether what is kept in memory of a session is still what is on disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Stamp {
    generation: i64,
    revision: i64,
}

impl Stamp {
    pub(super) fn generation(self) -> Generation {
        Generation::new(u64::try_from(self.generation).unwrap_or(0))
    }
}

impl Database {
    /// Writes all of them or none; gives the number of each that had anything to write.
    pub(super) async fn record<'e>(
        &mut self,
        exchanges: impl Iterator<Item = (&'e SessionKey, &'e Exchange)>,
    ) -> Result<Vec<Option<i64>>, StoreError> {
        let mut numbers = Vec::new();
        let mut transaction = self.connection().begin().await?;
        for (session, exchange) in exchanges {
            numbers.push(write(&mut transaction, session, exchange).await?);
            spending::add(&mut transaction, session, exchange).await?;
        }
        transaction.commit().await?;
        Ok(numbers)
    }

    /// Another answer in the place of an exchange's.
    pub(super) async fn amend(
        &mut self,
        session: &SessionKey,
        exchange: i64,
        answered: &str,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE turns SET text = ? WHERE exchange = ? AND role = 'assistant' \
             AND session = (SELECT id FROM sessions WHERE key = ?)",
        )
        .bind(answered)
        .bind(exchange)
        .bind(session.as_str())
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Which part of the conversation is the present one, and which form of it.
    pub(super) async fn stamp(&mut self, session: &SessionKey) -> Result<Stamp, StoreError> {
        let row = sqlx::query("SELECT generation, revision FROM sessions WHERE key = ?")
            .bind(session.as_str())
            .fetch_optional(self.connection())
            .await?;
        let Some(row) = row else { return Ok(Stamp::default()) };
        Ok(Stamp { generation: row.try_get("generation")?, revision: row.try_get("revision")? })
    }

    /// The newest of that part.
    pub(super) async fn window(
        &mut self,
        session: &SessionKey,
        stamp: Stamp,
        budget: u64,
    ) -> Result<Window, StoreError> {
        let mut window = Window::new(budget).of(stamp.generation());
        let mut rows = sqlx::query(
            "SELECT u.speaker, u.label, u.owner, u.surface, u.outcome, u.at_us, \
                    MAX(CASE u.role WHEN 'user' THEN u.text ELSE '' END) AS said, \
                    MAX(CASE u.role WHEN 'assistant' THEN u.text ELSE '' END) AS answered \
             FROM turns u WHERE u.session = (SELECT id FROM sessions WHERE key = ?) \
                            AND u.generation = ? \
             GROUP BY u.exchange ORDER BY u.exchange DESC",
        )
        .bind(session.as_str())
        .bind(stamp.generation)
        .fetch(self.connection());
        while let Some(row) = rows.next().await {
            if !window.push_older(&exchange(&row?)?) {
                break;
            }
        }
        Ok(window)
    }

    /// What was answered to that origin. If it was asked more than once, an answer is preferred to
    /// a failure, and then the newest.
    pub(super) async fn answer_to(
        &mut self,
        session: &SessionKey,
        origin: &str,
    ) -> Result<Option<(String, Outcome)>, StoreError> {
        let row = sqlx::query(
            "SELECT u.outcome, \
                    MAX(CASE u.role WHEN 'assistant' THEN u.text ELSE '' END) AS answered \
             FROM turns u WHERE u.session = (SELECT id FROM sessions WHERE key = ?) \
                            AND u.origin = ? \
             GROUP BY u.exchange ORDER BY u.outcome = 'answered' DESC, u.exchange DESC LIMIT 1",
        )
        .bind(session.as_str())
        .bind(origin)
        .fetch_optional(self.connection())
        .await?;
        let Some(row) = row else { return Ok(None) };
        let outcome: String = row.try_get("outcome")?;
        let outcome = Outcome::from_word(&outcome).unwrap_or(Outcome::Answered);
        Ok(Some((row.try_get("answered")?, outcome)))
    }

    /// Of the present part of the conversation; one range of an index is read.
    pub(super) async fn status(
        &mut self,
        session: &SessionKey,
    ) -> Result<SessionStatus, StoreError> {
        let row = sqlx::query(
            "SELECT SUM(t.input_tokens), SUM(t.cached_tokens), SUM(t.output_tokens), \
                    MAX(t.tokens_estimated), SUM(t.cost_nano_usd), \
                    COUNT(DISTINCT t.exchange) AS exchanges, s.updated_us \
             FROM sessions s LEFT JOIN turns t ON t.session = s.id AND t.generation = s.generation \
             WHERE s.key = ? GROUP BY s.id",
        )
        .bind(session.as_str())
        .fetch_optional(self.connection())
        .await?;
        let Some(row) = row else { return Ok(SessionStatus::default()) };
        let exchanges: i64 = row.try_get("exchanges")?;
        Ok(SessionStatus {
            exchanges: u64::try_from(exchanges).unwrap_or(0),
            spent: spent(&row)?,
            updated: Some(timestamp(&row, "updated_us")?),
        })
    }

    pub(super) async fn spent_in(&mut self, session: &SessionKey) -> Result<Spent, StoreError> {
        let row = sqlx::query(
            "SELECT SUM(t.input_tokens), SUM(t.cached_tokens), SUM(t.output_tokens), \
                    MAX(t.tokens_estimated), SUM(t.cost_nano_usd) \
             FROM turns t JOIN sessions s ON s.id = t.session WHERE s.key = ?",
        )
        .bind(session.as_str())
        .fetch_one(self.connection())
        .await?;
        spent(&row)
    }

    pub(super) async fn spent_by(&mut self, user: UserId) -> Result<Spent, StoreError> {
        let row = sqlx::query(
            "SELECT SUM(input_tokens), SUM(cached_tokens), SUM(output_tokens), \
                    MAX(tokens_estimated), SUM(cost_nano_usd) \
             FROM turns WHERE speaker = ? AND role = 'assistant'",
        )
        .bind(user.to_string())
        .fetch_one(self.connection())
        .await?;
        spent(&row)
    }
}

async fn write(
    connection: &mut SqliteConnection,
    session: &SessionKey,
    exchange: &Exchange,
) -> Result<Option<i64>, sqlx::Error> {
    let at = exchange.at.as_microsecond();
    let row = sqlx::query(
        "INSERT INTO sessions (key, created_us, updated_us) VALUES (?1, ?2, ?2) \
         ON CONFLICT (key) DO UPDATE SET updated_us = excluded.updated_us, archived_us = NULL \
         RETURNING id, generation",
    )
    .bind(session.as_str())
    .bind(at)
    .fetch_one(&mut *connection)
    .await?;
    let session: i64 = row.try_get("id")?;
    let present: i64 = row.try_get("generation")?;
    let generation = exchange.generation.map_or(present, |began| kept(began.get()));
    let mut first: Option<i64> = None;
    for (role, text) in [("user", &exchange.said), ("assistant", &exchange.answered)] {
        let answers = role == "assistant";
        let spent = if answers { exchange.spent() } else { Spent::default() };
        // What was paid for is written down even if nothing came of it.
        if text.is_empty() && spent == Spent::default() {
            continue;
        }
        let id: i64 = sqlx::query(
            "INSERT INTO turns (session, exchange, role, speaker, label, owner, text, surface, \
                                outcome, model, input_tokens, cached_tokens, output_tokens, \
                                tokens_estimated, cost_nano_usd, at_us, generation, origin) \
             VALUES (?, COALESCE(?, (SELECT COALESCE(MAX(id), 0) + 1 FROM turns)), \
                     ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id",
        )
        .bind(session)
        .bind(first)
        .bind(role)
        .bind(exchange.by.user.to_string())
        .bind(&exchange.by.label)
        .bind(exchange.by.owner)
        .bind(text)
        .bind(&exchange.surface)
        .bind(exchange.outcome.word())
        .bind(exchange.model.as_ref().filter(|_| answers))
        .bind(kept(spent.usage.input))
        .bind(kept(spent.usage.cached))
        .bind(kept(spent.usage.output))
        .bind(spent.estimated)
        .bind(spent.nano_dollars)
        .bind(at)
        .bind(generation)
        .bind(exchange.origin.as_ref())
        .fetch_one(&mut *connection)
        .await?
        .try_get(0)?;
        first = first.or(Some(id));
    }
    Ok(first)
}

fn exchange(row: &SqliteRow) -> Result<Exchange, StoreError> {
    let outcome: String = row.try_get("outcome")?;
    Ok(Exchange {
        by: AskedBy {
            user: id(row, "speaker")?,
            label: row.try_get("label")?,
            owner: row.try_get("owner")?,
        },
        surface: row.try_get("surface")?,
        said: row.try_get("said")?,
        answered: row.try_get("answered")?,
        outcome: Outcome::from_word(&outcome).unwrap_or(Outcome::Answered),
        model: None,
        charges: Vec::new(),
        channel: None,
        at: timestamp(row, "at_us")?,
        generation: None,
        origin: None,
    })
}

/// The five sums that such a statement begins with.
pub(super) fn spent(row: &SqliteRow) -> Result<Spent, StoreError> {
    let number = |index: usize| -> Result<i64, sqlx::Error> {
        Ok(row.try_get::<Option<i64>, _>(index)?.unwrap_or(0))
    };
    let tokens = |index| number(index).map(|tokens| u64::try_from(tokens).unwrap_or(0));
    Ok(Spent {
        usage: Usage { input: tokens(0)?, cached: tokens(1)?, output: tokens(2)? },
        estimated: number(3)? != 0,
        nano_dollars: number(4)?,
    })
}
