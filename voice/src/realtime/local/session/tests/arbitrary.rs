//! Any client whatsoever.

use proptest::prelude::*;

use super::*;

fn event() -> impl Strategy<Value = Value> {
    let id = prop::sample::select(vec!["item_00000000000000070000003", "x", "root", ""]);
    let number = prop_oneof![Just(json!(0)), Just(json!(100)), Just(json!(-1)), Just(json!("a"))];
    let kind = prop::sample::select(vec![
        "session.update",
        "input_audio_buffer.append",
        "input_audio_buffer.commit",
        "input_audio_buffer.clear",
        "conversation.item.create",
        "conversation.item.retrieve",
        "conversation.item.truncate",
        "conversation.item.delete",
        "response.create",
        "response.cancel",
        "nonsense",
    ]);
    let body = prop_oneof![
        Just(json!({})),
        Just(append(&[9_000; 24 * 120])),
        Just(append(&ask()[..24_000])),
        Just(json!({ "session": { "type": "realtime", "audio": { "input": { "turn_detection": null } } } })),
        Just(json!({ "session": { "type": "realtime", "output_modalities": ["text"] } })),
        Just(json!({ "session": { "type": "realtime", "audio": { "input": { "turn_detection":
            { "type": "semantic_vad" } } } } })),
        Just(json!({ "item": { "type": "message", "role": "user", "content":
            [{ "type": "input_text", "text": "hi" }] } })),
        Just(json!({ "response": { "conversation": "none" } })),
        (id, number.clone(), number).prop_map(|(id, content, end)| {
            json!({ "item_id": id, "content_index": content, "audio_end_ms": end, "response_id": id })
        }),
        any::<String>().prop_map(|text| json!({ "audio": text, "item": text, "session": text })),
    ];
    (kind, body).prop_map(|(kind, mut body)| {
        body["type"] = kind.into();
        body
    })
}

fn step() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "{ expect: { type: 'response.create', withinMs: 100 } }",
        "{ expect: { type: 'response.cancel', withinMs: 100000 } }",
        "{ wait: { ms: 40 } }",
        "{ wait: { ms: 0 } }",
        "{ wait: { audioMs: 60 } }",
        "{ wait: { clientEvent: 'input_audio_buffer.append' } }",
        "{ wait: 'idle' }",
        "{ audio: { tone: 440, ms: 250, transcript: 'né n' } }",
        "{ audio: [{ stallMs: 30, say: 'one two' }, { toolCall: { name: 'f' } }] }",
        "{ audio: { error: { code: 'c', message: 'm' } } }",
        "{ send: { type: 'x', of: ['$response', '$item', '$call', '$userItem', '$tone:5'] } }",
        "{ send: 'nonsense' }",
        "{ fault: 'badBase64' }",
        "{ fault: 'oddBytes' }",
        "{ fault: 'splitUtf8' }",
        "{ fault: 'duplicate' }",
        "{ fault: 'unknownEvent' }",
        "{ fault: { reorder: [1, 2] } }",
        "{ fault: { legacyNames: true } }",
        "{ fault: { stall: 70 } }",
        "{ fault: { hugeDelta: 999 } }",
        "{ fault: 'expire' }",
        "{ fault: { close: 1011 } }",
        "{ fault: 'dropTcp' }",
        "{ assert: { event: 'response.create', times: 1 } }",
        "{ assert: { truncateMs: 100, within: 50 } }",
    ])
}

/// A client that takes any text.
fn play(scenario: &[&str], events: Vec<(Value, u64)>, voice: Voice) -> Client {
    let text = format!("{{ connections: [{{ steps: [{}] }}] }}", scenario.join(", "));
    let script = Script::parse(&text, |_| Err(String::new())).expect("a valid script");
    let mut client = Client::new(Behaviour::Script(Arc::new(script)));
    client.session.settings.voice = voice;
    for (event, wait) in events {
        client.send(event);
        client.wait(wait);
    }
    client
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_scenario_comes_to_one_end(
        scenario in prop::collection::vec(step(), 0..12),
        events in prop::collection::vec((event(), 0..200u64), 0..20),
        owner: bool,
    ) {
        let voice = if owner { Voice::Owner } else { Voice::Tones };
        let mut client = play(&scenario, events, voice);
        client.wait(200_000);
        client.session.finish(client.now);
        client.drain();
        prop_assert_eq!(client.outcomes().len(), 1, "{:?} {:?}", client.outcomes(), scenario);
        prop_assert!(!(client.dropped && client.closed.is_some()));
    }

    #[test]
    fn any_text_is_survived(texts in prop::collection::vec(any::<String>(), 0..20)) {
        let mut client = Client::new(Behaviour::Parrot);
        for text in texts {
            client.session.handle_text(client.now, &text);
            client.drain();
        }
    }

    #[test]
    fn every_response_that_begins_is_done_once(
        steps in prop::collection::vec((event(), 0..200u64), 0..40),
        scripted: bool,
    ) {
        let behaviour = if scripted {
            let call = Step::ToolCall { name: "f".into(), arguments: "{}".into() };
            Client::script(vec![turn(vec![audio_step(300, "a b"), call, audio_step(50, "")])])
        } else {
            Behaviour::Parrot
        };
        let mut client = Client::new(behaviour);
        let mut events = Vec::new();
        for (event, wait) in steps {
            client.send(event);
            client.wait(wait);
            events.append(&mut client.take());
        }
        client.wait(600_000);
        events.append(&mut client.take());
        let ids = |kind: &str| {
            let mut ids: Vec<String> = events
                .iter()
                .filter(|event| event["type"] == kind)
                .filter_map(|event| event["response"]["id"].as_str().map(str::to_owned))
                .collect();
            ids.sort();
            ids
        };
        prop_assert_eq!(ids("response.created"), ids("response.done"));
    }
}
