//! What waits to be sent, and what Discord did not take, as the store has it.

use std::path::Path;

use clawvoice_session::{mail::Refused, shell::store::Mailbox};
use serde::Serialize;

/// Refused messages of an account that are counted at most: older ones are left out.
const MOST: u32 = 10_000;
/// Of these, so many of the newest are told one by one.
const NEWEST: usize = 5;

/// An account's outbox.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Outbox {
    /// Messages that wait to be sent.
    pub(super) waiting: usize,
    /// Messages that Discord did not take, as far as they are still kept.
    pub(super) refused: usize,
    /// The newest of these. Nobody's words are told.
    pub(super) newest: Vec<NotTaken>,
}

/// A message that Discord did not take.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct NotTaken {
    /// When it was given up.
    pub(super) at: String,
    /// Where it was to go: `channel:<id>` or `user:<id>`.
    pub(super) to: String,
    /// Why.
    pub(super) why: String,
}

/// Where outboxes are looked up.
pub(super) struct Outboxes {
    mailbox: Option<Mailbox>,
}

impl Outboxes {
    /// Of the store's file. One that is not there yet is not made.
    pub(super) async fn open(store: &Path) -> Result<Self, String> {
        if !store.exists() {
            return Ok(Self { mailbox: None });
        }
        let mailbox = Mailbox::open(store).await.map_err(|error| error.to_string())?;
        Ok(Self { mailbox: Some(mailbox) })
    }

    /// An account's.
    pub(super) async fn of(&self, account: &str) -> Result<Outbox, String> {
        let Some(mailbox) = &self.mailbox else { return Ok(Outbox::default()) };
        let looked = async {
            let waiting = mailbox.undelivered(account).await?.len();
            Ok((waiting, mailbox.refused_parts(account, MOST).await?))
        };
        let (waiting, refused) = looked
            .await
            .map_err(|error: clawvoice_session::shell::store::StoreError| error.to_string())?;
        let newest = refused.iter().take(NEWEST).map(NotTaken::of).collect();
        Ok(Outbox { waiting, refused: refused.len(), newest })
    }

    pub(super) async fn close(self) {
        if let Some(mailbox) = self.mailbox {
            mailbox.close().await;
        }
    }
}

impl NotTaken {
    fn of(refused: &Refused) -> Self {
        use clawvoice_session::mail::Target;
        let to = match refused.part.message.to {
            Target::Channel(channel) => format!("channel:{channel}"),
            Target::User(user) => format!("user:{user}"),
        };
        Self { at: refused.at.to_string(), to, why: refused.error.clone() }
    }
}
