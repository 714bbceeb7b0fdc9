//! What waits for an agent: the turns of one session in order, and whether a session is stuck.
//!
//! Plain machines: inputs and the time go in, what is to be done comes out.

mod order;
mod settings;
mod stuck;

pub use order::{DropReason, Lane, LaneOutput, Outcome, Queued, RunNumber, Turn};
pub use settings::LaneSettings;
pub use stuck::{Progress, StuckOutput, StuckSession, StuckWatch};

/// What people are told when their message could not be given to the agent. Source: OpenClaw.
pub const BUSY: &str = "⚠️ Couldn't process this message because the session stayed busy. Please \
                        try again in a moment.";
