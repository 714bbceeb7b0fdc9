//! From words to the agent, and from its text to sound.

use clawvoice_session::agent::{Control, ControlRefusal, RunActivity, ToolScope};

use super::*;

#[test]
fn a_turn_tells_the_agent_who_spoke_and_how_to_answer() {
    let mut room = Room::new(BatchSettings {
        model: Some("openai/gpt-5.5".into()),
        instructions: Some("Be kind.".into()),
        ..settings()
    });
    room.say(ADA, " What time is it? ");
    let ask = &room.asks[0];
    let instructions = ask.instructions.as_deref().unwrap_or_default();
    assert!(instructions.starts_with("Be kind.\n\nReturn only text to be spoken."));
    assert_eq!(ask.message, "Voice transcript from speaker \"Ada\":\nWhat time is it?");
    assert_eq!((ask.by.user, ask.by.label.as_str(), ask.by.owner), (ADA, "Ada", true));
    assert_eq!(ask.session.as_str(), "agent:main:discord:channel:2");
    assert_eq!((ask.surface, &ask.tools), ("discord-voice", &ToolScope::OfSpeaker.into()));
    assert_eq!(ask.model.as_deref(), Some("openai/gpt-5.5"));
    let start = room.journal.iter().find(|line| line.starts_with("agent turn start")).unwrap();
    assert_eq!(
        start,
        "agent turn start guild=1 channel=2 voiceSession=agent:main:discord:channel:2 \
         supervisorSession=agent:main:discord:channel:2 agent=main user=11 speaker=Ada owner=true \
         model=openai/gpt-5.5 preview=\"What time is it?\""
    );
    assert!(room.journal.contains(&"transcript from Ada (11): What time is it?".to_owned()));
}

#[test]
fn the_first_sentence_is_said_while_the_agent_still_writes() {
    let mut room = Room::new(settings());
    room.say(ADA, "Tell me.");
    room.writes("One is red. ");
    assert!(room.speeches.is_empty(), "what follows may belong to it");
    room.writes("Two");
    assert_eq!(room.texts(), ["One is red."]);
    room.audio(0, 600, 7);
    room.run(40);
    assert_eq!(room.heard, [7, 7]);
    room.writes(" is green.");
    room.answers("One is red. Two is green.");
    assert_eq!(room.texts(), ["One is red.", "Two is green."], "nothing is said twice");
    assert_eq!(room.transcripts.last().unwrap().1, "One is red. Two is green.");
}

#[test]
fn synthesis_is_one_request_ahead_of_what_plays() {
    let mut room = Room::new(settings());
    room.say(ADA, "Tell me.");
    room.answers("One is red. Two is green. Three is blue. Four is grey.");
    assert_eq!(room.texts(), ["One is red.", "Two is green."]);
    room.audio(0, 1_000, 1);
    room.ended(0);
    room.audio(1, 1_000, 2);
    room.ended(1);
    assert_eq!(room.speeches.len(), 2, "two seconds are waiting to be heard");
    room.run(1_000);
    assert_eq!(room.heard.len(), 50);
    assert_eq!(room.texts()[2..], ["Three is blue."], "when the first was heard to its end");
    room.audio(2, 1_000, 3);
    room.ended(2);
    room.run(1_000);
    room.audio(3, 1_000, 4);
    room.ended(3);
    room.run(3_000);
    let seconds: Vec<i16> = room.heard.iter().step_by(50).copied().collect();
    assert_eq!((seconds, room.heard.len()), (vec![1, 2, 3, 4], 200));
    assert_eq!(room.count("playback done guild=1 channel=2 reason=player-idle"), 1);
}

#[test]
fn a_sentence_that_is_ready_early_waits_for_the_one_before_it() {
    let mut room = Room::new(settings());
    room.say(ADA, "Tell me.");
    room.answers("One is red. Two is green.");
    room.audio(1, 400, 2);
    room.ended(1);
    room.run(1_000);
    assert!(room.heard.is_empty());
    room.audio(0, 400, 1);
    room.ended(0);
    room.run(1_000);
    assert_eq!(room.heard, [vec![1; 20], vec![2; 20]].concat());
}

#[test]
fn a_sentence_that_fails_is_tried_again_once_and_then_left_out() {
    let mut room = Room::new(settings());
    room.say(ADA, "Tell me.");
    room.answers("One is red. Two is green.");
    room.speech_failed(0, true);
    assert_eq!(room.texts(), ["One is red.", "Two is green.", "One is red."]);
    assert_ne!(room.speeches[0].1, room.speeches[1].1);
    room.speech_failed(2, true);
    room.audio(1, 400, 2);
    room.ended(1);
    room.run(1_000);
    assert_eq!(room.heard, [2; 20]);
    assert_eq!((room.count("TTS failed"), room.talk.stats().syntheses_failed), (2, 1));
}

#[test]
fn an_empty_answer_is_silence_and_logged() {
    let mut room = Room::new(settings());
    for answer in ["", "[[reply_to_current]] 👍", "\n"] {
        room.say(ADA, "Hm.");
        room.answers(answer);
        room.run(1_000);
    }
    assert!(room.speeches.is_empty());
    assert_eq!(room.count("agent turn produced no speakable payloads"), 3);
    assert_eq!(room.count("reply empty"), 3);
    assert_eq!(room.transcripts.len(), 3, "those of the speaker alone");
    room.say(ADA, "Hello?");
    room.answers("Ada: Here I am. 🙂");
    assert_eq!(room.texts(), ["Here I am."]);
}

#[test]
fn turns_wait_for_each_other_and_answers_play_in_order() {
    let mut room = Room::new(settings());
    room.say(ADA, "First question.");
    room.say(BOB, "Second question.");
    assert_eq!(room.asked(), ["First question."]);
    room.answers("First answer.");
    assert_eq!(room.asked(), ["First question.", "Second question."]);
    room.answers("Second answer.");
    room.audio(1, 400, 2);
    room.ended(1);
    room.run(100);
    room.audio(0, 400, 1);
    room.ended(0);
    room.run(2_000);
    assert_eq!(room.texts(), ["First answer.", "Second answer."]);
    assert_eq!(room.heard.len(), 40);
}

#[test]
fn a_short_sentence_does_not_wait_for_the_rest_of_the_answer() {
    let mut room = Room::new(settings());
    room.say(ADA, "Could you look?");
    room.writes("Sure thing. And");
    room.audio(0, 300, 1);
    room.run(80);
    assert!(room.heard.is_empty(), "the rest of it may be late");
    room.ended(0);
    room.run(3_000);
    assert_eq!(room.heard.len(), 15);
    // Half a minute later the agent goes on.
    room.run(30_000);
    room.writes(" there it is. Fine");
    room.audio(1, 300, 2);
    room.ended(1);
    room.run(400);
    assert_eq!(room.heard.len(), 30);
    assert_eq!(room.count("playback start"), 2);
}

#[test]
fn a_failed_run_is_told_to_the_room() {
    let mut room = Room::new(settings());
    room.say(ADA, "What time is it?");
    let run = room.asks[0].run;
    room.report(run, AgentEvent::Failed("no endpoint".into()));
    assert_eq!(room.texts(), ["I hit an error while checking that. Please try again."]);
    assert_eq!(room.count("agent turn failed"), 1);
    room.report(run, AgentEvent::Text("late".into()));
    assert_eq!(room.talk.stats().late, 1);
}

#[test]
fn a_refused_run_is_told_in_its_own_words() {
    let mut room = Room::new(settings());
    room.say(ADA, "What time is it?");
    room.report(room.asks[0].run, AgentEvent::Refused("My budget is used up.".into()));
    assert_eq!(room.texts(), ["My budget is used up."]);
    assert_eq!(room.count("agent turn failed"), 1);
}

#[test]
fn an_answer_is_read_out_up_to_its_sixtieth_sentence() {
    let mut room = Room::new(settings());
    room.say(ADA, "Recite.");
    let long: String = (0..70).map(|n| format!("This is line {n}. ")).collect();
    room.answers(&long);
    for n in 0..60 {
        room.audio(n, 100, 1);
        room.ended(n);
        room.run(600);
    }
    assert_eq!((room.speeches.len(), room.heard.len()), (60, 300));
    assert_eq!(room.count("reply too long to read out"), 1);
}

#[test]
fn words_about_an_active_run_control_it() {
    for (text, control, outcome, spoken) in [
        (
            "What are you doing?",
            Control::Status,
            ControlOutcome::Status(RunActivity::Model),
            "OpenClaw is waiting on the model for the current voice request.",
        ),
        (
            "cancel that",
            Control::Cancel,
            ControlOutcome::Done,
            "Cancelled the active OpenClaw run.",
        ),
        (
            "use the smaller fix",
            Control::Steer("use the smaller fix".into()),
            ControlOutcome::Refused(ControlRefusal::Compacting),
            "OpenClaw is compacting the active run and cannot accept voice steering yet.",
        ),
    ] {
        let mut room = Room::new(settings());
        room.say(ADA, "How warm is it outside?");
        room.say(BOB, text);
        let [AgentRequest::Control { control: asked, .. }] = &room.requests[..] else {
            panic!("{:?}", room.requests);
        };
        assert_eq!(*asked, control);
        room.outcome(&outcome);
        assert_eq!(room.texts(), [spoken]);
        assert_eq!(room.asks.len(), 1, "no new run");
        assert_eq!(room.count("realtime active-run control handled"), 1);
    }
}

#[test]
fn a_notice_is_no_third_synthesis_at_a_time() {
    let mut room = Room::new(settings());
    room.say(ADA, "Tell me.");
    room.writes("One is red. Two is green. Three");
    room.say(BOB, "status");
    room.outcome(&ControlOutcome::Done);
    assert_eq!(room.texts(), ["One is red.", "Two is green."]);
    room.speech_failed(1, false);
    let notice = "OpenClaw is working on the current voice request.";
    assert_eq!(room.texts(), ["One is red.", "Two is green.", notice]);
}

#[test]
fn without_an_active_run_the_same_words_are_a_turn() {
    let mut room = Room::new(settings());
    room.say(ADA, "cancel that");
    assert!(room.asks.is_empty());
    room.speak(BOB, 400);
    room.run(2_500);
    room.transcribed("And another thing.");
    assert!(room.asks.is_empty(), "what came later waits for it");
    room.outcome(&ControlOutcome::NoActiveRun);
    assert_eq!(room.asked(), ["cancel that"]);
    room.answers("");
    assert_eq!(room.asked(), ["cancel that", "And another thing."]);
}

#[test]
fn a_lost_outcome_and_a_lost_run_hold_nobody_up_for_ever() {
    let mut room = Room::new(settings());
    room.say(ADA, "cancel that");
    room.run(9_999);
    assert!(room.asks.is_empty());
    room.run(1);
    assert_eq!(room.asked(), ["cancel that"]);
    room.run(15 * 60 * 1_000 - 1);
    assert_eq!(room.texts(), ["Still working on that."]);
    room.run(1);
    assert_eq!(room.texts()[1..], ["I hit an error while checking that. Please try again."]);
    let session = room.asks[0].session.clone();
    let cancel = AgentRequest::Cancel { session, run: room.asks[0].run };
    assert_eq!(room.requests.last(), Some(&cancel));
    room.say(BOB, "And now?");
    assert_eq!(room.asks.len(), 2);
}

#[test]
fn a_cancelled_run_says_nothing_more() {
    let mut room = Room::answering(settings());
    room.audio(1, 300, 2);
    let run = room.asks[0].run;
    room.report(run, AgentEvent::Cancelled);
    room.run(3_000);
    assert!(room.heard.is_empty(), "nothing of it had been heard");
    assert_eq!(room.cancelled, [room.speeches[1].0]);
    assert!(room.requests.is_empty(), "so there is nothing to tell of it either");
    room.say(BOB, "Go on.");
    assert_eq!(room.asks.len(), 2);
}

#[test]
fn whoever_waits_long_is_told_once_that_the_agent_is_still_at_it() {
    let mut room = Room::new(settings());
    room.say(ADA, "Tell me.");
    room.run(11_980);
    assert!(room.speeches.is_empty());
    room.run(20);
    assert_eq!(room.texts(), ["Still working on that."]);
    room.audio(0, 400, 1);
    room.ended(0);
    room.run(30_000);
    assert_eq!((room.texts().len(), room.heard.len()), (1, 20), "once");
    room.answers("Forty-two.");
    assert_eq!(room.texts()[1..], ["Forty-two."]);
    room.audio(1, 400, 2);
    room.ended(1);
    room.run(1_000);
    room.say(ADA, "And now?");
    room.run(12_000);
    assert_eq!(room.texts()[2..], ["Still working on that."], "once a question");
}

#[test]
fn an_answer_that_has_begun_is_progress_enough() {
    let mut room = Room::new(settings());
    room.say(ADA, "Tell me.");
    room.run(11_000);
    room.writes("One is");
    room.run(20_000);
    assert!(room.speeches.is_empty());
}

#[test]
fn an_outcome_that_the_room_was_told_a_moment_ago_is_not_told_again() {
    let mut room = Room::new(settings());
    room.say(ADA, "Tell me.");
    for _ in 0..2 {
        room.say(ADA, "Status");
        room.outcome(&ControlOutcome::Status(RunActivity::Working));
    }
    assert_eq!(room.texts(), ["OpenClaw is working on the current voice request."]);
    assert_eq!(room.count("realtime active-run control handled mode=status"), 2);
    room.say(ADA, "Status");
    room.outcome(&ControlOutcome::Status(RunActivity::Working));
    assert_eq!(room.texts().len(), 2, "after five seconds it is news");
}
