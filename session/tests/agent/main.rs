//! The agent against an endpoint that the test answers for, and a store on disk.

#![allow(clippy::unwrap_used, reason = "a step that fails is the test's failure")]
#![allow(clippy::disallowed_methods, reason = "the endpoint is a task")]

mod bench;
mod endpoint;

mod again;
mod answers;
mod cache;
mod control;
mod failures;
mod memory;
mod pairing;
mod spending;
mod tools;
