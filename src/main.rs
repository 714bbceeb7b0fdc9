//! The `clawvoice` binary: an AI agent in Discord voice channels.
//!
//! Arguments are in [`cli`], each verb in [`commands`], the wiring of the crates in [`app`].
//! No behaviour of its own.

mod agent;
mod app;
mod bot;
mod cli;
mod commands;
mod connection;
mod conversation;
mod credentials;
mod health;
mod invite;
mod keeping;
mod log_file;
mod printer;
mod provider;
mod reload;
mod speech;
mod supervisor;
mod text;
mod timeline;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run()
}
