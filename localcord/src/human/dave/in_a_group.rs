//! Humans' DAVE states in one group of the voice server's, in virtual time and without sockets.

use std::collections::VecDeque;

use super::*;
use crate::voice::dave::{ExternalSender, Group, GroupSettings, Message, Outputs};

const CHANNEL: u64 = 4242;

/// A call in which every message arrives at once and in order.
struct Call {
    group: Group,
    humans: BTreeMap<u64, Dave>,
    now: Instant,
    now_ms: u64,
    /// Damage the next commit or welcome to this user.
    damage: Option<u64>,
    /// Keep opcode 22 back.
    hold_execute: bool,
    held: Outputs,
}

impl Call {
    fn of(users: &[u64]) -> Self {
        let sender = ExternalSender::generate().unwrap();
        let mut call = Self {
            group: Group::new(GroupSettings::default(), CHANNEL, sender),
            humans: BTreeMap::new(),
            now: Instant::now(),
            now_ms: 0,
            damage: None,
            hold_execute: false,
            held: Outputs::new(),
        };
        for user in users {
            call.join(*user);
        }
        call
    }

    fn join(&mut self, user: u64) {
        let mut newcomer = Dave::new(user, CHANNEL).unwrap();
        let present: Vec<u64> = self.humans.keys().copied().collect();
        newcomer.handle_clients_connect(&present);
        newcomer.handle_session_description(1);
        for human in self.humans.values_mut() {
            human.handle_clients_connect(&[user]);
        }
        self.humans.insert(user, newcomer);
        let out = self.group.handle_join(self.now_ms, user);
        self.exchange(out);
    }

    fn leave(&mut self, user: u64) {
        self.humans.remove(&user);
        for human in self.humans.values_mut() {
            human.handle_client_disconnect(user);
        }
        let out = self.group.handle_leave(self.now_ms, user).unwrap();
        self.exchange(out);
    }

    /// Delivers messages and answers until there are no more.
    fn exchange(&mut self, out: Outputs) {
        let mut to_humans: VecDeque<_> = out.into_iter().collect();
        loop {
            while let Some((user, message)) = to_humans.pop_front() {
                self.deliver(user, message);
            }
            let answers: Vec<(u64, Answer)> = self
                .humans
                .iter_mut()
                .flat_map(|(user, dave)| dave.take_answers().into_iter().map(|a| (*user, a)))
                .collect();
            if answers.is_empty() {
                return;
            }
            for (user, answer) in answers {
                to_humans.extend(self.answer(user, &answer));
            }
        }
    }

    fn deliver(&mut self, user: u64, message: Message) {
        if self.hold_execute && message.opcode() == op::DAVE_EXECUTE_TRANSITION {
            self.held.push((user, message));
            return;
        }
        let Some(dave) = self.humans.get_mut(&user) else { return };
        match message {
            Message::PrepareTransition { protocol_version, transition_id } => {
                dave.handle_prepare_transition(self.now, transition_id, protocol_version);
            }
            Message::ExecuteTransition { transition_id } => {
                dave.handle_execute_transition(self.now, transition_id);
            }
            Message::PrepareEpoch { epoch, .. } => dave.handle_prepare_epoch(epoch),
            message => {
                let mut body = message.binary().unwrap();
                let is_transition =
                    [op::DAVE_ANNOUNCE_COMMIT, op::DAVE_WELCOME].contains(&message.opcode());
                if is_transition && self.damage == Some(user) {
                    self.damage = None;
                    *body.last_mut().unwrap() ^= 1;
                }
                dave.handle_binary(self.now, message.opcode(), &body);
            }
        }
    }

    fn answer(&mut self, user: u64, answer: &Answer) -> Outputs {
        let id = |data: &Value| u16::try_from(data["transition_id"].as_u64().unwrap()).unwrap();
        match answer {
            Answer::Json(op::DAVE_TRANSITION_READY, data) => {
                self.group.handle_transition_ready(self.now_ms, user, id(data)).unwrap()
            }
            Answer::Json(op::DAVE_INVALID_COMMIT_WELCOME, data) => {
                self.group.handle_invalid_commit_welcome(self.now_ms, user, id(data)).unwrap()
            }
            Answer::Binary(bytes) if bytes[0] == op::DAVE_KEY_PACKAGE => {
                self.group.handle_key_package(self.now_ms, user, &bytes[1..]).unwrap()
            }
            Answer::Binary(bytes) if bytes[0] == op::DAVE_COMMIT_WELCOME => {
                // A loser's commit may come when the race is over.
                self.group.handle_commit_welcome(self.now_ms, user, &bytes[1..]).unwrap()
            }
            other => panic!("unexpected {other:?}"),
        }
    }

    /// What each of the others makes of a frame from `user`.
    fn speak(&mut self, user: u64, opus: &[u8]) -> Vec<(u64, Result<Vec<u8>, Undecryptable>)> {
        let frame = self.humans.get_mut(&user).unwrap().encrypt(opus).unwrap();
        let now = self.now;
        let others = self.humans.iter_mut().filter(|(other, _)| **other != user);
        others.map(|(other, dave)| (*other, dave.decrypt(now, user, &frame))).collect()
    }

    /// Everybody hears everybody, to the byte.
    #[track_caller]
    fn assert_all_hear_all(&mut self) {
        let users: Vec<u64> = self.humans.keys().copied().collect();
        for user in &users {
            let opus = user.to_le_bytes().repeat(20);
            for (listener, heard) in self.speak(*user, &opus) {
                assert_eq!(heard.as_ref(), Ok(&opus), "{listener} hears {user}");
            }
        }
    }

    fn of_each<T>(&self, what: impl Fn(&Dave) -> T) -> Vec<T> {
        self.humans.values().map(what).collect()
    }
}

#[test]
fn members_come_and_go_and_everybody_hears_everybody() {
    let mut call = Call::of(&[1, 2]);
    call.assert_all_hear_all();
    assert_eq!(call.of_each(Dave::epoch), [Some(1), Some(1)]);
    call.join(3);
    call.assert_all_hear_all();
    call.leave(1);
    call.assert_all_hear_all();
    call.join(1);
    call.assert_all_hear_all();
    assert_eq!(call.of_each(Dave::epoch), [Some(4); 3]);
    assert_eq!(call.of_each(Dave::epochs_seen), [1, 4, 3]);
    assert_eq!(call.of_each(Dave::recoveries), [0; 3]);
    assert_eq!(call.humans[&2].members().collect::<Vec<_>>(), [1, 3]);
}

#[test]
fn until_the_switch_the_old_epoch_is_spoken_and_a_newcomer_cannot_hear_it() {
    let mut call = Call::of(&[1, 2]);
    call.hold_execute = true;
    call.join(3);
    assert_eq!(
        call.speak(1, b"old epoch"),
        [(2, Ok(b"old epoch".to_vec())), (3, Err(Undecryptable::BeforeReady))]
    );
    assert_eq!(call.humans[&3].members().count(), 0);

    // User 1 learns of the switch last: what it sends until then is lost to 3, by design, but
    // only for a while.
    let (first, others): (Outputs, Outputs) =
        std::mem::take(&mut call.held).into_iter().partition(|(user, _)| *user == 1);
    call.hold_execute = false;
    call.exchange(others);
    assert_eq!(call.humans[&3].members().collect::<Vec<_>>(), [1, 2]);
    assert_eq!(call.speak(1, b"late")[1], (3, Err(Undecryptable::BeforeReady)));
    call.now += SWITCH_GRACE + Duration::from_millis(1);
    assert_eq!(call.speak(1, b"too late")[1], (3, Err(Undecryptable::AfterReady)));
    call.exchange(first);
    call.assert_all_hear_all();
}

#[test]
fn after_a_frame_was_heard_every_failure_counts() {
    let mut call = Call::of(&[1, 2]);
    let mut frame = call.humans.get_mut(&1).unwrap().encrypt(b"opus opus opus").unwrap();
    let bob = call.humans.get_mut(&2).unwrap();
    let mut forged = frame.clone();
    forged[0] ^= 1;
    assert_eq!(bob.decrypt(call.now, 1, &forged), Err(Undecryptable::BeforeReady));
    assert_eq!(bob.decrypt(call.now, 1, &frame), Ok(b"opus opus opus".to_vec()));
    assert_eq!(bob.decrypt(call.now, 1, &frame), Err(Undecryptable::AfterReady), "a replay");
    frame.truncate(5);
    assert_eq!(bob.decrypt(call.now, 1, &frame), Err(Undecryptable::AfterReady), "no DAVE frame");
}

#[test]
fn a_damaged_commit_or_welcome_is_repaired() {
    for (damaged, joins) in [(2, 3), (3, 3)] {
        let mut call = Call::of(&[1, 2]);
        call.damage = Some(damaged);
        call.join(joins);
        call.assert_all_hear_all();
        let recoveries: u32 = call.of_each(Dave::recoveries).iter().sum();
        assert_eq!(recoveries, 1, "{damaged} reported it");
    }
}

#[test]
fn the_last_one_forgets_the_group_and_starts_another() {
    let mut call = Call::of(&[1, 2]);
    call.leave(1);
    assert_eq!(call.of_each(Dave::epoch), [None]);
    assert_eq!(call.of_each(Dave::can_send), [false]);
    call.join(1);
    call.assert_all_hear_all();
}

#[test]
fn a_downgrade_speaks_in_the_clear_and_an_upgrade_encrypts_again() {
    let mut call = Call::of(&[1, 2, 3]);
    let out = call.group.handle_downgrade(call.now_ms);
    call.exchange(out);
    assert_eq!(call.of_each(Dave::version), [0; 3]);
    assert_eq!(call.humans.get_mut(&1).unwrap().encrypt(b"clear"), Some(b"clear".to_vec()));
    call.assert_all_hear_all();
    let out = call.group.handle_upgrade(call.now_ms);
    call.exchange(out);
    assert_eq!(call.of_each(Dave::version), [1; 3]);
    assert_ne!(call.humans.get_mut(&1).unwrap().encrypt(b"clear"), Some(b"clear".to_vec()));
    call.assert_all_hear_all();
}
