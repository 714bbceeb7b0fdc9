//! The media server: one Discord voice connection per guild, its conversation, and the realtime
//! provider behind it.
//!
//! ```text
//! datagram → wire → call (AEAD, DAVE, order, Opus) → conversation (turns, barge-in) → realtime → socket
//! socket → realtime → conversation (playback) → call (Opus, DAVE, AEAD) → wire → datagram
//! ```
//!
//! Everything outside [`shell`] is sans-IO: plain structs that take inputs and the time and give
//! outputs. `clippy.toml` beside this crate's manifest bans clocks, sleeps, spawns, locks and
//! ambient randomness there.
//!
//! Does not: talk to the main gateway or REST (the text crate does), read configuration files,
//! or know of text messages.

pub mod batch;
pub mod board;
pub mod call;
pub mod conversation;
mod detector;
mod dsp;
pub mod presence;
pub mod realtime;
pub mod recording;
pub mod review;
mod roster;
pub mod session;
pub mod shell;
pub mod timeline;
pub mod wire;
