//! Clearing away what is old, and what a user wants forgotten.

use std::time::Duration;

use jiff::Timestamp;
use sqlx::{SqliteConnection, sqlite::SqliteArguments};

use super::super::{StoreError, spending};
use crate::{
    UserId,
    mail::{Forgotten, Retention, Swept, Target},
    spending::Hour,
};

/// Rows of one kind that a sweep takes at most: it holds the file's only write lock meanwhile.
const MOST: u32 = 2_000;

type Statement<'q> = sqlx::query::Query<'q, sqlx::Sqlite, SqliteArguments<'q>>;

pub(super) async fn sweep(
    connection: &mut SqliteConnection,
    now: Timestamp,
    keep: &Retention,
) -> Result<Swept, StoreError> {
    let mut sweep = Sweep { connection, more: false };
    let messages = sweep
        .run(
            sqlx::query(
                "DELETE FROM inbox WHERE number IN ( \
                     SELECT number FROM inbox WHERE state = 'done' AND done_us < ? AND number <= ( \
                         SELECT number FROM inbox WHERE state = 'done' \
                         ORDER BY number DESC LIMIT 1 OFFSET ?) \
                     ORDER BY number LIMIT ?)",
            )
            .bind(before(now, keep.known_for))
            .bind(keep.known_messages)
            .bind(MOST),
        )
        .await?;
    let mut parts = 0;
    for (state, kept) in [("sent", keep.sent_for), ("refused", keep.refused_for)] {
        let statement = sqlx::query(
            "DELETE FROM outbox WHERE id IN ( \
                 SELECT id FROM outbox WHERE state = ? AND updated_us < ? LIMIT ?)",
        );
        parts += sweep.run(statement.bind(state).bind(before(now, kept)).bind(MOST)).await?;
    }
    let by_age = sqlx::query(
        "DELETE FROM events WHERE number IN ( \
             SELECT number FROM events WHERE at_us < ? ORDER BY at_us LIMIT ?)",
    );
    let by_number = sqlx::query(
        "DELETE FROM events WHERE number IN ( \
             SELECT number FROM events WHERE number <= (SELECT MAX(number) FROM events) - ? \
             ORDER BY number LIMIT ?)",
    );
    let mut events = sweep.run(by_age.bind(before(now, keep.events_for)).bind(MOST)).await?;
    events += sweep.run(by_number.bind(keep.events).bind(MOST)).await?;
    // The next turn in it begins anew, as if it had been reset.
    let by_age = sqlx::query(
        "UPDATE sessions SET archived_us = ?1, began_us = ?1, generation = generation + 1 \
         WHERE id IN ( \
             SELECT id FROM sessions WHERE archived_us IS NULL AND updated_us < ?2 \
             ORDER BY updated_us LIMIT ?3)",
    );
    let by_number = sqlx::query(
        "UPDATE sessions SET archived_us = ?1, began_us = ?1, generation = generation + 1 \
         WHERE id IN ( \
             SELECT id FROM sessions WHERE archived_us IS NULL \
             ORDER BY updated_us DESC, id DESC LIMIT ?3 OFFSET ?2)",
    );
    let at = now.as_microsecond();
    let old = before(now, keep.sessions_for);
    let mut sessions = sweep.run(by_age.bind(at).bind(old).bind(MOST)).await?;
    sessions += sweep.run(by_number.bind(at).bind(keep.sessions).bind(MOST)).await?;
    let old = Hour::of(Timestamp::from_microsecond(before(now, keep.spending_for)).unwrap_or(now));
    let by_age = sqlx::query(
        "DELETE FROM spending WHERE rowid IN ( \
             SELECT rowid FROM spending WHERE hour < ? ORDER BY hour LIMIT ?)",
    );
    let spending = sweep.run(by_age.bind(old.number()).bind(MOST)).await?;
    Ok(Swept { messages, parts, events, sessions, spending, more: sweep.more })
}

struct Sweep<'c> {
    connection: &'c mut SqliteConnection,
    more: bool,
}

impl Sweep<'_> {
    async fn run(&mut self, statement: Statement<'_>) -> Result<u64, sqlx::Error> {
        let rows = statement.execute(&mut *self.connection).await?.rows_affected();
        self.more |= rows >= u64::from(MOST);
        Ok(rows)
    }
}

fn before(now: Timestamp, kept: Duration) -> i64 {
    let kept = i64::try_from(kept.as_micros()).unwrap_or(i64::MAX);
    now.as_microsecond().saturating_sub(kept)
}

pub(super) async fn forget(
    connection: &mut SqliteConnection,
    user: UserId,
) -> Result<Forgotten, StoreError> {
    let (text, private) = (user.to_string(), Target::User(user).to_string());
    // First of all, so that nobody keeps in memory what is deleted next.
    sqlx::query(
        "UPDATE sessions SET revision = revision + 1 \
         WHERE id IN (SELECT session FROM turns WHERE speaker = ?)",
    )
    .bind(&text)
    .execute(&mut *connection)
    .await?;
    let mut deleted = [0; 7];
    for (count, statement) in deleted.iter_mut().zip([
        "DELETE FROM inbox WHERE author = ?1",
        "DELETE FROM outbox WHERE asker = ?1 OR target = ?2",
        "DELETE FROM turns WHERE speaker = ?1",
        // Keys of sessions end in `:direct:<id>` and `:slash:<id>`.
        "DELETE FROM events WHERE user = ?1 OR conversation = ?2 \
             OR conversation LIKE '%:direct:' || ?1 OR conversation LIKE '%:slash:' || ?1",
        "DELETE FROM pairing_requests WHERE user = ?1",
        "DELETE FROM paired WHERE user = ?1",
        "DELETE FROM thread_bindings WHERE thread = ?2",
    ]) {
        let statement = sqlx::query(statement).bind(&text).bind(&private);
        *count = statement.execute(&mut *connection).await?.rows_affected();
    }
    spending::forget(connection, &text).await?;
    let [messages, parts, turns, events, asked, paired, bindings] = deleted;
    if turns > 0 {
        // The index keeps the words of deleted rows until its parts are merged. Source: SQLite,
        // "FTS5", the 'optimize' command.
        sqlx::query("INSERT INTO turns_text (turns_text) VALUES ('optimize')")
            .execute(&mut *connection)
            .await?;
    }
    Ok(Forgotten { messages, parts, turns, events, pairings: asked + paired, bindings })
}
