//! A Discord on localhost.
//!
//! Serves the main gateway, REST, the voice gateway (v8 and v4) and a DAVE-encrypted UDP voice
//! server, with humans that speak WAV files and faults on demand. Real client libraries use it
//! unpatched, with a changed base URL and a trusted CA file. It rejects what Discord rejects.
//!
//! ```text
//! rest ─┐                        ┌─ voice gateway ─┐
//! control ─┼─► world ──tickets──► │                 ├─► rooms ── DAVE external sender
//! gateway ─┘                      └─ voice udp ────┘
//! human: a plain client of its own, outside all of these
//! ```
//!
//! Does not: share protocol code with `clawvoice-voice`; an error made twice in the same file
//! would cancel itself out.

pub mod authority;
mod control;
pub mod fault;
pub mod gateway;
pub mod human;
pub mod journal;
pub mod listen;
pub mod proxy;
mod rest;
pub mod server;
pub mod similarity;
pub mod voice;
pub mod world;

pub use server::{Server, ServerSettings};
