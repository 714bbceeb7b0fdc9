//! What is known of a session besides what was said in it.

use jiff::Timestamp;
use sqlx::{Row as _, SqliteConnection};

use super::{
    StoreError,
    columns::{id_if_any, timestamp, timestamp_if_any},
};
use crate::{
    ChannelId, SessionKey,
    history::{Route, SessionFacts},
};

/// The next generation begins; of a session that nobody knows it is the second, since a run may be
/// on its way in the first.
pub(super) async fn reset(
    connection: &mut SqliteConnection,
    session: &SessionKey,
    at: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO sessions (key, created_us, updated_us, began_us, generation) \
         VALUES (?1, ?2, ?2, ?2, 1) \
         ON CONFLICT (key) DO UPDATE \
         SET generation = generation + 1, began_us = excluded.began_us",
    )
    .bind(session.as_str())
    .bind(at.as_microsecond())
    .execute(connection)
    .await?;
    Ok(())
}

pub(super) async fn set_model(
    connection: &mut SqliteConnection,
    session: &SessionKey,
    model: Option<&str>,
    now: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO sessions (key, created_us, updated_us, model) VALUES (?1, ?2, ?2, ?3) \
         ON CONFLICT (key) DO UPDATE SET model = excluded.model",
    )
    .bind(session.as_str())
    .bind(now.as_microsecond())
    .bind(model)
    .execute(connection)
    .await?;
    Ok(())
}

pub(super) async fn note_route(
    connection: &mut SqliteConnection,
    session: &SessionKey,
    account: &str,
    channel: ChannelId,
    now: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO sessions (key, created_us, updated_us, account, channel) \
         VALUES (?1, ?2, ?2, ?3, ?4) \
         ON CONFLICT (key) DO UPDATE \
         SET account = excluded.account, channel = excluded.channel, \
             updated_us = excluded.updated_us, archived_us = NULL",
    )
    .bind(session.as_str())
    .bind(now.as_microsecond())
    .bind(account)
    .bind(channel.to_string())
    .execute(connection)
    .await?;
    Ok(())
}

pub(super) async fn facts(
    connection: &mut SqliteConnection,
    session: &SessionKey,
) -> Result<SessionFacts, StoreError> {
    let row = sqlx::query(
        "SELECT began_us, model, account, channel, updated_us, archived_us \
         FROM sessions WHERE key = ?",
    )
    .bind(session.as_str())
    .fetch_optional(connection)
    .await?;
    let Some(row) = row else { return Ok(SessionFacts::default()) };
    let account: Option<String> = row.try_get("account")?;
    let channel: Option<ChannelId> = id_if_any(&row, "channel")?;
    Ok(SessionFacts {
        began: timestamp_if_any(&row, "began_us")?,
        model: row.try_get("model")?,
        route: account.zip(channel).map(|(account, channel)| Route { account, channel }),
        active: Some(timestamp(&row, "updated_us")?),
        archived: timestamp_if_any(&row, "archived_us")?,
    })
}
