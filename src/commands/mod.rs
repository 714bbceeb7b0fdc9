//! One file per verb.

pub(crate) mod config;
pub(crate) mod demo;
pub(crate) mod gateway;
pub(crate) mod init;
pub(crate) mod message;
pub(crate) mod timeline;
