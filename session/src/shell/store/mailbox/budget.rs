//! What the file takes, and conversations that can be deleted to make it less.

use std::time::Duration;

use jiff::Timestamp;
use sqlx::{Row as _, SqliteConnection};

use super::{
    super::{StoreError, columns::timestamp},
    Mailbox,
};
use crate::budget::PutAway;

/// What a line of a conversation takes beside its words: its other columns and its place in the
/// indexes.
const A_LINE: i64 = 256;

/// Pages that are given back to the disk at once: it holds the file's only write lock meanwhile.
const PAGES: u32 = 4_096;

impl Mailbox {
    /// What the file holds, in bytes, without what it does not use and uses again.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub async fn live_bytes(&self) -> Result<u64, StoreError> {
        self.read(move |c| Box::pin(live_bytes(c))).await
    }

    /// At most `most` conversations that were put away, the ones longest ago first.
    ///
    /// # Errors
    ///
    /// When they cannot be read.
    pub async fn put_away(&self, now: Timestamp, most: u32) -> Result<Vec<PutAway>, StoreError> {
        self.read(move |c| Box::pin(put_away(c, now, most))).await
    }

    /// Deletes these conversations, unless somebody has spoken in them again; gives how many. What
    /// they took is given back to the disk by and by.
    ///
    /// # Errors
    ///
    /// When it is not on disk.
    pub async fn delete_put_away(&self, sessions: Vec<i64>) -> Result<u64, StoreError> {
        self.write(move |c| Box::pin(async move { delete(c, &sessions).await })).await
    }
}

async fn live_bytes(connection: &mut SqliteConnection) -> Result<u64, StoreError> {
    let mut figures = [0i64; 3];
    for (figure, pragma) in
        figures.iter_mut().zip(["PRAGMA page_count", "PRAGMA freelist_count", "PRAGMA page_size"])
    {
        *figure = sqlx::query(pragma).fetch_one(&mut *connection).await?.try_get(0)?;
    }
    let [pages, free, size] = figures;
    Ok(u64::try_from(pages.saturating_sub(free).saturating_mul(size)).unwrap_or(0))
}

async fn put_away(
    connection: &mut SqliteConnection,
    now: Timestamp,
    most: u32,
) -> Result<Vec<PutAway>, StoreError> {
    // Words are kept twice: as they are, and in the index.
    let rows = sqlx::query(
        "SELECT s.id, s.archived_us, \
                COALESCE(SUM(2 * LENGTH(CAST(t.text AS BLOB)) + ?2), 0) AS bytes \
         FROM (SELECT id, archived_us FROM sessions WHERE archived_us IS NOT NULL \
               ORDER BY archived_us, id LIMIT ?1) s \
         LEFT JOIN turns t ON t.session = s.id GROUP BY s.id ORDER BY s.archived_us, s.id",
    )
    .bind(most)
    .bind(A_LINE)
    .fetch_all(connection)
    .await?;
    rows.iter()
        .map(|row| {
            let at = timestamp(row, "archived_us")?;
            let bytes: i64 = row.try_get("bytes")?;
            Ok(PutAway {
                id: row.try_get("id")?,
                bytes: u64::try_from(bytes).unwrap_or(0),
                age: Duration::try_from(now.duration_since(at)).unwrap_or_default(),
            })
        })
        .collect()
}

async fn delete(connection: &mut SqliteConnection, sessions: &[i64]) -> Result<u64, StoreError> {
    let mut deleted = 0;
    for session in sessions {
        // What was said in it goes with it.
        let statement =
            sqlx::query("DELETE FROM sessions WHERE id = ? AND archived_us IS NOT NULL");
        deleted += statement.bind(session).execute(&mut *connection).await?.rows_affected();
    }
    // A row a page; a file that was made without it has nothing to give back.
    sqlx::query(&format!("PRAGMA incremental_vacuum({PAGES})")).fetch_all(connection).await?;
    Ok(deleted)
}
