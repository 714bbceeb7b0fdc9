//! Sockets and tasks: the main gateway's websocket and REST. No rules about commands or voice.

mod arrival;
mod base_url;
mod clock;
mod command_form;
mod dispatch;
pub mod gateway;
mod http;
mod keeper;
pub mod lookups;
mod metadata;
pub mod probe;
mod queue;
mod registration;
mod rest;
mod room;
mod session_file;
mod shard;
pub mod stage;
mod thread;
pub mod time_zone;
mod tunnel;
mod upload;
pub mod voice_message;
