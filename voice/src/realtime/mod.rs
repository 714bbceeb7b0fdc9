//! Realtime speech providers: their wire events as values, and back.
//!
//! Does not: open sockets, keep turns, or decide when to interrupt. That is
//! [`conversation`](crate::conversation).

pub mod local;
pub mod openai;
