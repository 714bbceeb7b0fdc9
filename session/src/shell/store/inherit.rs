//! A conversation that begins with what was said in another one.

use jiff::Timestamp;
use sqlx::SqliteConnection;

use super::StoreError;
use crate::SessionKey;

/// The newest exchanges that are taken over.
const MOST: i64 = 50;

/// Copies what was said in the present part of `parent` into `child`, unless something was said there
/// already. What it cost stays with the parent.
pub(super) async fn inherit(
    connection: &mut SqliteConnection,
    child: &SessionKey,
    parent: &SessionKey,
    now: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO sessions (key, created_us, updated_us) VALUES (?1, ?2, ?2) \
         ON CONFLICT (key) DO UPDATE SET revision = revision + 1",
    )
    .bind(child.as_str())
    .bind(now.as_microsecond())
    .execute(&mut *connection)
    .await?;
    sqlx::query(
        "INSERT INTO turns (session, exchange, role, speaker, label, owner, text, surface, outcome, \
                            at_us, generation) \
         SELECT c.id, t.exchange, t.role, t.speaker, t.label, t.owner, t.text, t.surface, \
                t.outcome, t.at_us, c.generation \
         FROM sessions c JOIN sessions p ON p.key = ?2 \
              JOIN turns t ON t.session = p.id AND t.generation = p.generation \
         WHERE c.key = ?1 AND NOT EXISTS (SELECT 1 FROM turns WHERE session = c.id) \
               AND t.exchange IN (SELECT DISTINCT exchange FROM turns \
                                  WHERE session = p.id AND generation = p.generation \
                                  ORDER BY exchange DESC LIMIT ?3) \
         ORDER BY t.id",
    )
    .bind(child.as_str())
    .bind(parent.as_str())
    .bind(MOST)
    .execute(connection)
    .await?;
    Ok(())
}
