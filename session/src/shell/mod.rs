//! Where the agent meets the world: tasks, HTTP, SQLite and the clock. Rules are elsewhere.

pub mod agent;
pub mod brain;
mod http;
mod run;
pub mod store;
