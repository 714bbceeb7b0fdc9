//! The text side: the main gateway, REST, messages and their answers, and commands.
//!
//! ```text
//! Discord → shell/gateway → incoming → voice events            → (channel) → voice
//!                                    → command/vc → VoiceControl → (door)   → voice
//!                                    → text events → (feed)      → shell/desk
//! voice → (channel) voice state requests → shell/gateway → op 4 → Discord
//!
//! shell/desk ─ inbound ─ routing ─ lane ─ history, envelope ─ (door) ─ the agent
//!     │                                                            │
//!     └ control (commands)         Discord ← requests ← outbox ← delivery, feedback
//!
//! audio file → delivery/voice_message → shell/voice_message → shell/rest → Discord
//! Discord's files → shell/media → a folder of the state
//! ```
//!
//! Everything outside [`shell`] is free of sockets, tasks and clocks. twilight's types stay inside
//! [`shell`]; what leaves the crate is `clawvoice_session`'s.
//!
//! Does not: know the voice crate, read configuration files, or hear and speak
//! in voice channels.

pub mod audience;
pub mod command;
mod connection;
pub mod control;
pub mod delivery;
pub mod envelope;
pub mod feedback;
pub mod guild;
pub mod history;
pub mod inbound;
mod incoming;
pub mod interaction;
pub mod lane;
pub mod media;
mod memory;
pub mod message;
mod outbox;
pub mod place;
mod recent;
mod requests;
pub mod routing;
pub mod shell;
