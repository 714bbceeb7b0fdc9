//! The call in DAVE groups with other members: joins, leaves, late and damaged messages, frames
//! that come before their key or their sender's name.
#![allow(clippy::unwrap_used, reason = "test code")]

mod room;

use clawvoice_session::UserId;
use clawvoice_voice::call::{Attribution, CallEvent, Plan};
use room::{ANN, BOB, BOT, Room, SPEECH};
use serde_json::json;

/// The call, Ann, and Bob in one group at epoch 2, transition 5 executed; leaf 0, 1, 2.
fn three() -> (Room, room::Human, room::Human) {
    three_in(Room::new())
}

fn three_in(mut room: Room) -> (Room, room::Human, room::Human) {
    let mut ann = room.human(ANN);
    room.first_group(&mut ann);
    let mut bob = room.human(BOB);
    room.introduce(&bob);
    let add = room.server.add(1, &bob.dave.create_key_package().unwrap());
    let made = room.commit_of(&mut ann, &[add]);
    room.announce(5, &made.commit);
    ann.dave.process_commit(&made.commit).unwrap();
    bob.dave.process_welcome(&made.welcome.unwrap(), Some(&[BOT, ANN, BOB])).unwrap();
    for human in [&mut ann, &mut bob] {
        human.dave.prepare_transition(5, 1).unwrap();
        human.dave.execute_transition(5).unwrap();
    }
    room.execute(5);
    room.texts.clear();
    room.events.clear();
    (room, ann, bob)
}

#[test]
fn the_initial_group_is_in_force_at_once() {
    let mut room = Room::new();
    let mut ann = room.human(ANN);
    assert!(!room.call.can_send());
    room.first_group(&mut ann);
    assert_eq!(room.ready_for(), [0u64; 0], "transition 0 is not answered");
    let ready = CallEvent::EpochReady { epoch: 1, dave_version: 1, transition: 0 };
    assert!(room.events.contains(&ready), "{:?}", room.events);
    for _ in 0..300 {
        room.say(&mut ann); // the nonce grows past one byte
        room.run_for(20);
    }
    assert_eq!(room.ear.take(), [ANN; 300]);
    assert!(room.is_heard_by(&mut ann));
    let total = room.call.stats().total;
    assert_eq!((total.delivered, total.held, total.undecryptable), (300, 0, 0));
}

#[test]
fn a_welcome_brings_the_call_into_somebody_elses_group() {
    let mut room = Room::new();
    let mut ann = room.human(ANN);
    room.introduce(&ann);
    let to_ann = room.server.add(0, &room.key_package);
    let made = room.commit_of(&mut ann, std::slice::from_ref(&to_ann));
    assert!(room.commit.take().is_none(), "its own Add is nothing to commit to");
    // The winner's commit is not for a member that it adds; the welcome is.
    room.announce(0, &made.commit);
    assert!(room.texts.is_empty(), "no op 31: {:?}", room.texts);
    room.welcome(0, &made.welcome.unwrap());
    ann.dave.process_commit(&made.commit).unwrap();
    ann.dave.prepare_transition(0, 1).unwrap();
    room.say(&mut ann);
    assert_eq!(room.ear.take(), [ANN]);
    assert!(room.is_heard_by(&mut ann));
}

#[test]
fn a_third_joins_while_two_talk() {
    let mut room = Room::new();
    let mut ann = room.human(ANN);
    room.first_group(&mut ann);
    room.texts.clear();
    let mut bob = room.human(BOB);
    room.introduce(&bob);
    let add = room.server.add(1, &bob.dave.create_key_package().unwrap());
    let made = room.commit_of(&mut ann, &[add]);
    assert!(room.commit.take().is_some(), "every member commits");
    room.say(&mut ann);
    room.announce(5, &made.commit);
    assert_eq!(room.ready_for(), [5]);
    room.announce(5, &made.commit);
    assert!(room.texts.is_empty(), "a repeated commit changes nothing");
    // Between prepare and execute everybody still sends with the old keys.
    room.say(&mut ann);
    assert!(room.is_heard_by(&mut ann));
    ann.dave.process_commit(&made.commit).unwrap();
    bob.dave.process_welcome(&made.welcome.unwrap(), Some(&[BOT, ANN, BOB])).unwrap();
    for human in [&mut ann, &mut bob] {
        human.dave.prepare_transition(5, 1).unwrap();
    }
    let old = room.own_frame();
    assert!(bob.dave.decrypt(BOT, davey::MediaType::AUDIO, &old).is_err(), "the key of epoch 1");
    assert!(ann.dave.decrypt(BOT, davey::MediaType::AUDIO, &old).is_ok());
    // Members execute at different moments; both keys are good meanwhile.
    ann.dave.execute_transition(5).unwrap();
    room.say(&mut ann);
    room.execute(5);
    bob.dave.execute_transition(5).unwrap();
    room.say(&mut bob);
    room.say(&mut ann);
    assert!(room.is_heard_by(&mut ann) && room.is_heard_by(&mut bob));
    assert_eq!(room.ear.take(), [ANN, ANN, ANN, BOB, ANN]);
    let stats = room.call.stats();
    assert_eq!((stats.total.held, stats.total.undecryptable, stats.total.concealed), (0, 0, 0));
    assert_eq!(stats.gateway.epochs, 2);
}

#[test]
fn one_leaves_and_is_heard_to_the_last_packet() {
    let (mut room, mut ann, mut bob) = three();
    let frame = bob.frame();
    let mut last_words = room.packet(&mut bob, &frame);
    room.text(json!({"op": 13, "d": {"user_id": BOB.to_string()}}));
    room.receive(&mut last_words);
    assert_eq!(room.ear.take(), [BOB]);
    let remove = room.server.remove(2, 2);
    room.propose(std::slice::from_ref(&remove));
    let (commit, welcome) = room.commit.take().expect("the call commits");
    assert!(welcome.is_none());
    ann.dave
        .process_proposals(davey::ProposalsOperationType::APPEND, &room::batch(&[remove]), None)
        .unwrap();
    room.announce(6, &commit);
    assert_eq!(room.ready_for(), [6]);
    ann.dave.process_commit(&commit).unwrap();
    ann.dave.prepare_transition(6, 1).unwrap();
    ann.dave.execute_transition(6).unwrap();
    room.execute(6);
    room.say(&mut ann);
    assert_eq!(room.ear.take(), [ANN]);
    assert!(room.is_heard_by(&mut ann));
    assert!(!room.is_heard_by(&mut bob), "who left does not hear on");
    room.run_for(1_000);
    assert_eq!(room.ear.speaking, [(BOB, true), (ANN, true), (ANN, false), (BOB, false)]);
}

#[test]
fn the_sole_member_starts_over_and_is_joined_again() {
    let (mut room, _, _) = three();
    let package = room.key_package.clone();
    room.text(json!({"op": 24, "d": {"protocol_version": 1, "epoch": 1}}));
    assert_ne!(room.key_package, package);
    room.text(json!({"op": 21, "d": {"protocol_version": 1, "transition_id": 0}}));
    assert!(!room.call.can_send(), "nobody to speak to");
    let mut ann = room.human(ANN);
    room.first_group(&mut ann);
    let mut again = room.packet(&mut ann, &SPEECH); // so that numbers go on
    room.receive(&mut again);
    room.ear.take();
    room.say(&mut ann);
    assert_eq!(room.ear.take(), [ANN]);
    assert!(room.is_heard_by(&mut ann));
}

#[test]
fn frames_that_overtake_their_key_are_held_and_heard_in_order() {
    let (mut room, mut ann, mut bob) = three();
    room.say(&mut bob);
    let remove = room.server.remove(2, 2);
    let made = room.commit_of(&mut ann, &[remove]);
    ann.dave.process_commit(&made.commit).unwrap();
    ann.dave.prepare_transition(6, 1).unwrap();
    room.say(&mut ann);
    ann.dave.execute_transition(6).unwrap();
    // Ann already sends in epoch 3; the call's websocket is slow.
    let ahead: Vec<_> = (0..5).map(|_| ann.frame()).collect();
    let mut packets: Vec<_> = ahead.iter().map(|frame| room.packet(&mut ann, frame)).collect();
    packets.swap(1, 2);
    for packet in &mut packets {
        room.receive(packet);
    }
    let mut silence = room.packet(&mut ann, &clawvoice_voice::wire::rtp::SILENCE);
    room.receive(&mut silence);
    assert_eq!(room.ear.take(), [BOB, ANN]);
    room.run_for(500);
    room.announce(6, &made.commit);
    assert_eq!(room.ear.take(), [ANN; 6], "five frames and the fade into silence");
    let total = room.call.stats().total;
    assert_eq!((total.held, total.recovered, total.delivered), (5, 5, 7));
    assert_eq!((total.undecryptable, total.late, total.concealed), (0, 0, 0));
    assert!(room.events.iter().all(|event| !matches!(event, CallEvent::DecryptFailure { .. })));
}

#[test]
fn a_sender_nobody_named_is_found_by_the_key() {
    let (mut room, mut ann, mut bob) = three();
    for human in [&mut ann, &mut bob] {
        // Both come back, and their op 5 never does.
        room.text(json!({"op": 13, "d": {"user_id": human.id.to_string()}}));
        room.text(json!({"op": 11, "d": {"user_ids": [human.id.to_string()]}}));
        human.ssrc += 50;
    }
    room.say(&mut bob);
    room.say(&mut ann);
    room.say(&mut bob);
    assert_eq!(room.ear.take(), [BOB, ANN, BOB]);
    assert_eq!(room.ear.speaking, [(BOB, true), (ANN, true)]);
    // Silence and plaintext fit anybody, so they name nobody.
    ann.ssrc += 50;
    let mut silence = room.packet(&mut ann, &clawvoice_voice::wire::rtp::SILENCE);
    room.receive(&mut silence);
    let mut plain = room.packet(&mut ann, &SPEECH);
    room.receive(&mut plain);
    assert_eq!(room.ear.take(), [0u64; 0]);
    assert_eq!(room.call.packets_in_flight(), 1);
}

#[test]
fn a_copied_frame_takes_nobodys_stream_away() {
    let (mut room, mut ann, _) = three();
    room.say(&mut ann);
    let frame = ann.frame();
    let ssrc = std::mem::replace(&mut ann.ssrc, 9_999);
    let sequence = ann.sequence;
    let mut copy = room.packet(&mut ann, &frame);
    (ann.ssrc, ann.sequence) = (ssrc, sequence);
    let mut original = room.packet(&mut ann, &frame);
    // The copy overtakes: the frame's nonce is still unused.
    room.receive(&mut copy);
    assert_eq!(room.ear.take(), [ANN], "what was said before");
    room.receive(&mut original);
    for _ in 0..50 {
        room.run_for(20);
        room.say(&mut ann);
    }
    assert_eq!(room.ear.take(), [ANN; 51]);
    room.run_for(2_000);
    let stats = room.call.stats();
    assert_eq!(stats.total.unknown_sender, 1, "the copy is nobody's");
    assert_eq!((stats.total.concealed, stats.total.fec, stats.total.undecryptable), (0, 0, 0));
    assert_eq!(stats.speakers[&UserId::new(ANN)].received, 52);
    assert_eq!(room.ear.speaking, [(ANN, true), (ANN, false)]);
}

/// Op 5.
fn named(room: &mut Room, user: u64, ssrc: u32) {
    room.text(json!({"op": 5, "d": {"user_id": user.to_string(), "ssrc": ssrc, "speaking": 1}}));
}

fn attributions(room: &mut Room) -> Vec<(u64, Attribution)> {
    std::mem::take(&mut room.ear.attributions)
}

#[test]
fn a_speaking_event_that_the_keys_contradict_moves_no_speech() {
    let (mut room, mut ann, mut bob) = three();
    room.say(&mut ann);
    room.say(&mut bob);
    assert_eq!(
        attributions(&mut room),
        [(ANN, Attribution::Confirmed), (BOB, Attribution::Confirmed)]
    );
    let ssrc = ann.ssrc;
    named(&mut room, BOB, ssrc);
    let contradicted =
        CallEvent::SpeakingContradicted { ssrc, named: UserId::new(BOB), by_key: UserId::new(ANN) };
    assert_eq!(room.events, [contradicted]);
    room.say(&mut ann);
    room.say(&mut bob);
    assert_eq!(room.ear.take(), [ANN, BOB, ANN, BOB], "each is heard as the one whose key opens");
    assert_eq!(attributions(&mut room), [(ANN, Attribution::Disputed)], "and Ann has no rights");
    named(&mut room, ANN, ssrc);
    room.say(&mut ann);
    assert_eq!(attributions(&mut room), [(ANN, Attribution::Confirmed)]);
    let stats = room.call.stats();
    assert_eq!(stats.gateway.speaking_contradicted, 1);
    assert_eq!((stats.total.undecryptable, stats.total.held), (0, 0));
}

#[test]
fn plaintext_of_a_disputed_stream_is_heard_only_where_there_is_nothing_else() {
    let (mut room, mut ann, _) = three();
    room.say(&mut ann);
    let ssrc = ann.ssrc;
    named(&mut room, BOB, ssrc);
    room.text(json!({"op": 21, "d": {"protocol_version": 0, "transition_id": 7}}));
    room.say(&mut ann);
    let mut plain = room.packet(&mut ann, &SPEECH);
    room.receive(&mut plain);
    assert_eq!(room.ear.take(), [ANN; 2], "either of them could have sent it");
    room.execute(7);
    attributions(&mut room);
    room.run_for(500);
    let mut plain = room.packet(&mut ann, &SPEECH);
    room.receive(&mut plain);
    assert_eq!(room.ear.take(), [ANN]);
    assert_eq!(attributions(&mut room), [(ANN, Attribution::Disputed)]);
}

#[test]
fn whoever_is_named_wrongly_from_the_start_is_heard_by_the_key() {
    let (mut room, mut ann, _) = three();
    let wrong = 4_000;
    named(&mut room, BOB, wrong);
    ann.ssrc = wrong;
    for _ in 0..3 {
        room.say(&mut ann);
    }
    assert_eq!(room.ear.take(), [ANN; 3]);
    assert_eq!(attributions(&mut room), [(ANN, Attribution::Disputed)]);
    let stats = room.call.stats();
    assert_eq!(stats.gateway.speaking_contradicted, 1);
    assert_eq!(stats.speakers[&UserId::new(ANN)].received, 3);
    assert_eq!(stats.speakers[&UserId::new(BOB)].received, 0);
}

/// Every member can derive every key. Bob speaks with Ann's on the SSRC that is his.
#[test]
fn a_member_alone_cannot_take_anothers_rights() {
    let (mut room, mut ann, mut bob) = three();
    // Of a stream that both witnesses confirmed as Bob's nothing is heard as Ann's.
    room.say(&mut bob);
    let forged = ann.frame();
    let mut packet = room.packet(&mut bob, &forged);
    room.receive(&mut packet);
    assert_eq!(room.ear.take(), [BOB]);
    room.run_for(5_000);
    assert_eq!(room.call.stats().total.undecryptable, 1);
    // From the first packet on: it is heard under the key's name, and disputed.
    named(&mut room, BOB, 4_000);
    bob.ssrc = 4_000;
    let forged = ann.frame();
    let mut packet = room.packet(&mut bob, &forged);
    attributions(&mut room);
    room.receive(&mut packet);
    assert_eq!(attributions(&mut room), [(ANN, Attribution::Disputed)]);
    // Before the server has named anybody it is nobody's word but the key's.
    bob.ssrc = 5_000;
    room.run_for(1_000);
    let forged = ann.frame();
    let mut packet = room.packet(&mut bob, &forged);
    room.receive(&mut packet);
    assert_eq!(attributions(&mut room), [(ANN, Attribution::ByKey)]);
    named(&mut room, BOB, 5_000);
    let forged = ann.frame();
    let mut packet = room.packet(&mut bob, &forged);
    room.receive(&mut packet);
    assert_eq!(attributions(&mut room), [(ANN, Attribution::Disputed)]);
    // And his own word under it is his again.
    room.say(&mut bob);
    assert_eq!(attributions(&mut room), [(BOB, Attribution::Confirmed)]);
}

#[test]
fn an_ssrc_that_changes_without_a_word_is_followed_by_the_key() {
    let (mut room, mut ann, _) = three();
    room.say(&mut ann);
    let (old, sequence) = (ann.ssrc, ann.sequence);
    room.run_for(600);
    ann.ssrc += 70;
    for _ in 0..3 {
        room.say(&mut ann);
    }
    assert_eq!(room.ear.take(), [ANN; 4]);
    assert_eq!(attributions(&mut room), [(ANN, Attribution::Confirmed), (ANN, Attribution::ByKey)]);
    // A wrong word about a foreign SSRC takes her nothing.
    named(&mut room, ANN, 9_999);
    room.say(&mut ann);
    room.run_for(1_000);
    room.say(&mut ann);
    assert_eq!(room.ear.take(), [ANN; 2]);
    // And she may come back under the old one.
    room.run_for(600);
    (ann.ssrc, ann.sequence) = (old, sequence);
    room.say(&mut ann);
    assert_eq!(room.ear.take(), [ANN]);
    assert_eq!(room.call.stats().total.undecryptable, 0);
}

/// Ann and Bob in a group of their own at epoch 1, and a commit of Ann's that adds the call.
fn invited() -> (Room, Vec<u8>) {
    let mut room = Room::new();
    let (mut ann, mut bob) = (room.human(ANN), room.human(BOB));
    room.introduce(&ann);
    room.introduce(&bob);
    let append = davey::ProposalsOperationType::APPEND;
    let add = room.server.add(0, &bob.dave.create_key_package().unwrap());
    let made = ann.dave.process_proposals(append, &room::batch(&[add]), None).unwrap().unwrap();
    ann.dave.process_commit(&made.commit).unwrap();
    let add = room.server.add(1, &room.key_package);
    let made = ann.dave.process_proposals(append, &room::batch(&[add]), None).unwrap().unwrap();
    (room, made.welcome.unwrap())
}

#[test]
fn a_welcome_may_have_somebody_who_left_just_now() {
    let leave = json!({"op": 13, "d": {"user_id": BOB.to_string()}});
    let (mut room, welcome) = invited();
    room.text(leave.clone());
    room.run_for(9_999);
    room.welcome(6, &welcome);
    assert_eq!(room.ready_for(), [6], "Bob's Remove is the next commit");

    let (mut room, welcome) = invited();
    room.text(leave);
    room.run_for(10_000);
    room.texts.clear();
    room.welcome(6, &welcome);
    assert_eq!(room.texts, [json!({"op": 31, "d": {"transition_id": 6}})], "long gone");
}

#[test]
fn an_ssrc_that_changes_in_mid_word_loses_nothing() {
    let (mut room, mut ann, _) = three();
    room.say(&mut ann);
    room.ear.take();
    // Until her old stream is out of use, a frame under another SSRC could be a copy.
    ann.ssrc += 70;
    for _ in 0..40 {
        room.run_for(20);
        room.say(&mut ann);
    }
    assert_eq!(room.ear.take(), [ANN; 40]);
    let total = room.call.stats().total;
    assert_eq!((total.undecryptable, total.pre_join, total.concealed), (0, 0, 0));
    assert!(total.recovered > 20, "{total:?}");
}

#[test]
fn the_last_words_under_an_ssrc_nobody_named_are_heard_late_and_not_lost() {
    let (mut room, mut ann, _) = three();
    room.say(&mut ann);
    ann.ssrc += 70;
    for _ in 0..4 {
        room.run_for(20);
        room.say(&mut ann);
    }
    assert_eq!(room.ear.take(), [ANN], "it could be a copy of what she says elsewhere");
    room.run_for(419);
    assert_eq!(room.ear.take(), [0u64; 0]);
    room.run_for(1);
    assert_eq!(room.ear.take(), [ANN; 4], "500 ms after her last word under the old one");
}

#[test]
fn words_between_two_changes_of_the_ssrc_are_not_lost() {
    let (mut room, mut ann, _) = three();
    room.say(&mut ann);
    for _ in 0..2 {
        ann.ssrc += 70;
        for _ in 0..4 {
            room.run_for(20);
            room.say(&mut ann);
        }
    }
    // Named under the last one, she speaks on.
    let ssrc = ann.ssrc;
    named(&mut room, ANN, ssrc);
    for _ in 0..50 {
        room.run_for(20);
        room.say(&mut ann);
    }
    assert_eq!(room.ear.take(), [ANN; 59]);
}

#[test]
fn whoever_comes_back_at_once_is_found_by_the_key_at_once() {
    let (mut room, mut ann, _) = three();
    room.say(&mut ann);
    room.text(json!({"op": 13, "d": {"user_id": ANN.to_string()}}));
    room.text(json!({"op": 11, "d": {"user_ids": [ANN.to_string()]}}));
    ann.ssrc += 70;
    room.say(&mut ann);
    assert_eq!(room.ear.take(), [ANN; 2]);
}

#[test]
fn plaintext_that_waited_for_a_name_is_heard_before_the_frame_that_names_it() {
    let (mut room, mut ann, _) = three();
    room.run_for(1_000);
    room.text(json!({"op": 21, "d": {"protocol_version": 0, "transition_id": 7}}));
    ann.ssrc += 50;
    let plain: Vec<_> = (0..3).map(|_| room.packet(&mut ann, &SPEECH)).collect();
    for mut packet in plain.into_iter().rev() {
        room.receive(&mut packet);
    }
    assert_eq!(room.ear.take(), [0u64; 0], "plaintext is evidence of nobody");
    room.say(&mut ann);
    assert_eq!(room.ear.take(), [ANN; 4]);
    assert_eq!((room.call.stats().total.delivered, room.call.stats().total.late), (4, 0));
}

#[test]
fn plaintext_that_overtook_the_frame_that_names_it_is_heard_after_it() {
    let (mut room, mut ann, _) = three();
    room.run_for(1_000);
    room.text(json!({"op": 21, "d": {"protocol_version": 0, "transition_id": 7}}));
    ann.ssrc += 50;
    let frame = ann.frame();
    let mut encrypted = room.packet(&mut ann, &frame);
    let mut plain = room.packet(&mut ann, &SPEECH);
    room.receive(&mut plain);
    room.receive(&mut encrypted);
    room.run_for(20);
    let mut next = room.packet(&mut ann, &SPEECH);
    room.receive(&mut next);
    assert_eq!(room.ear.take(), [ANN; 3]);
    assert_eq!(room.call.stats().total.unknown_sender, 0);
}

#[test]
fn proposals_wait_for_the_announcement_of_their_user() {
    let mut room = Room::new();
    let mut ann = room.human(ANN);
    let add = room.server.add(0, &ann.dave.create_key_package().unwrap());
    room.propose(std::slice::from_ref(&add));
    assert!(room.commit.is_none(), "nobody announced Ann");
    room.text(json!({"op": 11, "d": {"user_ids": [BOB.to_string()]}}));
    assert!(room.commit.is_none());
    room.text(json!({"op": 11, "d": {"user_ids": [ANN.to_string()]}}));
    let (commit, _) = room.commit.take().expect("now the call commits");
    room.propose(&[add]);
    assert!(room.commit.is_none(), "once");
    room.announce(0, &commit);
    assert!(room.call.can_send());
}

#[test]
fn an_unusable_commit_or_welcome_is_reported_and_the_call_is_added_anew() {
    let (mut room, mut ann, mut bob) = three();
    let package = room.key_package.clone();
    let remove = room.server.remove(2, 2);
    let made = room.commit_of(&mut ann, &[remove]);
    let mut damaged = made.commit.clone();
    let last = damaged.len() - 1;
    damaged[last] ^= 1;
    room.announce(8, &damaged);
    assert_eq!(room.texts, [json!({"op": 31, "d": {"transition_id": 8}})]);
    assert!(room.events.contains(&CallEvent::GroupRecovery { transition: 8 }));
    assert_ne!(room.key_package, package, "a new key package");
    room.say(&mut bob);
    assert_eq!(room.ear.take(), [BOB], "the keys in use are kept");

    // The server removes the call's old leaf and adds its new one.
    ann.dave.process_commit(&made.commit).unwrap();
    let proposals = [room.server.remove(3, 0), room.server.add(3, &room.key_package)];
    let made = ann
        .dave
        .process_proposals(davey::ProposalsOperationType::APPEND, &room::batch(&proposals), None)
        .unwrap()
        .unwrap();
    ann.dave.process_commit(&made.commit).unwrap();
    let mut damaged = made.welcome.clone().unwrap();
    let last = damaged.len() - 1;
    damaged[last] ^= 1;
    room.texts.clear();
    room.welcome(0, &damaged);
    assert_eq!(room.texts, [json!({"op": 31, "d": {"transition_id": 0}})], "id 0 counts too");
    assert_eq!(room.call.stats().gateway.recoveries, 2);
}

#[test]
fn the_tolerance_decides_when_a_group_counts_as_diverged() {
    for (tolerance, recoveries) in [(10, 1), (39, 1), (40, 0), (500, 0)] {
        let (mut room, mut ann, _) = three_in(Room::tolerating(tolerance));
        room.run_for(5_000);
        let mut stranger = Room::new();
        let mut other_ann = stranger.human(ANN);
        stranger.first_group(&mut other_ann);
        for _ in 0..40 {
            let frame = other_ann.frame();
            let mut packet = room.packet(&mut ann, &frame);
            room.receive(&mut packet);
            room.run_for(20);
        }
        room.run_for(3_000);
        assert_eq!(room.call.stats().gateway.recoveries, recoveries, "tolerance {tolerance}");
    }
}

#[test]
fn a_diverged_group_is_repaired_once_and_not_for_a_few_frames() {
    let (mut room, mut ann, _) = three();
    room.run_for(5_000);
    // Frames that look right and open with no key: Ann encrypts in an epoch of her own.
    let mut stranger = Room::new();
    let mut other_ann = stranger.human(ANN);
    stranger.first_group(&mut other_ann);
    for _ in 0..24 {
        let frame = other_ann.frame();
        let mut packet = room.packet(&mut ann, &frame);
        room.receive(&mut packet);
        room.run_for(20);
    }
    assert!(room.texts.is_empty(), "{:?}", room.texts);
    for _ in 0..50 {
        let frame = other_ann.frame();
        let mut packet = room.packet(&mut ann, &frame);
        room.receive(&mut packet);
        room.run_for(20);
    }
    assert_eq!(room.texts, [json!({"op": 31, "d": {"transition_id": 5}})]);
    assert_eq!(room.ear.take(), [0u64; 0]);
    room.run_for(3_000);
    let total = room.call.stats().total;
    assert_eq!(total.held, 74);
    assert_eq!(total.received, total.explained());
    assert!(room.events.iter().any(|event| {
        matches!(event, CallEvent::DecryptFailure { user, consecutive: 1 } if user.get() == ANN)
    }));
}

#[test]
fn a_group_that_stays_diverged_is_left_after_it_was_repaired_in_place() {
    let (mut room, mut ann, _) = three();
    room.run_for(40_000);
    let mut stranger = Room::new();
    let mut other_ann = stranger.human(ANN);
    stranger.first_group(&mut other_ann);
    room.events.clear();
    let mut frames = 0;
    while !room.events.iter().any(|event| matches!(event, CallEvent::Ended(_))) {
        let frame = other_ann.frame();
        let mut packet = room.packet(&mut ann, &frame);
        room.receive(&mut packet);
        room.run_for(20);
        frames += 1;
        assert!(frames < 1_000, "{:?}", room.events);
    }
    let failure = |consecutive| CallEvent::DecryptFailure { user: UserId::new(ANN), consecutive };
    let [repaired, first, second, third, rejoin, CallEvent::Ended(end)] = &room.events[..] else {
        panic!("{:?}", room.events)
    };
    assert_eq!(*repaired, CallEvent::GroupRecovery { transition: 5 });
    assert_eq!([first, second, third], [&failure(1), &failure(51), &failure(101)]);
    assert_eq!(*rejoin, CallEvent::RepeatedDecryptFailures);
    assert_eq!(end.next(), Plan::Rejoin);
    assert_eq!(room.texts.len(), 1, "one op 31: {:?}", room.texts);
}

#[test]
fn a_first_group_whose_commit_was_damaged_is_asked_for_again() {
    let mut room = Room::new();
    let mut ann = room.human(ANN);
    room.introduce(&ann);
    let add = room.server.add(0, &ann.dave.create_key_package().unwrap());
    room.propose(&[add]);
    let (mut commit, welcome) = room.commit.take().unwrap();
    ann.dave.process_welcome(&welcome.unwrap(), None).unwrap();
    ann.dave.prepare_transition(0, 1).unwrap();
    let last = commit.len() - 1;
    commit[last] ^= 1;
    room.announce(0, &commit);
    assert!(room.texts.is_empty(), "it looks like one for others: {:?}", room.texts);
    let mut frames = 0;
    while room.texts.is_empty() {
        room.say(&mut ann);
        room.run_for(20);
        frames += 1;
        assert!(frames < 200, "deaf for 4 s");
    }
    assert_eq!(room.texts, [json!({"op": 31, "d": {"transition_id": 0}})]);
}

#[test]
fn an_upgrade_whose_commit_was_damaged_is_asked_for_again() {
    let (mut room, mut ann, _) = three();
    room.text(json!({"op": 21, "d": {"protocol_version": 0, "transition_id": 7}}));
    room.execute(7);
    room.text(json!({"op": 24, "d": {"protocol_version": 1, "epoch": 1}}));
    ann.dave = room.human(ANN).dave;
    let add = room.server.add(0, &ann.dave.create_key_package().unwrap());
    room.propose(&[add]);
    let (mut commit, welcome) = room.commit.take().unwrap();
    ann.dave.process_welcome(&welcome.unwrap(), None).unwrap();
    ann.dave.prepare_transition(9, 1).unwrap();
    ann.dave.execute_transition(9).unwrap();
    let last = commit.len() - 1;
    commit[last] ^= 1;
    room.announce(9, &commit);
    room.execute(9);
    room.texts.clear();
    for _ in 0..200 {
        room.say(&mut ann);
        room.run_for(20);
    }
    assert_eq!(room.texts, [json!({"op": 31, "d": {"transition_id": 7}})], "deaf for 4 s");
}

#[test]
fn a_transition_that_is_never_executed_holds_up_recovery_for_10_s() {
    let (mut room, mut ann, _) = three();
    room.text(json!({"op": 21, "d": {"protocol_version": 1, "transition_id": 7}}));
    assert_eq!(room.ready_for(), [7]);
    let mut stranger = Room::new();
    let mut other_ann = stranger.human(ANN);
    stranger.first_group(&mut other_ann);
    for _ in 0..499 {
        let frame = other_ann.frame();
        let mut packet = room.packet(&mut ann, &frame);
        room.receive(&mut packet);
        room.run_for(20);
    }
    assert!(room.texts.is_empty(), "the keys may still be on their way: {:?}", room.texts);
    room.run_for(20);
    let frame = other_ann.frame();
    let mut packet = room.packet(&mut ann, &frame);
    room.receive(&mut packet);
    assert_eq!(room.texts, [json!({"op": 31, "d": {"transition_id": 7}})]);
}

#[test]
fn no_recovery_is_asked_of_a_server_that_cannot_be_reached() {
    let (mut room, mut ann, _) = three();
    room.run_for(5_000);
    room.call.handle_gateway_closed(room.now, None);
    room.drain();
    let mut stranger = Room::new();
    let mut other_ann = stranger.human(ANN);
    stranger.first_group(&mut other_ann);
    for _ in 0..90 {
        let frame = other_ann.frame();
        let mut packet = room.packet(&mut ann, &frame);
        room.receive(&mut packet);
    }
    assert!(room.texts.is_empty(), "{:?}", room.texts);
    room.call.handle_gateway_opened(room.now);
    room.drain();
    room.texts.clear(); // op 7
    room.text(json!({"op": 9, "d": null}));
    let frame = other_ann.frame();
    let mut packet = room.packet(&mut ann, &frame);
    room.receive(&mut packet);
    assert_eq!(room.texts, [json!({"op": 31, "d": {"transition_id": 5}})]);
}

#[test]
fn frames_from_before_we_joined_are_no_failures() {
    let mut room = Room::new();
    let mut ann = room.human(ANN);
    room.introduce(&ann);
    // Ann is in a group with somebody else already.
    let mut before = Room::new();
    let mut early_ann = before.human(ANN);
    before.first_group(&mut early_ann);
    for _ in 0..10 {
        let frame = early_ann.frame();
        let mut packet = room.packet(&mut ann, &frame);
        room.receive(&mut packet);
        room.run_for(20);
    }
    let add = room.server.add(0, &ann.dave.create_key_package().unwrap());
    room.propose(&[add]);
    let (commit, welcome) = room.commit.take().unwrap();
    room.announce(0, &commit);
    ann.dave.process_welcome(&welcome.unwrap(), None).unwrap();
    ann.dave.prepare_transition(0, 1).unwrap();
    room.say(&mut ann);
    assert_eq!(room.ear.take(), [ANN]);
    let total = room.call.stats().total;
    assert_eq!((total.pre_join, total.undecryptable, total.delivered), (10, 0, 1));
    assert!(room.events.iter().all(|event| !matches!(event, CallEvent::DecryptFailure { .. })));
}

#[test]
fn down_to_plaintext_and_up_again() {
    let (mut room, mut ann, _) = three();
    room.text(json!({"op": 21, "d": {"protocol_version": 0, "transition_id": 7}}));
    assert_eq!(room.ready_for(), [7]);
    assert_ne!(room.own_frame().len(), 0);
    room.say(&mut ann);
    let mut plain = room.packet(&mut ann, &SPEECH);
    room.receive(&mut plain);
    room.execute(7);
    let own = room.own_frame();
    assert!(clawvoice_voice::wire::dave::check(&own).is_none(), "plaintext");
    room.say(&mut ann); // the last encrypted frame on the way
    assert_eq!(room.ear.take(), [ANN; 3]);

    room.text(json!({"op": 24, "d": {"protocol_version": 1, "epoch": 1}}));
    assert!(room.call.can_send(), "in plaintext until the new group is in force");
    let mut ann = {
        let ssrc = ann.ssrc;
        let mut fresh = room.human(ANN);
        fresh.ssrc = ssrc + 9;
        fresh
    };
    room.introduce(&ann);
    let add = room.server.add(0, &ann.dave.create_key_package().unwrap());
    room.propose(&[add]);
    let (commit, welcome) = room.commit.take().unwrap();
    room.announce(9, &commit);
    assert_eq!(room.ready_for(), [9]);
    ann.dave.process_welcome(&welcome.unwrap(), None).unwrap();
    ann.dave.prepare_transition(9, 1).unwrap();
    ann.dave.execute_transition(9).unwrap();
    assert!(clawvoice_voice::wire::dave::check(&room.own_frame()).is_none());
    room.execute(9);
    assert!(room.is_heard_by(&mut ann));
    room.say(&mut ann);
    let mut plain = room.packet(&mut ann, &SPEECH);
    room.receive(&mut plain);
    assert_eq!(room.ear.take(), [ANN; 2], "plaintext is still taken for 10 s");
    room.run_for(10_000);
    let mut plain = room.packet(&mut ann, &SPEECH);
    room.receive(&mut plain);
    assert_eq!(room.ear.take(), [0u64; 0]);
    assert_eq!(room.call.stats().total.plaintext_refused, 1);
}
