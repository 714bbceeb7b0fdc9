//! The voice server: voice gateway (v4 to v8), UDP forwarding unit and DAVE external sender.
//!
//! ```text
//! websocket.rs ─ messages ─►┌ hub ────────────────────────┐
//!                           │ gateway: framing, sequences │── frames, closes ─► websocket.rs
//! udp.rs ────── datagrams ─►│ sfu: who hears what         │── datagrams ──────► udp.rs
//! VoiceServer ── tickets ──►│ dave: proposals and commits │── journal, capture
//!                           └─────────────────────────────┘
//! ```
//!
//! Everything inside the box is sans-IO and told the time. The shell around it is one task per
//! websocket, one for UDP and one for deadlines.

mod capture;
pub mod dave;
mod gateway;
mod hub;
mod mangle;
mod settings;
mod sfu;
mod site;
#[cfg(test)]
mod tests;
mod ticket;
mod transport;
mod udp;
mod websocket;

use std::{
    collections::HashMap,
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use rand::{SeedableRng, rngs::StdRng};
use tokio::{
    net::{TcpListener, UdpSocket},
    sync::{mpsc, watch},
    task::AbortHandle,
    time::Instant,
};
use tokio_rustls::TlsAcceptor;

pub use self::{
    capture::{Capture, CaptureReport},
    settings::VoiceSettings,
    sfu::Silenced,
    ticket::{Ticket, VoiceInvite},
};
use self::{
    gateway::{CloseCode, Frame},
    hub::{ConnectionId, Hub, Output, Way},
    sfu::Treatment,
    site::{Blueprint, Site, Sites},
};
use crate::{
    fault::{Faults, VoiceMessage},
    journal::Journal,
};

/// Messages that may wait for one slow websocket; beyond that it is cut.
const OUTBOUND_LIMIT: usize = 1_024;

/// The voice server of one localcord. Cloning gives another handle to the same one; it stops when
/// the last handle is dropped.
///
/// A guild can be moved to a new server ([`VoiceServer::relocate`]), which has ports, SSRCs, keys
/// and DAVE groups of its own.
#[derive(Clone)]
pub struct VoiceServer {
    sites: Arc<Sites>,
}

/// What a websocket task is to write.
enum Outbound {
    Frame(Frame),
    Close(CloseCode),
}

/// What all tasks share.
struct Core {
    began: Instant,
    address: SocketAddr,
    udp: UdpSocket,
    /// A port that clients do not know, for packets from a wrong one.
    other_udp: UdpSocket,
    capture: Capture,
    settings: VoiceSettings,
    journal: Journal,
    faults: Faults,
    state: Mutex<State>,
    next_connection: AtomicU64,
    /// The next deadline, milliseconds since `began`.
    deadline: watch::Sender<Option<u64>>,
}

struct State {
    hub: Hub,
    /// Which fault settings the hub has.
    faults_revision: Option<u64>,
    websockets: HashMap<ConnectionId, mpsc::Sender<Outbound>>,
}

struct Tasks(Vec<AbortHandle>);

impl Drop for Tasks {
    fn drop(&mut self) {
        for task in &self.0 {
            task.abort();
        }
    }
}

impl VoiceServer {
    /// Binds one TCP port (plain and TLS websockets) and one UDP port, and serves both.
    ///
    /// # Errors
    /// When a port cannot be bound.
    pub async fn start(
        bind: IpAddr,
        tls: TlsAcceptor,
        journal: Journal,
        faults: Faults,
    ) -> io::Result<VoiceServer> {
        Self::start_with(VoiceSettings::default(), bind, tls, journal, faults).await
    }

    /// [`VoiceServer::start`] with other settings.
    ///
    /// # Errors
    /// When a port cannot be bound.
    pub async fn start_with(
        settings: VoiceSettings,
        bind: IpAddr,
        tls: TlsAcceptor,
        journal: Journal,
        faults: Faults,
    ) -> io::Result<VoiceServer> {
        let capture = Capture::default();
        let blueprint = Blueprint { settings, bind, tls, journal, faults, capture };
        let first = Site::open(&blueprint).await?;
        Ok(Self { sites: Arc::new(Sites::new(blueprint, first)) })
    }

    /// `host:port` of the voice gateway, as `VOICE_SERVER_UPDATE` carries it for a guild that was
    /// never moved.
    #[must_use]
    pub fn endpoint(&self) -> String {
        self.sites.first().core.address.to_string()
    }

    /// `host:port` of the voice gateway that a guild is on.
    #[must_use]
    pub fn endpoint_in(&self, guild_id: u64) -> String {
        self.sites.of(guild_id).core.address.to_string()
    }

    /// Lets a user identify. Replaces an older ticket of that user in that guild; a connection
    /// made with it is closed with 4014 (moved).
    pub fn admit(&self, ticket: Ticket) {
        let (guild_id, user_id) = (ticket.guild_id, ticket.user_id);
        let site = self.sites.of(guild_id);
        for other in self.sites.all().into_iter().filter(|other| !Arc::ptr_eq(other, &site)) {
            let code = CloseCode::DISCONNECTED.0;
            other.core.drive(|hub, now_ms| hub.handle_dismissal(now_ms, guild_id, user_id, code));
        }
        site.core.drive(|hub, now_ms| hub.handle_ticket(now_ms, ticket));
    }

    /// [`VoiceServer::admit`], but what was made with the older ticket goes on: until the user
    /// identifies on the same server, or until [`VoiceServer::retire`].
    pub fn admit_beside(&self, ticket: Ticket) {
        let site = self.sites.of(ticket.guild_id);
        site.core.drive(|hub, now_ms| hub.handle_ticket_beside(now_ms, ticket));
    }

    /// Puts a guild on a new server, for tickets from now on. Who is connected stays where it is
    /// until [`VoiceServer::retire`].
    ///
    /// # Errors
    /// When no port can be bound.
    pub async fn relocate(&self, guild_id: u64) -> io::Result<()> {
        self.sites.relocate(guild_id).await
    }

    /// Ends what a guild still has from before its latest tickets: connections on servers it is no
    /// longer on, and those made with older tickets. They are closed with 4014.
    pub fn retire(&self, guild_id: u64) {
        let site = self.sites.of(guild_id);
        for other in self.sites.all() {
            let everybody = !Arc::ptr_eq(&other, &site);
            other.core.drive(|hub, now_ms| hub.handle_retirement(now_ms, guild_id, everybody));
        }
        self.sites.close_unused();
    }

    /// Whether a user's audio is kept from the others, and why; it holds until the user leaves. The
    /// journal counts what was kept back.
    pub fn set_silenced(&self, guild_id: u64, user_id: u64, silenced: Option<Silenced>) {
        for site in self.sites.all() {
            site.core.drive(|hub, now_ms| hub.handle_silenced(now_ms, guild_id, user_id, silenced));
        }
    }

    /// The user left or was removed: closes the websocket with `close_code`, removes the user
    /// from the call and tells the others.
    pub fn dismiss(&self, guild_id: u64, user_id: u64, close_code: u16) {
        for site in self.sites.all() {
            site.core
                .drive(|hub, now_ms| hub.handle_dismissal(now_ms, guild_id, user_id, close_code));
        }
    }

    /// A fault: closes the websocket only. UDP and membership live on for the resume window.
    pub fn close_websocket(&self, guild_id: u64, user_id: u64, code: u16) {
        let site = self.sites.of(guild_id);
        site.core.drive(|hub, now_ms| hub.handle_cut(now_ms, guild_id, user_id, code));
    }

    /// Takes the call in a channel down to transport encryption (`version` 0, op 21) or back up
    /// to DAVE (1, op 24). Without a DAVE call there, nothing happens.
    pub fn change_dave_version(&self, channel_id: u64, version: u16) {
        for site in self.sites.all() {
            site.core.drive(|hub, now_ms| hub.handle_dave_version(now_ms, channel_id, version));
        }
    }

    /// Takes the fault settings now rather than at the next message, packet or deadline.
    pub fn apply_faults(&self) {
        for site in self.sites.all() {
            site.core.drive(|_, _| ());
        }
    }

    /// A fault: sends a message of the caller's to a user. Whether the user is connected.
    #[must_use]
    pub fn inject(&self, user_id: u64, message: &VoiceMessage) -> bool {
        let mut found = false;
        for site in self.sites.all() {
            site.core.drive(|hub, now_ms| found |= hub.handle_injection(now_ms, user_id, message));
        }
        found
    }

    /// The capture of all RTP that is received and sent.
    #[must_use]
    pub fn capture(&self) -> &Capture {
        self.sites.capture()
    }

    /// The MLS epoch of the call in a channel: 0 before its first group, `None` without a call
    /// or without DAVE.
    #[must_use]
    pub fn epoch(&self, channel_id: u64) -> Option<u64> {
        self.sites.all().iter().find_map(|site| {
            let state = site.core.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.hub.epoch(channel_id)
        })
    }
}

impl std::fmt::Debug for VoiceServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VoiceServer")
            .field("address", &self.sites.first().core.address)
            .finish_non_exhaustive()
    }
}

impl Core {
    /// Binds the ports and serves them until the tasks are dropped.
    async fn start(blueprint: &Blueprint) -> io::Result<(Arc<Self>, Tasks)> {
        let Blueprint { settings, bind, tls, journal, faults, capture } = blueprint;
        let (settings, bind, tls) = (settings.clone(), *bind, tls.clone());
        let (journal, faults) = (journal.clone(), faults.clone());
        let listener = TcpListener::bind((bind, settings.port)).await?;
        let udp = UdpSocket::bind((bind, 0)).await?;
        let other_udp = UdpSocket::bind((bind, 0)).await?;
        let media = reachable(udp.local_addr()?);
        let hub = Hub::new(settings.clone(), media, StdRng::from_os_rng());
        let core = Arc::new(Core {
            began: Instant::now(),
            address: reachable(listener.local_addr()?),
            udp,
            other_udp,
            capture: capture.clone(),
            settings,
            journal,
            faults,
            state: Mutex::new(State { hub, faults_revision: None, websockets: HashMap::new() }),
            next_connection: AtomicU64::new(1),
            deadline: watch::Sender::new(None),
        });
        let tasks = vec![
            tokio::spawn(websocket::listen(Arc::clone(&core), listener, tls)).abort_handle(),
            tokio::spawn(udp::receive(Arc::clone(&core))).abort_handle(),
            tokio::spawn(keep_deadlines(Arc::clone(&core))).abort_handle(),
        ];
        Ok((core, Tasks(tasks)))
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Gives the hub one input, carries out what it says, and rearms the deadline.
    fn drive(&self, input: impl FnOnce(&mut Hub, u64)) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now_ms = self.now_ms();
        let revision = self.faults.revision();
        if state.faults_revision.replace(revision) != Some(revision) {
            state.hub.handle_faults(now_ms, &self.faults.shared());
        }
        state.hub.set_capturing(self.capture.is_on());
        input(&mut state.hub, now_ms);
        while let Some(output) = state.hub.poll_output() {
            self.carry_out(&mut state.websockets, output);
        }
        let due = state.hub.poll_timeout();
        // Under the lock: two drives at a time must not publish their deadlines the wrong way round.
        self.deadline.send_if_modified(|current| std::mem::replace(current, due) != due);
    }

    fn carry_out(
        &self,
        websockets: &mut HashMap<ConnectionId, mpsc::Sender<Outbound>>,
        output: Output,
    ) {
        match output {
            Output::Frame { connection, frame } => {
                if let Some(websocket) = websockets.get(&connection)
                    && websocket.try_send(Outbound::Frame(frame)).is_err()
                {
                    // Too slow or gone: its task ends without its sender and reports the loss.
                    websockets.remove(&connection);
                }
            }
            Output::Close { connection, code } => {
                if let Some(websocket) = websockets.remove(&connection) {
                    let _ = websocket.try_send(Outbound::Close(code));
                }
            }
            Output::Datagram { to, bytes, other_port } => {
                let socket = if other_port { &self.other_udp } else { &self.udp };
                if let Err(error) = socket.try_send_to(&bytes, to) {
                    tracing::debug!(%error, %to, "datagram lost");
                }
            }
            Output::Captured { way, rtp } => self.capture(way, rtp),
            Output::Journal { kind, name, data } => self.journal.record(kind, name, data),
        }
    }

    fn capture(&self, way: Way, rtp: Option<Vec<u8>>) {
        let socket = match way {
            Way::To { other_port: true, .. } => &self.other_udp,
            _ => &self.udp,
        };
        let Ok(own) = socket.local_addr().map(reachable) else { return };
        match way {
            Way::From(from) => self.capture.record(from, own, rtp),
            Way::To { to, .. } => self.capture.record(own, to, rtp),
        }
    }

    fn treatment(&self) -> Treatment {
        let faults = self.faults.shared();
        Treatment {
            drop_percent: faults.udp_drop_percent,
            padding_every: match faults.udp_padding_every {
                0 => self.settings.padding_every,
                every => every,
            },
            padding_max: self.settings.padding_max,
            header_extension: self.settings.header_extension,
        }
    }

    fn attach(&self) -> (ConnectionId, mpsc::Receiver<Outbound>) {
        let id = self.next_connection.fetch_add(1, Ordering::Relaxed);
        let (sender, receiver) = mpsc::channel(OUTBOUND_LIMIT);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.websockets.insert(id, sender);
        (id, receiver)
    }

    fn detach(&self, id: ConnectionId, code: Option<u16>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.websockets.remove(&id);
        drop(state);
        self.drive(|hub, now_ms| hub.handle_disconnect(now_ms, id, code));
    }
}

/// What clients are told: a server bound to every address is reached on the loopback.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(match address {
            SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    address
}

/// Sleeps until the next deadline, whichever it currently is.
async fn keep_deadlines(core: Arc<Core>) {
    let mut deadline = core.deadline.subscribe();
    loop {
        let due = *deadline.borrow_and_update();
        let sleep = async {
            match due {
                Some(at) => {
                    tokio::time::sleep_until(core.began + Duration::from_millis(at)).await;
                }
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = sleep => core.drive(Hub::handle_timeout),
            changed = deadline.changed() => {
                if changed.is_err() {
                    return;
                }
            }
        }
    }
}
