//! A voice server with one channel, in this process, and who may come in.

use std::{
    io,
    net::{IpAddr, Ipv4Addr},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::Context;
use localcord::{
    authority::Authority,
    fault::Faults,
    human::{Human, HumanSettings},
    journal::Journal,
    voice::{Ticket, VoiceInvite, VoiceServer},
};
use rustls::ClientConfig;

pub(crate) const GUILD: u64 = 1;
pub(crate) const CHANNEL: u64 = 2;
pub(crate) const BOT: u64 = 1_000;

/// Nothing that works takes this long.
const PATIENCE: Duration = Duration::from_secs(20);

/// See the module's documentation.
pub(crate) struct Stage {
    pub(crate) server: VoiceServer,
    pub(crate) faults: Faults,
    pub(crate) tls: Arc<ClientConfig>,
    authority: Authority,
    tickets: AtomicU64,
}

impl Stage {
    pub(crate) async fn new() -> anyhow::Result<Self> {
        let authority = Authority::generate()?;
        let tls = Arc::new(authority.client_config()?);
        let faults = Faults::default();
        let bind = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let journal = Journal::default();
        let acceptor = authority.acceptor()?;
        let server = VoiceServer::start(bind, acceptor, journal, faults.clone()).await?;
        Ok(Self { server, faults, tls, authority, tickets: AtomicU64::new(0) })
    }

    /// Writes down the certificate to trust, for another process.
    pub(crate) fn write_ca(&self, path: &Path) -> io::Result<()> {
        self.authority.write_pem(path)
    }

    /// A right to come in that ends what the user has; what it comes in with.
    pub(crate) fn admit(&self, user: u64) -> VoiceInvite {
        let ticket = self.ticket(user);
        self.server.admit(ticket.clone());
        self.invite(ticket)
    }

    /// A right to come in beside what the user has, until the server is retired.
    pub(crate) fn admit_beside(&self, user: u64) -> VoiceInvite {
        let ticket = self.ticket(user);
        self.server.admit_beside(ticket.clone());
        self.invite(ticket)
    }

    fn ticket(&self, user_id: u64) -> Ticket {
        let number = self.tickets.fetch_add(1, Ordering::Relaxed);
        Ticket {
            guild_id: GUILD,
            channel_id: CHANNEL,
            user_id,
            session_id: format!("session-{user_id}-{number}"),
            token: format!("token-{user_id}-{number}"),
            dave: true,
        }
    }

    fn invite(&self, ticket: Ticket) -> VoiceInvite {
        VoiceInvite {
            guild_id: GUILD,
            channel_id: CHANNEL,
            user_id: ticket.user_id,
            session_id: ticket.session_id,
            token: ticket.token,
            endpoint: self.server.endpoint_in(GUILD),
        }
    }

    pub(crate) async fn human(&self, user: u64, settings: HumanSettings) -> anyhow::Result<Human> {
        Ok(Human::join_with(self.admit(user), settings).await?)
    }
}

/// Bounds a wait.
pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> anyhow::Result<T> {
    tokio::time::timeout(PATIENCE, future)
        .await
        .with_context(|| format!("waited too long for {what}"))
}
