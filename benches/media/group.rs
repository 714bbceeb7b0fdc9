//! The DAVE group of a [`Room`](crate::room::Room): localcord's delivery service between the call,
//! two members for comparison, and the talkers.

use std::{collections::VecDeque, num::NonZeroU16};

use anyhow::{Context, bail, ensure};
use clawvoice_session::SessionTime;
use clawvoice_voice::call::{Call, CallEvent, Output};
use davey::{DaveSession, ProposalsOperationType};
use localcord::voice::dave::{ExternalSender, Group, GroupSettings, Message, Outputs};
use openmls_rust_crypto::RustCrypto;
use serde_json::{Value, json};

use crate::{hear::Deaf, talker::KEY_BYTES};

pub(crate) const BOT: u64 = 1_000;
const MEMBER: u64 = 1_001;
const OLDER: u64 = 1_002;
pub(crate) const CHANNEL: u64 = 2;
/// What members derive the senders' keys under (DAVE whitepaper, "Sender Key Derivation").
const EXPORT_LABEL: &str = "Discord Secure Frames v0";

/// Members who can decrypt what the call can, with nothing around them.
pub(crate) struct Members {
    /// Of the version of davey that the call uses.
    pub(crate) newer: DaveSession,
    /// Of the one that songbird uses.
    pub(crate) older: davey_01::DaveSession,
}

impl Members {
    /// The users they are.
    pub(crate) fn users() -> [u64; 2] {
        [MEMBER, OLDER]
    }

    fn new() -> anyhow::Result<Self> {
        Ok(Self {
            newer: DaveSession::new(NonZeroU16::MIN, MEMBER, CHANNEL, None)?,
            older: davey_01::DaveSession::new(NonZeroU16::MIN, OLDER, CHANNEL, None)?,
        })
    }

    /// The base secret of a sender in the present epoch.
    pub(crate) fn secret_of(&self, user: u64) -> anyhow::Result<[u8; KEY_BYTES]> {
        let group = self.newer.group().context("no group")?;
        let crypto = RustCrypto::default();
        let secret = group.export_secret(&crypto, EXPORT_LABEL, &user.to_le_bytes(), KEY_BYTES)?;
        secret.try_into().ok().context("a secret has 16 bytes")
    }
}

/// The state of forming a group.
struct Forming<'a> {
    call: &'a mut Call,
    now: SessionTime,
    group: Group,
    members: Members,
    /// Of the voice gateway's messages to the call.
    seq: u16,
}

/// Brings the call, the members and all `talkers` into one group.
///
/// First the call and the newer member; everybody else is added by a second commit, so that it does
/// not matter who is quick. Talkers only offer a key package.
pub(crate) fn form(
    call: &mut Call,
    now: SessionTime,
    talkers: impl IntoIterator<Item = u64>,
) -> anyhow::Result<Members> {
    let group = Group::new(GroupSettings::default(), CHANNEL, ExternalSender::generate()?);
    let mut forming = Forming { call, now, group, members: Members::new()?, seq: 3 };
    let mut queue = VecDeque::new();
    for user in [BOT, MEMBER] {
        queue.extend(forming.group.handle_join(0, user));
    }
    // The call has offered its key package already, and the member does so on the server's word.
    while forming.group.pending().count() < 2 {
        forming.step(&mut queue)?;
    }
    queue.extend(forming.group.handle_join(0, OLDER));
    let mut users = 3;
    for user in talkers {
        forming.group.handle_join(0, user);
        let package =
            DaveSession::new(NonZeroU16::MIN, user, CHANNEL, None)?.create_key_package()?;
        queue.extend(forming.group.handle_key_package(0, user, &package)?);
        users += 1;
    }
    let mut epoch = false;
    while !queue.is_empty() {
        epoch |= forming.step(&mut queue)?;
    }
    let leaves = forming.group.leaves().iter().flatten().count();
    ensure!(leaves == users, "{leaves} of {users} are in the group");
    ensure!(epoch && forming.call.can_send(), "the call did not enter the epoch");
    Ok(forming.members)
}

impl Forming<'_> {
    /// Carries out what the call wants, then delivers one message. Returns whether an epoch began.
    fn step(&mut self, queue: &mut VecDeque<(u64, Message)>) -> anyhow::Result<bool> {
        let mut epoch = false;
        while let Some(output) = self.call.poll_output() {
            match output {
                Output::Binary(bytes) => queue.extend(self.binary_from_call(&bytes)?),
                Output::Text(text) => queue.extend(self.text_from_call(&text)?),
                Output::Event(CallEvent::EpochReady { .. }) => epoch = true,
                _ => {}
            }
        }
        if let Some((to, message)) = queue.pop_front() {
            let answers = match to {
                BOT => {
                    self.deliver(&message);
                    Outputs::new()
                }
                MEMBER => self.newer_answers(&message)?,
                OLDER => self.older_answers(&message)?,
                // A talker has no state; it only must not keep the others waiting.
                talker => match message.transition_id() {
                    Some(id) => self.group.handle_transition_ready(0, talker, id)?,
                    None => Outputs::new(),
                },
            };
            queue.extend(answers);
        }
        Ok(epoch)
    }

    fn deliver(&mut self, message: &Message) {
        if let Some(body) = message.binary() {
            let mut bytes = self.seq.to_be_bytes().to_vec();
            bytes.push(message.opcode());
            bytes.extend_from_slice(&body);
            self.call.handle_gateway_binary(self.now, &bytes, &mut Deaf);
        } else if let Some(d) = message.json() {
            let text = json!({"op": message.opcode(), "seq": self.seq, "d": d}).to_string();
            self.call.handle_gateway_text(self.now, &text);
        }
        self.seq += 1;
    }

    fn binary_from_call(&mut self, bytes: &[u8]) -> anyhow::Result<Outputs> {
        match bytes.split_first() {
            Some((26, package)) => Ok(self.group.handle_key_package(0, BOT, package)?),
            Some((28, commit)) => Ok(self.group.handle_commit_welcome(0, BOT, commit)?),
            _ => bail!("unexpected binary message of the call"),
        }
    }

    fn text_from_call(&mut self, text: &str) -> anyhow::Result<Outputs> {
        let message: Value = serde_json::from_str(text)?;
        match message["op"].as_u64() {
            Some(23) => {
                let id = message["d"]["transition_id"].as_u64().context("op 23 has an id")?;
                Ok(self.group.handle_transition_ready(0, BOT, u16::try_from(id)?)?)
            }
            Some(31) => bail!("the call could not use the group's messages"),
            _ => Ok(Outputs::new()),
        }
    }

    fn newer_answers(&mut self, message: &Message) -> anyhow::Result<Outputs> {
        let (dave, group) = (&mut self.members.newer, &mut self.group);
        Ok(match message {
            Message::ExternalSender(package) => {
                dave.set_external_sender(package)?;
                group.handle_key_package(0, MEMBER, &dave.create_key_package()?)?
            }
            Message::AppendProposals(_) => {
                let body = message.binary().context("op 27 is binary")?;
                match dave.process_proposals(ProposalsOperationType::APPEND, &body[1..], None)? {
                    Some(answer) => {
                        let bytes = [answer.commit, answer.welcome.unwrap_or_default()].concat();
                        group.handle_commit_welcome(0, MEMBER, &bytes)?
                    }
                    None => Outputs::new(),
                }
            }
            Message::AnnounceCommit { transition_id, commit } => {
                ensure!(dave.process_commit(commit)?, "the group has no use for a commit");
                dave.prepare_transition(*transition_id, 1)?;
                group.handle_transition_ready(0, MEMBER, *transition_id)?
            }
            Message::Welcome { transition_id, welcome } => {
                dave.process_welcome(welcome, None)?;
                dave.prepare_transition(*transition_id, 1)?;
                group.handle_transition_ready(0, MEMBER, *transition_id)?
            }
            Message::ExecuteTransition { transition_id } => {
                dave.execute_transition(*transition_id)?;
                Outputs::new()
            }
            other => bail!("unexpected {other:?} in a first group"),
        })
    }

    fn older_answers(&mut self, message: &Message) -> anyhow::Result<Outputs> {
        let (dave, group) = (&mut self.members.older, &mut self.group);
        Ok(match message {
            Message::ExternalSender(package) => {
                dave.set_external_sender(package)?;
                group.handle_key_package(0, OLDER, &dave.create_key_package()?)?
            }
            Message::Welcome { transition_id, welcome } => {
                dave.process_welcome(welcome)?;
                group.handle_transition_ready(0, OLDER, *transition_id)?
            }
            // It takes new keys with the welcome.
            Message::ExecuteTransition { .. } => Outputs::new(),
            other => bail!("unexpected {other:?} for one who is welcomed"),
        })
    }
}
