//! What all that deal with text of one account share.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use clawvoice_config::Config;
use clawvoice_session::{
    UserId,
    agent::{Agent, RunId},
    shell::store::Mailbox,
};
use tokio::sync::watch;

use super::{super::rest::DiscordRest, courier::CourierDoor, sent::SharedSent};
use crate::{envelope::Marker, inbound::InboundPolicy, routing::Router};

/// Runs of text have this bit in their numbers, so that none has a number of voice's.
const TEXT_RUNS: u64 = 1 << 63;

/// The rules of an account, as its configuration says them: replaced as a whole when it changes.
#[derive(Debug)]
pub(super) struct Rules {
    pub(super) config: Arc<Config>,
    pub(super) inbound: InboundPolicy,
    pub(super) router: Router,
}

impl Rules {
    /// Those of an account; `config` is as the account has it.
    pub(super) fn new(config: Arc<Config>, account: &str) -> Self {
        let inbound = InboundPolicy::new(&config, &config.discord, account);
        let router = Router::new(&config, account, &config.discord);
        for warning in router.warnings() {
            tracing::warn!("account {account}: {warning}");
        }
        Self { config, inbound, router }
    }
}

/// What tasks of one account share.
pub(super) struct Around {
    pub(super) account: String,
    pub(super) rest: DiscordRest,
    pub(super) mailbox: Mailbox,
    pub(super) agent: Arc<dyn Agent>,
    pub(super) courier: CourierDoor,
    pub(super) sent: SharedSent,
    /// Marks what is told to the model beside people's words.
    pub(super) marker: Marker,
    /// The bot's own user, once it is known.
    pub(super) own: watch::Receiver<Option<UserId>>,
    /// True at the end: what is open then stays open for the next process.
    pub(super) closing: watch::Receiver<bool>,
    runs: AtomicU64,
}

impl Around {
    /// A number for a run that nobody else has.
    pub(super) fn next_run(&self) -> RunId {
        RunId::new(TEXT_RUNS | self.runs.fetch_add(1, Ordering::Relaxed))
    }

    /// Whether the process is on its way down.
    pub(super) fn is_closing(&self) -> bool {
        *self.closing.borrow()
    }
}
