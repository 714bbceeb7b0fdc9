//! What the agent's history is told of answers.

use super::*;
use crate::conversation::{ConsultPolicy, Mode, Rights};

const QUESTION: &str = "What is the weather in Oslo?";
const ANSWER: &str = "One two three four five six seven eight.";

/// Ada's question is at the agent, by her words.
fn asked() -> Room {
    let mut settings = settings();
    settings.consult_policy = ConsultPolicy::Always;
    settings.rights = Rights::open([ADA].into());
    let mut room = Room::ready(settings);
    room.speak(ADA, 200);
    room.said(0, QUESTION);
    room.run(200);
    room
}

/// The answer to it is exact speech, of which 1.4 s have come.
fn still_coming() -> Room {
    let mut room = asked();
    room.answer(0, ANSWER);
    room.run(1_000);
    room.created(0, "r");
    room.delta(0, "r", "i", 1_400);
    room
}

/// The answer to it is exact speech of four seconds, of which two were heard.
fn half_heard() -> Room {
    let mut room = asked();
    room.answer(0, ANSWER);
    room.run(1_000);
    room.say(0, "r", 4_000);
    room.run(2_000);
    room
}

fn interrupts(room: &mut Room) {
    room.start(ADA);
    room.frame(ADA);
}

#[test]
fn of_an_interrupted_answer_the_agents_history_keeps_what_was_heard() {
    let mut room = half_heard();
    interrupts(&mut room);
    let run = room.asked[0].run;
    assert_eq!(room.told_heard, [(run, "One two three four".to_owned())]);
    room.run(20_000);
    assert_eq!(room.told_heard.len(), 1);
}

#[test]
fn an_answer_that_was_heard_whole_is_not_told_of() {
    let mut room = half_heard();
    room.run(4_000);
    interrupts(&mut room);
    assert_eq!(room.told_heard, []);
}

#[test]
fn an_answer_that_still_comes_is_as_long_as_its_letters() {
    let mut room = still_coming();
    room.run(1_400);
    interrupts(&mut room);
    // 40 letters take 2.67 s; 21 of them were heard.
    assert_eq!(room.told_heard, [(room.asked[0].run, "One two three four".to_owned())]);
}

#[test]
fn our_own_sentences_are_in_no_history() {
    let mut room = asked();
    room.agent(0, AgentEvent::Failed("HTTP 500".into()));
    room.run(1_000);
    room.say(0, "r", 4_000);
    room.run(1_000);
    interrupts(&mut room);
    assert!(room.journal_has("playback stopped reason=barge-in"));
    assert_eq!(room.told_heard, []);
}

#[test]
fn an_answer_that_a_control_took_the_place_of_was_not_heard() {
    let mut room = asked();
    room.said(0, "And what is the time in Lima?");
    room.run(200);
    room.said(0, "Tell me about football as well");
    room.run(200);
    room.answer(0, ANSWER);
    room.run(1_000);
    room.say(0, "r", 4_000);
    room.answer(1, "Noon.");
    room.run(2_000);
    room.said(0, "status");
    room.outcome(0, &ControlOutcome::Refused(clawvoice_session::agent::ControlRefusal::Failed));
    let runs: Vec<_> = room.asked.iter().map(|ask| ask.run).collect();
    assert_eq!(
        room.told_heard,
        [(runs[1], String::new()), (runs[0], "One two three four".to_owned())]
    );
}

#[test]
fn whoever_leaves_has_heard_no_more() {
    let mut room = half_heard();
    room.said(0, "And what is the time in Lima?");
    room.run(200);
    room.answer(1, "Noon.");
    room.told_heard.clear();
    room.talk.close(room.now);
    room.drain();
    let [(first, words), (second, nothing)] = &room.told_heard[..] else {
        panic!("{:?}", room.told_heard)
    };
    assert_eq!((*first, *second), (room.asked[0].run, room.asked[1].run));
    assert!(ANSWER.starts_with(words.as_str()) && words != ANSWER, "{words}");
    assert_eq!(nothing, "");
}

#[test]
fn a_lost_connections_answer_is_heard_as_far_as_it_came() {
    let mut room = still_coming();
    room.run(1_000);
    room.lost(0, &Closed::Lost("reset".into()));
    assert_eq!(room.told_heard, [(room.asked[0].run, "One two three four".to_owned())]);
    room.run(20_000);
    assert_eq!(room.told_heard.len(), 1);
}

#[test]
fn exact_speech_that_is_said_once_more_is_not_told_of() {
    let mut room = asked();
    room.answer(0, ANSWER);
    room.run(1_000);
    room.created(0, "r");
    room.delta(0, "r", "i", 100);
    room.lost(0, &Closed::Lost("reset".into()));
    assert_eq!(room.told_heard, []);
}

/// The front end has called the agent and says the result in its own words.
fn says_a_result() -> Room {
    let mut room = Room::ready(settings());
    room.speak(ADA, 200);
    room.call(0, "c", &json!({"question": QUESTION}));
    room.answer(0, "Rain, then snow.");
    room.created(0, "r");
    room.added(0, "r", "i");
    room.delta(0, "r", "i", 4_000);
    room.answer_words(0, "r", "i", ANSWER);
    room.done(0, "r", "completed");
    room.run(2_000);
    room
}

#[test]
fn of_a_result_in_other_words_the_history_keeps_the_words_that_were_heard() {
    let mut room = says_a_result();
    interrupts(&mut room);
    let [(run, words)] = &room.told_heard[..] else { panic!("{:?}", room.told_heard) };
    assert_eq!(*run, room.asked[0].run);
    assert_eq!(words, "One two three four");
    let mut room = says_a_result();
    room.run(4_000);
    interrupts(&mut room);
    assert_eq!(room.told_heard, [], "it was heard whole");
}

/// The front end answers by itself.
fn answers_itself() -> Room {
    let mut settings = settings();
    settings.mode = Mode::Bidi;
    let mut room = Room::ready(settings);
    room.speak(ADA, 200);
    room.said(0, "Count for me.");
    room.created(0, "r");
    room.added(0, "r", "i");
    room.delta(0, "r", "i", 4_000);
    room.answer_words(0, "r", "i", ANSWER);
    room.done(0, "r", "completed");
    room.run(2_000);
    assert_eq!(room.notes, [], "it is not over");
    room
}

#[test]
fn an_answer_of_the_front_ends_own_is_noted_when_it_is_over() {
    let mut room = answers_itself();
    room.run(2_100);
    assert_eq!(room.notes, [("Count for me.".to_owned(), ANSWER.to_owned())]);
    room.run(20_000);
    assert_eq!(room.notes.len(), 1);
}

#[test]
fn of_an_interrupted_one_what_was_heard_is_noted() {
    let mut room = answers_itself();
    interrupts(&mut room);
    let heard = [("Count for me.".to_owned(), "One two three four".to_owned())];
    assert_eq!(room.notes, heard);
    room.run(20_000);
    assert_eq!(room.notes, heard);
}

#[test]
fn leaving_in_its_middle_notes_what_was_heard() {
    let mut room = answers_itself();
    room.talk.close(room.now);
    room.drain();
    assert_eq!(room.notes, [("Count for me.".to_owned(), "One two three four".to_owned())]);
}
