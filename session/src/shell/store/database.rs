//! The SQLite file: opening, migrating, checking.

use std::{fs, io, path::Path};

use futures_util::future::BoxFuture;
use sqlx::{
    ConnectOptions as _, Connection as _, Row as _, SqliteConnection,
    error::BoxDynError,
    migrate::{MigrateError, Migration, MigrationSource, MigrationType, Migrator},
    sqlite::{SqliteAutoVacuum, SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};

use super::StoreError;

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
    (3, "mailbox", include_str!("../../../migrations/0003_mailbox.sql")),
    (4, "spending", include_str!("../../../migrations/0004_spending.sql")),
    (5, "keeping", include_str!("../../../migrations/0005_keeping.sql")),
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
    SqliteConnectOptions::new()
        .foreign_keys(true)
        // What is deleted is overwritten: without it words stay where nothing uses them any more.
        // Source: SQLite, "PRAGMA secure_delete".
        .pragma("secure_delete", "ON")
        .disable_statement_logging()
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
            // Of a new file only; one that is there goes on keeping free pages for itself.
            .auto_vacuum(SqliteAutoVacuum::Incremental)
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

    pub(super) async fn close(mut self) {
        // What was deleted is to be in the log beside the file no longer than necessary. While
        // another connection works it stays there; then that one moves it.
        let moved = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)");
        if let Err(error) = moved.execute(&mut self.connection).await {
            tracing::debug!("the log of the session store stays beside it: {error}");
        }
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
