//! The voice server's side of the channel: who is in it, what each is told, and localcord's DAVE
//! group. Who is sent what, and in which order, follows localcord's hub; getting it there is the
//! [`crate::channel`]'s.

use std::collections::BTreeMap;

use localcord::voice::dave::{DaveError, ExternalSender, Group, GroupSettings, Message, Outputs};
use serde_json::Value;

use crate::member::{Answer, Key};

/// The epoch that a commit or welcome leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entering {
    pub(crate) key: Key,
    pub(crate) members: Vec<u64>,
}

/// What a user is told.
#[derive(Clone, Debug)]
pub(crate) enum Told {
    /// Op 11: users, each with the number of its stay.
    Connected(Vec<(u64, u64)>),
    /// Op 13.
    Disconnected { user: u64, stay: u64 },
    /// Op 5.
    Speaking { user: u64, ssrc: u32 },
    /// DAVE.
    Dave { message: Message, entering: Option<Entering> },
}

/// A user in the channel.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Presence {
    /// Counts everybody's joins, so that what is late can be told from what is new.
    pub(crate) stay: u64,
    pub(crate) ssrc: u32,
    /// Whether the others were told whose SSRC it is.
    pub(crate) announced: bool,
}

/// See the module's documentation.
pub(crate) struct Server {
    group: Group,
    present: BTreeMap<u64, Presence>,
    groups: u32,
    next_stay: u64,
    next_ssrc: u32,
    out: Vec<(u64, Told)>,
}

impl Server {
    pub(crate) fn new(channel: u64) -> Result<Self, DaveError> {
        Ok(Self {
            group: Group::new(GroupSettings::default(), channel, ExternalSender::generate()?),
            present: BTreeMap::new(),
            groups: 0,
            next_stay: 0,
            next_ssrc: 100,
            out: Vec::new(),
        })
    }

    /// What is to be told, to whom, in this order.
    pub(crate) fn take_told(&mut self) -> Vec<(u64, Told)> {
        std::mem::take(&mut self.out)
    }

    pub(crate) fn presence(&self, user: u64) -> Option<&Presence> {
        self.present.get(&user)
    }

    pub(crate) fn users(&self) -> impl Iterator<Item = u64> {
        self.present.keys().copied()
    }

    /// What op 4 says.
    pub(crate) fn protocol_version(&self) -> u16 {
        self.group.protocol_version()
    }

    /// When [`Server::handle_timeout`] is due, ms.
    pub(crate) fn poll_timeout(&self) -> Option<u64> {
        self.group.poll_timeout()
    }

    /// Op 0: the user is there, and is told who else is.
    pub(crate) fn enter(&mut self, user: u64) -> Presence {
        self.next_stay += 1;
        let presence = Presence { stay: self.next_stay, ssrc: self.new_ssrc(), announced: false };
        let others: Vec<_> = self.present.iter().map(|(id, other)| (*id, *other)).collect();
        if !others.is_empty() {
            let users = others.iter().map(|(id, other)| (*id, other.stay)).collect();
            self.out.push((user, Told::Connected(users)));
        }
        for (id, other) in &others {
            if other.announced {
                self.out.push((user, Told::Speaking { user: *id, ssrc: other.ssrc }));
            }
            self.out.push((*id, Told::Connected(vec![(user, presence.stay)])));
        }
        self.present.insert(user, presence);
        presence
    }

    fn new_ssrc(&mut self) -> u32 {
        self.next_ssrc += 1;
        self.next_ssrc
    }

    /// After op 4: the user takes part in DAVE.
    pub(crate) fn take_part(&mut self, now_ms: u64, user: u64) -> Result<(), DaveError> {
        self.drive(|group| Ok(group.handle_join(now_ms, user)))
    }

    /// The user is gone.
    pub(crate) fn leave(&mut self, now_ms: u64, user: u64) -> Result<(), DaveError> {
        let Some(presence) = self.present.remove(&user) else { return Ok(()) };
        let stay = presence.stay;
        let others = self.present.keys();
        self.out.extend(others.map(|other| (*other, Told::Disconnected { user, stay })));
        self.drive(|group| group.handle_leave(now_ms, user))
    }

    /// Op 5 of a user: the others are told.
    pub(crate) fn announce(&mut self, user: u64) {
        let Some(presence) = self.present.get_mut(&user) else { return };
        presence.announced = true;
        let ssrc = presence.ssrc;
        let others = self.present.keys().filter(|other| **other != user);
        self.out.extend(others.map(|other| (*other, Told::Speaking { user, ssrc })));
    }

    /// Gives a user another SSRC, which is not announced yet.
    pub(crate) fn change_ssrc(&mut self, user: u64) -> Option<u32> {
        let ssrc = self.new_ssrc();
        let presence = self.present.get_mut(&user)?;
        presence.ssrc = ssrc;
        presence.announced = false;
        Some(ssrc)
    }

    /// A DAVE message of a user. What cannot be used is dropped, as by localcord.
    pub(crate) fn answer(
        &mut self,
        now_ms: u64,
        user: u64,
        answer: &Answer,
    ) -> Result<(), DaveError> {
        self.drive(|group| match answer {
            Answer::KeyPackage(package) => group.handle_key_package(now_ms, user, package),
            Answer::Commit(commit) => group.handle_commit_welcome(now_ms, user, commit),
            Answer::Ready(id) => group.handle_transition_ready(now_ms, user, *id),
            Answer::Invalid(id) => group.handle_invalid_commit_welcome(now_ms, user, *id),
        })
    }

    /// Takes the call down to transport encryption or back up.
    pub(crate) fn change_version(&mut self, now_ms: u64) -> Result<u16, DaveError> {
        let version = 1 - self.group.protocol_version();
        self.drive(|group| {
            Ok(match version {
                0 => group.handle_downgrade(now_ms),
                _ => group.handle_upgrade(now_ms),
            })
        })?;
        Ok(version)
    }

    pub(crate) fn handle_timeout(&mut self, now_ms: u64) -> Result<(), DaveError> {
        self.drive(|group| group.handle_timeout(now_ms))
    }

    /// Runs the group and notes which epoch its commits and welcomes lead to.
    fn drive(
        &mut self,
        run: impl FnOnce(&mut Group) -> Result<Outputs, DaveError>,
    ) -> Result<(), DaveError> {
        let outputs = run(&mut self.group)?;
        let mut entering = None;
        while let Some(note) = self.group.poll_note() {
            if note.name == "epoch" {
                entering = Some(self.entering(&note.data));
            }
        }
        for (user, message) in outputs {
            let leads = matches!(message, Message::AnnounceCommit { .. } | Message::Welcome { .. });
            let entering = entering.clone().filter(|_| leads);
            self.out.push((user, Told::Dave { message, entering }));
        }
        Ok(())
    }

    fn entering(&mut self, note: &Value) -> Entering {
        let epoch = note["epoch"].as_u64().unwrap_or_default();
        if epoch == 1 {
            self.groups += 1;
        }
        let members = note["members"].as_array().into_iter().flatten();
        let members = members.filter_map(|id| id.as_str()?.parse().ok()).collect();
        Entering { key: Key { group: self.groups, epoch }, members }
    }
}
