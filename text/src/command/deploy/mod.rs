//! What is to be told Discord about our slash commands, and whether anything is.
//!
//! ```text
//! definitions ─ fitting (limits) ─┬ fingerprint ─ Known (of the last time): as it was → nothing
//!                                 └ diff(what Discord has) → create, change, delete
//! ```
//!
//! Source: Discord, "Application Commands"; OpenClaw, "Slash commands".

mod diff;
mod known;
mod limits;
mod normal;

pub use diff::{Diff, diff};
pub use known::{Known, MAX_KNOWN, VERIFIED_FOR_MS};
pub use limits::{Fitting, MOST_COMMANDS, fitting};
pub use normal::fingerprint;
