//! The statements on messages that came in.

use jiff::Timestamp;
use serde_json::json;
use sqlx::{
    Row as _, Sqlite, SqliteConnection,
    query::Query,
    sqlite::{SqliteArguments, SqliteRow},
};

use super::{
    super::{
        StoreError,
        columns::{id, session_if_any, timestamp},
    },
    events,
};
use crate::{
    ChannelId, MessageId, SessionKey, UserId,
    mail::{Arrival, Event, EventKind, Outcome, Received, Target},
};

pub(super) async fn receive(
    connection: &mut SqliteConnection,
    arrivals: &[Arrival],
) -> Result<Vec<bool>, StoreError> {
    let mut are_new = Vec::with_capacity(arrivals.len());
    for arrival in arrivals {
        let added = sqlx::query(
            "INSERT INTO inbox (account, channel, message, author, body, received_us) \
             VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (account, channel, message) DO NOTHING",
        )
        .bind(&arrival.account)
        .bind(arrival.channel.to_string())
        .bind(arrival.message.to_string())
        .bind(arrival.author.to_string())
        .bind(&arrival.body)
        .bind(arrival.received.as_microsecond())
        .execute(&mut *connection)
        .await?;
        let is_new = added.rows_affected() == 1;
        if is_new {
            let event = Event {
                account: arrival.account.clone(),
                conversation: events::conversation(Target::Channel(arrival.channel)),
                user: Some(arrival.author),
                kind: EventKind::Received,
                detail: json!({ "message": arrival.message }),
            };
            events::log(connection, arrival.received, &event).await?;
        }
        are_new.push(is_new);
    }
    Ok(are_new)
}

pub(super) async fn unfinished(
    connection: &mut SqliteConnection,
    account: &str,
) -> Result<Vec<Received>, StoreError> {
    let rows = sqlx::query(
        "SELECT account, channel, message, author, session, turn, body, received_us \
         FROM inbox WHERE account = ? AND state = 'open' ORDER BY number",
    )
    .bind(account)
    .fetch_all(connection)
    .await?;
    rows.iter().map(received).collect()
}

pub(super) async fn last_seen(
    connection: &mut SqliteConnection,
    account: &str,
    most: u32,
) -> Result<Vec<(ChannelId, MessageId)>, StoreError> {
    // Snowflakes grow, and will fit SQLite's integers for as long as there is a Discord epoch.
    let rows = sqlx::query(
        "SELECT channel, CAST(MAX(CAST(message AS INTEGER)) AS TEXT) AS message \
         FROM inbox WHERE account = ? GROUP BY channel \
         ORDER BY MAX(number) DESC LIMIT ?",
    )
    .bind(account)
    .bind(most)
    .fetch_all(connection)
    .await?;
    rows.iter().map(|row| Ok((id(row, "channel")?, id(row, "message")?))).collect()
}

fn received(row: &SqliteRow) -> Result<Received, StoreError> {
    let turn: Option<String> = row.try_get("turn")?;
    Ok(Received {
        arrival: Arrival {
            account: row.try_get("account")?,
            channel: id(row, "channel")?,
            message: id(row, "message")?,
            author: id(row, "author")?,
            body: row.try_get("body")?,
            received: timestamp(row, "received_us")?,
        },
        turn: session_if_any(row, "session")?.zip(turn),
    })
}

pub(super) async fn assign(
    connection: &mut SqliteConnection,
    account: &str,
    messages: &[(ChannelId, MessageId)],
    session: &SessionKey,
    turn: &str,
) -> Result<(), StoreError> {
    for name in messages {
        let assign = sqlx::query(
            "UPDATE inbox SET session = ?, turn = ? \
             WHERE account = ? AND channel = ? AND message = ? AND state = 'open'",
        );
        let assign = assign.bind(session.as_str()).bind(turn);
        of(assign, account, *name).execute(&mut *connection).await?;
    }
    Ok(())
}

pub(super) async fn release(
    connection: &mut SqliteConnection,
    account: &str,
    messages: &[(ChannelId, MessageId)],
) -> Result<(), StoreError> {
    for name in messages {
        let release = sqlx::query(
            "DELETE FROM inbox \
             WHERE account = ? AND channel = ? AND message = ? AND state = 'open'",
        );
        of(release, account, *name).execute(&mut *connection).await?;
    }
    Ok(())
}

/// A statement whose last parameters name a message: its account, its channel and its id.
fn of<'q>(
    statement: Query<'q, Sqlite, SqliteArguments<'q>>,
    account: &'q str,
    (channel, message): (ChannelId, MessageId),
) -> Query<'q, Sqlite, SqliteArguments<'q>> {
    statement.bind(account).bind(channel.to_string()).bind(message.to_string())
}

pub(super) async fn finish(
    connection: &mut SqliteConnection,
    account: &str,
    messages: &[(ChannelId, MessageId)],
    outcome: &Outcome,
    now: Timestamp,
) -> Result<(), StoreError> {
    for (channel, message) in messages {
        // Nobody reads the body again.
        let finish = sqlx::query(
            "UPDATE inbox SET state = 'done', outcome = ?, done_us = ?, body = '' \
             WHERE account = ? AND channel = ? AND message = ? AND state = 'open' \
             RETURNING author",
        );
        let finish = finish.bind(outcome.word()).bind(now.as_microsecond());
        let finish = of(finish, account, (*channel, *message));
        let row = finish.fetch_optional(&mut *connection).await?;
        let (Some(row), Some((kind, detail))) = (row, ending(*message, outcome)) else { continue };
        let author: UserId = id(&row, "author")?;
        let event = Event {
            account: account.to_owned(),
            conversation: events::conversation(Target::Channel(*channel)),
            user: Some(author),
            kind,
            detail,
        };
        events::log(connection, now, &event).await?;
    }
    Ok(())
}

/// What the log says of it. An answer is logged when it is sent, a command by whoever carries it
/// out.
fn ending(message: MessageId, outcome: &Outcome) -> Option<(EventKind, serde_json::Value)> {
    match outcome {
        Outcome::Dropped(reason) => {
            Some((EventKind::Dropped, json!({ "message": message, "reason": reason })))
        }
        Outcome::Failed => Some((EventKind::Failed, json!({ "message": message }))),
        Outcome::Answered | Outcome::Merged | Outcome::Command => None,
    }
}
