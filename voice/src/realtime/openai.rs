//! The OpenAI Realtime wire protocol: JSON text frames, audio as base64 in them.
//!
//! ```text
//! commands (values) → command.rs → text frame      text frame → event.rs → ServerEvent
//!                                                  error, close, HTTP status → failure.rs → Treatment
//! ```
//!
//! Sends the names of the generally available interface; accepts the names of the beta and of
//! compatible servers as well. Unknown events and fields are skipped and counted, so a newer or an
//! odd server cannot end a conversation.
//!
//! Source: OpenAI, "Realtime API reference" (client and server events) and its migration guide.

mod command;
mod event;
mod failure;

pub use command::{
    SessionSettings, TurnDetection, UPDATE_EVENT_ID, append, commit, delete_item, response_cancel,
    response_create, session_update, truncate_item,
};
pub use event::{
    AudioDelta, DecodeStats, Decoder, FunctionCall, ItemKind, ResponseStatus, ServerEvent,
    Unreadable,
};
pub use failure::{Closed, Failure, Treatment};

/// The provider's sample rate in both directions, in Hz; mono, 16 bit, little endian.
pub const SAMPLE_RATE: u32 = 24_000;

/// Longest text frame that is read, in bytes: a longer one is refused and its connection recycled.
pub const MAX_EVENT_BYTES: usize = 16 * 1024 * 1024;
