//! Client events.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::{
    realtime::{CONFIGURE_EVENT_ID, SAMPLE_RATE, SessionSettings, ToolDefinition, TurnDetection},
    timeline::Role,
};

/// `session.update` with every value that matters: a server's defaults differ from the documented
/// ones. Noise reduction is off: it made Discord turns unrecognisable.
pub(super) fn session_update(settings: &SessionSettings<'_>) -> String {
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
    let format = json!({"type": "audio/pcm", "rate": SAMPLE_RATE});
    let mut output = json!({"format": format});
    if !settings.voice.is_empty() {
        output["voice"] = settings.voice.into();
    }
    json!({
        "type": "session.update",
        "event_id": CONFIGURE_EVENT_ID,
        "session": {
            "type": "realtime",
            "instructions": settings.instructions,
            "output_modalities": ["audio"],
            "audio": {
                "input": {
                    "format": format,
                    "noise_reduction": null,
                    "transcription": settings.transcription_model.map(|model| json!({"model": model})),
                    "turn_detection": turn_detection,
                },
                "output": output,
            },
            "tools": settings.tools.iter().map(tool).collect::<Vec<_>>(),
        },
    })
    .to_string()
}

fn tool(tool: &ToolDefinition) -> Value {
    json!({
        "type": "function",
        "name": tool.name,
        "description": tool.description,
        "parameters": tool.parameters,
    })
}

/// Samples that fill whole base64 groups, so that a frame is encoded piece by piece without
/// padding inside.
const PIECE: usize = 480;

/// `input_audio_buffer.append` with 24 kHz mono samples. Allocates only the text.
pub(super) fn append(pcm: &[i16]) -> String {
    const HEAD: &str = r#"{"type":"input_audio_buffer.append","audio":""#;
    const TAIL: &str = r#""}"#;
    let base64_len = (pcm.len() * 2).div_ceil(3) * 4;
    let mut text = String::with_capacity(HEAD.len() + base64_len + TAIL.len());
    text.push_str(HEAD);
    for piece in pcm.chunks(PIECE) {
        let mut bytes = [0_u8; PIECE * 2];
        for (pair, sample) in bytes.chunks_exact_mut(2).zip(piece) {
            pair.copy_from_slice(&sample.to_le_bytes());
        }
        STANDARD.encode_string(bytes.split_at(piece.len() * 2).0, &mut text);
    }
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

/// `conversation.item.create` of words as text.
pub(super) fn text_item(event_id: &str, role: Role, text: &str) -> String {
    let (role, part) = match role {
        Role::User => ("user", "input_text"),
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
    use proptest::prelude::*;

    use super::*;

    fn parsed(text: &str) -> Value {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn a_session_update_sends_every_vad_value_under_its_ga_name() {
        let text = session_update(&SessionSettings {
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
        });
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
        let update = parsed(&session_update(&SessionSettings {
            model: "",
            instructions: "",
            voice: "",
            transcription_model: None,
            turn_detection: TurnDetection::Own,
            tools: &[],
        }));
        let audio = &update["session"]["audio"];
        assert_eq!(audio["input"]["turn_detection"], Value::Null);
        assert_eq!(audio["input"]["transcription"], Value::Null);
        assert_eq!(audio["output"].get("voice"), None);
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
            parsed(&text_item("e8", Role::Assistant, "Hello."))["item"],
            json!({"type": "message", "role": "assistant",
                   "content": [{"type": "output_text", "text": "Hello."}]})
        );
        assert_eq!(
            parsed(&text_item("e9", Role::User, "Hi."))["item"],
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
