//! What came in and has to be dealt with, what goes out and has to arrive, and what happened
//! meanwhile: the values that [`crate::shell::store::Mailbox`] keeps.
//!
//! A message is written down before anything is done about it, and stays open until it is answered,
//! dropped or given up. An answer is written down, part by part, together with the end of what it
//! answers, and each part stays open until Discord has it or refuses it. So whatever is open after
//! a crash is what there is left to do.

mod event;
mod inbox;
mod outbox;
mod retention;

pub use event::{Event, EventKind, Logged};
pub use inbox::{Arrival, Outcome, Received};
pub use outbox::{Finished, NewPart, Part, PartId, Refused, Target};
pub use retention::{Forgotten, Retention, Swept};
