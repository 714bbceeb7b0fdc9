//! The human's side of DAVE, Discord's end-to-end encryption: hands the voice gateway's messages
//! to davey and its answers back. See the protocol's document, "Protocol transitions" and
//! "Voice gateway opcodes" 21 to 31.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    num::NonZeroU16,
    time::{Duration, Instant},
};

use davey::{
    DaveSession, MediaType, ProposalsOperationType,
    errors::{
        DecryptError, ProcessCommitError, ProcessProposalsError, ProcessWelcomeError,
        SetExternalSenderError,
    },
};
use serde_json::{Value, json};

use super::gateway::op;

/// The only version there is.
const VERSION: NonZeroU16 = NonZeroU16::MIN;

/// How long after we switched to an epoch a sender may still send in the one before, which a
/// fresh member cannot decrypt: the two learn of the switch over different connections.
const SWITCH_GRACE: Duration = Duration::from_secs(2);

/// Proposals kept for users the gateway has not announced yet.
const MAX_DEFERRED: usize = 16;

/// What the voice gateway should be sent.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Answer {
    /// A JSON payload's opcode and data.
    Json(u8, Value),
    /// A binary payload, opcode first.
    Binary(Vec<u8>),
}

/// Why a frame did not decrypt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Undecryptable {
    /// By design: sent before its sender and we shared an epoch.
    BeforeReady,
    /// It should have.
    AfterReady,
}

/// One member of the current epoch, as far as its frames are concerned.
#[derive(Clone, Copy, Debug)]
struct Member {
    since: Instant,
    heard: bool,
}

/// One connection's DAVE state.
pub(crate) struct Dave {
    user_id: u64,
    channel_id: u64,
    session: DaveSession,
    /// The version in force; 0 is transport encryption only.
    version: u16,
    /// Everybody the gateway has announced, ourselves included.
    users: BTreeSet<u64>,
    /// Announced transitions and the version each switches to.
    pending: HashMap<u16, u16>,
    /// Proposals that add somebody not announced yet.
    deferred: Vec<Vec<u8>>,
    members: BTreeMap<u64, Member>,
    answers: Vec<Answer>,
    /// Groups joined and commits applied: each is an epoch of its own.
    epochs_seen: u32,
    /// Times a commit or welcome had to be reported as unusable.
    recoveries: u32,
    /// Messages that could not be used and needed no recovery.
    refused: u32,
}

impl Dave {
    /// # Errors
    /// davey's message, if it could not make a signing key.
    pub(crate) fn new(user_id: u64, channel_id: u64) -> Result<Self, String> {
        let session = DaveSession::new(VERSION, user_id, channel_id, None)
            .map_err(|error| error.to_string())?;
        Ok(Self {
            user_id,
            channel_id,
            session,
            version: 0,
            users: BTreeSet::from([user_id]),
            pending: HashMap::new(),
            deferred: Vec::new(),
            members: BTreeMap::new(),
            answers: Vec::new(),
            epochs_seen: 0,
            recoveries: 0,
            refused: 0,
        })
    }

    /// The answers to what was handled since the last call, in order.
    pub(crate) fn take_answers(&mut self) -> Vec<Answer> {
        std::mem::take(&mut self.answers)
    }

    pub(crate) fn version(&self) -> u16 {
        self.version
    }

    pub(crate) fn epochs_seen(&self) -> u32 {
        self.epochs_seen
    }

    pub(crate) fn recoveries(&self) -> u32 {
        self.recoveries
    }

    pub(crate) fn refused(&self) -> u32 {
        self.refused
    }

    /// The group's epoch; none while there is only a group of one's own.
    pub(crate) fn epoch(&self) -> Option<u64> {
        self.session.epoch().map(|epoch| epoch.as_u64()).filter(|epoch| *epoch > 0)
    }

    /// Whether audio can be sent: in the clear, or with a key of the current epoch.
    pub(crate) fn can_send(&self) -> bool {
        self.version == 0 || self.session.can_encrypt()
    }

    /// Those we share the current epoch with, having switched to it.
    pub(crate) fn members(&self) -> impl Iterator<Item = u64> {
        self.members.keys().copied()
    }

    /// Opcode 4: the call's version; above 0 the key package goes out.
    pub(crate) fn handle_session_description(&mut self, version: u16) {
        self.version = version;
        if version > 0 {
            self.send_key_package();
        }
    }

    /// Opcode 11.
    pub(crate) fn handle_clients_connect(&mut self, user_ids: &[u64]) {
        self.users.extend(user_ids);
        for proposals in std::mem::take(&mut self.deferred) {
            self.handle_proposals(&proposals);
        }
    }

    /// Opcode 13.
    pub(crate) fn handle_client_disconnect(&mut self, user_id: u64) {
        self.users.remove(&user_id);
        self.members.remove(&user_id);
    }

    /// Opcode 21: the group is about to switch to another version.
    pub(crate) fn handle_prepare_transition(&mut self, now: Instant, id: u16, version: u16) {
        if version == 0 {
            self.session.set_passthrough_mode(true, None);
        }
        self.prepare(now, id, version);
    }

    /// Opcode 22: everybody is ready, send with the new key from now on.
    pub(crate) fn handle_execute_transition(&mut self, now: Instant, id: u16) {
        let Some(version) = self.pending.remove(&id) else { return };
        if self.session.execute_transition(id).is_err() {
            self.refused += 1;
        }
        self.switch(now, version);
    }

    /// Opcode 24: epoch 1 means that a new group is about to be formed.
    pub(crate) fn handle_prepare_epoch(&mut self, epoch: u64) {
        if epoch == 1 {
            self.start_over();
        }
    }

    /// A binary message: opcodes 25, 27, 29 and 30. Others are ignored.
    pub(crate) fn handle_binary(&mut self, now: Instant, opcode: u8, body: &[u8]) {
        match opcode {
            op::DAVE_EXTERNAL_SENDER => match self.session.set_external_sender(body) {
                Ok(()) | Err(SetExternalSenderError::AlreadyInGroup) => {}
                Err(_) => self.refused += 1,
            },
            op::DAVE_PROPOSALS => self.handle_proposals(body),
            op::DAVE_ANNOUNCE_COMMIT => self.handle_commit(now, body),
            op::DAVE_WELCOME => self.handle_welcome(now, body),
            _ => {}
        }
    }

    fn handle_proposals(&mut self, body: &[u8]) {
        let Some((kind, proposals)) = body.split_first() else {
            self.refused += 1;
            return;
        };
        let kind = match kind {
            0 => ProposalsOperationType::APPEND,
            1 => ProposalsOperationType::REVOKE,
            _ => {
                self.refused += 1;
                return;
            }
        };
        let users: Vec<u64> = self.users.iter().copied().collect();
        match self.session.process_proposals(kind, proposals, Some(&users)) {
            Ok(Some(made)) => {
                let mut answer = vec![op::DAVE_COMMIT_WELCOME];
                answer.extend_from_slice(&made.commit);
                answer.extend(made.welcome.iter().flatten());
                self.answers.push(Answer::Binary(answer));
            }
            Ok(None) => {}
            Err(ProcessProposalsError::UnexpectedUser(_)) if self.deferred.len() < MAX_DEFERRED => {
                self.deferred.push(body.to_vec());
            }
            Err(_) => self.refused += 1,
        }
    }

    fn handle_commit(&mut self, now: Instant, body: &[u8]) {
        let Some((id, commit)) = transition(body) else {
            self.refused += 1;
            return;
        };
        match self.session.process_commit(commit) {
            Ok(true) => {
                self.epochs_seen += 1;
                self.prepare(now, id, VERSION.get());
            }
            // Not for us: our welcome is still to come.
            Ok(false) | Err(ProcessCommitError::CommitBeforeWelcome) => {}
            Err(_) => self.recover(id),
        }
    }

    fn handle_welcome(&mut self, now: Instant, body: &[u8]) {
        let Some((id, welcome)) = transition(body) else {
            self.refused += 1;
            return;
        };
        let users: Vec<u64> = self.users.iter().copied().collect();
        match self.session.process_welcome(welcome, Some(&users)) {
            Ok(()) => {
                self.epochs_seen += 1;
                self.prepare(now, id, VERSION.get());
            }
            Err(ProcessWelcomeError::AlreadyInGroup) => self.refused += 1,
            Err(_) => self.recover(id),
        }
    }

    /// Receives with the new keys as well and says so. Transition 0 is executed at once and
    /// needs no answer.
    fn prepare(&mut self, now: Instant, id: u16, version: u16) {
        if self.session.prepare_transition(id, version).is_err() {
            self.refused += 1;
        }
        if id == 0 {
            self.switch(now, version);
        } else {
            self.pending.insert(id, version);
            let ready = json!({ "transition_id": id });
            self.answers.push(Answer::Json(op::DAVE_TRANSITION_READY, ready));
        }
    }

    fn switch(&mut self, now: Instant, version: u16) {
        if version > 0 && self.version == 0 {
            // davey lets frames from before the upgrade through for another ten seconds.
            self.session.set_passthrough_mode(false, None);
        }
        self.version = version;
        let roster: BTreeSet<u64> = match self.epoch() {
            Some(_) => self.session.get_user_ids().unwrap_or_default().into_iter().collect(),
            None => BTreeSet::new(),
        };
        self.members.retain(|user, _| roster.contains(user));
        for user in roster.into_iter().filter(|user| *user != self.user_id) {
            self.members.entry(user).or_insert(Member { since: now, heard: false });
        }
    }

    /// Opcode 31 and a new key package: the server removes us and adds us again.
    fn recover(&mut self, id: u16) {
        self.recoveries += 1;
        let invalid = json!({ "transition_id": id });
        self.answers.push(Answer::Json(op::DAVE_INVALID_COMMIT_WELCOME, invalid));
        self.start_over();
    }

    /// Drops the group, keeps the media keys until new ones come, offers a new key package.
    fn start_over(&mut self) {
        self.pending.clear();
        self.deferred.clear();
        if self.session.reinit(VERSION, self.user_id, self.channel_id, None).is_err() {
            self.refused += 1;
        }
        self.send_key_package();
    }

    fn send_key_package(&mut self) {
        match self.session.create_key_package() {
            Ok(package) => {
                let mut answer = vec![op::DAVE_KEY_PACKAGE];
                answer.extend_from_slice(&package);
                self.answers.push(Answer::Binary(answer));
            }
            Err(_) => self.refused += 1,
        }
    }

    /// One Opus frame as it should travel; none if there is no key to send with.
    pub(crate) fn encrypt(&mut self, opus: &[u8]) -> Option<Vec<u8>> {
        if self.version == 0 {
            return Some(opus.to_vec());
        }
        if !self.session.can_encrypt() {
            return None;
        }
        self.session.encrypt_opus(opus).ok().map(std::borrow::Cow::into_owned)
    }

    /// Exactly the Opus frame within what a user sent.
    pub(crate) fn decrypt(
        &mut self,
        now: Instant,
        user_id: u64,
        frame: &[u8],
    ) -> Result<Vec<u8>, Undecryptable> {
        // The server makes silence frames of its own for muted users; it has no key.
        if frame == davey::OPUS_SILENCE_PACKET {
            return Ok(frame.to_vec());
        }
        match self.session.decrypt(user_id, MediaType::AUDIO, frame) {
            Ok(opus) => {
                if let Some(member) = self.members.get_mut(&user_id) {
                    member.heard = true;
                }
                Ok(opus)
            }
            Err(DecryptError::NoDecryptorForUser) if self.version == 0 => Ok(frame.to_vec()),
            Err(_) => Err(match self.members.get(&user_id) {
                Some(member) if member.heard || now > member.since + SWITCH_GRACE => {
                    Undecryptable::AfterReady
                }
                _ => Undecryptable::BeforeReady,
            }),
        }
    }
}

/// Splits the transition id off opcodes 29 and 30.
fn transition(body: &[u8]) -> Option<(u16, &[u8])> {
    let (id, rest) = body.split_first_chunk::<2>()?;
    Some((u16::from_be_bytes(*id), rest))
}

#[cfg(test)]
mod in_a_group;

#[cfg(test)]
mod tests {
    use super::*;

    fn dave() -> Dave {
        Dave::new(1, 100).unwrap()
    }

    fn key_packages(answers: &[Answer]) -> usize {
        answers
            .iter()
            .filter(|answer| matches!(answer, Answer::Binary(b) if b[..5] == [26, 0, 1, 0, 2]))
            .count()
    }

    #[test]
    fn version_zero_sends_and_hears_in_the_clear() {
        let mut dave = dave();
        dave.handle_session_description(0);
        assert_eq!(dave.take_answers(), []);
        assert_eq!(dave.encrypt(b"opus"), Some(b"opus".to_vec()));
        assert_eq!(dave.decrypt(Instant::now(), 2, b"opus"), Ok(b"opus".to_vec()));
    }

    #[test]
    fn version_one_offers_a_bare_key_package_and_stays_silent_without_a_group() {
        let mut dave = dave();
        dave.handle_session_description(1);
        assert_eq!(key_packages(&dave.take_answers()), 1);
        assert!(!dave.can_send());
        assert_eq!(dave.encrypt(b"opus"), None);
        let heard = dave.decrypt(Instant::now(), 2, b"opus");
        assert_eq!(heard, Err(Undecryptable::BeforeReady));
        let silence = davey::OPUS_SILENCE_PACKET;
        assert_eq!(dave.decrypt(Instant::now(), 2, &silence), Ok(silence.to_vec()));
    }

    #[test]
    fn a_downgrade_is_answered_then_executed() {
        let (mut dave, now) = (dave(), Instant::now());
        dave.handle_session_description(1);
        dave.take_answers();
        dave.handle_prepare_transition(now, 7, 0);
        let ready = Answer::Json(23, json!({ "transition_id": 7 }));
        assert_eq!(dave.take_answers(), [ready]);
        assert_eq!(dave.version(), 1);
        dave.handle_execute_transition(now, 6);
        assert_eq!(dave.version(), 1, "an unknown transition changes nothing");
        dave.handle_execute_transition(now, 7);
        assert_eq!(dave.version(), 0);
        assert_eq!(dave.encrypt(b"opus"), Some(b"opus".to_vec()));
    }

    #[test]
    fn a_new_group_asks_for_a_new_key_package() {
        let mut dave = dave();
        dave.handle_session_description(1);
        dave.take_answers();
        dave.handle_prepare_epoch(2);
        assert_eq!(dave.take_answers(), []);
        dave.handle_prepare_epoch(1);
        assert_eq!(key_packages(&dave.take_answers()), 1);
    }

    #[test]
    fn an_unusable_welcome_is_reported_under_its_id_even_if_that_is_zero() {
        let (mut dave, now) = (dave(), Instant::now());
        dave.handle_session_description(1);
        dave.take_answers();
        dave.handle_binary(now, op::DAVE_WELCOME, &[0, 0, 0xFF]);
        let answers = dave.take_answers();
        assert_eq!(answers[0], Answer::Json(31, json!({ "transition_id": 0 })));
        assert_eq!(key_packages(&answers), 1);
        assert_eq!(dave.recoveries(), 1);
    }

    #[test]
    fn a_commit_without_a_group_is_none_of_our_business() {
        let mut dave = dave();
        dave.handle_session_description(1);
        dave.take_answers();
        dave.handle_binary(Instant::now(), op::DAVE_ANNOUNCE_COMMIT, &[0, 1, 0xFF]);
        assert_eq!((dave.take_answers(), dave.recoveries()), (vec![], 0));
    }

    #[test]
    fn messages_cut_off_before_their_mls_part_are_refused() {
        let bodies: [&[u8]; 2] = [&[], &[0]];
        for opcode in [25, 27, 29, 30] {
            for body in bodies {
                let mut dave = dave();
                dave.handle_session_description(1);
                dave.take_answers();
                dave.handle_binary(Instant::now(), opcode, body);
                assert_eq!((dave.refused(), dave.recoveries()), (1, 0), "{opcode} {body:?}");
                assert_eq!(dave.take_answers(), []);
            }
        }
    }

    #[test]
    fn a_kind_of_proposals_nobody_knows_is_refused() {
        let mut dave = dave();
        dave.handle_session_description(1);
        dave.handle_binary(Instant::now(), op::DAVE_PROPOSALS, &[2, 0]);
        assert_eq!(dave.refused(), 1);
    }

    #[test]
    fn frames_of_garbage_are_undecryptable() {
        use proptest::test_runner::TestRunner;
        // One key pair for all cases: making one takes longer than a thousand frames.
        let dave = std::cell::RefCell::new(dave());
        dave.borrow_mut().handle_session_description(1);
        let frames = proptest::collection::vec(proptest::num::u8::ANY, 0..64);
        TestRunner::default()
            .run(&frames, |mut frame| {
                frame.extend_from_slice(&[0xFA, 0xFA]);
                let heard = dave.borrow_mut().decrypt(Instant::now(), 2, &frame);
                proptest::prop_assert_eq!(heard, Err(Undecryptable::BeforeReady));
                Ok(())
            })
            .unwrap();
    }
}
