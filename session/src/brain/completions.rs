//! Chat completions: the request's body, and the answer from its stream of deltas.
//!
//! Source: OpenAI API reference, "Create chat completion" and "Streaming". Compatible servers
//! leave things out, so everything but a tool's name may be missing.

use std::collections::{BTreeMap, VecDeque};

use serde_json::{Map, Value, json};

use super::{
    assembly::{MAX_ARGUMENTS, MAX_CALLS, MAX_TEXT},
    failure::ModelFailure,
    message::{Ending, Message, ModelAnswer, ModelEvent, ModelRequest, ToolCall},
    sse::SseEvent,
};
use crate::agent::Usage;

/// The body of `POST <base>/chat/completions`.
#[must_use]
pub fn body(model: &str, request: &ModelRequest) -> Value {
    let mut messages = Vec::with_capacity(request.messages.len() + 1);
    if !request.system.is_empty() {
        messages.push(json!({ "role": "system", "content": request.system }));
    }
    messages.extend(request.messages.iter().map(message));
    let mut body = json!({
        "model": model,
        "messages": messages,
        "stream": true,
        "stream_options": { "include_usage": true },
    });
    if !request.tools.is_empty() {
        body["tools"] = request
            .tools
            .iter()
            .map(|tool| {
                json!({ "type": "function", "function": {
                    "name": tool.name,
                    "description": tool.description,
                    "parameters": tool.parameters,
                } })
            })
            .collect();
    }
    body
}

fn message(message: &Message) -> Value {
    match message {
        Message::Context(text) => json!({ "role": "user", "content": text }),
        Message::Images(images) => {
            let parts: Value = images
                .iter()
                .map(|image| json!({ "type": "image_url", "image_url": { "url": &*image.url } }))
                .collect();
            json!({ "role": "user", "content": parts })
        }
        Message::User { by, text } => {
            json!({ "role": "user", "content": Message::user_content(by.as_ref(), text) })
        }
        Message::Assistant { text, calls } if calls.is_empty() => {
            json!({ "role": "assistant", "content": text })
        }
        Message::Assistant { text, calls } => {
            let calls: Value = calls
                .iter()
                .map(|call| {
                    json!({ "id": call.id, "type": "function", "function": {
                        "name": call.name, "arguments": call.arguments,
                    } })
                })
                .collect();
            let content = if text.is_empty() { Value::Null } else { text.as_str().into() };
            json!({ "role": "assistant", "content": content, "tool_calls": calls })
        }
        Message::Tool { call, output } => {
            json!({ "role": "tool", "tool_call_id": call, "content": output })
        }
    }
}

/// Puts the deltas of one answer together.
#[derive(Debug, Default)]
pub struct CompletionsAssembly {
    text: String,
    calls: BTreeMap<u64, ToolCall>,
    finish: Option<String>,
    usage: Option<Usage>,
    over: bool,
    events: VecDeque<ModelEvent>,
}

impl CompletionsAssembly {
    pub(crate) fn handle_event(&mut self, event: &SseEvent) -> Result<(), ModelFailure> {
        let data = event.data.trim();
        if self.over || data.is_empty() {
            return Ok(());
        }
        if data == "[DONE]" {
            self.finish();
            return Ok(());
        }
        let chunk: Value = serde_json::from_str(data)
            .map_err(|error| ModelFailure::Unreadable(error.to_string()))?;
        if let Some(error) = chunk.get("error").filter(|error| !error.is_null()) {
            return Err(ModelFailure::told(error));
        }
        self.handle_usage(&chunk);
        let Some(choice) = chunk.get("choices").and_then(|choices| choices.get(0)) else {
            return Ok(());
        };
        self.handle_choice(choice)
    }

    /// The whole answer, of a server that does not stream.
    pub(crate) fn handle_document(&mut self, document: &Value) -> Result<(), ModelFailure> {
        self.handle_usage(document);
        let Some(choice) = document.get("choices").and_then(|choices| choices.get(0)) else {
            return Err(ModelFailure::Unreadable("the document has no choices".to_owned()));
        };
        let mut choice = choice.clone();
        let calls = choice.pointer_mut("/message/tool_calls").and_then(Value::as_array_mut);
        for (index, call) in calls.into_iter().flatten().enumerate() {
            // Each is whole; without a number it would be taken for a piece of another.
            if let Some(call) = call.as_object_mut() {
                call.entry("index").or_insert_with(|| index.into());
            }
        }
        self.handle_choice(&choice)?;
        self.finish();
        Ok(())
    }

    fn finish(&mut self) {
        let ending = match self.finish.as_deref() {
            Some("length") => Ending::OutOfRoom,
            Some("content_filter") => Ending::Filtered,
            _ => Ending::Whole,
        };
        self.end(ending);
    }

    fn handle_usage(&mut self, chunk: &Value) {
        if let Some(usage) = chunk.get("usage").and_then(Value::as_object) {
            self.usage = Some(read_usage(usage));
        }
    }

    fn handle_choice(&mut self, choice: &Value) -> Result<(), ModelFailure> {
        // Servers that do not stream a short answer send it whole, as `message`.
        let delta = choice.get("delta").filter(|delta| delta.is_object());
        if let Some(delta) = delta.or_else(|| choice.get("message")) {
            self.handle_delta(delta)?;
        }
        if let Some(finish) = choice.get("finish_reason").and_then(Value::as_str) {
            self.finish = Some(finish.to_owned());
        }
        Ok(())
    }

    fn handle_delta(&mut self, delta: &Value) -> Result<(), ModelFailure> {
        // A refusal is an answer too.
        for key in ["content", "refusal"] {
            if let Some(text) = delta.get(key).and_then(Value::as_str).filter(|t| !t.is_empty()) {
                if self.text.len() + text.len() > MAX_TEXT {
                    return Err(ModelFailure::TooLong);
                }
                self.text.push_str(text);
                self.events.push_back(ModelEvent::Text(text.to_owned()));
            }
        }
        let calls = delta.get("tool_calls").and_then(Value::as_array);
        for piece in calls.into_iter().flatten() {
            self.handle_call(piece)?;
        }
        Ok(())
    }

    fn handle_call(&mut self, piece: &Value) -> Result<(), ModelFailure> {
        let text = |value: Option<&Value>| {
            value.and_then(Value::as_str).map(str::to_owned).unwrap_or_default()
        };
        let id = text(piece.get("id"));
        let function = piece.get("function");
        let name = text(function.and_then(|f| f.get("name")));
        // Some servers give the arguments as an object, whole.
        let arguments = match function.and_then(|f| f.get("arguments")) {
            Some(Value::String(text)) => text.clone(),
            Some(value @ Value::Object(_)) => value.to_string(),
            _ => String::new(),
        };
        let index = match piece.get("index").and_then(Value::as_u64) {
            Some(index) => index,
            None => self.index_of_unnumbered(&id),
        };
        if !self.calls.contains_key(&index) && self.calls.len() >= MAX_CALLS {
            return Err(ModelFailure::TooLong);
        }
        let call = self.calls.entry(index).or_default();
        if call.id.is_empty() {
            call.id = id;
        }
        if call.name.is_empty() {
            call.name = name;
        }
        if call.arguments.len() + arguments.len() > MAX_ARGUMENTS {
            return Err(ModelFailure::TooLong);
        }
        call.arguments.push_str(&arguments);
        Ok(())
    }

    /// Without an index it is the first call; unless its id is another one, for then it is the
    /// next: servers that leave indices out give every call whole.
    fn index_of_unnumbered(&self, id: &str) -> u64 {
        let Some((last, call)) = self.calls.last_key_value() else { return 0 };
        if id.is_empty() || call.id.is_empty() || call.id == id {
            *last
        } else {
            last.saturating_add(1)
        }
    }

    pub(crate) fn handle_end(&mut self) {
        if !self.over {
            self.end(Ending::Incomplete { finished: self.finish.is_some() });
        }
    }

    fn end(&mut self, ending: Ending) {
        self.over = true;
        let calls = std::mem::take(&mut self.calls);
        let calls = calls.into_iter().filter(|(_, call)| !call.name.is_empty());
        let calls = calls.map(|(index, mut call)| {
            if call.id.is_empty() {
                call.id = format!("call_{index}");
            }
            call
        });
        self.events.push_back(ModelEvent::Done(ModelAnswer {
            text: std::mem::take(&mut self.text),
            calls: calls.collect(),
            ending,
            usage: self.usage,
        }));
    }

    pub(crate) fn poll_event(&mut self) -> Option<ModelEvent> {
        self.events.pop_front()
    }
}

fn read_usage(usage: &Map<String, Value>) -> Usage {
    let number = |key: &str| usage.get(key).and_then(Value::as_u64).unwrap_or(0);
    let cached =
        usage.get("prompt_tokens_details").and_then(|details| details.get("cached_tokens"));
    Usage {
        input: number("prompt_tokens"),
        cached: cached.and_then(Value::as_u64).unwrap_or(0),
        output: number("completion_tokens"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{super::sse::SseParser, *};
    use crate::brain::{Image, ToolSpec};

    fn read(pieces: &[&[u8]]) -> Result<Vec<ModelEvent>, ModelFailure> {
        let mut parser = SseParser::default();
        let mut assembly = CompletionsAssembly::default();
        for piece in pieces {
            parser.handle_bytes(piece)?;
        }
        parser.handle_end()?;
        while let Some(event) = parser.poll_event() {
            assembly.handle_event(&event)?;
        }
        assembly.handle_end();
        Ok(std::iter::from_fn(|| assembly.poll_event()).collect())
    }

    fn answer(stream: &str) -> ModelAnswer {
        match read(&[stream.as_bytes()]).unwrap().pop() {
            Some(ModelEvent::Done(answer)) => answer,
            other => panic!("{other:?}"),
        }
    }

    fn delta(delta: &Value) -> String {
        format!("data: {}\n\n", json!({ "choices": [{ "index": 0, "delta": delta }] }))
    }

    fn finish(reason: &str) -> String {
        format!(
            "data: {}\n\n",
            json!({ "choices": [{ "index": 0, "delta": {}, "finish_reason": reason }] })
        )
    }

    const DONE: &str = "data: [DONE]\n\n";

    fn call(id: &str, name: &str, arguments: &str) -> ToolCall {
        ToolCall { id: id.into(), name: name.into(), arguments: arguments.into() }
    }

    #[test]
    fn text_and_usage() {
        let stream = [
            delta(&json!({ "role": "assistant", "content": "" })),
            delta(&json!({ "content": "Hel" })),
            delta(&json!({ "content": "lo" })),
            finish("stop"),
            "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":2,\
             \"prompt_tokens_details\":{\"cached_tokens\":4}}}\n\n"
                .to_owned(),
            DONE.to_owned(),
        ]
        .concat();
        assert_eq!(
            read(&[stream.as_bytes()]).unwrap(),
            [
                ModelEvent::Text("Hel".into()),
                ModelEvent::Text("lo".into()),
                ModelEvent::Done(ModelAnswer {
                    text: "Hello".into(),
                    calls: Vec::new(),
                    ending: Ending::Whole,
                    usage: Some(Usage { input: 9, cached: 4, output: 2 }),
                }),
            ]
        );
    }

    #[test]
    fn provider_scenario_48_tool_calls_go_by_index_in_fragments() {
        let piece = |index: u64, piece: Value| {
            let mut piece = piece;
            piece["index"] = index.into();
            delta(&json!({ "tool_calls": [piece] }))
        };
        let stream = [
            piece(0, json!({ "id": "a", "function": { "name": "one", "arguments": "" } })),
            piece(1, json!({ "id": "b", "function": { "name": "two", "arguments": "{\"x\"" } })),
            piece(0, json!({ "function": { "arguments": "{\"city\":\"K\u{f6}" } })),
            piece(1, json!({ "function": { "arguments": ":1}" } })),
            piece(0, json!({ "function": { "arguments": "ln\"}" } })),
            finish("tool_calls"),
            DONE.to_owned(),
        ]
        .concat();
        let calls = [call("a", "one", "{\"city\":\"K\u{f6}ln\"}"), call("b", "two", "{\"x\":1}")];
        let whole = read(&[stream.as_bytes()]).unwrap();
        assert_eq!(answer(&stream).runnable(), calls);
        for cut in 0..stream.len() {
            let (head, tail) = stream.as_bytes().split_at(cut);
            assert_eq!(read(&[head, tail]).unwrap(), whole, "cut at {cut}");
        }
    }

    #[test]
    fn a_call_without_an_index_is_the_first() {
        let stream = [
            delta(&json!({ "tool_calls": [{ "id": "a", "function": { "name": "f" } }] })),
            delta(&json!({ "tool_calls": [{ "function": { "arguments": "{}" } }] })),
            DONE.to_owned(),
        ]
        .concat();
        assert_eq!(answer(&stream).calls, [call("a", "f", "{}")]);
    }

    #[test]
    fn two_whole_calls_without_indices_are_two() {
        let stream = [
            delta(&json!({ "tool_calls": [
                { "id": "a", "function": { "name": "f", "arguments": "{}" } },
                { "id": "b", "function": { "name": "g", "arguments": { "x": 1 } } },
            ] })),
            DONE.to_owned(),
        ]
        .concat();
        assert_eq!(answer(&stream).calls, [call("a", "f", "{}"), call("b", "g", "{\"x\":1}")]);
    }

    #[test]
    fn a_call_without_an_id_gets_one() {
        let stream = [
            delta(&json!({ "tool_calls": [{ "index": 3, "function": { "name": "f" } }] })),
            DONE.to_owned(),
        ]
        .concat();
        assert_eq!(answer(&stream).calls, [call("call_3", "f", "")]);
    }

    #[test]
    fn provider_scenario_48_an_end_without_done_is_incomplete() {
        let text = delta(&json!({ "content": "Hel" }));
        assert_eq!(answer(&text).ending, Ending::Incomplete { finished: false });
        assert_eq!(answer(&text).text, "Hel");
        let finished = format!("{text}{}", finish("stop"));
        assert_eq!(answer(&finished).ending, Ending::Incomplete { finished: true });
        let call = delta(&json!({ "tool_calls": [{ "id": "a", "function": { "name": "f" } }] }));
        let called = format!("{call}{}", finish("tool_calls"));
        assert_eq!(answer(&called).runnable(), []);
        assert_eq!(answer("").ending, Ending::Incomplete { finished: false });
    }

    #[test]
    fn endings() {
        for (reason, ending) in [
            ("stop", Ending::Whole),
            ("tool_calls", Ending::Whole),
            ("length", Ending::OutOfRoom),
            ("content_filter", Ending::Filtered),
        ] {
            assert_eq!(answer(&format!("{}{DONE}", finish(reason))).ending, ending, "{reason}");
        }
    }

    #[test]
    fn an_error_in_the_stream_is_an_error() {
        let told = read(&[b"data: {\"error\":{\"message\":\"overloaded\",\"code\":503}}\n\n"]);
        assert_eq!(told.unwrap_err().to_string(), "the endpoint says: overloaded");
        assert!(matches!(read(&[b"data: {oops\n\n"]), Err(ModelFailure::Unreadable(_))));
    }

    #[test]
    fn a_refusal_is_said() {
        let stream = format!("{}{DONE}", delta(&json!({ "refusal": "No." })));
        assert_eq!(answer(&stream).text, "No.");
    }

    #[test]
    fn pictures_go_as_data() {
        let image = |url: &str| Image { url: url.into() };
        let images = vec![image("data:image/png;base64,AA=="), image("data:image/gif;base64,BB==")];
        assert_eq!(
            message(&Message::Images(images)),
            json!({ "role": "user", "content": [
                { "type": "image_url", "image_url": { "url": "data:image/png;base64,AA==" } },
                { "type": "image_url", "image_url": { "url": "data:image/gif;base64,BB==" } },
            ] })
        );
    }

    #[test]
    fn the_body_holds_the_conversation() {
        let request = ModelRequest {
            system: "Be brief.".into(),
            messages: vec![
                Message::User { by: None, text: "hi".into() },
                Message::Assistant { text: String::new(), calls: vec![call("a", "f", "{}")] },
                Message::Tool { call: "a".into(), output: "42".into() },
                Message::Assistant { text: "It is 42.".into(), calls: Vec::new() },
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
                "model": "m",
                "stream": true,
                "stream_options": { "include_usage": true },
                "messages": [
                    { "role": "system", "content": "Be brief." },
                    { "role": "user", "content": "hi" },
                    { "role": "assistant", "content": null, "tool_calls": [
                        { "id": "a", "type": "function",
                          "function": { "name": "f", "arguments": "{}" } },
                    ] },
                    { "role": "tool", "tool_call_id": "a", "content": "42" },
                    { "role": "assistant", "content": "It is 42." },
                ],
                "tools": [{ "type": "function", "function": {
                    "name": "f", "description": "does f", "parameters": { "type": "object" },
                } }],
            })
        );
    }

    proptest! {
        #[test]
        fn text_is_told_whole_and_done_comes_once(
            pieces in prop::collection::vec("\\PC{0,8}", 0..20),
            cut in any::<prop::sample::Index>(),
        ) {
            let stream: String =
                pieces.iter().map(|piece| delta(&json!({ "content": piece }))).collect();
            let stream = format!("{stream}{DONE}{DONE}");
            let (head, tail) = stream.as_bytes().split_at(cut.index(stream.len() + 1));
            let events = read(&[head, tail]).unwrap();
            let mut told = String::new();
            let mut done = Vec::new();
            for event in events {
                match event {
                    ModelEvent::Text(text) => told.push_str(&text),
                    ModelEvent::Done(answer) => done.push(answer.text),
                }
            }
            prop_assert_eq!(&told, &pieces.concat());
            prop_assert_eq!(done, [told]);
        }

        #[test]
        fn anything_may_come(lines in prop::collection::vec("\\PC{0,40}", 0..10)) {
            let mut assembly = CompletionsAssembly::default();
            for data in lines {
                let _ = assembly.handle_event(&SseEvent { name: String::new(), data });
            }
        }
    }
}
