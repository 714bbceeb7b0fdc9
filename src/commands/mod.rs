//! One file per verb.

pub(crate) mod as_bot;
pub(crate) mod channels;
pub(crate) mod completions;
pub(crate) mod config;
pub(crate) mod demo;
pub(crate) mod doctor;
pub(crate) mod forget;
pub(crate) mod gateway;
pub(crate) mod init;
pub(crate) mod logs;
pub(crate) mod message;
pub(crate) mod once;
pub(crate) mod pairing;
pub(crate) mod ports;
pub(crate) mod secrets;
pub(crate) mod security;
pub(crate) mod timeline;
pub(crate) mod usage;
pub(crate) mod version;
