//! The body of an answer: an event stream, or the one JSON document of an endpoint that ignores
//! `stream: true`.
//!
//! Which of them it is, its first character says: no line of an event stream begins with a brace.
//! The content type is not asked, because compatible servers set it carelessly.

use super::{
    Assembly, ModelFailure,
    sse::{MAX_DATA, SseParser},
};

/// Reads a body into an [`Assembly`].
#[derive(Debug)]
pub struct AnswerBody {
    form: Form,
    assembly: Assembly,
}

#[derive(Debug)]
enum Form {
    /// A stream, as long as nothing but white space came to tell.
    Stream {
        parser: SseParser,
        begun: bool,
    },
    Document(Vec<u8>),
}

impl AnswerBody {
    /// For an answer of which nothing has come.
    #[must_use]
    pub fn new(assembly: Assembly) -> Self {
        Self { form: Form::Stream { parser: SseParser::default(), begun: false }, assembly }
    }

    /// The next piece of the body.
    ///
    /// # Errors
    ///
    /// When the endpoint tells an error, or what came cannot be read. The answer is then lost.
    pub fn handle_bytes(&mut self, bytes: &[u8]) -> Result<(), ModelFailure> {
        match &mut self.form {
            Form::Stream { parser, begun } => {
                let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
                if !*begun && first == Some(&b'{') {
                    self.form = Form::Document(Vec::new());
                    return self.handle_bytes(bytes);
                }
                *begun |= first.is_some();
                parser.handle_bytes(bytes)?;
                self.handle_events()
            }
            Form::Document(document) => {
                if document.len() + bytes.len() > MAX_DATA {
                    return Err(ModelFailure::TooLong);
                }
                document.extend_from_slice(bytes);
                Ok(())
            }
        }
    }

    /// The body ended. What of it is not whole makes an incomplete answer.
    ///
    /// # Errors
    ///
    /// As [`Self::handle_bytes`].
    pub fn handle_end(&mut self) -> Result<(), ModelFailure> {
        match &mut self.form {
            Form::Stream { parser, .. } => {
                parser.handle_end()?;
                self.handle_events()?;
            }
            Form::Document(document) => {
                match serde_json::from_slice(document) {
                    Ok(document) => self.assembly.handle_document(&document)?,
                    // The connection broke in the middle of it.
                    Err(error) if error.is_eof() => {}
                    Err(error) => return Err(ModelFailure::Unreadable(error.to_string())),
                }
                document.clear();
            }
        }
        self.assembly.handle_end();
        Ok(())
    }

    /// The answer as far as it is read.
    pub const fn assembly(&mut self) -> &mut Assembly {
        &mut self.assembly
    }

    fn handle_events(&mut self) -> Result<(), ModelFailure> {
        let Form::Stream { parser, .. } = &mut self.form else { return Ok(()) };
        while let Some(event) = parser.poll_event() {
            self.assembly.handle_event(&event)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::{
        super::{Api, Ending, ModelAnswer, ModelEvent, ToolCall},
        *,
    };
    use crate::agent::Usage;

    fn read(api: Api, pieces: &[&[u8]]) -> Result<Vec<ModelEvent>, ModelFailure> {
        let mut body = AnswerBody::new(Assembly::new(api));
        for piece in pieces {
            body.handle_bytes(piece)?;
        }
        body.handle_end()?;
        Ok(std::iter::from_fn(|| body.assembly().poll_event()).collect())
    }

    fn document(api: Api, document: &Value) -> Result<Vec<ModelEvent>, ModelFailure> {
        read(api, &[document.to_string().as_bytes()])
    }

    fn answer(api: Api, of: &Value) -> ModelAnswer {
        match document(api, of).unwrap().pop() {
            Some(ModelEvent::Done(answer)) => answer,
            other => panic!("{other:?}"),
        }
    }

    fn call(id: &str, name: &str, arguments: &str) -> ToolCall {
        ToolCall { id: id.into(), name: name.into(), arguments: arguments.into() }
    }

    fn completion() -> Value {
        json!({
            "object": "chat.completion",
            "choices": [{
                "index": 0,
                "message": { "role": "assistant", "content": "Hello, K\u{f6}ln." },
                "finish_reason": "stop",
            }],
            "usage": { "prompt_tokens": 9, "completion_tokens": 2 },
        })
    }

    fn response() -> Value {
        json!({
            "object": "response",
            "status": "completed",
            "output": [
                { "type": "reasoning", "summary": [] },
                { "type": "message", "role": "assistant", "content": [
                    { "type": "output_text", "text": "Hello, " },
                    { "type": "output_text", "text": "K\u{f6}ln." },
                ] },
            ],
            "usage": { "input_tokens": 9, "output_tokens": 2 },
        })
    }

    #[test]
    fn an_endpoint_that_does_not_stream_is_understood() {
        for (api, body) in [(Api::Completions, completion()), (Api::Responses, response())] {
            let events = document(api, &body).unwrap();
            let told: String = events
                .iter()
                .filter_map(|event| match event {
                    ModelEvent::Text(text) => Some(text.as_str()),
                    ModelEvent::Done(_) => None,
                })
                .collect();
            assert_eq!(told, "Hello, K\u{f6}ln.");
            assert_eq!(
                events.last(),
                Some(&ModelEvent::Done(ModelAnswer {
                    text: told,
                    calls: Vec::new(),
                    ending: Ending::Whole,
                    usage: Some(Usage { input: 9, cached: 0, output: 2 }),
                }))
            );
        }
    }

    #[test]
    fn calls_of_a_document_are_told_apart_without_indices_or_ids() {
        let calls = json!([
            { "type": "function", "function": { "name": "f", "arguments": "{}" } },
            { "type": "function", "function": { "name": "g", "arguments": { "x": 1 } } },
        ]);
        let body = json!({ "choices": [{
            "message": { "content": null, "tool_calls": calls }, "finish_reason": "tool_calls",
        }] });
        assert_eq!(
            answer(Api::Completions, &body).runnable(),
            [call("call_0", "f", "{}"), call("call_1", "g", "{\"x\":1}")]
        );
        let item = |name: &str, status: &str| {
            json!({ "type": "function_call", "call_id": name, "name": name, "arguments": "{}",
                    "status": status })
        };
        let body = json!({
            "status": "completed",
            "output": [item("f", "completed"), item("g", "incomplete")],
        });
        assert_eq!(answer(Api::Responses, &body).runnable(), [call("f", "f", "{}")]);
    }

    #[test]
    fn a_document_says_how_it_ended() {
        for (reason, ending) in [
            ("stop", Ending::Whole),
            ("length", Ending::OutOfRoom),
            ("content_filter", Ending::Filtered),
        ] {
            let mut body = completion();
            body["choices"][0]["finish_reason"] = reason.into();
            assert_eq!(answer(Api::Completions, &body).ending, ending, "{reason}");
        }
        let mut body = response();
        body["status"] = "incomplete".into();
        assert_eq!(answer(Api::Responses, &body).ending, Ending::OutOfRoom);
        body["incomplete_details"] = json!({ "reason": "content_filter" });
        assert_eq!(answer(Api::Responses, &body).ending, Ending::Filtered);
    }

    #[test]
    fn a_document_that_is_no_answer_is_an_error() {
        for api in [Api::Completions, Api::Responses] {
            let told = document(api, &json!({ "error": { "message": "overloaded" } }));
            assert_eq!(told.unwrap_err().to_string(), "the endpoint says: overloaded", "{api:?}");
            for odd in [json!({}), json!({ "choices": [] }), json!({ "output": "x" })] {
                let read = document(api, &odd);
                assert!(matches!(read, Err(ModelFailure::Unreadable(_))), "{api:?} {odd}");
            }
            assert!(matches!(read(api, &[b"{oops"]), Err(ModelFailure::Unreadable(_))));
        }
        let failed = json!({ "status": "failed", "output": [], "error": { "message": "no" } });
        let told = document(Api::Responses, &failed).unwrap_err();
        assert_eq!(told.to_string(), "the endpoint says: no");
    }

    #[test]
    fn a_document_that_breaks_off_is_incomplete() {
        let text = completion().to_string();
        let (head, _) = text.as_bytes().split_at(text.len() - 1);
        let [ModelEvent::Done(answer)] = &read(Api::Completions, &[head]).unwrap()[..] else {
            panic!("more than an end")
        };
        assert_eq!(answer.ending, Ending::Incomplete { finished: false });
    }

    #[test]
    fn a_document_has_bounds() {
        let mut body = AnswerBody::new(Assembly::new(Api::Completions));
        body.handle_bytes(b"{").unwrap();
        let piece = vec![b' '; MAX_DATA];
        assert_eq!(body.handle_bytes(&piece), Err(ModelFailure::TooLong));
    }

    proptest! {
        #[test]
        fn it_does_not_matter_where_a_body_is_cut(
            cut in any::<prop::sample::Index>(),
            blank in "[ \r\n]{0,3}",
            streamed in any::<bool>(),
        ) {
            let text = match streamed {
                false => format!("{blank}{}", completion()),
                true => {
                    let chunk = json!({ "choices": [{ "delta": { "content": "K\u{f6}ln" } }] });
                    format!("{blank}data: {chunk}\n\ndata: [DONE]\n\n")
                }
            };
            let whole = read(Api::Completions, &[text.as_bytes()]).unwrap();
            let Some(ModelEvent::Done(answer)) = whole.last() else { panic!("no end") };
            prop_assert_eq!(answer.ending, Ending::Whole);
            let (head, tail) = text.as_bytes().split_at(cut.index(text.len() + 1));
            prop_assert_eq!(read(Api::Completions, &[head, tail]).unwrap(), whole);
        }

        #[test]
        fn anything_may_come(
            responses in any::<bool>(),
            pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..6),
            brace in any::<bool>(),
        ) {
            let api = if responses { Api::Responses } else { Api::Completions };
            let mut all: Vec<&[u8]> = if brace { vec![b"{"] } else { Vec::new() };
            all.extend(pieces.iter().map(Vec::as_slice));
            let _ = read(api, &all);
        }
    }
}
