//! Registers slash commands, beside the connection.

use std::{sync::Arc, time::Duration};

use secrecy::ExposeSecret as _;
use tokio::sync::oneshot;

use super::{
    gateway::GatewaySettings,
    rest::{CommandScope, Rest, RestFailure},
};
use crate::{
    command::definitions,
    connection::{backoff::Backoff, identity::application_in},
};

/// Begins; the receiver completes when the first try is over.
pub(super) fn start(rest: Arc<Rest>, settings: &GatewaySettings) -> oneshot::Receiver<()> {
    let (tried, first) = oneshot::channel();
    if settings.commands == CommandScope::Off {
        return first;
    }
    let settings = settings.clone();
    tokio::spawn(async move {
        let mut tried = Some(tried);
        let mut backoff = Backoff::new(2.0, Duration::from_millis(500), Duration::from_secs(60));
        loop {
            let outcome = register(&rest, &settings).await;
            if tried.take().is_some_and(|tried| tried.send(()).is_err()) {
                // Nobody connects any more.
                return;
            }
            match outcome {
                Ok(()) => return,
                Err(failure) if failure.may_pass() => {
                    let wait = backoff.next_wait(rand::random());
                    tracing::warn!(
                        "slash commands are not registered yet: {failure}; next try in {:.0} s",
                        wait.as_secs_f64()
                    );
                    tokio::time::sleep(wait).await;
                }
                // The connection tells of it, and ends.
                Err(RestFailure::TokenRefused) => return,
                Err(failure) => {
                    tracing::warn!("slash commands are not registered: {failure}");
                    return;
                }
            }
        }
    });
    first
}

async fn register(rest: &Rest, settings: &GatewaySettings) -> Result<(), RestFailure> {
    let application = match settings.application_id {
        Some(id) => id,
        None => match rest.application_id().await {
            Err(failure) if failure.may_pass() => {
                application_in(settings.token.expose_secret()).ok_or(failure)?
            }
            answer => answer?,
        },
    };
    rest.register(application, &settings.commands, &definitions(settings.voice)).await
}
