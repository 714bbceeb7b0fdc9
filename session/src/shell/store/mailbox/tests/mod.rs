//! The mailbox on files of its own.

#![allow(clippy::unwrap_used, reason = "a step that fails is the test's failure")]

mod crash;
mod inbox;
mod outbox;
mod retention;
mod sessions;
mod together;

use jiff::Timestamp;
use tempfile::TempDir;

use super::Mailbox;
use crate::{
    ChannelId, MessageId, SessionKey, UserId,
    agent::AskedBy,
    history::{self, Exchange, Spent},
    mail::{Arrival, Finished, Logged, NewPart, Outcome, Target},
    spending::Charge,
};

const ACCOUNT: &str = "default";
const ADA: UserId = UserId::new(u64::MAX);
const CHANNEL: ChannelId = ChannelId::new(42);

/// A turn of a session, as an agent's store keeps it.
fn exchange(by: UserId, said: &str, answered: &str, at: Timestamp) -> Exchange {
    Exchange {
        by: AskedBy { user: by, label: "Ada".into(), owner: false },
        surface: "test".into(),
        said: said.into(),
        answered: answered.into(),
        outcome: history::Outcome::Answered,
        model: Some("p/m".into()),
        charges: vec![Charge {
            model: "p/m".into(),
            spent: Spent { nano_dollars: 7, ..Spent::default() },
            is_priced: true,
            is_from_cache: false,
        }],
        channel: None,
        at,
        generation: None,
        origin: None,
    }
}

struct Bench {
    folder: TempDir,
    mailbox: Mailbox,
}

impl Bench {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mailbox = Mailbox::open(&folder.path().join("sessions.sqlite")).await.unwrap();
        Self { folder, mailbox }
    }

    fn path(&self) -> std::path::PathBuf {
        self.folder.path().join("sessions.sqlite")
    }

    /// As after a restart.
    async fn reopen(&mut self) {
        self.mailbox.close().await;
        self.mailbox = Mailbox::open(&self.path()).await.unwrap();
    }

    /// The ids of the messages that are not dealt with.
    async fn open(&self) -> Vec<u64> {
        let received = self.mailbox.unfinished(ACCOUNT).await.unwrap();
        received.iter().map(|received| received.arrival.message.get()).collect()
    }

    /// Everything logged of the channel: kind and detail.
    async fn log(&self) -> Vec<(&'static str, String)> {
        let logged = self.mailbox.events(ACCOUNT, "channel:42", 0, 100).await.unwrap();
        let line = |logged: Logged| (logged.event.kind.word(), logged.event.detail.to_string());
        logged.into_iter().map(line).collect()
    }
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap()
}

fn session() -> SessionKey {
    SessionKey::channel("main", CHANNEL)
}

fn arrival(message: u64) -> Arrival {
    Arrival {
        account: ACCOUNT.into(),
        channel: CHANNEL,
        message: MessageId::new(message),
        author: ADA,
        body: format!(r#"{{"id":"{message}"}}"#),
        received: at(1_000),
    }
}

fn names(messages: &[u64]) -> Vec<(ChannelId, MessageId)> {
    messages.iter().map(|message| (CHANNEL, MessageId::new(*message))).collect()
}

fn finished(messages: &[u64], turn: &str) -> Finished {
    Finished {
        account: ACCOUNT.into(),
        messages: names(messages),
        outcome: Outcome::Answered,
        session: Some(session()),
        asker: Some(ADA),
        turn: turn.into(),
    }
}

fn part(number: u32, body: &str) -> NewPart {
    NewPart {
        to: Target::Channel(CHANNEL),
        part: number,
        body: body.into(),
        nonce: format!("n{number}"),
    }
}
