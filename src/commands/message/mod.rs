//! `clawvoice message`: does one thing on Discord as the bot, and ends.
//!
//! What is sent is prepared and cut by the same code as the answers of the running agent.

mod change;
mod delivery;
mod plan;
mod read;
pub(crate) mod refusal;
mod roots;
mod send;
pub(crate) mod target;
mod thread;
mod voice;

use super::gateway::start_log;
use crate::{
    cli::message::{MessageCommand, ThreadCommand},
    printer::Failure,
};

/// Runs the command.
pub(crate) fn run(command: &MessageCommand) -> Result<(), Failure> {
    start_log(false, None);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::unexpected(format_args!("no async runtime: {error}")))?;
    let outcome = runtime.block_on(async {
        match command {
            MessageCommand::Send(args) => send::run(args).await,
            MessageCommand::Read(args) => read::run(args).await,
            MessageCommand::Edit(args) => change::edit(args).await,
            MessageCommand::Delete(args) => change::delete(args).await,
            MessageCommand::React(args) => change::react(args).await,
            MessageCommand::Thread(ThreadCommand::Create(args)) => thread::create(args).await,
        }
    });
    // Whatever still runs (a DNS look-up, say) must not hold up the exit.
    runtime.shutdown_background();
    outcome
}
