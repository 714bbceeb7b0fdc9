//! Items, and what a client may do to them.

use super::*;

fn with_answer(ms: usize) -> Conversation {
    let mut conversation = Conversation::default();
    let user = Part::Audio { samples: vec![1; 24 * 250], transcript: None };
    let kind = Kind::Message { role: Role::User, parts: vec![user] };
    conversation.push(Item::new("u".into(), "completed", kind));
    let audio = Part::Audio { samples: vec![2; 24 * ms], transcript: Some("words".into()) };
    let kind = Kind::Message { role: Role::Assistant, parts: vec![audio] };
    conversation.push(Item::new("a".into(), "completed", kind));
    conversation
}

#[test]
fn truncation_is_checked_and_cuts() {
    for (item, content, end, code) in [
        ("x", json!(0), json!(1), "item_truncate_invalid_item_id"),
        ("u", json!(0), json!(1), "unsupported_content_type"),
        ("a", json!(1), json!(1), "invalid_value"),
        ("a", json!(0), json!(1_001), "invalid_value"),
        ("a", json!(0), json!(-1), "integer_below_min_value"),
        ("a", json!(0), json!(1.5), "invalid_type"),
        ("a", json!(0), json!("9"), "invalid_type"),
    ] {
        let event = json!({ "item_id": item, "content_index": content, "audio_end_ms": end });
        let refusal = with_answer(1_000).truncate(&event).expect_err("refused");
        assert_eq!(refusal.code, code, "{event}");
    }
    let mut conversation = with_answer(1_000);
    let event = json!({ "item_id": "a", "content_index": 0, "audio_end_ms": 400 });
    assert_eq!(conversation.truncate(&event), Ok(("a".to_owned(), 0, 400)));
    conversation.grow("a", &[3; 2_400], "more");
    let Some(Kind::Message { parts, .. }) = conversation.find("a").map(|item| &item.kind) else {
        panic!("the item is gone");
    };
    assert_eq!(parts[..], [Part::Audio { samples: vec![2; 24 * 400], transcript: None }]);
    let refusal = conversation
        .truncate(&json!({ "item_id": "a", "content_index": 0, "audio_end_ms": 401 }))
        .expect_err("longer than what is left");
    assert_eq!(refusal.message, "Audio content of 400ms is already shorter than 401ms");
}

#[test]
fn audio_is_charged_by_its_length() {
    assert_eq!(with_answer(1_010).tokens(), Tokens { text: 0, audio: 3 + 21 });
}

#[test]
fn items_are_inserted_where_asked() {
    let mut conversation = with_answer(100);
    let item = json!({ "type": "message", "role": "user", "content": [{ "type": "input_text", "text": "hi" }] });
    let id = |id: &str| {
        let id = id.to_owned();
        move || id
    };
    let create = |conversation: &mut Conversation, previous: Value, name: &str| {
        conversation
            .create(&json!({ "item": item, "previous_item_id": previous }), id(name))
            .map(|(_, previous)| previous)
    };
    assert_eq!(create(&mut conversation, json!("root"), "1"), Ok(None));
    assert_eq!(create(&mut conversation, json!("u"), "2"), Ok(Some("u".to_owned())));
    assert_eq!(create(&mut conversation, Value::Null, "3"), Ok(Some("a".to_owned())));
    let ids: Vec<&str> = conversation.items.iter().map(|item| item.id.as_str()).collect();
    assert_eq!(ids, ["1", "u", "2", "a", "3"]);
    assert!(create(&mut conversation, json!("nowhere"), "4").is_err());
}

#[test]
fn wrong_items_are_refused() {
    let long = "x".repeat(33);
    for (item, code) in [
        (json!(1), "invalid_type"),
        (json!({}), "missing_required_parameter"),
        (json!({ "type": "poem" }), "invalid_value"),
        (json!({ "type": "message", "role": "god", "content": [] }), "invalid_value"),
        (json!({ "type": "message", "role": "user" }), "missing_required_parameter"),
        (
            json!({ "type": "message", "role": "assistant", "content": [{ "type": "output_audio" }] }),
            "invalid_value",
        ),
        (
            json!({ "type": "message", "role": "user", "content": [{ "type": "input_audio", "audio": "?" }] }),
            "invalid_value",
        ),
        (
            json!({ "type": "message", "role": "user", "content": [], "id": "u" }),
            "item_create_duplicate_item_id",
        ),
        (
            json!({ "type": "message", "role": "user", "content": [], "id": long }),
            "string_above_max_length",
        ),
        (
            json!({ "type": "function_call_output", "call_id": "c", "output": "" }),
            "invalid_tool_call_id",
        ),
    ] {
        let refusal = with_answer(1)
            .create(&json!({ "item": item }), || "new".to_owned())
            .expect_err("refused");
        assert_eq!(refusal.code, code, "{item}");
    }
}

#[test]
fn a_tool_output_needs_its_call() {
    let mut conversation = Conversation::default();
    let call = json!({ "type": "function_call", "call_id": "c", "name": "f", "arguments": "{}" });
    let output = json!({ "type": "function_call_output", "call_id": "c", "output": "42" });
    conversation.create(&json!({ "item": call }), || "1".into()).expect("a call is taken");
    conversation.create(&json!({ "item": output }), || "2".into()).expect("its output is taken");
}

#[test]
fn old_audio_goes_first() {
    let mut conversation = Conversation::default();
    for id in 0..3 {
        let samples = vec![1; MAX_SAMPLES / 2];
        let parts = vec![Part::Audio { samples, transcript: None }];
        let kind = Kind::Message { role: Role::User, parts };
        conversation.push(Item::new(id.to_string(), "completed", kind));
    }
    let kept: Vec<usize> =
        conversation.items.iter().filter_map(Item::audio).map(|(_, s)| s.len()).collect();
    assert_eq!(kept, [0, MAX_SAMPLES / 2, MAX_SAMPLES / 2]);
}

#[test]
fn the_newest_audio_is_kept_however_long_it_is() {
    let mut conversation = Conversation::default();
    let parts = vec![Part::Audio { samples: vec![1; MAX_SAMPLES + 1], transcript: None }];
    let kind = Kind::Message { role: Role::User, parts };
    conversation.push(Item::new("long".into(), "completed", kind));
    assert_eq!(conversation.user_audio("long").map(<[i16]>::len), Some(MAX_SAMPLES + 1));
}
