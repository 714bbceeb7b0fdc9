use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, STANDARD_NO_PAD},
};
use proptest::prelude::*;
use serde_json::json;

use super::*;

fn decode(event: &Value) -> ServerEvent {
    Decoder::new().decode(&event.to_string()).unwrap().1
}

#[test]
fn provider_scenario_36_legacy_names_are_read_like_the_ga_ones() {
    let audio = STANDARD.encode([1, 0, 2, 0]);
    let ga = decode(&json!({
        "type": "response.output_audio.delta", "event_id": "e", "response_id": "r",
        "item_id": "i", "output_index": 0, "content_index": 0, "delta": audio,
    }));
    let expected = ServerEvent::Audio(AudioDelta {
        response: Some("r".into()),
        item: "i".into(),
        content_index: 0,
        pcm: vec![1, 2],
    });
    assert_eq!(ga, expected);
    for (kind, field) in [
        ("response.audio.delta", "delta"),
        ("conversation.output_audio.delta", "delta"),
        ("conversation.output_audio.delta", "data"),
    ] {
        let event = json!({"type": kind, "response_id": "r", "item_id": "i", field: audio});
        assert_eq!(decode(&event), expected, "{kind} {field}");
    }
    let cancelled = decode(&json!({"type": "response.cancelled", "response_id": "r"}));
    let done =
        decode(&json!({"type": "response.done", "response": {"id": "r", "status": "cancelled"}}));
    assert_eq!(cancelled, done);
    for kind in ["response.output_audio_transcript.done", "response.audio_transcript.done"] {
        assert_eq!(
            decode(&json!({"type": kind, "response_id": "r", "transcript": "hello"})),
            ServerEvent::AssistantTranscript {
                response: Some("r".into()),
                item: None,
                text: "hello".into()
            }
        );
    }
    for kind in ["response.output_text.done", "response.text.done"] {
        assert_eq!(
            decode(&json!({"type": kind, "response_id": "r", "text": "hello"})),
            ServerEvent::AssistantTranscript {
                response: Some("r".into()),
                item: None,
                text: "hello".into()
            }
        );
    }
}

#[test]
fn provider_scenario_28_a_stray_byte_joins_the_same_items_next_delta() {
    let mut decoder = Decoder::new();
    let mut pcm = |item: &str, bytes: &[u8]| {
        let event = json!({"type": "response.output_audio.delta", "response_id": "r",
                           "item_id": item, "delta": STANDARD.encode(bytes)});
        match decoder.decode(&event.to_string()).unwrap().1 {
            ServerEvent::Audio(delta) => delta.pcm,
            other => panic!("not audio: {other:?}"),
        }
    };
    assert_eq!(pcm("a", &[1, 0, 2]), [1]);
    assert_eq!(pcm("b", &[7, 0]), [7]);
    assert_eq!(pcm("a", &[]), [0_i16; 0]);
    assert_eq!(pcm("a", &[0]), [2]);
    assert_eq!(pcm("a", &[3, 0, 4]), [3]);
    assert_eq!(pcm("a", &[1, 5]), [260]);
    assert_eq!(pcm("a", &[0, 6, 0]), [5, 6]);
}

#[test]
fn provider_scenario_27_bad_base64_is_dropped_and_counted() {
    let mut decoder = Decoder::new();
    for bad in [json!("@@@"), json!("A"), json!(7), Value::Null] {
        let event = json!({"type": "response.output_audio.delta", "delta": bad});
        assert_eq!(decoder.decode(&event.to_string()).unwrap().1, ServerEvent::BadAudio);
    }
    assert_eq!(decoder.stats().bad_audio, 4);
    let unpadded = json!({"type": "response.audio.delta", "delta": STANDARD_NO_PAD.encode([1, 0])});
    assert!(matches!(
        decoder.decode(&unpadded.to_string()).unwrap().1,
        ServerEvent::Audio(AudioDelta { pcm, .. }) if pcm == [1]
    ));
}

#[test]
fn provider_scenario_35_unknown_events_and_further_fields_are_ignored() {
    let mut decoder = Decoder::new();
    let unknown = r#"{"type":"response.smell.delta","delta":1}"#;
    assert_eq!(decoder.decode(unknown).unwrap().1, ServerEvent::Unknown);
    let extra = r#"{"type":"session.updated","session":[],"future":{"a":1}}"#;
    assert_eq!(decoder.decode(extra).unwrap().1, ServerEvent::SessionUpdated);
    assert_eq!(decoder.stats().unknown, 1);
}

#[test]
fn provider_scenario_37_frames_that_are_no_events_are_skipped_and_counted() {
    let mut decoder = Decoder::new();
    for (frame, error) in [
        ("", Unreadable::NotJson),
        ("{", Unreadable::NotJson),
        ("[{\"type\":\"error\"}]", Unreadable::NotAnEvent),
        ("7", Unreadable::NotAnEvent),
        ("{}", Unreadable::NotAnEvent),
        (r#"{"type":null}"#, Unreadable::NotAnEvent),
    ] {
        assert_eq!(decoder.decode(frame), Err(error), "{frame}");
    }
    assert_eq!(decoder.stats(), DecodeStats { unreadable: 6, bad_audio: 0, unknown: 0 });
}

#[test]
fn function_calls_are_read_from_both_events() {
    let arguments = decode(&json!({
        "type": "response.function_call_arguments.done", "response_id": "r", "item_id": "i",
        "call_id": "c", "name": "consult", "arguments": "{\"q\":1}",
    }));
    let item = decode(&json!({
        "type": "response.output_item.done", "response_id": "r",
        "item": {"id": "i", "type": "function_call", "status": "completed", "call_id": "c",
                 "name": "consult", "arguments": "{\"q\":1}"},
    }));
    let call = |status| {
        ServerEvent::FunctionCall(FunctionCall {
            response: Some("r".into()),
            item: Some("i".into()),
            call_id: "c".into(),
            name: "consult".into(),
            arguments: "{\"q\":1}".into(),
            status,
        })
    };
    assert_eq!(arguments, call(ItemStatus::Unknown));
    assert_eq!(item, call(ItemStatus::Completed));
}

#[test]
fn a_failed_response_names_its_error() {
    let done = decode(&json!({"type": "response.done", "response": {
        "id": "r", "status": "failed",
        "status_details": {"error": {"code": "inference_rate_limit_exceeded", "type": "t"}},
    }}));
    let ServerEvent::ResponseDone { status, failure, .. } = done else {
        panic!("not done: {done:?}")
    };
    assert_eq!(status, ResponseStatus::Failed);
    assert_eq!(failure.code, "inference_rate_limit_exceeded");
}

#[test]
fn partial_transcripts_say_all_of_the_words_so_far() {
    let mut decoder = Decoder::new();
    let mut said = |kind: &str, item: &str, field: &str, text: &str| {
        let event = json!({"type": kind, "item_id": item, field: text});
        match decoder.decode(&event.to_string()).unwrap().1 {
            ServerEvent::UserTranscriptPartial { item, text } => (item, text, false),
            ServerEvent::UserTranscript { item, text, .. } => (item, text, true),
            other => panic!("no transcript: {other:?}"),
        }
    };
    let delta = "conversation.item.input_audio_transcription.delta";
    let done = "conversation.item.input_audio_transcription.completed";
    assert_eq!(said(delta, "a", "delta", "Hel"), (Some("a".into()), "Hel".into(), false));
    assert_eq!(said(delta, "b", "delta", "Oh"), (Some("b".into()), "Oh".into(), false));
    assert_eq!(said(delta, "a", "delta", "lo"), (Some("a".into()), "Hello".into(), false));
    assert_eq!(said(done, "a", "transcript", "Hello."), (Some("a".into()), "Hello.".into(), true));
    let legacy = "conversation.input_transcript.delta";
    assert_eq!(said(legacy, "b", "delta", "!"), (Some("b".into()), "Oh!".into(), false));
}

#[test]
fn provider_scenario_43_a_cumulative_transcript_says_nothing_twice() {
    let mut decoder = Decoder::of(&Profile { cumulative_transcripts: true, ..Profile::default() });
    let mut said = |kind: &str, field: &str, text: &str| {
        let kind = format!("conversation.item.input_audio_transcription.{kind}");
        let event = json!({"type": kind, "item_id": "a", field: text});
        match decoder.decode(&event.to_string()).unwrap().1 {
            ServerEvent::UserTranscriptPartial { text, .. }
            | ServerEvent::UserTranscript { text, .. } => text,
            other => panic!("no transcript: {other:?}"),
        }
    };
    assert_eq!(said("delta", "delta", "turn"), "turn");
    assert_eq!(said("delta", "delta", "turn it"), "turn it");
    assert_eq!(said("completed", "transcript", "turn it"), "turn it");
    assert_eq!(said("completed", "transcript", "turn it off"), "off");
    assert_eq!(said("completed", "transcript", "turn it off"), "");
    assert_eq!(said("completed", "transcript", "Turn it off."), "");
}

#[test]
fn usage_metadata_and_limits_are_read() {
    let done = decode(&json!({"type": "response.done", "response": {
        "id": "r", "status": "completed", "metadata": {"purpose": "speech", "n": 1},
        "usage": {
            "total_tokens": 253, "input_tokens": 132, "output_tokens": 121,
            "input_token_details": {"text_tokens": 119, "audio_tokens": 13,
                "cached_tokens": 64, "cached_tokens_details": {"text_tokens": 64}},
            "output_token_details": {"text_tokens": 30, "audio_tokens": 91},
        },
    }}));
    let ServerEvent::ResponseDone { usage, metadata, .. } = done else { panic!("{done:?}") };
    let expected = Usage {
        input_text: 119,
        input_audio: 13,
        input_cached: 64,
        output_text: 30,
        output_audio: 91,
        total: 253,
    };
    assert_eq!(usage, Some(expected));
    assert_eq!(metadata, BTreeMap::from([("purpose".to_owned(), "speech".to_owned())]));

    let transcript = decode(&json!({
        "type": "conversation.item.input_audio_transcription.completed", "item_id": "u",
        "transcript": "Hi.", "usage": {"type": "duration", "seconds": 1.5},
    }));
    assert_eq!(
        transcript,
        ServerEvent::UserTranscript {
            item: Some("u".into()),
            text: "Hi.".into(),
            usage: Some(TranscriptionUsage::Duration(Duration::from_millis(1_500))),
        }
    );

    let limits = decode(&json!({"type": "rate_limits.updated", "rate_limits": [
        {"name": "tokens", "limit": 100, "remaining": 7, "reset_seconds": 0.5},
        {"name": "odd", "reset_seconds": -1.0},
    ]}));
    let limit = |name: &str, limit, remaining, reset| RateLimit {
        name: name.into(),
        limit,
        remaining,
        reset: Duration::from_millis(reset),
    };
    let expected = vec![limit("tokens", 100, 7, 500), limit("odd", 0, 0, 0)];
    assert_eq!(limits, ServerEvent::RateLimits(expected));
}

proptest! {
    #[test]
    fn arbitrary_text_never_panics(frames in proptest::collection::vec(".{0,200}", 0..8)) {
        let mut decoder = Decoder::new();
        for frame in &frames {
            let _ = decoder.decode(frame);
        }
    }
}
