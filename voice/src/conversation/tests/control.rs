//! Control of the agent's work by the front end's calls.

use clawvoice_session::agent::RunActivity;

use super::*;
use crate::{
    call::Attribution,
    conversation::{Rights, ToolPolicy},
};

const QUESTION: &str = "What is the weather in Oslo?";

/// Ada's front end has asked the agent, and has not got its answer.
fn consulting() -> Room {
    let mut settings = settings();
    settings.rights = Rights::open([ADA].into());
    let mut room = Room::ready(settings);
    room.talk.attributed(room.now, ADA, Attribution::Confirmed);
    room.speak(ADA, 200);
    room.call(0, "question", &json!({"question": QUESTION}));
    room
}

fn controls(room: &mut Room, lane: u32, id: &str, arguments: &Value) {
    room.call_named(lane, id, "openclaw_agent_control", &arguments.to_string(), "completed");
}

fn result(room: &Room, id: &str) -> Value {
    let results = room.results();
    let found = results.iter().find(|(call, _)| call == id);
    found.unwrap_or_else(|| panic!("no result of {id}: {results:?}")).1.clone()
}

#[test]
fn the_front_end_is_offered_the_tool_where_it_may_ask_the_agent() {
    let mut room = Room::new(settings());
    room.configure(0);
    let session = &room.sent[0].1["session"];
    let tool = &session["tools"][1];
    assert_eq!(tool["name"], "openclaw_agent_control");
    assert_eq!(
        tool["parameters"]["properties"]["mode"]["enum"],
        json!(["status", "cancel", "steer", "followup"])
    );
    assert_eq!(tool["parameters"]["required"], json!(["text", "mode"]));
    let mut none = settings();
    none.tool_policy = ToolPolicy::None;
    let mut room = Room::ready(none);
    room.speak(ADA, 200);
    controls(&mut room, 0, "c", &json!({"text": "stop", "mode": "cancel"}));
    let error = json!({"error": "Tool \"openclaw_agent_control\" not available"});
    assert_eq!(result(&room, "c"), error);
}

#[test]
fn a_call_controls_the_run_in_any_language() {
    for (mode, control, outcome, ok, message) in [
        (
            "status",
            Control::Status,
            ControlOutcome::Status(RunActivity::Model),
            true,
            "OpenClaw is waiting on the model for the current voice request.",
        ),
        (
            "cancel",
            Control::Cancel,
            ControlOutcome::Done,
            true,
            "Cancelled the active OpenClaw run.",
        ),
        (
            "steer",
            Control::Steer("lieber Bergen".into()),
            ControlOutcome::Done,
            true,
            "Got it. I steered the active run.",
        ),
        (
            "Follow-up",
            Control::FollowUp("lieber Bergen".into()),
            ControlOutcome::Refused(clawvoice_session::agent::ControlRefusal::Failed),
            false,
            "OpenClaw could not queue that follow-up.",
        ),
    ] {
        let mut room = consulting();
        controls(&mut room, 0, "c", &json!({"text": "lieber Bergen", "mode": mode}));
        assert_eq!(room.controls.len(), 1, "{mode}");
        assert_eq!(room.controls[0].1, control);
        room.outcome(0, &outcome);
        let result = result(&room, "c");
        assert_eq!((&result["ok"], &result["active"]), (&json!(ok), &json!(true)), "{mode}");
        assert_eq!(result["message"], message);
        assert_eq!(room.count("-> 0 response.create"), 1, "the front end says so at once");
        assert!(room.told_to_say().is_empty());
        assert_eq!(room.asked.len(), 1, "no new run");
        assert!(room.journal_has("realtime active-run control handled mode="));
    }
}

#[test]
fn the_question_still_gets_its_answer() {
    let mut room = consulting();
    controls(&mut room, 0, "c", &json!({"text": "how far?", "mode": "status"}));
    room.outcome(0, &ControlOutcome::Status(RunActivity::Working));
    room.say(0, "status", 400);
    room.run(2_000);
    room.answer(0, "Rain.");
    assert_eq!(result(&room, "question"), json!({"text": "Rain."}));
    assert_eq!(room.count("-> 0 response.create"), 2);
}

#[test]
fn without_a_run_there_is_nothing_to_control() {
    let mut room = consulting();
    room.answer(0, "Rain.");
    for mode in ["status", "cancel", "steer", "followup"] {
        controls(&mut room, 0, mode, &json!({"text": "lieber Bergen", "mode": mode}));
        let result = result(&room, mode);
        assert_eq!((&result["ok"], &result["active"]), (&json!(false), &json!(false)));
        assert_eq!(result["message"], "I'm not working on an active request right now.");
    }
    assert!(room.controls.is_empty());
    // It ended just now.
    let mut room = consulting();
    controls(&mut room, 0, "late", &json!({"text": "stop", "mode": "cancel"}));
    room.outcome(0, &ControlOutcome::NoActiveRun);
    assert_eq!(result(&room, "late")["active"], false);
    room.run(1_000);
    assert_eq!(room.asked.len(), 1, "a call is no turn");
}

#[test]
fn arguments_are_read_kindly_and_refused_in_words() {
    for (arguments, expected) in [
        (json!({"text": "cancel that"}), Control::Cancel),
        (json!({"message": "wie weit bist du?"}), Control::Status),
        (json!({"text": "use the smaller fix", "mode": "??"}), {
            Control::Steer("use the smaller fix".into())
        }),
    ] {
        let mut room = consulting();
        controls(&mut room, 0, "c", &arguments);
        assert_eq!(room.controls[0].1, expected, "{arguments}");
    }
    for (arguments, error) in [
        ("{}", "text required"),
        ("{\"text\":\"  \",\"mode\":\"cancel\"}", "text required"),
        ("cancel", "the arguments are not JSON"),
    ] {
        let mut room = consulting();
        room.call_named(0, "c", "openclaw_agent_control", arguments, "completed");
        assert_eq!(result(&room, "c"), json!({ "error": error }), "{arguments}");
        assert!(room.controls.is_empty());
    }
}

#[test]
fn a_guest_may_stop_an_owners_run_and_not_change_it() {
    let mut room = consulting();
    assert!(room.asked[0].by.owner);
    room.speak(BOB, 200);
    room.configure(1);
    controls(&mut room, 1, "steer", &json!({"text": "use the admin account", "mode": "steer"}));
    let refused = result(&room, "steer");
    assert_eq!((&refused["ok"], &refused["active"]), (&json!(false), &json!(true)));
    assert_eq!(refused["message"], "Only the owner can change what is being worked on.");
    assert!(room.controls.is_empty());
    controls(&mut room, 1, "stop", &json!({"text": "stop", "mode": "cancel"}));
    assert_eq!(room.controls.len(), 1);
}

#[test]
fn whoever_may_no_longer_be_heard_controls_nothing() {
    let mut room = consulting();
    room.talk.rights().room = None;
    controls(&mut room, 0, "c", &json!({"text": "stop", "mode": "cancel"}));
    assert_eq!(result(&room, "c"), json!({"error": "The speaker is not authorized"}));
    assert!(room.controls.is_empty());
}

#[test]
fn one_wish_that_comes_as_words_and_as_a_call_is_carried_out_once() {
    let arguments = json!({"text": "cancel that", "mode": "cancel"});
    // The words first.
    let mut room = consulting();
    room.said(0, "cancel that");
    controls(&mut room, 0, "c", &arguments);
    room.outcome(0, &ControlOutcome::Done);
    assert_eq!(room.controls.len(), 1);
    assert_eq!(result(&room, "c")["status"], "already_delivered");
    assert_eq!(room.told_to_say(), ["Cancelled the active OpenClaw run."]);
    assert_eq!(room.count("-> 0 response.create"), 1, "of the exact speech alone");
    // The call first.
    let mut room = consulting();
    controls(&mut room, 0, "c", &arguments);
    room.said(0, "cancel that");
    room.outcome(0, &ControlOutcome::Done);
    assert_eq!(room.controls.len(), 1);
    assert_eq!(result(&room, "c")["ok"], true);
    assert!(room.told_to_say().is_empty());
    // A second wish of the kind is another one.
    let mut room = consulting();
    for (id, text) in [("a", "use the smaller fix"), ("b", "use the old one")] {
        room.said(0, text);
        controls(&mut room, 0, id, &json!({"text": text, "mode": "steer"}));
    }
    assert_eq!(room.controls.len(), 2, "{:?}", room.controls);
}

#[test]
fn a_call_is_carried_out_once_and_taken_back_never_answered() {
    let mut room = consulting();
    let arguments = json!({"text": "how far?", "mode": "status"});
    controls(&mut room, 0, "c", &arguments);
    controls(&mut room, 0, "c", &arguments);
    assert_eq!(room.controls.len(), 1);
    let arguments = arguments.to_string();
    room.call_named(0, "half", "openclaw_agent_control", &arguments, "incomplete");
    assert_eq!(room.controls.len(), 1);
}

#[test]
fn an_outcome_whose_connection_is_gone_is_told_to_the_room() {
    let mut room = consulting();
    controls(&mut room, 0, "c", &json!({"text": "stop", "mode": "cancel"}));
    room.lost(0, &Closed::Lost("reset".into()));
    room.run(1_200);
    let lane = *room.opened.last().unwrap();
    room.configure(lane);
    room.outcome(0, &ControlOutcome::Done);
    assert_eq!(room.told_to_say(), ["Cancelled the active OpenClaw run."]);
    assert_eq!(room.results(), []);
}

#[test]
fn controls_under_way_are_bounded_and_the_oldest_call_gets_an_error() {
    let mut room = consulting();
    for n in 0..9 {
        let id = format!("c{n}");
        controls(&mut room, 0, &id, &json!({"text": "how far?", "mode": "status"}));
    }
    assert_eq!(result(&room, "c0"), json!({"error": "too many controls are under way"}));
    room.outcome(1, &ControlOutcome::Status(RunActivity::Working));
    assert_eq!(result(&room, "c1")["ok"], true);
}
