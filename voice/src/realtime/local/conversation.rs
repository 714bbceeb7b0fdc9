//! The conversation: its items in order, and what a client may do to them.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::{
    SAMPLES_PER_MS,
    refusal::{self, Refusal},
    samples_to_ms,
};

/// Most items that are kept. Beyond it the oldest goes, as a model's window would let it go.
const MAX_ITEMS: usize = 1_000;

/// Most samples of audio over all items but the newest: a minute, enough for whoever retrieves an
/// item that has just ended. Beyond it the oldest item's goes.
const MAX_SAMPLES: usize = 60 * 1_000 * SAMPLES_PER_MS;

/// Longest id a client may choose.
const MAX_ID: usize = 32;

/// Who a message is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    System,
    User,
    Assistant,
}

impl Role {
    fn name(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::User => "user",
            Self::Assistant => "assistant",
        }
    }
}

/// One part of a message.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Part {
    /// `input_text`, or `output_text` of an assistant.
    Text(String),
    /// `input_audio`, or `output_audio` of an assistant.
    Audio { samples: Vec<i16>, transcript: Option<String> },
    /// A part that is kept and given back, but not understood (`input_image`).
    Other(Value),
}

/// What an item is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    Message { role: Role, parts: Vec<Part> },
    FunctionCall { call_id: String, name: String, arguments: String },
    FunctionCallOutput { call_id: String, output: String },
}

/// One item of the conversation.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Item {
    pub(super) id: String,
    /// `in_progress`, `completed` or `incomplete`.
    pub(super) status: &'static str,
    pub(super) kind: Kind,
    /// Cut by a truncate: audio of a response that still runs is no longer added.
    cut: bool,
}

impl Item {
    pub(super) fn new(id: String, status: &'static str, kind: Kind) -> Self {
        Self { id, status, kind, cut: false }
    }

    /// As events show it. Audio bytes only on retrieval.
    pub(super) fn to_json(&self, with_audio: bool) -> Value {
        match &self.kind {
            Kind::Message { role, parts } => json!({
                "id": self.id,
                "object": "realtime.item",
                "type": "message",
                "status": self.status,
                "role": role.name(),
                "content": parts
                    .iter()
                    .map(|part| part_json(*role, part, with_audio))
                    .collect::<Vec<_>>(),
            }),
            Kind::FunctionCall { call_id, name, arguments } => json!({
                "id": self.id,
                "object": "realtime.item",
                "type": "function_call",
                "status": self.status,
                "call_id": call_id,
                "name": name,
                "arguments": arguments,
            }),
            Kind::FunctionCallOutput { call_id, output } => json!({
                "id": self.id,
                "object": "realtime.item",
                "type": "function_call_output",
                "status": self.status,
                "call_id": call_id,
                "output": output,
            }),
        }
    }

    fn audio(&self) -> Option<(Role, &Vec<i16>)> {
        let Kind::Message { role, parts } = &self.kind else { return None };
        parts.iter().find_map(|part| match part {
            Part::Audio { samples, .. } => Some((*role, samples)),
            _ => None,
        })
    }

    fn audio_mut(&mut self) -> Option<(&mut Vec<i16>, &mut Option<String>)> {
        let Kind::Message { parts, .. } = &mut self.kind else { return None };
        parts.iter_mut().find_map(|part| match part {
            Part::Audio { samples, transcript } => Some((samples, transcript)),
            _ => None,
        })
    }
}

fn part_json(role: Role, part: &Part, with_audio: bool) -> Value {
    let assistant = role == Role::Assistant;
    match part {
        Part::Text(text) => {
            json!({ "type": if assistant { "output_text" } else { "input_text" }, "text": text })
        }
        Part::Audio { samples, transcript } => {
            let kind = if assistant { "output_audio" } else { "input_audio" };
            let mut part = json!({ "type": kind, "transcript": transcript });
            if with_audio {
                let bytes: Vec<u8> = samples.iter().flat_map(|s| s.to_le_bytes()).collect();
                part["audio"] = STANDARD.encode(bytes).into();
            }
            part
        }
        Part::Other(value) => value.clone(),
    }
}

/// What one item has for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Newest<'c> {
    /// Speech of the user.
    UserAudio(&'c [i16]),
    /// A text of the user.
    UserText(&'c str),
    /// Nothing of the user.
    Other,
}

impl<'c> Newest<'c> {
    fn of(item: &'c Item) -> Self {
        let Kind::Message { role: Role::User, parts } = &item.kind else { return Self::Other };
        let found = parts.iter().find_map(|part| match part {
            Part::Audio { samples, .. } if !samples.is_empty() => Some(Self::UserAudio(samples)),
            Part::Text(text) => Some(Self::UserText(text)),
            Part::Audio { .. } | Part::Other(_) => None,
        });
        found.unwrap_or(Self::Other)
    }
}

/// The default conversation.
#[derive(Debug, Default)]
pub(super) struct Conversation {
    items: Vec<Item>,
}

/// What the history costs, by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tokens {
    pub(super) text: u64,
    pub(super) audio: u64,
}

impl Conversation {
    /// Appends an item and returns the id of the one before it.
    pub(super) fn push(&mut self, item: Item) -> Option<String> {
        let previous = self.items.last().map(|item| item.id.clone());
        self.items.push(item);
        self.shrink();
        previous
    }

    pub(super) fn find(&self, id: &str) -> Option<&Item> {
        self.items.iter().find(|item| item.id == id)
    }

    pub(super) fn find_mut(&mut self, id: &str) -> Option<&mut Item> {
        self.items.iter_mut().find(|item| item.id == id)
    }

    /// The id before `id`.
    pub(super) fn previous_of(&self, id: &str) -> Option<String> {
        let index = self.items.iter().position(|item| item.id == id)?;
        Some(self.items.get(index.checked_sub(1)?)?.id.clone())
    }

    /// Id of the last item.
    pub(super) fn last_id(&self) -> Option<String> {
        self.items.last().map(|item| item.id.clone())
    }

    /// Adds generated audio to an assistant's item, unless it was cut or deleted meanwhile.
    pub(super) fn grow(&mut self, id: &str, samples: &[i16], text: &str) {
        let Some(item) = self.find_mut(id).filter(|item| !item.cut) else { return };
        if let Some((audio, transcript)) = item.audio_mut() {
            audio.extend(samples);
            transcript.get_or_insert_default().push_str(text);
        }
    }

    /// What the conversation ends with.
    pub(super) fn newest(&self) -> Option<Newest<'_>> {
        self.items.last().map(Newest::of)
    }

    /// The user's last message.
    pub(super) fn newest_user(&self) -> Option<Newest<'_>> {
        let newest = |item| Some(Newest::of(item)).filter(|newest| *newest != Newest::Other);
        self.items.iter().rev().find_map(newest)
    }

    /// The audio of one of the user's items.
    pub(super) fn user_audio(&self, id: &str) -> Option<&[i16]> {
        let (role, samples) = self.find(id)?.audio()?;
        (role == Role::User).then_some(samples.as_slice())
    }

    /// What the user said or wrote last, as words.
    pub(super) fn last_user_words(&self) -> Option<&str> {
        self.items.iter().rev().find_map(|item| match &item.kind {
            Kind::Message { role: Role::User, parts } => parts.iter().find_map(|part| match part {
                Part::Text(text) => Some(text.as_str()),
                Part::Audio { transcript, .. } => transcript.as_deref(),
                Part::Other(_) => None,
            }),
            _ => None,
        })
    }

    /// The last output of a tool.
    pub(super) fn last_tool_output(&self) -> Option<&str> {
        self.items.iter().rev().find_map(|item| match &item.kind {
            Kind::FunctionCallOutput { output, .. } => Some(output.as_str()),
            _ => None,
        })
    }

    /// Whether a tool call has no output yet.
    pub(super) fn has_open_call(&self) -> bool {
        let answered = |id: &str| {
            self.items.iter().any(|item| {
                matches!(&item.kind, Kind::FunctionCallOutput { call_id, .. } if call_id == id)
            })
        };
        self.items.iter().any(|item| match &item.kind {
            Kind::FunctionCall { call_id, .. } => !answered(call_id),
            _ => false,
        })
    }

    /// The `input` of a response: given items, and references to ours.
    pub(super) fn subset(&self, items: &[Value]) -> Result<Self, Refusal> {
        let mut subset = Self::default();
        for (index, given) in items.iter().enumerate() {
            let item = if given["type"] == "item_reference" {
                let id = given["id"].as_str().unwrap_or_default();
                self.find(id).cloned().ok_or_else(|| {
                    not_found("invalid_item_reference", "referencing", "response.input", id)
                })?
            } else {
                let kind = self
                    .read_kind(given)
                    .map_err(|refusal| refusal.within(&format!("response.input[{index}]")))?;
                Item::new(format!("input_{index}"), "completed", kind)
            };
            subset.push(item);
        }
        Ok(subset)
    }

    /// What the items cost as input: user audio 1 token per 100 ms, assistant audio 1 per 50 ms,
    /// text about 1 per 4 bytes. Source: OpenAI, "Managing Realtime costs".
    pub(super) fn tokens(&self) -> Tokens {
        let mut tokens = Tokens::default();
        for item in &self.items {
            if let Some((role, samples)) = item.audio() {
                let per = if role == Role::Assistant { 50 } else { 100 };
                tokens.audio += samples_to_ms(samples.len() as u64).div_ceil(per);
            }
            tokens.text += match &item.kind {
                Kind::Message { parts, .. } => parts.iter().map(part_text_tokens).sum(),
                Kind::FunctionCall { name, arguments, .. } => {
                    text_tokens(name) + text_tokens(arguments)
                }
                Kind::FunctionCallOutput { output, .. } => text_tokens(output),
            };
        }
        tokens
    }

    /// `conversation.item.create`: inserts the client's item and returns it with the id before it.
    pub(super) fn create(
        &mut self,
        event: &Value,
        new_id: impl FnOnce() -> String,
    ) -> Result<(Value, Option<String>), Refusal> {
        let given = event.get("item").ok_or_else(|| Refusal::missing("item"))?;
        if !given.is_object() {
            return Err(Refusal::wrong_type("item", "an object", given));
        }
        let kind = self.read_kind(given)?;
        let id = match given.get("id").filter(|id| !id.is_null()) {
            None => new_id(),
            Some(id) => self.check_new_id(id)?,
        };
        let index = match refusal::optional_text(event, "previous_item_id")? {
            None => self.items.len(),
            Some("root") => 0,
            Some(previous) => self.items.iter().position(|item| item.id == previous).map_or_else(
                || {
                    Err(not_found(
                        "item_create_invalid_previous_item_id",
                        "creating",
                        "previous_item_id",
                        previous,
                    ))
                },
                |index| Ok(index + 1),
            )?,
        };
        let item = Item::new(id, "completed", kind);
        let json = item.to_json(false);
        let previous = index.checked_sub(1).and_then(|i| self.items.get(i)).map(|i| i.id.clone());
        self.items.insert(index, item);
        self.shrink();
        Ok((json, previous))
    }

    /// `conversation.item.retrieve`.
    pub(super) fn retrieve(&self, event: &Value) -> Result<Value, Refusal> {
        let id = refusal::text(event, "item_id")?;
        let item = self.find(id).ok_or_else(|| {
            not_found("item_retrieve_invalid_item_id", "retrieving", "item_id", id)
        })?;
        Ok(item.to_json(true))
    }

    /// `conversation.item.delete`: returns the id.
    pub(super) fn delete(&mut self, event: &Value) -> Result<String, Refusal> {
        let id = refusal::text(event, "item_id")?;
        let index =
            self.items.iter().position(|item| item.id == id).ok_or_else(|| {
                not_found("item_delete_invalid_item_id", "deleting", "item_id", id)
            })?;
        Ok(self.items.remove(index).id)
    }

    /// `conversation.item.truncate`: cuts the item's audio after `audio_end_ms` and forgets its
    /// transcript. Returns id, content index and offset.
    pub(super) fn truncate(&mut self, event: &Value) -> Result<(String, u64, u64), Refusal> {
        let id = refusal::text(event, "item_id")?;
        let content_index = refusal::whole(event, "content_index")?;
        let audio_end_ms = refusal::whole(event, "audio_end_ms")?;
        let item = self.find_mut(id).ok_or_else(|| {
            not_found("item_truncate_invalid_item_id", "truncating", "item_id", id)
        })?;
        let is_assistant = matches!(&item.kind, Kind::Message { role: Role::Assistant, .. });
        let Some((samples, transcript)) = item.audio_mut().filter(|_| is_assistant) else {
            let message = "Only model output audio messages can be truncated";
            return Err(Refusal::new("unsupported_content_type", message).at("item_id"));
        };
        if content_index != 0 {
            return Err(Refusal::wrong_value("content_index", "the index of an audio part"));
        }
        let length = samples_to_ms(samples.len() as u64);
        if audio_end_ms > length {
            let message =
                format!("Audio content of {length}ms is already shorter than {audio_end_ms}ms");
            return Err(Refusal::new("invalid_value", message).at("audio_end_ms"));
        }
        samples.truncate(audio_end_ms as usize * SAMPLES_PER_MS);
        *transcript = None;
        item.cut = true;
        Ok((item.id.clone(), content_index, audio_end_ms))
    }

    fn check_new_id(&self, id: &Value) -> Result<String, Refusal> {
        let Some(text) = id.as_str() else {
            return Err(Refusal::wrong_type("item.id", "a string", id));
        };
        if text.is_empty() || text.chars().count() > MAX_ID {
            let message = format!("Invalid 'item.id': expected 1 to {MAX_ID} characters.");
            return Err(Refusal::new("string_above_max_length", message).at("item.id"));
        }
        if self.find(text).is_some() {
            let message = format!("Error adding item: an item with id '{text}' already exists.");
            return Err(Refusal::new("item_create_duplicate_item_id", message).at("item.id"));
        }
        Ok(text.to_owned())
    }

    fn read_kind(&self, item: &Value) -> Result<Kind, Refusal> {
        let kind = item.get("type").ok_or_else(|| Refusal::missing("item.type"))?;
        match kind.as_str() {
            Some("message") => read_message(item),
            Some("function_call") => Ok(Kind::FunctionCall {
                call_id: inner_text(item, "call_id")?,
                name: inner_text(item, "name")?,
                arguments: inner_text(item, "arguments")?,
            }),
            Some("function_call_output") => {
                let call_id = inner_text(item, "call_id")?;
                let known = self.items.iter().any(|item| {
                    matches!(&item.kind, Kind::FunctionCall { call_id: id, .. } if *id == call_id)
                });
                if !known {
                    let message = format!("Tool call ID '{call_id}' not found in conversation.");
                    return Err(Refusal::new("invalid_tool_call_id", message).at("item.call_id"));
                }
                Ok(Kind::FunctionCallOutput { call_id, output: inner_text(item, "output")? })
            }
            _ => Err(Refusal::wrong_value(
                "item.type",
                "'message', 'function_call' or 'function_call_output'",
            )),
        }
    }

    fn shrink(&mut self) {
        let surplus = self.items.len().saturating_sub(MAX_ITEMS);
        self.items.drain(..surplus);
        let mut total: usize =
            self.items.iter().filter_map(Item::audio).map(|(_, samples)| samples.len()).sum();
        let Some((_, older)) = self.items.split_last_mut() else { return };
        for item in older {
            if total <= MAX_SAMPLES {
                break;
            }
            if let Some((samples, _)) = item.audio_mut() {
                total -= samples.len();
                *samples = Vec::new();
            }
        }
    }
}

fn read_message(item: &Value) -> Result<Kind, Refusal> {
    let role = match item.get("role").and_then(Value::as_str) {
        Some("system") => Role::System,
        Some("user") => Role::User,
        Some("assistant") => Role::Assistant,
        _ => return Err(Refusal::wrong_value("item.role", "'system', 'user' or 'assistant'")),
    };
    let content = item.get("content").ok_or_else(|| Refusal::missing("item.content"))?;
    let Some(content) = content.as_array() else {
        return Err(Refusal::wrong_type("item.content", "an array", content));
    };
    let parts = content
        .iter()
        .enumerate()
        .map(|(index, part)| read_part(role, part, &format!("item.content[{index}]")))
        .collect::<Result<_, _>>()?;
    Ok(Kind::Message { role, parts })
}

fn read_part(role: Role, part: &Value, path: &str) -> Result<Part, Refusal> {
    let kind = part.get("type").and_then(Value::as_str);
    match (kind, role) {
        (Some("input_text"), Role::User | Role::System)
        | (Some("output_text"), Role::Assistant) => {
            match part.get("text").and_then(Value::as_str) {
                Some(text) => Ok(Part::Text(text.to_owned())),
                None => Err(Refusal::missing(&format!("{path}.text"))),
            }
        }
        (Some("input_audio"), Role::User) => {
            let audio = part.get("audio").and_then(Value::as_str);
            let audio = audio.ok_or_else(|| Refusal::missing(&format!("{path}.audio")))?;
            let bytes = decode_audio(audio, &format!("{path}.audio"))?;
            let samples =
                bytes.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect();
            let transcript = part.get("transcript").and_then(Value::as_str).map(str::to_owned);
            Ok(Part::Audio { samples, transcript })
        }
        (Some("input_image"), Role::User) => Ok(Part::Other(part.clone())),
        (Some("output_audio"), _) => Err(Refusal::wrong_value(
            &format!("{path}.type"),
            "'output_text': assistant audio cannot be inserted",
        )),
        _ => Err(Refusal::wrong_value(
            &format!("{path}.type"),
            &format!("a part of a message with role '{}'", role.name()),
        )),
    }
}

fn inner_text(item: &Value, field: &str) -> Result<String, Refusal> {
    let param = format!("item.{field}");
    match item.get(field) {
        None | Some(Value::Null) => Err(Refusal::missing(&param)),
        Some(Value::String(text)) => Ok(text.clone()),
        Some(other) => Err(Refusal::wrong_type(&param, "a string", other)),
    }
}

/// Base64 of 16-bit samples.
pub(super) fn decode_audio(text: &str, param: &str) -> Result<Vec<u8>, Refusal> {
    STANDARD.decode(text).map_err(|_| {
        let message = format!(
            "Invalid '{param}'. Expected base64-encoded audio bytes (mono PCM16 at 24kHz) but got \
             an invalid value."
        );
        Refusal::new("invalid_value", message).at(param)
    })
}

fn not_found(code: &'static str, doing: &str, param: &str, id: &str) -> Refusal {
    let shown: String = id.chars().take(64).collect();
    let message = format!("Error {doing} item: the item with id '{shown}' does not exist.");
    Refusal::new(code, message).at(param)
}

fn part_text_tokens(part: &Part) -> u64 {
    match part {
        Part::Text(text) => text_tokens(text),
        Part::Audio { .. } | Part::Other(_) => 0,
    }
}

/// About what a text costs: one token per four bytes.
pub(super) fn text_tokens(text: &str) -> u64 {
    (text.len() as u64).div_ceil(4)
}

#[cfg(test)]
mod tests;
