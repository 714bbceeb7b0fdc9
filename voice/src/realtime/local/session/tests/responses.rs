//! The session, its responses, and what a client may do to them.

use super::*;

#[test]
fn the_session_is_created_with_every_field() {
    let mut client = Client::new(Behaviour::Parrot);
    let events = client.take();
    let [created] = &events[..] else { panic!("{events:?}") };
    assert_eq!(created["type"], "session.created");
    let mut session = created["session"].clone();
    assert!(session["id"].as_str().is_some_and(|id| id.starts_with("sess_")));
    session["id"] = "sess".into();
    let format = json!({ "type": "audio/pcm", "rate": 24_000 });
    assert_eq!(
        session,
        json!({
            "type": "realtime", "object": "realtime.session", "id": "sess", "model": "parrot-1",
            "expires_at": 4_600, "output_modalities": ["audio"], "instructions": "", "tools": [],
            "tool_choice": "auto", "max_output_tokens": "inf", "truncation": "auto",
            "tracing": null, "prompt": null, "include": null,
            "audio": {
                "input": {
                    "format": format, "noise_reduction": null, "transcription": null,
                    "turn_detection": {
                        "type": "server_vad", "threshold": 0.5, "prefix_padding_ms": 300,
                        "silence_duration_ms": 200, "idle_timeout_ms": null,
                        "create_response": true, "interrupt_response": true,
                    },
                },
                "output": { "format": format, "voice": "marin", "speed": 1.0 },
            },
        })
    );
}

#[test]
fn a_response_has_the_documented_order_and_constant_ids() {
    let behaviour = Client::script(vec![turn(vec![audio_step(250, "one two three")])]);
    let mut client = Client::configured(behaviour, manual());
    client.send(json!({ "type": "response.create" }));
    client.wait(1_000);
    let events = client.take();
    let types: Vec<&str> = events.iter().filter_map(|event| event["type"].as_str()).collect();
    assert_eq!(
        types,
        [
            "response.created",
            "rate_limits.updated",
            "response.output_item.added",
            "conversation.item.added",
            "response.content_part.added",
            "response.output_audio_transcript.delta",
            "response.output_audio.delta",
            "response.output_audio_transcript.delta",
            "response.output_audio.delta",
            "response.output_audio.delta",
            "response.output_audio.done",
            "response.output_audio_transcript.done",
            "response.content_part.done",
            "conversation.item.done",
            "response.output_item.done",
            "response.done",
        ]
    );
    let response = field(&events, "response.created", "/response/id");
    let item = field(&events, "response.output_item.added", "/item/id");
    for event in &events {
        if let Some(id) = event.get("response_id") {
            assert_eq!(*id, response, "{event}");
            assert_eq!(event["output_index"], 0, "{event}");
        }
        if let Some(id) = event.get("item_id") {
            assert_eq!(*id, item, "{event}");
            assert_eq!(event["content_index"], 0, "{event}");
        }
    }
    assert_eq!(
        field(&events, "response.content_part.done", "/part"),
        json!({ "type": "audio", "transcript": "one two three" })
    );
    let done = field(&events, "response.done", "/response");
    assert_eq!(done["status"], "completed");
    assert_eq!(
        done["output"][0]["content"][0],
        json!({ "type": "output_audio", "transcript": "one two three" })
    );
    assert_eq!(samples_of(&events).len(), 24 * 250);
}

#[test]
fn deltas_are_100_ms_of_audio_at_four_times_its_pace() {
    let behaviour = Client::script(vec![turn(vec![audio_step(1_000, "")])]);
    let mut client = Client::configured(behaviour, manual());
    client.send(json!({ "type": "response.create" }));
    client.wait(1_000);
    let times: Vec<u64> = client
        .inbox
        .iter()
        .filter(|(_, event)| event["type"] == "response.output_audio.delta")
        .map(|(at, _)| at.as_millis())
        .collect();
    assert_eq!(times, [0, 25, 50, 75, 100, 125, 150, 175, 200, 225]);
    let done = client.inbox.iter().find(|(_, event)| event["type"] == "response.done");
    assert_eq!(done.map(|(at, _)| at.as_millis()), Some(250));
}

#[test]
fn cancelling() {
    let behaviour = Client::script(vec![turn(vec![audio_step(10_000, "a b c")])]);
    let mut client = Client::configured(behaviour, manual());
    client.send(json!({ "type": "response.cancel", "event_id": "mine" }));
    let error = client.error();
    assert_eq!(
        (&error["code"], &error["event_id"]),
        (&json!("response_cancel_not_active"), &json!("mine"))
    );

    client.send(json!({ "type": "response.create" }));
    client.wait(60);
    client.take();
    client.send(json!({ "type": "response.create", "event_id": "agents_js_response_create_2" }));
    let error = client.error();
    assert_eq!(error["code"], "conversation_already_has_active_response");
    assert_eq!(error["event_id"], "agents_js_response_create_2");

    client.send(json!({ "type": "response.cancel", "response_id": "resp_other" }));
    assert_eq!(client.error()["code"], "response_cancel_not_active");

    client.send(json!({ "type": "response.cancel" }));
    let events = client.take();
    let types: Vec<&str> = events.iter().filter_map(|event| event["type"].as_str()).collect();
    assert_eq!(
        types,
        [
            "response.output_audio.done",
            "response.output_audio_transcript.done",
            "response.content_part.done",
            "conversation.item.done",
            "response.output_item.done",
            "response.done",
        ]
    );
    assert_eq!(
        field(&events, "response.done", "/response/status_details/reason"),
        "client_cancelled"
    );
    client.wait(10_000);
    assert_eq!(client.types(), Vec::<String>::new());
}

#[test]
fn truncation_is_bounded_by_what_was_sent() {
    let behaviour = Client::script(vec![turn(vec![audio_step(1_000, "a b c d")])]);
    let mut client = Client::configured(behaviour, manual());
    client.send(json!({ "type": "response.create" }));
    client.wait(60); // three deltas
    let item = field(&client.take(), "response.output_item.added", "/item/id");
    let truncate = |ms: u64| json!({ "type": "conversation.item.truncate", "item_id": item, "content_index": 0, "audio_end_ms": ms });
    client.send(truncate(301));
    assert_eq!(client.error()["message"], "Audio content of 300ms is already shorter than 301ms");
    client.send(json!({ "type": "response.cancel" }));
    client.take();
    client.send(truncate(120));
    assert_eq!(client.types(), ["conversation.item.truncated"]);
    client.send(json!({ "type": "conversation.item.retrieve", "item_id": item }));
    let events = client.take();
    let part = field(&events, "conversation.item.retrieved", "/item/content/0");
    assert_eq!(part["transcript"], Value::Null);
    let audio = conversation::decode_audio(part["audio"].as_str().expect("text"), "audio");
    assert_eq!(audio.map(|bytes| bytes.len()), Ok(120 * 24 * 2));
    let noted = client.notes.iter().filter(|note| {
        matches!(note, Note::Event { name: "truncate", fields, .. } if fields["accepted"] == true)
    });
    assert_eq!(noted.count(), 1);
}

#[test]
fn a_script_is_played_in_order() {
    let call = Step::ToolCall { name: "clock".into(), arguments: "{\"zone\":\"UTC\"}".into() };
    let fail =
        Step::Fail { code: "inference_rate_limit_exceeded".into(), message: "Later.".into() };
    let behaviour = Client::script(vec![
        Turn { heard: Some("What is the time?".into()), steps: vec![call], ..Turn::default() },
        turn(vec![Step::Stall(Duration::from_millis(700)), audio_step(100, "Noon.")]),
        turn(vec![fail]),
        turn(vec![Step::Close(1_011)]),
    ]);
    let mut session = manual();
    session["audio"]["input"]["transcription"] = json!({ "model": "any" });
    let mut client = Client::configured(behaviour, session);
    client.speak(&[6; 24 * 200]);
    client.send(json!({ "type": "input_audio_buffer.commit" }));
    let events = client.take();
    assert_eq!(
        field(&events, "conversation.item.input_audio_transcription.completed", "/transcript"),
        "What is the time?"
    );

    client.send(json!({ "type": "response.create" }));
    let events = client.take();
    let types: Vec<&str> = events.iter().filter_map(|event| event["type"].as_str()).collect();
    assert_eq!(
        types,
        [
            "response.created",
            "rate_limits.updated",
            "response.output_item.added",
            "conversation.item.added",
            "response.function_call_arguments.delta",
            "response.function_call_arguments.done",
            "conversation.item.done",
            "response.output_item.done",
            "response.done",
        ]
    );
    let added = field(&events, "response.output_item.added", "/item");
    assert_eq!((&added["status"], &added["arguments"]), (&json!("in_progress"), &json!("")));
    let done = field(&events, "response.output_item.done", "/item");
    assert_eq!(done["status"], "completed");
    assert_eq!(done["arguments"], "{\"zone\":\"UTC\"}");
    assert!(done["call_id"].as_str().is_some_and(|id| id.len() <= 32), "{done}");

    client.send(json!({ "type": "conversation.item.create", "item": {
        "type": "function_call_output", "call_id": done["call_id"], "output": "12:00" } }));
    assert_eq!(client.types(), ["conversation.item.added", "conversation.item.done"]);

    client.send(json!({ "type": "response.create" }));
    client.wait(690);
    assert_eq!(client.types(), ["response.created", "rate_limits.updated"]);
    client.wait(100);
    assert_eq!(samples_of(&client.take()).len(), 2_400);

    client.send(json!({ "type": "response.create" }));
    let events = client.take();
    let failed = field(&events, "response.done", "/response");
    assert_eq!(failed["status"], "failed");
    assert_eq!(failed["status_details"]["error"]["code"], "inference_rate_limit_exceeded");

    client.send(json!({ "type": "response.create" }));
    assert_eq!(client.closed, Some(1_011));
    assert_eq!(client.session.poll_timeout(), None);
}

#[test]
fn several_items_in_one_response() {
    let call = Step::ToolCall { name: "f".into(), arguments: "{}".into() };
    let behaviour = Client::script(vec![turn(vec![audio_step(100, "One moment."), call])]);
    let mut client = Client::configured(behaviour, manual());
    client.send(json!({ "type": "response.create" }));
    client.wait(1_000);
    let events = client.take();
    let indexes: Vec<&Value> = events
        .iter()
        .filter(|event| event["type"] == "response.output_item.done")
        .map(|event| &event["output_index"])
        .collect();
    assert_eq!(indexes, [&json!(0), &json!(1)]);
    let output = field(&events, "response.done", "/response/output");
    assert_eq!(
        (&output[0]["type"], &output[1]["type"]),
        (&json!("message"), &json!("function_call"))
    );
}

#[test]
fn text_answers_and_responses_out_of_band() {
    let behaviour = Client::script(vec![
        turn(vec![audio_step(5_000, "long")]),
        turn(vec![audio_step(500, "said aside")]),
    ]);
    let mut client = Client::configured(behaviour, manual());
    client.send(json!({ "type": "response.create" }));
    client.take();
    client.send(json!({ "type": "response.create", "response": {
        "conversation": "none", "output_modalities": ["text"], "metadata": { "topic": "x" } } }));
    client.wait(500);
    let aside: Vec<Value> = client
        .take()
        .into_iter()
        .filter(|event| {
            event["response"]["metadata"]["topic"] == "x"
                || event["type"] == "response.output_text.done"
        })
        .collect();
    assert_eq!(field(&aside, "response.output_text.done", "/text"), "said aside");
    let done = field(&aside, "response.done", "/response");
    assert_eq!(done["conversation_id"], Value::Null);
    assert_eq!(
        done["output"][0]["content"][0],
        json!({ "type": "output_text", "text": "said aside" })
    );
}

#[test]
fn a_session_expires() {
    let mut client = Client::new(Behaviour::Parrot);
    client.take();
    client.wait(3_599_999);
    assert_eq!(client.closed, None);
    client.wait(1);
    assert_eq!(client.error()["code"], "session_expired");
    assert_eq!(client.closed, Some(1_001));
}
