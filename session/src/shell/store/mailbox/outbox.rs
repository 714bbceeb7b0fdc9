//! The statements on messages that go out.

use jiff::Timestamp;
use serde_json::{Value, json};
use sqlx::{Row as _, SqliteConnection, sqlite::SqliteRow};

use super::{
    super::{
        StoreError,
        columns::{id, id_if_any, session_if_any, timestamp, timestamp_if_any},
    },
    events,
};
use crate::{
    MessageId, SessionKey,
    mail::{Event, EventKind, Finished, NewPart, Part, PartId, Refused, Target},
};

/// The most of an error that is kept, in characters.
const MAX_ERROR: usize = 500;

pub(super) async fn queue(
    connection: &mut SqliteConnection,
    turn: &Finished,
    parts: &[NewPart],
    now: Timestamp,
) -> Result<Vec<PartId>, StoreError> {
    let mut ids = Vec::with_capacity(parts.len());
    for part in parts {
        ids.push(PartId(queue_one(connection, turn, part, now).await?));
    }
    Ok(ids)
}

async fn queue_one(
    connection: &mut SqliteConnection,
    turn: &Finished,
    part: &NewPart,
    now: Timestamp,
) -> Result<i64, sqlx::Error> {
    let added = sqlx::query(
        "INSERT INTO outbox (account, session, asker, target, turn, part, body, nonce, \
                             created_us, updated_us) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?9) \
         ON CONFLICT (account, turn, part) DO NOTHING RETURNING id",
    )
    .bind(&turn.account)
    .bind(turn.session.as_ref().map(SessionKey::as_str))
    .bind(turn.asker.map(|user| user.to_string()))
    .bind(part.to.to_string())
    .bind(&turn.turn)
    .bind(part.part)
    .bind(&part.body)
    .bind(&part.nonce)
    .bind(now.as_microsecond())
    .fetch_optional(&mut *connection)
    .await?;
    let row = match added {
        Some(row) => row,
        None => {
            sqlx::query("SELECT id FROM outbox WHERE account = ? AND turn = ? AND part = ?")
                .bind(&turn.account)
                .bind(&turn.turn)
                .bind(part.part)
                .fetch_one(connection)
                .await?
        }
    };
    row.try_get("id")
}

pub(super) async fn undelivered(
    connection: &mut SqliteConnection,
    account: &str,
) -> Result<Vec<Part>, StoreError> {
    let rows = sqlx::query(
        "SELECT id, account, session, target, turn, part, body, nonce, attempts, first_try_us, \
                created_us \
         FROM outbox WHERE account = ? AND state = 'open' ORDER BY id",
    )
    .bind(account)
    .fetch_all(connection)
    .await?;
    rows.iter().map(part).collect()
}

fn part(row: &SqliteRow) -> Result<Part, StoreError> {
    Ok(Part {
        id: PartId(row.try_get("id")?),
        account: row.try_get("account")?,
        session: session_if_any(row, "session")?,
        turn: row.try_get("turn")?,
        message: NewPart {
            to: id(row, "target")?,
            part: row.try_get("part")?,
            body: row.try_get("body")?,
            nonce: row.try_get("nonce")?,
        },
        attempts: row.try_get("attempts")?,
        first_try: timestamp_if_any(row, "first_try_us")?,
        created: timestamp(row, "created_us")?,
    })
}

pub(super) async fn trying(
    connection: &mut SqliteConnection,
    part: PartId,
    now: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE outbox SET attempts = attempts + 1, first_try_us = COALESCE(first_try_us, ?1), \
                           updated_us = ?1 \
         WHERE id = ?2 AND state = 'open'",
    )
    .bind(now.as_microsecond())
    .bind(part.0)
    .execute(connection)
    .await?;
    Ok(())
}

pub(super) async fn delivered(
    connection: &mut SqliteConnection,
    part: PartId,
    message: MessageId,
    now: Timestamp,
) -> Result<(), StoreError> {
    // Nobody reads the body again.
    let row = sqlx::query(
        "UPDATE outbox SET state = 'sent', message = ?, body = '', updated_us = ? \
         WHERE id = ? AND state = 'open' RETURNING account, target, turn, part, asker",
    )
    .bind(message.to_string())
    .bind(now.as_microsecond())
    .bind(part.0)
    .fetch_optional(&mut *connection)
    .await?;
    let Some(row) = row else { return Ok(()) };
    let detail = json!({ "message": message });
    log(connection, &row, EventKind::Sent, detail, now).await
}

pub(super) async fn refused(
    connection: &mut SqliteConnection,
    part: PartId,
    error: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    let error: String = error.chars().take(MAX_ERROR).collect();
    let row = sqlx::query(
        "UPDATE outbox SET state = 'refused', error = ?, updated_us = ? \
         WHERE id = ? AND state = 'open' RETURNING account, target, turn, part, asker",
    )
    .bind(&error)
    .bind(now.as_microsecond())
    .bind(part.0)
    .fetch_optional(&mut *connection)
    .await?;
    let Some(row) = row else { return Ok(()) };
    log(connection, &row, EventKind::Failed, json!({ "error": error }), now).await
}

async fn log(
    connection: &mut SqliteConnection,
    row: &SqliteRow,
    kind: EventKind,
    mut detail: Value,
    now: Timestamp,
) -> Result<(), StoreError> {
    let target: Target = id(row, "target")?;
    let (turn, part): (String, u32) = (row.try_get("turn")?, row.try_get("part")?);
    if let Some(detail) = detail.as_object_mut() {
        detail.insert("turn".to_owned(), turn.into());
        detail.insert("part".to_owned(), part.into());
    }
    let event = Event {
        account: row.try_get("account")?,
        conversation: events::conversation(target),
        user: id_if_any(row, "asker")?,
        kind,
        detail,
    };
    events::log(connection, now, &event).await
}

pub(super) async fn refused_parts(
    connection: &mut SqliteConnection,
    account: &str,
    most: u32,
) -> Result<Vec<Refused>, StoreError> {
    let rows = sqlx::query(
        "SELECT id, account, session, target, turn, part, body, nonce, attempts, first_try_us, \
                created_us, error, updated_us \
         FROM outbox WHERE account = ? AND state = 'refused' \
         ORDER BY updated_us DESC, id DESC LIMIT ?",
    )
    .bind(account)
    .bind(most)
    .fetch_all(connection)
    .await?;
    let refused = |row: &SqliteRow| -> Result<Refused, StoreError> {
        Ok(Refused {
            part: part(row)?,
            error: row.try_get::<Option<String>, _>("error")?.unwrap_or_default(),
            at: timestamp(row, "updated_us")?,
        })
    };
    rows.iter().map(refused).collect()
}
