//! Pairing requests and approvals on disk, beside the conversations.

use std::path::Path;

use jiff::Timestamp;
use rand::Rng;
use sqlx::{Row as _, sqlite::SqliteRow};

use super::{StoreError, database::Database};
use crate::{
    UserId,
    pairing::{self, Answer, Request},
};

/// Why a code lets nobody in.
#[derive(Debug, thiserror::Error)]
pub enum NotApproved {
    /// Nobody was told it, or it was used.
    #[error("no request waits with the code {0}")]
    Unknown(String),
    /// It was told too long ago.
    #[error("the code {0} is older than an hour")]
    Over(String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Who waits to be let in, and who was.
#[derive(Debug)]
pub struct Pairings {
    database: Database,
}

impl Pairings {
    /// Opens the store's file; others may have it open as well.
    ///
    /// # Errors
    ///
    /// As [`super::Store::open`].
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        Ok(Self { database: Database::open(path).await? })
    }

    /// Some that end with the process: for the time when there is no disk to write to.
    ///
    /// # Errors
    ///
    /// When SQLite refuses.
    pub async fn in_memory() -> Result<Self, StoreError> {
        Ok(Self { database: Database::in_memory().await? })
    }

    /// Judges a stranger; a new request is kept.
    ///
    /// # Errors
    ///
    /// When the store fails; then nobody is to be told a code.
    pub async fn ask(
        &mut self,
        account: &str,
        user: UserId,
        now: Timestamp,
        rng: &mut (impl Rng + Send),
    ) -> Result<Answer, StoreError> {
        let pending = self.all().await?;
        let answer = pairing::ask(&pending, account, user, now, rng);
        if let Answer::Tell(request) = &answer {
            sqlx::query("INSERT OR REPLACE INTO pairing_requests VALUES (?, ?, ?, ?)")
                .bind(&request.account)
                .bind(request.user.to_string())
                .bind(&request.code)
                .bind(request.asked.as_microsecond())
                .execute(self.database.connection())
                .await?;
        }
        Ok(answer)
    }

    /// Those who wait, the oldest first. Forgets codes that are good no more.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub async fn pending(&mut self, now: Timestamp) -> Result<Vec<Request>, StoreError> {
        let oldest = now.as_microsecond() - i64::try_from(pairing::VALID.as_micros()).unwrap_or(0);
        sqlx::query("DELETE FROM pairing_requests WHERE asked_us <= ?")
            .bind(oldest)
            .execute(self.database.connection())
            .await?;
        self.all().await
    }

    /// Lets in whoever was told a code.
    ///
    /// # Errors
    ///
    /// When the code lets nobody in, or the store fails.
    pub async fn approve(
        &mut self,
        account: &str,
        code: &str,
        now: Timestamp,
    ) -> Result<UserId, NotApproved> {
        let code = code.trim().to_uppercase();
        let all = self.all().await?;
        let found = all.into_iter().find(|it| it.account == account && it.code == code);
        let request = found.ok_or_else(|| NotApproved::Unknown(code.clone()))?;
        if request.is_over(now) {
            return Err(NotApproved::Over(code));
        }
        let user = request.user.to_string();
        let failed = |error: sqlx::Error| NotApproved::Store(error.into());
        sqlx::query("INSERT OR REPLACE INTO paired VALUES (?, ?, ?)")
            .bind(account)
            .bind(&user)
            .bind(now.as_microsecond())
            .execute(self.database.connection())
            .await
            .map_err(failed)?;
        sqlx::query("DELETE FROM pairing_requests WHERE account = ? AND user = ?")
            .bind(account)
            .bind(&user)
            .execute(self.database.connection())
            .await
            .map_err(failed)?;
        Ok(request.user)
    }

    /// Whether somebody was let in.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub async fn is_paired(&mut self, account: &str, user: UserId) -> Result<bool, StoreError> {
        let row = sqlx::query("SELECT 1 FROM paired WHERE account = ? AND user = ?")
            .bind(account)
            .bind(user.to_string())
            .fetch_optional(self.database.connection())
            .await?;
        Ok(row.is_some())
    }

    /// Closes the file.
    pub async fn close(self) {
        self.database.close().await;
    }

    async fn all(&mut self) -> Result<Vec<Request>, StoreError> {
        let rows = sqlx::query(
            "SELECT account, user, code, asked_us FROM pairing_requests ORDER BY asked_us",
        )
        .fetch_all(self.database.connection())
        .await?;
        rows.iter().map(|row| request(row).map_err(StoreError::from)).collect()
    }
}

fn request(row: &SqliteRow) -> Result<Request, sqlx::Error> {
    let asked: i64 = row.try_get("asked_us")?;
    let user: String = row.try_get("user")?;
    Ok(Request {
        account: row.try_get("account")?,
        user: user.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))?,
        code: row.try_get("code")?,
        asked: Timestamp::from_microsecond(asked).unwrap_or(Timestamp::UNIX_EPOCH),
    })
}
