//! What was said in a channel since the agent's last answer, without it being asked.
//!
//! ```text
//! message that is passed over ─ push ─→ Pending ─ peek ─→ the turn's envelope
//! REST, once after a start ─ refill ──────↑  ↑
//! the turn was answered ─ clear ─────────────┘
//! ```
//!
//! Only messages of people who may talk to the agent get here: whoever pushes has asked
//! `clawvoice_session::access`.
//!
//! Source: OpenClaw, "Discord", sections on history and context visibility.
//!
//! Does not: fetch messages or images.

mod entry;
mod images;
mod pending;
mod refill;
mod visibility;

pub use self::{
    entry::Entry,
    images::{IMAGE_IDLE, IMAGES_TOTAL, MOST_IMAGE_BYTES, MOST_IMAGES, images},
    pending::Pending,
    refill::{Sight, Span, refill},
    visibility::{Part, is_shown, shown},
};
