//! The statements on threads, or people in private, that are bound to a session.

use jiff::Timestamp;
use serde_json::json;
use sqlx::{Row as _, SqliteConnection};

use super::{
    super::{StoreError, columns::id},
    events,
};
use crate::mail::{Event, EventKind, Target};

pub(super) async fn save(
    connection: &mut SqliteConnection,
    account: &str,
    thread: Target,
    record: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    let known = is_bound(connection, account, thread).await?;
    sqlx::query(
        "INSERT OR REPLACE INTO thread_bindings (account, thread, record) VALUES (?, ?, ?)",
    )
    .bind(account)
    .bind(thread.to_string())
    .bind(record)
    .execute(&mut *connection)
    .await?;
    // It is written at every message, to note that the thread is in use.
    if known { Ok(()) } else { log(connection, account, thread, true, now).await }
}

pub(super) async fn delete(
    connection: &mut SqliteConnection,
    account: &str,
    thread: Target,
    now: Timestamp,
) -> Result<(), StoreError> {
    let deleted = sqlx::query("DELETE FROM thread_bindings WHERE account = ? AND thread = ?")
        .bind(account)
        .bind(thread.to_string())
        .execute(&mut *connection)
        .await?;
    if deleted.rows_affected() == 0 {
        return Ok(());
    }
    log(connection, account, thread, false, now).await
}

pub(super) async fn all(
    connection: &mut SqliteConnection,
    account: &str,
) -> Result<Vec<(Target, String)>, StoreError> {
    let rows =
        sqlx::query("SELECT thread, record FROM thread_bindings WHERE account = ? ORDER BY thread")
            .bind(account)
            .fetch_all(connection)
            .await?;
    rows.iter().map(|row| Ok((id(row, "thread")?, row.try_get("record")?))).collect()
}

async fn is_bound(
    connection: &mut SqliteConnection,
    account: &str,
    thread: Target,
) -> Result<bool, sqlx::Error> {
    let row = sqlx::query("SELECT 1 FROM thread_bindings WHERE account = ? AND thread = ?")
        .bind(account)
        .bind(thread.to_string())
        .fetch_optional(connection)
        .await?;
    Ok(row.is_some())
}

async fn log(
    connection: &mut SqliteConnection,
    account: &str,
    thread: Target,
    bound: bool,
    now: Timestamp,
) -> Result<(), StoreError> {
    let event = Event {
        account: account.to_owned(),
        conversation: events::conversation(thread),
        user: None,
        kind: EventKind::Binding,
        detail: json!({ "bound": bound }),
    };
    events::log(connection, now, &event).await
}
