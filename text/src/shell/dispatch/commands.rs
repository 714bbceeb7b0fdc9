//! Interactions: carried out beside the events, so many at a time.

use std::sync::Arc;

use clawvoice_session::Directory;

use super::{Dispatcher, Surroundings};
use crate::{
    command::{
        self, Completion, Doors, Invocation, SlashReply,
        argument_menu::{MenuClick, clicked},
        model_picker::PickerId,
    },
    control,
    incoming::{Act, Interaction},
    interaction::ComponentUse,
    shell::{clock::now, interaction_calls::Answering, rest::RestFailure},
};

/// The kind of handler there is, and its event.
const COMMAND: (&str, &str) = ("slash-command", "INTERACTION_CREATE");

/// Discord's code for an interaction that it has given up, for whatever was late.
const UNKNOWN_INTERACTION: u64 = 10_062;

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
    let to = Answering { rest: &around.rest, application, interaction: id, token: &token };
    let (what, outcome) = match act {
        Act::Command(invocation) => {
            let name = format!("/{}", invocation.name);
            (name, command(invocation, to, around, directory).await)
        }
        Act::Complete(completion) => {
            let name = format!("/{}, as it is typed,", completion.invocation.name);
            (name, complete(completion, to, around).await)
        }
        Act::Component(click) => ("a click".to_owned(), component(click, to, around).await),
        Act::Modal(_) => {
            tracing::debug!("a form that nobody asked for is left alone");
            return;
        }
    };
    match outcome {
        Ok(()) => {}
        Err(failure) if failure.code() == Some(UNKNOWN_INTERACTION) => {
            tracing::debug!("{what} is answered too late: {failure}");
        }
        Err(failure) => tracing::warn!("{what} is not answered: {failure}"),
    }
}

async fn command(
    invocation: Invocation,
    to: Answering<'_>,
    around: &Surroundings,
    directory: &Directory,
) -> Result<(), RestFailure> {
    let private = around.ephemeral
        || command::is_voice(&invocation)
        || control::is_private(&invocation, &around.definitions);
    to.defer(private).await?;
    let reply = match &around.slash {
        Some(slash) if !command::is_voice(&invocation) => slash.answer(invocation.clone()).await,
        _ => None,
    };
    let reply = match reply {
        Some(reply) => reply,
        None => {
            let policy = Arc::clone(&around.policy.borrow());
            let doors = Doors { voice: around.voice.as_deref(), policy: &policy, directory };
            SlashReply::Said(command::answer(&invocation, doors).await)
        }
    };
    to.answer(&reply, private).await
}

/// Whoever may not give the command, and whoever asks too late, is offered nothing.
async fn complete(
    completion: Completion,
    to: Answering<'_>,
    around: &Surroundings,
) -> Result<(), RestFailure> {
    let choices = match &around.slash {
        Some(slash) => slash.complete(completion).await,
        None => Vec::new(),
    };
    to.offer(&choices).await
}

async fn component(
    click: ComponentUse,
    to: Answering<'_>,
    around: &Surroundings,
) -> Result<(), RestFailure> {
    match clicked(&click, &around.definitions) {
        MenuClick::NotOurs if PickerId::is_one(&click.custom_id) => {
            // Acknowledged at once; a picker that is somebody else's is not changed by it.
            to.acknowledge().await?;
            let Some(slash) = &around.slash else { return Ok(()) };
            let mut shown = slash.pick(click).await;
            while let Some(reply) = shown.recv().await {
                to.answer(&reply, true).await?;
            }
            Ok(())
        }
        MenuClick::NotOurs => {
            tracing::debug!("a component that nobody asked for is left alone");
            Ok(())
        }
        MenuClick::Foreign => to.acknowledge().await,
        MenuClick::Refused(why) => to.update(why).await,
        MenuClick::Chosen { told, invocation } => {
            to.update(&told).await?;
            let reply = match &around.slash {
                Some(slash) => slash.answer(invocation).await,
                None => None,
            };
            let gone = || SlashReply::Said(command::argument_menu::NO_COMMAND.to_owned());
            to.follow_with(&reply.unwrap_or_else(gone)).await
        }
    }
}
