//! Our values as SQLite keeps them, and back.

use jiff::Timestamp;
use sqlx::{Row as _, sqlite::SqliteRow};

use super::StoreError;
use crate::{IdError, SessionKey};

/// SQLite's integers are signed.
pub(super) fn kept(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(super) fn timestamp(row: &SqliteRow, column: &str) -> Result<Timestamp, StoreError> {
    Timestamp::from_microsecond(row.try_get(column)?).map_err(|error| malformed(column, error))
}

pub(super) fn timestamp_if_any(
    row: &SqliteRow,
    column: &str,
) -> Result<Option<Timestamp>, StoreError> {
    let micros: Option<i64> = row.try_get(column)?;
    let read = |micros| Timestamp::from_microsecond(micros).map_err(|e| malformed(column, e));
    micros.map(read).transpose()
}

/// A snowflake; it is kept as text, since it may exceed SQLite's integers.
pub(super) fn id<T: std::str::FromStr<Err = IdError>>(
    row: &SqliteRow,
    column: &str,
) -> Result<T, StoreError> {
    let text: &str = row.try_get(column)?;
    text.parse().map_err(|error| malformed(column, error))
}

pub(super) fn id_if_any<T: std::str::FromStr<Err = IdError>>(
    row: &SqliteRow,
    column: &str,
) -> Result<Option<T>, StoreError> {
    let text: Option<&str> = row.try_get(column)?;
    text.map(|text| text.parse().map_err(|error| malformed(column, error))).transpose()
}

pub(super) fn session_if_any(
    row: &SqliteRow,
    column: &str,
) -> Result<Option<SessionKey>, StoreError> {
    let text: Option<String> = row.try_get(column)?;
    Ok(text.map(SessionKey::stored))
}

pub(super) fn malformed(
    column: &str,
    source: impl std::error::Error + Send + Sync + 'static,
) -> StoreError {
    sqlx::Error::ColumnDecode { index: column.to_owned(), source: Box::new(source) }.into()
}
