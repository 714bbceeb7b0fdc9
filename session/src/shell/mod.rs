//! Where the agent meets the world: tasks, HTTP, SQLite and the clock. Rules are elsewhere.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the shell is where tasks, locks, clocks and randomness are"
)]

pub mod agent;
pub mod audit;
pub mod brain;
mod heard;
mod http;
mod known_answers;
pub mod profile;
mod run;
pub mod spending;
pub mod store;
pub mod workspace;
