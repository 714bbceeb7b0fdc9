//! Everything the voice server knows: tickets, connections, members, rooms.
//!
//! Sans-IO: inputs go in with the time in milliseconds, outputs are queued and drained in order
//! with [`Hub::poll_output`]. A member outlives its websocket by the resume window: its SSRC, key,
//! UDP address, DAVE leaf and unsent messages belong to the member, not to the connection.

mod admission;
mod downgrade;
mod interfere;
mod join;
mod packets;
mod room;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    net::SocketAddr,
};

use rand::rngs::StdRng;
use serde_json::{Value, json};

use self::{
    downgrade::Downgrades,
    interfere::{Fate, Interference, Target},
    room::Room,
};
use super::{
    gateway::{
        ClientMessage, CloseCode, Connection, Frame, Outbox, Payload, describe, encode, name,
        parse_binary, parse_text,
    },
    settings::VoiceSettings,
    sfu::{Datagram, Sfu, Silenced},
    ticket::Ticket,
};
use crate::fault::{Impair, VoiceBehaviour};

/// One websocket, numbered by the shell.
pub(crate) type ConnectionId = u64;

/// Guild and user: a user has one voice connection per guild.
type MemberId = (u64, u64);

/// What the shell is to do.
pub(crate) enum Output {
    Frame {
        connection: ConnectionId,
        frame: Frame,
    },
    /// Close this websocket; it is forgotten here.
    Close {
        connection: ConnectionId,
        code: CloseCode,
    },
    Datagram {
        to: SocketAddr,
        bytes: Vec<u8>,
        /// From another port than the one READY named.
        other_port: bool,
    },
    /// RTP for the capture, if one is wanted.
    Captured {
        way: Way,
        /// Without its transport encryption; `None`: that could not be taken off.
        rtp: Option<Vec<u8>>,
    },
    Journal {
        kind: &'static str,
        name: &'static str,
        data: Value,
    },
}

/// Where a captured datagram came from or goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    From(SocketAddr),
    To { to: SocketAddr, other_port: bool },
}

#[derive(Debug)]
struct Issued {
    ticket: Ticket,
    used: bool,
}

#[derive(Debug)]
struct Member {
    ticket: Ticket,
    ssrc: u32,
    key: [u8; 32],
    connection: Option<ConnectionId>,
    version: u16,
    /// Since when the websocket is lost.
    lost_ms: Option<u64>,
    outbox: Outbox,
    selected: bool,
    speaking: Option<u32>,
    /// When RTP first came without op 5.
    early_rtp_ms: Option<u64>,
}

/// The state of the voice server.
pub(crate) struct Hub {
    settings: VoiceSettings,
    udp: SocketAddr,
    rng: StdRng,
    tickets: BTreeMap<MemberId, Issued>,
    /// Whose audio is not forwarded, here or not here yet.
    silenced: BTreeMap<MemberId, Silenced>,
    connections: BTreeMap<ConnectionId, Connection>,
    members: BTreeMap<MemberId, Member>,
    rooms: BTreeMap<u64, Room>,
    by_ssrc: BTreeMap<u32, MemberId>,
    sfu: Sfu,
    next_report_ms: Option<u64>,
    /// The time of the input that is being handled.
    now_ms: u64,
    behaviour: VoiceBehaviour,
    interference: Interference,
    impair: Impair,
    downgrades: Downgrades,
    capturing: bool,
    /// Answers to IP discovery that were lost, per user.
    lost_answers: HashMap<u64, u32>,
    next_fault_report_ms: Option<u64>,
    outputs: VecDeque<Output>,
    datagrams: Vec<Datagram>,
}

impl Hub {
    /// `udp` is the address READY tells clients.
    pub(crate) fn new(settings: VoiceSettings, udp: SocketAddr, rng: StdRng) -> Self {
        Self {
            sfu: Sfu::new(settings.seed),
            settings,
            udp,
            rng,
            tickets: BTreeMap::new(),
            silenced: BTreeMap::new(),
            connections: BTreeMap::new(),
            members: BTreeMap::new(),
            rooms: BTreeMap::new(),
            by_ssrc: BTreeMap::new(),
            next_report_ms: None,
            now_ms: 0,
            behaviour: VoiceBehaviour::default(),
            interference: Interference::default(),
            impair: Impair::default(),
            downgrades: Downgrades::default(),
            capturing: false,
            lost_answers: HashMap::new(),
            next_fault_report_ms: None,
            outputs: VecDeque::new(),
            datagrams: Vec::new(),
        }
    }

    pub(crate) fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`Hub::handle_timeout`] is due, milliseconds.
    pub(crate) fn poll_timeout(&self) -> Option<u64> {
        let heartbeats = self.connections.values().map(Connection::deadline_ms);
        let lost = self.members.values().filter_map(|member| self.gives_up_at(member));
        let groups = self.rooms.values().filter_map(Room::poll_timeout);
        let reports = self.next_report_ms.into_iter().chain(self.next_fault_report_ms);
        let faults = self.interference.poll_timeout().into_iter().chain(self.impair.poll_timeout());
        let downgrades = self.downgrades.poll_timeout();
        let faults = faults.chain(downgrades);
        heartbeats.chain(lost).chain(groups).chain(reports).chain(faults).min()
    }

    /// When a member is removed because of what it does not do.
    fn gives_up_at(&self, member: &Member) -> Option<u64> {
        let resume = member.lost_ms.map(|since| since + self.settings.resume_window_ms);
        let announce = member
            .early_rtp_ms
            .filter(|_| member.speaking.is_none())
            .map(|since| since + self.settings.speaking_grace_ms);
        resume.into_iter().chain(announce).min()
    }

    /// A fault: the websocket goes, the member stays for the resume window.
    pub(crate) fn handle_cut(&mut self, now_ms: u64, guild: u64, user: u64, code: u16) {
        self.now_ms = now_ms;
        let Some(member) = self.members.get_mut(&(guild, user)) else { return };
        let Some(connection) = member.connection.take() else { return };
        member.lost_ms = Some(now_ms);
        self.journal(
            "fault",
            "voice_close",
            json!({ "guild_id": guild.to_string(), "user_id": user.to_string(), "code": code }),
        );
        self.close(connection, CloseCode(code));
    }

    /// A websocket was opened with `?v=` this: HELLO, or a refusal.
    pub(crate) fn handle_open(&mut self, now_ms: u64, id: ConnectionId, version: Option<u16>) {
        self.now_ms = now_ms;
        // An interval that a fault made longer must not time compliant clients out.
        let interval_ms = self.behaviour.heartbeat_interval_ms.unwrap_or_default();
        let timeout_ms = self.settings.heartbeat_timeout_ms.max((interval_ms * 2.0) as u64);
        match Connection::open(now_ms, version, timeout_ms) {
            Ok(connection) => {
                if let Some(code) = self.closes_at_open() {
                    self.journal("fault", "voice_close", json!({ "code": code.0 }));
                    return self.close(id, code);
                }
                let interval = match self.behaviour.heartbeat_interval_ms {
                    Some(interval) => json!(interval),
                    None => json!(self.settings.heartbeat_interval_ms),
                };
                let hello = connection.hello(interval);
                self.connections.insert(id, connection);
                self.answer(id, hello);
            }
            Err(code) => self.close(id, code),
        }
        self.close_due(now_ms);
    }

    /// A text message.
    pub(crate) fn handle_text(&mut self, now_ms: u64, id: ConnectionId, text: &str) {
        self.now_ms = now_ms;
        let Some(connection) = self.connections.get(&id) else { return };
        let result = parse_text(connection.version(), text)
            .and_then(|message| self.handle_message(now_ms, id, message));
        self.conclude(now_ms, id, result);
    }

    /// A binary message.
    pub(crate) fn handle_binary(&mut self, now_ms: u64, id: ConnectionId, bytes: &[u8]) {
        self.now_ms = now_ms;
        let result = parse_binary(bytes).and_then(|message| match message {
            Some(message) => self.handle_message(now_ms, id, message),
            None => Ok(()),
        });
        self.conclude(now_ms, id, result);
    }

    /// The websocket is gone. A client that closes with 1000 has left for good; anything else may
    /// be followed by a resume.
    pub(crate) fn handle_disconnect(&mut self, now_ms: u64, id: ConnectionId, code: Option<u16>) {
        self.now_ms = now_ms;
        let Some(connection) = self.connections.remove(&id) else { return };
        let Some(member_id) = connection.member() else { return };
        self.journal(
            "voice",
            "disconnected",
            json!({
                "guild_id": member_id.0.to_string(),
                "user_id": member_id.1.to_string(),
                "code": code,
            }),
        );
        if code == Some(1000) {
            self.remove_member(now_ms, member_id, CloseCode::SESSION_INVALID);
        } else if let Some(member) = self.members.get_mut(&member_id) {
            member.connection = None;
            member.lost_ms = Some(now_ms);
        }
    }

    /// A deadline passed.
    pub(crate) fn handle_timeout(&mut self, now_ms: u64) {
        self.now_ms = now_ms;
        let silent: Vec<_> = self
            .connections
            .iter()
            .filter(|(_, connection)| now_ms >= connection.deadline_ms())
            .map(|(id, _)| *id)
            .collect();
        for id in silent {
            self.conclude(now_ms, id, Err(CloseCode::SESSION_TIMEOUT));
        }
        let given_up: Vec<_> = self
            .members
            .iter()
            .filter(|(_, member)| self.gives_up_at(member).is_some_and(|at| now_ms >= at))
            .map(|(id, _)| *id)
            .collect();
        for id in given_up {
            self.remove_member(now_ms, id, CloseCode::SESSION_INVALID);
        }
        let channels: Vec<_> = self.rooms.keys().copied().collect();
        for channel in channels {
            self.with_group(channel, |group| group.handle_timeout(now_ms));
        }
        if self.next_report_ms.is_some_and(|at| now_ms >= at) {
            self.next_report_ms = None;
            self.report();
        }
        self.apply_downgrades(now_ms);
        self.release_packets(now_ms);
        self.catch_up(now_ms);
        if self.next_fault_report_ms.is_some_and(|at| now_ms >= at) {
            self.next_fault_report_ms = None;
            self.report_faults();
        }
    }

    /// The MLS epoch of a channel's call; `None` without a call or without DAVE.
    pub(crate) fn epoch(&self, channel: u64) -> Option<u64> {
        self.rooms.get(&channel)?.epoch()
    }

    /// Closes a connection whose message was refused; the member goes with it.
    fn conclude(&mut self, now_ms: u64, id: ConnectionId, result: Result<(), CloseCode>) {
        self.close_due(now_ms);
        let Err(code) = result else { return };
        if let Some(member) = self.connections.get(&id).and_then(Connection::member) {
            self.remove_member(now_ms, member, code);
        }
        // Not yet closed with its member: nobody's, or a resume that came too late.
        if self.connections.contains_key(&id) {
            self.close(id, code);
        }
    }

    fn close(&mut self, connection: ConnectionId, code: CloseCode) {
        let member = self.connections.remove(&connection).and_then(|closed| closed.member());
        self.journal(
            "voice",
            "close",
            json!({
                "guild_id": member.map(|(guild, _)| guild.to_string()),
                "user_id": member.map(|(_, user)| user.to_string()),
                "code": code.0,
                "reason": code.reason(),
            }),
        );
        self.outputs.push_back(Output::Close { connection, code });
    }

    fn journal(&mut self, kind: &'static str, name: &'static str, data: Value) {
        self.outputs.push_back(Output::Journal { kind, name, data });
    }

    fn journal_message(&mut self, id: MemberId, direction: &'static str, op: u64, d: Value) {
        let kind = if op >= 21 { "dave" } else { "voice" };
        let channel = self.members.get(&id).map(|member| member.ticket.channel_id.to_string());
        self.journal(
            kind,
            name(op),
            json!({
                "direction": direction,
                "op": op,
                "guild_id": id.0.to_string(),
                "channel_id": channel,
                "user_id": id.1.to_string(),
                "d": d,
            }),
        );
    }

    /// Sends something without a sequence number to one connection.
    fn answer(&mut self, connection: ConnectionId, payload: Payload) {
        self.interfere(Target::Connection(connection), payload);
    }

    /// Sends something to a member, or keeps it for when it resumes.
    fn send(&mut self, id: MemberId, payload: Payload) {
        self.interfere(Target::Member(id), payload);
    }

    /// Puts a message on the wire.
    fn deliver(&mut self, target: Target, payload: Payload) {
        let id = match target {
            Target::Member(id) => id,
            Target::Connection(connection) => {
                let Some(open) = self.connections.get(&connection) else { return };
                let frame = encode(open.version(), None, &payload);
                if self.is_open(connection) {
                    self.outputs.push_back(Output::Frame { connection, frame });
                }
                return;
            }
        };
        let Some(member) = self.members.get_mut(&id) else { return };
        let (connection, version) = (member.connection, member.version);
        let seen = describe(&payload);
        let op = payload.opcode();
        let seq = payload.is_sequenced().then(|| member.outbox.push(payload.clone()));
        if let Some(connection) = connection.filter(|connection| self.is_open(*connection)) {
            let frame = encode(version, seq, &payload);
            self.outputs.push_back(Output::Frame { connection, frame });
        }
        self.journal_message(id, "out", op.into(), seen);
    }

    /// A client's message: whether and when it is handled, the faults decide.
    fn handle_message(
        &mut self,
        now_ms: u64,
        connection: ConnectionId,
        message: ClientMessage,
    ) -> Result<(), CloseCode> {
        let user = self.author_of(connection, &message);
        match self.fate_of(connection, user, &message) {
            Fate::Handled => self.handle_now(now_ms, connection, message),
            Fate::Repeated { copies, after_ms } => {
                for _ in 0..copies {
                    self.postpone(after_ms, connection, message.clone());
                }
                self.handle_now(now_ms, connection, message)
            }
            Fate::Delayed(ms) => {
                self.postpone(ms, connection, message);
                Ok(())
            }
            Fate::Dropped => Ok(()),
        }
    }

    /// Who sends a message, or says it is.
    fn author_of(&self, connection: ConnectionId, message: &ClientMessage) -> Option<u64> {
        match message {
            ClientMessage::Identify(identify) => Some(identify.user_id),
            ClientMessage::Resume(resume) => {
                let is_session = |member: &&Member| member.ticket.session_id == resume.session_id;
                self.members.values().find(is_session).map(|member| member.ticket.user_id)
            }
            _ => self.connections.get(&connection)?.member().map(|id| id.1),
        }
    }

    fn handle_now(
        &mut self,
        now_ms: u64,
        connection: ConnectionId,
        message: ClientMessage,
    ) -> Result<(), CloseCode> {
        let op = message.opcode();
        let result = self.handle_in_order(now_ms, connection, message);
        if let Some(id) = self.connections.get(&connection).and_then(Connection::member) {
            self.inject_after(id, op);
        }
        result
    }

    fn handle_in_order(
        &mut self,
        now_ms: u64,
        connection: ConnectionId,
        message: ClientMessage,
    ) -> Result<(), CloseCode> {
        let Some(open) = self.connections.get_mut(&connection) else { return Ok(()) };
        open.check_order(&message)?;
        let member = open.member();
        match (message, member) {
            (ClientMessage::Heartbeat { nonce, seq_ack }, _) => {
                let answer = open.handle_heartbeat(now_ms, nonce);
                self.answer(connection, answer);
                if let Some(member) = member.and_then(|id| self.members.get_mut(&id))
                    && let Some(seq_ack) = seq_ack
                {
                    member.outbox.acknowledge(seq_ack);
                }
                Ok(())
            }
            (ClientMessage::Identify(identify), _) => {
                self.handle_identify(now_ms, connection, &identify)
            }
            (ClientMessage::Resume(resume), _) => self.handle_resume(connection, &resume),
            (other, Some(id)) => self.handle_member_message(now_ms, id, other),
            (_, None) => Err(CloseCode::NOT_AUTHENTICATED),
        }
    }
}
