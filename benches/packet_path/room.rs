//! A call in which somebody speaks, without sockets and in virtual time: the server's and the
//! speaker's side are localcord's DAVE group and a davey member.

use std::{collections::VecDeque, num::NonZeroU16};

use anyhow::{Context, bail, ensure};
use clawvoice_session::{ChannelId, GuildId, SessionTime, UserId};
use clawvoice_voice::{
    call::{Call, CallEvent, CallSettings, Hear, Output},
    wire::{
        aead::{Mode, OVERHEAD, Transport},
        discovery,
        rtp::{self, HEADER_BYTES},
    },
};
use davey::{DaveSession, ProposalsOperationType};
use localcord::voice::dave::{ExternalSender, Group, GroupSettings, Message, Outputs};
use secrecy::SecretString;
use serde_json::{Value, json};

const BOT: u64 = 1_000;
const SPEAKER: u64 = 1_001;
const CHANNEL: u64 = 2;
const OWN_SSRC: u32 = 100;
const SPEAKER_SSRC: u32 = 101;
const KEY: [u8; 32] = [9; 32];

/// The header extension of native clients: one word of two one-byte elements (RFC 5285), audio
/// level and absolute send time's place.
const EXTENSION_PREAMBLE: [u8; 4] = [0xBE, 0xDE, 0, 1];
const EXTENSION_BODY: [u8; 4] = [0x10, 0xFF, 0x90, 0x00];
/// Every n-th packet carries RTP padding, as every 16th of localcord's; 3 to 15 % of Discord's do.
const PADDED_EVERY: u16 = 16;
/// Bytes of padding, its count included.
const PADDING: [u8; 4] = [0, 0, 0, 4];

/// Hears nothing.
struct Deaf;

impl Hear for Deaf {
    fn speaking_started(&mut self, _: SessionTime, _: UserId) {}
    fn audio(&mut self, _: SessionTime, _: UserId, _: &[i16]) {}
    fn speaking_stopped(&mut self, _: SessionTime, _: UserId) {}
}

/// A call in which [`Room::packets`] can be heard.
pub(crate) struct Room {
    pub(crate) call: Call,
    pub(crate) now: SessionTime,
    speaker: DaveSession,
    transport: Transport,
    sequence: u16,
    timestamp: u32,
}

impl Room {
    /// Shakes hands, forms the DAVE group, announces the speaker.
    pub(crate) fn new(mode: Mode) -> anyhow::Result<Self> {
        let settings = CallSettings {
            guild: GuildId::new(1),
            channel: ChannelId::new(CHANNEL),
            user: UserId::new(BOT),
            session_id: "session".into(),
            token: SecretString::from("token"),
            endpoint: "localhost".into(),
            secure: true,
            dave: true,
            decryption_failure_tolerance: clawvoice_voice::call::DECRYPTION_FAILURE_TOLERANCE,
            seed: 7,
            udp_fallback: None,
        };
        let now = SessionTime::ZERO;
        let mut room = Self {
            call: Call::new(settings, now),
            now,
            speaker: DaveSession::new(NonZeroU16::MIN, SPEAKER, CHANNEL, None)?,
            transport: Transport::new(mode, &KEY),
            sequence: 0,
            timestamp: 0,
        };
        room.shake_hands(mode);
        room.form_group()?;
        room.text(json!({"op": 5, "d": {
            "user_id": SPEAKER.to_string(), "ssrc": SPEAKER_SSRC, "speaking": 1}}));
        Ok(room)
    }

    fn shake_hands(&mut self, mode: Mode) {
        self.call.handle_gateway_opened(self.now);
        // An hour: no benchmark lasts so long, so nobody has to acknowledge.
        self.text(json!({"op": 8, "d": {"heartbeat_interval": 3_600_000}}));
        self.text(json!({"op": 2, "seq": 0, "d": {
            "ssrc": OWN_SSRC, "ip": "127.0.0.1", "port": 9, "modes": [mode.name()]}}));
        let mut answer = [0; discovery::BYTES];
        answer[..4].copy_from_slice(&[0, 2, 0, 70]);
        answer[4..8].copy_from_slice(&OWN_SSRC.to_be_bytes());
        answer[8..17].copy_from_slice(b"127.0.0.1");
        answer[72..].copy_from_slice(&50_001u16.to_be_bytes());
        self.call.handle_datagram(self.now, &mut answer, &mut Deaf);
        self.text(json!({"op": 11, "seq": 1, "d": {"user_ids": [SPEAKER.to_string()]}}));
        self.text(json!({"op": 4, "seq": 2, "d": {
            "mode": mode.name(), "secret_key": KEY, "dave_protocol_version": 1}}));
    }

    fn text(&mut self, message: Value) {
        self.call.handle_gateway_text(self.now, &message.to_string());
    }

    /// Carries messages between the group and its two members until all is said.
    fn form_group(&mut self) -> anyhow::Result<()> {
        let mut group = Group::new(GroupSettings::default(), CHANNEL, ExternalSender::generate()?);
        let mut to_members: VecDeque<_> = group.handle_join(0, BOT).into();
        to_members.extend(group.handle_join(0, SPEAKER));
        let (mut seq, mut ready) = (3u16, false);
        loop {
            while let Some(output) = self.call.poll_output() {
                match output {
                    Output::Binary(bytes) => {
                        to_members.extend(binary_from_bot(&mut group, &bytes)?);
                    }
                    Output::Text(text) => to_members.extend(text_from_bot(&mut group, &text)?),
                    Output::Event(CallEvent::EpochReady { .. }) => ready = true,
                    _ => {}
                }
            }
            let Some((to, message)) = to_members.pop_front() else { break };
            if to == SPEAKER {
                to_members.extend(self.speaker_answers(&mut group, &message)?);
            } else if let Some(body) = message.binary() {
                let mut bytes = seq.to_be_bytes().to_vec();
                bytes.push(message.opcode());
                bytes.extend_from_slice(&body);
                self.call.handle_gateway_binary(self.now, &bytes, &mut Deaf);
                seq += 1;
            } else if let Some(d) = message.json() {
                self.text(json!({"op": message.opcode(), "seq": seq, "d": d}));
                seq += 1;
            }
        }
        ensure!(ready && self.call.can_send(), "the call did not enter an epoch");
        ensure!(self.speaker.can_encrypt(), "the speaker has no key");
        Ok(())
    }

    fn speaker_answers(&mut self, group: &mut Group, message: &Message) -> anyhow::Result<Outputs> {
        let dave = &mut self.speaker;
        Ok(match message {
            Message::ExternalSender(package) => {
                dave.set_external_sender(package)?;
                group.handle_key_package(0, SPEAKER, &dave.create_key_package()?)?
            }
            Message::AppendProposals(_) => {
                let body = message.binary().context("op 27 is binary")?;
                match dave.process_proposals(ProposalsOperationType::APPEND, &body[1..], None)? {
                    Some(answer) => {
                        let bytes = [answer.commit, answer.welcome.unwrap_or_default()].concat();
                        group.handle_commit_welcome(0, SPEAKER, &bytes)?
                    }
                    None => Outputs::new(),
                }
            }
            Message::AnnounceCommit { transition_id, commit } => {
                ensure!(
                    dave.process_commit(commit)?,
                    "the speaker's group has no use for a commit"
                );
                dave.prepare_transition(*transition_id, 1)?;
                group.handle_transition_ready(0, SPEAKER, *transition_id)?
            }
            Message::Welcome { transition_id, welcome } => {
                dave.process_welcome(welcome, None)?;
                dave.prepare_transition(*transition_id, 1)?;
                group.handle_transition_ready(0, SPEAKER, *transition_id)?
            }
            Message::ExecuteTransition { transition_id } => {
                dave.execute_transition(*transition_id)?;
                Outputs::new()
            }
            other => bail!("unexpected {other:?} in a first group"),
        })
    }

    /// The next datagrams of the speaker, one for each Opus packet: end-to-end encrypted, with
    /// header extension and now and then padding, transport encrypted.
    pub(crate) fn packets(&mut self, opus: &[Vec<u8>]) -> anyhow::Result<Vec<Vec<u8>>> {
        opus.iter().map(|packet| self.packet(packet)).collect()
    }

    fn packet(&mut self, opus: &[u8]) -> anyhow::Result<Vec<u8>> {
        let frame = self.speaker.encrypt_opus(opus)?;
        let padding: &[u8] =
            if self.sequence.is_multiple_of(PADDED_EVERY) { &PADDING } else { &[] };
        let mut header = [0; HEADER_BYTES];
        rtp::write_header(&mut header, self.sequence, self.timestamp, SPEAKER_SSRC);
        header[0] |= 0x10 | if padding.is_empty() { 0 } else { 0x20 };
        let clear = [&header[..], &EXTENSION_PREAMBLE].concat();
        let mut packet = [&clear, &EXTENSION_BODY[..], &frame, padding].concat();
        let plain_end = packet.len();
        packet.resize(plain_end + OVERHEAD, 0);
        self.transport.seal(&mut packet, clear.len(), plain_end)?;
        self.sequence = self.sequence.wrapping_add(1);
        self.timestamp = self.timestamp.wrapping_add(rtp::FRAME_UNITS);
        Ok(packet)
    }
}

fn binary_from_bot(group: &mut Group, bytes: &[u8]) -> anyhow::Result<Outputs> {
    match bytes.split_first() {
        Some((26, package)) => Ok(group.handle_key_package(0, BOT, package)?),
        Some((28, commit)) => Ok(group.handle_commit_welcome(0, BOT, commit)?),
        _ => bail!("unexpected binary message of the call"),
    }
}

fn text_from_bot(group: &mut Group, text: &str) -> anyhow::Result<Outputs> {
    let message: Value = serde_json::from_str(text)?;
    match message["op"].as_u64() {
        Some(23) => {
            let id = message["d"]["transition_id"].as_u64().context("op 23 has an id")?;
            Ok(group.handle_transition_ready(0, BOT, u16::try_from(id)?)?)
        }
        Some(31) => bail!("the call could not use the group's messages"),
        _ => Ok(Outputs::new()),
    }
}
