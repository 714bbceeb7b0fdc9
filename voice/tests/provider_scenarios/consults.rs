//! Tool calls of the front end, and the agent's answers.

use std::time::Duration;

use clawvoice_session::agent::{Control, ControlOutcome};
use clawvoice_voice::conversation::{ConsultPolicy, ConversationSettings};
use serde_json::Value;

use crate::world::{ADA, World, ask, interrupt, settings};

/// A front end that asks the agent and says its answer.
const CONSULTS: &str = "{ atEnd: 'silent', turns: [
    { heard: 'What is the time?', reply: { toolCall: {
        name: 'openclaw_agent_consult', arguments: { question: '{heard}' } } } },
    { needsToolOutput: true, reply: { say: '{toolOutput}' } },
] }";

/// The outputs of tool calls that the front end was given.
fn outputs(world: &World) -> Vec<Value> {
    let created = world.sent_of("conversation.item.create").into_iter();
    let of_tools = created.filter(|(_, event)| event["item"]["type"] == "function_call_output");
    of_tools
        .map(|(_, event)| serde_json::from_str(event["item"]["output"].as_str().unwrap()).unwrap())
        .collect()
}

fn said(world: &World, words: &str) -> bool {
    world.transcripts.iter().any(|(_, text)| text == words)
}

#[test]
fn the_agents_answer_to_a_call_is_spoken() {
    let mut world = World::new(CONSULTS);
    world.says(ADA, &ask());
    world.until("the question", |world| !world.asks.is_empty());
    assert!(world.asks[0].1.message.contains("What is the time?"), "{:?}", world.asks);
    world.run(2_000);
    world.agent_answers(0, "Noon.");
    world.until("the answer", |world| said(world, "Noon."));
    world.run(3_000);
    assert_eq!(world.asks.len(), 1, "asked once: {:?}", world.asks);
    assert_eq!(outputs(&world).len(), 1);
    world.end();
}

#[test]
fn the_front_end_stops_what_the_agent_works_on_by_a_call() {
    let mut world = World::new(
        "{ atEnd: 'silent', turns: [
            { heard: 'What is the time?', reply: { toolCall: {
                name: 'openclaw_agent_consult', arguments: { question: '{heard}' } } } },
            { heard: 'Hör auf damit.', reply: { toolCall: {
                name: 'openclaw_agent_control', arguments: { text: '{heard}', mode: 'cancel' } } } },
            { reply: { say: 'Ich habe aufgehört.' } },
        ] }",
    );
    world.says(ADA, &ask());
    world.until("the question", |world| !world.asks.is_empty());
    world.run(1_000);
    world.says(ADA, &interrupt());
    world.until("the control", |world| !world.controls.is_empty());
    assert_eq!(world.controls[0].1, Control::Cancel);
    world.controlled(0, &ControlOutcome::Done);
    world.agent_cancels(0);
    world.until("the front end's word for it", |world| said(world, "Ich habe aufgehört."));
    world.run(3_000);
    let outputs = outputs(&world);
    assert_eq!(outputs.len(), 2, "{outputs:?}");
    assert!(outputs.iter().any(|output| output["ok"] == true && output["mode"] == "cancel"));
    assert!(outputs.iter().any(|output| output["status"] == "cancelled"));
    assert_eq!((world.asks.len(), world.controls.len()), (1, 1));
    world.end();
}

#[test]
fn an_answer_nobody_called_for_is_spoken_word_for_word() {
    let settings = ConversationSettings { consult_policy: ConsultPolicy::Always, ..settings() };
    let mut world = World::with(
        settings,
        "{ turns: [{ heard: 'What is the weather in Bergen?', reply: { say: 'never said' } }] }",
    );
    world.says(ADA, &ask());
    world.until("the question", |world| !world.asks.is_empty());
    let answer = "It is \"wet\", as ever.";
    world.agent_answers(0, answer);
    world.until("the answer", |world| said(world, answer));
    assert!(!said(&world, "never said"), "{:?}", world.transcripts);
    world.end();
}

#[test]
fn provider_scenario_38_a_call_that_is_never_answered_gets_one_error() {
    let settings = ConversationSettings { consult_timeout: Duration::from_secs(20), ..settings() };
    let mut world = World::with(settings, CONSULTS);
    world.says(ADA, &ask());
    world.until("the question", |world| !world.asks.is_empty());
    world.until("the deadline", |world| !outputs(world).is_empty());
    let waited = world.now.since(world.asks[0].0);
    assert!((20..=21).contains(&waited.as_secs()), "after {waited:?}");
    assert!(outputs(&world)[0]["error"].is_string(), "{:?}", outputs(&world));
    world.run(5_000);
    let heard = world.played_ms();
    world.agent_answers(0, "Too late.");
    world.run(10_000);
    assert_eq!(outputs(&world).len(), 1, "{world}");
    assert!(!said(&world, "Too late."), "{world}");
    assert_eq!(world.played_ms(), heard, "{world}");
    world.end();
}

#[test]
fn provider_scenario_39_an_unfinished_call_is_not_executed() {
    let mut world = World::new(
        "{ connections: [{ connection: 0, steps: [
            { wait: { audioMs: 3800 } },
            { send: { type: 'response.created', response: { id: 'r' } } },
            { send: { type: 'response.output_item.added', response_id: 'r', output_index: 0, item: {
                id: 'i', type: 'function_call', status: 'in_progress', call_id: 'c',
                name: 'openclaw_agent_consult', arguments: '' } } },
            { send: { type: 'response.function_call_arguments.done', response_id: 'r', item_id: 'i',
                output_index: 0, call_id: 'c', name: 'openclaw_agent_consult',
                arguments: '{\"question\":\"Half a\"}' } },
            { send: { type: 'response.output_item.done', response_id: 'r', output_index: 0, item: {
                id: 'i', type: 'function_call', status: 'incomplete', call_id: 'c',
                name: 'openclaw_agent_consult', arguments: '{\"question\":\"Half a\"}' } } },
            { send: { type: 'response.done', response: { id: 'r', status: 'cancelled',
                status_details: { type: 'cancelled', reason: 'turn_detected' } } } },
        ] }] }",
    );
    world.says(ADA, &ask());
    world.run(10_000);
    assert!(world.asks.is_empty(), "{:?}", world.asks);
    world.end();
}

#[test]
fn provider_scenario_40_arguments_that_are_no_json_are_an_error_for_the_model() {
    let mut world = World::new(
        "{ atEnd: 'silent', turns: [
            { reply: { toolCall: { name: 'openclaw_agent_consult', arguments: 'no json' } } },
            { needsToolOutput: true, reply: { say: 'I asked badly.' } },
        ] }",
    );
    world.says(ADA, &ask());
    world.until("the answer", |world| said(world, "I asked badly."));
    assert!(world.asks.is_empty(), "{:?}", world.asks);
    let outputs = outputs(&world);
    assert_eq!(outputs.len(), 1);
    assert!(outputs[0]["error"].is_string(), "{outputs:?}");
    world.end();
}

#[test]
fn provider_scenario_41_parallel_calls_are_answered_by_one_response_after_the_last() {
    let mut world = World::new(
        "{ atEnd: 'silent', turns: [
            { reply: [
                { toolCall: { name: 'openclaw_agent_consult', arguments: { question: 'The time?' } } },
                { toolCall: { name: 'openclaw_agent_consult', arguments: { question: 'A joke, please!' } } },
            ] },
            { needsToolOutput: true, reply: { say: 'Both.' } },
        ] }",
    );
    world.says(ADA, &ask());
    world.until("both questions", |world| world.asks.len() == 2);
    world.agent_answers(1, "Knock, knock.");
    world.run(2_000);
    assert_eq!((outputs(&world).len(), world.sent_of("response.create").len()), (1, 0), "{world}");
    world.agent_answers(0, "Noon.");
    world.until("the answer", |world| said(world, "Both."));
    world.run(2_000);
    assert_eq!((outputs(&world).len(), world.sent_of("response.create").len()), (2, 1), "{world}");
    world.end();
}

#[test]
fn provider_scenario_42_an_answer_that_comes_late_does_not_speak_over_the_user() {
    let mut world = World::new(CONSULTS);
    world.says(ADA, &ask());
    world.until("the question", |world| !world.asks.is_empty());
    world.run(1_000);
    let began = world.now;
    world.says(ADA, &interrupt());
    world.run(500);
    world.agent_answers(0, "Noon.");
    world.run(1_300);
    let over: Vec<_> = world.played.iter().filter(|frame| frame.at > began).collect();
    assert!(over.is_empty(), "{} frames over Ada's words: {world}", over.len());
    world.run(10_000);
    world.end();
}
