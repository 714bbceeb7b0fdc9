//! Consults, exact speech and run control.

use std::sync::Arc;

use clawvoice_session::{
    RoleId,
    access::{self, AccessRules, GuildAccess, People},
    agent::{ControlRefusal, ToolScope},
};

use super::*;
use crate::{
    call::Attribution,
    conversation::{ConsultPolicy, Mode, Rights, ToolPolicy},
};

const QUESTION: &str = "What is the weather in Oslo?";

fn proxy() -> ConversationSettings {
    let mut settings = settings();
    settings.consult_policy = ConsultPolicy::Always;
    settings.rights = Rights::open([ADA].into());
    settings
}

/// Ada has lane 0, has said her question, and 200 ms have passed.
fn asked() -> Room {
    let mut room = Room::ready(proxy());
    room.speak(ADA, 200);
    room.said(0, QUESTION);
    room.run(200);
    room
}

#[test]
fn voice_scenario_23_agent_proxy_leaves_the_answer_to_the_agent() {
    let mut room = Room::new(proxy());
    assert!(
        room.journal_has(
            "realtime bridge starting mode=agent-proxy provider=openai model=gpt-realtime-2.1 \
             voice=alloy consultPolicy=always toolPolicy=owner autoRespond=false"
        ),
        "{:?}",
        room.journal
    );
    room.configure(0);
    let session = &room.sent[0].1["session"];
    assert_eq!(session["audio"]["input"]["turn_detection"]["create_response"], false);
    assert_eq!(session["tools"][0]["name"], "openclaw_agent_consult");
    assert_eq!(session["tools"][0]["parameters"]["required"], json!(["question"]));
}

#[test]
fn voice_scenario_24_a_transcript_becomes_one_run_and_its_answer_is_spoken_word_for_word() {
    let mut room = Room::ready(proxy());
    room.speak(ADA, 200);
    room.said(0, QUESTION);
    room.run(199);
    assert!(room.asked.is_empty());
    room.run(1);
    let [ask] = &room.asked[..] else { panic!("{:?}", room.asked) };
    assert_eq!((ask.message.as_str(), ask.by.user, ask.surface), (QUESTION, ADA, "discord-voice"));
    assert_eq!(ask.session.as_str(), "agent:main:discord:channel:2");
    assert_eq!(ask.tools, ToolScope::OfSpeaker.into());
    room.answer(0, "Rain, \"heavy\" rain.");
    assert_eq!(room.told_to_say(), ["Rain, \"heavy\" rain."]);
    room.say(0, "r", 600);
    room.run(2_000);
    assert_eq!(room.heard.len(), 30);
    room.run(20_000);
    assert_eq!((room.asked.len(), room.told_to_say().len()), (1, 1), "once");
}

#[test]
fn voice_scenario_25_a_native_call_replaces_the_forced_one() {
    let mut room = Room::ready(proxy());
    room.speak(ADA, 200);
    room.said(0, QUESTION);
    room.run(100);
    room.call(0, "c", &json!({"question": "weather in Oslo"}));
    room.run(1_000);
    assert_eq!(room.asked.len(), 1);
    room.answer(0, "Rain.");
    assert_eq!(room.results(), [("c".to_owned(), json!({"text": "Rain."}))]);
    assert!(room.told_to_say().is_empty(), "the front end speaks about its own call");
    assert_eq!(room.sent.last().unwrap().1["type"], "response.create");
}

#[test]
fn voice_scenario_25_a_call_about_a_delivered_answer_is_not_spoken_again() {
    let mut room = asked();
    room.answer(0, "Rain.");
    room.say(0, "r", 600);
    room.run(2_000);
    let before = room.sent.len();
    room.call(0, "late", &json!({"question": "weather in Oslo"}));
    room.run(2_000);
    let [(_, result)] = &room.results()[..] else { panic!("{:?}", room.results()) };
    assert_eq!(result["status"], "already_delivered");
    assert_eq!(room.sent.len(), before + 1, "no response is asked for");
    assert_eq!(room.asked.len(), 1);
}

#[test]
fn voice_scenario_26_a_second_answer_waits_until_the_player_is_idle() {
    let mut room = asked();
    room.said(0, "And what is the time in Lima?");
    room.run(200);
    assert_eq!(room.asked.len(), 2);
    room.answer(0, "Rain.");
    room.answer(1, "Noon.");
    assert_eq!(room.told_to_say(), ["Rain."]);
    assert!(room.journal_has("realtime exact speech queued guild=1 channel=2 queued=2"));
    room.say(0, "r", 600);
    room.run(580);
    assert_eq!(room.told_to_say(), ["Rain."], "still playing");
    room.run(100);
    assert_eq!(room.told_to_say(), ["Rain.", "Noon."]);
    let stopped = room.journal.iter().position(|l| l.contains("playback stopped")).unwrap();
    let dequeued = room.journal.iter().rposition(|l| l.contains("exact speech dequeued")).unwrap();
    assert!(stopped < dequeued, "{:?}", room.journal);
}

#[test]
fn voice_scenario_27_fragments_and_farewells_ask_nothing() {
    let mut room = Room::ready(proxy());
    room.speak(ADA, 200);
    for text in ["can you check...", "tell me about", "Bye."] {
        room.said(0, text);
    }
    room.run(1_000);
    assert!(room.asked.is_empty());
    assert_eq!(room.count("realtime forced agent consult skipped"), 3);
    assert!(room.journal_has("reason=incomplete-transcript detail=trailing-connector chars=13"));
    room.said(0, "can you say goodbye?");
    room.run(200);
    assert_eq!(room.asked.len(), 1);
}

#[test]
fn voice_scenario_28_a_call_without_a_question_gets_an_error() {
    let mut room = Room::ready(proxy());
    room.speak(ADA, 200);
    room.call(0, "c", &json!({}));
    room.run(1_000);
    assert_eq!(room.results(), [("c".to_owned(), json!({"error": "question required"}))]);
    assert!(room.asked.is_empty());
}

#[test]
fn voice_scenario_29_the_front_ends_own_words_come_back_without_a_run() {
    let mut room = asked();
    room.answer(0, "It rains in Oslo.");
    room.created(0, "r");
    room.call(0, "c", &json!({"question": "it rains in oslo"}));
    room.run(1_000);
    assert_eq!(room.results(), [("c".to_owned(), json!({"text": "It rains in Oslo."}))]);
    assert_eq!(room.asked.len(), 1);
    assert!(room.journal_has("realtime exact speech consult bypassed call=c answerChars=17"));
}

#[test]
fn voice_scenario_30_a_failed_agent_is_told_once() {
    let mut room = asked();
    room.agent(0, AgentEvent::Failed("HTTP 500".into()));
    room.agent(0, AgentEvent::Failed("HTTP 500".into()));
    room.run(5_000);
    assert_eq!(room.told_to_say(), ["I hit an error while checking that. Please try again."]);
    assert!(room.journal_has("realtime forced agent consult failed"));
}

#[test]
fn a_refused_turn_is_told_in_its_own_words() {
    let mut room = asked();
    room.agent(0, AgentEvent::Refused("My budget is used up.".into()));
    room.run(5_000);
    assert_eq!(room.told_to_say(), ["My budget is used up."]);
    assert!(room.journal_has("realtime forced agent consult failed"));
}

#[test]
fn voice_scenario_31_policies_decide_the_tools() {
    let mut reading = proxy();
    reading.tool_policy = ToolPolicy::SafeReadOnly;
    let mut room = Room::ready(reading);
    room.speak(ADA, 200);
    room.said(0, QUESTION);
    room.run(200);
    assert_eq!(room.asked[0].tools, ToolScope::SafeReadOnly.into());

    let mut none = proxy();
    none.tool_policy = ToolPolicy::None;
    let mut room = Room::new(none);
    room.configure(0);
    assert_eq!(room.sent[0].1["session"]["tools"], json!([]));
    room.speak(ADA, 200);
    room.call(0, "c", &json!({"question": QUESTION}));
    let error = json!({"error": "Tool \"openclaw_agent_consult\" not available"});
    assert_eq!(room.results(), [("c".to_owned(), error)]);
}

#[test]
fn without_a_tool_words_go_to_the_agent_one_turn_at_a_time() {
    let mut settings = proxy();
    settings.tool_policy = ToolPolicy::None;
    let mut room = Room::ready(settings);
    room.speak(ADA, 200);
    room.said(0, "what is");
    room.run(300);
    room.said(0, "the time?");
    room.run(350);
    let [ask] = &room.asked[..] else { panic!("{:?}", room.asked) };
    assert!(
        ask.message.ends_with("Voice transcript from speaker \"Ada\":\nwhat is the time?"),
        "{}",
        ask.message
    );
    room.said(0, "and the weather here?");
    room.run(2_000);
    assert_eq!(room.asked.len(), 1, "the first is still at work");
    room.answer(0, "Noon.");
    assert_eq!((room.told_to_say(), room.asked.len()), (vec!["Noon.".to_owned()], 2));
}

#[test]
fn voice_scenario_32_the_active_run_is_controlled_by_words() {
    for (words, control, outcome, spoken) in [
        (
            "status",
            Control::Status,
            ControlOutcome::Status(clawvoice_session::agent::RunActivity::Working),
            "OpenClaw is working on the current voice request.",
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
            ControlOutcome::Done,
            "Got it. I steered the active run.",
        ),
        (
            "when you're done also check tests",
            Control::FollowUp("when you're done also check tests".into()),
            ControlOutcome::Refused(ControlRefusal::Failed),
            "OpenClaw could not queue that follow-up.",
        ),
    ] {
        let mut room = asked();
        room.said(0, words);
        room.run(1_000);
        assert_eq!(room.controls.len(), 1, "{words}");
        assert_eq!(room.controls[0].1, control);
        room.outcome(0, &outcome);
        assert_eq!(room.told_to_say(), [spoken]);
        assert_eq!(room.asked.len(), 1, "no new run for {words}");
        assert!(room.journal_has("realtime active-run control handled mode="));
    }
}

#[test]
fn voice_scenario_33_without_a_run_control_words_are_a_turn() {
    let mut room = Room::ready(proxy());
    room.speak(ADA, 200);
    room.said(0, "cancel that.");
    room.run(200);
    assert_eq!((room.controls.len(), room.asked.len()), (0, 1));
    // A run that ended meanwhile: the words are a turn after all.
    room.said(0, "stop using the old API");
    room.outcome(0, &ControlOutcome::NoActiveRun);
    room.run(200);
    assert_eq!(room.asked.len(), 2);
    assert_eq!(room.asked[1].message, "stop using the old API");
    room.said(0, "don't cancel it");
    room.run(200);
    assert!(room.controls.iter().all(|(_, control)| *control != Control::Cancel));
}

#[test]
fn an_outcome_is_heard_at_once_and_what_waited_is_not() {
    let mut room = asked();
    room.said(0, "Tell me a long story now");
    room.run(200);
    room.answer(0, "Rain.");
    room.created(0, "r");
    room.delta(0, "r", "i", 3_000);
    room.run(1_000);
    room.said(0, "cancel that");
    room.outcome(0, &ControlOutcome::Done);
    assert!(room.journal_has("realtime audio playback stopped reason=active-run-control"));
    room.done(0, "r", "cancelled");
    room.agent(1, AgentEvent::Cancelled);
    room.run(1_000);
    assert_eq!(room.told_to_say(), ["Rain.", "Cancelled the active OpenClaw run."]);
}

#[test]
fn an_outcome_that_the_room_was_told_a_moment_ago_is_not_told_again() {
    let working = ControlOutcome::Status(clawvoice_session::agent::RunActivity::Working);
    let mut room = asked();
    room.said(0, "status");
    room.said(0, "status");
    room.outcome(0, &working);
    room.outcome(1, &working);
    room.say(0, "r", 600);
    room.run(5_100);
    assert_eq!(room.told_to_say(), ["OpenClaw is working on the current voice request."]);
    assert_eq!(room.count("realtime active-run control handled"), 2);
    room.said(0, "status");
    room.outcome(2, &working);
    assert_eq!(room.told_to_say().len(), 2, "after five seconds it is news");
}

#[test]
fn an_outcome_that_was_cut_short_is_told_again() {
    let working = ControlOutcome::Status(clawvoice_session::agent::RunActivity::Working);
    let mut room = asked();
    room.said(0, "status");
    room.outcome(0, &working);
    room.created(0, "r");
    room.delta(0, "r", "i", 2_000);
    room.run(600);
    room.speak(ADA, 200);
    assert!(room.journal_has("realtime audio playback stopped reason=barge-in"));
    room.done(0, "r", "cancelled");
    room.said(0, "status");
    room.outcome(1, &working);
    room.run(3_000);
    assert_eq!(room.told_to_say().len(), 2);
}

#[test]
fn a_front_end_that_repeats_an_outcome_is_stopped() {
    let mut room = asked();
    room.said(0, "cancel that");
    room.outcome(0, &ControlOutcome::Done);
    room.agent(0, AgentEvent::Cancelled);
    room.created(0, "r");
    room.delta(0, "r", "i", 1_000);
    room.answer_words(0, "r", "i", "Cancelled the active OpenClaw run.");
    room.done(0, "r", "completed");
    room.run(1_500);
    assert_eq!(room.heard.len(), 50, "the sentence itself is heard whole");
    room.created(0, "again");
    room.delta(0, "again", "j", 1_000);
    room.run(300);
    room.sent.clear();
    room.answer_words(0, "again", "j", "Cancelled the active OpenClaw run");
    room.run(1_000);
    assert_eq!(room.sent()[0], cancel("again"));
    assert!(room.journal_has("realtime duplicate active-run control speech suppressed"));
    assert!(room.journal_has("playback stopped reason=duplicate-active-run-control"));
    assert!(room.heard.len() < 75, "{} frames", room.heard.len());
    assert!(room.notes.is_empty(), "it is no answer of its own");
}

#[test]
fn what_is_taken_back_within_200_ms_is_never_asked() {
    let mut room = Room::ready(proxy());
    room.speak(ADA, 200);
    room.said(0, QUESTION);
    room.run(100);
    room.said(0, "never mind");
    room.run(1_000);
    assert!(room.asked.is_empty() && room.controls.is_empty());
    assert_eq!(room.told_to_say(), ["Cancelled the active OpenClaw run."]);
}

#[test]
fn voice_scenario_47_a_guests_words_have_no_owners_rights() {
    let mut room = Room::ready(proxy());
    room.talk.attributed(room.now, ADA, Attribution::Confirmed);
    room.speak(BOB, 200);
    room.configure(1);
    room.speak(ADA, 200);
    // Ada spoke last; Bob's transcript comes late, and is his.
    room.said(0, "delete everything in here");
    room.said(1, QUESTION);
    room.run(200);
    let rights: Vec<_> = room.asked.iter().map(|ask| (ask.by.user, ask.by.owner)).collect();
    assert_eq!(rights, [(BOB, false), (ADA, true)]);
}

#[test]
fn a_guest_cannot_steer_an_owners_run_but_stop_it() {
    let mut room = Room::ready(proxy());
    room.talk.attributed(room.now, ADA, Attribution::Confirmed);
    room.speak(ADA, 200);
    room.said(0, QUESTION);
    room.run(200);
    assert!(room.asked[0].by.owner);
    room.speak(BOB, 200);
    room.configure(1);
    room.said(1, "use the admin account");
    room.run(200);
    assert!(room.controls.is_empty(), "{:?}", room.controls);
    assert!(!room.asked[1].by.owner, "a turn of his own");
    room.said(1, "cancel that");
    assert_eq!(room.controls.len(), 1);
    room.said(0, "use the smaller fix");
    assert_eq!(room.controls.len(), 2, "the owner may");
}

#[test]
fn an_owner_whose_stream_was_disputed_is_a_guest() {
    let mut room = Room::ready(proxy());
    room.talk.attributed(room.now, ADA, Attribution::Disputed);
    room.speak(ADA, 200);
    room.talk.attributed(room.now, ADA, Attribution::Confirmed);
    room.said(0, QUESTION);
    room.run(200);
    assert!(!room.asked[0].by.owner);
}

#[test]
fn voice_scenario_20_an_unauthorized_speaker_is_neither_heard_nor_interrupts() {
    let mut settings = proxy();
    settings.rights.room = Some(access::Room::of(People::of([ADA])));
    let mut room = Room::answering(settings, 3_000);
    room.run(500);
    let appended = room.appended.len();
    room.speak(BOB, 600);
    assert_eq!(room.appended.len(), appended);
    assert!(!room.journal_has("barge-in"), "{:?}", room.journal);
    assert!(room.heard.len() > 30, "the answer goes on");
}

#[test]
fn a_role_lets_a_speaker_be_heard_and_its_loss_in_mid_speech_keeps_their_words_from_the_agent() {
    let crew = RoleId::new(80);
    let guild = GuildAccess { roles: Arc::new([crew].into()), ..GuildAccess::default() };
    let guilds = [("*", guild)].into_iter().collect();
    let access = AccessRules { guilds, ..AccessRules::default() };
    let place = access::Place {
        guild: GuildId::new(1),
        guild_name: "",
        channel: ChannelId::new(2),
        channel_name: "",
        parent: None,
    };
    let mut settings = proxy();
    settings.rights.room = access.room(&place).ok();
    let mut room = Room::ready(settings);
    room.speak(BOB, 200);
    assert!(room.appended.is_empty(), "Bob has no role yet");
    room.run(3_000);
    room.talk.rights().learn_roles(BOB, vec![crew]);
    room.speak(BOB, 200);
    room.said(0, QUESTION);
    room.run(200);
    let asked: Vec<_> = room.asked.iter().map(|ask| (ask.by.user, ask.by.owner)).collect();
    assert_eq!(asked, [(BOB, false)], "a role admits and gives no more");
    room.talk.rights().learn_roles(BOB, Vec::new());
    room.said(0, "And what is the time in Lima?");
    room.run(1_000);
    assert_eq!(room.asked.len(), 1, "it is looked at again before the agent is asked");
}

#[test]
fn voice_scenario_45_too_much_to_say_ends_the_session() {
    let mut room = Room::ready(proxy());
    room.speak(ADA, 200);
    for n in 0..33 {
        room.said(0, &format!("question number {n} about fishing"));
        room.run(200);
        let last = room.asked.len() - 1;
        room.answer(last, &format!("Answer {n}."));
    }
    assert!(room.failed.is_some());
    assert!(room.journal_has("code=exact-speech-overflow"));
}

#[test]
fn voice_scenario_46_a_reconnect_before_a_sound_says_it_once_more() {
    let mut room = asked();
    room.answer(0, "Rain.");
    room.lost(0, &Closed::Lost("reset".into()));
    room.run(1_200);
    let lane = *room.opened.last().unwrap();
    room.configure(lane);
    assert_eq!(room.told_to_say(), ["Rain.", "Rain."]);
    room.created(lane, "r");
    room.delta(lane, "r", "i", 900);
    room.run(400);
    room.lost(lane, &Closed::Lost("reset".into()));
    room.run(3_000);
    let lane = *room.opened.last().unwrap();
    room.configure(lane);
    assert_eq!(room.told_to_say().len(), 2, "it was heard in part: not again");
}

#[test]
fn provider_scenario_38_a_call_without_an_answer_gets_one_error_and_a_late_result_is_dropped() {
    let mut room = Room::ready(proxy());
    room.speak(ADA, 200);
    room.call(0, "c", &json!({"question": QUESTION}));
    room.run(120_000);
    let error = json!({"error": "the agent did not answer in time"});
    assert_eq!(room.results(), [("c".to_owned(), error)]);
    room.answer(0, "Rain.");
    room.run(1_000);
    assert_eq!((room.results().len(), room.told_to_say().len()), (1, 0));
}

#[test]
fn provider_scenario_39_only_complete_calls_run_and_each_once() {
    let mut room = Room::ready(proxy());
    room.speak(ADA, 200);
    let arguments = json!({"question": QUESTION}).to_string();
    room.server(
        0,
        &json!({"type": "response.function_call_arguments.done", "response_id": "calls",
                "item_id": "item c", "call_id": "c", "name": "openclaw_agent_consult",
                "arguments": arguments}),
    );
    room.call_named(0, "c", "openclaw_agent_consult", &arguments, "incomplete");
    assert!(room.asked.is_empty());
    room.call_named(0, "d", "openclaw_agent_consult", &arguments, "completed");
    room.call_named(0, "d", "openclaw_agent_consult", &arguments, "completed");
    assert_eq!(room.asked.len(), 1);
}

#[test]
fn provider_scenario_40_arguments_that_are_not_json_are_answered_with_an_error() {
    let mut room = Room::ready(proxy());
    room.speak(ADA, 200);
    room.call_named(0, "c", "openclaw_agent_consult", "{\"question\":", "completed");
    assert_eq!(room.results(), [("c".to_owned(), json!({"error": "the arguments are not JSON"}))]);
}

#[test]
fn provider_scenario_41_one_response_is_asked_for_after_the_last_of_parallel_calls() {
    let mut room = Room::ready(proxy());
    room.speak(ADA, 200);
    room.call(0, "a", &json!({"question": "What is the weather in Oslo?"}));
    room.call(0, "b", &json!({"question": "Who won the football cup?"}));
    room.answer(1, "Norway.");
    assert_eq!(room.count("-> 0 response.create"), 0);
    room.answer(0, "Rain.");
    assert_eq!(room.count("-> 0 response.create"), 1);
    assert_eq!(room.results().len(), 2);
}

#[test]
fn provider_scenario_42_a_late_result_waits_for_whoever_has_begun_to_talk() {
    let mut room = Room::ready(proxy());
    room.speak(ADA, 200);
    room.run(1_000);
    room.call(0, "c", &json!({"question": QUESTION}));
    room.start(ADA);
    room.frame(ADA);
    room.answer(0, "Rain.");
    room.say(0, "r", 600);
    for _ in 0..50 {
        room.frame(ADA);
        room.run(20);
    }
    assert!(room.heard.is_empty(), "it speaks over Ada");
    room.stop(ADA);
    room.run(1_000);
    assert_eq!(room.heard.len(), 30);
}

#[test]
fn provider_scenario_19_a_lost_calls_result_is_spoken_and_never_an_orphan() {
    let mut room = Room::ready(proxy());
    room.speak(ADA, 200);
    room.call(0, "c", &json!({"question": QUESTION}));
    room.lost(0, &Closed::Lost("reset".into()));
    room.run(1_200);
    let lane = *room.opened.last().unwrap();
    room.configure(lane);
    room.answer(0, "Rain.");
    room.run(1_000);
    assert_eq!(room.results(), []);
    assert_eq!(room.told_to_say(), ["Rain."]);
}

#[test]
fn a_response_that_was_not_ours_does_not_take_our_words_place() {
    let mut room = asked();
    room.answer(0, "Rain.");
    // The provider's own response was first.
    room.created(0, "other");
    let create = room.sent.last().unwrap().1["event_id"].as_str().unwrap().to_owned();
    room.error(0, "conversation_already_has_active_response", &create);
    room.done(0, "other", "completed");
    assert_eq!(room.sent.last().unwrap().1["type"], "response.create", "asked for again");
    room.say(0, "r", 600);
    room.run(2_000);
    assert_eq!((room.heard.len(), room.told_to_say().len()), (30, 1));
}

#[test]
fn a_front_end_that_answers_by_itself_is_noted_for_the_agent() {
    let mut settings = settings();
    settings.mode = Mode::Bidi;
    let mut room = Room::ready(settings);
    room.speak(ADA, 200);
    room.said(0, "hello there");
    room.created(0, "r");
    room.server(
        0,
        &json!({"type": "response.output_audio_transcript.done", "response_id": "r",
                "item_id": "i", "transcript": "Hi Ada."}),
    );
    room.done(0, "r", "completed");
    assert_eq!(room.notes, [("hello there".to_owned(), "Hi Ada.".to_owned())]);
    assert!(room.asked.is_empty());
}
