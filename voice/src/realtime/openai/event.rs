//! Server events.

use std::{collections::BTreeMap, time::Duration};

use serde_json::Value;

use super::Profile;
use crate::realtime::{
    AudioDelta, DecodeStats, Failure, FunctionCall, ItemKind, ItemStatus, RateLimit,
    ResponseStatus, ServerEvent, TranscriptionUsage, Unreadable, Usage, pcm::PcmReader,
};

/// User items of which the transcript so far is kept; more are forgotten, oldest first.
const MAX_TRANSCRIPTS: usize = 8;
/// Longest transcript that is kept of one item, in bytes.
const MAX_TRANSCRIPT_BYTES: usize = 64 * 1024;

/// What was said of the few last user items.
#[derive(Debug, Default)]
struct ItemTexts(Vec<(String, String)>);

impl ItemTexts {
    /// Takes an item's text out; nothing if none is kept.
    fn take(&mut self, item: &str) -> String {
        let at = self.0.iter().position(|(of, _)| of == item);
        at.map(|at| self.0.remove(at).1).unwrap_or_default()
    }

    fn keep(&mut self, item: String, text: String) {
        if self.0.len() == MAX_TRANSCRIPTS {
            self.0.remove(0);
        }
        self.0.push((item, text));
    }
}

/// Reads one connection's server events; carries the odd byte of an audio delta to the next delta
/// of the same item.
#[derive(Debug, Default)]
pub struct Decoder {
    pcm: PcmReader,
    /// What partials have said of a user item.
    partials: ItemTexts,
    /// What final transcripts have said of a user item.
    finals: ItemTexts,
    cumulative: bool,
    stats: DecodeStats,
}

impl Decoder {
    /// A decoder for a new connection.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A decoder for a new connection to a server of that kind.
    pub(super) fn of(profile: &Profile) -> Self {
        Self { cumulative: profile.cumulative_transcripts, ..Self::default() }
    }

    /// What was skipped so far.
    #[must_use]
    pub fn stats(&self) -> DecodeStats {
        self.stats
    }

    /// Counts a binary frame, which the protocol does not have.
    pub(super) fn refuse_binary(&mut self) -> Unreadable {
        self.stats.unreadable += 1;
        Unreadable::Binary
    }

    /// Reads one text frame: its `type` as sent, and what it means.
    ///
    /// # Errors
    ///
    /// A frame that is no event; counted, and harmless to the next.
    pub fn decode(&mut self, text: &str) -> Result<(String, ServerEvent), Unreadable> {
        let event = serde_json::from_str::<Value>(text).map_err(|_| Unreadable::NotJson);
        let event = event.and_then(|event| match &event["type"] {
            Value::String(kind) => Ok((kind.clone(), event)),
            _ => Err(Unreadable::NotAnEvent),
        });
        match event {
            Ok((kind, event)) => {
                let meaning = self.read(&kind, &event);
                match meaning {
                    ServerEvent::Unknown => self.stats.unknown += 1,
                    ServerEvent::BadAudio => self.stats.bad_audio += 1,
                    _ => {}
                }
                Ok((kind, meaning))
            }
            Err(unreadable) => {
                self.stats.unreadable += 1;
                Err(unreadable)
            }
        }
    }

    fn read(&mut self, kind: &str, event: &Value) -> ServerEvent {
        match kind {
            "session.created" => ServerEvent::SessionCreated,
            "session.updated" => ServerEvent::SessionUpdated,
            "input_audio_buffer.speech_started" => {
                ServerEvent::SpeechStarted { item: id(event, "item_id") }
            }
            "input_audio_buffer.speech_stopped" => {
                ServerEvent::SpeechStopped { item: id(event, "item_id") }
            }
            "input_audio_buffer.committed" => ServerEvent::Committed { item: id(event, "item_id") },
            "conversation.item.input_audio_transcription.delta"
            | "conversation.input_transcript.delta" => self.partial(event),
            "conversation.item.input_audio_transcription.completed" => self.transcript(event),
            "conversation.item.input_audio_transcription.failed" => {
                ServerEvent::UserTranscriptFailed {
                    item: id(event, "item_id"),
                    failure: failure(&event["error"]),
                }
            }
            "response.created" => ServerEvent::ResponseCreated {
                response: id(&event["response"], "id"),
                metadata: metadata(&event["response"]),
            },
            "rate_limits.updated" => ServerEvent::RateLimits(rate_limits(event)),
            "response.done" | "response.cancelled" => response_done(kind, event),
            "response.output_item.added" => ServerEvent::OutputItemAdded {
                response: id(event, "response_id"),
                item: text(&event["item"], "id"),
                kind: match event["item"]["type"].as_str() {
                    Some("message") => ItemKind::Message,
                    Some("function_call") => ItemKind::FunctionCall,
                    _ => ItemKind::Other,
                },
            },
            "response.output_item.done" => item_done(event),
            "response.output_audio.delta"
            | "response.audio.delta"
            | "conversation.output_audio.delta" => self.audio(event),
            "response.output_audio_transcript.done"
            | "response.audio_transcript.done"
            | "response.output_text.done"
            | "response.text.done" => ServerEvent::AssistantTranscript {
                response: id(event, "response_id"),
                item: id(event, "item_id"),
                text: match event["transcript"].as_str() {
                    Some(transcript) => transcript.to_owned(),
                    None => text(event, "text"),
                },
            },
            "response.output_audio_transcript.delta"
            | "response.audio_transcript.delta"
            | "response.output_text.delta"
            | "response.text.delta"
            | "conversation.output_transcript.delta" => ServerEvent::AssistantTranscriptPartial {
                response: id(event, "response_id"),
                item: id(event, "item_id"),
                delta: text(event, "delta"),
            },
            "response.function_call_arguments.done" => ServerEvent::FunctionCall(FunctionCall {
                response: id(event, "response_id"),
                item: id(event, "item_id"),
                call_id: text(event, "call_id"),
                name: text(event, "name"),
                arguments: text(event, "arguments"),
                status: ItemStatus::Unknown,
            }),
            "error" => ServerEvent::Error(failure(&event["error"])),
            _ if is_noted(kind) => ServerEvent::Noted { response: id(event, "response_id") },
            _ => ServerEvent::Unknown,
        }
    }

    /// A partial transcript adds to what was said of its item before, or repeats it.
    fn partial(&mut self, event: &Value) -> ServerEvent {
        let item = text(event, "item_id");
        let before = self.partials.take(&item);
        let mut said = if self.cumulative { String::new() } else { before };
        let more = event["delta"].as_str().unwrap_or_default();
        if said.len() + more.len() <= MAX_TRANSCRIPT_BYTES {
            said.push_str(more);
        }
        self.partials.keep(item, said.clone());
        ServerEvent::UserTranscriptPartial { item: id(event, "item_id"), text: said }
    }

    /// A final transcript. Of one that comes again only what is new counts.
    fn transcript(&mut self, event: &Value) -> ServerEvent {
        let item = text(event, "item_id");
        self.partials.take(&item);
        let mut text = text(event, "transcript");
        if !item.is_empty() && text.len() <= MAX_TRANSCRIPT_BYTES {
            let whole = text.clone();
            let said = self.finals.take(&item);
            if let Some(new) = text.strip_prefix(said.as_str()) {
                text = new.trim_start().to_owned();
            } else if self.cumulative {
                // The same words, heard differently: they were answered already.
                text.clear();
            }
            self.finals.keep(item, whole);
        }
        ServerEvent::UserTranscript {
            item: id(event, "item_id"),
            text,
            usage: transcription_usage(&event["usage"]),
        }
    }

    fn audio(&mut self, event: &Value) -> ServerEvent {
        let payload = event["delta"].as_str().or_else(|| event["data"].as_str());
        let item = text(event, "item_id");
        let Some(pcm) = payload.and_then(|payload| self.pcm.read(&item, payload)) else {
            return ServerEvent::BadAudio;
        };
        let content_index = event["content_index"].as_u64().and_then(|c| u32::try_from(c).ok());
        ServerEvent::Audio(AudioDelta {
            response: id(event, "response_id"),
            item,
            content_index: content_index.unwrap_or(0),
            pcm,
        })
    }
}

fn response_done(kind: &str, event: &Value) -> ServerEvent {
    let response = &event["response"];
    let status = match response["status"].as_str() {
        _ if kind == "response.cancelled" => ResponseStatus::Cancelled,
        Some("cancelled") => ResponseStatus::Cancelled,
        Some("incomplete") => ResponseStatus::Incomplete,
        Some("failed") => ResponseStatus::Failed,
        _ => ResponseStatus::Completed,
    };
    ServerEvent::ResponseDone {
        response: id(response, "id").or_else(|| id(event, "response_id")),
        status,
        failure: failure(&response["status_details"]["error"]),
        usage: usage(&response["usage"]),
        metadata: metadata(response),
    }
}

fn item_done(event: &Value) -> ServerEvent {
    let item = &event["item"];
    if item["type"] != "function_call" {
        return ServerEvent::Noted { response: id(event, "response_id") };
    }
    ServerEvent::FunctionCall(FunctionCall {
        response: id(event, "response_id"),
        item: id(item, "id"),
        call_id: text(item, "call_id"),
        name: text(item, "name"),
        arguments: text(item, "arguments"),
        status: match item["status"].as_str() {
            Some("completed") => ItemStatus::Completed,
            Some("in_progress") => ItemStatus::InProgress,
            Some("incomplete") => ItemStatus::Incomplete,
            _ => ItemStatus::Unknown,
        },
    })
}

/// `usage` of a response, or of a transcription that is billed by tokens.
fn usage(usage: &Value) -> Option<Usage> {
    usage.as_object()?;
    let input = &usage["input_token_details"];
    let output = &usage["output_token_details"];
    Some(Usage {
        input_text: number(input, "text_tokens"),
        input_audio: number(input, "audio_tokens"),
        input_cached: number(input, "cached_tokens"),
        output_text: number(output, "text_tokens"),
        output_audio: number(output, "audio_tokens"),
        total: number(usage, "total_tokens"),
    })
}

fn transcription_usage(value: &Value) -> Option<TranscriptionUsage> {
    if value["type"] == "duration" {
        let seconds = Duration::try_from_secs_f64(value["seconds"].as_f64()?).ok()?;
        return Some(TranscriptionUsage::Duration(seconds));
    }
    usage(value).map(TranscriptionUsage::Tokens)
}

/// At most 16 pairs are ours.
fn metadata(response: &Value) -> BTreeMap<String, String> {
    let pairs = response["metadata"].as_object();
    pairs
        .into_iter()
        .flatten()
        .take(16)
        .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
        .collect()
}

fn rate_limits(event: &Value) -> Vec<RateLimit> {
    let limits = event["rate_limits"].as_array();
    limits
        .into_iter()
        .flatten()
        .take(16)
        .map(|limit| RateLimit {
            name: text(limit, "name"),
            limit: number(limit, "limit"),
            remaining: number(limit, "remaining"),
            reset: limit["reset_seconds"]
                .as_f64()
                .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
                .unwrap_or_default(),
        })
        .collect()
}

/// A count, or nothing.
fn number(value: &Value, name: &str) -> u64 {
    value[name].as_u64().unwrap_or_default()
}

fn failure(error: &Value) -> Failure {
    Failure {
        code: text(error, "code"),
        kind: text(error, "type"),
        message: text(error, "message"),
        event_id: text(error, "event_id"),
    }
}

/// Known events that need no action, under current and older names.
fn is_noted(kind: &str) -> bool {
    const NOTED: [&str; 26] = [
        "conversation.created",
        "conversation.item.added",
        "conversation.item.created",
        "conversation.item.deleted",
        "conversation.item.done",
        "conversation.item.input_audio_transcription.segment",
        "conversation.item.retrieved",
        "conversation.item.truncated",
        "input_audio_buffer.cleared",
        "input_audio_buffer.dtmf_event_received",
        "input_audio_buffer.timeout_triggered",
        "output_audio_buffer.cleared",
        "output_audio_buffer.started",
        "output_audio_buffer.stopped",
        "response.audio.done",
        "response.content_part.added",
        "response.content_part.done",
        "response.function_call_arguments.delta",
        "response.output_audio.done",
        "response.mcp_call_arguments.delta",
        "response.mcp_call_arguments.done",
        "response.mcp_call.in_progress",
        "response.mcp_call.completed",
        "response.mcp_call.failed",
        "transcription_session.created",
        "transcription_session.updated",
    ];
    NOTED.contains(&kind)
}

/// A text field, or nothing.
fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_default().to_owned()
}

/// An id field that is there and not empty.
fn id(value: &Value, name: &str) -> Option<String> {
    value[name].as_str().filter(|id| !id.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests;
