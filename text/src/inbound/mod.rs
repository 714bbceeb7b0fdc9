//! From a message of Discord to a decision: dropped for a reason, or the agent's.
//!
//! ```text
//! frame → dedup → debounce → judge ⇄ what must be known (channel, REST, PluralKit, pairing, …)
//!                              ├─ dropped: reason, and whether it is remembered
//!                              ├─ a notice of Discord, in words
//!                              └─ admitted → router → intent → loop_guard → a turn
//! ```
//!
//! [`judge()`] is a function without memory; [`InboundPolicy`] is what it judges by. The rest of the files
//! are steps of it, or machines that the shell drives.
//!
//! Does not: ask Discord, PluralKit or a store anything, or decide which session a message is of.

mod attention;
mod backlog;
mod bots;
mod command_authority;
mod debounce;
mod dedup;
mod dm;
mod echo;
mod entry;
mod frame;
mod hydration;
pub mod intent;
mod judge;
mod loop_guard;
mod markup;
mod mention;
mod patterns;
mod plural;
mod policy;
mod reason;
pub mod router;
mod sender;
mod system_event;
mod telling;
mod text;
mod verdict;
mod whereabouts;

pub use attention::Attention;
pub use debounce::{Batch, Debounce};
pub use dedup::Dedup;
pub(crate) use dm::is_heard_in_private;
pub use dm::{pairing_reason, pairing_reply};
pub use echo::Sent;
pub use entry::Entry;
pub use frame::{Created, read, read_event};
pub use hydration::hydrated;
pub use judge::{check_author, judge};
pub use loop_guard::LoopGuard;
pub use patterns::PatternWarning;
pub use plural::PluralMember;
pub use policy::InboundPolicy;
pub use reason::{DropCounters, DropReason};
pub use sender::Sender;
pub use telling::Telling;
pub use text::{for_model, own_text};
pub use verdict::{
    Admitted, BoundThread, Dropped, Hydration, Known, Need, Surface, TextCommand, Verdict,
};
pub use whereabouts::place;

#[cfg(test)]
mod tests;
