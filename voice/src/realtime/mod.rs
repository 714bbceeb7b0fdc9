//! Realtime speech providers: their wire events as values, and back.
//!
//! ```text
//! Command → a provider's Codec → frames        a frame → the Codec → ServerEvents
//!                              error, close, HTTP status → failure.rs → Treatment
//! ```
//!
//! Every provider has a [`Codec`] of its own, sans-IO, one per connection; what lies above knows
//! only the values of this module. Does not: open sockets, keep turns, or decide when to
//! interrupt. That is [`conversation`](crate::conversation).

mod codec;
mod event;
mod failure;
pub mod gemini;
pub mod local;
pub mod openai;
mod pcm;
mod resample;

pub use codec::{
    CONFIGURE_EVENT_ID, Capabilities, Codec, Command, Frame, Profile, SessionSettings, Shape,
    ToolDefinition, TurnDetection,
};
pub use event::{
    AudioDelta, DecodeStats, FunctionCall, ItemKind, ItemStatus, RateLimit, ResponseStatus,
    ServerEvent, TranscriptionUsage, Unreadable, Usage,
};
pub use failure::{Closed, Failure, Treatment};
pub(crate) use resample::To16k;

/// Sample rate of all audio that goes into and comes out of a [`Codec`], in Hz; mono, 16 bit. A
/// provider that speaks another rate is resampled by its codec.
pub const SAMPLE_RATE: u32 = 24_000;

/// Longest frame that is read, in bytes: a longer one is refused and its connection recycled.
pub const MAX_EVENT_BYTES: usize = 16 * 1024 * 1024;
