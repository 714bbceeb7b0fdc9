//! A call of davey members against the delivery service, in one process and without sockets.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    num::NonZeroU16,
};

use davey::{DaveSession, MediaType, ProposalsOperationType};

use super::*;

const CHANNEL: u64 = 4242;

/// A member as a client library behaves.
struct Member {
    dave: DaveSession,
    /// Damage the next op 29 or 30 on its way in.
    damage_next: bool,
    /// Do not answer op 29, 30 and 21 with op 23.
    mute: bool,
    executed: Vec<u16>,
}

/// What a member sends.
enum Sent {
    KeyPackage(Vec<u8>),
    CommitWelcome(Vec<u8>),
    Ready(u16),
    Invalid(u16),
}

impl Member {
    fn new(user: u64) -> Self {
        Self {
            dave: DaveSession::new(NonZeroU16::MIN, user, CHANNEL, None).unwrap(),
            damage_next: false,
            mute: false,
            executed: Vec::new(),
        }
    }

    fn handle(&mut self, message: &Message) -> Vec<Sent> {
        match message {
            Message::ExternalSender(package) => {
                self.dave.set_external_sender(package).unwrap();
                vec![Sent::KeyPackage(self.dave.create_key_package().unwrap())]
            }
            Message::AppendProposals(_) | Message::RevokeProposals(_) => {
                let body = message.binary().unwrap();
                let operation = match body[0] {
                    0 => ProposalsOperationType::APPEND,
                    _ => ProposalsOperationType::REVOKE,
                };
                match self.dave.process_proposals(operation, &body[1..], None).unwrap() {
                    Some(answer) => {
                        let mut bytes = answer.commit;
                        bytes.extend(answer.welcome.unwrap_or_default());
                        vec![Sent::CommitWelcome(bytes)]
                    }
                    None => Vec::new(),
                }
            }
            Message::AnnounceCommit { transition_id, commit } => {
                let commit = self.damaged(commit);
                let result = self.dave.process_commit(&commit);
                self.after(*transition_id, result.is_ok_and(|applied| applied))
            }
            Message::Welcome { transition_id, welcome } => {
                let welcome = self.damaged(welcome);
                let result = self.dave.process_welcome(&welcome, None);
                self.after(*transition_id, result.is_ok())
            }
            Message::PrepareTransition { transition_id, protocol_version } => {
                self.dave.prepare_transition(*transition_id, *protocol_version).unwrap();
                self.ready(*transition_id)
            }
            Message::ExecuteTransition { transition_id } => {
                self.dave.execute_transition(*transition_id).unwrap();
                self.executed.push(*transition_id);
                Vec::new()
            }
            Message::PrepareEpoch { .. } => self.start_over(),
        }
    }

    fn damaged(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        if std::mem::take(&mut self.damage_next) {
            *bytes.last_mut().unwrap() ^= 1;
        }
        bytes
    }

    fn ready(&self, id: u16) -> Vec<Sent> {
        if id == 0 || self.mute { Vec::new() } else { vec![Sent::Ready(id)] }
    }

    fn after(&mut self, id: u16, ok: bool) -> Vec<Sent> {
        if ok {
            self.dave.prepare_transition(id, 1).unwrap();
            return self.ready(id);
        }
        let mut sent = vec![Sent::Invalid(id)];
        sent.extend(self.start_over());
        sent
    }

    fn start_over(&mut self) -> Vec<Sent> {
        let user = self.dave.user_id();
        self.dave.reinit(NonZeroU16::MIN, user, CHANNEL, None).unwrap();
        vec![Sent::KeyPackage(self.dave.create_key_package().unwrap())]
    }
}

/// A call in virtual time; messages in each direction arrive in order.
struct Call {
    group: Group,
    members: BTreeMap<u64, Member>,
    now_ms: u64,
    to_server: VecDeque<(u64, Sent)>,
    /// Server messages seen, in order.
    log: Vec<(u64, Message)>,
}

impl Call {
    fn new(settings: GroupSettings) -> Self {
        let sender = ExternalSender::generate().unwrap();
        Self {
            group: Group::new(settings, CHANNEL, sender),
            members: BTreeMap::new(),
            now_ms: 1_000,
            to_server: VecDeque::new(),
            log: Vec::new(),
        }
    }

    fn with(users: &[u64]) -> Self {
        let mut call = Self::new(GroupSettings::default());
        for user in users {
            call.join(*user);
        }
        call
    }

    fn connect(&mut self, user: u64) {
        self.members.insert(user, Member::new(user));
        let out = self.group.handle_join(self.now_ms, user);
        self.deliver(out);
    }

    fn join(&mut self, user: u64) {
        self.connect(user);
        self.run();
    }

    fn leave(&mut self, user: u64) {
        self.members.remove(&user);
        self.to_server.retain(|(from, _)| *from != user);
        let out = self.group.handle_leave(self.now_ms, user).unwrap();
        self.deliver(out);
        self.run();
    }

    fn deliver(&mut self, outputs: Outputs) {
        for (user, message) in outputs {
            let member = self.members.get_mut(&user).expect("only members are sent messages");
            self.to_server.extend(member.handle(&message).into_iter().map(|sent| (user, sent)));
            self.log.push((user, message));
        }
    }

    fn serve(&mut self, user: u64, sent: Sent) {
        let (group, now) = (&mut self.group, self.now_ms);
        let out = match sent {
            Sent::KeyPackage(bytes) => group.handle_key_package(now, user, &bytes),
            Sent::CommitWelcome(bytes) => group.handle_commit_welcome(now, user, &bytes),
            Sent::Ready(id) => group.handle_transition_ready(now, user, id),
            Sent::Invalid(id) => group.handle_invalid_commit_welcome(now, user, id),
        };
        self.deliver(out.unwrap());
    }

    fn run(&mut self) {
        while let Some((user, sent)) = self.to_server.pop_front() {
            self.serve(user, sent);
        }
    }

    fn pass(&mut self, ms: u64) {
        self.now_ms += ms;
        let out = self.group.handle_timeout(self.now_ms).unwrap();
        self.deliver(out);
        self.run();
    }

    fn notes(&mut self) -> Vec<Note> {
        std::iter::from_fn(|| self.group.poll_note()).collect()
    }

    fn opcodes_to(&self, user: u64, since: usize) -> Vec<u8> {
        let sent = self.log[since..].iter().filter(|(to, _)| *to == user);
        sent.map(|(_, message)| message.opcode()).collect()
    }

    /// Everybody is in the same epoch, sits where the server thinks, and hears everybody else.
    fn assert_whole(&mut self, users: &[u64], epoch: u64) {
        let wanted: BTreeSet<_> = users.iter().copied().collect();
        let seated: BTreeSet<_> = self.group.leaves().iter().flatten().copied().collect();
        assert_eq!(seated, wanted);
        assert_eq!(self.group.epoch(), epoch);
        let authenticator =
            |member: &Member| member.dave.get_epoch_authenticator().unwrap().as_slice().to_vec();
        let first = authenticator(&self.members[&users[0]]);
        for user in users {
            let member = &self.members[user];
            assert_eq!(member.dave.epoch().unwrap().as_u64(), epoch, "epoch of {user}");
            assert_eq!(authenticator(member), first, "authenticator of {user}");
            let leaf = member.dave.own_leaf_index().unwrap().u32() as usize;
            assert_eq!(self.group.leaves()[leaf], Some(*user));
        }
        for speaker in users {
            let plain = [*speaker as u8; 40];
            let sent = self.members.get_mut(speaker).unwrap().dave.encrypt_opus(&plain);
            let frame = sent.unwrap().into_owned();
            for listener in users.iter().filter(|user| *user != speaker) {
                let dave = &mut self.members.get_mut(listener).unwrap().dave;
                let heard = dave.decrypt(*speaker, MediaType::AUDIO, &frame).unwrap();
                assert_eq!(heard, plain, "{listener} hears {speaker}");
            }
        }
    }
}

#[test]
fn one_two_three_members_and_back() {
    let mut call = Call::with(&[1]);
    assert_eq!(call.opcodes_to(1, 0), [25]);
    assert_eq!(call.group.epoch(), 0);

    call.join(2);
    call.assert_whole(&[1, 2], 1);
    // The initial group: 27 to both, the winner gets 29, the other 30, both with id 0, no 22.
    assert_eq!(call.opcodes_to(1, 0), [25, 27, 29]);
    assert_eq!(call.opcodes_to(2, 0), [25, 27, 30]);
    assert_eq!(call.log.last().unwrap().1.transition_id(), Some(0));

    let seen = call.log.len();
    call.join(3);
    call.assert_whole(&[1, 2, 3], 2);
    assert_eq!(call.opcodes_to(1, seen), [27, 29, 22]);
    assert_eq!(call.opcodes_to(3, seen), [25, 30, 22]);

    let seen = call.log.len();
    call.leave(2);
    call.assert_whole(&[1, 3], 3);
    assert_eq!(call.opcodes_to(3, seen), [27, 29, 22]);
    assert_eq!(call.group.leaves(), [Some(1), None, Some(3)]);

    call.join(2);
    call.assert_whole(&[1, 2, 3], 4);
    assert_eq!(call.group.leaves(), [Some(1), Some(2), Some(3)]);
}

#[test]
fn the_last_member_is_reset_and_a_new_group_begins() {
    let mut call = Call::with(&[1, 2]);
    let seen = call.log.len();
    call.leave(2);
    assert_eq!(call.opcodes_to(1, seen), [24, 21]);
    assert_eq!(call.group.epoch(), 0);
    assert_eq!(call.group.pending().collect::<Vec<_>>(), [1]);
    call.join(3);
    call.assert_whole(&[1, 3], 1);
    assert!(call.notes().iter().any(|note| note.name == "reset"));
}

#[test]
fn any_member_can_win_any_race() {
    for winner in [1, 2, 3] {
        let mut call = Call::with(&[1, 2, 3]);
        call.connect(4);
        // The key package of 4, then three commits, delivered the winner's first.
        let (user, package) = call.to_server.pop_front().unwrap();
        call.serve(user, package);
        assert_eq!(call.to_server.len(), 3);
        let position = call.to_server.iter().position(|(user, _)| *user == winner).unwrap();
        let (user, commit) = call.to_server.remove(position).unwrap();
        call.serve(user, commit);
        call.run();
        call.assert_whole(&[1, 2, 3, 4], 3);
        let notes = call.notes();
        let epochs: Vec<_> = notes.iter().filter(|note| note.name == "epoch").collect();
        assert_eq!(epochs.len(), 3);
        assert_eq!(epochs[2].data["committer"], winner.to_string());
        // One loser of the first race, one of the second, two of the third.
        assert_eq!(notes.iter().filter(|note| note.name == "commit_rejected").count(), 1 + 1 + 2);
    }
}

#[test]
fn the_last_commit_can_be_made_to_win() {
    let settings = GroupSettings { race: Race::Last, ..GroupSettings::default() };
    let mut call = Call::new(settings);
    call.join(1);
    call.join(2);
    call.assert_whole(&[1, 2], 1);
    assert_eq!(call.group.leaves(), [Some(2), Some(1)]);

    // With one commit missing, the deadline decides.
    call.connect(3);
    let (user, package) = call.to_server.pop_front().unwrap();
    call.serve(user, package);
    call.to_server.pop_back();
    call.run();
    assert_eq!(call.group.epoch(), 1);
    assert_eq!(call.group.poll_timeout(), Some(3_000));
    call.pass(2_000);
    call.assert_whole(&[1, 2, 3], 2);
}

#[test]
fn five_pending_at_once() {
    for cut_welcome in [false, true] {
        let mut call = Call::new(GroupSettings { cut_welcome, ..GroupSettings::default() });
        for user in 1..=5 {
            call.connect(user);
        }
        call.run();
        // The first two make the group, the other three are added in one batch.
        call.assert_whole(&[1, 2, 3, 4, 5], 2);
        call.leave(1);
        call.leave(4);
        call.assert_whole(&[2, 3, 5], 4);
        call.join(6);
        call.assert_whole(&[2, 3, 5, 6], 5);
        assert_eq!(call.group.leaves()[0], Some(6));
    }
}

#[test]
fn a_damaged_commit_is_recovered_from() {
    let mut call = Call::with(&[1, 2, 3]);
    call.members.get_mut(&2).unwrap().damage_next = true;
    call.join(4);
    // Epoch 3 is the join; 2 could not follow and is replaced in epoch 4.
    call.assert_whole(&[1, 2, 3, 4], 4);
    let notes = call.notes();
    let recovery = notes.iter().find(|note| note.name == "recovery").unwrap();
    assert_eq!(recovery.data["user_id"], "2");
    let last_round = notes.iter().rfind(|note| note.name == "round").unwrap();
    assert_eq!(
        last_round.data["proposals"],
        serde_json::json!([{ "remove": "2", "leaf": 1 }, { "add": "2" }])
    );
}

#[test]
fn a_damaged_welcome_is_recovered_from() {
    let mut call = Call::with(&[1, 2]);
    call.connect(3);
    call.members.get_mut(&3).unwrap().damage_next = true;
    call.run();
    call.assert_whole(&[1, 2, 3], 3);
}

#[test]
fn both_of_two_members_start_over() {
    let mut call = Call::with(&[1, 2]);
    let out = call.group.handle_invalid_commit_welcome(call.now_ms, 1, 0).unwrap();
    call.deliver(out);
    let out = call.group.handle_invalid_commit_welcome(call.now_ms, 2, 0).unwrap();
    call.deliver(out);
    for user in [1, 2] {
        let sent = call.members.get_mut(&user).unwrap().start_over();
        call.to_server.extend(sent.into_iter().map(|sent| (user, sent)));
    }
    call.run();
    call.assert_whole(&[1, 2], 1);
    assert!(call.notes().iter().any(|note| note.name == "restart"));
}

#[test]
fn a_member_that_never_answers_holds_the_others_two_seconds() {
    let mut call = Call::with(&[1, 2]);
    call.members.get_mut(&2).unwrap().mute = true;
    call.join(3);
    assert!(call.members[&1].executed.is_empty());
    assert_eq!(call.group.poll_timeout(), Some(3_000));
    call.pass(1_999);
    assert!(call.members[&1].executed.is_empty());
    call.pass(1);
    assert_eq!(call.members[&1].executed, [1]);
    call.assert_whole(&[1, 2, 3], 2);
    assert_eq!(call.group.poll_timeout(), None);
}

#[test]
fn without_a_deadline_members_are_switched_before_they_answer() {
    let mut call = Call::with(&[1, 2]);
    call.group.configure(GroupSettings { transition_deadline_ms: 0, ..GroupSettings::default() });
    for member in call.members.values_mut() {
        member.mute = true;
    }
    call.connect(3);
    call.members.get_mut(&3).unwrap().mute = true;
    call.run();
    assert_eq!(call.group.poll_timeout(), Some(1_000));
    call.pass(0);
    assert_eq!(call.members[&1].executed, [1]);
    call.assert_whole(&[1, 2, 3], 2);
}

#[test]
fn a_member_that_leaves_before_it_is_added_is_taken_back() {
    let mut call = Call::with(&[1, 2]);
    call.connect(3);
    let (user, package) = call.to_server.pop_front().unwrap();
    call.serve(user, package); // the Add is out, both have committed
    let seen = call.log.len();
    call.leave(3);
    assert_eq!(call.opcodes_to(1, seen), [27]);
    call.assert_whole(&[1, 2], 1);
    call.join(4);
    call.assert_whole(&[1, 2, 4], 2);
}

#[test]
fn one_of_two_leaves_during_the_initial_race() {
    let mut call = Call::with(&[1]);
    call.connect(2);
    let (user, package) = call.to_server.pop_front().unwrap();
    call.serve(user, package);
    call.leave(2);
    assert_eq!(call.group.epoch(), 0);
    call.join(3);
    call.assert_whole(&[1, 3], 1);
}

#[test]
fn a_member_leaves_while_another_is_being_added() {
    let mut call = Call::with(&[1, 2, 3]);
    call.connect(4);
    let (user, package) = call.to_server.pop_front().unwrap();
    call.serve(user, package);
    call.leave(2);
    call.assert_whole(&[1, 3, 4], 4);
}

#[test]
fn leaving_and_rejoining_before_the_removal_is_committed() {
    let mut call = Call::with(&[1, 2, 3]);
    call.members.remove(&2);
    let out = call.group.handle_leave(call.now_ms, 2).unwrap();
    call.deliver(out);
    call.connect(2);
    call.run();
    call.assert_whole(&[1, 2, 3], 4);
}

#[test]
fn commits_that_must_not_win() {
    let mut call = Call::with(&[1, 2]);
    call.connect(3);
    let (user, package) = call.to_server.pop_front().unwrap();
    call.serve(user, package);
    let Some((1, Sent::CommitWelcome(good))) = call.to_server.pop_front() else { panic!() };
    let commit_length = good.len()
        - commit::CommitWelcome::parse(&good)
            .map_or(0, |p| p.welcome.map_or(0, |(bytes, _)| bytes.len()));
    let patched = |at: usize| {
        let mut bytes = good.clone();
        bytes[at] ^= 1;
        bytes
    };
    call.notes();
    for (bytes, from, reason) in [
        (Vec::new(), 1, Rejection::Malformed),
        (good[..commit_length].to_vec(), 1, Rejection::Welcome),
        (patched(12), 1, Rejection::WrongGroup),
        (patched(20), 1, Rejection::WrongEpoch),
        (patched(25), 1, Rejection::WrongLeaf),
        (good.clone(), 2, Rejection::WrongLeaf),
        (good.clone(), 3, Rejection::NotACommitter),
        (patched(35), 1, Rejection::Coverage),
    ] {
        call.serve(from, Sent::CommitWelcome(bytes));
        let notes = call.notes();
        assert_eq!(notes.len(), 1, "{reason:?}: {notes:?}");
        assert_eq!(notes[0].data["reason"], reason.to_string());
        assert_eq!(call.group.epoch(), 1);
    }
    call.serve(1, Sent::CommitWelcome(good));
    call.run();
    call.assert_whole(&[1, 2, 3], 2);
}

#[test]
fn transition_ids_skip_zero() {
    let mut call = Call::with(&[1, 2]);
    call.group.wrap_transitions();
    call.join(3);
    call.assert_whole(&[1, 2, 3], 2);
    assert_eq!(call.members[&1].executed, [1]);
}

#[test]
fn down_to_transport_encryption_and_up_again() {
    let mut call = Call::with(&[1, 2, 3]);
    let seen = call.log.len();
    let out = call.group.handle_downgrade(call.now_ms);
    call.deliver(out);
    call.run();
    assert_eq!(call.opcodes_to(2, seen), [21, 22]);
    assert_eq!(call.group.protocol_version(), 0);
    let seen = call.log.len();
    let out = call.group.handle_upgrade(call.now_ms);
    // Clients keep the external sender through a downgrade.
    let package = call
        .log
        .iter()
        .find_map(|(_, message)| match message {
            Message::ExternalSender(package) => Some(package.clone()),
            _ => None,
        })
        .unwrap();
    for member in call.members.values_mut() {
        member.dave.set_external_sender(&package).unwrap();
    }
    call.deliver(out);
    call.run();
    let opcodes: BTreeSet<_> = (1..=3).map(|user| call.opcodes_to(user, seen)).collect();
    assert_eq!(opcodes, BTreeSet::from([vec![24, 27, 29, 22], vec![24, 27, 30, 22]]));
    call.assert_whole(&[1, 2, 3], 1);
}
