//! The statements on the log of what happened.

use jiff::Timestamp;
use sqlx::{Row as _, SqliteConnection, sqlite::SqliteRow};

use super::super::{
    StoreError,
    columns::{id_if_any, malformed, timestamp},
};
use crate::mail::{Event, EventKind, Logged, Target};

/// What a place is called in the log.
pub(super) fn conversation(target: Target) -> String {
    match target {
        Target::Channel(channel) => format!("channel:{channel}"),
        Target::User(_) => target.to_string(),
    }
}

pub(super) async fn log(
    connection: &mut SqliteConnection,
    at: Timestamp,
    event: &Event,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO events (at_us, account, conversation, user, kind, detail) \
         VALUES (?, ?, ?, ?, ?, ?)",
    )
    .bind(at.as_microsecond())
    .bind(&event.account)
    .bind(&event.conversation)
    .bind(event.user.map(|user| user.to_string()))
    .bind(event.kind.word())
    .bind(event.detail.to_string())
    .execute(connection)
    .await?;
    Ok(())
}

pub(super) async fn events(
    connection: &mut SqliteConnection,
    account: &str,
    conversation: &str,
    after: i64,
    most: u32,
) -> Result<Vec<Logged>, StoreError> {
    let rows = sqlx::query(
        "SELECT number, at_us, account, conversation, user, kind, detail FROM events \
         WHERE account = ? AND conversation = ? AND number > ? ORDER BY number LIMIT ?",
    )
    .bind(account)
    .bind(conversation)
    .bind(after)
    .bind(most)
    .fetch_all(connection)
    .await?;
    rows.iter().map(logged).collect()
}

/// A kind that nobody knows would be one of a newer version, which does not let us open its file.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is no kind of event")]
struct UnknownKind(String);

fn logged(row: &SqliteRow) -> Result<Logged, StoreError> {
    let (kind, detail): (String, &str) = (row.try_get("kind")?, row.try_get("detail")?);
    Ok(Logged {
        number: row.try_get("number")?,
        at: timestamp(row, "at_us")?,
        event: Event {
            account: row.try_get("account")?,
            conversation: row.try_get("conversation")?,
            user: id_if_any(row, "user")?,
            kind: EventKind::from_word(&kind)
                .ok_or_else(|| malformed("kind", UnknownKind(kind)))?,
            detail: serde_json::from_str(detail).map_err(|error| malformed("detail", error))?,
        },
    })
}
