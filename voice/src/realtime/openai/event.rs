//! Server events.

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use serde_json::Value;

use super::failure::Failure;

/// Items of which a stray byte is kept for the next delta; more are forgotten, oldest first.
const MAX_CARRIES: usize = 8;

/// Base64 with or without padding, as compatible servers differ in it.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A text frame that is no event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// Not JSON.
    #[error("expected JSON")]
    NotJson,
    /// JSON, but no object with a text `type`.
    #[error("expected an object with a type")]
    NotAnEvent,
}

/// How a response ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResponseStatus {
    /// All of it was generated. Also what an unknown or missing status is read as.
    Completed,
    /// Stopped by us or by the provider's turn detection.
    Cancelled,
    /// Cut by a token limit or a content filter.
    Incomplete,
    /// Lost; see the failure.
    Failed,
}

/// What an output item is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ItemKind {
    /// Speech or text of the assistant.
    Message,
    /// A function call.
    FunctionCall,
    /// Anything else.
    Other,
}

/// A finished function call. Execute it only if `completed`; the same call arrives twice (as
/// arguments and as an item): tell them apart by `call_id`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionCall {
    /// The id that the result must name.
    pub call_id: String,
    /// The function.
    pub name: String,
    /// The arguments, JSON as text (not checked).
    pub arguments: String,
    /// Whether the item's status is `completed`; unknown (`false`) in the arguments event.
    pub completed: bool,
}

/// A piece of the assistant's audio.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AudioDelta {
    /// The response, or `None` with servers that do not say.
    pub response: Option<String>,
    /// The item; empty with servers that do not say.
    pub item: String,
    /// Which content part of the item.
    pub content_index: u32,
    /// 24 kHz mono samples.
    pub pcm: Vec<i16>,
}

/// A server event, as far as we act on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerEvent {
    /// `session.created`.
    SessionCreated,
    /// `session.updated`: our configuration is in force.
    SessionUpdated,
    /// `input_audio_buffer.speech_started`.
    SpeechStarted,
    /// `input_audio_buffer.speech_stopped`.
    SpeechStopped,
    /// `input_audio_buffer.committed`.
    Committed,
    /// A final transcript of the user's speech.
    UserTranscript(String),
    /// `response.created`, with its id if the server gave one.
    ResponseCreated(Option<String>),
    /// `response.done` or `response.cancelled`.
    ResponseDone {
        /// The response.
        response: Option<String>,
        /// How it ended.
        status: ResponseStatus,
        /// Why, if it failed.
        failure: Failure,
    },
    /// `response.output_item.added`.
    OutputItemAdded {
        /// The response.
        response: Option<String>,
        /// The item.
        item: String,
        /// What it is.
        kind: ItemKind,
    },
    /// Assistant audio.
    Audio(AudioDelta),
    /// Assistant audio that is not base64; dropped.
    BadAudio,
    /// The final transcript of an assistant item.
    AssistantTranscript {
        /// The response.
        response: Option<String>,
        /// The words.
        text: String,
    },
    /// A function call, from the arguments event or the finished item.
    FunctionCall(FunctionCall),
    /// `error`.
    Error(Failure),
    /// A known event that needs no action (partials, acknowledgements, `….done` markers).
    Noted {
        /// The response it belongs to.
        response: Option<String>,
    },
    /// An event type nobody told us about.
    Unknown,
}

/// What a [`Decoder`] skipped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DecodeStats {
    /// Frames that are no event.
    pub unreadable: u64,
    /// Audio deltas that are not base64.
    pub bad_audio: u64,
    /// Events of unknown type.
    pub unknown: u64,
}

/// Reads one connection's server events; carries the odd byte of an audio delta to the next delta
/// of the same item.
#[derive(Debug, Default)]
pub struct Decoder {
    carries: Vec<(String, u8)>,
    stats: DecodeStats,
}

impl Decoder {
    /// A decoder for a new connection.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What was skipped so far.
    #[must_use]
    pub fn stats(&self) -> DecodeStats {
        self.stats
    }

    /// Reads one text frame: its `type` as sent, and what it means.
    ///
    /// # Errors
    ///
    /// A frame that is no event; counted, and harmless to the next.
    pub fn decode(&mut self, text: &str) -> Result<(String, ServerEvent), Unreadable> {
        let event = serde_json::from_str::<Value>(text).map_err(|_| Unreadable::NotJson);
        let event = event.and_then(|event| match &event["type"] {
            Value::String(kind) => Ok((kind.clone(), event)),
            _ => Err(Unreadable::NotAnEvent),
        });
        match event {
            Ok((kind, event)) => {
                let meaning = self.read(&kind, &event);
                match meaning {
                    ServerEvent::Unknown => self.stats.unknown += 1,
                    ServerEvent::BadAudio => self.stats.bad_audio += 1,
                    _ => {}
                }
                Ok((kind, meaning))
            }
            Err(unreadable) => {
                self.stats.unreadable += 1;
                Err(unreadable)
            }
        }
    }

    fn read(&mut self, kind: &str, event: &Value) -> ServerEvent {
        match kind {
            "session.created" => ServerEvent::SessionCreated,
            "session.updated" => ServerEvent::SessionUpdated,
            "input_audio_buffer.speech_started" => ServerEvent::SpeechStarted,
            "input_audio_buffer.speech_stopped" => ServerEvent::SpeechStopped,
            "input_audio_buffer.committed" => ServerEvent::Committed,
            "conversation.item.input_audio_transcription.completed" => {
                ServerEvent::UserTranscript(text(event, "transcript"))
            }
            "response.created" => ServerEvent::ResponseCreated(id(&event["response"], "id")),
            "response.done" | "response.cancelled" => response_done(kind, event),
            "response.output_item.added" => ServerEvent::OutputItemAdded {
                response: id(event, "response_id"),
                item: text(&event["item"], "id"),
                kind: match event["item"]["type"].as_str() {
                    Some("message") => ItemKind::Message,
                    Some("function_call") => ItemKind::FunctionCall,
                    _ => ItemKind::Other,
                },
            },
            "response.output_item.done" => item_done(event),
            "response.output_audio.delta"
            | "response.audio.delta"
            | "conversation.output_audio.delta" => self.audio(event),
            "response.output_audio_transcript.done"
            | "response.audio_transcript.done"
            | "response.output_text.done"
            | "response.text.done" => ServerEvent::AssistantTranscript {
                response: id(event, "response_id"),
                text: match event["transcript"].as_str() {
                    Some(transcript) => transcript.to_owned(),
                    None => text(event, "text"),
                },
            },
            "response.function_call_arguments.done" => ServerEvent::FunctionCall(FunctionCall {
                call_id: text(event, "call_id"),
                name: text(event, "name"),
                arguments: text(event, "arguments"),
                completed: false,
            }),
            "error" => ServerEvent::Error(failure(&event["error"])),
            _ if is_noted(kind) => ServerEvent::Noted { response: id(event, "response_id") },
            _ => ServerEvent::Unknown,
        }
    }

    fn audio(&mut self, event: &Value) -> ServerEvent {
        let payload = event["delta"].as_str().or_else(|| event["data"].as_str());
        let Some(Ok(bytes)) = payload.map(|payload| BASE64.decode(payload)) else {
            return ServerEvent::BadAudio;
        };
        let item = text(event, "item_id");
        let pcm = self.samples(&item, &bytes);
        let content_index = event["content_index"].as_u64().and_then(|c| u32::try_from(c).ok());
        ServerEvent::Audio(AudioDelta {
            response: id(event, "response_id"),
            item,
            content_index: content_index.unwrap_or(0),
            pcm,
        })
    }

    fn samples(&mut self, item: &str, bytes: &[u8]) -> Vec<i16> {
        let mut pcm = Vec::with_capacity(bytes.len() / 2 + 1);
        let mut rest = bytes;
        if let Some(at) = self.carries.iter().position(|(of, _)| of == item)
            && let Some((second, tail)) = rest.split_first()
        {
            let (_, first) = self.carries.remove(at);
            pcm.push(i16::from_le_bytes([first, *second]));
            rest = tail;
        }
        let pairs = rest.chunks_exact(2);
        if let [stray] = pairs.remainder() {
            if self.carries.len() == MAX_CARRIES {
                self.carries.remove(0);
            }
            self.carries.push((item.to_owned(), *stray));
        }
        for pair in pairs {
            if let [low, high] = pair {
                pcm.push(i16::from_le_bytes([*low, *high]));
            }
        }
        pcm
    }
}

fn response_done(kind: &str, event: &Value) -> ServerEvent {
    let response = &event["response"];
    let status = match response["status"].as_str() {
        _ if kind == "response.cancelled" => ResponseStatus::Cancelled,
        Some("cancelled") => ResponseStatus::Cancelled,
        Some("incomplete") => ResponseStatus::Incomplete,
        Some("failed") => ResponseStatus::Failed,
        _ => ResponseStatus::Completed,
    };
    ServerEvent::ResponseDone {
        response: id(response, "id").or_else(|| id(event, "response_id")),
        status,
        failure: failure(&response["status_details"]["error"]),
    }
}

fn item_done(event: &Value) -> ServerEvent {
    let item = &event["item"];
    if item["type"] != "function_call" {
        return ServerEvent::Noted { response: id(event, "response_id") };
    }
    ServerEvent::FunctionCall(FunctionCall {
        call_id: text(item, "call_id"),
        name: text(item, "name"),
        arguments: text(item, "arguments"),
        completed: item["status"] == "completed",
    })
}

fn failure(error: &Value) -> Failure {
    Failure {
        code: text(error, "code"),
        kind: text(error, "type"),
        message: text(error, "message"),
        event_id: text(error, "event_id"),
    }
}

/// Known events that need no action, under current and older names.
fn is_noted(kind: &str) -> bool {
    const NOTED: [&str; 35] = [
        "conversation.created",
        "conversation.input_transcript.delta",
        "conversation.item.added",
        "conversation.item.created",
        "conversation.item.deleted",
        "conversation.item.done",
        "conversation.item.input_audio_transcription.delta",
        "conversation.item.input_audio_transcription.failed",
        "conversation.item.input_audio_transcription.segment",
        "conversation.item.retrieved",
        "conversation.item.truncated",
        "conversation.output_transcript.delta",
        "input_audio_buffer.cleared",
        "input_audio_buffer.dtmf_event_received",
        "input_audio_buffer.timeout_triggered",
        "output_audio_buffer.cleared",
        "output_audio_buffer.started",
        "output_audio_buffer.stopped",
        "rate_limits.updated",
        "response.audio.done",
        "response.audio_transcript.delta",
        "response.content_part.added",
        "response.content_part.done",
        "response.function_call_arguments.delta",
        "response.output_audio.done",
        "response.output_audio_transcript.delta",
        "response.output_text.delta",
        "response.text.delta",
        "response.mcp_call_arguments.delta",
        "response.mcp_call_arguments.done",
        "response.mcp_call.in_progress",
        "response.mcp_call.completed",
        "response.mcp_call.failed",
        "transcription_session.created",
        "transcription_session.updated",
    ];
    NOTED.contains(&kind)
}

/// A text field, or nothing.
fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_default().to_owned()
}

/// An id field that is there and not empty.
fn id(value: &Value, name: &str) -> Option<String> {
    value[name].as_str().filter(|id| !id.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn decode(event: &Value) -> ServerEvent {
        Decoder::new().decode(&event.to_string()).unwrap().1
    }

    // Scenario 36: current and older names mean the same.
    #[test]
    fn legacy_names_are_read_like_the_ga_ones() {
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
        let done = decode(
            &json!({"type": "response.done", "response": {"id": "r", "status": "cancelled"}}),
        );
        assert_eq!(cancelled, done);
        for kind in ["response.output_audio_transcript.done", "response.audio_transcript.done"] {
            assert_eq!(
                decode(&json!({"type": kind, "response_id": "r", "transcript": "hello"})),
                ServerEvent::AssistantTranscript {
                    response: Some("r".into()),
                    text: "hello".into()
                }
            );
        }
        for kind in ["response.output_text.done", "response.text.done"] {
            assert_eq!(
                decode(&json!({"type": kind, "response_id": "r", "text": "hello"})),
                ServerEvent::AssistantTranscript {
                    response: Some("r".into()),
                    text: "hello".into()
                }
            );
        }
    }

    // Scenario 28.
    #[test]
    fn a_stray_byte_joins_the_same_items_next_delta() {
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

    // Scenario 27.
    #[test]
    fn bad_base64_is_dropped_and_counted() {
        let mut decoder = Decoder::new();
        for bad in [json!("@@@"), json!("A"), json!(7), Value::Null] {
            let event = json!({"type": "response.output_audio.delta", "delta": bad});
            assert_eq!(decoder.decode(&event.to_string()).unwrap().1, ServerEvent::BadAudio);
        }
        assert_eq!(decoder.stats().bad_audio, 4);
        let unpadded =
            json!({"type": "response.audio.delta", "delta": STANDARD_NO_PAD.encode([1, 0])});
        assert!(matches!(
            decoder.decode(&unpadded.to_string()).unwrap().1,
            ServerEvent::Audio(AudioDelta { pcm, .. }) if pcm == [1]
        ));
    }

    // Scenarios 35 and 37.
    #[test]
    fn unknown_events_and_frames_that_are_no_events_are_counted() {
        let mut decoder = Decoder::new();
        let unknown = r#"{"type":"response.smell.delta","delta":1}"#;
        assert_eq!(decoder.decode(unknown).unwrap().1, ServerEvent::Unknown);
        let extra = r#"{"type":"session.updated","session":[],"future":{"a":1}}"#;
        assert_eq!(decoder.decode(extra).unwrap().1, ServerEvent::SessionUpdated);
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
        assert_eq!(decoder.stats(), DecodeStats { unreadable: 6, bad_audio: 0, unknown: 1 });
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
        let call = |completed| {
            ServerEvent::FunctionCall(FunctionCall {
                call_id: "c".into(),
                name: "consult".into(),
                arguments: "{\"q\":1}".into(),
                completed,
            })
        };
        assert_eq!(arguments, call(false));
        assert_eq!(item, call(true));
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

    proptest! {
        #[test]
        fn arbitrary_text_never_panics(frames in proptest::collection::vec(".{0,200}", 0..8)) {
            let mut decoder = Decoder::new();
            for frame in &frames {
                let _ = decoder.decode(frame);
            }
        }

        #[test]
        fn however_audio_is_cut_no_byte_is_lost(
            pcm in proptest::collection::vec(any::<i16>(), 0..200),
            cuts in proptest::collection::vec(0_usize..400, 0..10),
        ) {
            let bytes: Vec<u8> = pcm.iter().flat_map(|s| s.to_le_bytes()).collect();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|c| c.min(bytes.len())).collect();
            cuts.push(0);
            cuts.push(bytes.len());
            cuts.sort_unstable();
            let mut decoder = Decoder::new();
            let mut back = Vec::new();
            for pair in cuts.windows(2) {
                back.extend(decoder.samples("item", &bytes[pair[0]..pair[1]]));
            }
            prop_assert_eq!(back, pcm);
        }
    }
}
