//! Interruption with `bargeIn: true`, and leaving.

use super::*;

fn barge_in() -> BatchSettings {
    BatchSettings { barge_in: true, ..settings() }
}

#[test]
fn provider_scenario_47_an_interruption_in_sentence_2_leaves_only_heard_words_in_the_history() {
    let mut room = Room::answering(barge_in());
    room.audio(1, 800, 2);
    let run = room.asks[0].run;
    let session = room.asks[0].session.clone();
    // All of the first sentence, and half of the second, of which the length is not known yet:
    // 13 letters, taken for 867 ms.
    room.run(1_440);
    assert_eq!(room.heard.len(), 72);
    room.start(BOB);
    room.frame(BOB);
    assert_eq!(
        room.requests,
        [
            AgentRequest::Cancel { session: session.clone(), run },
            AgentRequest::Heard { session, run, text: "One is red. Two is".into() },
        ],
        "the run is stopped, and its history holds what was heard"
    );
    let (second, third) = (room.speeches[1].0, room.speeches[2].0);
    assert_eq!(room.cancelled, [second, third], "both syntheses are given up");
    room.run(200);
    assert_eq!(room.heard.len(), 73, "one frame fades out, and no more");
    // What comes late of it is not said.
    room.writes("Four is late.");
    room.answers("One is red. Two is green. Three is blue. Four is late.");
    room.audio(1, 500, 2);
    room.stop(BOB);
    room.run(2_500);
    assert_eq!((room.heard.len(), room.speeches.len()), (73, 3));
    assert_eq!(room.segments.len(), 1, "20 ms are no words");
    let lines: Vec<&str> = room
        .journal
        .iter()
        .filter(|line| line.contains("barge-in"))
        .map(|line| line.split(" guild").next().unwrap())
        .collect();
    assert_eq!(
        lines,
        [
            "realtime barge-in detected source=speaker-start",
            "realtime barge-in requested reason=speaker-start",
            "playback done",
        ]
    );
}

#[test]
fn provider_scenario_47_an_answer_that_was_complete_is_cut_in_the_history_too() {
    let mut room = Room::answering(barge_in());
    room.answers("One is red. Two is green. Three is blue. And that is all.");
    room.run(700);
    room.start(BOB);
    let run = room.asks[0].run;
    let session = room.asks[0].session.clone();
    assert_eq!(
        room.requests,
        [AgentRequest::Heard { session, run, text: "One is".into() }],
        "the run is over: there is nothing to cancel"
    );
}

#[test]
fn an_interruption_before_the_minimum_is_echo() {
    let mut room = Room::answering(barge_in());
    room.run(240);
    assert_eq!(room.heard.len(), 12);
    room.speak(BOB, 100);
    room.run(700);
    assert_eq!(room.heard.len(), 50, "it plays on");
    assert!(room.requests.is_empty());
    assert_eq!(room.talk.stats().barge_ins_skipped, 1);
    let mut room = Room::answering(BatchSettings { min_barge_in_audio_end_ms: 0, ..barge_in() });
    room.run(40);
    room.start(BOB);
    room.run(1_000);
    assert_eq!(room.heard.len(), 3, "one more, which fades out");
}

#[test]
fn an_open_microphone_interrupts_with_its_next_talkspurt() {
    let mut room = Room::new(barge_in());
    room.say(ADA, "Tell me.");
    room.start(BOB);
    room.frame(BOB);
    room.writes("One is red. Two");
    room.audio(0, 2_000, 1);
    room.run(40);
    room.frame(BOB);
    room.run(500);
    room.frame(BOB);
    assert!(room.requests.is_empty(), "judged once, when too little had been heard");
    room.stop(BOB);
    room.start(BOB);
    room.frame(BOB);
    assert_eq!(room.requests.len(), 2);
    assert_eq!(room.count("realtime barge-in detected source=active-speaker-audio"), 2);
}

#[test]
fn the_next_answer_waits_for_whoever_interrupted_but_three_seconds_at_most() {
    let mut room = Room::answering(barge_in());
    room.say(BOB, "Stop.");
    let _ = room.asks.len();
    let mut room = Room::answering(barge_in());
    room.run(600);
    let heard = room.heard.len();
    room.start(BOB);
    room.talk.say_notice(room.now, "A notice.");
    room.talk.settle(room.now);
    room.drain();
    let notice = room.speeches.len() - 1;
    room.audio(notice, 400, 5);
    room.ended(notice);
    room.run(2_980);
    assert_eq!(room.heard.len(), heard + 1, "one more, which fades out");
    room.run(40);
    assert!(room.heard.len() > heard + 1);
}

#[test]
fn voice_scenario_49_leaving_during_synthesis_cancels_it_and_nothing_plays() {
    let mut room = Room::new(settings());
    room.say(ADA, "Tell me.");
    room.answers("One is red. Two is green.");
    room.speak(BOB, 400);
    room.audio(0, 200, 1);
    room.talk.close(room.now);
    room.drain();
    assert_eq!(room.cancelled, [room.speeches[0].0, room.speeches[1].0]);
    // What was under way reports all the same.
    room.audio(0, 1_000, 1);
    room.ended(0);
    room.answers("Late.");
    assert!(!room.talk.wants_frame());
    assert_eq!(room.talk.poll_timeout(), None);
    room.run(5_000);
    assert!(room.heard.is_empty());
    assert_eq!((room.segments.len(), room.speeches.len()), (1, 2), "Bob's segment is gone");
}

#[test]
fn voice_scenario_49_leaving_in_mid_answer_stops_at_once() {
    let mut room = Room::answering(settings());
    room.run(600);
    let heard = room.heard.len();
    room.talk.close(room.now);
    room.drain();
    room.run(2_000);
    assert_eq!(room.heard.len(), heard);
    assert_eq!(room.count("playback done guild=1 channel=2 reason=session-close"), 1);
    assert!(room.requests.is_empty(), "the run goes on, and with it its text");
}

#[test]
fn of_an_answer_that_was_being_said_when_the_bot_left_the_history_keeps_what_was_heard() {
    let mut room = Room::answering(settings());
    room.answers("One is red. Two is green. Three is blue. And that is all.");
    room.run(600);
    room.talk.close(room.now);
    room.drain();
    let (run, session) = (room.asks[0].run, room.asks[0].session.clone());
    assert_eq!(room.requests, [AgentRequest::Heard { session, run, text: "One is".into() }]);
}
