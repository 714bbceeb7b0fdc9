//! Discord's REST API, version 10.

pub(crate) mod body;
mod command_form;
mod error;
pub(crate) mod interaction;
mod message_form;
mod rate_limit;
