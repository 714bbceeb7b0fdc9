//! What is on its way to Discord: written down before it is sent, sent in order, and never twice.
//!
//! ```text
//! outgoing  a message that waits, in the form in which it is kept
//! courier   which one goes next, and what becomes of one that fails
//! budget    how many go to a place at a time, and how many may wait for it
//! ```
//!
//! A message keeps its nonce over all attempts and over restarts, so that Discord posts it once
//! however often it is asked. Source: Discord, "Create Message", `enforce_nonce`.

mod budget;
pub(crate) mod courier;
pub(crate) mod outgoing;
