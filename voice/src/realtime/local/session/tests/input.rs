//! What a client sends: speech, commits, mistakes.

use super::*;

#[test]
fn a_spoken_turn_comes_back_sample_for_sample() {
    let mut client = Client::configured(
        Behaviour::Parrot,
        json!({ "audio": { "input": {
            "transcription": { "model": "any" },
            "turn_detection": { "type": "server_vad", "silence_duration_ms": 500 },
        } } }),
    );
    let lead = 24_000;
    let speech = ask();
    let mut said = vec![0; lead];
    said.extend(&speech);
    said.extend(vec![0; 24_000]);
    client.speak(&said);
    client.wait(5_000);
    let events = client.take();

    let start = field(&events, "input_audio_buffer.speech_started", "/audio_start_ms");
    let start = start.as_u64().expect("ms");
    assert!((600..=800).contains(&start), "speech after 1000 ms less 300 ms padding: {start}");
    let stop = field(&events, "input_audio_buffer.speech_stopped", "/audio_end_ms");
    let stop = stop.as_u64().expect("ms");
    let end = (lead + speech.len()) as u64 / 24 + 500;
    assert!(stop.abs_diff(end) <= 200, "stopped at {stop}, expected about {end}");

    let heard = &said[start as usize * 24..stop as usize * 24];
    assert_eq!(samples_of(&events), heard, "the echo is not what was heard");

    let item = field(&events, "input_audio_buffer.speech_started", "/item_id");
    for kind in [
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
        "conversation.item.input_audio_transcription.completed",
    ] {
        assert_eq!(field(&events, kind, "/item_id"), item, "{kind}");
    }
    let seconds = heard.len() as f64 / 24_000.0;
    assert_eq!(
        field(&events, "conversation.item.input_audio_transcription.completed", "/transcript"),
        format!("({seconds:.1} s of speech)")
    );
    assert_eq!(
        field(&events, "conversation.item.input_audio_transcription.completed", "/usage"),
        json!({ "type": "duration", "seconds": seconds })
    );
    let usage = field(&events, "response.done", "/response/usage");
    let ms = heard.len() as u64 / 24;
    assert_eq!(usage["input_token_details"]["audio_tokens"], ms.div_ceil(100));
    assert_eq!(usage["output_token_details"]["audio_tokens"], ms.div_ceil(50));
}

#[test]
fn speech_interrupts_when_asked_to() {
    for (interrupt, status) in [(true, "cancelled"), (false, "completed")] {
        let behaviour = Client::script(vec![turn(vec![audio_step(60_000, "on and on")])]);
        let rules = json!({ "type": "server_vad", "silence_duration_ms": 500,
            "interrupt_response": interrupt, "create_response": false });
        let mut client = Client::configured(
            behaviour,
            json!({ "audio": { "input": { "turn_detection": rules } } }),
        );
        client.send(json!({ "type": "response.create" }));
        client.speak(&ask());
        client.wait(20_000);
        let events = client.take();
        let done = field(&events, "response.done", "/response");
        assert_eq!(done["status"], status);
        if interrupt {
            assert_eq!(
                done["status_details"],
                json!({ "type": "cancelled", "reason": "turn_detected" })
            );
            assert_eq!(field(&events, "response.output_item.done", "/item/status"), "incomplete");
            let types: Vec<&Value> = events.iter().map(|event| &event["type"]).collect();
            let at = |kind: &str| types.iter().position(|found| *found == kind);
            assert!(at("input_audio_buffer.speech_started") < at("response.output_audio.done"));
            assert!(
                !types[at("response.done").expect("done")..]
                    .contains(&&json!("response.output_audio.delta"))
            );
        }
    }
}

#[test]
fn a_turn_during_a_response_is_refused_if_it_may_not_interrupt() {
    let behaviour = Client::script(vec![turn(vec![audio_step(60_000, "")])]);
    let rules =
        json!({ "type": "server_vad", "silence_duration_ms": 500, "interrupt_response": false });
    let mut client =
        Client::configured(behaviour, json!({ "audio": { "input": { "turn_detection": rules } } }));
    client.send(json!({ "type": "response.create" }));
    let mut said = ask();
    said.extend(vec![0; 24_000]);
    client.speak(&said);
    let events = client.take();
    assert_eq!(field(&events, "error", "/error/code"), "conversation_already_has_active_response");
}

#[test]
fn manual_turns() {
    let mut client = Client::configured(Behaviour::Parrot, manual());
    client.send(json!({ "type": "input_audio_buffer.commit" }));
    assert_eq!(client.error()["code"], "input_audio_buffer_commit_empty");

    client.speak(&[5; 24 * 200]);
    client.send(json!({ "type": "input_audio_buffer.clear" }));
    assert_eq!(client.types(), ["input_audio_buffer.cleared"]);
    client.send(json!({ "type": "input_audio_buffer.commit" }));
    assert_eq!(client.error()["code"], "input_audio_buffer_commit_empty");

    client.speak(&[6; 24 * 200]);
    client.send(json!({ "type": "input_audio_buffer.commit" }));
    client.wait(1_000);
    assert_eq!(
        client.types(),
        ["input_audio_buffer.committed", "conversation.item.added", "conversation.item.done"]
    );
    client.send(json!({ "type": "response.create" }));
    client.wait(1_000);
    assert_eq!(samples_of(&client.take()), vec![6; 24 * 200]);
}

#[test]
fn a_deleted_turn_is_not_echoed() {
    let mut client = Client::configured(Behaviour::Parrot, manual());
    client.speak(&[6; 24 * 200]);
    client.send(json!({ "type": "input_audio_buffer.commit" }));
    let item = field(&client.take(), "input_audio_buffer.committed", "/item_id");
    client.send(json!({ "type": "conversation.item.delete", "item_id": item }));
    assert_eq!(client.types(), ["conversation.item.deleted"]);
    client.send(json!({ "type": "response.create" }));
    client.wait(1_000);
    let events = client.take();
    assert_eq!(field(&events, "response.done", "/response/output"), json!([]));
}

#[test]
fn wrong_input_is_answered_and_the_session_goes_on() {
    let mut client = Client::configured(Behaviour::Parrot, manual());
    for (text, code) in [
        ("", "invalid_json"),
        ("{", "invalid_json"),
        ("[]", "invalid_json"),
        ("{}", "missing_required_parameter"),
        ("{\"type\":5}", "invalid_type"),
        ("{\"type\":\"response.creat\"}", "invalid_value"),
        ("{\"type\":\"response.cancel\",\"event_id\":5}", "invalid_type"),
        ("{\"type\":\"session.update\"}", "missing_required_parameter"),
        ("{\"type\":\"input_audio_buffer.append\"}", "missing_required_parameter"),
        ("{\"type\":\"input_audio_buffer.append\",\"audio\":\"*\"}", "invalid_value"),
        (
            "{\"type\":\"conversation.item.retrieve\",\"item_id\":\"x\"}",
            "item_retrieve_invalid_item_id",
        ),
        (
            "{\"type\":\"conversation.item.delete\",\"item_id\":\"x\"}",
            "item_delete_invalid_item_id",
        ),
        ("{\"type\":\"response.create\",\"response\":{\"conversation\":\"x\"}}", "invalid_value"),
        ("{\"type\":\"response.create\",\"response\":{\"metadata\":[]}}", "invalid_value"),
    ] {
        client.session.handle_text(client.now, text);
        client.drain();
        assert_eq!(client.error()["code"], code, "{text}");
    }
    client.session.handle_binary(client.now);
    client.drain();
    assert_eq!(client.error()["code"], "invalid_json");
    client.send(json!({ "type": "input_audio_buffer.clear" }));
    assert_eq!(client.types(), ["input_audio_buffer.cleared"]);
}

#[test]
fn what_was_heard_and_sent_is_noted_whole() {
    let mut client = Client::configured(Behaviour::Parrot, manual());
    let said: Vec<i16> = (0..24 * 300).map(|n| n as i16).collect();
    client.speak(&said);
    client.send(json!({ "type": "input_audio_buffer.commit" }));
    client.send(json!({ "type": "response.create" }));
    client.wait(1_000);
    let (mut heard, mut sent) = (Vec::<i16>::new(), Vec::<i16>::new());
    for note in &client.notes {
        match note {
            Note::Heard(samples) => heard.extend(samples),
            Note::Sent(samples) => sent.extend(samples),
            Note::Event { .. } => {}
        }
    }
    assert_eq!(heard, said);
    assert_eq!(sent, said);
}
