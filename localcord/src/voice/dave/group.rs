//! One call's group: who is in it, on which leaf, in which epoch, and what is under way.
//!
//! One change at a time: a round (op 27 to commit), then its transition (op 23 to op 22), then the
//! next round with everything that came up meanwhile. That is the quieter of the two choices the
//! DAVE whitepaper leaves open, and no member ever has two transitions pending.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde_json::{Value, json};

use super::{
    PROTOCOL_VERSION,
    commit::Rejection,
    error::DaveError,
    message::Message,
    round::{Answer, Change, Outstanding, Round},
    sender::{Candidate, ExternalSender},
    wire::Welcome,
};

/// A Discord user id.
pub type UserId = u64;

/// What is to be sent, to whom, in this order.
pub type Outputs = Vec<(UserId, Message)>;

/// Whose commit is announced when several are valid.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Race {
    /// The first to arrive, as on Discord.
    #[default]
    First,
    /// The last: waits for every member's commit, or for the deadline.
    Last,
}

/// How a group behaves.
#[derive(Clone, Debug)]
pub struct GroupSettings {
    /// How long op 22 waits for op 23 of every member, milliseconds. About 2 s on Discord.
    pub transition_deadline_ms: u64,
    /// Whose commit wins.
    pub race: Race,
    /// With [`Race::Last`]: how long to wait for all commits, milliseconds.
    pub race_deadline_ms: u64,
    /// Cut each Welcome down to its recipient's entry instead of sending the whole to everybody.
    pub cut_welcome: bool,
}

impl Default for GroupSettings {
    fn default() -> Self {
        Self {
            transition_deadline_ms: 2_000,
            race: Race::First,
            race_deadline_ms: 2_000,
            cut_welcome: false,
        }
    }
}

/// Something worth writing down; never key material.
#[derive(Clone, Debug, PartialEq)]
pub struct Note {
    /// `round`, `commit_accepted`, `commit_rejected`, `epoch`, `executed`, `reset`, `restart`,
    /// `recovery`.
    pub name: &'static str,
    /// Details, ids as strings.
    pub data: Value,
}

#[derive(Debug)]
struct Transition {
    version: u16,
    recipients: BTreeSet<UserId>,
    waiting: BTreeSet<UserId>,
    deadline_ms: u64,
}

/// The DAVE side of one call.
#[derive(Debug)]
pub struct Group {
    settings: GroupSettings,
    channel: u64,
    sender: ExternalSender,
    version: u16,
    /// 0 while there is no group.
    epoch: u64,
    leaves: Vec<Option<UserId>>,
    joined: BTreeSet<UserId>,
    /// Key packages not used yet, in order of arrival.
    pending: Vec<(UserId, Candidate)>,
    /// Members whose leaf is to be removed because they left.
    gone: BTreeSet<UserId>,
    /// Members that sent op 31: no committers, to be removed and added again.
    recovering: BTreeSet<UserId>,
    round: Option<Round>,
    transitions: BTreeMap<u16, Transition>,
    last_transition: u16,
    /// An upgrade to DAVE waits for everybody's key package.
    upgrading: bool,
    notes: VecDeque<Note>,
}

impl Group {
    /// A call without members in `channel`, whose id is the MLS group id.
    #[must_use]
    pub fn new(settings: GroupSettings, channel: u64, sender: ExternalSender) -> Self {
        Self {
            settings,
            channel,
            sender,
            version: PROTOCOL_VERSION,
            epoch: 0,
            leaves: Vec::new(),
            joined: BTreeSet::new(),
            pending: Vec::new(),
            gone: BTreeSet::new(),
            recovering: BTreeSet::new(),
            round: None,
            transitions: BTreeMap::new(),
            last_transition: 0,
            upgrading: false,
            notes: VecDeque::new(),
        }
    }

    /// Behaves otherwise from now on; deadlines that are set stay.
    pub fn configure(&mut self, settings: GroupSettings) {
        self.settings = settings;
    }

    /// The MLS epoch; 0 while there is no group.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The protocol version in force or being prepared; 0 after a downgrade.
    #[must_use]
    pub fn protocol_version(&self) -> u16 {
        self.version
    }

    /// Who sits on which leaf of the tree; `None` is a blank leaf.
    #[must_use]
    pub fn leaves(&self) -> &[Option<UserId>] {
        &self.leaves
    }

    /// Who has sent a key package and waits to be added, in order of arrival.
    pub fn pending(&self) -> impl Iterator<Item = UserId> {
        self.pending.iter().map(|(user, _)| *user)
    }

    /// The next note, oldest first.
    pub fn poll_note(&mut self) -> Option<Note> {
        self.notes.pop_front()
    }

    /// When [`Group::handle_timeout`] is due, milliseconds.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<u64> {
        let transitions = self.transitions.values().map(|transition| transition.deadline_ms);
        let race = self
            .round
            .iter()
            .filter(|round| !round.answers.is_empty())
            .map(|round| round.deadline_ms);
        transitions.chain(race).min()
    }

    /// A user finished the transport handshake (after op 4): it gets op 25.
    pub fn handle_join(&mut self, _now_ms: u64, user: UserId) -> Outputs {
        self.joined.insert(user);
        vec![(user, Message::ExternalSender(self.sender.package().to_vec()))]
    }

    /// Op 26.
    ///
    /// # Errors
    /// When the user is not in the call, or the package is unusable or somebody else's.
    pub fn handle_key_package(
        &mut self,
        now_ms: u64,
        user: UserId,
        bytes: &[u8],
    ) -> Result<Outputs, DaveError> {
        if !self.joined.contains(&user) {
            return Err(DaveError::NotInCall(user));
        }
        let candidate = self.sender.read_key_package(user, bytes)?;
        let mut out = self.withdraw(user);
        self.pending.push((user, candidate));
        self.settle(now_ms, &mut out)?;
        Ok(out)
    }

    /// Op 28. An unusable commit is noted and dropped, as Discord drops it.
    ///
    /// # Errors
    /// When the next proposals cannot be signed.
    pub fn handle_commit_welcome(
        &mut self,
        now_ms: u64,
        user: UserId,
        bytes: &[u8],
    ) -> Result<Outputs, DaveError> {
        let mut out = Outputs::new();
        match self.judge(user, bytes) {
            Ok(answer) => {
                let race = self.settings.race;
                let deadline_ms = now_ms + self.settings.race_deadline_ms;
                if let Some(round) = &mut self.round {
                    if round.answers.is_empty() {
                        round.deadline_ms = deadline_ms;
                    }
                    round.answers.retain(|earlier| earlier.user != user);
                    round.answers.push(answer);
                    if race == Race::First || round.all_answered() {
                        self.decide(now_ms, &mut out)?;
                    }
                }
            }
            Err(reason) => self.note(
                "commit_rejected",
                json!({ "user_id": user.to_string(), "reason": reason.to_string() }),
            ),
        }
        Ok(out)
    }

    /// Op 23. Answers to unknown or finished transitions are ignored.
    ///
    /// # Errors
    /// When the next proposals cannot be signed.
    pub fn handle_transition_ready(
        &mut self,
        now_ms: u64,
        user: UserId,
        transition_id: u16,
    ) -> Result<Outputs, DaveError> {
        let mut out = Outputs::new();
        if let Some(transition) = self.transitions.get_mut(&transition_id) {
            transition.waiting.remove(&user);
        }
        self.execute_due(now_ms, &mut out);
        self.settle(now_ms, &mut out)?;
        Ok(out)
    }

    /// Op 31: the member could not use a commit or welcome and starts over. Its leaf is replaced
    /// once its new key package is here.
    ///
    /// # Errors
    /// When the next proposals cannot be signed.
    pub fn handle_invalid_commit_welcome(
        &mut self,
        now_ms: u64,
        user: UserId,
        transition_id: u16,
    ) -> Result<Outputs, DaveError> {
        let member = self.leaf_of(user).is_some();
        self.note(
            "recovery",
            json!({
                "user_id": user.to_string(),
                "transition_id": transition_id,
                "member": member,
            }),
        );
        let mut out = Outputs::new();
        if member {
            self.recovering.insert(user);
            self.forget_in_flight(user);
            self.execute_due(now_ms, &mut out);
            self.settle(now_ms, &mut out)?;
        }
        Ok(out)
    }

    /// A user left the call, or its connection is given up.
    ///
    /// # Errors
    /// When the next proposals cannot be signed.
    pub fn handle_leave(&mut self, now_ms: u64, user: UserId) -> Result<Outputs, DaveError> {
        self.joined.remove(&user);
        self.recovering.remove(&user);
        let mut out = self.withdraw(user);
        if self.leaf_of(user).is_some() {
            self.gone.insert(user);
        }
        self.forget_in_flight(user);
        if self.round.as_ref().is_some_and(Round::is_void) {
            self.round = None;
        }
        self.execute_due(now_ms, &mut out);
        self.settle(now_ms, &mut out)?;
        Ok(out)
    }

    /// A deadline passed.
    ///
    /// # Errors
    /// When the next proposals cannot be signed.
    pub fn handle_timeout(&mut self, now_ms: u64) -> Result<Outputs, DaveError> {
        let mut out = Outputs::new();
        let decided = self
            .round
            .as_ref()
            .is_some_and(|round| !round.answers.is_empty() && now_ms >= round.deadline_ms);
        if decided {
            self.decide(now_ms, &mut out)?;
        }
        self.execute_due(now_ms, &mut out);
        self.settle(now_ms, &mut out)?;
        Ok(out)
    }

    /// Takes the call down to transport encryption: op 21 with version 0.
    pub fn handle_downgrade(&mut self, now_ms: u64) -> Outputs {
        if self.version == 0 {
            return Outputs::new();
        }
        self.version = 0;
        self.round = None;
        let transition_id = self.begin_transition(now_ms, self.joined.clone());
        self.joined
            .iter()
            .map(|&user| (user, Message::PrepareTransition { protocol_version: 0, transition_id }))
            .collect()
    }

    /// Brings a downgraded call back: op 24 to everybody, then a first group of all members once
    /// every key package is here.
    pub fn handle_upgrade(&mut self, _now_ms: u64) -> Outputs {
        if self.version != 0 {
            return Outputs::new();
        }
        self.version = PROTOCOL_VERSION;
        self.forget_group();
        self.pending.clear();
        self.upgrading = true;
        self.joined
            .iter()
            .map(|&user| {
                (user, Message::PrepareEpoch { protocol_version: PROTOCOL_VERSION, epoch: 1 })
            })
            .collect()
    }

    /// The next transition id is the one after the highest.
    #[cfg(test)]
    pub(super) fn wrap_transitions(&mut self) {
        self.last_transition = u16::MAX;
    }

    fn note(&mut self, name: &'static str, mut data: Value) {
        if let Value::Object(fields) = &mut data {
            fields.insert("channel_id".into(), self.channel.to_string().into());
        }
        self.notes.push_back(Note { name, data });
    }

    fn leaf_of(&self, user: UserId) -> Option<u32> {
        let position = self.leaves.iter().position(|leaf| *leaf == Some(user))?;
        u32::try_from(position).ok()
    }

    /// Members that can commit and be told things.
    fn committers(&self) -> BTreeSet<UserId> {
        self.leaves
            .iter()
            .flatten()
            .filter(|user| !self.gone.contains(user) && !self.recovering.contains(user))
            .copied()
            .collect()
    }

    /// Throws away a user's unused key package, taking its Add back if it is out.
    fn withdraw(&mut self, user: UserId) -> Outputs {
        self.pending.retain(|(pending, _)| *pending != user);
        let Some(round) = &mut self.round else { return Outputs::new() };
        let out = round.revoke_add(user);
        if round.epoch == 0 {
            // Its private group is gone too, or about to be.
            round.drop_committer(user);
        }
        if round.is_void() {
            self.round = None;
        }
        out
    }

    /// Nobody waits for this user any longer.
    fn forget_in_flight(&mut self, user: UserId) {
        if let Some(round) = &mut self.round {
            round.drop_committer(user);
        }
        for transition in self.transitions.values_mut() {
            transition.waiting.remove(&user);
            transition.recipients.remove(&user);
        }
    }

    fn forget_group(&mut self) {
        self.epoch = 0;
        self.leaves.clear();
        self.gone.clear();
        self.recovering.clear();
        self.round = None;
        self.transitions.clear();
    }

    fn judge(&self, user: UserId, bytes: &[u8]) -> Result<Answer, Rejection> {
        let round = self.round.as_ref().ok_or(Rejection::NothingOutstanding)?;
        let leaf = match round.epoch {
            0 => 0, // alone in its own group
            _ => self.leaf_of(user).ok_or(Rejection::NotACommitter)?,
        };
        round.judge(user, leaf, self.channel, bytes)
    }

    /// Announces the winner of the running race.
    fn decide(&mut self, now_ms: u64, out: &mut Outputs) -> Result<(), DaveError> {
        let Some(mut round) = self.round.take() else { return Ok(()) };
        let winner = match self.settings.race {
            Race::First => round.answers.drain(..).next(),
            Race::Last => round.answers.pop(),
        };
        let Some(winner) = winner else {
            self.round = Some(round);
            return Ok(());
        };
        let initial = round.epoch == 0;
        let stayed = if initial { BTreeSet::from([winner.user]) } else { self.committers() };
        let added = self.apply(&round, &winner);
        self.epoch = round.epoch + 1;
        let recipients: BTreeSet<_> =
            stayed.iter().copied().chain(added.iter().map(|(user, _)| *user)).collect();
        let transition_id =
            if initial && !self.upgrading { 0 } else { self.begin_transition(now_ms, recipients) };
        self.upgrading = false;
        for user in stayed {
            out.push((
                user,
                Message::AnnounceCommit { transition_id, commit: winner.commit.clone() },
            ));
        }
        let welcome = winner.welcome.unwrap_or_default();
        let parsed = Welcome::parse(&welcome);
        for (user, reference) in added {
            let cut = parsed.as_ref().filter(|_| self.settings.cut_welcome);
            let welcome = cut
                .and_then(|welcome| welcome.cut_for(&reference))
                .unwrap_or_else(|| welcome.clone());
            out.push((user, Message::Welcome { transition_id, welcome }));
        }
        let members: Vec<_> = self.leaves.iter().flatten().map(u64::to_string).collect();
        self.note(
            "epoch",
            json!({
                "epoch": self.epoch,
                "transition_id": transition_id,
                "committer": winner.user.to_string(),
                "members": members,
            }),
        );
        self.settle(now_ms, out)
    }

    /// Applies a commit to the leaf table: removes, then adds in the order of its references,
    /// each into the leftmost blank leaf, then blank leaves at the end are cut (RFC 9420 section
    /// 7.7). Answers who was added, with the key package reference.
    fn apply(&mut self, round: &Round, winner: &Answer) -> Vec<(UserId, [u8; 32])> {
        if round.epoch == 0 {
            self.leaves = vec![Some(winner.user)];
            self.pending.retain(|(user, _)| *user != winner.user);
        }
        let changes: Vec<&Change> = winner
            .references
            .iter()
            .filter_map(|reference| {
                let found = round.proposals.iter().find(|p| p.signed.reference == *reference)?;
                Some(&found.change)
            })
            .collect();
        for change in &changes {
            if let Change::Remove { user, leaf } = change {
                if let Some(slot) = self.leaves.get_mut(*leaf as usize) {
                    *slot = None;
                }
                self.gone.remove(user);
            }
        }
        let mut added = Vec::new();
        for change in &changes {
            let Change::Add { user, candidate } = change else { continue };
            match self.leaves.iter_mut().find(|leaf| leaf.is_none()) {
                Some(blank) => *blank = Some(*user),
                None => self.leaves.push(Some(*user)),
            }
            self.pending.retain(|(pending, _)| pending != user);
            self.recovering.remove(user);
            added.push((*user, candidate.reference));
        }
        while self.leaves.last().is_some_and(Option::is_none) {
            self.leaves.pop();
        }
        added
    }

    /// Ids count up and skip 0, which means "at once".
    fn begin_transition(&mut self, now_ms: u64, recipients: BTreeSet<UserId>) -> u16 {
        self.last_transition = self.last_transition.checked_add(1).unwrap_or(1);
        let deadline_ms = now_ms + self.settings.transition_deadline_ms;
        self.transitions.insert(
            self.last_transition,
            Transition {
                version: self.version,
                waiting: recipients.clone(),
                recipients,
                deadline_ms,
            },
        );
        self.last_transition
    }

    /// Op 22 for every transition that all have answered or whose time is up.
    fn execute_due(&mut self, now_ms: u64, out: &mut Outputs) {
        let due: Vec<u16> = self
            .transitions
            .iter()
            .filter(|(_, t)| t.waiting.is_empty() || now_ms >= t.deadline_ms)
            .map(|(id, _)| *id)
            .collect();
        for transition_id in due {
            let Some(transition) = self.transitions.remove(&transition_id) else { continue };
            let late: Vec<_> = transition.waiting.iter().map(u64::to_string).collect();
            self.note("executed", json!({ "transition_id": transition_id, "unanswered": late }));
            for user in transition.recipients {
                out.push((user, Message::ExecuteTransition { transition_id }));
            }
            if transition.version == 0 {
                self.forget_group();
                self.pending.clear();
            }
        }
    }

    /// Starts whatever can start now: a reset, or the next round.
    fn settle(&mut self, now_ms: u64, out: &mut Outputs) -> Result<(), DaveError> {
        if self.version == 0 {
            return Ok(());
        }
        if self.epoch > 0 {
            self.dissolve(out);
        }
        if self.round.is_some() || !self.transitions.is_empty() {
            return Ok(());
        }
        let changes = if self.epoch == 0 { self.initial_changes() } else { self.changes() };
        if changes.is_empty() {
            return Ok(());
        }
        let committers = if self.epoch == 0 {
            self.pending.iter().map(|(user, _)| *user).collect()
        } else {
            self.committers()
        };
        let proposals = changes
            .into_iter()
            .map(|change| {
                let signed = match &change {
                    Change::Add { candidate, .. } => {
                        self.sender.propose_add(self.channel, self.epoch, candidate)
                    }
                    Change::Remove { leaf, .. } => {
                        self.sender.propose_remove(self.channel, self.epoch, *leaf)
                    }
                }?;
                Ok(Outstanding { signed, change })
            })
            .collect::<Result<Vec<_>, DaveError>>()?;
        let round = Round {
            epoch: self.epoch,
            committers,
            proposals,
            answers: Vec::new(),
            deadline_ms: now_ms + self.settings.race_deadline_ms,
        };
        out.extend(round.announcements());
        let described: Vec<_> = round.proposals.iter().map(|p| describe(&p.change)).collect();
        self.note("round", json!({ "epoch": self.epoch, "proposals": described }));
        self.round = Some(round);
        Ok(())
    }

    /// Ends a group that has nobody left to commit, or one member and nobody to add.
    fn dissolve(&mut self, out: &mut Outputs) {
        let committers = self.committers();
        if committers.is_empty() {
            self.note("restart", json!({}));
            self.forget_group();
        } else if let Some(&last) = committers.first()
            && committers.len() == 1
            && self.leaves.iter().flatten().count() > 1
            && self.recovering.is_empty()
            && self.round.is_none()
            && self.pending.is_empty()
        {
            self.note("reset", json!({ "user_id": last.to_string() }));
            self.forget_group();
            out.push((
                last,
                Message::PrepareEpoch { protocol_version: PROTOCOL_VERSION, epoch: 1 },
            ));
            out.push((
                last,
                Message::PrepareTransition { protocol_version: PROTOCOL_VERSION, transition_id: 0 },
            ));
        }
    }

    /// The first group of a call: an Add for everybody, once there are two.
    fn initial_changes(&self) -> Vec<Change> {
        let complete = !self.upgrading || self.pending.len() == self.joined.len();
        if self.pending.len() < 2 || !complete {
            return Vec::new();
        }
        self.pending
            .iter()
            .map(|(user, candidate)| Change::Add { user: *user, candidate: candidate.clone() })
            .collect()
    }

    fn changes(&self) -> Vec<Change> {
        let is_ready = |user: &UserId| self.pending.iter().any(|(pending, _)| pending == user);
        let removes = self.leaves.iter().zip(0_u32..).filter_map(|(leaf, index)| {
            let user = (*leaf)?;
            let leaves =
                self.gone.contains(&user) || (self.recovering.contains(&user) && is_ready(&user));
            leaves.then_some(Change::Remove { user, leaf: index })
        });
        let adds = self
            .pending
            .iter()
            .filter(|(user, _)| {
                self.leaf_of(*user).is_none()
                    || self.recovering.contains(user)
                    || self.gone.contains(user)
            })
            .map(|(user, candidate)| Change::Add { user: *user, candidate: candidate.clone() });
        removes.chain(adds).collect()
    }
}

fn describe(change: &Change) -> Value {
    match change {
        Change::Add { user, .. } => json!({ "add": user.to_string() }),
        Change::Remove { user, leaf } => json!({ "remove": user.to_string(), "leaf": leaf }),
    }
}
