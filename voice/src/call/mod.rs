//! One voice connection, sans-IO.
//!
//! [`Call`] is given websocket messages, datagrams, ticks and the time, and is asked for outputs:
//!
//! ```text
//! handle_gateway_* ─┐                      ┌─ poll_output  → websocket, UDP socket, events
//! handle_datagram  ─┼─ Call ───────────────┼─ Hear         → decoded speech, at once
//! handle_tick      ─┤ handshake dave       └─ datagram of a tick, in a lent buffer
//! handle_timeout   ─┘ receive   send          poll_timeout → when to come back, and why
//! ```
//!
//! Contract: after every `handle_*`, drain [`Call::poll_output`] until it gives `None`, then sleep
//! until [`Call::poll_timeout`]. Outputs are ordered and must be carried out in order. After an
//! [`Output::CloseGateway`] or a second [`Output::Connect`], nothing of an earlier websocket may be
//! handed in any more. Read datagrams that already came before a websocket message that came with
//! them: the keys of somebody who leaves go with the message.
//!
//! Source: Discord "Voice Connections", DAVE whitepaper, RFC 3550.

mod close;
mod dave;
mod decode;
mod handshake;
mod loss;
mod path;
mod receive;
mod recovery;
mod send;
mod stats;

use std::{collections::VecDeque, fmt, net::SocketAddr, time::Duration};

use clawvoice_session::{ChannelId, GuildId, SessionTime, UserId};
use rand::{Rng, SeedableRng, rngs::SmallRng};
use secrecy::SecretString;

pub use self::{
    close::{Close, Plan, explain},
    decode::{FRAME_SAMPLES, MAX_SAMPLES, SAMPLE_RATE_HZ},
    receive::Attribution,
    send::MAX_DATAGRAM_BYTES,
    stats::{CallStats, GatewayStats, PacketStats, SendStats},
};
use self::{
    dave::{Dave, Keys},
    handshake::Handshake,
    loss::LossWatch,
    receive::{Io, Receiver},
    recovery::{Recovery, Remedy},
    send::Sender,
    stats::Fate,
};
use crate::wire::{
    aead::{KEY_BYTES, Mode},
    gateway::{self, Incoming, IncomingBinary},
};

/// Where a call delivers what it hears, in order, while it handles a datagram or a timeout.
///
/// Speaking is derived from packets, not from SPEAKING events: it starts with the first audio
/// packet of a user after a pause and stops when no packet came for 100 ms. The silence packets
/// that end a talkspurt do not count as speech, so the stop comes 100 ms after the last word.
pub trait Hear {
    /// `user` began to send audio. Called before the first [`Hear::audio`] of the talkspurt, and
    /// only with a user that is authenticated or announced as the packet's sender.
    fn speaking_started(&mut self, now: SessionTime, user: UserId);

    /// How sure it is that what follows is `user`'s: told behind [`Hear::speaking_started`], and
    /// again when it changes. Nobody's rights should hang on less than
    /// [`Attribution::Confirmed`].
    fn attributed(&mut self, now: SessionTime, user: UserId, attribution: Attribution) {
        let _ = (now, user, attribution);
    }

    /// Decoded speech of `user`: 24 kHz mono samples of one packet (its own duration, 20 ms = 480
    /// samples with Discord's clients) or of the concealment of a lost one.
    fn audio(&mut self, now: SessionTime, user: UserId, pcm: &[i16]);

    /// `user` has sent nothing for 100 ms, left, or was disconnected.
    fn speaking_stopped(&mut self, now: SessionTime, user: UserId);
}

/// Half a second of speech.
pub const DECRYPTION_FAILURE_TOLERANCE: u32 = 24;

/// For a lost websocket to come back.
pub const RECONNECT_GRACE: Duration = Duration::from_secs(15);

/// What a call is made from: the two halves that the main gateway sends, and how to use them.
#[derive(Clone, Debug)]
pub struct CallSettings {
    /// The guild.
    pub guild: GuildId,
    /// The voice channel; also the MLS group's id.
    pub channel: ChannelId,
    /// The bot's own user.
    pub user: UserId,
    /// From VOICE_STATE_UPDATE.
    pub session_id: String,
    /// From VOICE_SERVER_UPDATE.
    pub token: SecretString,
    /// From VOICE_SERVER_UPDATE: `host:port`, without a scheme.
    pub endpoint: String,
    /// `wss` (Discord) or `ws` (a server on this machine).
    pub secure: bool,
    /// Offer DAVE protocol version 1; without it, channels that require it close with 4017.
    pub dave: bool,
    /// Consecutive frames of one group member that may fail to decrypt before the group counts as
    /// diverged and is re-initialised in place (op 31); [`DECRYPTION_FAILURE_TOLERANCE`] is the
    /// documented default.
    pub decryption_failure_tolerance: u32,
    /// After the websocket is lost, how long resumes may begin before the session counts as lost;
    /// [`RECONNECT_GRACE`] is the documented default.
    pub reconnect_grace: Duration,
    /// For the start of the RTP sequence and timestamp, and for backoff.
    pub seed: u64,
    /// The address to report if IP discovery gets no answer; without one, the call ends then.
    pub udp_fallback: Option<SocketAddr>,
}

/// What the owner of a [`Call`] has to do.
#[derive(Debug)]
pub enum Output {
    /// Open a websocket to `url`; it replaces the one before.
    Connect {
        /// Address with scheme and query.
        url: String,
    },
    /// Send a websocket text message. Some hold tokens: never log them.
    Text(String),
    /// Send a websocket binary message.
    Binary(Vec<u8>),
    /// Close the websocket.
    CloseGateway {
        /// With this code.
        code: u16,
    },
    /// Bind a UDP socket and connect it to the voice server; it replaces the one before.
    OpenUdp {
        /// The voice server.
        remote: SocketAddr,
    },
    /// Send a datagram (discovery or keepalive; media leaves through [`Call::handle_tick`]).
    Datagram(Vec<u8>),
    /// Something happened.
    Event(CallEvent),
}

/// What a call tells its owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallEvent {
    /// Media flows (op 4).
    Ready {
        /// DAVE protocol version in force; 0 is transport encryption only.
        dave_version: u16,
    },
    /// An MLS epoch was entered: what is sent in it can be heard.
    EpochReady {
        /// The epoch.
        epoch: u64,
        /// The protocol version of its group.
        dave_version: u16,
        /// The transition that leads to it.
        transition: u16,
    },
    /// A commit or welcome was unusable, or the group diverged: op 31 and a new key package went
    /// out.
    GroupRecovery {
        /// The transition complained of.
        transition: u16,
    },
    /// The server named one user as the sender of an SSRC (op 5), and its frames open with the key
    /// of another. They are heard as the latter's.
    SpeakingContradicted {
        /// The SSRC.
        ssrc: u32,
        /// Whom the server named.
        named: UserId,
        /// Whose key opens the frames.
        by_key: UserId,
    },
    /// A user is in the call (op 11).
    MemberJoined(UserId),
    /// A user left it (op 13).
    MemberLeft(UserId),
    /// Frames of a user are lost to encryption: told at the first of a run, then every 50 frames
    /// (one second of speech). Frames of before we joined the group do not count.
    DecryptFailure {
        /// The sender.
        user: UserId,
        /// Frames lost in a row.
        consecutive: u32,
    },
    /// Nothing comes through by UDP any more; a new socket and our new address are tried on the same
    /// session.
    PathLost,
    /// Members' frames stay lost to encryption although the group was repaired in place; the call
    /// ends with [`Plan::Rejoin`].
    RepeatedDecryptFailures,
    /// The websocket was lost; media goes on while the session is resumed.
    Reconnecting {
        /// The close code, if there was one.
        code: Option<u16>,
        /// What it means and what happens.
        plan: Close,
    },
    /// The connection is over; nothing but late datagrams can come.
    Ended(EndReason),
}

/// Why a call ended, and what to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndReason(
    /// Code, words, and plan, which is never [`Plan::Resume`].
    pub Close,
);

impl EndReason {
    /// What to do next.
    #[must_use]
    pub const fn next(&self) -> Plan {
        self.0.plan
    }
}

impl fmt::Display for EndReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Why a call wants to be woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timer {
    /// A heartbeat is due.
    Heartbeat,
    /// Two heartbeats stayed unanswered: the link is dead.
    HeartbeatAck,
    /// A step of the handshake takes too long.
    Handshake,
    /// IP discovery is to be asked again.
    Discovery,
    /// The NAT mapping wants a datagram.
    Keepalive,
    /// Nothing came for a while: does the path still live?
    Path,
    /// The next attempt to resume.
    Resume,
    /// Packets have waited long enough for a missing one.
    Gap,
    /// Somebody may have stopped speaking.
    SpeakingStop,
    /// Held packets are to be tried again or given up.
    HeldFrames,
    /// The stream of a user who left goes, or a decoder that was long not needed.
    StreamEnd,
}

/// Outputs in order.
type Outbox = VecDeque<Output>;

/// Messages that came before op 4 and wait for it; more than a join of many members makes.
const MAX_EARLY: usize = 128;

/// A DAVE message that came before op 4.
enum Early {
    Json(Incoming),
    Binary(Vec<u8>),
}

/// One voice connection. See the module's documentation for how to drive it.
///
/// - inputs: `handle_*`
/// - outputs: [`Call::poll_output`], [`Call::poll_timeout`]
/// - questions: [`Call::can_send`], [`Call::stats`]
pub struct Call {
    settings: CallSettings,
    handshake: Handshake,
    dave: Dave,
    recovery: Recovery,
    receiver: Receiver,
    sender: Option<Sender>,
    loss: LossWatch,
    /// Mode and key in use: setting them again would begin their nonces again.
    transport: Option<(Mode, [u8; KEY_BYTES])>,
    early: VecDeque<Early>,
    stats: CallStats,
    out: Outbox,
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call").field("channel", &self.settings.channel).finish_non_exhaustive()
    }
}

impl Call {
    /// A call that is about to connect; the first output says where to.
    #[must_use]
    pub fn new(settings: CallSettings, now: SessionTime) -> Self {
        let mut out = Outbox::new();
        let mut rng = SmallRng::seed_from_u64(settings.seed);
        // Without an encoder (no memory) a call can still hear.
        let sender = Sender::new(rng.random(), rng.random())
            .inspect_err(|error| tracing::error!(%error, "nothing can be said in this call"))
            .ok();
        Self {
            handshake: Handshake::new(&settings, now, &mut out),
            dave: Dave::new(settings.user, settings.channel, settings.decryption_failure_tolerance),
            recovery: Recovery::default(),
            receiver: Receiver::new(),
            sender,
            loss: LossWatch::default(),
            transport: None,
            early: VecDeque::new(),
            stats: CallStats::default(),
            out,
            settings,
        }
    }

    /// The websocket asked for by [`Output::Connect`] is open.
    pub fn handle_gateway_opened(&mut self, now: SessionTime) {
        self.handshake.handle_opened(&self.settings, now, &mut self.out);
    }

    /// A websocket text message. What cannot be read is counted and skipped.
    pub fn handle_gateway_text(&mut self, now: SessionTime, text: &str) {
        let (seq, incoming) = match gateway::parse_text(text) {
            Ok(message) => message,
            Err(error) => {
                tracing::warn!(%error, "skipped");
                self.stats.gateway.malformed += 1;
                return;
            }
        };
        if let Some(seq) = seq {
            self.handshake.handle_seq(seq);
        }
        self.handle_incoming(now, incoming);
    }

    fn handle_incoming(&mut self, now: SessionTime, incoming: Incoming) {
        let (out, stats) = (&mut self.out, &mut self.stats);
        match incoming {
            Incoming::Hello { heartbeat_interval } => {
                self.handshake.handle_hello(now, heartbeat_interval);
            }
            Incoming::HeartbeatRequest => self.handshake.handle_heartbeat_request(out),
            Incoming::HeartbeatAck => self.handshake.handle_heartbeat_ack(),
            Incoming::Resumed => self.handshake.handle_resumed(out, &mut stats.gateway),
            Incoming::Ready(ready) => {
                if let Some(sender) = &mut self.sender {
                    sender.set_ssrc(ready.ssrc);
                }
                self.handshake.handle_ready(now, ready, out);
            }
            Incoming::Description(description) => self.handle_description(now, &description),
            Incoming::Speaking { user, ssrc } => {
                if user != self.settings.user {
                    self.recovery.announced(now);
                    let keys = self.dave.in_force();
                    self.receiver.map(now, ssrc, user, keys, out, stats);
                }
            }
            Incoming::ClientsConnect(users) => {
                let new = self.dave.clients_connect(&users, out, &mut stats.gateway);
                out.extend(new.into_iter().map(CallEvent::MemberJoined).map(Output::Event));
                self.receiver.keys_changed(now);
            }
            Incoming::ClientDisconnect(user) => {
                if self.dave.client_disconnect(now, user) {
                    out.push_back(Output::Event(CallEvent::MemberLeft(user)));
                }
                self.receiver.user_left(now, user);
            }
            early @ (Incoming::PrepareTransition { .. }
            | Incoming::ExecuteTransition { .. }
            | Incoming::PrepareEpoch { .. })
                if !self.dave.started() =>
            {
                self.keep_early(Early::Json(early));
            }
            Incoming::PrepareTransition { transition, version } => {
                let keys =
                    self.dave.prepare_transition(now, transition, version, out, &mut stats.gateway);
                self.after(now, keys);
            }
            Incoming::ExecuteTransition { transition } => {
                let keys = self.dave.execute_transition(now, transition, &mut stats.gateway);
                self.after(now, keys);
            }
            Incoming::PrepareEpoch { version, epoch } => {
                self.dave.prepare_epoch(now, version, epoch, out);
            }
            Incoming::Ignored { op } => {
                tracing::trace!(op, "voice opcode ignored");
                stats.gateway.ignored += 1;
            }
        }
    }

    fn handle_description(&mut self, now: SessionTime, description: &gateway::Description) {
        let Some(mode) = self.handshake.handle_description(now, &description.mode, &mut self.out)
        else {
            return;
        };
        let transport = Some((mode, description.secret_key));
        if self.transport == transport {
            return tracing::debug!("the session description is repeated");
        }
        self.transport = transport;
        self.receiver.set_transport(mode, &description.secret_key);
        if let Some(sender) = &mut self.sender {
            sender.set_transport(mode, &description.secret_key);
        }
        self.recovery.joined(now);
        self.dave.start(now, description.dave_protocol_version, &mut self.out);
        let dave_version = description.dave_protocol_version;
        self.out.push_back(Output::Event(CallEvent::Ready { dave_version }));
        for early in std::mem::take(&mut self.early) {
            match early {
                Early::Json(incoming) => self.handle_incoming(now, incoming),
                Early::Binary(bytes) => {
                    let keys = self.handle_binary(now, &bytes);
                    self.after(now, keys);
                }
            }
        }
    }

    fn keep_early(&mut self, message: Early) {
        if self.early.len() >= MAX_EARLY {
            tracing::warn!("too many messages before the session description");
            self.stats.gateway.ignored += 1;
            return;
        }
        self.early.push_back(message);
    }

    fn after(&mut self, now: SessionTime, keys: Keys) {
        if keys == Keys::Changed {
            self.receiver.keys_changed(now);
        }
    }

    /// A websocket binary message (DAVE). New keys may make held packets audible, hence `hear`.
    pub fn handle_gateway_binary(&mut self, now: SessionTime, bytes: &[u8], hear: &mut dyn Hear) {
        let keys = self.handle_binary(now, bytes);
        self.after(now, keys);
        if keys == Keys::Changed {
            self.receive(now, hear, |receiver, io| receiver.handle_timeout(io));
        }
    }

    fn handle_binary(&mut self, now: SessionTime, bytes: &[u8]) -> Keys {
        let (seq, message) = match gateway::parse_binary(bytes) {
            Ok(message) => message,
            Err(error) => {
                tracing::warn!(%error, "skipped");
                self.stats.gateway.malformed += 1;
                return Keys::Same;
            }
        };
        let group_message = matches!(
            message,
            IncomingBinary::Proposals { .. }
                | IncomingBinary::Commit { .. }
                | IncomingBinary::Welcome { .. }
        );
        self.handshake.handle_seq(seq.into());
        if group_message && !self.dave.started() {
            self.keep_early(Early::Binary(bytes.to_vec()));
            return Keys::Same;
        }
        let (dave, out, stats) = (&mut self.dave, &mut self.out, &mut self.stats.gateway);
        match message {
            IncomingBinary::ExternalSender(body) => dave.external_sender(body, out, stats),
            IncomingBinary::Proposals { revoke, body } => dave.proposals(revoke, body, out, stats),
            IncomingBinary::Commit { transition, commit } => {
                return dave.commit(now, transition, commit, out, stats);
            }
            IncomingBinary::Welcome { transition, welcome } => {
                return dave.welcome(now, transition, welcome, out, stats);
            }
            IncomingBinary::Ignored { op } => {
                tracing::trace!(op, "binary voice opcode ignored");
                stats.ignored += 1;
            }
        }
        Keys::Same
    }

    /// The websocket closed with `code`, broke, or could not be opened (both `None`).
    pub fn handle_gateway_closed(&mut self, now: SessionTime, code: Option<u16>) {
        if let Some(sender) = &mut self.sender {
            sender.forget_announcement();
        }
        self.handshake.handle_closed(&self.settings, now, code, &mut self.out);
    }

    /// A datagram of the voice server; decrypted in place, heard at once if it is in order.
    /// Allocates nothing in steady state.
    pub fn handle_datagram(&mut self, now: SessionTime, datagram: &mut [u8], hear: &mut dyn Hear) {
        if self.handshake.handle_datagram(now, datagram, &mut self.out) {
            self.stats.arrived();
            self.stats.settle(None, Fate::Discovery);
            return;
        }
        self.receive(now, hear, |receiver, io| receiver.handle_datagram(io, datagram));
    }

    /// Time has passed; does everything that is due.
    pub fn handle_timeout(&mut self, now: SessionTime, hear: &mut dyn Hear) {
        let linked = self.handshake.linked();
        let stats = &mut self.stats.gateway;
        self.handshake.handle_timeout(&self.settings, now, &mut self.out, stats);
        if linked
            && !self.handshake.linked()
            && let Some(sender) = &mut self.sender
        {
            sender.forget_announcement();
        }
        self.receive(now, hear, |receiver, io| receiver.handle_timeout(io));
    }

    fn receive(
        &mut self,
        now: SessionTime,
        hear: &mut dyn Hear,
        run: impl FnOnce(&mut Receiver, &mut Io<'_>),
    ) {
        let linked = self.handshake.linked();
        let Self { receiver, dave, recovery, stats, out, .. } = self;
        run(receiver, &mut Io { now, linked, dave, recovery, stats, out, hear });
        match self.recovery.take_remedy() {
            None => {}
            Some(Remedy::Reinitialise) => {
                self.dave.reinitialise(now, &mut self.out, &mut self.stats.gateway);
            }
            Some(Remedy::Rejoin) => {
                self.out.push_back(Output::Event(CallEvent::RepeatedDecryptFailures));
                let words = "members' frames stay undecryptable";
                self.handshake.give_up(words, Plan::Rejoin, &mut self.out);
            }
            Some(Remedy::GiveUp) => {
                let words = "members' frames come unencrypted into every new group";
                self.handshake.give_up(words, Plan::Fatal, &mut self.out);
            }
        }
    }

    /// Whether speech would be understood: media flows, and with DAVE there is a key to encrypt
    /// with.
    #[must_use]
    pub fn can_send(&self) -> bool {
        self.handshake.flowing()
            && self.sender.as_ref().is_some_and(Sender::has_transport)
            && self.dave.can_send()
    }

    /// The channel's bitrate, bits per second (Discord, "Channel Object", `bitrate`).
    pub fn set_bitrate(&mut self, bits: u32) {
        if let Some(sender) = &mut self.sender {
            sender.set_bitrate(bits);
        }
    }

    /// The playout clock's 20 ms tick: a frame of 24 kHz mono speech, or nothing to say.
    ///
    /// Returns the length of the datagram to send, if there is one. After speech come five
    /// packets of silence, then nothing. Speaking (op 5) is told through [`Call::poll_output`]:
    /// carry out the outputs before the datagram is sent. Allocates nothing in steady state.
    pub fn handle_tick(
        &mut self,
        now: SessionTime,
        pcm: Option<&[i16; FRAME_SAMPLES]>,
        datagram: &mut [u8; MAX_DATAGRAM_BYTES],
    ) -> Option<usize> {
        if !self.handshake.flowing() {
            self.stats.sent.refused += u64::from(pcm.is_some());
            return None;
        }
        let linked = self.handshake.linked();
        let Self { sender, dave, loss, stats, out, .. } = self;
        let sender = sender.as_mut()?;
        if let Some(percent) = loss.observe(now, &stats.total) {
            sender.set_loss(percent);
        }
        sender.handle_tick(pcm, linked, dave, out, &mut stats.sent, datagram)
    }

    /// The next thing to do, in order; `None` when there is nothing left.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    /// When [`Call::handle_timeout`] is due next, and why.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<(SessionTime, Timer)> {
        let timers = [self.handshake.poll_timeout(), self.receiver.poll_timeout()];
        timers.into_iter().flatten().min_by_key(|(at, _)| *at)
    }

    /// Counters that explain every packet.
    #[must_use]
    pub fn stats(&self) -> &CallStats {
        &self.stats
    }

    /// Who is in the call besides the bot, as far as the voice server has told.
    pub fn members(&self) -> impl Iterator<Item = UserId> {
        self.dave.others()
    }

    /// Packets that wait at this moment for an earlier one, a sender, or a key.
    #[must_use]
    pub fn packets_in_flight(&self) -> usize {
        self.receiver.in_flight()
    }

    /// Leaves: closes the websocket with 1000. Nothing more is sent.
    pub fn close(&mut self, _now: SessionTime) {
        self.handshake.close(&mut self.out);
    }
}

#[cfg(test)]
mod tests;
