//! Sockets and tasks. No rules: these are in the folders around it.
//!
//! ```text
//! thread, shard, tunnel       the websockets, on a thread of their own
//! gateway, dispatch           what comes from them, in order; slash commands; what is resumed
//! feed → desk                 messages, from their coming in to the answer that is there
//! rest, queue, http, *_calls  REST of an account, through one queue
//! media, pluralkit,           what is found out beside it
//! audience_facts, probe, …
//! ```

mod arrival;
pub mod audience_facts;
mod base_url;
pub mod channel_calls;
mod clock;
pub mod desk;
mod dispatch;
pub mod feed;
pub mod gateway;
mod gateway_failure;
mod http;
mod interaction_calls;
mod keeper;
pub mod lookups;
pub mod media;
pub mod message_calls;
mod metadata;
pub mod pluralkit;
pub mod probe;
mod public_dns;
mod queue;
pub mod reaction_calls;
mod registration;
pub mod rest;
mod rest_failure;
mod room;
mod session_file;
mod shard;
pub mod stage;
mod thread;
pub mod thread_calls;
pub mod time_zone;
mod tunnel;
mod upload;
pub mod voice_message;
pub mod webhook_calls;
