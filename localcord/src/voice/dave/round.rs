//! One epoch's race: the proposals that are out, and the commits that came back.

use std::collections::BTreeSet;

use super::{
    commit::{CommitWelcome, Rejection},
    message::Message,
    sender::{Candidate, Signed},
};

/// What a proposal does to the group.
#[derive(Clone, Debug)]
pub(super) enum Change {
    Add { user: u64, candidate: Candidate },
    Remove { user: u64, leaf: u32 },
}

/// A proposal that is out.
#[derive(Clone, Debug)]
pub(super) struct Outstanding {
    pub(super) signed: Signed,
    pub(super) change: Change,
}

impl Outstanding {
    fn adds(&self, wanted: u64) -> bool {
        matches!(self.change, Change::Add { user, .. } if user == wanted)
    }
}

/// A valid commit.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) user: u64,
    pub(super) commit: Vec<u8>,
    pub(super) welcome: Option<Vec<u8>>,
    pub(super) references: Vec<[u8; 32]>,
}

/// The outstanding proposals of one epoch.
#[derive(Debug)]
pub(super) struct Round {
    /// The epoch they apply to; at 0 every participant has a private group of its own.
    pub(super) epoch: u64,
    /// Who was sent the proposals and may commit.
    pub(super) committers: BTreeSet<u64>,
    pub(super) proposals: Vec<Outstanding>,
    pub(super) answers: Vec<Answer>,
    /// When the race is decided among the commits that came so far, milliseconds.
    pub(super) deadline_ms: u64,
}

impl Round {
    /// The proposals `committer` was sent: at epoch 0 not its own Add.
    pub(super) fn proposals_for(&self, committer: u64) -> impl Iterator<Item = &Outstanding> {
        let initial = self.epoch == 0;
        self.proposals.iter().filter(move |proposal| !(initial && proposal.adds(committer)))
    }

    /// Op 27 for every committer.
    pub(super) fn announcements(&self) -> Vec<(u64, Message)> {
        self.committers
            .iter()
            .map(|&user| {
                let messages = self.proposals_for(user).map(|p| p.signed.message.clone()).collect();
                (user, Message::AppendProposals(messages))
            })
            .collect()
    }

    /// Takes back the Add of `user`. The commits made so far cover it, so they are void.
    pub(super) fn revoke_add(&mut self, user: u64) -> Vec<(u64, Message)> {
        let Some(position) = self.proposals.iter().position(|proposal| proposal.adds(user)) else {
            return Vec::new();
        };
        let reference = self.proposals.remove(position).signed.reference;
        self.answers.clear();
        self.committers
            .iter()
            .filter(|&&committer| !(self.epoch == 0 && committer == user))
            .map(|&committer| (committer, Message::RevokeProposals(vec![reference])))
            .collect()
    }

    /// Drops a committer that left or lost its state.
    pub(super) fn drop_committer(&mut self, user: u64) {
        self.committers.remove(&user);
        self.answers.retain(|answer| answer.user != user);
    }

    /// Whether nobody has anything left to commit.
    pub(super) fn is_void(&self) -> bool {
        self.committers.iter().all(|&user| self.proposals_for(user).next().is_none())
    }

    pub(super) fn all_answered(&self) -> bool {
        self.committers.iter().all(|user| self.answers.iter().any(|a| a.user == *user))
    }

    /// Checks an op 28 of `user`, who sits on `leaf`.
    pub(super) fn judge(
        &self,
        user: u64,
        leaf: u32,
        channel: u64,
        bytes: &[u8],
    ) -> Result<Answer, Rejection> {
        if !self.committers.contains(&user) {
            return Err(Rejection::NotACommitter);
        }
        let parsed = CommitWelcome::parse(bytes)?;
        if parsed.group_id != channel.to_be_bytes() {
            return Err(Rejection::WrongGroup);
        }
        if parsed.epoch != self.epoch {
            return Err(Rejection::WrongEpoch);
        }
        if parsed.leaf != leaf {
            return Err(Rejection::WrongLeaf);
        }
        if parsed.path_identity.is_some_and(|identity| identity != user.to_be_bytes()) {
            return Err(Rejection::Credential);
        }
        self.check_coverage(user, &parsed)?;
        self.check_welcome(user, &parsed)?;
        Ok(Answer {
            user,
            commit: parsed.commit.to_vec(),
            welcome: parsed.welcome.map(|(bytes, _)| bytes.to_vec()),
            references: parsed.references,
        })
    }

    fn check_coverage(&self, user: u64, parsed: &CommitWelcome<'_>) -> Result<(), Rejection> {
        let wanted: BTreeSet<_> = self.proposals_for(user).map(|p| p.signed.reference).collect();
        let covered: BTreeSet<_> = parsed.references.iter().copied().collect();
        let repeated = covered.len() != parsed.references.len();
        if wanted.is_empty() || repeated || covered != wanted {
            return Err(Rejection::Coverage);
        }
        Ok(())
    }

    fn check_welcome(&self, user: u64, parsed: &CommitWelcome<'_>) -> Result<(), Rejection> {
        let wanted: BTreeSet<&[u8]> = self
            .proposals_for(user)
            .filter_map(|proposal| match &proposal.change {
                Change::Add { candidate, .. } => Some(&candidate.reference[..]),
                Change::Remove { .. } => None,
            })
            .collect();
        let welcomed: BTreeSet<&[u8]> = parsed
            .welcome
            .iter()
            .flat_map(|(_, welcome)| &welcome.entries)
            .map(|entry| entry.key_package_reference)
            .collect();
        if wanted != welcomed || wanted.is_empty() != parsed.welcome.is_none() {
            return Err(Rejection::Welcome);
        }
        Ok(())
    }
}
