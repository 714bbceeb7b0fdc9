//! Finding messages again.

use sqlx::{Row as _, sqlite::SqliteRow};

use super::{StoreError, columns::timestamp, database::Database};
use crate::{SessionKey, history::Found};

impl Database {
    pub(super) async fn search(
        &mut self,
        session: &SessionKey,
        query: &str,
        most: u32,
    ) -> Result<Vec<Found>, StoreError> {
        let Some(query) = match_expression(query) else { return Ok(Vec::new()) };
        let rows = sqlx::query(
            "SELECT t.id, t.role, t.label, t.text, t.at_us \
             FROM turns_text f JOIN turns t ON t.id = f.rowid JOIN sessions s ON s.id = t.session \
             WHERE turns_text MATCH ? AND s.key = ? \
             ORDER BY bm25(turns_text), t.id DESC LIMIT ?",
        )
        .bind(query)
        .bind(session.as_str())
        .bind(most)
        .fetch_all(self.connection())
        .await?;
        rows.iter().map(found).collect()
    }

    pub(super) async fn message(
        &mut self,
        session: &SessionKey,
        id: i64,
    ) -> Result<Option<Found>, StoreError> {
        let row = sqlx::query(
            "SELECT t.id, t.role, t.label, t.text, t.at_us \
             FROM turns t JOIN sessions s ON s.id = t.session WHERE t.id = ? AND s.key = ?",
        )
        .bind(id)
        .bind(session.as_str())
        .fetch_optional(self.connection())
        .await?;
        row.as_ref().map(found).transpose()
    }
}

fn found(row: &SqliteRow) -> Result<Found, StoreError> {
    let role: String = row.try_get("role")?;
    Ok(Found {
        id: row.try_get("id")?,
        by_agent: role == "assistant",
        label: row.try_get("label")?,
        text: row.try_get("text")?,
        at: timestamp(row, "at_us")?,
    })
}

/// Words in FTS5's query language, each quoted, any of which may be found. `None`: no word.
fn match_expression(query: &str) -> Option<String> {
    let words: Vec<String> = query
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .take(16)
        .map(|word| format!("\"{word}\""))
        .collect();
    (!words.is_empty()).then(|| words.join(" OR "))
}

#[cfg(test)]
mod tests {
    use super::match_expression;

    #[test]
    fn a_query_is_words_and_nothing_else() {
        for (query, expression) in [
            ("blue car", Some("\"blue\" OR \"car\"")),
            ("car\" OR text:*) NEAR", Some("\"car\" OR \"OR\" OR \"text\" OR \"NEAR\"")),
            ("\u{e4}hnlich", Some("\"\u{e4}hnlich\"")),
            ("-- *", None),
        ] {
            assert_eq!(match_expression(query).as_deref(), expression, "{query:?}");
        }
    }
}
