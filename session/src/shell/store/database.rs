//! The SQLite file: opening, migrating, and every statement.

use std::{fs, io, path::Path};

use futures_util::{StreamExt as _, future::BoxFuture};
use jiff::Timestamp;
use sqlx::{
    ConnectOptions as _, Connection as _, Row as _, SqliteConnection,
    error::BoxDynError,
    migrate::{MigrateError, Migration, MigrationSource, MigrationType, Migrator},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteRow, SqliteSynchronous},
};

use super::StoreError;
use crate::{
    SessionKey, UserId,
    agent::{AskedBy, Usage},
    history::{Exchange, Found, Outcome, Spent, Window},
};

/// How long another process may hold the file before we give up.
const BUSY: std::time::Duration = std::time::Duration::from_secs(5);
/// The same for a look at it.
const CHECK_BUSY: std::time::Duration = std::time::Duration::from_millis(500);

/// The steps that bring a file up to date. Only ever add to them.
#[derive(Debug)]
struct Steps;

const STEPS: &[(i64, &str, &str)] = &[
    (1, "sessions", include_str!("../../../migrations/0001_sessions.sql")),
    (2, "pairing", include_str!("../../../migrations/0002_pairing.sql")),
];

impl<'s> MigrationSource<'s> for Steps {
    fn resolve(self) -> BoxFuture<'s, Result<Vec<Migration>, BoxDynError>> {
        let steps = STEPS.iter().map(|(version, name, sql)| {
            Migration::new(*version, (*name).into(), MigrationType::Simple, (*sql).into(), false)
        });
        Box::pin(std::future::ready(Ok(steps.collect())))
    }
}

fn options() -> SqliteConnectOptions {
    SqliteConnectOptions::new().foreign_keys(true).disable_statement_logging()
}

fn not_opened(path: &Path, error: &sqlx::Error) -> StoreError {
    // Primary result codes BUSY, LOCKED, READONLY, IOERR, FULL and CANTOPEN.
    // Source: SQLite, "Result and Error Codes".
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    let code = code.and_then(|code| code.parse::<u32>().ok()).map(|code| code & 0xff);
    StoreError::Open {
        path: path.to_owned(),
        words: error.to_string(),
        passing: matches!(code, Some(5 | 6 | 8 | 10 | 13 | 14)),
    }
}

#[derive(Debug)]
pub(super) struct Database {
    connection: SqliteConnection,
}

impl Database {
    pub(super) async fn open(path: &Path) -> Result<Self, StoreError> {
        create(path)?;
        let options = options()
            .filename(path)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Normal)
            .busy_timeout(BUSY);
        Self::migrated(options, path).await
    }

    pub(super) fn connection(&mut self) -> &mut SqliteConnection {
        &mut self.connection
    }

    pub(super) async fn in_memory() -> Result<Self, StoreError> {
        Self::migrated(options().in_memory(true), Path::new(":memory:")).await
    }

    async fn migrated(options: SqliteConnectOptions, path: &Path) -> Result<Self, StoreError> {
        let failed = |error: sqlx::Error| not_opened(path, &error);
        let mut connection = options.connect().await.map_err(failed)?;
        let migrator = Migrator::new(Steps).await.map_err(|error| failed(error.into()))?;
        migrator.run(&mut connection).await.map_err(|error| match error {
            MigrateError::VersionMissing(step) => StoreError::Open {
                path: path.to_owned(),
                words: format!("a newer version of clawvoice wrote it (step {step})"),
                passing: false,
            },
            MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => {
                failed(error)
            }
            other => failed(other.into()),
        })?;
        Ok(Self { connection })
    }

    /// Takes the write lock for a moment, and reads every page.
    pub(super) async fn check(path: &Path) -> Result<(), StoreError> {
        let failed = |error: sqlx::Error| not_opened(path, &error);
        let options = options().filename(path).busy_timeout(CHECK_BUSY);
        let mut connection = options.connect().await.map_err(failed)?;
        for statement in ["BEGIN IMMEDIATE", "ROLLBACK"] {
            sqlx::query(statement).execute(&mut connection).await.map_err(failed)?;
        }
        let row = sqlx::query("PRAGMA quick_check(1)").fetch_one(&mut connection).await;
        let found: String = row.and_then(|row| row.try_get(0)).map_err(failed)?;
        match found.as_str() {
            "ok" => Ok(()),
            words => Err(StoreError::Open {
                path: path.to_owned(),
                words: words.to_owned(),
                passing: false,
            }),
        }
    }

    /// Writes all of them or none; gives the number of each that had anything to write.
    pub(super) async fn record<'e>(
        &mut self,
        exchanges: impl Iterator<Item = (&'e SessionKey, &'e Exchange)>,
    ) -> Result<Vec<Option<i64>>, StoreError> {
        let mut numbers = Vec::new();
        let mut transaction = self.connection.begin().await?;
        for (session, exchange) in exchanges {
            numbers.push(write(&mut transaction, session, exchange).await?);
        }
        transaction.commit().await?;
        Ok(numbers)
    }

    /// Another answer in the place of an exchange's.
    pub(super) async fn amend(
        &mut self,
        session: &SessionKey,
        exchange: i64,
        answered: &str,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE turns SET text = ? WHERE exchange = ? AND role = 'assistant' \
             AND session = (SELECT id FROM sessions WHERE key = ?)",
        )
        .bind(answered)
        .bind(exchange)
        .bind(session.as_str())
        .execute(&mut self.connection)
        .await?;
        Ok(())
    }

    pub(super) async fn window(
        &mut self,
        session: &SessionKey,
        budget: u64,
    ) -> Result<Window, StoreError> {
        let mut window = Window::new(budget);
        let mut rows = sqlx::query(
            "SELECT u.speaker, u.label, u.owner, u.surface, u.outcome, u.at_us, \
                    MAX(CASE u.role WHEN 'user' THEN u.text ELSE '' END) AS said, \
                    MAX(CASE u.role WHEN 'assistant' THEN u.text ELSE '' END) AS answered \
             FROM turns u WHERE u.session = (SELECT id FROM sessions WHERE key = ?) \
             GROUP BY u.exchange ORDER BY u.exchange DESC",
        )
        .bind(session.as_str())
        .fetch(&mut self.connection);
        while let Some(row) = rows.next().await {
            if !window.push_older(&exchange(&row?)?) {
                break;
            }
        }
        Ok(window)
    }

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
        .fetch_all(&mut self.connection)
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
        .fetch_optional(&mut self.connection)
        .await?;
        row.as_ref().map(found).transpose()
    }

    pub(super) async fn spent_in(&mut self, session: &SessionKey) -> Result<Spent, StoreError> {
        let row = sqlx::query(
            "SELECT SUM(t.input_tokens), SUM(t.cached_tokens), SUM(t.output_tokens), \
                    MAX(t.tokens_estimated), SUM(t.cost_nano_usd) \
             FROM turns t JOIN sessions s ON s.id = t.session WHERE s.key = ?",
        )
        .bind(session.as_str())
        .fetch_one(&mut self.connection)
        .await?;
        spent(&row)
    }

    pub(super) async fn spent_by(&mut self, user: UserId) -> Result<Spent, StoreError> {
        let row = sqlx::query(
            "SELECT SUM(input_tokens), SUM(cached_tokens), SUM(output_tokens), \
                    MAX(tokens_estimated), SUM(cost_nano_usd) \
             FROM turns WHERE speaker = ? AND role = 'assistant'",
        )
        .bind(user.to_string())
        .fetch_one(&mut self.connection)
        .await?;
        spent(&row)
    }

    pub(super) async fn close(self) {
        // The last connection moves the log into the file itself.
        if let Err(error) = self.connection.close().await {
            tracing::warn!("the session store did not close well: {error}");
        }
    }
}

/// Makes the folder and the file, for their owner alone: conversations are private.
fn create(path: &Path) -> Result<(), StoreError> {
    let failed = |path: &Path, source| StoreError::Create { path: path.to_owned(), source };
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(folder).map_err(|error| failed(folder, error))?;
    }
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(failed(path, error)),
        _ => Ok(()),
    }
}

async fn write(
    connection: &mut SqliteConnection,
    session: &SessionKey,
    exchange: &Exchange,
) -> Result<Option<i64>, sqlx::Error> {
    let at = exchange.at.as_microsecond();
    let session: i64 = sqlx::query(
        "INSERT INTO sessions (key, created_us, updated_us) VALUES (?1, ?2, ?2) \
         ON CONFLICT (key) DO UPDATE SET updated_us = excluded.updated_us RETURNING id",
    )
    .bind(session.as_str())
    .bind(at)
    .fetch_one(&mut *connection)
    .await?
    .try_get(0)?;
    let mut first: Option<i64> = None;
    for (role, text) in [("user", &exchange.said), ("assistant", &exchange.answered)] {
        let answers = role == "assistant";
        let spent = if answers { exchange.spent } else { Spent::default() };
        // What was paid for is written down even if nothing came of it.
        if text.is_empty() && spent == Spent::default() {
            continue;
        }
        let id: i64 = sqlx::query(
            "INSERT INTO turns (session, exchange, role, speaker, label, owner, text, surface, \
                                outcome, model, input_tokens, cached_tokens, output_tokens, \
                                tokens_estimated, cost_nano_usd, at_us) \
             VALUES (?, COALESCE(?, (SELECT COALESCE(MAX(id), 0) + 1 FROM turns)), \
                     ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id",
        )
        .bind(session)
        .bind(first)
        .bind(role)
        .bind(exchange.by.user.to_string())
        .bind(&exchange.by.label)
        .bind(exchange.by.owner)
        .bind(text)
        .bind(&exchange.surface)
        .bind(exchange.outcome.word())
        .bind(exchange.model.as_ref().filter(|_| answers))
        .bind(kept(spent.usage.input))
        .bind(kept(spent.usage.cached))
        .bind(kept(spent.usage.output))
        .bind(spent.estimated)
        .bind(spent.nano_dollars)
        .bind(at)
        .fetch_one(&mut *connection)
        .await?
        .try_get(0)?;
        first = first.or(Some(id));
    }
    Ok(first)
}

/// SQLite's integers are signed.
fn kept(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn exchange(row: &SqliteRow) -> Result<Exchange, StoreError> {
    let user: String = row.try_get("speaker")?;
    let outcome: String = row.try_get("outcome")?;
    Ok(Exchange {
        by: AskedBy {
            user: user.parse().map_err(|error| malformed("speaker", error))?,
            label: row.try_get("label")?,
            owner: row.try_get("owner")?,
        },
        surface: row.try_get("surface")?,
        said: row.try_get("said")?,
        answered: row.try_get("answered")?,
        outcome: Outcome::from_word(&outcome).unwrap_or(Outcome::Answered),
        model: None,
        spent: Spent::default(),
        at: timestamp(row.try_get("at_us")?)?,
    })
}

fn found(row: &SqliteRow) -> Result<Found, StoreError> {
    let role: String = row.try_get("role")?;
    Ok(Found {
        id: row.try_get("id")?,
        by_agent: role == "assistant",
        label: row.try_get("label")?,
        text: row.try_get("text")?,
        at: timestamp(row.try_get("at_us")?)?,
    })
}

fn spent(row: &SqliteRow) -> Result<Spent, StoreError> {
    let number = |index: usize| -> Result<i64, sqlx::Error> {
        Ok(row.try_get::<Option<i64>, _>(index)?.unwrap_or(0))
    };
    let tokens = |index| number(index).map(|tokens| u64::try_from(tokens).unwrap_or(0));
    Ok(Spent {
        usage: Usage { input: tokens(0)?, cached: tokens(1)?, output: tokens(2)? },
        estimated: number(3)? != 0,
        nano_dollars: number(4)?,
    })
}

fn timestamp(micros: i64) -> Result<Timestamp, StoreError> {
    Timestamp::from_microsecond(micros).map_err(|error| malformed("at_us", error))
}

fn malformed(column: &str, source: impl std::error::Error + Send + Sync + 'static) -> StoreError {
    sqlx::Error::ColumnDecode { index: column.to_owned(), source: Box::new(source) }.into()
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
