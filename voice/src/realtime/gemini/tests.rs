use serde_json::{Value, json};

use super::*;
use crate::{
    realtime::{ItemStatus, ResponseStatus, SessionSettings, ToolDefinition, Usage},
    timeline::Role,
};

const VAD: TurnDetection = TurnDetection::Server {
    threshold: 0.5,
    prefix_padding_ms: 300,
    silence_duration_ms: 500,
    create_response: true,
    interrupt_response: true,
};

fn settings() -> SessionSettings<'static> {
    SessionSettings {
        model: "live",
        instructions: "Be brief.",
        voice: "",
        transcription_model: Some("any"),
        turn_detection: VAD,
        tools: &[],
        history: &[],
    }
}

fn encode(codec: &mut Gemini, command: &Command<'_>) -> Vec<Value> {
    let mut frames = Vec::new();
    codec.encode("e", command, &mut frames);
    frames.iter().map(|frame| serde_json::from_str(frame).unwrap()).collect()
}

fn configured(settings: SessionSettings<'_>) -> Gemini {
    let mut codec = Gemini::new(Profile::default());
    encode(&mut codec, &Command::Configure(settings));
    decode(&mut codec, &json!({"setupComplete": {}}));
    codec
}

fn decode(codec: &mut Gemini, message: &Value) -> Vec<ServerEvent> {
    let mut events = Vec::new();
    codec.decode(Frame::Binary(message.to_string().as_bytes()), &mut events).unwrap();
    events.into_iter().map(|(_, event)| event).collect()
}

fn audio(bytes: &str) -> Value {
    json!({"inlineData": {"mimeType": "audio/pcm;rate=24000", "data": bytes}})
}

fn model_audio(bytes: &str) -> Value {
    json!({"serverContent": {"modelTurn": {"parts": [audio(bytes)]}}})
}

fn created(events: &[ServerEvent]) -> Vec<String> {
    let ids = events.iter().filter_map(|event| match event {
        ServerEvent::ResponseCreated { response, .. } => response.clone(),
        _ => None,
    });
    ids.collect()
}

fn done(events: &[ServerEvent]) -> Vec<ResponseStatus> {
    let ends = events.iter().filter_map(|event| match event {
        ServerEvent::ResponseDone { status, .. } => Some(*status),
        _ => None,
    });
    ends.collect()
}

#[test]
fn the_setup_says_everything_once() {
    let tools = [ToolDefinition {
        name: "consult".into(),
        description: "Asks.".into(),
        parameters: json!({"type": "object"}),
    }];
    let settings = SessionSettings { voice: "Kore", tools: &tools, ..settings() };
    let mut codec = Gemini::new(Profile { temperature: Some(0.5) });
    assert_eq!(
        encode(&mut codec, &Command::Configure(settings)),
        [json!({"setup": {
            "model": "models/live",
            "generationConfig": {
                "responseModalities": ["AUDIO"],
                "speechConfig": {"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": "Kore"}}},
                "temperature": 0.5,
            },
            "systemInstruction": {"parts": [{"text": "Be brief."}]},
            "realtimeInputConfig": {
                "automaticActivityDetection": {
                    "disabled": false,
                    "startOfSpeechSensitivity": "START_SENSITIVITY_HIGH",
                    "endOfSpeechSensitivity": "END_SENSITIVITY_HIGH",
                    "prefixPaddingMs": 300,
                    "silenceDurationMs": 500,
                },
                "activityHandling": "START_OF_ACTIVITY_INTERRUPTS",
            },
            "sessionResumption": {},
            "contextWindowCompression": {"slidingWindow": {}},
            "inputAudioTranscription": {},
            "outputAudioTranscription": {},
            "tools": [{"functionDeclarations": [{
                "name": "consult", "description": "Asks.",
                "parametersJsonSchema": {"type": "object"},
            }]}],
        }})]
    );
}

#[test]
fn audio_goes_out_at_16_khz_and_between_marks_of_ours_where_we_find_turns() {
    let mut codec = configured(settings());
    let mut samples = 0;
    for _ in 0..50 {
        let frames = encode(&mut codec, &Command::Append(&[1_000; 480]));
        let audio = &frames[0]["realtimeInput"]["audio"];
        assert_eq!(audio["mimeType"], "audio/pcm;rate=16000");
        let data = audio["data"].as_str().unwrap();
        samples += PcmReader::default().read("", data).unwrap().len();
    }
    assert_eq!(samples, 16_000, "a second");
    assert!(encode(&mut codec, &Command::Commit).is_empty());

    let mut codec =
        configured(SessionSettings { turn_detection: TurnDetection::Own, ..settings() });
    let first = encode(&mut codec, &Command::Append(&[0; 480]));
    assert_eq!(first[0], json!({"realtimeInput": {"activityStart": {}}}));
    assert_eq!(encode(&mut codec, &Command::Append(&[0; 480])).len(), 1);
    let end = json!({"realtimeInput": {"activityEnd": {}}});
    assert_eq!(encode(&mut codec, &Command::Commit), [end]);
    assert!(encode(&mut codec, &Command::Commit).is_empty());
}

#[test]
fn what_the_interface_lacks_is_no_message() {
    let mut codec = configured(settings());
    for command in [
        Command::ClearInput,
        Command::Respond { instructions: None },
        Command::Cancel { response: "r" },
        Command::Truncate { item: "i", content_index: 0, audio_end_ms: 1 },
        Command::Delete { item: "i" },
    ] {
        assert!(encode(&mut codec, &command).is_empty(), "{command:?}");
    }
    let can = codec.capabilities();
    assert!(!can.can_cancel && !can.can_truncate && can.answers_tool_results);
}

#[test]
fn a_message_of_many_fields_is_read_whole_and_in_order() {
    let mut codec = configured(settings());
    decode(&mut codec, &json!({"serverContent": {"inputTranscription": {"text": "What "}}}));
    let events = decode(
        &mut codec,
        &json!({
            "serverContent": {
                "inputTranscription": {"text": "time?"},
                "modelTurn": {"parts": [{"text": "thinking", "thought": true}, audio("AQACAA==")]},
                "outputTranscription": {"text": "It is "},
            },
            "usageMetadata": {
                "totalTokenCount": 30, "thoughtsTokenCount": 2,
                "promptTokensDetails": [{"modality": "AUDIO", "tokenCount": 20},
                                        {"modality": "TEXT", "tokenCount": 4}],
                "responseTokensDetails": [{"modality": "AUDIO", "tokenCount": 4}],
            },
        }),
    );
    let (id, user) = (Some("response_1".to_owned()), Some("utterance_1".to_owned()));
    assert_eq!(
        events,
        [
            ServerEvent::UserTranscriptPartial { item: user.clone(), text: "What time?".into() },
            ServerEvent::UserTranscript { item: user, text: "What time?".into(), usage: None },
            ServerEvent::ResponseCreated { response: id.clone(), metadata: Default::default() },
            ServerEvent::Audio(crate::realtime::AudioDelta {
                response: id.clone(),
                item: "response_1".into(),
                content_index: 0,
                pcm: vec![1, 2],
            }),
            ServerEvent::AssistantTranscriptPartial {
                response: id.clone(),
                item: id.clone(),
                delta: "It is ".into(),
            },
            ServerEvent::Used(Usage {
                input_text: 4,
                input_audio: 20,
                output_text: 2,
                output_audio: 4,
                total: 30,
                ..Usage::default()
            }),
        ]
    );
    let events = decode(&mut codec, &json!({"serverContent": {"generationComplete": true}}));
    assert_eq!(done(&events), [ResponseStatus::Completed], "all audio has come");
    // Words trail behind.
    let late = json!({"serverContent": {"outputTranscription": {"text": "noon."}}});
    assert!(created(&decode(&mut codec, &late)).is_empty());
    let events = decode(&mut codec, &json!({"serverContent": {"turnComplete": true}}));
    assert!(done(&events).is_empty());
    assert!(events.contains(&ServerEvent::AssistantTranscript {
        response: id.clone(),
        item: id,
        text: "It is noon.".into()
    }));
    assert_eq!(created(&decode(&mut codec, &model_audio("AQA="))), ["response_2"]);
}

#[test]
fn an_interruption_ends_the_response_and_its_late_words_begin_none() {
    let mut codec = configured(settings());
    decode(&mut codec, &model_audio("AQA="));
    let events = decode(&mut codec, &json!({"serverContent": {"interrupted": true}}));
    assert_eq!(events[0], ServerEvent::Interrupted);
    assert_eq!(done(&events), [ResponseStatus::Cancelled]);
    let late = json!({"serverContent": {"outputTranscription": {"text": "late"}}});
    assert_eq!(decode(&mut codec, &late), [ServerEvent::Noted { response: None }]);
    let events = decode(&mut codec, &json!({"serverContent": {"turnComplete": true}}));
    assert!(done(&events).is_empty());
}

#[test]
fn where_the_agent_answers_only_what_was_asked_for_is_let_through() {
    let turn_detection = TurnDetection::Server {
        threshold: 0.5,
        prefix_padding_ms: 300,
        silence_duration_ms: 500,
        create_response: false,
        interrupt_response: true,
    };
    let mut codec = configured(SessionSettings { turn_detection, ..settings() });
    assert!(decode(&mut codec, &model_audio("AQA=")).is_empty(), "an answer of its own");
    decode(&mut codec, &json!({"serverContent": {"turnComplete": true}}));
    let said = encode(&mut codec, &Command::Say { text: "Say: noon." });
    assert_eq!(said, [json!({"realtimeInput": {"text": "Say: noon."}})]);
    assert_eq!(created(&decode(&mut codec, &model_audio("AQA="))).len(), 1);
    decode(&mut codec, &json!({"serverContent": {"turnComplete": true}}));
    assert!(decode(&mut codec, &model_audio("AQA=")).is_empty());
}

#[test]
fn calls_are_answered_by_name_and_their_answer_is_a_response_of_its_own() {
    let mut codec = configured(settings());
    decode(&mut codec, &model_audio("AQA="));
    let events = decode(
        &mut codec,
        &json!({"toolCall": {"functionCalls": [
            {"id": "c1", "name": "consult", "args": {"question": "why"}},
            {"id": "c2", "name": "consult"},
        ]}}),
    );
    let ServerEvent::FunctionCall(call) = &events[0] else { panic!("{events:?}") };
    assert_eq!((call.call_id.as_str(), call.name.as_str()), ("c1", "consult"));
    assert_eq!(
        (call.arguments.as_str(), call.status),
        (r#"{"question":"why"}"#, ItemStatus::Completed)
    );
    let ServerEvent::FunctionCall(call) = &events[1] else { panic!("{events:?}") };
    assert_eq!(call.arguments, "{}");
    assert_eq!(done(&events).len(), 1);
    for (output, response) in [
        (r#"{"text":"so"}"#, json!({"text": "so"})),
        ("[1]", json!({"output": [1]})),
        ("plain", json!({"output": "plain"})),
    ] {
        let result = Command::ToolResult { call_id: "c1", name: "consult", output };
        assert_eq!(
            encode(&mut codec, &result),
            [json!({"toolResponse": {"functionResponses": [
                {"id": "c1", "name": "consult", "response": response}]}})]
        );
    }
    assert_eq!(created(&decode(&mut codec, &model_audio("AQA="))), ["response_2"]);
}

#[test]
fn provider_scenario_45_withdrawn_calls_get_no_result() {
    let mut codec = configured(settings());
    let events = decode(&mut codec, &json!({"toolCallCancellation": {"ids": ["c1", "c2"]}}));
    assert_eq!(events, [ServerEvent::ToolCallsCancelled { ids: vec!["c1".into(), "c2".into()] }]);
    let result = |call_id| Command::ToolResult { call_id, name: "consult", output: "{}" };
    assert!(encode(&mut codec, &result("c1")).is_empty());
    assert_eq!(encode(&mut codec, &result("c3")).len(), 1);
    for n in 0..100 {
        decode(&mut codec, &json!({"toolCallCancellation": {"ids": [format!("d{n}")]}}));
    }
    assert!(codec.withdrawn.len() <= MAX_WITHDRAWN);
}

#[test]
fn provider_scenario_45_a_goodbye_is_followed_by_the_newest_handle_that_works() {
    let mut codec = configured(settings());
    let update = |handle, resumable| json!({"sessionResumptionUpdate": {"newHandle": handle, "resumable": resumable}});
    decode(&mut codec, &update("h1", true));
    decode(&mut codec, &update("h2", true));
    decode(&mut codec, &update("", false));
    decode(&mut codec, &update("h3", false));
    assert_eq!(
        decode(&mut codec, &json!({"goAway": {"timeLeft": "50.5s"}})),
        [ServerEvent::GoAway { time_left: Some(std::time::Duration::from_millis(50_500)) }]
    );
    codec.handle_closed(&Closed::Frame { code: 1001, reason: String::new() });
    codec.renew();
    let history = [(Role::User, "Hi.".to_owned())];
    let told = SessionSettings { history: &history, ..settings() };
    let setup = encode(&mut codec, &Command::Configure(told.clone()));
    assert_eq!(setup[0]["setup"]["sessionResumption"], json!({"handle": "h2"}));
    assert_eq!(setup[0]["setup"]["systemInstruction"]["parts"][0]["text"], "Be brief.");
    assert!(encode(&mut codec, &Command::Replay { history: &history }).is_empty());

    codec.handle_closed(&Closed::Frame { code: 1007, reason: String::new() });
    codec.renew();
    let setup = encode(&mut codec, &Command::Configure(told));
    assert_eq!(setup[0]["setup"]["sessionResumption"], json!({}));
    let text = setup[0]["setup"]["systemInstruction"]["parts"][0]["text"].as_str().unwrap();
    assert!(text.starts_with("Be brief.") && text.contains("\nSpeaker: Hi.\n"), "{text}");
    assert!(encode(&mut codec, &Command::Replay { history: &history }).is_empty());
    let content = encode(&mut codec, &Command::Replay { history: &history });
    assert_eq!(content[0]["clientContent"]["turns"][0]["role"], "user");
}

#[test]
fn a_refusal_before_the_first_setup_is_final_and_later_it_is_not() {
    let refused = Closed::Frame { code: 1008, reason: "no such model".into() };
    assert!(Gemini::new(Profile::default()).is_fatal(&refused));
    assert!(!configured(settings()).is_fatal(&refused));
    assert!(
        Gemini::new(Profile::default())
            .is_fatal(&Closed::Refused { status: 403, retry_after: None })
    );
}

#[test]
fn what_is_no_message_is_counted_and_what_is_new_is_skipped() {
    let mut codec = configured(settings());
    let mut events = Vec::new();
    assert_eq!(codec.decode(Frame::Text("["), &mut events), Err(Unreadable::NotJson));
    assert_eq!(codec.decode(Frame::Binary(&[0xFF]), &mut events), Err(Unreadable::NotJson));
    assert_eq!(codec.decode(Frame::Text("[]"), &mut events), Err(Unreadable::NotAnEvent));
    assert_eq!(codec.decode(Frame::Text("{}"), &mut events), Err(Unreadable::NotAnEvent));
    assert!(events.is_empty());
    assert_eq!(decode(&mut codec, &json!({"smell": {}})), [ServerEvent::Unknown]);
    let bad = decode(&mut codec, &model_audio("@"));
    assert_eq!(bad.last(), Some(&ServerEvent::BadAudio));
    let stats = DecodeStats { unreadable: 4, bad_audio: 1, unknown: 1 };
    assert_eq!(codec.stats(), stats);
}
