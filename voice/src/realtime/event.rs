//! What a provider says, in the words of none of them.

use std::{collections::BTreeMap, time::Duration};

use super::failure::Failure;

/// A frame that is no event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// Not JSON.
    #[error("expected JSON")]
    NotJson,
    /// JSON, but no event.
    #[error("expected an object with a type")]
    NotAnEvent,
    /// A binary frame of a protocol that has none.
    #[error("expected a text frame")]
    Binary,
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

/// How far an output item is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ItemStatus {
    /// Not said; the arguments event of a function call does not say it.
    Unknown,
    /// Being generated.
    InProgress,
    /// Whole.
    Completed,
    /// Cut short: a function call in this state must not be executed.
    Incomplete,
}

/// A finished function call. The same call may arrive twice (as arguments and as an item): tell
/// them apart by `call_id`. Execute it only once its `status` is [`ItemStatus::Completed`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionCall {
    /// The response it belongs to.
    pub response: Option<String>,
    /// The item it is.
    pub item: Option<String>,
    /// The id that the result must name.
    pub call_id: String,
    /// The function.
    pub name: String,
    /// The arguments, JSON as text (not checked).
    pub arguments: String,
    /// How far the call's item is.
    pub status: ItemStatus,
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

/// Tokens of one response or of one transcription.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Of text that went in, cached ones included.
    pub input_text: u64,
    /// Of audio that went in, cached ones included.
    pub input_audio: u64,
    /// Of `input_text` and `input_audio`, those that were cached.
    pub input_cached: u64,
    /// Of text that came out.
    pub output_text: u64,
    /// Of audio that came out, heard or not.
    pub output_audio: u64,
    /// All of them, as the provider counts.
    pub total: u64,
}

impl Usage {
    /// Adds another's tokens.
    pub fn add(&mut self, more: Self) {
        self.input_text = self.input_text.saturating_add(more.input_text);
        self.input_audio = self.input_audio.saturating_add(more.input_audio);
        self.input_cached = self.input_cached.saturating_add(more.input_cached);
        self.output_text = self.output_text.saturating_add(more.output_text);
        self.output_audio = self.output_audio.saturating_add(more.output_audio);
        self.total = self.total.saturating_add(more.total);
    }
}

/// What a transcription is billed by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TranscriptionUsage {
    /// Tokens.
    Tokens(Usage),
    /// The audio's length.
    Duration(Duration),
}

/// How much of a limit is left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// What is limited: `requests` or `tokens`.
    pub name: String,
    /// The limit.
    pub limit: u64,
    /// What is left of it.
    pub remaining: u64,
    /// Until it is whole again.
    pub reset: Duration,
}

/// A server event, as far as we act on it. An `item` is `None` where the server does not name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerEvent {
    /// The connection has a session; its configuration is not ours yet.
    SessionCreated,
    /// Our configuration is in force.
    SessionUpdated,
    /// The provider's turn detection hears speech.
    SpeechStarted {
        /// The user item that the speech will be.
        item: Option<String>,
    },
    /// The provider's turn detection hears the end of speech.
    SpeechStopped {
        /// The user item that the speech will be.
        item: Option<String>,
    },
    /// The user's turn is in the history.
    Committed {
        /// The user item that it is.
        item: Option<String>,
    },
    /// Words of the user so far; not final.
    UserTranscriptPartial {
        /// The user item.
        item: Option<String>,
        /// All of the words so far.
        text: String,
    },
    /// A final transcript of the user's speech.
    UserTranscript {
        /// The user item.
        item: Option<String>,
        /// The words; what an earlier final transcript of the item has said is not among them.
        text: String,
        /// What it cost, if the server said so.
        usage: Option<TranscriptionUsage>,
    },
    /// The user's speech could not be transcribed; the conversation goes on.
    UserTranscriptFailed {
        /// The user item.
        item: Option<String>,
        /// Why.
        failure: Failure,
    },
    /// An answer begins.
    ResponseCreated {
        /// Its id, if the server gave one.
        response: Option<String>,
        /// What we labelled it with when we asked for it.
        metadata: BTreeMap<String, String>,
    },
    /// An answer is over.
    ResponseDone {
        /// The response.
        response: Option<String>,
        /// How it ended.
        status: ResponseStatus,
        /// Why, if it failed.
        failure: Failure,
        /// What it cost, if the server said so.
        usage: Option<Usage>,
        /// What we labelled it with when we asked for it.
        metadata: BTreeMap<String, String>,
    },
    /// An item of an answer was announced.
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
    /// Assistant audio that cannot be read; dropped.
    BadAudio,
    /// More words of an assistant item; they run ahead of its audio.
    AssistantTranscriptPartial {
        /// The response.
        response: Option<String>,
        /// The item.
        item: Option<String>,
        /// What is added to the words before.
        delta: String,
    },
    /// The final transcript of an assistant item.
    AssistantTranscript {
        /// The response.
        response: Option<String>,
        /// The item.
        item: Option<String>,
        /// The words.
        text: String,
    },
    /// A function call, from the arguments event or the finished item.
    FunctionCall(FunctionCall),
    /// The provider has withdrawn function calls: their results are not wanted any more.
    ToolCallsCancelled {
        /// Their call ids.
        ids: Vec<String>,
    },
    /// The provider has stopped its answer because it heard the user. Only providers that say so in
    /// place of [`ServerEvent::SpeechStarted`].
    Interrupted,
    /// The provider will close this connection.
    GoAway {
        /// In how long, if it said so.
        time_left: Option<Duration>,
    },
    /// What was used since the last such event. Only providers that do not say so at an answer's
    /// end.
    Used(Usage),
    /// How much may still be asked of the provider.
    RateLimits(Vec<RateLimit>),
    /// An error.
    Error(Failure),
    /// A known event that needs no action (partials, acknowledgements, `….done` markers).
    Noted {
        /// The response it belongs to.
        response: Option<String>,
    },
    /// An event type nobody told us about.
    Unknown,
}

/// What a [`Codec`](super::Codec) skipped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DecodeStats {
    /// Frames that are no event.
    pub unreadable: u64,
    /// Audio that cannot be read.
    pub bad_audio: u64,
    /// Events of unknown type.
    pub unknown: u64,
}

impl DecodeStats {
    /// Adds another connection's counters.
    pub fn add(&mut self, more: Self) {
        self.unreadable += more.unreadable;
        self.bad_audio += more.bad_audio;
        self.unknown += more.unknown;
    }
}
