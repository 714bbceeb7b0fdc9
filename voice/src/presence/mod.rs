//! Where the bot is: joins, leaves, moves and what brings it back, sans-IO.
//!
//! At most one voice session per guild. [`Presence`] takes what `/vc`, the main gateway and the
//! running sessions say, and answers with [`Output`]s: ask Discord, start a session, end it. Every
//! account has a presence of its own.
//!
//! ```text
//! Idle → Joining(at the gateway → at the voice server) → Connected → Leaving → Idle
//!                                                         ↓ ended on its own
//!                          Joining ← Pausing ← Leaving ← rejoin,  Detached (waits for a move)
//! ```
//!
//! What makes the bot go where, each in a file of its own: somebody's wish (`join`, `leave`), fixed
//! rooms (`auto_join`, `occupancy`), followed users (`follow`, and `reconcile` for what the gateway
//! did not tell), and where it must not be (`residency`). The newest wish wins; an owner goes with
//! every session, so that what was brought by a rule is taken away by it.

mod auto_join;
mod check;
mod credentials;
mod follow;
mod join;
mod leave;
pub mod link;
mod machine;
mod names;
mod occupancy;
mod output;
mod people;
mod phase;
mod reconcile;
mod reload;
mod residency;
mod roles;
mod rooms;
mod session_end;
mod settings;
#[cfg(test)]
mod tests;
mod whereabouts;

pub use machine::Presence;
pub use output::{Connection, Half, Output, Ticket, Timer};
pub use settings::{AutoJoin, Labels, PresenceSettings};
