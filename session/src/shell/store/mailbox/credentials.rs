//! What is kept of credentials: when they were first seen, and what they were used for.

use clawvoice_config::SecretId;
use jiff::Timestamp;
use sqlx::{Row as _, SqliteConnection, sqlite::SqliteRow};

use super::{
    super::{
        StoreError,
        columns::{kept, malformed, timestamp, timestamp_if_any},
    },
    Mailbox,
};
use crate::audit::{Answer, KnownUse, Purpose};

impl Mailbox {
    /// Every credential that was ever used, or was to be, by id and purpose.
    ///
    /// # Errors
    ///
    /// When they cannot be read.
    pub async fn credential_uses(&self) -> Result<Vec<KnownUse>, StoreError> {
        self.read(move |c| Box::pin(all(c))).await
    }

    /// Keeps this in the place of what was kept of the credential and purpose. When the credential
    /// was first seen stays as it was.
    ///
    /// # Errors
    ///
    /// When it is not on disk.
    pub async fn save_credential_use(&self, used: KnownUse) -> Result<(), StoreError> {
        self.write(move |c| Box::pin(async move { save(c, &used).await })).await
    }
}

async fn all(connection: &mut SqliteConnection) -> Result<Vec<KnownUse>, StoreError> {
    let rows = sqlx::query(
        "SELECT u.credential, u.purpose, c.first_seen_us, u.uses, u.last_use_us, u.answer \
         FROM credential_uses u JOIN credentials c ON c.id = u.credential \
         ORDER BY u.credential, u.purpose",
    )
    .fetch_all(connection)
    .await?;
    rows.iter().map(known).collect()
}

#[derive(Debug, thiserror::Error)]
#[error("{0:?} is none")]
struct UnknownWord(String);

fn known(row: &SqliteRow) -> Result<KnownUse, StoreError> {
    let text = |column: &str| row.try_get::<String, _>(column);
    let (id, purpose) = (text("credential")?, text("purpose")?);
    let answer: Option<String> = row.try_get("answer")?;
    let uses: i64 = row.try_get("uses")?;
    Ok(KnownUse {
        id: SecretId::kept(&id).ok_or_else(|| malformed("credential", UnknownWord(id)))?,
        purpose: Purpose::from_word(&purpose)
            .ok_or_else(|| malformed("purpose", UnknownWord(purpose)))?,
        first_seen: timestamp(row, "first_seen_us")?,
        uses: u64::try_from(uses).unwrap_or(0),
        last_use: timestamp_if_any(row, "last_use_us")?,
        answer: answer
            .map(|word| {
                Answer::from_word(&word).ok_or_else(|| malformed("answer", UnknownWord(word)))
            })
            .transpose()?,
    })
}

async fn save(connection: &mut SqliteConnection, used: &KnownUse) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO credentials VALUES (?, ?) ON CONFLICT (id) DO NOTHING")
        .bind(used.id.as_str())
        .bind(used.first_seen.as_microsecond())
        .execute(&mut *connection)
        .await?;
    sqlx::query("INSERT OR REPLACE INTO credential_uses VALUES (?, ?, ?, ?, ?)")
        .bind(used.id.as_str())
        .bind(used.purpose.word())
        .bind(kept(used.uses))
        .bind(used.last_use.map(Timestamp::as_microsecond))
        .bind(used.answer.map(Answer::word))
        .execute(connection)
        .await?;
    Ok(())
}
