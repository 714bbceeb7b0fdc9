//! One channel's call: who is in it, its DAVE group, and what members say to each other.

use serde_json::{Value, json};

use super::{Hub, MemberId, join::speaking_payload};
use crate::{
    fault::CommitRace,
    voice::{
        dave::{DaveError, ExternalSender, Group, GroupSettings, Outputs, Race},
        gateway::{ClientMessage, CloseCode, Payload},
    },
};

/// The call in one channel.
#[derive(Debug)]
pub(super) struct Room {
    members: Vec<MemberId>,
    /// `None` in stage channels.
    group: Option<Group>,
}

impl Room {
    pub(super) fn new(channel: u64, dave: bool, settings: GroupSettings) -> Self {
        let group = dave
            .then(ExternalSender::generate)
            .and_then(|sender| {
                sender.inspect_err(|error| tracing::error!(%error, "no external sender")).ok()
            })
            .map(|sender| Group::new(settings, channel, sender));
        Self { members: Vec::new(), group }
    }

    /// Takes a member in; answers who was there.
    pub(super) fn enter(&mut self, id: MemberId) -> Vec<MemberId> {
        let others = self.members.clone();
        self.members.push(id);
        others
    }

    /// Lets a member go; answers who remains.
    pub(super) fn leave(&mut self, id: MemberId) -> Vec<MemberId> {
        self.members.retain(|member| *member != id);
        self.members.clone()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// What SESSION DESCRIPTION says; 0 is transport encryption only.
    pub(super) fn protocol_version(&self) -> u16 {
        self.group.as_ref().map_or(0, Group::protocol_version)
    }

    pub(super) fn epoch(&self) -> Option<u64> {
        self.group.as_ref().map(Group::epoch)
    }

    pub(super) fn poll_timeout(&self) -> Option<u64> {
        self.group.as_ref()?.poll_timeout()
    }
}

impl Hub {
    /// Drives a channel's group and sends what it answers.
    pub(super) fn with_group(
        &mut self,
        channel: u64,
        drive: impl FnOnce(&mut Group) -> Result<Outputs, DaveError>,
    ) -> Option<DaveError> {
        let room = self.rooms.get_mut(&channel)?;
        let group = room.group.as_mut()?;
        let result = drive(group);
        let notes: Vec<_> = std::iter::from_fn(|| group.poll_note()).collect();
        let members = room.members.clone();
        for note in notes {
            self.journal("dave", note.name, note.data);
        }
        match result {
            Ok(outputs) => {
                for (user, message) in outputs {
                    let Some(id) = members.iter().find(|member| member.1 == user) else {
                        continue;
                    };
                    let op = message.opcode();
                    let payload = match (message.json(), message.binary()) {
                        (Some(d), _) => Payload::Json { op, d },
                        (None, body) => Payload::Binary { op, body: body.unwrap_or_default() },
                    };
                    self.send(*id, payload);
                }
                None
            }
            Err(error) => {
                self.journal("dave", "refused", json!({ "reason": error.to_string() }));
                Some(error)
            }
        }
    }

    /// How groups behave, the faults included.
    pub(super) fn group_settings(&self) -> GroupSettings {
        let usual = self.settings.group.clone();
        let faults = &self.behaviour;
        GroupSettings {
            transition_deadline_ms: faults
                .transition_deadline_ms
                .unwrap_or(usual.transition_deadline_ms),
            race: match faults.commit_race {
                Some(CommitRace::First) => Race::First,
                Some(CommitRace::Last) => Race::Last,
                None => usual.race,
            },
            cut_welcome: faults.cut_welcome.unwrap_or(usual.cut_welcome),
            ..usual
        }
    }

    /// Tells all groups how to behave from now on.
    pub(super) fn configure_groups(&mut self) {
        let settings = self.group_settings();
        for group in self.rooms.values_mut().filter_map(|room| room.group.as_mut()) {
            group.configure(settings.clone());
        }
    }

    /// A downgrade to transport encryption (`version` 0), or back up.
    pub(crate) fn handle_dave_version(&mut self, now_ms: u64, channel: u64, version: u16) {
        self.now_ms = now_ms;
        self.with_group(channel, |group| {
            Ok(match version {
                0 => group.handle_downgrade(now_ms),
                _ => group.handle_upgrade(now_ms),
            })
        });
    }

    /// Everything a member sends once it is identified.
    pub(super) fn handle_member_message(
        &mut self,
        now_ms: u64,
        id: MemberId,
        message: ClientMessage,
    ) -> Result<(), CloseCode> {
        let op = message.opcode();
        if !matches!(message, ClientMessage::SelectProtocol(_)) {
            self.journal_message(id, "in", op, seen(&message));
        }
        let Some(channel) = self.members.get(&id).map(|member| member.ticket.channel_id) else {
            return Ok(());
        };
        let user = id.1;
        let refused = match message {
            ClientMessage::SelectProtocol(select) => {
                return self.handle_select(now_ms, id, &select);
            }
            ClientMessage::Speaking { speaking, ssrc } => {
                self.handle_speaking(id, channel, speaking, ssrc);
                return Ok(());
            }
            ClientMessage::KeyPackage(bytes) => {
                self.with_group(channel, |group| group.handle_key_package(now_ms, user, &bytes))
            }
            ClientMessage::CommitWelcome(bytes) => {
                self.with_group(channel, |group| group.handle_commit_welcome(now_ms, user, &bytes))
            }
            ClientMessage::TransitionReady { transition_id } => self.with_group(channel, |group| {
                group.handle_transition_ready(now_ms, user, transition_id)
            }),
            ClientMessage::InvalidCommitWelcome { transition_id } => self
                .with_group(channel, |group| {
                    group.handle_invalid_commit_welcome(now_ms, user, transition_id)
                }),
            _ => None,
        };
        match refused {
            // What Discord does with a bad key package is not documented.
            Some(DaveError::KeyPackage | DaveError::ForeignCredential { .. }) => {
                Err(CloseCode::MALFORMED)
            }
            _ => Ok(()),
        }
    }

    /// Op 5: the others learn whose SSRC it is. There is no "stopped" message.
    ///
    /// An announcement of another SSRC announces nothing: RTP that follows closes the connection.
    fn handle_speaking(&mut self, id: MemberId, channel: u64, bits: u32, announced: Option<u32>) {
        let Some(member) = self.members.get_mut(&id) else { return };
        let ssrc = member.ssrc;
        if announced.is_some_and(|announced| announced != ssrc) {
            return;
        }
        if bits == 0 && member.speaking.is_none() {
            return;
        }
        member.speaking = Some(if bits == 0 { member.speaking.unwrap_or(1) } else { bits });
        self.sfu.announce(ssrc);
        if bits == 0 {
            return;
        }
        let others = self.rooms.get(&channel).map(|room| room.members.clone()).unwrap_or_default();
        for other in others.into_iter().filter(|other| *other != id) {
            self.send(other, speaking_payload(id.1, ssrc, bits));
        }
    }
}

/// What the journal shows of a client message.
fn seen(message: &ClientMessage) -> Value {
    match message {
        ClientMessage::Speaking { speaking, ssrc } => {
            json!({ "speaking": speaking, "ssrc": ssrc })
        }
        ClientMessage::TransitionReady { transition_id }
        | ClientMessage::InvalidCommitWelcome { transition_id } => {
            json!({ "transition_id": transition_id })
        }
        ClientMessage::KeyPackage(bytes) | ClientMessage::CommitWelcome(bytes) => {
            json!({ "bytes": bytes.len() })
        }
        _ => Value::Null,
    }
}
