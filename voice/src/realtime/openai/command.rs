//! Client events.

use serde_json::{Value, json};

use super::Profile;
use crate::{
    realtime::{
        CONFIGURE_EVENT_ID, SAMPLE_RATE, SessionSettings, ToolDefinition, TurnDetection, pcm,
    },
    timeline::Role,
};

/// `session.update` with every value that matters: a server's defaults differ from the documented
/// ones. Noise reduction is off: it made Discord turns unrecognisable.
pub(super) fn session_update(settings: &SessionSettings<'_>, profile: &Profile) -> String {
    let turn_detection = match settings.turn_detection {
        TurnDetection::Server {
            threshold,
            prefix_padding_ms,
            silence_duration_ms,
            create_response,
            interrupt_response,
        } => json!({
            "type": "server_vad",
            "threshold": threshold,
            "prefix_padding_ms": prefix_padding_ms,
            "silence_duration_ms": silence_duration_ms,
            "create_response": create_response,
            "interrupt_response": interrupt_response,
        }),
        TurnDetection::Own => Value::Null,
    };
    let transcription = settings.transcription_model.map(|model| json!({"model": model}));
    let tools: Vec<Value> = settings.tools.iter().map(tool).collect();
    let mut session = if profile.flat_session {
        json!({
            "modalities": ["audio", "text"],
            "instructions": settings.instructions,
            "input_audio_format": "pcm16",
            "output_audio_format": "pcm16",
            "input_audio_transcription": transcription,
            "turn_detection": turn_detection,
            "tools": tools,
        })
    } else {
        let format = json!({"type": "audio/pcm", "rate": SAMPLE_RATE});
        json!({
            "type": "realtime",
            "instructions": settings.instructions,
            "output_modalities": ["audio"],
            "audio": {
                "input": {
                    "format": format,
                    "noise_reduction": null,
                    "transcription": transcription,
                    "turn_detection": turn_detection,
                },
                "output": {"format": format},
            },
            "tools": tools,
        })
    };
    if !settings.voice.is_empty() {
        let place = if profile.flat_session { "/voice" } else { "/audio/output/voice" };
        set(&mut session, place, settings.voice.into());
    }
    if let Some(temperature) = profile.temperature {
        set(&mut session, "/temperature", temperature.into());
    }
    if let Some(effort) = &profile.reasoning_effort {
        set(&mut session, "/reasoning", json!({"effort": effort}));
    }
    json!({"type": "session.update", "event_id": CONFIGURE_EVENT_ID, "session": session})
        .to_string()
}

/// Sets a field; its object is there.
fn set(session: &mut Value, place: &str, value: Value) {
    let (object, field) = place.rsplit_once('/').unwrap_or_default();
    if let Some(object) = session.pointer_mut(object).and_then(Value::as_object_mut) {
        object.insert(field.to_owned(), value);
    }
}

fn tool(tool: &ToolDefinition) -> Value {
    json!({
        "type": "function",
        "name": tool.name,
        "description": tool.description,
        "parameters": tool.parameters,
    })
}

/// `input_audio_buffer.append` with 24 kHz mono samples. Allocates only the text.
pub(super) fn append(samples: &[i16]) -> String {
    const HEAD: &str = r#"{"type":"input_audio_buffer.append","audio":""#;
    const TAIL: &str = r#""}"#;
    let mut text = String::with_capacity(HEAD.len() + pcm::base64_len(samples) + TAIL.len());
    text.push_str(HEAD);
    pcm::push_base64(samples, &mut text);
    text.push_str(TAIL);
    text
}

/// `input_audio_buffer.commit`: ends the user's turn (with [`TurnDetection::Own`]).
pub(super) fn commit(event_id: &str) -> String {
    json!({"type": "input_audio_buffer.commit", "event_id": event_id}).to_string()
}

/// `input_audio_buffer.clear`: forgets the audio that is in no turn yet.
pub(super) fn clear(event_id: &str) -> String {
    json!({"type": "input_audio_buffer.clear", "event_id": event_id}).to_string()
}

/// `response.create`: asks for an answer, to instructions that replace the session's if there are
/// any.
pub(super) fn response_create(event_id: &str, instructions: Option<&str>) -> String {
    let mut event = json!({"type": "response.create", "event_id": event_id});
    if let Some(instructions) = instructions {
        event["response"] = json!({"instructions": instructions});
    }
    event.to_string()
}

/// `conversation.item.create` of words as text; `flat`: with the beta's part types.
pub(super) fn text_item(event_id: &str, role: Role, text: &str, flat: bool) -> String {
    let (role, part) = match role {
        Role::User => ("user", "input_text"),
        Role::Assistant if flat => ("assistant", "text"),
        Role::Assistant => ("assistant", "output_text"),
    };
    item(
        event_id,
        &json!({"type": "message", "role": role, "content": [{"type": part, "text": text}]}),
    )
}

/// `conversation.item.create` of a function call's result.
pub(super) fn tool_result(event_id: &str, call_id: &str, output: &str) -> String {
    item(event_id, &json!({"type": "function_call_output", "call_id": call_id, "output": output}))
}

fn item(event_id: &str, item: &Value) -> String {
    json!({"type": "conversation.item.create", "event_id": event_id, "item": item}).to_string()
}

/// `response.cancel` of one response.
pub(super) fn response_cancel(event_id: &str, response: &str) -> String {
    json!({"type": "response.cancel", "event_id": event_id, "response_id": response}).to_string()
}

/// `conversation.item.truncate`: the room heard `item` up to `audio_end_ms` (inclusive).
pub(super) fn truncate_item(
    event_id: &str,
    item: &str,
    content_index: u32,
    audio_end_ms: u64,
) -> String {
    json!({
        "type": "conversation.item.truncate",
        "event_id": event_id,
        "item_id": item,
        "content_index": content_index,
        "audio_end_ms": audio_end_ms,
    })
    .to_string()
}

/// `conversation.item.delete`: the room heard nothing of `item`.
pub(super) fn delete_item(event_id: &str, item: &str) -> String {
    json!({"type": "conversation.item.delete", "event_id": event_id, "item_id": item}).to_string()
}

#[cfg(test)]
mod tests {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    use proptest::prelude::*;

    use super::*;

    const BARE: SessionSettings<'_> = SessionSettings {
        model: "",
        instructions: "",
        voice: "",
        transcription_model: None,
        turn_detection: TurnDetection::Own,
        tools: &[],
        history: &[],
    };

    fn parsed(text: &str) -> Value {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn a_session_update_sends_every_vad_value_under_its_ga_name() {
        let settings = SessionSettings {
            instructions: "Be \"brief\".",
            voice: "cedar",
            model: "gpt-realtime-2.1",
            transcription_model: Some("gpt-4o-mini-transcribe"),
            turn_detection: TurnDetection::Server {
                threshold: 0.5,
                prefix_padding_ms: 300,
                silence_duration_ms: 500,
                create_response: true,
                interrupt_response: false,
            },
            tools: &[ToolDefinition {
                name: "consult".into(),
                description: "Asks.".into(),
                parameters: json!({"type": "object"}),
            }],
            history: &[],
        };
        let text = session_update(&settings, &Profile::default());
        assert_eq!(
            parsed(&text),
            json!({
                "type": "session.update",
                "event_id": "clawvoice_session",
                "session": {
                    "type": "realtime",
                    "instructions": "Be \"brief\".",
                    "output_modalities": ["audio"],
                    "audio": {
                        "input": {
                            "format": {"type": "audio/pcm", "rate": 24000},
                            "noise_reduction": null,
                            "transcription": {"model": "gpt-4o-mini-transcribe"},
                            "turn_detection": {
                                "type": "server_vad", "threshold": 0.5,
                                "prefix_padding_ms": 300, "silence_duration_ms": 500,
                                "create_response": true, "interrupt_response": false
                            }
                        },
                        "output": {
                            "format": {"type": "audio/pcm", "rate": 24000}, "voice": "cedar"
                        }
                    },
                    "tools": [{"type": "function", "name": "consult", "description": "Asks.",
                               "parameters": {"type": "object"}}]
                }
            })
        );
    }

    #[test]
    fn own_turn_detection_and_no_voice_leave_the_provider_to_us() {
        let update = parsed(&session_update(&BARE, &Profile::default()));
        let audio = &update["session"]["audio"];
        assert_eq!(audio["input"]["turn_detection"], Value::Null);
        assert_eq!(audio["input"]["transcription"], Value::Null);
        assert_eq!(audio["output"].get("voice"), None);
    }

    #[test]
    fn older_servers_get_a_flat_session_and_their_own_part_types() {
        let profile = Profile {
            flat_session: true,
            temperature: Some(0.8),
            reasoning_effort: Some("low".into()),
            ..Profile::default()
        };
        let settings = SessionSettings { voice: "alloy", instructions: "Hi.", ..BARE };
        assert_eq!(
            parsed(&session_update(&settings, &profile))["session"],
            json!({
                "modalities": ["audio", "text"],
                "instructions": "Hi.",
                "voice": "alloy",
                "input_audio_format": "pcm16",
                "output_audio_format": "pcm16",
                "input_audio_transcription": null,
                "turn_detection": null,
                "tools": [],
                "temperature": 0.8,
                "reasoning": {"effort": "low"},
            })
        );
        let item = parsed(&text_item("e", Role::Assistant, "Hello.", true));
        assert_eq!(item["item"]["content"][0]["type"], "text");
    }

    #[test]
    fn commands_have_their_ga_fields() {
        assert_eq!(
            parsed(&truncate_item("e1", "item_1", 0, 1500)),
            json!({"type": "conversation.item.truncate", "event_id": "e1", "item_id": "item_1",
                   "content_index": 0, "audio_end_ms": 1500})
        );
        assert_eq!(
            parsed(&response_cancel("e2", "resp_1")),
            json!({"type": "response.cancel", "event_id": "e2", "response_id": "resp_1"})
        );
        assert_eq!(
            parsed(&delete_item("e3", "item_2")),
            json!({"type": "conversation.item.delete", "event_id": "e3", "item_id": "item_2"})
        );
        assert_eq!(
            parsed(&response_create("e4", None)),
            json!({"type": "response.create", "event_id": "e4"})
        );
        assert_eq!(
            parsed(&response_create("e4", Some("Whisper."))),
            json!({"type": "response.create", "event_id": "e4",
                   "response": {"instructions": "Whisper."}})
        );
        assert_eq!(
            parsed(&clear("e6")),
            json!({"type": "input_audio_buffer.clear", "event_id": "e6"})
        );
        assert_eq!(
            parsed(&tool_result("e7", "call_1", "{}")),
            json!({"type": "conversation.item.create", "event_id": "e7", "item": {
                "type": "function_call_output", "call_id": "call_1", "output": "{}"}})
        );
        assert_eq!(
            parsed(&text_item("e8", Role::Assistant, "Hello.", false))["item"],
            json!({"type": "message", "role": "assistant",
                   "content": [{"type": "output_text", "text": "Hello."}]})
        );
        assert_eq!(
            parsed(&text_item("e9", Role::User, "Hi.", false))["item"],
            json!({"type": "message", "role": "user",
                   "content": [{"type": "input_text", "text": "Hi."}]})
        );
        assert_eq!(
            parsed(&commit("e5")),
            json!({"type": "input_audio_buffer.commit", "event_id": "e5"})
        );
    }

    proptest! {
        #[test]
        fn appended_samples_come_back(pcm in proptest::collection::vec(any::<i16>(), 0..2_000)) {
            let text = append(&pcm);
            let event = parsed(&text);
            prop_assert_eq!(&event["type"], "input_audio_buffer.append");
            let bytes = STANDARD.decode(event["audio"].as_str().unwrap()).unwrap();
            let back: Vec<i16> =
                bytes.chunks_exact(2).map(|b| i16::from_le_bytes([b[0], b[1]])).collect();
            prop_assert_eq!(back, pcm);
        }
    }
}
