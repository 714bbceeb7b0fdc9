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

    /// The user's audio that was heard last.
    pub(super) fn last_user_audio(&self) -> Option<&[i16]> {
        self.items.iter().rev().find_map(|item| {
            let (role, samples) = item.audio()?;
            (role == Role::User && !samples.is_empty()).then_some(samples.as_slice())
        })
    }

    /// The user's text that was written last.
    pub(super) fn last_user_text(&self) -> Option<&str> {
        self.items.iter().rev().find_map(|item| match &item.kind {
            Kind::Message { role: Role::User, parts } => parts.iter().find_map(|part| match part {
                Part::Text(text) => Some(text.as_str()),
                _ => None,
            }),
            _ => None,
        })
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
mod tests {
    use super::*;

    fn with_answer(ms: usize) -> Conversation {
        let mut conversation = Conversation::default();
        let user = Part::Audio { samples: vec![1; 24 * 250], transcript: None };
        let kind = Kind::Message { role: Role::User, parts: vec![user] };
        conversation.push(Item::new("u".into(), "completed", kind));
        let audio = Part::Audio { samples: vec![2; 24 * ms], transcript: Some("words".into()) };
        let kind = Kind::Message { role: Role::Assistant, parts: vec![audio] };
        conversation.push(Item::new("a".into(), "completed", kind));
        conversation
    }

    #[test]
    fn truncation_is_checked_and_cuts() {
        for (item, content, end, code) in [
            ("x", json!(0), json!(1), "item_truncate_invalid_item_id"),
            ("u", json!(0), json!(1), "unsupported_content_type"),
            ("a", json!(1), json!(1), "invalid_value"),
            ("a", json!(0), json!(1_001), "invalid_value"),
            ("a", json!(0), json!(-1), "integer_below_min_value"),
            ("a", json!(0), json!(1.5), "invalid_type"),
            ("a", json!(0), json!("9"), "invalid_type"),
        ] {
            let event = json!({ "item_id": item, "content_index": content, "audio_end_ms": end });
            let refusal = with_answer(1_000).truncate(&event).expect_err("refused");
            assert_eq!(refusal.code, code, "{event}");
        }
        let mut conversation = with_answer(1_000);
        let event = json!({ "item_id": "a", "content_index": 0, "audio_end_ms": 400 });
        assert_eq!(conversation.truncate(&event), Ok(("a".to_owned(), 0, 400)));
        conversation.grow("a", &[3; 2_400], "more");
        let Some(Kind::Message { parts, .. }) = conversation.find("a").map(|item| &item.kind)
        else {
            panic!("the item is gone");
        };
        assert_eq!(parts[..], [Part::Audio { samples: vec![2; 24 * 400], transcript: None }]);
        let refusal = conversation
            .truncate(&json!({ "item_id": "a", "content_index": 0, "audio_end_ms": 401 }))
            .expect_err("longer than what is left");
        assert_eq!(refusal.message, "Audio content of 400ms is already shorter than 401ms");
    }

    #[test]
    fn audio_is_charged_by_its_length() {
        assert_eq!(with_answer(1_010).tokens(), Tokens { text: 0, audio: 3 + 21 });
    }

    #[test]
    fn items_are_inserted_where_asked() {
        let mut conversation = with_answer(100);
        let item = json!({ "type": "message", "role": "user", "content": [{ "type": "input_text", "text": "hi" }] });
        let id = |id: &str| {
            let id = id.to_owned();
            move || id
        };
        let create = |conversation: &mut Conversation, previous: Value, name: &str| {
            conversation
                .create(&json!({ "item": item, "previous_item_id": previous }), id(name))
                .map(|(_, previous)| previous)
        };
        assert_eq!(create(&mut conversation, json!("root"), "1"), Ok(None));
        assert_eq!(create(&mut conversation, json!("u"), "2"), Ok(Some("u".to_owned())));
        assert_eq!(create(&mut conversation, Value::Null, "3"), Ok(Some("a".to_owned())));
        let ids: Vec<&str> = conversation.items.iter().map(|item| item.id.as_str()).collect();
        assert_eq!(ids, ["1", "u", "2", "a", "3"]);
        assert!(create(&mut conversation, json!("nowhere"), "4").is_err());
    }

    #[test]
    fn wrong_items_are_refused() {
        let long = "x".repeat(33);
        for (item, code) in [
            (json!(1), "invalid_type"),
            (json!({}), "missing_required_parameter"),
            (json!({ "type": "poem" }), "invalid_value"),
            (json!({ "type": "message", "role": "god", "content": [] }), "invalid_value"),
            (json!({ "type": "message", "role": "user" }), "missing_required_parameter"),
            (
                json!({ "type": "message", "role": "assistant", "content": [{ "type": "output_audio" }] }),
                "invalid_value",
            ),
            (
                json!({ "type": "message", "role": "user", "content": [{ "type": "input_audio", "audio": "?" }] }),
                "invalid_value",
            ),
            (
                json!({ "type": "message", "role": "user", "content": [], "id": "u" }),
                "item_create_duplicate_item_id",
            ),
            (
                json!({ "type": "message", "role": "user", "content": [], "id": long }),
                "string_above_max_length",
            ),
            (
                json!({ "type": "function_call_output", "call_id": "c", "output": "" }),
                "invalid_tool_call_id",
            ),
        ] {
            let refusal = with_answer(1)
                .create(&json!({ "item": item }), || "new".to_owned())
                .expect_err("refused");
            assert_eq!(refusal.code, code, "{item}");
        }
    }

    #[test]
    fn a_tool_output_needs_its_call() {
        let mut conversation = Conversation::default();
        let call =
            json!({ "type": "function_call", "call_id": "c", "name": "f", "arguments": "{}" });
        let output = json!({ "type": "function_call_output", "call_id": "c", "output": "42" });
        conversation.create(&json!({ "item": call }), || "1".into()).expect("a call is taken");
        conversation
            .create(&json!({ "item": output }), || "2".into())
            .expect("its output is taken");
    }

    #[test]
    fn old_audio_goes_first() {
        let mut conversation = Conversation::default();
        for id in 0..3 {
            let samples = vec![1; MAX_SAMPLES / 2];
            let parts = vec![Part::Audio { samples, transcript: None }];
            let kind = Kind::Message { role: Role::User, parts };
            conversation.push(Item::new(id.to_string(), "completed", kind));
        }
        let kept: Vec<usize> =
            conversation.items.iter().filter_map(Item::audio).map(|(_, s)| s.len()).collect();
        assert_eq!(kept, [0, MAX_SAMPLES / 2, MAX_SAMPLES / 2]);
    }

    #[test]
    fn the_newest_audio_is_kept_however_long_it_is() {
        let mut conversation = Conversation::default();
        let parts = vec![Part::Audio { samples: vec![1; MAX_SAMPLES + 1], transcript: None }];
        let kind = Kind::Message { role: Role::User, parts };
        conversation.push(Item::new("long".into(), "completed", kind));
        assert_eq!(conversation.last_user_audio().map(<[i16]>::len), Some(MAX_SAMPLES + 1));
    }
}
