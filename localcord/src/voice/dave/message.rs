//! What the server sends to members: DAVE opcodes 21, 22, 24, 25, 27, 29 and 30.

use serde_json::{Value, json};

use super::wire::put_vector;

/// A DAVE message from the server to one member.
#[derive(Clone, PartialEq, Eq)]
pub enum Message {
    /// Op 21, JSON: another protocol version is coming.
    PrepareTransition {
        /// The version to prepare for; 0 is without end-to-end encryption.
        protocol_version: u16,
        /// Answered with op 23, or in force at once when 0.
        transition_id: u16,
    },
    /// Op 22, JSON: senders switch now.
    ExecuteTransition {
        /// Which prepared transition.
        transition_id: u16,
    },
    /// Op 24, JSON: a new group (epoch 1) is about to be made.
    PrepareEpoch {
        /// The group's protocol version.
        protocol_version: u16,
        /// Always 1 from this server.
        epoch: u64,
    },
    /// Op 25, binary: the `ExternalSender` structure.
    ExternalSender(Vec<u8>),
    /// Op 27, binary, operation 0: serialised proposal messages.
    AppendProposals(Vec<Vec<u8>>),
    /// Op 27, binary, operation 1: proposal references.
    RevokeProposals(Vec<[u8; 32]>),
    /// Op 29, binary: the commit that won.
    AnnounceCommit {
        /// Answered with op 23, or in force at once when 0.
        transition_id: u16,
        /// `MLSMessage(commit)`.
        commit: Vec<u8>,
    },
    /// Op 30, binary: the way into the group for a member the commit added.
    Welcome {
        /// Answered with op 23, or in force at once when 0.
        transition_id: u16,
        /// A bare `Welcome`.
        welcome: Vec<u8>,
    },
}

impl Message {
    /// The voice gateway opcode.
    #[must_use]
    pub fn opcode(&self) -> u8 {
        match self {
            Self::PrepareTransition { .. } => 21,
            Self::ExecuteTransition { .. } => 22,
            Self::PrepareEpoch { .. } => 24,
            Self::ExternalSender(_) => 25,
            Self::AppendProposals(_) | Self::RevokeProposals(_) => 27,
            Self::AnnounceCommit { .. } => 29,
            Self::Welcome { .. } => 30,
        }
    }

    /// The `d` of the opcodes that travel as JSON, `None` for the binary ones.
    #[must_use]
    pub fn json(&self) -> Option<Value> {
        match self {
            Self::PrepareTransition { protocol_version, transition_id } => Some(json!({
                "protocol_version": protocol_version,
                "transition_id": transition_id,
            })),
            Self::ExecuteTransition { transition_id } => {
                Some(json!({ "transition_id": transition_id }))
            }
            Self::PrepareEpoch { protocol_version, epoch } => {
                Some(json!({ "protocol_version": protocol_version, "epoch": epoch }))
            }
            _ => None,
        }
    }

    /// The payload after the opcode byte of the binary opcodes, `None` for the JSON ones.
    #[must_use]
    pub fn binary(&self) -> Option<Vec<u8>> {
        match self {
            Self::ExternalSender(package) => Some(package.clone()),
            Self::AppendProposals(proposals) => {
                let mut out = vec![0];
                put_vector(&mut out, &proposals.concat());
                Some(out)
            }
            Self::RevokeProposals(references) => {
                let mut list = Vec::new();
                for reference in references {
                    put_vector(&mut list, reference);
                }
                let mut out = vec![1];
                put_vector(&mut out, &list);
                Some(out)
            }
            Self::AnnounceCommit { transition_id, commit: body }
            | Self::Welcome { transition_id, welcome: body } => {
                let mut out = transition_id.to_be_bytes().to_vec();
                out.extend_from_slice(body);
                Some(out)
            }
            _ => None,
        }
    }

    /// The transition it belongs to.
    #[must_use]
    pub fn transition_id(&self) -> Option<u16> {
        match *self {
            Self::PrepareTransition { transition_id, .. }
            | Self::ExecuteTransition { transition_id }
            | Self::AnnounceCommit { transition_id, .. }
            | Self::Welcome { transition_id, .. } => Some(transition_id),
            _ => None,
        }
    }
}

impl std::fmt::Debug for Message {
    /// Without the MLS bytes.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "op {}", self.opcode())?;
        match self {
            Self::AppendProposals(proposals) => write!(f, " append {}", proposals.len()),
            Self::RevokeProposals(references) => write!(f, " revoke {}", references.len()),
            other => match other.transition_id() {
                Some(id) => write!(f, " transition {id}"),
                None => Ok(()),
            },
        }
    }
}
