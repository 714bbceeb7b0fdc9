//! A member of a DAVE call as a client library plays it, without sockets.

use std::{collections::VecDeque, num::NonZeroU16};

use davey::{DaveSession, MediaType, ProposalsOperationType};
use localcord::voice::dave::Message;

use crate::Input;

/// What a member sends to the voice gateway.
#[derive(Clone, Debug)]
pub enum Sent {
    /// Op 26.
    KeyPackage(Vec<u8>),
    /// Op 28.
    CommitWelcome(Vec<u8>),
    /// Op 23.
    Ready(u16),
    /// Op 31.
    Invalid(u16),
}

/// One member; what is on its way to it waits in `inbox`.
pub struct Member {
    session: DaveSession,
    user: u64,
    channel: u64,
    sequence: u16,
    /// Server messages that have not been read yet, in order.
    pub inbox: VecDeque<Message>,
}

impl Member {
    /// A member that is about to join.
    #[must_use]
    pub fn new(user: u64, channel: u64) -> Self {
        let session = DaveSession::new(NonZeroU16::MIN, user, channel, None);
        Self {
            session: session.expect("a fresh session needs nothing"),
            user,
            channel,
            sequence: 0,
            inbox: VecDeque::new(),
        }
    }

    /// The member's id.
    #[must_use]
    pub fn user(&self) -> u64 {
        self.user
    }

    /// Reads the next message; the answers in order.
    pub fn read(&mut self) -> Vec<Sent> {
        match self.inbox.pop_front() {
            Some(message) => self.handle(&message),
            None => Vec::new(),
        }
    }

    fn handle(&mut self, message: &Message) -> Vec<Sent> {
        match message {
            Message::ExternalSender(package) => {
                let _ = self.session.set_external_sender(package);
                self.key_package()
            }
            Message::AppendProposals(_) | Message::RevokeProposals(_) => {
                let body = message.binary().unwrap_or_default();
                let Some((kind, body)) = body.split_first() else { return Vec::new() };
                let operation = match kind {
                    0 => ProposalsOperationType::APPEND,
                    _ => ProposalsOperationType::REVOKE,
                };
                match self.session.process_proposals(operation, body, None) {
                    Ok(Some(answer)) => {
                        let mut bytes = answer.commit;
                        bytes.extend(answer.welcome.unwrap_or_default());
                        vec![Sent::CommitWelcome(bytes)]
                    }
                    _ => Vec::new(),
                }
            }
            Message::AnnounceCommit { transition_id, commit } => {
                let applied = self.session.process_commit(commit).is_ok_and(|applied| applied);
                self.after(*transition_id, applied)
            }
            Message::Welcome { transition_id, welcome } => {
                let applied = self.session.process_welcome(welcome, None).is_ok();
                self.after(*transition_id, applied)
            }
            Message::PrepareTransition { transition_id, protocol_version } => {
                let _ = self.session.prepare_transition(*transition_id, *protocol_version);
                vec![Sent::Ready(*transition_id)]
            }
            Message::ExecuteTransition { transition_id } => {
                let _ = self.session.execute_transition(*transition_id);
                Vec::new()
            }
            Message::PrepareEpoch { .. } => self.start_over(),
        }
    }

    fn after(&mut self, transition: u16, applied: bool) -> Vec<Sent> {
        if applied {
            let _ = self.session.prepare_transition(transition, 1);
            return vec![Sent::Ready(transition)];
        }
        let mut sent = vec![Sent::Invalid(transition)];
        sent.extend(self.start_over());
        sent
    }

    /// A new group of its own, and a new key package.
    pub fn start_over(&mut self) -> Vec<Sent> {
        let _ = self.session.reinit(NonZeroU16::MIN, self.user, self.channel, None);
        self.key_package()
    }

    fn key_package(&mut self) -> Vec<Sent> {
        self.session.create_key_package().into_iter().map(Sent::KeyPackage).collect()
    }

    /// The next 20 ms of speech, encrypted if there is a key; its sequence number and payload.
    pub fn speak(&mut self, opus: &[u8]) -> (u16, Vec<u8>) {
        self.sequence = self.sequence.wrapping_add(1);
        let mut frame = Vec::new();
        let encrypted =
            self.session.encrypt_into(MediaType::AUDIO, davey::Codec::OPUS, opus, &mut frame);
        match encrypted {
            Ok(()) => (self.sequence, frame),
            Err(_) => (self.sequence, opus.to_vec()),
        }
    }
}

/// `bytes` as they arrive over a bad link: one byte changed, cut, or longer.
pub fn damaged(mut bytes: Vec<u8>, input: &mut Input<'_>) -> Vec<u8> {
    let at = usize::from(input.u16()).checked_rem(bytes.len()).unwrap_or(0);
    match input.below(4) {
        0 => bytes.truncate(at),
        1 => bytes.extend_from_slice(input.piece()),
        _ => {
            let change = input.byte().max(1);
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= change;
            }
        }
    }
    bytes
}
