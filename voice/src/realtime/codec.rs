//! What is asked of a provider, and the form every provider's codec has.

use std::fmt;

use super::{
    Closed,
    event::{DecodeStats, ServerEvent, Unreadable},
    gemini, openai,
};
use crate::timeline::Role;

/// The `event_id` of [`Command::Configure`]: an error that names it refuses our configuration.
pub const CONFIGURE_EVENT_ID: &str = "clawvoice_session";

/// Who finds the end of a turn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum TurnDetection {
    /// The provider, on the audio.
    Server {
        /// Speech probability above which audio is speech, 0 to 1.
        threshold: f64,
        /// Audio kept from before the speech, in ms.
        prefix_padding_ms: u32,
        /// Silence that ends a turn, in ms.
        silence_duration_ms: u32,
        /// Whether the provider answers a turn by itself.
        create_response: bool,
        /// Whether the provider cancels its response when speech starts.
        interrupt_response: bool,
    },
    /// Ours: turns are committed by [`Command::Commit`].
    Own,
}

/// A function that the model may call.
#[derive(Clone, Debug, PartialEq)]
pub struct ToolDefinition {
    /// Its name: letters, digits, `_` and `-`.
    pub name: String,
    /// What it does and when to call it, for the model.
    pub description: String,
    /// Its parameters, a JSON Schema object.
    pub parameters: serde_json::Value,
}

/// What [`Command::Configure`] sets.
#[derive(Clone, Debug, PartialEq)]
pub struct SessionSettings<'a> {
    /// The model, for providers that want its name in the configuration.
    pub model: &'a str,
    /// The system prompt.
    pub instructions: &'a str,
    /// The voice; empty leaves the provider's default.
    pub voice: &'a str,
    /// Model that transcribes the user's speech; `None` turns transcripts off.
    pub transcription_model: Option<&'a str>,
    /// Who finds the end of a turn.
    pub turn_detection: TurnDetection,
    /// The functions that the model may call.
    pub tools: &'a [ToolDefinition],
    /// What was said before this connection, oldest first, for providers that want it in the
    /// configuration; others get it by [`Command::Replay`].
    pub history: &'a [(Role, String)],
}

/// Something to tell a provider. What its interface has no message for is encoded as no frame; see
/// [`Capabilities`].
#[derive(Clone, Debug)]
pub enum Command<'a> {
    /// First on every connection: who the model is. Answered by
    /// [`ServerEvent::SessionUpdated`].
    Configure(SessionSettings<'a>),
    /// A piece of the speaker's audio, 24 kHz mono.
    Append(&'a [i16]),
    /// Ends the speaker's turn (with [`TurnDetection::Own`]).
    Commit,
    /// Forgets the audio that is in no turn yet.
    ClearInput,
    /// Asks for an answer.
    Respond {
        /// Replaces the session's instructions for this answer.
        instructions: Option<&'a str>,
    },
    /// Stops an answer.
    Cancel {
        /// Which.
        response: &'a str,
    },
    /// The room heard `item` up to `audio_end_ms` (inclusive): forget the rest.
    Truncate {
        /// The item.
        item: &'a str,
        /// Which content part of it.
        content_index: u32,
        /// How much was heard, in ms from the item's start.
        audio_end_ms: u64,
    },
    /// The room heard nothing of `item`: forget it.
    Delete {
        /// The item.
        item: &'a str,
    },
    /// Words of the user as text, and a request to answer them.
    Say {
        /// The words.
        text: &'a str,
    },
    /// The result of a function call. Asks for no answer; [`Command::Respond`] does.
    ToolResult {
        /// The call's id.
        call_id: &'a str,
        /// The call's function.
        name: &'a str,
        /// The result, JSON as text.
        output: &'a str,
    },
    /// What was said before this connection, oldest first. Asks for no answer.
    Replay {
        /// Who said what.
        history: &'a [(Role, String)],
    },
}

impl Command<'_> {
    /// The word that this command's `event_id` begins with, so that an error can be told from its
    /// `event_id`; `None` for commands that errors do not name.
    #[must_use]
    pub fn word(&self) -> Option<&'static str> {
        match self {
            Self::Configure(_) | Self::Append(_) => None,
            Self::Commit => Some("commit"),
            Self::ClearInput => Some("clear"),
            Self::Respond { .. } | Self::Say { .. } => Some("create"),
            Self::Cancel { .. } => Some("cancel"),
            Self::Truncate { .. } => Some("truncate"),
            Self::Delete { .. } => Some("delete"),
            Self::ToolResult { .. } => Some("result"),
            Self::Replay { .. } => Some("replay"),
        }
    }
}

/// How a provider holds a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// In turns: what the speaker says is committed, an answer is one response.
    TurnBased,
    /// In both directions at once: the model decides when to speak and when to stop. There are no
    /// responses to cancel and no items to truncate.
    Duplex,
}

/// What a provider's interface can do. What it cannot is not asked of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// Turns, or both directions at once.
    pub shape: Shape,
    /// Whether a running answer can be cancelled.
    pub can_cancel: bool,
    /// Whether what the room did not hear can be taken back: [`Command::Truncate`] and
    /// [`Command::Delete`].
    pub can_truncate: bool,
    /// Whether [`Command::ClearInput`] works.
    pub can_clear_input: bool,
    /// Whether the end of a turn may be found by us ([`TurnDetection::Own`]).
    pub can_detect_own_turns: bool,
    /// Whether a finished function call has its result answered without [`Command::Respond`].
    pub answers_tool_results: bool,
    /// Whether a transcript of the user's speech is sent again with each word added. The codec
    /// tells only what is new of a final one.
    pub cumulative_transcripts: bool,
}

/// A frame as it came from the websocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    /// A text frame.
    Text(&'a str),
    /// A binary frame.
    Binary(&'a [u8]),
}

impl Frame<'_> {
    /// Its length in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Binary(bytes) => bytes.len(),
        }
    }

    /// Whether nothing is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// One provider connection's wire protocol, sans-IO.
pub trait Codec: fmt::Debug + Send {
    /// What the provider can do.
    fn capabilities(&self) -> Capabilities;

    /// Appends the text frames that `command` is; none if the provider has nothing like it.
    /// `event_id` marks them, where the provider's messages can carry it.
    fn encode(&mut self, event_id: &str, command: &Command<'_>, frames: &mut Vec<String>);

    /// Appends what a frame means: each event with its type as the provider calls it, for the log.
    ///
    /// # Errors
    ///
    /// A frame that is no event; counted, and harmless to the next.
    fn decode(
        &mut self,
        frame: Frame<'_>,
        events: &mut Vec<(String, ServerEvent)>,
    ) -> Result<(), Unreadable>;

    /// Why the connection is gone, before [`Codec::renew`].
    fn handle_closed(&mut self, _closed: &Closed) {}

    /// Gives up what would let the next connection go on from this one.
    fn start_over(&mut self) {}

    /// Whether connecting again after this is pointless until an operator changes something.
    fn is_fatal(&self, closed: &Closed) -> bool {
        closed.is_fatal()
    }

    /// Begins a new connection. What lets it go on from the last one is kept, nothing else.
    fn renew(&mut self);

    /// What was skipped on this connection.
    fn stats(&self) -> DecodeStats;
}

/// Which provider's protocol is spoken, and how that server deviates from it.
#[derive(Clone, Debug)]
pub enum Profile {
    /// OpenAI's Realtime interface, there or at a compatible server.
    OpenAi(openai::Profile),
    /// Google's Live interface.
    Gemini(gemini::Profile),
    /// A protocol of the caller's.
    Other(fn() -> Box<dyn Codec>),
}

impl Profile {
    /// A codec for a new place in the pool.
    #[must_use]
    pub fn codec(&self) -> Box<dyn Codec> {
        match self {
            Self::OpenAi(profile) => Box::new(openai::OpenAi::new(profile.clone())),
            Self::Gemini(profile) => Box::new(gemini::Gemini::new(profile.clone())),
            Self::Other(make) => make(),
        }
    }
}

impl Default for Profile {
    fn default() -> Self {
        Self::OpenAi(openai::Profile::default())
    }
}
