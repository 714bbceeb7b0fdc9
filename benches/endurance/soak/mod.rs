//! What a long life costs: memory over a day in virtual time, and over minutes of the real program.
//!
//! ```text
//! virtual_day  one session and the local provider, 24 hours, all of the bytes they hold
//! real         the release binary on localcord, its resident memory
//! heap         counted
//! ```

mod heap;
pub(crate) mod real;
pub(crate) mod virtual_day;
