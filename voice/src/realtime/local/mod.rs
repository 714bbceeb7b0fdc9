//! The `local` realtime provider: an OpenAI Realtime server inside this process.
//!
//! ```text
//! client event (JSON) → session → input (VAD over audio time) → conversation (history)
//!                               → response (paced deltas)     → server event (JSON)
//! ```
//!
//! It speaks the GA wire protocol as the far side of it, so the bridge that talks to OpenAI runs
//! unchanged without a key or a network: for the demo, for tests, and as an echo test on real
//! Discord. It refuses what OpenAI refuses, with the same error codes where they are public.
//! Source: OpenAI API reference, "Realtime", client events and server events.
//!
//! Everything here is sans-IO; `shell::local_provider` puts it on a loopback socket. It shares no
//! encoder or decoder with the client side of the protocol: a mistake made in both would hide
//! itself.
//!
//! Does not: understand speech (its transcripts are a script's), encode G.711, act on
//! `idle_timeout_ms`.

mod conversation;
mod emitter;
mod fault;
mod input;
mod player;
mod recognise;
mod refusal;
mod response;
mod script;
mod session;
mod session_object;
mod speech;
mod vad;
mod wav;

pub use emitter::{Note, Output};
pub use fault::Fault;
pub use recognise::Recogniser;
pub use script::{
    Action, Assertion, AtEnd, Pace, Pattern, Scenario, Script, ScriptError, Step, Turn, Wait,
};
pub use session::{Behaviour, LocalSession, Settings, Timer};
pub use speech::Voice;
pub use wav::{WavError, read_wav};

/// Samples per second of all audio on the wire: 16-bit mono PCM.
pub const SAMPLE_RATE: u32 = 24_000;

/// Samples per millisecond on the wire.
const SAMPLES_PER_MS: usize = 24;

/// Whole milliseconds of a number of samples, rounded down.
const fn samples_to_ms(samples: u64) -> u64 {
    samples / SAMPLES_PER_MS as u64
}
