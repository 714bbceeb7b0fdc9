//! The voice gateway's websocket: its messages, close codes and the buffer behind a resume.
//!
//! Sans-IO. Versions 4 to 8 differ in three ways: from 8 on, server messages carry a sequence
//! number that a resume replays from, heartbeats are objects with `seq_ack`, and binary frames
//! begin with the sequence number. Source: Discord, "Voice Connections".

mod close;
mod connection;
mod message;
mod outbox;

pub(crate) use self::{
    close::CloseCode,
    connection::Connection,
    message::{ClientMessage, Identify, Resume, SelectProtocol, parse_binary, parse_text},
    outbox::{Frame, Outbox, Payload, describe, encode, name},
};

/// The oldest version the gateway speaks.
pub(crate) const OLDEST_VERSION: u16 = 4;
/// The newest version, and the first with sequence numbers.
pub(crate) const BUFFERED_VERSION: u16 = 8;
