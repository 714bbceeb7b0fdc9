//! The calls of REST, at a localcord and at a Discord made of a few lines of axum.

#![allow(clippy::unwrap_used, reason = "a step that fails is the test's failure")]

mod at_localcord;
mod audience;
mod calls;
mod fake;
