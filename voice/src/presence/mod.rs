//! Where the bot is: joins, leaves, moves and what brings it back, sans-IO.
//!
//! At most one voice session per guild. [`Presence`] takes what `/vc`, the main gateway and the
//! running sessions say, and answers with [`Output`]s: ask Discord, start a session, end it.
//!
//! ```text
//! Idle → Joining(at the gateway → at the voice server) → Connected → Leaving → Idle
//!                                                         ↓ ended on its own
//!                          Joining ← Pausing ← Leaving ← rejoin,  Detached (waits for a move)
//! ```

mod auto_join;
mod join;
mod leave;
pub mod link;
mod machine;
mod names;
mod output;
mod phase;
mod rooms;
mod session_end;
mod settings;
#[cfg(test)]
mod tests;
mod whereabouts;

pub use machine::Presence;
pub use output::{Connection, Half, Output, Ticket, Timer};
pub use settings::{AutoJoin, Labels, PresenceSettings};
