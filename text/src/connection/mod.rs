//! The rules of the main gateway connection: when to dial, to resume and to identify, how long to
//! wait, what is kept for the next process.
//!
//! ```text
//! close       what a close code means
//! backoff     how long to wait before trying again
//! link        one shard's connection, across websockets
//! identify    when a shard may identify
//! supervisor  what happens when a connection gives up
//! metadata    what GET /gateway/bot says, and what if it says nothing
//! saved       what lets the next process resume
//! handover    which events text has safely taken
//! recall      what a resumed session does not tell again
//! overflow    events that find the queue full
//! listeners   how many handlers run, and which are slow
//! presence    what the bot's status line says
//! identity    the application behind a token
//! settings, status   what others set and see
//! ```
//!
//! The websocket, its heartbeats and its compression are twilight's. Source: Discord, "Gateway".

pub(crate) mod backoff;
pub(crate) mod close;
pub(crate) mod handover;
pub(crate) mod identify;
pub(crate) mod identity;
pub(crate) mod link;
pub(crate) mod listeners;
pub(crate) mod metadata;
pub(crate) mod overflow;
pub(crate) mod presence;
pub(crate) mod recall;
pub(crate) mod saved;
pub(crate) mod settings;
pub(crate) mod status;
pub(crate) mod supervisor;
