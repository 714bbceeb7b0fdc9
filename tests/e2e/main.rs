//! The `clawvoice` binary against a localcord in this process: real sockets, real time, real
//! encryption. Each test has a server of its own.
//!
//! Nothing here sleeps: a test waits for a log line, a timeline record or an entry of localcord's
//! journal, and fails when that does not come in time.

#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test fails by panicking, its helpers included; a failed one prints the agent's log"
)]

mod agent;
mod audio;
mod browser;
mod fake_provider;
mod feed;
mod provider_script;
mod scene;

mod accounts;
mod batch;
mod brain;
mod closes;
mod conversation;
mod dashboard;
mod faults;
mod health;
mod interruption;
mod members;
mod message;
mod provider_faults;
mod provider_garbage;
mod provider_hearing;
mod provider_refusals;
mod reload;
mod secrets;
mod speakers;
mod stage;
mod start;
mod stop;
mod text;
mod two_bots;
mod voice_garbage;
mod whereabouts;

use std::{future::Future, time::Duration};

/// Longer than anything here takes on a busy machine.
const SOON: Duration = Duration::from_secs(40);

/// Waits for `future`, but not for ever.
async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    let waited = tokio::time::timeout(SOON, future).await;
    waited.unwrap_or_else(|_| panic!("waited too long for {what}"))
}
