//! The rules of REST: which request goes next, when, and what is asked again.
//!
//! ```text
//! route     which requests share a rate limit, and who goes first
//! bucket    what Discord says about a rate limit
//! retry     what is asked again, and when
//! refusals  answers that count towards Discord's ban
//! lines     one line for each rate limit
//! schedule  all of it: the queue
//! nonce     what makes a message the same message when it is asked again
//! settings  what others set
//! ```
//!
//! Source: Discord, "Rate Limits".

pub(crate) mod bucket;
mod lines;
pub(crate) mod nonce;
pub(crate) mod refusals;
pub(crate) mod retry;
pub(crate) mod route;
pub(crate) mod schedule;
pub(crate) mod settings;
