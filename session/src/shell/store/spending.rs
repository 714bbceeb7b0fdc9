//! What was spent, summed by the hour: the statements, and a reader for whoever wants to know.

use std::path::Path;

use sqlx::{Row as _, SqliteConnection, sqlite::SqliteRow};

use super::{
    StoreError,
    columns::{id_if_any, kept},
    database::Database,
    turns::spent,
};
use crate::{
    SessionKey,
    history::Exchange,
    spending::{Charge, Day, Hour, Spender, UsageBy, UsageRow},
};

/// What was spent. Beside the store, on the same file.
#[derive(Debug)]
pub struct Spendings {
    database: Database,
}

impl Spendings {
    /// Opens the store's file; others may have it open as well.
    ///
    /// # Errors
    ///
    /// As [`super::Store::open`].
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        Ok(Self { database: Database::open(path).await? })
    }

    /// What was spent from a day on: days in their order, all else by its cost, the most first.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub async fn by(&mut self, by: UsageBy, since: Day) -> Result<Vec<UsageRow>, StoreError> {
        let rows = sqlx::query(statement(by))
            .bind(since.first_hour().number())
            .fetch_all(self.database.connection())
            .await?;
        rows.iter().map(|row| usage(by, row)).collect()
    }

    /// Closes the file.
    pub async fn close(self) {
        self.database.close().await;
    }
}

/// The sums that [`usage`] reads, grouped by a column.
macro_rules! sums {
    ($of:literal) => {
        sums!($of, "SUM(cost_nano_usd) DESC, SUM(input_tokens) DESC, subject")
    };
    ($of:literal, $order:literal) => {
        concat!(
            "SELECT SUM(input_tokens), SUM(cached_tokens), SUM(output_tokens), \
                    MAX(tokens_estimated), SUM(cost_nano_usd), ",
            $of,
            " AS subject, SUM(turns) AS turns, SUM(from_cache) AS from_cache, \
              SUM(unpriced_tokens) AS unpriced \
              FROM spending WHERE hour >= ? GROUP BY subject ORDER BY ",
            $order
        )
    };
}

const fn statement(by: UsageBy) -> &'static str {
    match by {
        UsageBy::Agent => sums!("agent"),
        UsageBy::User => sums!("user"),
        UsageBy::Channel => sums!("channel"),
        UsageBy::Model => sums!("model"),
        UsageBy::Session => sums!("session"),
        UsageBy::Day => sums!("hour / 24", "subject"),
    }
}

fn usage(by: UsageBy, row: &SqliteRow) -> Result<UsageRow, StoreError> {
    let count = |column: &str| -> Result<u64, StoreError> {
        let number: i64 = row.try_get(column)?;
        Ok(u64::try_from(number).unwrap_or(0))
    };
    let of = match by {
        UsageBy::Day => Day::new(row.try_get("subject")?).to_string(),
        _ => row.try_get("subject")?,
    };
    Ok(UsageRow {
        of,
        turns: count("turns")?,
        from_cache: count("from_cache")?,
        spent: spent(row)?,
        unpriced: count("unpriced")?,
    })
}

/// Adds rows to those of the same hour, session, user, channel and model.
macro_rules! add_to_sums {
    ($rows:literal) => {
        concat!(
            "INSERT INTO spending (hour, session, agent, user, channel, model, turns, from_cache, \
                                   input_tokens, cached_tokens, output_tokens, tokens_estimated, \
                                   unpriced_tokens, cost_nano_usd) ",
            $rows,
            " ON CONFLICT (hour, session, user, channel, model) DO UPDATE \
              SET turns = turns + excluded.turns, \
                  from_cache = from_cache + excluded.from_cache, \
                  input_tokens = input_tokens + excluded.input_tokens, \
                  cached_tokens = cached_tokens + excluded.cached_tokens, \
                  output_tokens = output_tokens + excluded.output_tokens, \
                  tokens_estimated = MAX(tokens_estimated, excluded.tokens_estimated), \
                  unpriced_tokens = unpriced_tokens + excluded.unpriced_tokens, \
                  cost_nano_usd = cost_nano_usd + excluded.cost_nano_usd"
        )
    };
}

/// Adds what an exchange cost to the sums of its hour.
pub(super) async fn add(
    connection: &mut SqliteConnection,
    session: &SessionKey,
    exchange: &Exchange,
) -> Result<(), sqlx::Error> {
    for charge in &exchange.charges {
        let Charge { model, spent, is_priced, is_from_cache } = charge;
        let usage = spent.usage;
        // A turn of several models counts once.
        let is_last = exchange.model.as_ref() == Some(model);
        let unpriced = if *is_priced { 0 } else { usage.input + usage.output };
        sqlx::query(add_to_sums!("VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"))
            .bind(Hour::of(exchange.at).number())
            .bind(session.as_str())
            .bind(session.agent())
            .bind(exchange.by.user.to_string())
            .bind(exchange.channel.map(|channel| channel.to_string()).unwrap_or_default())
            .bind(model)
            .bind(is_last)
            .bind(*is_from_cache)
            .bind(kept(usage.input))
            .bind(kept(usage.cached))
            .bind(kept(usage.output))
            .bind(spent.estimated)
            .bind(kept(unpriced))
            .bind(spent.nano_dollars)
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

/// Sums of a user become those of nobody: what was paid stays paid.
pub(super) async fn forget(
    connection: &mut SqliteConnection,
    user: &str,
) -> Result<(), sqlx::Error> {
    for statement in [
        add_to_sums!(
            "SELECT hour, session, agent, '', channel, model, turns, from_cache, input_tokens, \
                    cached_tokens, output_tokens, tokens_estimated, unpriced_tokens, cost_nano_usd \
             FROM spending WHERE user = ?"
        ),
        "DELETE FROM spending WHERE user = ?",
    ] {
        sqlx::query(statement).bind(user).execute(&mut *connection).await?;
    }
    Ok(())
}

impl Database {
    /// What a session has cost in a day, in billionths of a US dollar.
    pub(super) async fn cost_of_day(
        &mut self,
        session: &SessionKey,
        day: Day,
    ) -> Result<i64, StoreError> {
        let row = sqlx::query(
            "SELECT COALESCE(SUM(cost_nano_usd), 0) FROM spending \
             WHERE hour >= ? AND hour < ? AND session = ?",
        )
        .bind(day.first_hour().number())
        .bind(day.back(-1).first_hour().number())
        .bind(session.as_str())
        .fetch_one(self.connection())
        .await?;
        Ok(row.try_get(0)?)
    }

    /// What every hour has cost from one on, in its order.
    pub(super) async fn spent_by_hour(
        &mut self,
        since: Hour,
    ) -> Result<Vec<(Hour, i64)>, StoreError> {
        let rows = sqlx::query(
            "SELECT hour, SUM(cost_nano_usd) FROM spending WHERE hour >= ? \
             GROUP BY hour ORDER BY hour",
        )
        .bind(since.number())
        .fetch_all(self.connection())
        .await?;
        let sum = |row: &SqliteRow| Ok((Hour::new(row.try_get(0)?), row.try_get(1)?));
        rows.iter().map(sum).collect()
    }

    /// What was spent in a day, and on whose account.
    pub(super) async fn spent_on(&mut self, day: Day) -> Result<Vec<(Spender, i64)>, StoreError> {
        let rows = sqlx::query(
            "SELECT agent, NULLIF(user, '') AS user, NULLIF(channel, '') AS channel, \
                    SUM(cost_nano_usd) AS cost \
             FROM spending WHERE hour >= ? AND hour < ? GROUP BY agent, user, channel",
        )
        .bind(day.first_hour().number())
        .bind(day.back(-1).first_hour().number())
        .fetch_all(self.connection())
        .await?;
        let sum = |row: &SqliteRow| {
            let agent = row.try_get("agent")?;
            let (user, channel) = (id_if_any(row, "user")?, id_if_any(row, "channel")?);
            Ok((Spender { agent, user, channel }, row.try_get("cost")?))
        };
        rows.iter().map(sum).collect()
    }
}
