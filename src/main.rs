//! The `clawvoice` binary: an AI agent in Discord voice channels.
//!
//! Arguments are in [`cli`], each verb in [`commands`], the wiring of the crates in [`app`].
//! No behaviour of its own.

mod agent;
mod app;
mod cli;
mod commands;
mod conversation;
mod invite;
mod printer;
mod provider;
mod speech;
mod timeline;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run()
}
