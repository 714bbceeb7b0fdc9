//! What goes out to Discord beside answers to commands.
//!
//! ```text
//! text ─ prepare ─ directives ─ silent ─ traces ─ tables ─ mentions ─ prefix ─ chunk ─→ messages
//! message ─ reply, body (forum) ─→ JSON        answer of Discord ─ failure ─→ what follows
//! where to ─ target          files ─ media_lines, outgoing_file          recordings ─ voice_message
//! ```

pub mod body;
pub mod chunk;
mod code;
mod directives;
pub mod failure;
mod fence;
pub mod forum;
pub mod media_lines;
mod mentions;
pub mod outgoing_file;
pub mod prefix;
pub mod prepare;
pub mod reply;
mod silent;
mod tables;
pub mod target;
mod traces;
pub mod voice_message;

pub use self::{
    directives::ReplyTag,
    mentions::{Handles, KnownHandles},
    silent::may_become_silent,
};
