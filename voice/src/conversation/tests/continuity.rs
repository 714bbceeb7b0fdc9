//! One conversation over many connections: what is carried over, and when a connection is replaced.

use super::*;
use crate::conversation::TurnEnd;

const MINUTE: u64 = 60_000;

fn lost() -> Closed {
    Closed::Lost("reset by peer".into())
}

/// Ada has asked and been answered on lane 0; the answer was heard.
fn answered() -> Room {
    answered_with(settings())
}

fn answered_with(settings: ConversationSettings) -> Room {
    let mut room = Room::ready(settings);
    room.speak(ADA, 200);
    room.committed(0, "u1");
    room.created(0, "r1");
    room.added(0, "r1", "a1");
    room.delta(0, "r1", "a1", 1_000);
    room.words(0, "u1", "What time is it?");
    room.answer_words(0, "r1", "a1", "It is noon.");
    room.done(0, "r1", "completed");
    room.run(3_000);
    room.configure(1);
    room.sent.clear();
    room.journal.clear();
    room.appended.clear();
    room
}

fn reconnected(room: &mut Room) -> u32 {
    let known = room.opened.len();
    for _ in 0..40_000 {
        if room.opened.len() > known {
            break;
        }
        room.run(1);
    }
    let lane = room.opened[known];
    room.configure(lane);
    lane
}

#[test]
fn provider_scenario_18_a_drop_in_mid_answer_replays_what_was_said_and_heard_once() {
    let mut room = answered();
    room.speak(ADA, 200);
    room.committed(0, "u2");
    room.words(0, "u2", "And the weather?");
    room.created(0, "r2");
    room.added(0, "r2", "a2");
    room.delta(0, "r2", "a2", 2_000);
    room.server(
        0,
        &json!({"type": "response.output_audio_transcript.delta", "response_id": "r2",
                "item_id": "a2", "delta": "It will be sunny all day and rather warm, they say."}),
    );
    room.run(600);
    room.heard.clear();
    room.lost(0, &lost());
    assert!(room.journal_has("an answer is lost"), "{:#?}", room.journal);
    let lane = reconnected(&mut room);
    assert_eq!(
        room.told(lane),
        [
            "user: What time is it?",
            "assistant: It is noon.",
            "user: And the weather?",
            // Two seconds of it came, and play out; the rest of the words was never spoken.
            "assistant: It will be sunny all day and…",
        ]
    );
    assert!(room.given(lane).is_empty(), "an answered turn is not said again");
    let after_configuration: Vec<_> = room.sent.iter().filter(|(of, _)| *of == lane).collect();
    assert_eq!(after_configuration[0].1["type"], "session.update");
    room.run(2_000);
    assert_eq!(room.heard.len(), 70, "what had come plays out");

    room.lost(lane, &lost());
    let lane = reconnected(&mut room);
    assert_eq!(room.told(lane).len(), 4, "and again not twice");
}

#[test]
fn provider_scenario_18_an_interrupted_answer_is_replayed_as_far_as_it_was_heard() {
    let mut room = answered();
    room.speak(ADA, 200);
    room.committed(0, "u2");
    room.words(0, "u2", "Tell me a story.");
    room.created(0, "r2");
    room.added(0, "r2", "a2");
    room.delta(0, "r2", "a2", 8_000);
    room.answer_words(0, "r2", "a2", "Once upon a time there was a king who had three daughters");
    room.done(0, "r2", "completed");
    room.run(2_000);
    room.speak(ADA, 200);
    room.lost(0, &lost());
    let lane = reconnected(&mut room);
    assert_eq!(room.told(lane).last().unwrap(), "assistant: Once upon a…");
}

#[test]
fn provider_scenario_20_speech_around_an_expiry_reaches_the_next_session_once() {
    let mut room = answered();
    room.run(2 * MINUTE);
    room.start(ADA);
    let own = 0;
    for _ in 0..10 {
        room.frame(ADA);
        room.run(20);
    }
    assert_eq!(room.given(own).len(), 10 * 480);
    room.lost(own, &Closed::Frame { code: 1001, reason: String::new() });
    let lane = *room.opened.last().unwrap();
    assert_ne!(lane, own, "a new session at once");
    for _ in 0..10 {
        room.frame(ADA);
        room.run(20);
    }
    assert!(room.given(lane).is_empty());
    room.configure(lane);
    assert_eq!(room.given(lane), [700; 20 * 480], "before and since, each once");
    assert_eq!(room.told(lane), ["user: What time is it?", "assistant: It is noon."]);
    assert_eq!(room.count("realtime error"), 0, "nothing is wrong");
}

#[test]
fn provider_scenario_20_a_session_that_expires_as_soon_as_it_is_made_is_a_failure() {
    let mut room = Room::ready(settings());
    room.lost(0, &Closed::Frame { code: 1001, reason: String::new() });
    assert_eq!(room.opened, [0]);
    assert_eq!(room.count("realtime error"), 1);
}

#[test]
fn provider_scenario_21_a_rotation_is_due_after_55_minutes() {
    let mut room = Room::ready(settings());
    room.run(55 * MINUTE - 1);
    assert!(room.closed.is_empty());
    room.run(1);
    assert_eq!(
        (room.closed.as_slice(), room.opened.as_slice()),
        ([0].as_slice(), [0, 1].as_slice())
    );
    assert!(room.journal_has("realtime lifecycle client:session.rotate"));
    assert_eq!(room.count("realtime error"), 0);
}

#[test]
fn provider_scenario_21_a_rotation_waits_for_the_answer_to_be_done_and_heard() {
    let rotate_after = Duration::from_secs(60);
    let mut room = answered_with(ConversationSettings { rotate_after, ..settings() });
    room.run(60_000 - room.now.as_millis() - 1_000);
    room.speak(ADA, 200);
    room.committed(0, "u2");
    room.created(0, "r2");
    room.delta(0, "r2", "a2", 2_000);
    room.run(5_000);
    assert!(room.now > SessionTime::from_millis(60_000));
    assert!(!room.closed.contains(&0), "it is still answering");
    room.delta(0, "r2", "a2", 2_000);
    room.done(0, "r2", "completed");
    room.run(1_000);
    assert!(!room.closed.contains(&0), "it is still heard");
    room.run(2_000);
    assert!(room.closed.contains(&0));
    let lane = *room.opened.last().unwrap();
    room.configure(lane);
    assert_eq!(room.told(lane), ["user: What time is it?", "assistant: It is noon."]);
}

#[test]
fn provider_scenario_21_a_rotation_has_a_hard_limit() {
    let mut room = Room::ready(ConversationSettings {
        rotate_after: Duration::from_secs(2),
        session_limit: Duration::from_secs(4),
        ..settings()
    });
    room.start(ADA);
    room.configure(1);
    for _ in 0..4 * 50 - 1 {
        room.frame(ADA);
        room.run(20);
    }
    assert!(!room.closed.contains(&0), "in mid-word");
    room.run(20);
    assert!(room.closed.contains(&0));
    let lane = room.talk.slots[0].lane.number();
    room.configure(lane);
    assert!(!room.given(lane).is_empty(), "and goes on in mid-word");
}

#[test]
fn a_provider_that_says_goodbye_is_left_when_idle_and_before_it_goes() {
    for (is_answering, after_ms) in [(false, 0), (true, 8_000)] {
        let mut room = answered();
        if is_answering {
            room.created(0, "r2");
        }
        room.closed.clear();
        let slot = &mut room.talk.slots[0];
        assert_eq!(slot.lane.number(), 0);
        let left = Duration::from_secs(10);
        let go_away = crate::realtime::ServerEvent::GoAway { time_left: Some(left) };
        room.talk.remember(room.now, 0, &go_away);
        if after_ms > 0 {
            room.run(after_ms - 1);
            assert!(room.closed.is_empty());
        }
        room.run(1);
        assert_eq!(room.closed, [0]);
    }
}

#[test]
fn words_in_flight_at_the_drop_are_said_again_and_their_end_with_them() {
    for turn_end in [TurnEnd::ProviderVad, TurnEnd::Own] {
        let mut room = Room::ready(ConversationSettings { turn_end, ..settings() });
        room.speak(ADA, 200);
        room.run(100);
        room.lost(0, &lost());
        let lane = reconnected(&mut room);
        room.run(2_000);
        let given = room.given(lane);
        assert_eq!(given.iter().filter(|sample| **sample == 700).count(), 200 * 24);
        let silence = given.iter().rev().take_while(|sample| **sample == 0).count();
        let trailing = room.talk.settings.trailing_silence() as usize;
        assert!(silence >= trailing, "{silence} of {trailing}");
        let commits = room
            .sent
            .iter()
            .filter(|(of, event)| *of == lane && event["type"] == "input_audio_buffer.commit");
        assert_eq!(commits.count(), usize::from(turn_end == TurnEnd::Own));
    }
}

#[test]
fn a_turn_that_was_understood_is_not_said_again() {
    let mut room = Room::ready(settings());
    room.speak(ADA, 200);
    room.committed(0, "u1");
    room.words(0, "u1", "Hello.");
    room.lost(0, &lost());
    let lane = reconnected(&mut room);
    room.run(1_000);
    assert!(!room.given(lane).contains(&700));
    assert_eq!(room.told(lane), ["user: Hello."]);
}

#[test]
fn words_that_wait_are_committed_however_often_the_connection_fails() {
    let own = ConversationSettings { turn_end: TurnEnd::Own, ..settings() };
    let mut room = Room::ready(own);
    room.start(ADA);
    room.lost(0, &lost());
    room.speak(ADA, 200);
    room.run(1_000);
    let lane = *room.opened.last().unwrap();
    room.lost(lane, &lost());
    let lane = reconnected(&mut room);
    let commits =
        room.sent.iter().filter(|(_, event)| event["type"] == "input_audio_buffer.commit");
    assert_eq!(commits.count(), 1);
    assert!(room.given(lane).contains(&700));
}

#[test]
fn a_speaker_who_comes_back_after_their_connection_was_closed_is_remembered() {
    let mut room = answered();
    room.run(6 * MINUTE);
    assert_eq!(room.closed, [0]);
    room.start(BOB);
    assert!(room.told(1).is_empty(), "what Ada said is not handed to Bob");
    let spare = *room.opened.last().unwrap();
    room.configure(spare);
    room.start(ADA);
    assert_eq!(room.told(spare), ["user: What time is it?", "assistant: It is noon."]);
}

#[test]
fn a_connection_that_never_holds_is_given_up_though_it_gets_ready() {
    let mut room = Room::ready(settings());
    room.lost(0, &lost());
    for _ in 0..5 {
        let lane = reconnected(&mut room);
        room.run(59_000);
        room.lost(lane, &lost());
    }
    assert!(room.failed.is_some());

    let mut room = Room::ready(settings());
    for _ in 0..10 {
        let lane = *room.opened.last().unwrap();
        room.run(60_000);
        room.lost(lane, &lost());
        reconnected(&mut room);
    }
    assert_eq!(room.failed, None);
}

#[test]
fn provider_scenario_43_a_late_or_missing_transcript_changes_nothing_but_the_words() {
    let mut room = Room::ready(settings());
    room.speak(ADA, 200);
    room.configure(1);
    room.committed(0, "u1");
    room.created(0, "r1");
    room.delta(0, "r1", "a1", 1_000);
    room.answer_words(0, "r1", "a1", "It is noon.");
    room.done(0, "r1", "completed");
    room.run(10_000);
    room.words(0, "u1", "What time is it?");
    room.words(0, "u1", "What time is it?");
    assert_eq!(
        room.transcripts,
        [(Some(ADA), "It is noon.".to_owned()), (Some(ADA), "What time is it?".to_owned())]
    );
    room.speak(ADA, 200);
    room.committed(0, "u2");
    room.server(
        0,
        &json!({"type": "conversation.item.input_audio_transcription.failed", "item_id": "u2",
                "error": {"type": "transcription_error", "message": "no"}}),
    );
    room.created(0, "r2");
    room.delta(0, "r2", "a2", 1_000);
    assert!(room.tick(), "the conversation goes on");
    assert_eq!((room.failed.as_deref(), room.closed.len()), (None, 0));
    room.lost(0, &lost());
    let lane = reconnected(&mut room);
    assert_eq!(room.told(lane), ["user: What time is it?", "assistant: It is noon."]);
}

#[test]
fn provider_scenario_50_eight_hours_with_rotations_leave_nothing_behind() {
    let mut room = Room::ready(settings());
    room.start(ADA);
    room.configure(1);
    let mut turn = 0;
    while room.now < SessionTime::from_millis(8 * 60 * MINUTE) {
        let slot = room.talk.slots.iter().find(|slot| slot.user == Some(ADA)).unwrap();
        let lane = slot.lane.number();
        turn += 1;
        let (user, response, item) = (format!("u{turn}"), format!("r{turn}"), format!("a{turn}"));
        room.speak(ADA, 100);
        room.committed(lane, &user);
        room.words(lane, &user, "What time is it by now, and will it rain?");
        room.created(lane, &response);
        room.added(lane, &response, &item);
        room.delta(lane, &response, &item, 600);
        room.answer_words(lane, &response, &item, "It is later than before.");
        if turn % 7 == 0 {
            room.lost(lane, &lost());
        } else {
            room.done(lane, &response, "completed");
        }
        for _ in 0..59 {
            room.run(1_000);
            room.configure_all();
        }
        room.appended.clear();
        room.sent.clear();
        room.journal.clear();
        room.heard.clear();
        room.transcripts.clear();
    }
    assert!(turn > 400);
    let stats = room.talk.stats();
    assert!(stats.reconnects > 60, "{stats:?}");
    assert_eq!(room.failed, None);
    assert_eq!(room.talk.slots.len(), 2, "a speaker's and the spare");
    for slot in &mut room.talk.slots {
        assert!(slot.responses.is_empty());
        assert!(slot.unanswered.take(room.now).is_empty());
        assert!(slot.say_again.is_empty());
        assert!(slot.history.replay().len() <= 40);
    }
    assert!(room.talk.turns.is_empty());
    assert!(room.talk.playback.head().is_none());
    assert!(room.talk.histories.is_empty() && room.talk.frames.is_empty());
    let (next, _) = room.talk.poll_timeout().unwrap();
    assert!(next > room.now, "no timer is left behind");
}
