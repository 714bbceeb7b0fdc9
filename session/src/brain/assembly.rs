//! An answer put together from the events of a stream or from one document, in either API's form.

use serde_json::Value;

use super::{
    Api, ModelEvent, completions::CompletionsAssembly, failure::ModelFailure,
    responses::ResponsesAssembly, sse::SseEvent,
};

/// The most text of one answer, in bytes.
pub(crate) const MAX_TEXT: usize = 1 << 20;

/// The most arguments of one tool call, in bytes.
pub(crate) const MAX_ARGUMENTS: usize = 256 << 10;

/// The most tool calls of one answer.
pub(crate) const MAX_CALLS: usize = 64;

/// Puts an answer together.
#[derive(Debug)]
pub enum Assembly {
    /// Of chat completions.
    Completions(CompletionsAssembly),
    /// Of the responses API.
    Responses(ResponsesAssembly),
}

impl Assembly {
    /// For the answer to one request.
    #[must_use]
    pub fn new(api: Api) -> Self {
        match api {
            Api::Completions => Self::Completions(CompletionsAssembly::default()),
            Api::Responses => Self::Responses(ResponsesAssembly::default()),
        }
    }

    /// The next event of the stream. After the answer's end it is passed over.
    ///
    /// # Errors
    ///
    /// When the endpoint tells an error, or the event cannot be read. The answer is then lost.
    pub fn handle_event(&mut self, event: &SseEvent) -> Result<(), ModelFailure> {
        match self {
            Self::Completions(assembly) => assembly.handle_event(event),
            Self::Responses(assembly) => assembly.handle_event(event),
        }
    }

    /// The answer came as one JSON document.
    ///
    /// # Errors
    ///
    /// When it tells an error, or is no answer.
    pub fn handle_document(&mut self, document: &Value) -> Result<(), ModelFailure> {
        if let Some(error) = document.get("error").filter(|error| !error.is_null()) {
            return Err(ModelFailure::told(error));
        }
        match self {
            Self::Completions(assembly) => assembly.handle_document(document),
            Self::Responses(assembly) => assembly.handle_document(document),
        }
    }

    /// The stream ended. If the answer has not, it is incomplete.
    pub fn handle_end(&mut self) {
        match self {
            Self::Completions(assembly) => assembly.handle_end(),
            Self::Responses(assembly) => assembly.handle_end(),
        }
    }

    /// What the model told next. [`ModelEvent::Done`] is the last, and comes once.
    pub fn poll_event(&mut self) -> Option<ModelEvent> {
        match self {
            Self::Completions(assembly) => assembly.poll_event(),
            Self::Responses(assembly) => assembly.poll_event(),
        }
    }
}
