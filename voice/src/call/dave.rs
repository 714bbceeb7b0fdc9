//! End-to-end encryption of one call: the MLS group, transitions between its epochs, who may be in
//! it, recovery, and the plaintext windows. The MLS itself, the ratchets and the cipher are
//! davey's (0.2: it switches the sending key on execute only, and keeps media keys over a reset).
//!
//! A transition has two phases. *Prepare* (commit, welcome, op 21) gives receivers the new keys
//! beside the old ones, which stay for 10 s; *execute* (op 22, or at once for id 0) makes senders
//! switch. So nothing is lost while members change over at different moments.
//!
//! Sources: DAVE whitepaper ("Protocol Transitions", "Sender Key Derivation", "MLS Group"),
//! RFC 9420. davey reads its own clock for key expiry and takes the system's randomness for MLS
//! keys; both stay inside it.

use std::{
    collections::{BTreeMap, BTreeSet},
    num::NonZeroU16,
    time::Duration,
};

use clawvoice_session::{ChannelId, SessionTime, UserId};
use davey::{
    Codec, DaveSession, MediaType, ProposalsOperationType,
    errors::{ProcessCommitError, ProcessProposalsError, ProcessWelcomeError},
};

use super::{CallEvent, Outbox, Output, recovery::GroupState, stats::GatewayStats};
use crate::wire::{dave as frame, gateway, rtp};

/// After an upgrade, members' last plaintext frames are still taken for this long.
const UPGRADE_PLAINTEXT: Duration = Duration::from_secs(10);
/// No recovery so soon after a commit or welcome: its keys may still be settling.
const RECOVERY_QUIET: Duration = Duration::from_secs(3);
/// At most one recovery in this time.
const RECOVERY_INTERVAL: Duration = Duration::from_secs(10);
/// Frames that come within this time after the first keys, from a sender never yet decrypted, are of
/// the epoch before ours.
const PRE_JOIN: Duration = Duration::from_secs(3);
/// How long a prepared transition counts as under way. Members keep the keys of the epoch before for
/// 10 s (DAVE whitepaper, "Sender Key Derivation"), so a change-over that takes longer has failed:
/// from then on it neither lets plaintext in nor excuses frames that no key opens.
const TRANSITION_LIMIT: Duration = Duration::from_secs(10);
/// Proposal batches that wait for an op 11 or 25; the oldest goes beyond that.
const DEFERRED_BATCHES: usize = 16;
/// Proposal batches remembered per epoch to recognise a repetition.
const SEEN_BATCHES: usize = 64;

/// What became of a media frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Opened {
    /// This many bytes of media were written.
    Decrypted(usize),
    /// The frame is plaintext and may be taken as it is.
    Plain,
    /// An encrypted frame that no key opens, yet.
    NoKey,
    /// Plaintext although encryption is in force.
    Refused,
}

/// Whether receive keys may have changed, so that held frames deserve another try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Keys {
    Changed,
    Same,
}

/// A transition that is prepared and not executed.
#[derive(Clone, Copy, Debug)]
struct Prepared {
    at: SessionTime,
    /// The version it leads to.
    version: u16,
}

#[derive(Debug)]
struct Batch {
    revoke: bool,
    body: Vec<u8>,
}

/// See the module's documentation.
pub(crate) struct Dave {
    user: UserId,
    channel: ChannelId,
    /// Consecutive undecryptable frames of one group member that are borne; one more suggests a
    /// diverged group.
    tolerance: u32,
    /// After op 4.
    started: bool,
    /// The version senders are to use now; 0 is transport encryption only.
    version: u16,
    session: Option<DaveSession>,
    external_sender: Option<Vec<u8>>,
    /// Users that op 11 announced and op 13 has not taken back, and ourselves.
    roster: BTreeSet<u64>,
    /// Users that op 13 took back, and when: a Welcome made before may still have them.
    departed: BTreeMap<u64, SessionTime>,
    /// Transitions prepared and not executed. An op 22 that comes late is still carried out: the
    /// others switch on it too.
    pending: BTreeMap<u16, Prepared>,
    deferred: Vec<Batch>,
    seen_batches: Vec<Vec<u8>>,
    /// The last commit or welcome that was applied.
    applied: Vec<u8>,
    last_transition: u16,
    /// When the last commit or welcome came, or the last key package went.
    group_changed: Option<SessionTime>,
    /// When the first key package went out.
    asked_since: Option<SessionTime>,
    /// When receive keys first became usable.
    ready_since: Option<SessionTime>,
    last_recovery: Option<SessionTime>,
    /// A key has opened a frame since the last transition.
    proven: bool,
    plaintext_until: Option<SessionTime>,
}

impl Dave {
    pub(crate) fn new(user: UserId, channel: ChannelId, tolerance: u32) -> Self {
        Self {
            user,
            channel,
            tolerance,
            started: false,
            version: 0,
            session: None,
            external_sender: None,
            roster: BTreeSet::from([user.get()]),
            departed: BTreeMap::new(),
            pending: BTreeMap::new(),
            deferred: Vec::new(),
            seen_batches: Vec::new(),
            applied: Vec::new(),
            last_transition: 0,
            group_changed: None,
            asked_since: None,
            ready_since: None,
            last_recovery: None,
            proven: false,
            plaintext_until: None,
        }
    }

    /// Whether op 4 has said which version is in force.
    pub(crate) fn started(&self) -> bool {
        self.started
    }

    /// Whether senders are to encrypt end to end now.
    pub(crate) fn in_force(&self) -> bool {
        self.version > 0
    }

    /// Whether a frame of ours would be understood: no DAVE in force, or a key to encrypt with.
    pub(crate) fn can_send(&self) -> bool {
        self.started
            && (self.version == 0 || self.session.as_ref().is_some_and(DaveSession::can_encrypt))
    }

    /// Whether a frame that arrived at `arrived`, of a sender never yet decrypted, can be of an epoch
    /// before ours.
    pub(crate) fn joining(&self, arrived: SessionTime) -> bool {
        match (self.ready_since, self.asked_since) {
            (Some(ready), _) => arrived <= ready + PRE_JOIN,
            (None, Some(asked)) => arrived <= asked + TRANSITION_LIMIT,
            (None, None) => true,
        }
    }

    /// Others in the call.
    pub(crate) fn others(&self) -> impl Iterator<Item = UserId> {
        self.roster.iter().filter(|id| **id != self.user.get()).map(|id| UserId::new(*id))
    }

    /// Op 4: the version in force. With one above 0, our key package goes out.
    pub(crate) fn start(&mut self, now: SessionTime, version: u16, out: &mut Outbox) {
        let again = self.started && version == self.version;
        self.started = true;
        if again {
            return;
        }
        self.version = version;
        if version > 0 {
            self.form_group(now, version, out);
        }
    }

    /// Op 11. Returns those that are new.
    pub(crate) fn clients_connect(
        &mut self,
        users: &[UserId],
        out: &mut Outbox,
        stats: &mut GatewayStats,
    ) -> Vec<UserId> {
        let new: Vec<_> =
            users.iter().copied().filter(|user| self.roster.insert(user.get())).collect();
        if !new.is_empty() {
            self.retry_deferred(out, stats);
        }
        new
    }

    /// Op 13. Returns whether the user was in the call.
    pub(crate) fn client_disconnect(&mut self, now: SessionTime, user: UserId) -> bool {
        let was_there = user != self.user && self.roster.remove(&user.get());
        if was_there {
            self.departed.retain(|_, at| now.since(*at) < TRANSITION_LIMIT);
            self.departed.insert(user.get(), now);
        }
        was_there
    }

    /// Op 21.
    pub(crate) fn prepare_transition(
        &mut self,
        now: SessionTime,
        transition: u16,
        version: u16,
        out: &mut Outbox,
        stats: &mut GatewayStats,
    ) -> Keys {
        if let Some(session) = &mut self.session
            && let Err(error) = session.prepare_transition(transition, version)
        {
            tracing::warn!(%error, transition, version, "transition could not be prepared");
        }
        self.prepared(now, transition, version, out, stats);
        Keys::Changed
    }

    /// Op 22. Unknown and repeated ones change nothing.
    pub(crate) fn execute_transition(
        &mut self,
        now: SessionTime,
        transition: u16,
        stats: &mut GatewayStats,
    ) -> Keys {
        let Some(Prepared { version, .. }) = self.pending.remove(&transition) else {
            tracing::debug!(transition, "no such transition is pending");
            return Keys::Same;
        };
        if let Some(session) = &mut self.session
            && let Err(error) = session.execute_transition(transition)
        {
            tracing::warn!(%error, transition, "transition could not be executed");
        }
        self.switch(now, version, stats);
        Keys::Changed
    }

    /// Op 24 with epoch 1: a new group is to be formed; media keys in use stay until it is.
    pub(crate) fn prepare_epoch(
        &mut self,
        now: SessionTime,
        version: u16,
        epoch: u64,
        out: &mut Outbox,
    ) {
        if epoch == 1 && version > 0 {
            self.form_group(now, version, out);
        }
    }

    /// Op 25. May come before or after op 4, and again.
    pub(crate) fn external_sender(
        &mut self,
        body: &[u8],
        out: &mut Outbox,
        stats: &mut GatewayStats,
    ) {
        let repeated = self.external_sender.as_deref() == Some(body);
        if let Some(session) = &mut self.session {
            if repeated && session.group().is_some() {
                return;
            }
            if let Err(error) = session.set_external_sender(body) {
                // An established group keeps the sender it was made with.
                tracing::debug!(%error, "external sender not taken");
                stats.ignored += 1;
                return;
            }
        }
        self.external_sender = Some(body.to_vec());
        self.retry_deferred(out, stats);
    }

    /// Op 27: commit to what is proposed (op 28), if everybody in it is known.
    pub(crate) fn proposals(
        &mut self,
        revoke: bool,
        body: &[u8],
        out: &mut Outbox,
        stats: &mut GatewayStats,
    ) {
        if !revoke && self.seen_batches.iter().any(|seen| seen == body) {
            tracing::debug!("proposals repeated");
            return;
        }
        let unknown = !revoke
            && frame::added_users(body)
                .is_some_and(|users| users.iter().any(|user| !self.roster.contains(user)));
        let grouped = self.session.as_ref().is_some_and(|session| session.group().is_some());
        if unknown || !grouped {
            tracing::debug!(unknown, grouped, "proposals wait");
            if self.deferred.len() >= DEFERRED_BATCHES {
                self.deferred.remove(0);
                stats.proposals_refused += 1;
            }
            self.deferred.push(Batch { revoke, body: body.to_vec() });
            return;
        }
        self.commit_to(revoke, body, out, stats);
    }

    fn commit_to(&mut self, revoke: bool, body: &[u8], out: &mut Outbox, stats: &mut GatewayStats) {
        let expected: Vec<u64> = self.roster.iter().copied().collect();
        let Some(session) = &mut self.session else { return };
        let kind = match revoke {
            false => ProposalsOperationType::APPEND,
            true => ProposalsOperationType::REVOKE,
        };
        match session.process_proposals(kind, body, Some(&expected)) {
            Ok(commit) => {
                if self.seen_batches.len() < SEEN_BATCHES {
                    self.seen_batches.push(body.to_vec());
                }
                if let Some(made) = commit {
                    let message = gateway::commit_welcome(&made.commit, made.welcome.as_deref());
                    out.push_back(Output::Binary(message));
                }
            }
            Err(ProcessProposalsError::NoGroup) => {
                self.deferred.push(Batch { revoke, body: body.to_vec() });
            }
            Err(error) => {
                tracing::debug!(%error, "proposals refused");
                stats.proposals_refused += 1;
            }
        }
    }

    fn retry_deferred(&mut self, out: &mut Outbox, stats: &mut GatewayStats) {
        for batch in std::mem::take(&mut self.deferred) {
            self.proposals(batch.revoke, &batch.body, out, stats);
        }
    }

    /// Op 29: the commit that won.
    pub(crate) fn commit(
        &mut self,
        now: SessionTime,
        transition: u16,
        commit: &[u8],
        out: &mut Outbox,
        stats: &mut GatewayStats,
    ) -> Keys {
        let Some(session) = &mut self.session else {
            stats.commits_ignored += 1;
            return Keys::Same;
        };
        let epoch = session.epoch().map_or(0, |epoch| epoch.as_u64());
        let stale = frame::commit_epoch(commit).is_some_and(|ended| ended < epoch);
        if stale || self.applied == commit {
            tracing::debug!(transition, epoch, "commit is repeated or of a past epoch");
            stats.commits_ignored += 1;
            return Keys::Same;
        }
        match session.process_commit(commit) {
            Ok(true) => self.enter_epoch(now, transition, commit, out, stats),
            // Neither of these harms the group: a Welcome is still to come.
            Ok(false) | Err(ProcessCommitError::CommitBeforeWelcome) => {
                tracing::debug!(transition, "commit is not for us");
                stats.commits_ignored += 1;
                Keys::Same
            }
            Err(error) => {
                tracing::warn!(%error, transition, "commit is unusable");
                self.recover(now, transition, out, stats);
                Keys::Same
            }
        }
    }

    /// Op 30: the way into the group.
    pub(crate) fn welcome(
        &mut self,
        now: SessionTime,
        transition: u16,
        welcome: &[u8],
        out: &mut Outbox,
        stats: &mut GatewayStats,
    ) -> Keys {
        // Who left since the commit was made is in its tree until the next one.
        let left = self.departed.iter().filter(|(_, at)| now.since(**at) < TRANSITION_LIMIT);
        let expected: Vec<u64> =
            self.roster.iter().copied().chain(left.map(|(user, _)| *user)).collect();
        let Some(session) = &mut self.session else {
            stats.commits_ignored += 1;
            return Keys::Same;
        };
        match session.process_welcome(welcome, Some(&expected)) {
            Ok(()) => self.enter_epoch(now, transition, welcome, out, stats),
            Err(ProcessWelcomeError::AlreadyInGroup) => {
                stats.commits_ignored += 1;
                Keys::Same
            }
            Err(error) => {
                tracing::warn!(%error, transition, "welcome is unusable");
                self.recover(now, transition, out, stats);
                Keys::Same
            }
        }
    }

    /// After a good commit or welcome: take the new receive keys and prepare the transition.
    fn enter_epoch(
        &mut self,
        now: SessionTime,
        transition: u16,
        message: &[u8],
        out: &mut Outbox,
        stats: &mut GatewayStats,
    ) -> Keys {
        let Some(session) = &mut self.session else { return Keys::Same };
        let version = session.protocol_version().get();
        if let Err(error) = session.prepare_transition(transition, version) {
            tracing::warn!(%error, transition, "epoch's keys could not be derived");
            self.recover(now, transition, out, stats);
            return Keys::Same;
        }
        let epoch = session.epoch().map_or(0, |epoch| epoch.as_u64());
        self.applied = message.to_vec();
        self.seen_batches.clear();
        self.group_changed = Some(now);
        self.ready_since.get_or_insert(now);
        stats.epochs += 1;
        self.prepared(now, transition, version, out, stats);
        tracing::debug!(epoch, transition, version, "epoch entered");
        out.push_back(Output::Event(CallEvent::EpochReady {
            epoch,
            dave_version: version,
            transition,
        }));
        Keys::Changed
    }

    fn prepared(
        &mut self,
        now: SessionTime,
        transition: u16,
        version: u16,
        out: &mut Outbox,
        stats: &mut GatewayStats,
    ) {
        self.last_transition = transition;
        self.proven = false;
        if transition == 0 {
            // A group that starts over leaves nothing under way.
            self.pending.clear();
            self.switch(now, version, stats);
        } else {
            self.pending.insert(transition, Prepared { at: now, version });
            out.push_back(Output::Text(gateway::transition_ready(transition)));
        }
    }

    fn switch(&mut self, now: SessionTime, version: u16, stats: &mut GatewayStats) {
        if self.version == 0 && version > 0 {
            self.plaintext_until = Some(now + UPGRADE_PLAINTEXT);
        }
        self.version = version;
        stats.transitions += 1;
    }

    /// Makes a local group from the known external sender and offers a new key package (op 26).
    fn form_group(&mut self, now: SessionTime, version: u16, out: &mut Outbox) {
        self.group_changed = Some(now);
        self.asked_since.get_or_insert(now);
        self.applied.clear();
        match self.renew(version) {
            Ok(package) => out.push_back(Output::Binary(gateway::key_package(&package))),
            Err(error) => tracing::error!(%error, version, "no DAVE group can be formed"),
        }
    }

    fn renew(&mut self, version: u16) -> Result<Vec<u8>, RenewError> {
        let version = NonZeroU16::new(version).ok_or(RenewError::VersionZero)?;
        self.deferred.clear();
        self.seen_batches.clear();
        let (user, channel) = (self.user.get(), self.channel.get());
        let session = match &mut self.session {
            Some(session) => {
                session.reinit(version, user, channel, None)?;
                session
            }
            none => {
                let mut session = DaveSession::new(version, user, channel, None)?;
                if let Some(sender) = &self.external_sender
                    && let Err(error) = session.set_external_sender(sender)
                {
                    tracing::warn!(%error, "external sender is unusable");
                }
                none.insert(session)
            }
        };
        Ok(session.create_key_package()?)
    }

    /// Says that the transition is unusable (op 31) and offers a new key package.
    fn recover(
        &mut self,
        now: SessionTime,
        transition: u16,
        out: &mut Outbox,
        stats: &mut GatewayStats,
    ) {
        let Some(version) = self.session.as_ref().map(|session| session.protocol_version().get())
        else {
            return;
        };
        stats.recoveries += 1;
        self.last_recovery = Some(now);
        out.push_back(Output::Text(gateway::invalid_commit_welcome(transition)));
        self.form_group(now, version, out);
        out.push_back(Output::Event(CallEvent::GroupRecovery { transition }));
    }

    /// A marked frame of `user` failed for the `consecutive`th time with every key. Recovers if
    /// that can only be a diverged group.
    pub(crate) fn failed(
        &mut self,
        now: SessionTime,
        user: UserId,
        consecutive: u32,
        out: &mut Outbox,
        stats: &mut GatewayStats,
    ) {
        let quiet = |since: Option<SessionTime>, span| since.is_none_or(|at| now.since(at) >= span);
        if consecutive > self.tolerance
            && self.under_way(now).next().is_none()
            && self.shares_group(user)
            && quiet(self.group_changed, RECOVERY_QUIET)
            && quiet(self.last_recovery, RECOVERY_INTERVAL)
        {
            tracing::warn!(%user, consecutive, "group has diverged");
            self.recover(now, self.last_transition, out, stats);
        }
    }

    /// Repairs the group in place: op 31 for the last transition, and a new key package.
    pub(crate) fn reinitialise(
        &mut self,
        now: SessionTime,
        out: &mut Outbox,
        stats: &mut GatewayStats,
    ) {
        tracing::warn!(transition = self.last_transition, "the group is repaired in place");
        self.recover(now, self.last_transition, out, stats);
    }

    /// What a lost frame of `user` is judged by; `None`: not a member of our group, so that the
    /// frame says nothing about it.
    pub(crate) fn state_for(&self, now: SessionTime, user: UserId) -> Option<GroupState> {
        self.shares_group(user).then(|| GroupState {
            last_transition: self.last_transition,
            settled: self.under_way(now).next().is_none(),
            proven: self.proven,
            repaired: self.last_recovery,
        })
    }

    /// Whether our keys should open `user`'s frames: they are in our group; or they are in the call
    /// and we are in no group, which lasts if the commit or the welcome that should let us in was
    /// lost or damaged.
    fn shares_group(&self, user: UserId) -> bool {
        let alone = self
            .session
            .as_ref()
            .is_some_and(|session| session.epoch().is_none_or(|epoch| epoch.as_u64() == 0));
        self.in_group(user) || (alone && self.roster.contains(&user.get()))
    }

    fn in_group(&self, user: UserId) -> bool {
        let id = user.get().to_be_bytes();
        self.session.as_ref().is_some_and(|session| {
            session.is_ready()
                && session.group().is_some_and(|group| {
                    group.members().any(|member| member.credential.serialized_content() == id)
                })
        })
    }

    /// Opens a media frame of `user` into `media`, which is at least as long as the frame.
    pub(crate) fn open(
        &mut self,
        now: SessionTime,
        user: UserId,
        packet: &[u8],
        media: &mut [u8],
    ) -> Opened {
        let Some(checked) = frame::check(packet) else {
            return if packet == rtp::SILENCE || self.plaintext_allowed(now) {
                Opened::Plain
            } else {
                Opened::Refused
            };
        };
        // Also where no group is in force: the others may not have executed a downgrade yet, and
        // ciphertext in an Opus decoder is noise.
        let Some(session) = &mut self.session else { return Opened::NoKey };
        match session.decrypt_into(user.get(), MediaType::AUDIO, packet, media) {
            Ok(bytes) => {
                debug_assert_eq!(bytes, checked.media_bytes, "Opus frames carry the exact slice");
                self.proven = true;
                Opened::Decrypted(bytes)
            }
            Err(_) => Opened::NoKey,
        }
    }

    /// The versions that transitions under way lead to.
    fn under_way(&self, now: SessionTime) -> impl Iterator<Item = u16> {
        let recent = move |prepared: &&Prepared| now.since(prepared.at) < TRANSITION_LIMIT;
        self.pending.values().filter(recent).map(|prepared| prepared.version)
    }

    /// Plaintext is normal without DAVE, and tolerated around a change of version.
    fn plaintext_allowed(&self, now: SessionTime) -> bool {
        self.version == 0
            || self.under_way(now).any(|version| version == 0)
            || self.plaintext_until.is_some_and(|until| now < until)
    }

    /// Encrypts an Opus packet into `frame`; `false` if that is not possible now.
    pub(crate) fn seal(&mut self, opus: &[u8], frame: &mut Vec<u8>) -> bool {
        if self.version == 0 {
            frame.clear();
            frame.extend_from_slice(opus);
            return true;
        }
        self.session.as_mut().is_some_and(|session| {
            session.encrypt_into(MediaType::AUDIO, Codec::OPUS, opus, frame).is_ok()
        })
    }
}

#[derive(Debug, thiserror::Error)]
enum RenewError {
    #[error("version 0 has no group")]
    VersionZero,
    #[error(transparent)]
    Init(#[from] davey::errors::InitError),
    #[error(transparent)]
    Reinit(#[from] davey::errors::ReinitError),
    #[error(transparent)]
    KeyPackage(#[from] davey::errors::CreateKeyPackageError),
}
