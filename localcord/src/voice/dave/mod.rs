//! The DAVE delivery service: the external sender of an MLS group and the state of one call.
//!
//! Sans-IO. A [`Group`] is told what members send (`handle_*`, with the time in milliseconds) and
//! answers with what they are to be sent. It never sees a media key: it hands out key packages,
//! proposals, commits and welcomes, and keeps enough of the tree to know who sits on which leaf.
//!
//! Sources: the DAVE protocol whitepaper, "Voice Gateway Opcodes" and "Commit Validation";
//! RFC 9420 sections 5.2 (references), 6 (messages), 7.7 (leaf positions), 12 (proposals).

mod commit;
mod error;
mod group;
mod message;
mod round;
mod sender;
#[cfg(test)]
mod tests;
mod wire;

pub use self::{
    commit::Rejection,
    error::DaveError,
    group::{Group, GroupSettings, Note, Outputs, Race, UserId},
    message::Message,
    sender::ExternalSender,
};

/// The protocol version this server speaks.
pub const PROTOCOL_VERSION: u16 = 1;
