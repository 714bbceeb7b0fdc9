//! The bridge's rules against the local provider, joined in virtual time: a [`Conversation`] on one
//! side, a `LocalSession` with a scenario script for each of its connections on the other. No
//! socket, no clock; what a script expects of the client fails the test when it is not met.
//!
//! The tests are numbered like the scenarios they prove.
//!
//! [`Conversation`]: clawvoice_voice::conversation::Conversation

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, its helpers included")]

mod connections;
mod consults;
mod interruption;
mod odd_events;
mod speech;
mod world;
