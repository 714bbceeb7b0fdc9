//! The client without its sockets: what it answers to each message, datagram and deadline.
//!
//! Order of the handshake: HELLO and our IDENTIFY cross, READY, IP discovery over UDP, SELECT
//! PROTOCOL, SESSION DESCRIPTION, key package. Anything else may come at any point from the start
//! and is used when it comes.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    net::SocketAddr,
    time::{Duration, Instant},
};

use super::{
    HumanStats,
    coding::SpeechCoding,
    dave::{Answer, Dave, Undecryptable},
    echo::EchoSettings,
    gateway::{self, FromServer},
    media::{Incoming, PacketError, Transport, TransportMode},
    recording::{Heard, Recording},
    speech::{Spoken, Step, Unsaid, Voice},
};
use crate::voice::VoiceInvite;

/// How long to wait for the answer to IP discovery before asking again.
const DISCOVERY_RETRY: Duration = Duration::from_millis(500);
/// Questions before giving up.
const DISCOVERY_TRIES: u32 = 10;
/// Unanswered heartbeats after which the connection counts as dead.
const MAX_UNANSWERED: u32 = 2;
/// How often a datagram keeps the way through a NAT open.
const KEEPALIVE: Duration = Duration::from_secs(5);
/// How long a packet waits for the gateway to say whose SSRC it bears.
const HOLD: Duration = Duration::from_secs(2);
/// Packets held at once; the oldest go first.
const MAX_HELD: usize = 256;

/// What the shell is to do, in this order.
#[derive(Debug)]
pub(crate) enum Output {
    /// Send a text message.
    Text(String),
    /// Send a binary message.
    Binary(Vec<u8>),
    /// Open a UDP socket towards this address.
    ConnectUdp(SocketAddr),
    /// Send a datagram there.
    Datagram(Vec<u8>),
    /// The handshake is complete.
    Joined,
    /// A speech is over.
    Spoken { id: u64, spoken: Spoken },
    /// It cannot go on.
    Failed(String),
}

/// One human's connection to one voice server.
pub(crate) struct Client {
    invite: VoiceInvite,
    preferred_mode: TransportMode,
    coding: SpeechCoding,
    echo: Option<EchoSettings>,
    ssrc: u32,
    mode: TransportMode,
    discovery: Option<Discovery>,
    transport: Option<Transport>,
    heartbeat: Option<Heartbeat>,
    keepalive: Option<Keepalive>,
    /// Last sequence number the server sent, -1 before the first.
    seq_ack: i32,
    dave: Dave,
    voice: Option<Voice>,
    announced: bool,
    /// Whose SSRC is whose, from opcode 5.
    speakers: HashMap<u32, u64>,
    held: VecDeque<(Instant, Incoming)>,
    recordings: BTreeMap<u64, Recording>,
    stats: HumanStats,
    outputs: VecDeque<Output>,
}

struct Discovery {
    due: Instant,
    tries: u32,
}

struct Heartbeat {
    interval: Duration,
    due: Instant,
    sent: u64,
    unanswered: u32,
}

struct Keepalive {
    due: Instant,
    count: u32,
}

impl Client {
    /// # Errors
    /// What went wrong, if no DAVE session could be made.
    pub(crate) fn new(
        invite: VoiceInvite,
        preferred_mode: TransportMode,
        coding: SpeechCoding,
    ) -> Result<Self, String> {
        let dave = Dave::new(invite.user_id, invite.channel_id)?;
        let identify = Output::Text(gateway::identify(&invite));
        Ok(Self {
            invite,
            preferred_mode,
            coding,
            echo: None,
            ssrc: 0,
            mode: preferred_mode,
            discovery: None,
            transport: None,
            heartbeat: None,
            keepalive: None,
            seq_ack: -1,
            dave,
            voice: None,
            announced: false,
            speakers: HashMap::new(),
            held: VecDeque::new(),
            recordings: BTreeMap::new(),
            stats: HumanStats::default(),
            outputs: VecDeque::from([identify]),
        })
    }

    /// The next thing to do; call until there is none.
    pub(crate) fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`Self::handle_timeout`] wants to be called.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        [
            self.discovery.as_ref().map(|discovery| discovery.due),
            self.heartbeat.as_ref().map(|heartbeat| heartbeat.due),
            self.keepalive.as_ref().map(|keepalive| keepalive.due),
            self.voice.as_ref().and_then(Voice::poll_timeout),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Everything heard of a user; none before its first packet.
    pub(crate) fn heard(&self, from: u64) -> Option<&Heard> {
        self.recordings.get(&from).map(Recording::heard)
    }

    pub(crate) fn stats(&self) -> HumanStats {
        let mut stats = self.stats.clone();
        stats.transport_mode = self.transport.as_ref().map(|_| self.mode);
        stats.dave_protocol_version = self.dave.version();
        stats.epochs_seen = self.dave.epochs_seen();
        stats.current_epoch = self.dave.epoch();
        stats.members = self.dave.members().collect();
        stats.recoveries = self.dave.recoveries();
        stats.dave_messages_refused = self.dave.refused();
        stats.can_send = self.transport.is_some() && self.dave.can_send();
        for (user, recording) in &self.recordings {
            stats.undecryptable_before_ready += recording.stats.undecryptable_before_ready;
            stats.undecryptable_after_ready += recording.stats.undecryptable_after_ready;
            stats.decode_errors += recording.stats.decode_errors;
            stats.senders.insert(*user, recording.stats);
        }
        stats
    }

    /// Says something after what is being said already. Before the handshake is complete there is
    /// no voice to say it with: nothing happens.
    pub(crate) fn handle_say(&mut self, now: Instant, speech: Unsaid) {
        let Some(voice) = self.voice.as_mut() else { return };
        voice.say(now, speech);
        self.announce();
    }

    /// Says that speech comes, once.
    fn announce(&mut self) {
        if !std::mem::replace(&mut self.announced, true) {
            self.outputs.push_back(Output::Text(gateway::speaking(self.ssrc, true)));
        }
    }

    /// Stops speaking, and hands out what has not been said.
    pub(crate) fn take_unsaid(&mut self) -> Vec<Unsaid> {
        if std::mem::take(&mut self.announced) {
            self.outputs.push_back(Output::Text(gateway::speaking(self.ssrc, false)));
        }
        self.voice.as_mut().map(Voice::take_unsaid).unwrap_or_default()
    }

    /// Codes what is said from now on like that.
    ///
    /// # Errors
    /// libopus's.
    pub(crate) fn set_coding(&mut self, coding: SpeechCoding) -> Result<(), opus2::Error> {
        self.coding = coding;
        self.voice.as_mut().map_or(Ok(()), |voice| voice.set_coding(coding))
    }

    /// From now on sends back what it hears of somebody, or nothing.
    pub(crate) fn set_echo(&mut self, echo: Option<EchoSettings>) {
        self.echo = echo;
        if let Some(voice) = self.voice.as_mut() {
            voice.set_echo(echo);
        }
    }

    /// A text message from the voice gateway.
    pub(crate) fn handle_text(&mut self, now: Instant, text: &str) {
        let Ok((seq, message)) = gateway::read_text(text) else {
            self.stats.messages_malformed += 1;
            return;
        };
        if let Some(seq) = seq {
            self.seq_ack = seq.into();
        }
        match message {
            FromServer::Hello { heartbeat_interval } => {
                let due = now + heartbeat_interval;
                let interval = heartbeat_interval;
                self.heartbeat = Some(Heartbeat { interval, due, sent: 0, unanswered: 0 });
            }
            FromServer::HeartbeatAck => {
                if let Some(heartbeat) = self.heartbeat.as_mut() {
                    heartbeat.unanswered = 0;
                }
            }
            FromServer::Ready { ssrc, address, modes } => {
                self.handle_ready(now, ssrc, address, &modes)
            }
            FromServer::SessionDescription { mode, secret_key, dave_protocol_version } => {
                self.handle_session_description(now, &mode, &secret_key, dave_protocol_version);
            }
            FromServer::Speaking { user_id, ssrc } => self.handle_speaking(now, user_id, ssrc),
            FromServer::ClientsConnect { user_ids } => self.dave.handle_clients_connect(&user_ids),
            FromServer::ClientDisconnect { user_id } => {
                self.speakers.retain(|_, user| *user != user_id);
                self.dave.handle_client_disconnect(user_id);
            }
            FromServer::PrepareTransition { transition_id, protocol_version } => {
                self.dave.handle_prepare_transition(now, transition_id, protocol_version);
            }
            FromServer::ExecuteTransition { transition_id } => {
                self.dave.handle_execute_transition(now, transition_id);
            }
            FromServer::PrepareEpoch { epoch } => self.dave.handle_prepare_epoch(epoch),
            FromServer::Other => {}
        }
        self.send_dave_answers();
    }

    /// A binary message from the voice gateway.
    pub(crate) fn handle_binary(&mut self, now: Instant, bytes: &[u8]) {
        let Some((seq, opcode, payload)) = gateway::read_binary(bytes) else {
            self.stats.messages_malformed += 1;
            return;
        };
        self.seq_ack = seq.into();
        self.dave.handle_binary(now, opcode, payload);
        self.send_dave_answers();
    }

    fn send_dave_answers(&mut self) {
        for answer in self.dave.take_answers() {
            self.outputs.push_back(match answer {
                Answer::Json(opcode, data) => Output::Text(gateway::write_text(opcode, &data)),
                Answer::Binary(bytes) => Output::Binary(bytes),
            });
        }
    }

    fn handle_ready(&mut self, now: Instant, ssrc: u32, address: SocketAddr, modes: &[String]) {
        let offered = |mode: &TransportMode| modes.iter().any(|name| name == mode.name());
        let wanted =
            [self.preferred_mode, TransportMode::Aes256Gcm, TransportMode::XChaCha20Poly1305];
        let Some(mode) = wanted.into_iter().find(offered) else {
            let problem = format!("no encryption mode in common with the server: {modes:?}");
            self.outputs.push_back(Output::Failed(problem));
            return;
        };
        (self.ssrc, self.mode) = (ssrc, mode);
        self.outputs.push_back(Output::ConnectUdp(address));
        self.outputs.push_back(Output::Datagram(gateway::discovery_request(ssrc)));
        self.discovery = Some(Discovery { due: now + DISCOVERY_RETRY, tries: 1 });
    }

    fn handle_session_description(
        &mut self,
        now: Instant,
        mode: &str,
        key: &[u8; 32],
        dave_protocol_version: u16,
    ) {
        if TransportMode::from_name(mode) != Some(self.mode) {
            let problem = format!("asked for {}, was given {mode}", self.mode.name());
            self.outputs.push_back(Output::Failed(problem));
            return;
        }
        match Voice::new(self.ssrc, rand::random(), rand::random(), self.coding) {
            Ok(mut voice) => {
                voice.set_echo(self.echo);
                self.voice = Some(voice);
            }
            Err(error) => self.outputs.push_back(Output::Failed(error.to_string())),
        }
        self.transport = Some(Transport::new(self.mode, key));
        self.keepalive = Some(Keepalive { due: now + KEEPALIVE, count: 0 });
        self.dave.handle_session_description(dave_protocol_version);
        self.send_dave_answers();
        self.outputs.push_back(Output::Joined);
    }

    fn handle_speaking(&mut self, now: Instant, user_id: u64, ssrc: u32) {
        self.speakers.insert(ssrc, user_id);
        let (known, waiting) =
            std::mem::take(&mut self.held).into_iter().partition(|(_, packet)| packet.ssrc == ssrc);
        self.held = waiting;
        let known: VecDeque<(Instant, Incoming)> = known;
        for (at, packet) in known {
            self.hear(now, at, user_id, &packet);
        }
    }

    /// A datagram from the voice server.
    pub(crate) fn handle_datagram(&mut self, now: Instant, datagram: &[u8]) {
        if self.discovery.is_some()
            && let Some(discovered) = gateway::read_discovery(datagram, self.ssrc)
        {
            self.discovery = None;
            let select = gateway::select_protocol(discovered, self.mode.name());
            self.outputs.push_back(Output::Text(select));
            return;
        }
        let Some(transport) = &self.transport else { return };
        let packet = match transport.open(datagram) {
            Ok(packet) => packet,
            Err(PacketError::Forged) => {
                self.stats.transport_failures += 1;
                return;
            }
            Err(PacketError::NotVoice | PacketError::Truncated | PacketError::Padding) => {
                self.stats.packets_malformed += 1;
                return;
            }
        };
        match self.speakers.get(&packet.ssrc) {
            Some(user_id) => self.hear(now, now, *user_id, &packet),
            None => self.hold(now, packet),
        }
    }

    /// Keeps a packet until its SSRC is known.
    fn hold(&mut self, now: Instant, packet: Incoming) {
        let is_old = |held: &(Instant, Incoming)| now > held.0 + HOLD;
        while self.held.len() >= MAX_HELD || self.held.front().is_some_and(is_old) {
            self.held.pop_front();
            self.stats.unknown_ssrc_dropped += 1;
        }
        self.held.push_back((now, packet));
    }

    fn hear(&mut self, now: Instant, at: Instant, user_id: u64, packet: &Incoming) {
        let recording = match self.recordings.entry(user_id) {
            std::collections::btree_map::Entry::Occupied(known) => known.into_mut(),
            std::collections::btree_map::Entry::Vacant(new) => match Recording::new() {
                Ok(recording) => new.insert(recording),
                Err(error) => {
                    self.outputs.push_back(Output::Failed(error.to_string()));
                    return;
                }
            },
        };
        if !recording.handle_sequence(packet.ssrc, packet.sequence) {
            return;
        }
        if packet.payload.is_empty() {
            recording.stats.padding_only += 1;
            return;
        }
        recording.stats.frames_received += 1;
        let decoded = match self.dave.decrypt(now, user_id, &packet.payload) {
            Ok(opus) => recording.handle_frame(at, packet.timestamp, &opus),
            Err(Undecryptable::BeforeReady) => {
                recording.stats.undecryptable_before_ready += 1;
                None
            }
            Err(Undecryptable::AfterReady) => {
                recording.stats.undecryptable_after_ready += 1;
                None
            }
        };
        let (Some(decoded), Some(voice)) = (decoded, self.voice.as_mut()) else { return };
        if voice.hear(at, user_id, &decoded) {
            self.announce();
        }
    }

    /// Does whatever is due.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        self.beat(now);
        self.discover_again(now);
        self.keep_alive(now);
        self.speak(now);
    }

    fn beat(&mut self, now: Instant) {
        let Some(heartbeat) = self.heartbeat.as_mut().filter(|heartbeat| heartbeat.due <= now)
        else {
            return;
        };
        if heartbeat.unanswered >= MAX_UNANSWERED {
            let problem = format!("{MAX_UNANSWERED} heartbeats went unanswered");
            self.outputs.push_back(Output::Failed(problem));
            self.heartbeat = None;
            return;
        }
        heartbeat.unanswered += 1;
        heartbeat.sent += 1;
        heartbeat.due = now + heartbeat.interval;
        self.outputs.push_back(Output::Text(gateway::heartbeat(heartbeat.sent, self.seq_ack)));
    }

    fn discover_again(&mut self, now: Instant) {
        let Some(discovery) = self.discovery.as_mut().filter(|discovery| discovery.due <= now)
        else {
            return;
        };
        if discovery.tries >= DISCOVERY_TRIES {
            let problem = "no answer to IP discovery: is the UDP port reachable?".to_owned();
            self.outputs.push_back(Output::Failed(problem));
            self.discovery = None;
            return;
        }
        discovery.tries += 1;
        discovery.due = now + DISCOVERY_RETRY;
        self.outputs.push_back(Output::Datagram(gateway::discovery_request(self.ssrc)));
    }

    fn keep_alive(&mut self, now: Instant) {
        let Some(keepalive) = self.keepalive.as_mut().filter(|keepalive| keepalive.due <= now)
        else {
            return;
        };
        let mut datagram = keepalive.count.to_le_bytes().to_vec();
        datagram.resize(8, 0);
        keepalive.count = keepalive.count.wrapping_add(1);
        keepalive.due = now + KEEPALIVE;
        self.outputs.push_back(Output::Datagram(datagram));
    }

    fn speak(&mut self, now: Instant) {
        let (Some(voice), Some(transport)) = (self.voice.as_mut(), self.transport.as_mut()) else {
            return;
        };
        loop {
            match voice.handle_timeout(now) {
                Ok(Some(Step::Frame { header, opus })) => match self.dave.encrypt(&opus) {
                    Some(frame) => {
                        self.stats.frames_sent += 1;
                        self.outputs.push_back(Output::Datagram(transport.seal(header, &frame)));
                    }
                    None => {
                        self.stats.frames_unsent += 1;
                        voice.take_back();
                    }
                },
                Ok(Some(Step::Finished { id, spoken })) => {
                    self.outputs.push_back(Output::Spoken { id, spoken });
                }
                Ok(Some(Step::EchoFinished)) => {}
                Ok(None) => return,
                Err(error) => {
                    self.outputs.push_back(Output::Failed(error.to_string()));
                    return;
                }
            }
            if self.announced && !voice.is_speaking() {
                self.announced = false;
                self.outputs.push_back(Output::Text(gateway::speaking(self.ssrc, false)));
            }
        }
    }

    /// Who this is.
    pub(crate) fn user_id(&self) -> u64 {
        self.invite.user_id
    }
}

#[cfg(test)]
mod tests;
