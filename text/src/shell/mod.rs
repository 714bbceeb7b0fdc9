//! Sockets and tasks: the main gateway's websocket and REST. No rules about commands or voice.

mod base_url;
pub mod gateway;
pub mod lookups;
pub mod probe;
mod rest;
mod room;
mod shard;
pub mod stage;
mod upload;
pub mod voice_message;
