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

pub use event::Decoder;

use super::{Capabilities, Codec, Command, DecodeStats, Frame, ServerEvent, Shape, Unreadable};
use crate::timeline::Role;

/// How a server differs from OpenAI's own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    /// A transcript of the user's speech is sent again, whole, with each word added.
    pub cumulative_transcripts: bool,
}

/// One connection that speaks the protocol.
#[derive(Debug)]
pub struct OpenAi {
    profile: Profile,
    decoder: Decoder,
}

impl OpenAi {
    /// A codec for a new connection.
    #[must_use]
    pub fn new(profile: Profile) -> Self {
        let decoder = Decoder::of(&profile);
        Self { profile, decoder }
    }
}

impl Codec for OpenAi {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            shape: Shape::TurnBased,
            can_cancel: true,
            can_truncate: true,
            can_clear_input: true,
            can_detect_own_turns: true,
            answers_tool_results: false,
            cumulative_transcripts: self.profile.cumulative_transcripts,
        }
    }

    fn encode(&mut self, event_id: &str, command: &Command<'_>, frames: &mut Vec<String>) {
        let frame = match command {
            Command::Configure(settings) => command::session_update(settings),
            Command::Append(pcm) => command::append(pcm),
            Command::Commit => command::commit(event_id),
            Command::ClearInput => command::clear(event_id),
            Command::Respond { instructions } => command::response_create(event_id, *instructions),
            Command::Cancel { response } => command::response_cancel(event_id, response),
            Command::Truncate { item, content_index, audio_end_ms } => {
                command::truncate_item(event_id, item, *content_index, *audio_end_ms)
            }
            Command::Delete { item } => command::delete_item(event_id, item),
            Command::Say { text } => {
                frames.push(command::text_item(&format!("item_{event_id}"), Role::User, text));
                command::response_create(event_id, None)
            }
            Command::ToolResult { call_id, name: _, output } => {
                command::tool_result(event_id, call_id, output)
            }
            Command::Replay { history } => {
                frames.extend(
                    history.iter().map(|(role, text)| command::text_item(event_id, *role, text)),
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
                events.push(self.decoder.decode(text)?);
                Ok(())
            }
            Frame::Binary(_) => Err(self.decoder.refuse_binary()),
        }
    }

    fn renew(&mut self) {
        self.decoder = Decoder::of(&self.profile);
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
