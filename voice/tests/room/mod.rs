//! A voice channel for tests: the call under test, other members as davey sessions, and a server
//! that signs proposals (with openmls) and picks commits.
#![allow(
    clippy::unwrap_used,
    dead_code,
    unreachable_pub,
    reason = "test code; each test binary uses a part of it"
)]

use std::num::NonZeroU16;

use clawvoice_session::{ChannelId, GuildId, SessionTime, UserId};
use clawvoice_voice::{
    call::{
        Attribution, Call, CallEvent, CallSettings, DECRYPTION_FAILURE_TOLERANCE, FRAME_SAMPLES,
        Hear, MAX_DATAGRAM_BYTES, Output,
    },
    wire::{
        aead::{Mode, Transport},
        rtp::{self, write_header},
    },
};
use davey::{Codec, CommitWelcome, DaveSession, MediaType, ProposalsOperationType};
use openmls::prelude::{
    BasicCredential, Ciphersuite, ExternalProposal, ExternalSender, GroupEpoch, GroupId,
    KeyPackageIn, LeafNodeIndex, MlsMessageIn, OpenMlsProvider, ProtocolVersion,
    SenderExtensionIndex, VLBytes,
    tls_codec::{DeserializeBytes, Serialize},
};
use openmls_basic_credential::SignatureKeyPair;
use openmls_rust_crypto::OpenMlsRustCrypto;
use serde_json::{Value, json};

pub const BOT: u64 = 1_000;
pub const ANN: u64 = 1_001;
pub const BOB: u64 = 1_002;
const CHANNEL: u64 = 77;
const KEY: [u8; 32] = [5; 32];
const VERSION: NonZeroU16 = NonZeroU16::MIN;

/// 20 ms of Opus (CELT, full band, one frame) whose content nobody listens to.
pub const SPEECH: [u8; 60] = {
    let mut packet = [0x35; 60];
    packet[0] = 0xFC;
    packet
};

/// What was heard: packets by user and the sequence of starts and stops.
#[derive(Default)]
pub struct Ear {
    pub packets: Vec<u64>,
    pub speaking: Vec<(u64, bool)>,
    pub attributions: Vec<(u64, Attribution)>,
}

impl Ear {
    /// Packets heard since the last time.
    pub fn take(&mut self) -> Vec<u64> {
        std::mem::take(&mut self.packets)
    }
}

impl Hear for Ear {
    fn speaking_started(&mut self, _now: SessionTime, user: UserId) {
        self.speaking.push((user.get(), true));
    }

    fn attributed(&mut self, _now: SessionTime, user: UserId, attribution: Attribution) {
        self.attributions.push((user.get(), attribution));
    }

    fn audio(&mut self, _now: SessionTime, user: UserId, pcm: &[i16]) {
        assert_eq!(pcm.len(), FRAME_SAMPLES);
        self.packets.push(user.get());
    }

    fn speaking_stopped(&mut self, _now: SessionTime, user: UserId) {
        self.speaking.push((user.get(), false));
    }
}

/// A member that is not under test.
pub struct Human {
    pub id: u64,
    pub ssrc: u32,
    pub dave: DaveSession,
    pub sequence: u16,
}

impl Human {
    /// An RTP packet's media: a frame of speech, end-to-end encrypted if there is a group.
    pub fn frame(&mut self) -> Vec<u8> {
        self.dave.encrypt(MediaType::AUDIO, Codec::OPUS, &SPEECH).unwrap().into_owned()
    }
}

/// The server's side.
pub struct Server {
    provider: OpenMlsRustCrypto,
    signer: SignatureKeyPair,
    group: GroupId,
    pub transport: Transport,
    seq: u16,
}

impl Server {
    fn new() -> Self {
        let suite = Ciphersuite::MLS_128_DHKEMP256_AES128GCM_SHA256_P256;
        Self {
            provider: OpenMlsRustCrypto::default(),
            signer: SignatureKeyPair::new(suite.signature_algorithm()).unwrap(),
            group: GroupId::from_slice(&CHANNEL.to_be_bytes()),
            transport: Transport::new(Mode::Aes256Gcm, &KEY),
            seq: 10,
        }
    }

    /// The body of op 25.
    pub fn external_sender(&self) -> Vec<u8> {
        let credential = BasicCredential::new(vec![0]).into();
        ExternalSender::new(self.signer.public().into(), credential)
            .tls_serialize_detached()
            .unwrap()
    }

    /// One signed Add.
    pub fn add(&self, epoch: u64, key_package: &[u8]) -> Vec<u8> {
        let key_package = KeyPackageIn::tls_deserialize_exact_bytes(key_package)
            .unwrap()
            .validate(self.provider.crypto(), ProtocolVersion::Mls10)
            .unwrap();
        ExternalProposal::new_add::<OpenMlsRustCrypto>(
            key_package,
            self.group.clone(),
            GroupEpoch::from(epoch),
            &self.signer,
            SenderExtensionIndex::new(0),
        )
        .unwrap()
        .tls_serialize_detached()
        .unwrap()
    }

    /// One signed Remove.
    pub fn remove(&self, epoch: u64, leaf: u32) -> Vec<u8> {
        ExternalProposal::new_remove::<OpenMlsRustCrypto>(
            LeafNodeIndex::new(leaf),
            self.group.clone(),
            GroupEpoch::from(epoch),
            &self.signer,
            SenderExtensionIndex::new(0),
        )
        .unwrap()
        .tls_serialize_detached()
        .unwrap()
    }
}

/// The vector of an append batch.
pub fn batch(proposals: &[Vec<u8>]) -> Vec<u8> {
    VLBytes::new(proposals.concat()).tls_serialize_detached().unwrap()
}

/// Everything together, with a clock.
pub struct Room {
    pub call: Call,
    pub ear: Ear,
    pub now: SessionTime,
    pub server: Server,
    /// The call's last key package (op 26).
    pub key_package: Vec<u8>,
    /// The call's last commit and welcome (op 28).
    pub commit: Option<(Vec<u8>, Option<Vec<u8>>)>,
    /// Texts the call sent, keepalives and speaking aside.
    pub texts: Vec<Value>,
    pub events: Vec<CallEvent>,
}

impl Room {
    /// A call in which media flows under DAVE and op 25 has come, but nobody else has.
    pub fn new() -> Self {
        Self::tolerating(DECRYPTION_FAILURE_TOLERANCE)
    }

    /// The same with a tolerance of its own for frames that do not decrypt.
    pub fn tolerating(decryption_failure_tolerance: u32) -> Self {
        let settings = CallSettings {
            guild: GuildId::new(1),
            channel: ChannelId::new(CHANNEL),
            user: UserId::new(BOT),
            session_id: "s".into(),
            token: "t".to_owned().into(),
            endpoint: "voice.example:443".into(),
            secure: true,
            dave: true,
            decryption_failure_tolerance,
            reconnect_grace: clawvoice_voice::call::RECONNECT_GRACE,
            seed: 3,
            udp_fallback: None,
        };
        let mut room = Self {
            call: Call::new(settings, SessionTime::ZERO),
            ear: Ear::default(),
            now: SessionTime::ZERO,
            server: Server::new(),
            key_package: Vec::new(),
            commit: None,
            texts: Vec::new(),
            events: Vec::new(),
        };
        room.call.handle_gateway_opened(room.now);
        room.text(json!({"op": 2, "d": {"ssrc": 1, "ip": "127.0.0.1", "port": 9,
            "modes": [Mode::Aes256Gcm.name()]}}));
        let mut answer = [0; 74];
        answer[..8].copy_from_slice(&[0, 2, 0, 70, 0, 0, 0, 1]);
        answer[8..17].copy_from_slice(b"127.0.0.1");
        room.call.handle_datagram(room.now, &mut answer, &mut room.ear);
        room.text(json!({"op": 4, "d": {"mode": Mode::Aes256Gcm.name(), "secret_key": KEY,
            "dave_protocol_version": 1}}));
        let sender = room.server.external_sender();
        room.binary(25, &sender);
        room.texts.clear();
        room
    }

    /// Carries out what the call wants.
    pub fn drain(&mut self) {
        while let Some(output) = self.call.poll_output() {
            match output {
                Output::Binary(bytes) => match bytes.split_first().unwrap() {
                    (26, package) => self.key_package = package.to_vec(),
                    (28, body) => {
                        let (_, welcome) = MlsMessageIn::tls_deserialize_bytes(body).unwrap();
                        let commit = body[..body.len() - welcome.len()].to_vec();
                        let welcome = (!welcome.is_empty()).then(|| welcome.to_vec());
                        self.commit = Some((commit, welcome));
                    }
                    (op, _) => panic!("binary op {op}"),
                },
                Output::Text(text) => {
                    let text: Value = serde_json::from_str(&text).unwrap();
                    if text["op"] != 5 && text["op"] != 3 {
                        self.texts.push(text);
                    }
                }
                Output::Event(event) => self.events.push(event),
                Output::Connect { .. }
                | Output::CloseGateway { .. }
                | Output::OpenUdp { .. }
                | Output::Datagram(_) => {}
            }
        }
    }

    pub fn text(&mut self, message: Value) {
        self.call.handle_gateway_text(self.now, &message.to_string());
        self.drain();
    }

    pub fn binary(&mut self, op: u8, body: &[u8]) {
        let seq = self.server.seq.to_be_bytes();
        self.server.seq += 1;
        let message = [&seq[..], &[op], body].concat();
        self.call.handle_gateway_binary(self.now, &message, &mut self.ear);
        self.drain();
    }

    /// Op 27 to the call.
    pub fn propose(&mut self, proposals: &[Vec<u8>]) {
        let body = [&[0][..], &batch(proposals)].concat();
        self.binary(27, &body);
    }

    /// Op 29 to the call.
    pub fn announce(&mut self, transition: u16, commit: &[u8]) {
        let body = [&transition.to_be_bytes()[..], commit].concat();
        self.binary(29, &body);
    }

    /// Op 30 to the call.
    pub fn welcome(&mut self, transition: u16, welcome: &[u8]) {
        let body = [&transition.to_be_bytes()[..], welcome].concat();
        self.binary(30, &body);
    }

    /// Op 22 to the call.
    pub fn execute(&mut self, transition: u16) {
        self.text(json!({"op": 22, "d": {"transition_id": transition}}));
    }

    /// Lets time pass.
    pub fn run_for(&mut self, millis: u64) {
        let until = SessionTime::from_millis(self.now.as_millis() + millis);
        while let Some((at, _)) = self.call.poll_timeout().filter(|(at, _)| *at <= until) {
            self.now = self.now.max(at);
            self.call.handle_timeout(self.now, &mut self.ear);
        }
        self.now = until;
        self.drain();
    }

    /// A member with its op 25, not announced yet.
    pub fn human(&self, id: u64) -> Human {
        let mut dave = DaveSession::new(VERSION, id, CHANNEL, None).unwrap();
        dave.set_external_sender(&self.server.external_sender()).unwrap();
        Human { id, ssrc: id as u32, dave, sequence: 0 }
    }

    /// Ops 11 and 5 for a member.
    pub fn introduce(&mut self, human: &Human) {
        self.text(json!({"op": 11, "d": {"user_ids": [human.id.to_string()]}}));
        self.text(json!({"op": 5, "d": {"user_id": human.id.to_string(), "ssrc": human.ssrc,
            "speaking": 1}}));
    }

    /// The initial group of the call and `human`, by the call's own commit.
    pub fn first_group(&mut self, human: &mut Human) {
        self.introduce(human);
        let package = human.dave.create_key_package().unwrap();
        let add = self.server.add(0, &package);
        self.propose(&[add]);
        let (commit, welcome) = self.commit.take().expect("the call commits");
        self.announce(0, &commit);
        human.dave.process_welcome(&welcome.unwrap(), Some(&[BOT, human.id])).unwrap();
        human.dave.prepare_transition(0, 1).unwrap();
    }

    /// A commit by `human` to proposals that the call got too.
    pub fn commit_of(&mut self, human: &mut Human, proposals: &[Vec<u8>]) -> CommitWelcome {
        self.propose(proposals);
        human
            .dave
            .process_proposals(ProposalsOperationType::APPEND, &batch(proposals), None)
            .unwrap()
            .unwrap()
    }

    /// Seals `media` as the next packet of `human`.
    pub fn packet(&mut self, human: &mut Human, media: &[u8]) -> Vec<u8> {
        let mut packet = vec![0; 12 + media.len() + 20];
        let timestamp = u32::from(human.sequence) * 960;
        write_header(packet.first_chunk_mut().unwrap(), human.sequence, timestamp, human.ssrc);
        human.sequence += 1;
        packet[12..12 + media.len()].copy_from_slice(media);
        let bytes = self.server.transport.seal(&mut packet, 12, 12 + media.len()).unwrap();
        assert_eq!(bytes, packet.len());
        packet
    }

    pub fn receive(&mut self, packet: &mut [u8]) {
        self.call.handle_datagram(self.now, packet, &mut self.ear);
        self.drain();
    }

    /// `human` says a frame, which arrives at once.
    pub fn say(&mut self, human: &mut Human) {
        let frame = human.frame();
        let mut packet = self.packet(human, &frame);
        self.receive(&mut packet);
    }

    /// A frame of the call's own speech, as members get it: transport encryption off.
    pub fn own_frame(&mut self) -> Vec<u8> {
        let mut datagram = [0; MAX_DATAGRAM_BYTES];
        let pcm = std::array::from_fn(|i| ((i * 331) % 2_000) as i16);
        let bytes = self.call.handle_tick(self.now, Some(&pcm), &mut datagram).expect("can send");
        self.drain();
        let rtp::Packet::Rtp(header) = rtp::parse(&datagram[..bytes]).unwrap() else { panic!() };
        let at = self.server.transport.open(&mut datagram[..bytes], header.clear_bytes).unwrap();
        datagram[at].to_vec()
    }

    /// Whether `human` understands a frame of the call's speech now.
    pub fn is_heard_by(&mut self, human: &mut Human) -> bool {
        let frame = self.own_frame();
        human.dave.decrypt(BOT, MediaType::AUDIO, &frame).is_ok()
    }

    /// Transition ids the call answered with op 23.
    pub fn ready_for(&mut self) -> Vec<u64> {
        let texts = std::mem::take(&mut self.texts);
        texts
            .iter()
            .map(|text| {
                assert_eq!(text["op"], 23, "{text}");
                text["d"]["transition_id"].as_u64().unwrap()
            })
            .collect()
    }
}
