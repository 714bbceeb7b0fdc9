//! A member of the channel that is not under test: a davey session and what the DAVE protocol
//! says about when to send with which key.
//!
//! Source: DAVE whitepaper, "Protocol Transitions" and "Voice Gateway Opcodes".

use std::{collections::BTreeMap, num::NonZeroU16};

use davey::{DaveSession, ProposalsOperationType};
use localcord::voice::dave::Message;

use crate::server::Entering;

const VERSION: NonZeroU16 = NonZeroU16::MIN;

/// A group and its epoch: what a sender's key is derived from. Groups are counted, because each
/// begins with epoch 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    /// The group's number in this channel.
    pub(crate) group: u32,
    /// Its MLS epoch.
    pub(crate) epoch: u64,
}

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.group, self.epoch)
    }
}

/// How a member's frames are protected now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sending {
    /// Not at all: DAVE is not in force.
    Plain,
    /// With the sender's key of this epoch.
    With(Key),
    /// It has no key and says nothing.
    Nothing,
}

/// What a member sends to the voice gateway.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// Op 26.
    KeyPackage(Vec<u8>),
    /// Op 28.
    Commit(Vec<u8>),
    /// Op 23.
    Ready(u16),
    /// Op 31.
    Invalid(u16),
}

/// davey could not do something that always works.
#[derive(Debug, thiserror::Error)]
pub enum MemberError {
    /// No session.
    #[error("davey: {0}")]
    Init(#[from] davey::errors::InitError),
    /// No fresh session.
    #[error("davey: {0}")]
    Reinit(#[from] davey::errors::ReinitError),
    /// No key package.
    #[error("davey: {0}")]
    KeyPackage(#[from] davey::errors::CreateKeyPackageError),
    /// The server's signature key was refused.
    #[error("davey: {0}")]
    ExternalSender(#[from] davey::errors::SetExternalSenderError),
    /// A transition was refused.
    #[error("davey: {0}")]
    Transition(#[from] davey::errors::TransitionError),
    /// A frame could not be encrypted although there is a key.
    #[error("davey: {0}")]
    Encrypt(#[from] davey::errors::EncryptError),
}

/// See the module's documentation.
pub(crate) struct Member {
    user: u64,
    channel: u64,
    dave: DaveSession,
    /// The epoch the session is in.
    group: Option<Key>,
    /// Versions that transitions lead to.
    pending: BTreeMap<u16, u16>,
    sending: Sending,
    last_transition: u16,
}

impl Member {
    /// Came in with this version in force (op 4).
    pub(crate) fn new(user: u64, channel: u64, version: u16) -> Result<Self, MemberError> {
        Ok(Self {
            user,
            channel,
            dave: DaveSession::new(VERSION, user, channel, None)?,
            group: None,
            pending: BTreeMap::new(),
            sending: if version == 0 { Sending::Plain } else { Sending::Nothing },
            last_transition: 0,
        })
    }

    pub(crate) fn sending(&self) -> Sending {
        self.sending
    }

    /// A frame as it travels, if there is anything to protect it with.
    pub(crate) fn protect(&mut self, opus: &[u8]) -> Result<Option<Vec<u8>>, MemberError> {
        match self.sending {
            Sending::Nothing => Ok(None),
            Sending::Plain => Ok(Some(opus.to_vec())),
            Sending::With(_) => Ok(Some(self.dave.encrypt_opus(opus)?.into_owned())),
        }
    }

    /// Op 31 and a new key package, as after a message that it could not use.
    pub(crate) fn recover(&mut self) -> Result<Vec<Answer>, MemberError> {
        let mut answers = vec![Answer::Invalid(self.last_transition)];
        answers.extend(self.start_over()?);
        Ok(answers)
    }

    fn start_over(&mut self) -> Result<Vec<Answer>, MemberError> {
        self.group = None;
        self.dave.reinit(VERSION, self.user, self.channel, None)?;
        Ok(vec![Answer::KeyPackage(self.dave.create_key_package()?)])
    }

    /// A message of the voice gateway. `entering`: the epoch it leads to.
    pub(crate) fn handle(
        &mut self,
        message: &Message,
        entering: Option<&Entering>,
    ) -> Result<Vec<Answer>, MemberError> {
        match message {
            Message::ExternalSender(package) => {
                self.dave.set_external_sender(package)?;
                match self.sending {
                    // The package is asked for by op 24.
                    Sending::Plain => Ok(Vec::new()),
                    _ => Ok(vec![Answer::KeyPackage(self.dave.create_key_package()?)]),
                }
            }
            Message::AppendProposals(_) | Message::RevokeProposals(_) => {
                Ok(self.propose(message).into_iter().collect())
            }
            Message::AnnounceCommit { transition_id, commit } => {
                let entered = self.dave.process_commit(commit);
                self.entered(entered.map_err(drop), *transition_id, entering)
            }
            Message::Welcome { transition_id, welcome } => {
                let entered = self.dave.process_welcome(welcome, None).map(|()| true);
                self.entered(entered.map_err(drop), *transition_id, entering)
            }
            Message::PrepareTransition { transition_id, protocol_version } => {
                self.prepare(*transition_id, *protocol_version)
            }
            Message::ExecuteTransition { transition_id } => {
                if let Some(version) = self.pending.remove(transition_id) {
                    self.dave.execute_transition(*transition_id)?;
                    self.switch(version);
                }
                Ok(Vec::new())
            }
            Message::PrepareEpoch { .. } => self.start_over(),
        }
    }

    fn propose(&mut self, message: &Message) -> Option<Answer> {
        let body = message.binary()?;
        let kind = match body.first()? {
            0 => ProposalsOperationType::APPEND,
            _ => ProposalsOperationType::REVOKE,
        };
        // Proposals for a group that is being replaced are refused; the next ones will do.
        let made = self.dave.process_proposals(kind, body.get(1..)?, None).ok()??;
        Some(Answer::Commit([made.commit, made.welcome.unwrap_or_default()].concat()))
    }

    fn entered(
        &mut self,
        entered: Result<bool, ()>,
        transition: u16,
        entering: Option<&Entering>,
    ) -> Result<Vec<Answer>, MemberError> {
        match (entered, entering) {
            (Ok(true), Some(entering)) => {
                self.group = Some(entering.key);
                self.prepare(transition, VERSION.get())
            }
            (Ok(_), _) => Ok(Vec::new()),
            // Of before its new key package: the welcome that fits is on its way.
            (Err(()), _) if self.group.is_none() => Ok(Vec::new()),
            (Err(()), _) => {
                self.last_transition = transition;
                self.recover()
            }
        }
    }

    fn prepare(&mut self, transition: u16, version: u16) -> Result<Vec<Answer>, MemberError> {
        self.last_transition = transition;
        self.dave.prepare_transition(transition, version)?;
        if transition == 0 {
            self.pending.clear();
            self.switch(version);
            return Ok(Vec::new());
        }
        self.pending.insert(transition, version);
        Ok(vec![Answer::Ready(transition)])
    }

    fn switch(&mut self, version: u16) {
        self.sending = match (version, self.group) {
            (0, _) => Sending::Plain,
            (_, Some(key)) => Sending::With(key),
            (_, None) => Sending::Nothing,
        };
        if version == 0 {
            self.group = None;
        }
    }
}
