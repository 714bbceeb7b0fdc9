//! Scenarios, spoken texts and transcripts of scripts.

use super::*;
use crate::realtime::local::speech::tones;

/// A session that plays this script, in manual turns.
fn playing(script: &str) -> Client {
    let script = Script::parse(script, |path| match path {
        "ask.wav" => Ok(ask()),
        _ => Err("not found".to_owned()),
    });
    Client::configured(Behaviour::Script(Arc::new(script.expect("a valid script"))), manual())
}

fn scenario(steps: &str) -> Client {
    playing(&format!("{{ connections: [{{ steps: [{steps}] }}] }}"))
}

fn done() -> Vec<(&'static str, String)> {
    vec![("script.done", "connections[0]".to_owned())]
}

fn user_text(text: &str) -> Value {
    json!({ "type": "conversation.item.create", "item": { "type": "message", "role": "user",
        "content": [{ "type": "input_text", "text": text }] } })
}

#[test]
fn a_scenario_is_played_on_the_clients_events() {
    let mut client = scenario(
        "{ expect: { type: 'session.update', where: { '/session/type': 'realtime' } } },
         { wait: { audioMs: 100 } },
         { wait: { ms: 50 } },
         { audio: { tone: 440, ms: 400, chunkMs: 200, speed: 2, transcript: 'La la.' } },
         { wait: 'idle' },
         { expect: { type: 'conversation.item.truncate', where: { '/content_index': 0 } } },
         { assert: { truncateMs: 310, within: 20 } },
         { assert: { event: 'response.cancel', times: 0 } }",
    );
    client.speak(&[0; 2_400]);
    assert_eq!(client.types(), Vec::<String>::new());
    client.wait(49);
    let events = client.take();
    let item = field(&events, "response.output_item.added", "/item/id");
    client.wait(1_000);
    let events = client.take();
    let lengths: Vec<usize> = client
        .notes
        .iter()
        .filter_map(|note| match note {
            Note::Sent(samples) => Some(samples.len()),
            _ => None,
        })
        .collect();
    assert_eq!(lengths, [4_800, 4_800]);
    assert_eq!(field(&events, "response.done", "/response/status"), "completed");
    client.send(json!({ "type": "conversation.item.truncate", "item_id": item,
        "content_index": 0, "audio_end_ms": 300 }));
    assert_eq!(client.outcomes(), done());
    client.session.finish(client.now);
    client.drain();
    assert_eq!(client.outcomes(), done());
    insta::assert_snapshot!(client.journal);
}

#[test]
fn what_is_not_met_is_told_with_its_place() {
    let mut client =
        scenario("{ expect: { type: 'response.create', withinMs: 200 } }, { wait: 'idle' }");
    client.wait(199);
    assert_eq!(client.outcomes(), []);
    client.wait(1);
    let told = "connections[0].steps[0]: no response.create came in 0.2 s".to_owned();
    assert_eq!(client.outcomes(), [("script.unmet", told)]);

    let mut client = scenario("{ assert: { event: 'session.update', times: 2 } }");
    let told = "connections[0].steps[0]: 0 session.update came, not 2".to_owned();
    assert_eq!(client.outcomes(), [("script.unmet", told)]);
    client.send(json!({ "type": "response.create" }));
    assert_eq!(client.types(), Vec::<String>::new(), "a scenario alone answers nothing by itself");

    let mut client = scenario("{ expect: { type: 'response.create' } }");
    client.session.finish(client.now);
    client.drain();
    let place = "connections[0].steps[0]".to_owned();
    assert_eq!(client.outcomes(), [("script.unfinished", place)]);
}

#[test]
fn a_raw_event_may_name_what_came_before() {
    let mut client = scenario(
        "{ expect: { type: 'response.create' } },
         { audio: { tone: 440, ms: 100, speed: 10000 } },
         { send: { type: 'x', of: { response: '$response', items: ['$item'] }, delta: '$tone:10' } },
         { send: 'not json' }",
    );
    client.session.handle_text(client.now, "{\"type\":\"response.create\"}");
    let mut texts = Vec::new();
    while let Some(output) = client.session.poll_output() {
        if let Output::Text(text) = output {
            texts.push(text);
        }
    }
    assert_eq!(texts.last().map(String::as_str), Some("not json"));
    let event = |text: &String| serde_json::from_str::<Value>(text).ok();
    let events: Vec<Value> = texts.iter().filter_map(event).collect();
    let sent = events.iter().find(|event| event["type"] == "x").expect("sent");
    assert_eq!(sent["of"]["response"], field(&events, "response.created", "/response/id"));
    assert_eq!(sent["of"]["items"][0], field(&events, "response.output_item.added", "/item/id"));
    assert_eq!(sent["delta"].as_str().map(str::len), Some(640));
}

#[test]
fn acts_that_end_a_connection() {
    let mut client = scenario("{ wait: { ms: 5 } }, { fault: 'dropTcp' }");
    client.wait(5);
    assert!(client.dropped);
    assert_eq!(client.session.poll_timeout(), None);

    let mut client = scenario("{ wait: { ms: 5 } }, { fault: { close: 1011 } }");
    client.wait(5);
    assert_eq!(client.closed, Some(1_011));

    let mut client = scenario("{ wait: { ms: 5 } }, { fault: 'expire' }");
    client.wait(5);
    assert_eq!(client.error()["code"], "session_expired");
    assert_eq!(client.closed, Some(1_001));
}

#[test]
fn a_stall_keeps_everything_back_and_in_order() {
    let mut client = scenario(
        "{ expect: { type: 'response.create' } },
         { fault: { stall: 3000 } },
         { audio: { tone: 440, ms: 200 } }",
    );
    client.send(json!({ "type": "response.create" }));
    client.wait(2_999);
    assert_eq!(client.types(), Vec::<String>::new());
    client.wait(1);
    let events = client.take();
    assert_eq!(samples_of(&events).len(), 4_800);
    assert_eq!(events.last().map(|event| event["type"].clone()), Some(json!("response.done")));
}

#[test]
fn a_close_within_a_stall_leaves_at_its_end() {
    let mut client =
        scenario("{ wait: { ms: 5 } }, { fault: { stall: 50 } }, { fault: { close: 1011 } }");
    client.wait(54);
    assert_eq!(client.closed, None);
    client.wait(1);
    assert_eq!(client.closed, Some(1_011));
    assert_eq!(client.session.poll_timeout(), None);
}

#[test]
fn oddities_on_the_wire() {
    let mut client = scenario(
        "{ expect: { type: 'response.create' } },
         { fault: 'unknownEvent' }, { fault: 'splitUtf8' }, { fault: { reorder: [1, 2] } },
         { audio: { tone: 440, ms: 300, speed: 10000, transcript: 'Ça va ?' } },
         { wait: 'idle' },
         { fault: { hugeDelta: 400000 } }, { fault: 'duplicate' }, { fault: { legacyNames: true } },
         { audio: { tone: 440, ms: 100, speed: 10000 } }",
    );
    client.send(json!({ "type": "response.create" }));
    client.wait(10);
    let events = client.take();
    assert_eq!(events[0]["type"], "response.hologram.delta");
    let deltas: Vec<&Value> =
        events.iter().filter(|event| event["type"] == "response.output_audio.delta").collect();
    let tone: Vec<i16> = client
        .notes
        .iter()
        .find_map(|note| match note {
            Note::Sent(samples) => Some(samples.clone()),
            _ => None,
        })
        .expect("sent");
    assert_eq!(deltas.len(), 4);
    assert_eq!(samples_of(&[deltas[1].clone()]), tone, "the first delta came second");
    assert_eq!(deltas[3]["delta"].as_str().map(str::len), Some(400_000));
    let said: String = events
        .iter()
        .filter(|event| event["type"] == "response.output_audio_transcript.delta")
        .filter_map(|event| event["delta"].as_str())
        .collect();
    assert_eq!(said, "Ça va ?");
    let created: Vec<&Value> = events.iter().filter(|e| e["type"] == "response.created").collect();
    assert_eq!(created.len(), 3);
    assert_eq!(created[1], created[2]);
    assert!(events.iter().any(|event| event["type"] == "response.audio.delta"));
}

#[test]
fn a_text_to_be_spoken_word_for_word_is_spoken_and_takes_no_turn() {
    let mut client = playing("{ turns: [{ reply: { say: 'A turn of mine.' } }] }");
    let message = "Call no tool; speak this text verbatim: \"It is \\\"ten\\\".\"";
    client.send(user_text(message));
    client.send(json!({ "type": "response.create" }));
    client.wait(5_000);
    let events = client.take();
    let text = "It is \"ten\".";
    assert_eq!(field(&events, "response.output_audio_transcript.done", "/transcript"), text);
    assert_eq!(samples_of(&events), tones(text));

    client.send(json!({ "type": "response.create" }));
    client.wait(5_000);
    assert_eq!(samples_of(&client.take()), tones("A turn of mine."));

    let instructions = "Say exactly \"Sure.\" and nothing else.";
    client.send(json!({ "type": "response.create", "response": { "instructions": instructions,
        "conversation": "none" } }));
    client.wait(5_000);
    assert_eq!(samples_of(&client.take()), tones("Sure."));
}

#[test]
fn the_owners_voice_is_waited_for() {
    let script = "{ turns: [{ reply: { say: 'Good day.' } }] }";
    let mut client = playing(script);
    client.session.settings.voice = Voice::Owner;
    client.send(json!({ "type": "response.create" }));
    assert_eq!(client.says, [(1, "Good day.".to_owned())]);
    client.wait(300);
    assert_eq!(client.types(), ["response.created", "rate_limits.updated"]);
    client.session.handle_said(client.now, 9, Some(&[1; 2_400]));
    client.session.handle_said(client.now, 1, Some(&[7; 2_400]));
    client.drain();
    client.wait(1_000);
    let events = client.take();
    assert_eq!(samples_of(&events), [7; 2_400]);
    assert_eq!(field(&events, "response.output_audio_transcript.done", "/transcript"), "Good day.");

    client.send(json!({ "type": "response.create" }));
    client.session.handle_said(client.now, 2, None);
    client.drain();
    client.wait(1_000);
    assert_eq!(samples_of(&client.take()), tones("Good day."), "no voice: tones");

    client.send(json!({ "type": "response.create" }));
    client.wait(20_000);
    assert_eq!(samples_of(&client.take()), tones("Good day."), "no answer: tones");

    client.send(json!({ "type": "response.create" }));
    client.send(json!({ "type": "response.cancel" }));
    client.session.handle_said(client.now, 4, Some(&[7; 2_400]));
    client.drain();
    assert_eq!(samples_of(&client.take()), Vec::<i16>::new());
}

#[test]
fn a_front_end_asks_waits_and_speaks_the_answer() {
    let mut client = playing(
        "{ heardBy: { 'ask.wav': 'How is the weather?' }, turns: [
            { reply: { toolCall: { name: 'agent', arguments: { question: '{heard}' } } } },
            { needsToolOutput: true, reply: { say: 'It is {toolOutput}.' } },
        ] }",
    );
    client.send(json!({ "type": "session.update", "session": { "type": "realtime",
        "audio": { "input": { "transcription": { "model": "any" } } } } }));
    client.speak(&ask());
    client.send(json!({ "type": "input_audio_buffer.commit" }));
    client.send(json!({ "type": "response.create" }));
    let events = client.take();
    let heard = "conversation.item.input_audio_transcription.completed";
    assert_eq!(field(&events, heard, "/transcript"), "How is the weather?");
    let call = field(&events, "response.output_item.done", "/item");
    assert_eq!(call["arguments"], "{\"question\":\"How is the weather?\"}");

    client.send(json!({ "type": "response.create" }));
    let events = client.take();
    assert_eq!(field(&events, "response.done", "/response/output"), json!([]), "it waits");

    client.send(json!({ "type": "conversation.item.create", "item": {
        "type": "function_call_output", "call_id": call["call_id"],
        "output": "{\"status\":\"ok\",\"text\":\"sunny\"}" } }));
    client.send(json!({ "type": "response.create" }));
    client.wait(5_000);
    let events = client.take();
    let said = field(&events, "response.output_audio_transcript.done", "/transcript");
    assert_eq!(said, "It is sunny.");
}

#[test]
fn a_parrot_speaks_the_newest_message_or_the_input_of_the_response() {
    let mut client = Client::configured(Behaviour::Parrot, manual());
    client.speak(&[6; 24 * 200]);
    client.send(json!({ "type": "input_audio_buffer.commit" }));
    let spoken = field(&client.take(), "input_audio_buffer.committed", "/item_id");
    client.send(user_text("hello there"));
    client.send(json!({ "type": "response.create" }));
    client.wait(2_000);
    assert_eq!(samples_of(&client.take()), tones("hello there"));

    let ask_with = |input: Value| {
        json!({ "type": "response.create",
        "response": { "conversation": "none", "input": input } })
    };
    client.send(ask_with(json!([{ "type": "item_reference", "id": spoken }])));
    client.wait(2_000);
    assert_eq!(samples_of(&client.take()), [6; 24 * 200]);
    client.send(ask_with(json!([{ "type": "message", "role": "user",
        "content": [{ "type": "input_text", "text": "aside" }] }])));
    client.wait(2_000);
    assert_eq!(samples_of(&client.take()), tones("aside"));
    client.send(ask_with(json!([])));
    assert_eq!(field(&client.take(), "response.done", "/response/output"), json!([]));

    for (input, param) in [
        (json!({}), "response.input"),
        (json!([{ "type": "item_reference", "id": "x" }]), "response.input"),
        (json!([{ "type": "message", "role": "user" }]), "response.input[0].content"),
    ] {
        client.send(ask_with(input));
        assert_eq!(client.error()["param"], param);
    }
}
