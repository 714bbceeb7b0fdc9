//! The text side of localcord over real sockets: what bots and humans do in writing, what the
//! gateway tells of it, and what is refused.

#![allow(clippy::unwrap_used, reason = "a step that fails is the test's failure")]

mod bulk;
mod content;
mod control;
mod direct;
mod discord;
mod faults;
mod forums;
mod interactions;
mod messages;
mod pins;
mod reactions;
mod references;
mod threads;
mod webhooks;
