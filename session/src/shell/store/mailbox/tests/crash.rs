//! The mailbox against a model of it that is too plain to be wrong, through crashes.
//!
//! A crash is the file and its log as they are at that moment, while calls are on their way. Of
//! what had returned, everything has to be there; of what had not, each call wholly or not at all,
//! and none without those before it.

use std::{fs, path::Path};

use proptest::prelude::*;
use sqlx::{Row as _, SqliteConnection};
use tempfile::TempDir;
use tokio::{runtime::Runtime, task::JoinHandle};

use super::*;
use crate::mail::PartId;

/// Messages of a test: ids from 1.
const MESSAGES: u64 = 8;

#[derive(Clone, Debug)]
enum Step {
    Receive(Vec<u64>),
    Finish(Vec<u64>),
    Release(u64),
    /// Deals with messages and queues so many parts of the turn of that number.
    Answer(Vec<u64>, u64, u32),
    /// To the part at that place among those that wait.
    Delivered(usize),
    Refused(usize),
    Reopen,
    /// The life ends when the runtime was given so many turns to carry these out.
    Crash(Vec<Self>, usize),
}

fn call() -> impl Strategy<Value = Step> {
    let some = || prop::collection::vec(1..=MESSAGES, 1..4);
    prop_oneof![
        4 => some().prop_map(Step::Receive),
        2 => some().prop_map(Step::Finish),
        1 => (1..=MESSAGES).prop_map(Step::Release),
        3 => (some(), 0_u64..6, 0_u32..4).prop_map(|(m, t, p)| Step::Answer(m, t, p)),
        3 => (0_usize..6).prop_map(Step::Delivered),
        1 => (0_usize..6).prop_map(Step::Refused),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        10 => call(),
        1 => Just(Step::Reopen),
        3 => (prop::collection::vec(call(), 0..5), 0_usize..400)
            .prop_map(|(calls, turns)| Step::Crash(calls, turns)),
    ]
}

/// A message and whether it is open.
type Message = (u64, bool);
/// A turn, a part of it, and whether that waits.
type PlainPart = (u64, u32, bool);

/// What should be known, written without thought of speed: all messages in the order of arrival,
/// all parts in the order of queueing.
#[derive(Clone, Debug, Default, PartialEq)]
struct Plain {
    messages: Vec<Message>,
    parts: Vec<PlainPart>,
}

impl Plain {
    fn receive(&mut self, messages: &[u64]) -> Vec<bool> {
        let mut new = Vec::new();
        for message in messages {
            let is_new = !self.messages.iter().any(|(known, _)| known == message);
            if is_new {
                self.messages.push((*message, true));
            }
            new.push(is_new);
        }
        new
    }

    fn finish(&mut self, messages: &[u64]) {
        for (message, open) in &mut self.messages {
            *open &= !messages.contains(message);
        }
    }

    /// `waiting`: what waited when the call was made.
    fn apply(&mut self, call: &Step, waiting: &[(u64, u32)]) {
        match call {
            Step::Receive(messages) => {
                self.receive(messages);
            }
            Step::Finish(messages) => self.finish(messages),
            Step::Release(message) => self.messages.retain(|known| *known != (*message, true)),
            Step::Answer(messages, turn, parts) => {
                self.finish(messages);
                for part in 0..*parts {
                    if !self.parts.iter().any(|known| (known.0, known.1) == (*turn, part)) {
                        self.parts.push((*turn, part, true));
                    }
                }
            }
            Step::Delivered(place) | Step::Refused(place) => {
                let named = waiting.get(*place);
                for part in &mut self.parts {
                    part.2 &= named != Some(&(part.0, part.1));
                }
            }
            Step::Reopen | Step::Crash(..) => {}
        }
    }

    fn open(&self) -> Vec<u64> {
        self.messages.iter().filter(|(_, open)| *open).map(|(message, _)| *message).collect()
    }

    fn waiting(&self) -> Vec<(u64, u32)> {
        self.parts.iter().filter(|part| part.2).map(|part| (part.0, part.1)).collect()
    }
}

/// A life of the process, on a disk of its own.
struct Life {
    runtime: Runtime,
    folder: TempDir,
    mailbox: Mailbox,
}

impl Life {
    fn begin(folder: TempDir) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let path = folder.path().join("sessions.sqlite");
        let mailbox = runtime.block_on(Mailbox::open(&path)).unwrap();
        // The log is not moved into the file while the two are copied.
        let quiet = mailbox.read(|c: &mut SqliteConnection| {
            Box::pin(async move {
                sqlx::query("PRAGMA wal_autocheckpoint = 0").execute(c).await?;
                Ok(())
            })
        });
        runtime.block_on(quiet).unwrap();
        Self { runtime, folder, mailbox }
    }

    fn reopened(self) -> Self {
        let Self { runtime, folder, mailbox } = self;
        runtime.block_on(mailbox.close());
        Self::begin(folder)
    }

    /// The life ends here, and the next begins with what is on the disk.
    fn crashed(self) -> Self {
        let next = tempfile::tempdir().unwrap();
        for name in ["sessions.sqlite", "sessions.sqlite-wal"] {
            copy(&self.folder.path().join(name), &next.path().join(name));
        }
        Self::begin(next)
    }

    /// Calls that nobody waits for, made one after the other.
    fn on_their_way(&self, calls: &[Step], turns: usize) -> Vec<JoinHandle<Option<Vec<bool>>>> {
        let waiting: Vec<PartId> = self.parts().into_iter().map(|(_, id)| id).collect();
        let made = |call: &Step| {
            let call = carry_out(self.mailbox.clone(), call.clone(), waiting.clone());
            self.runtime.spawn(call)
        };
        let made: Vec<_> = calls.iter().map(made).collect();
        self.runtime.block_on(async {
            for _ in 0..turns {
                tokio::task::yield_now().await;
            }
        });
        made
    }

    fn open(&self) -> Vec<u64> {
        let open = self.runtime.block_on(self.mailbox.unfinished(ACCOUNT)).unwrap();
        open.iter().map(|received| received.arrival.message.get()).collect()
    }

    /// Parts that wait: what the model knows them by, and their names.
    fn parts(&self) -> Vec<((u64, u32), PartId)> {
        let parts = self.runtime.block_on(self.mailbox.undelivered(ACCOUNT)).unwrap();
        let known = |part: &crate::mail::Part| (part.turn.parse().unwrap(), part.message.part);
        parts.iter().map(|part| (known(part), part.id)).collect()
    }

    /// All there is, what is done with too.
    fn all(&self) -> Plain {
        let read = self.mailbox.read(|c: &mut SqliteConnection| {
            Box::pin(async move {
                let mut all = Plain::default();
                let inbox = "SELECT message, state = 'open' FROM inbox ORDER BY number";
                for row in sqlx::query(inbox).fetch_all(&mut *c).await? {
                    let message: String = row.try_get(0)?;
                    all.messages.push((message.parse().unwrap(), row.try_get(1)?));
                }
                let outbox = "SELECT turn, part, state = 'open' FROM outbox ORDER BY id";
                for row in sqlx::query(outbox).fetch_all(c).await? {
                    let turn: String = row.try_get(0)?;
                    let part = (turn.parse().unwrap(), row.try_get(1)?, row.try_get(2)?);
                    all.parts.push(part);
                }
                Ok(all)
            })
        });
        self.runtime.block_on(read).unwrap()
    }
}

fn copy(from: &Path, to: &Path) {
    if from.exists() {
        fs::copy(from, to).unwrap();
    }
}

/// `waiting`: the parts that wait when the call is made.
async fn carry_out(mailbox: Mailbox, call: Step, waiting: Vec<PartId>) -> Option<Vec<bool>> {
    match call {
        Step::Receive(messages) => {
            let arrivals = messages.into_iter().map(arrival).collect();
            return Some(mailbox.receive(arrivals).await.unwrap());
        }
        Step::Finish(messages) => {
            mailbox.finish(ACCOUNT, names(&messages), Outcome::Command).await.unwrap();
        }
        Step::Release(message) => mailbox.release(ACCOUNT, names(&[message])).await.unwrap(),
        Step::Answer(messages, turn, parts) => {
            let parts = (0..parts).map(|number| part(number, "words")).collect();
            mailbox.answer(finished(&messages, &turn.to_string()), parts).await.unwrap();
        }
        Step::Delivered(place) => {
            if let Some(part) = waiting.get(place) {
                mailbox.delivered(*part, MessageId::new(900)).await.unwrap();
            }
        }
        Step::Refused(place) => {
            if let Some(part) = waiting.get(place) {
                mailbox.refused(*part, "no".into()).await.unwrap();
            }
        }
        Step::Reopen | Step::Crash(..) => {}
    }
    None
}

/// What there may be after some of the calls, from the first on.
fn possible(plain: &Plain, calls: &[Step]) -> Vec<Plain> {
    let waiting = plain.waiting();
    let mut states = vec![plain.clone()];
    let mut next = plain.clone();
    for call in calls {
        next.apply(call, &waiting);
        states.push(next.clone());
    }
    states
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn whatever_returned_is_there_after_any_crash(
        steps in prop::collection::vec(step(), 1..30),
    ) {
        let mut plain = Plain::default();
        let mut life = Life::begin(tempfile::tempdir().unwrap());
        for step in steps {
            match &step {
                Step::Reopen => life = life.reopened(),
                Step::Crash(calls, turns) => {
                    let made = life.on_their_way(calls, *turns);
                    // One that does nothing returns at once, whatever those before it do.
                    let returned = made.iter().take_while(|call| call.is_finished()).count();
                    life = life.crashed();
                    let (found, possible) = (life.all(), possible(&plain, calls));
                    prop_assert!(
                        possible[returned..].contains(&found),
                        "{found:?} is none of {possible:?} after {returned} calls"
                    );
                    plain = found;
                }
                call => {
                    let waiting = life.parts().into_iter().map(|(_, id)| id).collect();
                    let done = carry_out(life.mailbox.clone(), call.clone(), waiting);
                    let told = life.runtime.block_on(done);
                    if let Step::Receive(messages) = call {
                        prop_assert_eq!(told, Some(plain.receive(messages)));
                    } else {
                        let waiting = plain.waiting();
                        plain.apply(call, &waiting);
                    }
                }
            }
            prop_assert_eq!(life.open(), plain.open());
            let parts: Vec<_> = life.parts().into_iter().map(|(part, _)| part).collect();
            prop_assert_eq!(parts, plain.waiting());
        }
        life.runtime.block_on(life.mailbox.close());
    }
}
