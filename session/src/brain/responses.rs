//! The responses API: the request's body, and the answer from its typed events.
//!
//! Source: OpenAI API reference, "Create a model response" and "Streaming events". Nothing is
//! stored at the endpoint: every request carries the conversation.

use std::collections::{BTreeMap, VecDeque};

use serde_json::{Map, Value, json};

use super::{
    assembly::{MAX_ARGUMENTS, MAX_CALLS, MAX_TEXT},
    failure::ModelFailure,
    message::{Ending, Message, ModelAnswer, ModelEvent, ModelRequest, ToolCall},
    sse::SseEvent,
};
use crate::agent::Usage;

/// The body of `POST <base>/responses`.
#[must_use]
pub fn body(model: &str, request: &ModelRequest) -> Value {
    let mut body = json!({
        "model": model,
        "input": request.messages.iter().flat_map(items).collect::<Vec<_>>(),
        "stream": true,
        "store": false,
    });
    if !request.system.is_empty() {
        body["instructions"] = request.system.as_str().into();
    }
    if !request.tools.is_empty() {
        body["tools"] = request
            .tools
            .iter()
            .map(|tool| {
                json!({
                    "type": "function",
                    "name": tool.name,
                    "description": tool.description,
                    "parameters": tool.parameters,
                    // Else the endpoint wants every property to be required.
                    "strict": false,
                })
            })
            .collect();
    }
    body
}

fn items(message: &Message) -> Vec<Value> {
    match message {
        Message::Context(text) => vec![json!({ "role": "user", "content": text })],
        Message::Images(images) => {
            let parts: Value = images
                .iter()
                .map(|image| {
                    json!({ "type": "input_image", "image_url": &*image.url, "detail": "auto" })
                })
                .collect();
            vec![json!({ "role": "user", "content": parts })]
        }
        Message::User { by, text } => {
            vec![json!({ "role": "user", "content": Message::user_content(by.as_ref(), text) })]
        }
        Message::Assistant { text, calls } => {
            let said = (!text.is_empty()).then(|| json!({ "role": "assistant", "content": text }));
            let calls = calls.iter().map(|call| {
                json!({
                    "type": "function_call",
                    "call_id": call.id,
                    "name": call.name,
                    "arguments": call.arguments,
                })
            });
            said.into_iter().chain(calls).collect()
        }
        Message::Tool { call, output } => {
            vec![json!({ "type": "function_call_output", "call_id": call, "output": output })]
        }
    }
}

#[derive(Debug, Default)]
struct PendingCall {
    call: ToolCall,
    whole: bool,
}

/// Puts the events of one answer together.
#[derive(Debug, Default)]
pub struct ResponsesAssembly {
    text: String,
    /// By `output_index`.
    calls: BTreeMap<u64, PendingCall>,
    /// The part (`output_index`, `content_index`) whose text came in pieces last.
    streamed: Option<(u64, u64)>,
    over: bool,
    events: VecDeque<ModelEvent>,
}

impl ResponsesAssembly {
    pub(crate) fn handle_event(&mut self, event: &SseEvent) -> Result<(), ModelFailure> {
        let data = event.data.trim();
        if self.over || data.is_empty() || data == "[DONE]" {
            return Ok(());
        }
        let event_json: Value = serde_json::from_str(data)
            .map_err(|error| ModelFailure::Unreadable(error.to_string()))?;
        let kind = event_json.get("type").and_then(Value::as_str).unwrap_or(&event.name);
        let index = |key: &str| event_json.get(key).and_then(Value::as_u64).unwrap_or(0);
        let text = |key: &str| event_json.get(key).and_then(Value::as_str).unwrap_or_default();
        let part = (index("output_index"), index("content_index"));
        match kind {
            "response.output_text.delta" | "response.refusal.delta" => {
                self.streamed = Some(part);
                self.say(text("delta"))
            }
            // Servers that do not stream a part give it here, whole.
            "response.output_text.done" if self.streamed != Some(part) => self.say(text("text")),
            "response.refusal.done" if self.streamed != Some(part) => self.say(text("refusal")),
            "response.output_item.added" | "response.output_item.done" => {
                let whole = kind.ends_with("done");
                let Some(item) = event_json.get("item") else { return Ok(()) };
                self.handle_item(part.0, item, whole)
            }
            "response.function_call_arguments.delta" => {
                let pending = self.pending(part.0)?;
                if pending.call.arguments.len() + text("delta").len() > MAX_ARGUMENTS {
                    return Err(ModelFailure::TooLong);
                }
                pending.call.arguments.push_str(text("delta"));
                Ok(())
            }
            "response.completed" | "response.incomplete" => {
                self.handle_response(kind == "response.completed", event_json.get("response"));
                Ok(())
            }
            "response.failed" => Err(ModelFailure::told(
                event_json.pointer("/response/error").unwrap_or(&Value::Null),
            )),
            "error" => Err(ModelFailure::told(event_json.get("error").unwrap_or(&event_json))),
            _ => Ok(()),
        }
    }

    /// The whole answer, of a server that does not stream.
    pub(crate) fn handle_document(&mut self, document: &Value) -> Result<(), ModelFailure> {
        let Some(output) = document.get("output").and_then(Value::as_array) else {
            return Err(ModelFailure::Unreadable("the document has no output".to_owned()));
        };
        for (index, item) in (0..).zip(output) {
            let parts = item.get("content").and_then(Value::as_array);
            for part in parts.into_iter().flatten() {
                let text = |key: &str| part.get(key).and_then(Value::as_str);
                // A refusal is an answer too.
                self.say(text("text").or_else(|| text("refusal")).unwrap_or_default())?;
            }
            self.handle_item(index, item, true)?;
        }
        match document.get("status").and_then(Value::as_str) {
            Some("failed") => Err(ModelFailure::told(&Value::Null)),
            status => {
                self.handle_response(status != Some("incomplete"), Some(document));
                Ok(())
            }
        }
    }

    fn say(&mut self, text: &str) -> Result<(), ModelFailure> {
        if text.is_empty() {
            return Ok(());
        }
        if self.text.len() + text.len() > MAX_TEXT {
            return Err(ModelFailure::TooLong);
        }
        self.text.push_str(text);
        self.events.push_back(ModelEvent::Text(text.to_owned()));
        Ok(())
    }

    fn pending(&mut self, index: u64) -> Result<&mut PendingCall, ModelFailure> {
        if !self.calls.contains_key(&index) && self.calls.len() >= MAX_CALLS {
            return Err(ModelFailure::TooLong);
        }
        Ok(self.calls.entry(index).or_default())
    }

    fn handle_item(&mut self, index: u64, item: &Value, whole: bool) -> Result<(), ModelFailure> {
        let text = |key: &str| item.get(key).and_then(Value::as_str).unwrap_or_default();
        if text("type") != "function_call" {
            return Ok(());
        }
        if text("arguments").len() > MAX_ARGUMENTS {
            return Err(ModelFailure::TooLong);
        }
        let pending = self.pending(index)?;
        for (field, value) in [
            (&mut pending.call.id, text("call_id")),
            (&mut pending.call.name, text("name")),
            (&mut pending.call.arguments, text("arguments")),
        ] {
            if !value.is_empty() {
                value.clone_into(field);
            }
        }
        // An item that is not completed may hold half its arguments.
        pending.whole = whole && matches!(text("status"), "completed" | "");
        Ok(())
    }

    fn handle_response(&mut self, completed: bool, response: Option<&Value>) {
        let usage = response.and_then(|r| r.get("usage")).and_then(Value::as_object);
        let reason = response.and_then(|r| r.pointer("/incomplete_details/reason"));
        let ending = match (completed, reason.and_then(Value::as_str)) {
            (true, _) => Ending::Whole,
            (false, Some("content_filter")) => Ending::Filtered,
            (false, _) => Ending::OutOfRoom,
        };
        self.end(ending, usage.map(read_usage));
    }

    pub(crate) fn handle_end(&mut self) {
        if !self.over {
            self.end(Ending::Incomplete { finished: false }, None);
        }
    }

    fn end(&mut self, ending: Ending, usage: Option<Usage>) {
        self.over = true;
        let calls = std::mem::take(&mut self.calls);
        let calls = calls.into_iter().filter(|(_, p)| p.whole && !p.call.name.is_empty());
        let calls = calls.map(|(index, PendingCall { mut call, .. })| {
            if call.id.is_empty() {
                call.id = format!("call_{index}");
            }
            call
        });
        self.events.push_back(ModelEvent::Done(ModelAnswer {
            text: std::mem::take(&mut self.text),
            calls: calls.collect(),
            ending,
            usage,
        }));
    }

    pub(crate) fn poll_event(&mut self) -> Option<ModelEvent> {
        self.events.pop_front()
    }
}

fn read_usage(usage: &Map<String, Value>) -> Usage {
    let number = |key: &str| usage.get(key).and_then(Value::as_u64).unwrap_or(0);
    let cached = usage.get("input_tokens_details").and_then(|details| details.get("cached_tokens"));
    Usage {
        input: number("input_tokens"),
        cached: cached.and_then(Value::as_u64).unwrap_or(0),
        output: number("output_tokens"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::brain::{Image, ToolSpec};

    fn read(events: &[Value]) -> Result<Vec<ModelEvent>, ModelFailure> {
        let mut assembly = ResponsesAssembly::default();
        for event in events {
            let event = SseEvent { name: String::new(), data: event.to_string() };
            assembly.handle_event(&event)?;
        }
        assembly.handle_end();
        Ok(std::iter::from_fn(|| assembly.poll_event()).collect())
    }

    fn answer(events: &[Value]) -> ModelAnswer {
        match read(events).unwrap().pop() {
            Some(ModelEvent::Done(answer)) => answer,
            other => panic!("{other:?}"),
        }
    }

    fn delta(text: &str) -> Value {
        json!({ "type": "response.output_text.delta", "output_index": 1, "content_index": 0,
                "delta": text })
    }

    fn completed() -> Value {
        json!({ "type": "response.completed", "response": { "usage": {
            "input_tokens": 7, "input_tokens_details": { "cached_tokens": 3 }, "output_tokens": 2,
        } } })
    }

    #[test]
    fn text_and_usage() {
        let events = [
            json!({ "type": "response.created", "sequence_number": 0 }),
            delta("Hel"),
            delta("lo"),
            json!({ "type": "response.output_text.done", "output_index": 1, "content_index": 0,
                    "text": "Hello" }),
            completed(),
        ];
        assert_eq!(
            read(&events).unwrap(),
            [
                ModelEvent::Text("Hel".into()),
                ModelEvent::Text("lo".into()),
                ModelEvent::Done(ModelAnswer {
                    text: "Hello".into(),
                    calls: Vec::new(),
                    ending: Ending::Whole,
                    usage: Some(Usage { input: 7, cached: 3, output: 2 }),
                }),
            ]
        );
    }

    #[test]
    fn a_part_that_was_not_streamed_is_said_whole() {
        let done = json!({ "type": "response.output_text.done", "output_index": 0, "text": "All" });
        assert_eq!(answer(&[done, completed()]).text, "All");
    }

    fn item(kind: &str, index: u64, status: &str, arguments: &str) -> Value {
        json!({ "type": format!("response.output_item.{kind}"), "output_index": index, "item": {
            "type": "function_call", "id": "fc", "call_id": format!("c{index}"), "name": "f",
            "status": status, "arguments": arguments,
        } })
    }

    fn arguments(index: u64, piece: &str) -> Value {
        json!({ "type": "response.function_call_arguments.delta", "output_index": index,
                "delta": piece })
    }

    #[test]
    fn provider_scenario_48_calls_go_by_output_index_in_fragments() {
        let events = [
            item("added", 1, "in_progress", ""),
            item("added", 2, "in_progress", ""),
            arguments(1, "{\"a\""),
            arguments(2, "{}"),
            arguments(1, ":1}"),
            item("done", 1, "completed", "{\"a\":1}"),
            item("done", 2, "completed", "{}"),
            completed(),
        ];
        let call = |id: &str, arguments: &str| ToolCall {
            id: id.into(),
            name: "f".into(),
            arguments: arguments.into(),
        };
        assert_eq!(answer(&events).runnable(), [call("c1", "{\"a\":1}"), call("c2", "{}")]);
    }

    #[test]
    fn an_incomplete_items_call_never_runs() {
        let half = [
            item("added", 1, "in_progress", ""),
            arguments(1, "{\"a\""),
            item("done", 1, "incomplete", "{\"a\""),
        ];
        let cut = json!({ "type": "response.incomplete",
                          "response": { "incomplete_details": { "reason": "max_output_tokens" } } });
        for last in [completed(), cut.clone()] {
            assert_eq!(answer(&[&half[..], &[last]].concat()).runnable(), []);
        }
        let whole_item = [item("done", 1, "completed", "{}"), cut];
        assert_eq!(answer(&whole_item).ending, Ending::OutOfRoom);
        assert_eq!(answer(&whole_item).runnable(), []);
    }

    #[test]
    fn provider_scenario_48_an_end_without_completed_is_incomplete() {
        let cut = answer(&[delta("Hel")]);
        assert_eq!(
            (cut.ending, cut.text.as_str()),
            (Ending::Incomplete { finished: false }, "Hel")
        );
    }

    #[test]
    fn failures_are_told() {
        for event in [
            json!({ "type": "response.failed", "response": { "error": {
                "code": "server_error", "message": "boom" } } }),
            json!({ "type": "error", "code": "server_error", "message": "boom" }),
            json!({ "type": "error", "error": { "code": "server_error", "message": "boom" } }),
        ] {
            let failure = read(&[event]).unwrap_err();
            assert_eq!(failure.to_string(), "the endpoint says: boom");
            assert!(failure.is_passing());
        }
    }

    #[test]
    fn the_events_name_stands_in_for_a_missing_type() {
        let mut assembly = ResponsesAssembly::default();
        let event = SseEvent {
            name: "response.output_text.delta".into(),
            data: "{\"delta\":\"hi\"}".into(),
        };
        assembly.handle_event(&event).unwrap();
        assert_eq!(assembly.poll_event(), Some(ModelEvent::Text("hi".into())));
    }

    #[test]
    fn pictures_go_as_data() {
        let image = Image { url: "data:image/png;base64,AA==".into() };
        assert_eq!(
            items(&Message::Images(vec![image])),
            [json!({ "role": "user", "content": [{
                "type": "input_image", "image_url": "data:image/png;base64,AA==", "detail": "auto",
            }] })]
        );
    }

    #[test]
    fn the_body_holds_the_conversation() {
        let request = ModelRequest {
            system: "Be brief.".into(),
            messages: vec![
                Message::User { by: None, text: "hi".into() },
                Message::Assistant {
                    text: "Wait.".into(),
                    calls: vec![ToolCall {
                        id: "c".into(),
                        name: "f".into(),
                        arguments: "{}".into(),
                    }],
                },
                Message::Tool { call: "c".into(), output: "42".into() },
            ],
            tools: vec![ToolSpec {
                name: "f".into(),
                description: "does f".into(),
                parameters: json!({ "type": "object" }),
            }],
        };
        assert_eq!(
            body("m", &request),
            json!({
                "model": "m", "stream": true, "store": false, "instructions": "Be brief.",
                "input": [
                    { "role": "user", "content": "hi" },
                    { "role": "assistant", "content": "Wait." },
                    { "type": "function_call", "call_id": "c", "name": "f", "arguments": "{}" },
                    { "type": "function_call_output", "call_id": "c", "output": "42" },
                ],
                "tools": [{ "type": "function", "name": "f", "description": "does f",
                            "parameters": { "type": "object" }, "strict": false }],
            })
        );
    }

    proptest! {
        #[test]
        fn text_is_told_whole_and_done_comes_once(
            pieces in prop::collection::vec("\\PC{0,8}", 0..20),
        ) {
            let mut events: Vec<Value> = pieces.iter().map(|piece| delta(piece)).collect();
            events.extend([completed(), completed()]);
            let mut told = String::new();
            let mut done = Vec::new();
            for event in read(&events).unwrap() {
                match event {
                    ModelEvent::Text(text) => told.push_str(&text),
                    ModelEvent::Done(answer) => done.push(answer.text),
                }
            }
            prop_assert_eq!(&told, &pieces.concat());
            prop_assert_eq!(done, [told]);
        }
    }
}
