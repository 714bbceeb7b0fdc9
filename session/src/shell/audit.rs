//! The task that writes down what credentials are used for.

use jiff::Timestamp;
use serde_json::json;
use tokio::{sync::oneshot, task::JoinHandle};

use super::store::Mailbox;
use crate::{
    audit::{Auditor, KnownUse, Ledger, Noted, Output, Reports},
    mail::{Event, EventKind},
};

/// The running task.
#[derive(Debug)]
pub struct RunningAudit {
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl RunningAudit {
    /// Starts it on both ends of [`crate::audit::auditor`]. What earlier processes knew is read from
    /// the mailbox, and what is told is kept there.
    pub async fn start(mailbox: Mailbox, auditor: Auditor, reports: Reports) -> Self {
        let known: Vec<KnownUse> = mailbox.credential_uses().await.unwrap_or_else(|error| {
            tracing::warn!("what credentials were used for is not known: {error}");
            Vec::new()
        });
        let (stop, stopped) = oneshot::channel();
        let scribe = Scribe { ledger: Ledger::new(known), mailbox, auditor };
        Self { stop, task: tokio::spawn(scribe.run(reports, stopped)) }
    }

    /// Writes what there is and ends. What is told later is lost.
    pub async fn stop(self) {
        // It may have ended by a panic; then that is in the log.
        let _ = self.stop.send(());
        let _ = self.task.await;
    }
}

struct Scribe {
    ledger: Ledger,
    mailbox: Mailbox,
    auditor: Auditor,
}

impl Scribe {
    async fn run(mut self, mut reports: Reports, mut stopped: oneshot::Receiver<()>) {
        loop {
            let due = self.ledger.poll_timeout();
            tokio::select! {
                biased;
                report = reports.recv() => match report {
                    Some(report) => self.ledger.handle(Timestamp::now(), report),
                    None => break,
                },
                () = sleep_until(due) => self.ledger.handle_timeout(Timestamp::now()),
                _ = &mut stopped => break,
            }
            self.drain().await;
        }
        self.ledger.finish();
        self.drain().await;
    }

    async fn drain(&mut self) {
        while let Some(output) = self.ledger.poll_output() {
            let kept = match output {
                Output::Warn(anomaly) => {
                    self.auditor.counts().note_anomaly();
                    tracing::warn!("{anomaly}");
                    Ok(())
                }
                Output::Save(known) => self.mailbox.save_credential_use(known).await,
                Output::Log(noted) => self.mailbox.event(event(noted)).await,
            };
            if let Err(error) = kept {
                // That the file takes nothing is told by the mailbox.
                tracing::debug!("the use of a credential is not written down: {error}");
            }
        }
    }
}

fn event(noted: Noted) -> Event {
    let Noted { id, path, purpose, answer, uses } = noted;
    Event {
        account: String::new(),
        conversation: String::new(),
        user: None,
        kind: EventKind::Credential,
        detail: json!({
            "credential": id.as_str(), "path": path, "purpose": purpose.word(),
            "answer": answer.word(), "uses": uses,
        }),
    }
}

/// By the wall clock: what is kept is in its time.
async fn sleep_until(due: Option<Timestamp>) {
    match due {
        Some(due) => {
            let wait = due.duration_since(Timestamp::now());
            tokio::time::sleep(wait.try_into().unwrap_or_default()).await;
        }
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::{Answer, Purpose, auditor};

    #[tokio::test]
    async fn uses_are_kept_and_known_to_the_next_process() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s.sqlite");
        let secret = "abc".to_owned().into();
        for (run, uses) in [(1, 2), (2, 4)] {
            let mailbox = Mailbox::open(&path).await.unwrap();
            let (auditor, reports) = auditor();
            let key = auditor.declare("models.providers.x.apiKey", &secret, Purpose::Model);
            let never = auditor.declare("tools.media.audio.apiKey", &secret, Purpose::Speech);
            let audit = RunningAudit::start(mailbox.clone(), auditor, reports).await;
            key.used(Answer::Ok);
            key.used(Answer::Unknown);
            drop((key, never));
            audit.stop().await;
            let known = mailbox.credential_uses().await.unwrap();
            let told: Vec<_> =
                known.iter().map(|it| (it.id.as_str(), it.purpose, it.uses, it.answer)).collect();
            let expected = [
                ("ba7816bf", Purpose::Model, uses, Some(Answer::Ok)),
                ("ba7816bf", Purpose::Speech, 0, None),
            ];
            assert_eq!(told, expected, "run {run}");
            assert_eq!(known[0].first_seen, known[1].first_seen);
            let events = mailbox.events("", "", 0, 99).await.unwrap();
            let counted: u64 =
                events.iter().map(|it| it.event.detail["uses"].as_u64().unwrap()).sum();
            assert_eq!((counted, events[0].event.kind), (uses, EventKind::Credential));
            assert_eq!(events[0].event.detail["path"], "models.providers.x.apiKey");
            mailbox.close().await;
        }
        let bytes = std::fs::read(&path).unwrap();
        assert!(bytes.windows(8).any(|it| it == b"ba7816bf"));
    }
}
