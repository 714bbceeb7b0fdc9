//! The OpenAI Realtime wire protocol: JSON text frames, audio as base64 in them.
//!
//! ```text
//! Command → command.rs → text frame      text frame → event.rs → ServerEvent
//! ```
//!
//! Sends the names of the generally available interface; accepts the names of the beta and of
//! compatible servers as well. Unknown events and fields are skipped and counted, so a newer or an
//! odd server cannot end a conversation.
//!
//! Source: OpenAI, "Realtime API reference" (client and server events) and its migration guide.

mod command;
mod event;

use std::collections::{BTreeMap, VecDeque};

pub use event::Decoder;

use super::{
    AudioDelta, Capabilities, Codec, Command, DecodeStats, Frame, ServerEvent, Shape, Unreadable,
};
use crate::timeline::Role;

/// Responses whose ids are remembered; the oldest is forgotten first.
const MAX_KNOWN: usize = 32;

/// How a server differs from OpenAI's own, which is the default.
#[derive(Clone, Debug, PartialEq)]
pub struct Profile {
    /// The session's settings in the flat form of the beta, and its part types in items.
    pub flat_session: bool,
    /// The first thing that comes of a response begins it: `response.created` may be missing.
    pub implied_responses: bool,
    /// Whether a running response can be cancelled.
    pub can_cancel: bool,
    /// Whether items can be truncated and deleted.
    pub can_truncate: bool,
    /// Sampling temperature, for servers that have it.
    pub temperature: Option<f64>,
    /// How long the model thinks, for models that do.
    pub reasoning_effort: Option<String>,
    /// A transcript of the user's speech is sent again, whole, with each word added.
    pub cumulative_transcripts: bool,
}

impl Default for Profile {
    fn default() -> Self {
        Self {
            flat_session: false,
            implied_responses: false,
            can_cancel: true,
            can_truncate: true,
            temperature: None,
            reasoning_effort: None,
            cumulative_transcripts: false,
        }
    }
}

/// One connection that speaks the protocol.
#[derive(Debug)]
pub struct OpenAi {
    profile: Profile,
    decoder: Decoder,
    /// Responses that have begun or ended, where beginnings may be missing.
    known: VecDeque<String>,
}

impl OpenAi {
    /// A codec for a new connection.
    #[must_use]
    pub fn new(profile: Profile) -> Self {
        let decoder = Decoder::of(&profile);
        Self { profile, decoder, known: VecDeque::new() }
    }
}

impl OpenAi {
    /// A response of which something comes before its beginning begins now.
    fn begin_if_unknown(&mut self, event: &ServerEvent, events: &mut Vec<(String, ServerEvent)>) {
        let (response, begins) = match event {
            ServerEvent::ResponseCreated { response, .. }
            | ServerEvent::ResponseDone { response, .. } => (response, false),
            ServerEvent::Audio(AudioDelta { response, .. })
            | ServerEvent::OutputItemAdded { response, .. }
            | ServerEvent::AssistantTranscriptPartial { response, .. } => (response, true),
            _ => return,
        };
        let Some(id) = response.as_ref().filter(|id| !self.known.contains(id)) else { return };
        if self.known.len() == MAX_KNOWN {
            self.known.pop_front();
        }
        self.known.push_back(id.clone());
        if begins {
            let response = response.clone();
            let created = ServerEvent::ResponseCreated { response, metadata: BTreeMap::new() };
            events.push(("response.implied".to_owned(), created));
        }
    }
}

impl Codec for OpenAi {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            shape: Shape::TurnBased,
            can_cancel: self.profile.can_cancel,
            can_truncate: self.profile.can_truncate,
            can_clear_input: true,
            can_detect_own_turns: true,
            answers_tool_results: false,
            cumulative_transcripts: self.profile.cumulative_transcripts,
        }
    }

    fn encode(&mut self, event_id: &str, command: &Command<'_>, frames: &mut Vec<String>) {
        let frame = match command {
            Command::Configure(settings) => command::session_update(settings, &self.profile),
            Command::Append(pcm) => command::append(pcm),
            Command::Commit => command::commit(event_id),
            Command::ClearInput => command::clear(event_id),
            Command::Respond { instructions } => command::response_create(event_id, *instructions),
            Command::Cancel { .. } if !self.profile.can_cancel => return,
            Command::Truncate { .. } | Command::Delete { .. } if !self.profile.can_truncate => {
                return;
            }
            Command::Cancel { response } => command::response_cancel(event_id, response),
            Command::Truncate { item, content_index, audio_end_ms } => {
                command::truncate_item(event_id, item, *content_index, *audio_end_ms)
            }
            Command::Delete { item } => command::delete_item(event_id, item),
            Command::Say { text } => {
                frames.push(command::text_item(
                    &format!("item_{event_id}"),
                    Role::User,
                    text,
                    self.profile.flat_session,
                ));
                command::response_create(event_id, None)
            }
            Command::ToolResult { call_id, name: _, output } => {
                command::tool_result(event_id, call_id, output)
            }
            Command::Replay { history } => {
                let flat = self.profile.flat_session;
                let items = history.iter();
                frames.extend(
                    items.map(|(role, text)| command::text_item(event_id, *role, text, flat)),
                );
                return;
            }
        };
        frames.push(frame);
    }

    fn decode(
        &mut self,
        frame: Frame<'_>,
        events: &mut Vec<(String, ServerEvent)>,
    ) -> Result<(), Unreadable> {
        match frame {
            Frame::Text(text) => {
                let (kind, event) = self.decoder.decode(text)?;
                if self.profile.implied_responses {
                    self.begin_if_unknown(&event, events);
                }
                events.push((kind, event));
                Ok(())
            }
            Frame::Binary(_) => Err(self.decoder.refuse_binary()),
        }
    }

    fn renew(&mut self) {
        self.decoder = Decoder::of(&self.profile);
        self.known.clear();
    }

    fn stats(&self) -> DecodeStats {
        self.decoder.stats()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn encoded(command: &Command<'_>) -> Vec<Value> {
        let mut frames = Vec::new();
        OpenAi::new(Profile::default()).encode("e1", command, &mut frames);
        frames.iter().map(|frame| serde_json::from_str(frame).unwrap()).collect()
    }

    #[test]
    fn words_to_say_are_an_item_and_a_request() {
        let frames = encoded(&Command::Say { text: "Say \"hi\"." });
        let kinds: Vec<_> = frames.iter().map(|frame| &frame["type"]).collect();
        assert_eq!(kinds, ["conversation.item.create", "response.create"]);
        assert_eq!(frames[0]["item"]["content"][0]["text"], "Say \"hi\".");
        assert_eq!(frames[1]["event_id"], "e1", "a refused request is told by its own id");
    }

    #[test]
    fn provider_scenario_36_a_response_may_begin_with_its_first_delta() {
        let profile = Profile { implied_responses: true, ..Profile::default() };
        let mut codec = OpenAi::new(profile);
        let mut kinds = |text: &str| {
            let mut events = Vec::new();
            codec.decode(Frame::Text(text), &mut events).unwrap();
            events.into_iter().map(|(kind, _)| kind).collect::<Vec<_>>()
        };
        let delta =
            r#"{"type":"response.audio.delta","response_id":"a","item_id":"i","delta":"AAA="}"#;
        assert_eq!(kinds(delta), ["response.implied", "response.audio.delta"]);
        assert_eq!(kinds(delta), ["response.audio.delta"]);
        kinds(r#"{"type":"response.done","response":{"id":"a"}}"#);
        assert_eq!(kinds(delta), ["response.audio.delta"], "a late one begins nothing");
        kinds(r#"{"type":"response.created","response":{"id":"b"}}"#);
        assert_eq!(kinds(&delta.replace("\"a\"", "\"b\"")), ["response.audio.delta"]);
    }

    #[test]
    fn what_a_server_cannot_do_is_not_asked_of_it() {
        let profile = Profile { can_cancel: false, can_truncate: false, ..Profile::default() };
        let mut codec = OpenAi::new(profile);
        let mut frames = Vec::new();
        codec.encode("e", &Command::Cancel { response: "r" }, &mut frames);
        codec.encode("e", &Command::Delete { item: "i" }, &mut frames);
        let truncate = Command::Truncate { item: "i", content_index: 0, audio_end_ms: 1 };
        codec.encode("e", &truncate, &mut frames);
        assert!(frames.is_empty());
    }

    #[test]
    fn history_is_replayed_in_order_and_asks_for_nothing() {
        let history = [(Role::User, "Hi.".to_owned()), (Role::Assistant, "Hello.".to_owned())];
        let frames = encoded(&Command::Replay { history: &history });
        let said: Vec<_> = frames
            .iter()
            .map(|frame| (&frame["item"]["role"], &frame["item"]["content"][0]["text"]))
            .map(|(role, text)| (role.as_str().unwrap(), text.as_str().unwrap()))
            .collect();
        assert_eq!(said, [("user", "Hi."), ("assistant", "Hello.")]);
        assert!(encoded(&Command::Replay { history: &[] }).is_empty());
    }
}
