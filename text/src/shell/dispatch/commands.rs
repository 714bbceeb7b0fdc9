//! Slash commands: carried out beside the events, so many at a time.

use std::sync::Arc;

use clawvoice_session::Directory;

use super::{Dispatcher, Surroundings};
use crate::{
    command::{self, Doors, answer},
    incoming::{Act, Interaction},
    shell::clock::now,
};

/// The kind of handler there is, and its event.
const COMMAND: (&str, &str) = ("slash-command", "INTERACTION_CREATE");

impl Dispatcher {
    pub(super) fn start_waiting(&mut self) {
        while !self.waiting.is_empty() {
            let (name, event) = COMMAND;
            let Some(number) = self.listeners.handle_begin(now(), name, event) else { break };
            let Some(interaction) = self.waiting.pop_front() else { break };
            let around = self.around.clone();
            let directory = Arc::clone(&self.directory);
            self.handlers.spawn(async move {
                carry_out(interaction, &around, &directory).await;
                number
            });
        }
        self.around.monitor.listeners(self.handlers.len());
    }

    pub(super) fn ended(&mut self, number: Option<u64>) {
        self.around.monitor.refused(self.around.rest.refusals());
        // A handler that panicked is in the log already; its slot stays taken, as it may be at work.
        if let Some(line) = number.and_then(|number| self.listeners.handle_end(now(), number)) {
            tracing::warn!("{line}");
        }
        self.start_waiting();
    }
}

async fn carry_out(interaction: Interaction, around: &Surroundings, directory: &Directory) {
    let Interaction { id, application, token, act } = interaction;
    let Act::Command(invocation) = act else {
        tracing::debug!("an interaction that nobody asked for is left alone");
        return;
    };
    if let Err(failure) = around.rest.defer(application, id, &token).await {
        tracing::warn!("/{} is not carried out: {failure}", invocation.name);
        return;
    }
    let policy = Arc::clone(&around.policy.borrow());
    let doors = Doors { voice: around.voice.as_deref(), policy: &policy, directory };
    let reply = match &around.slash {
        Some(slash) if !command::is_voice(&invocation) => slash.answer(invocation.clone()).await,
        _ => None,
    };
    let reply = match reply {
        Some(reply) => reply,
        None => answer(&invocation, doors).await,
    };
    if let Err(failure) = around.rest.answer(application, &token, &reply).await {
        tracing::warn!("the reply to /{} is lost: {failure}", invocation.name);
    }
}
