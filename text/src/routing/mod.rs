//! Which agent answers a message, in which conversation, and where the answer goes.
//!
//! ```text
//! Origin → Bindings (a thread that was bound) → Router (bindings of the file) → Route
//! ```
//!
//! [`Router`] is what the file says, compiled once; [`binding`] what people bind while the program
//! runs; [`thread`] and [`starter`] when a thread is opened, and how one begins.

pub mod binding;
mod compile;
mod index;
mod models;
pub(crate) mod name;
mod origin;
mod router;
pub mod starter;
pub mod thread;

pub use origin::{LastRoute, Origin, Route, Surface, Tier};
pub use router::Router;

#[cfg(test)]
pub(crate) mod tests;
