//! The voice websocket's life: identify, discover, select, beat, and resume.
//!
//! Two things run side by side and are kept apart: the *link* (one websocket, replaced on loss)
//! and the *media* session behind it (SSRC, UDP, keys), which survives a lost link.
//!
//! Media that flows is watched (`path`): when our address changes or nothing comes through any more,
//! the address is discovered and selected anew on the same session.
//!
//! ```text
//! link:   Dialing → Greeting (op 0 or 7 sent) → Open → lost → Waiting → Dialing …   → Ended
//! media:  None → Discovering (op 2) → Selecting (op 1) → Flowing (op 4)
//! ```
//!
//! Source: Discord "Voice Connections" (version 8, buffered resume).

use std::{net::SocketAddr, time::Duration};

use clawvoice_session::SessionTime;
use rand::{Rng, SeedableRng, rngs::SmallRng};

use super::{
    CallEvent, CallSettings, EndReason, Outbox, Output, Timer,
    close::{Close, Plan, explain},
    path::{Path, Step},
    stats::GatewayStats,
};
use crate::wire::{
    aead::Mode,
    discovery,
    gateway::{self, Ready},
};

/// For each step until media flows, and for a resume to be answered.
const STEP_LIMIT: Duration = Duration::from_secs(10);
/// Between two discovery requests.
const DISCOVERY_RETRY: Duration = Duration::from_millis(500);
/// Discovery requests before we give up on an answer.
const DISCOVERY_ATTEMPTS: u32 = 6;
/// Between two keepalive datagrams, which keep NAT mappings open.
const KEEPALIVE: Duration = Duration::from_secs(5);
/// The wait before the second resume; it doubles.
const RESUME_BACKOFF: Duration = Duration::from_secs(1);
/// Unanswered heartbeats that mean the link is dead.
const MISSED_ACKS: u32 = 2;
/// A heartbeat so long overdue means that the machine slept, and the server may have given us up:
/// the answer is waited for no longer than this.
const WAKE_ACK: Duration = Duration::from_secs(5);
/// Our close code for a dead link: above 4000, so that the server keeps the session.
const CLOSE_DEAD_LINK: u16 = 4_900;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Link {
    Dialing { resume: bool },
    Greeting { resume: bool },
    Open,
    Waiting { until: SessionTime },
    Ended,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Media {
    None,
    Discovering { ready: Ready, remote: SocketAddr, mode: Mode, attempts: u32, next: SessionTime },
    Selecting { ssrc: u32, remote: SocketAddr, address: SocketAddr, mode: Mode },
    Flowing(Flow),
}

/// Media under way.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Flow {
    ssrc: u32,
    /// The voice server.
    remote: SocketAddr,
    /// Ours, as the server sees it and was told.
    address: SocketAddr,
    mode: Mode,
    path: Path,
    /// The address changed while no websocket was there to tell it.
    unsaid: bool,
}

#[derive(Clone, Copy, Debug)]
struct Heartbeat {
    interval: Duration,
    next: SessionTime,
    unanswered: u32,
}

/// See the module's documentation.
pub(crate) struct Handshake {
    link: Link,
    media: Media,
    /// READY came: there is a session that can be resumed.
    session: bool,
    /// The last sequence number the server sent.
    seq_ack: Option<i64>,
    heartbeat: Option<Heartbeat>,
    nonce: u64,
    /// By when the current step must be over.
    step_limit: Option<SessionTime>,
    resumes: u32,
    /// When the websocket was lost, while it has not been resumed.
    lost: Option<SessionTime>,
    keepalive: Option<SessionTime>,
    keepalives: u32,
    rng: SmallRng,
}

impl Handshake {
    pub(crate) fn new(settings: &CallSettings, now: SessionTime, out: &mut Outbox) -> Self {
        let mut handshake = Self {
            link: Link::Dialing { resume: false },
            media: Media::None,
            session: false,
            seq_ack: None,
            heartbeat: None,
            nonce: 0,
            step_limit: None,
            resumes: 0,
            lost: None,
            keepalive: None,
            keepalives: 0,
            rng: SmallRng::seed_from_u64(settings.seed),
        };
        handshake.dial(settings, now, false, out);
        handshake
    }

    /// Whether a text would reach the server now.
    pub(crate) fn linked(&self) -> bool {
        self.link == Link::Open
    }

    /// Whether op 4 came and the call goes on.
    pub(crate) fn flowing(&self) -> bool {
        matches!(self.media, Media::Flowing(_))
    }

    fn dial(&mut self, settings: &CallSettings, now: SessionTime, resume: bool, out: &mut Outbox) {
        self.link = Link::Dialing { resume };
        self.step_limit = Some(now + STEP_LIMIT);
        let url = gateway::url(&settings.endpoint, settings.secure);
        out.push_back(Output::Connect { url });
    }

    /// The websocket is open: identify at once; HELLO need not be waited for.
    pub(crate) fn handle_opened(
        &mut self,
        settings: &CallSettings,
        now: SessionTime,
        out: &mut Outbox,
    ) {
        let Link::Dialing { resume } = self.link else { return };
        let CallSettings { guild, user, session_id, token, dave, .. } = settings;
        out.push_back(Output::Text(if resume {
            gateway::resume(*guild, session_id, token, self.seq_ack)
        } else {
            gateway::identify(*guild, *user, session_id, token, *dave)
        }));
        self.link = Link::Greeting { resume };
        self.step_limit = Some(now + STEP_LIMIT);
    }

    /// Every numbered message, whatever it says.
    pub(crate) fn handle_seq(&mut self, seq: i64) {
        self.seq_ack = Some(seq);
    }

    /// Op 8. Without a websocket there is nothing to beat for.
    pub(crate) fn handle_hello(&mut self, now: SessionTime, interval: Duration) {
        if matches!(self.link, Link::Ended | Link::Waiting { .. }) {
            return;
        }
        self.heartbeat = Some(Heartbeat { interval, next: now + interval, unanswered: 0 });
    }

    /// Op 3 of the server.
    pub(crate) fn handle_heartbeat_request(&mut self, out: &mut Outbox) {
        self.beat(out);
    }

    /// Op 6. The nonce is not compared: any answer shows that the link lives.
    pub(crate) fn handle_heartbeat_ack(&mut self) {
        if let Some(heartbeat) = &mut self.heartbeat {
            heartbeat.unanswered = 0;
        }
    }

    fn beat(&mut self, out: &mut Outbox) {
        self.nonce += 1;
        out.push_back(Output::Text(gateway::heartbeat(self.nonce, self.seq_ack)));
        if let Some(heartbeat) = &mut self.heartbeat {
            heartbeat.unanswered += 1;
        }
    }

    /// Op 2: open the UDP socket and ask for our address.
    pub(crate) fn handle_ready(&mut self, now: SessionTime, ready: Ready, out: &mut Outbox) {
        if self.session || self.link == Link::Ended {
            tracing::debug!("READY repeated");
            return;
        }
        self.session = true;
        self.link = Link::Open;
        let Some(mode) = Mode::choose(&ready.modes) else {
            return self.end(
                None,
                "the server offers no encryption mode we know",
                Plan::Fatal,
                out,
            );
        };
        let Ok(ip) = ready.ip.parse() else {
            return self.end(None, "the server's UDP address is no address", Plan::Rejoin, out);
        };
        let remote = SocketAddr::new(ip, ready.port);
        open_udp(remote, ready.ssrc, out);
        self.step_limit = None;
        let next = now + DISCOVERY_RETRY;
        self.media = Media::Discovering { ready, remote, mode, attempts: 1, next };
    }

    /// Takes a datagram if it answers our discovery; every one shows that the path lives.
    pub(crate) fn handle_datagram(
        &mut self,
        now: SessionTime,
        datagram: &[u8],
        out: &mut Outbox,
    ) -> bool {
        match &mut self.media {
            Media::Discovering { ready, mode, remote, .. } => {
                let Some(address) = discovery::response(datagram, ready.ssrc) else { return false };
                let (ssrc, remote, mode) = (ready.ssrc, *remote, *mode);
                self.select(now, Media::Selecting { ssrc, remote, address, mode }, out);
                true
            }
            Media::Flowing(flow) => {
                let Some(address) = discovery::response(datagram, flow.ssrc) else {
                    flow.path.received(now, datagram.len());
                    return false;
                };
                let was_dead = flow.path.is_dead();
                flow.path.answered(now);
                if flow.address != address || was_dead {
                    tracing::info!("our address as the voice server sees it has changed");
                    flow.address = address;
                    flow.unsaid = true;
                    self.say_address(out);
                }
                true
            }
            Media::None | Media::Selecting { .. } => false,
        }
    }

    fn select(&mut self, now: SessionTime, selecting: Media, out: &mut Outbox) {
        self.media = selecting;
        self.step_limit = Some(now + STEP_LIMIT);
        self.keepalive = Some(now + KEEPALIVE);
        self.say_address(out);
    }

    /// Op 1, if there is something to select and a websocket to say it on.
    fn say_address(&mut self, out: &mut Outbox) {
        let linked = self.linked();
        let (address, mode) = match &mut self.media {
            Media::Selecting { address, mode, .. } => (*address, *mode),
            Media::Flowing(flow) if flow.unsaid => {
                flow.unsaid = !linked;
                (flow.address, flow.mode)
            }
            _ => return,
        };
        if linked {
            out.push_back(Output::Text(gateway::select_protocol(address, mode)));
        }
    }

    /// Op 4: the mode, if it is one we know. Comes again when the address was selected anew.
    pub(crate) fn handle_description(
        &mut self,
        now: SessionTime,
        mode: &str,
        out: &mut Outbox,
    ) -> Option<Mode> {
        let (ssrc, remote, address) = match &self.media {
            Media::Selecting { ssrc, remote, address, .. } => (*ssrc, *remote, *address),
            Media::Flowing(flow) => (flow.ssrc, flow.remote, flow.address),
            Media::None | Media::Discovering { .. } => {
                tracing::debug!("a session description that was not asked for");
                return None;
            }
        };
        let Some(known) = Mode::from_name(mode) else {
            self.end(None, "the server chose an encryption mode we do not know", Plan::Fatal, out);
            return None;
        };
        self.step_limit = None;
        if let Media::Flowing(flow) = &mut self.media {
            flow.mode = known;
        } else {
            let path = Path::new(now);
            let flow = Flow { ssrc, remote, address, mode: known, path, unsaid: false };
            self.media = Media::Flowing(flow);
        }
        Some(known)
    }

    /// Op 9.
    pub(crate) fn handle_resumed(&mut self, out: &mut Outbox, stats: &mut GatewayStats) {
        if !matches!(self.link, Link::Greeting { resume: true }) {
            return;
        }
        tracing::info!("voice session resumed");
        self.link = Link::Open;
        self.step_limit = None;
        self.resumes = 0;
        self.lost = None;
        stats.resumes += 1;
        self.say_address(out);
    }

    /// The websocket closed, or could not be opened (`None`).
    pub(crate) fn handle_closed(
        &mut self,
        settings: &CallSettings,
        now: SessionTime,
        code: Option<u16>,
        out: &mut Outbox,
    ) {
        // Before anything else: a deadline that led here must not stay due.
        self.heartbeat = None;
        self.step_limit = None;
        if matches!(self.link, Link::Ended | Link::Waiting { .. }) {
            return;
        }
        let close = explain(code);
        match close.plan {
            Plan::Resume if !self.session => {
                self.end(code, "the connection ended before the session began", Plan::Rejoin, out);
            }
            // Within the grace a resume may begin; the last one may take its time.
            Plan::Resume if now >= self.resumable_until(settings, now) => {
                self.end(code, "the session could not be resumed", Plan::Rejoin, out);
            }
            Plan::Resume => self.reconnect(settings, now, close, out),
            plan => self.end(code, close.words, plan, out),
        }
    }

    fn reconnect(
        &mut self,
        settings: &CallSettings,
        now: SessionTime,
        close: Close,
        out: &mut Outbox,
    ) {
        tracing::info!("{close}");
        out.push_back(Output::Event(CallEvent::Reconnecting { code: close.code, plan: close }));
        self.resumes += 1;
        self.lost.get_or_insert(now);
        if self.resumes == 1 {
            return self.dial(settings, now, true, out);
        }
        let backoff = RESUME_BACKOFF * 2u32.pow(self.resumes.saturating_sub(2).min(4));
        // Up to a quarter more, so that a crashed server's clients do not return in step.
        let wait = backoff + backoff.mul_f64(self.rng.random_range(0.0..0.25));
        self.link = Link::Waiting { until: self.resumable_until(settings, now).min(now + wait) };
    }

    /// Until when a resume may begin.
    fn resumable_until(&self, settings: &CallSettings, now: SessionTime) -> SessionTime {
        self.lost.unwrap_or(now) + settings.reconnect_grace
    }

    /// The session is over for a reason that is not the websocket's.
    pub(crate) fn give_up(&mut self, words: &'static str, next: Plan, out: &mut Outbox) {
        if self.link != Link::Ended {
            self.end(None, words, next, out);
        }
    }

    fn end(&mut self, code: Option<u16>, words: &'static str, next: Plan, out: &mut Outbox) {
        if !matches!(self.link, Link::Waiting { .. } | Link::Ended) && code.is_none() {
            out.push_back(Output::CloseGateway { code: 1_000 });
        }
        self.link = Link::Ended;
        self.heartbeat = None;
        self.step_limit = None;
        self.keepalive = None;
        self.media = Media::None;
        let reason = EndReason(Close { code, words, plan: next });
        tracing::info!("{reason}");
        out.push_back(Output::Event(CallEvent::Ended(reason)));
    }

    /// Closes for good.
    pub(crate) fn close(&mut self, out: &mut Outbox) {
        if !matches!(self.link, Link::Waiting { .. } | Link::Ended) {
            out.push_back(Output::CloseGateway { code: 1_000 });
        }
        self.link = Link::Ended;
        self.media = Media::None;
        self.heartbeat = None;
        self.step_limit = None;
        self.keepalive = None;
    }

    /// The next deadline.
    pub(crate) fn poll_timeout(&self) -> Option<(SessionTime, Timer)> {
        let redial = match self.link {
            Link::Waiting { until } => Some((until, Timer::Resume)),
            _ => None,
        };
        let discovery = match &self.media {
            Media::Discovering { next, .. } => Some((*next, Timer::Discovery)),
            _ => None,
        };
        let heartbeat = self.heartbeat.map(|beat| match beat.unanswered >= MISSED_ACKS {
            true => (beat.next, Timer::HeartbeatAck),
            false => (beat.next, Timer::Heartbeat),
        });
        let step = self.step_limit.map(|at| (at, Timer::Handshake));
        let keepalive = self.keepalive.map(|at| (at, Timer::Keepalive));
        let path = match &self.media {
            Media::Flowing(flow) => Some((flow.path.poll_timeout(), Timer::Path)),
            _ => None,
        };
        [redial, discovery, heartbeat, step, keepalive, path]
            .into_iter()
            .flatten()
            .min_by_key(|(at, _)| *at)
    }

    /// Does what is due.
    pub(crate) fn handle_timeout(
        &mut self,
        settings: &CallSettings,
        now: SessionTime,
        out: &mut Outbox,
        stats: &mut GatewayStats,
    ) {
        while let Some((_, timer)) = self.poll_timeout().filter(|(at, _)| *at <= now) {
            match timer {
                Timer::Heartbeat => self.heartbeat_due(now, out, stats),
                Timer::HeartbeatAck | Timer::Handshake => {
                    tracing::warn!(?timer, "voice websocket does not answer");
                    out.push_back(Output::CloseGateway { code: CLOSE_DEAD_LINK });
                    self.handle_closed(settings, now, None, out);
                }
                Timer::Resume => self.dial(settings, now, true, out),
                Timer::Discovery => self.discovery_due(settings, now, out),
                Timer::Keepalive => self.keepalive_due(now, out),
                Timer::Path => self.path_due(now, out, stats),
                Timer::Gap | Timer::SpeakingStop | Timer::HeldFrames | Timer::StreamEnd => {
                    unreachable!("timers of the receive path are not kept here")
                }
            }
        }
    }

    fn heartbeat_due(&mut self, now: SessionTime, out: &mut Outbox, stats: &mut GatewayStats) {
        let Some(heartbeat) = &mut self.heartbeat else { return };
        let slept = now.since(heartbeat.next) > heartbeat.interval;
        heartbeat.next = now + heartbeat.interval;
        stats.missed_acks += u64::from(heartbeat.unanswered > 0);
        self.beat(out);
        if let Some(heartbeat) = &mut self.heartbeat
            && slept
        {
            tracing::info!("the machine slept; asking whether the voice session is still there");
            heartbeat.next = heartbeat.next.min(now + WAKE_ACK);
            heartbeat.unanswered = MISSED_ACKS;
        }
    }

    fn path_due(&mut self, now: SessionTime, out: &mut Outbox, stats: &mut GatewayStats) {
        let Media::Flowing(flow) = &mut self.media else { return };
        let (ssrc, remote) = (flow.ssrc, flow.remote);
        let was_dead = flow.path.is_dead();
        match flow.path.handle_timeout(now) {
            None => {}
            Some(Step::Probe) => {
                out.push_back(Output::Datagram(discovery::request(ssrc).to_vec()));
            }
            Some(Step::Reopen) => {
                if !was_dead {
                    stats.paths_lost += 1;
                    out.push_back(Output::Event(CallEvent::PathLost));
                }
                open_udp(remote, ssrc, out);
            }
            Some(Step::GiveUp) => {
                self.end(None, "the voice server cannot be reached by UDP", Plan::Rejoin, out);
            }
        }
    }

    fn discovery_due(&mut self, settings: &CallSettings, now: SessionTime, out: &mut Outbox) {
        let Media::Discovering { ready, remote, mode, attempts, next } = &mut self.media else {
            return;
        };
        if *attempts < DISCOVERY_ATTEMPTS {
            *attempts += 1;
            *next = now + DISCOVERY_RETRY;
            out.push_back(Output::Datagram(discovery::request(ready.ssrc).to_vec()));
            return;
        }
        let (ssrc, remote, mode) = (ready.ssrc, *remote, *mode);
        match settings.udp_fallback {
            Some(address) => {
                tracing::warn!(%address, "IP discovery got no answer; using the configured address");
                self.select(now, Media::Selecting { ssrc, remote, address, mode }, out);
            }
            None => {
                self.end(None, "the voice server does not answer by UDP", Plan::Rejoin, out);
            }
        }
    }

    fn keepalive_due(&mut self, now: SessionTime, out: &mut Outbox) {
        let mut datagram = vec![0; 8];
        datagram[..4].copy_from_slice(&self.keepalives.to_le_bytes());
        self.keepalives = self.keepalives.wrapping_add(1);
        self.keepalive = Some(now + KEEPALIVE);
        out.push_back(Output::Datagram(datagram));
    }
}

/// A new socket, and the question from where the server sees it.
fn open_udp(remote: SocketAddr, ssrc: u32, out: &mut Outbox) {
    out.push_back(Output::OpenUdp { remote });
    out.push_back(Output::Datagram(discovery::request(ssrc).to_vec()));
}
