//! What people see of an answer before it is there: typing, reactions and previews.
//!
//! Plain machines: inputs and the time go in, what Discord is to be told comes out. Whoever drives
//! them carries the outputs out and tells what became of them.

mod ack;
mod delete_queue;
mod emoji;
mod preview;
mod status_reactions;
mod typing;

pub use ack::AckRules;
pub use delete_queue::{DeleteQueue, LeftBehind};
pub use emoji::Emoji;
pub use preview::{CallFailed, FinalAnswer, Gate, Pace, Preview, PreviewOutput};
pub use status_reactions::{StatusEnd, StatusOutput, StatusReactions};
pub use typing::TypingLease;

/// How a message reached the agent, as far as feedback goes by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Addressed {
    /// In a direct message.
    Direct,
    /// In a guild or a group direct message, with a mention.
    Mentioned,
    /// In a guild or a group direct message, without one.
    Unmentioned,
}
