//! Server messages.

use std::{collections::BTreeMap, time::Duration};

use serde_json::Value;

use super::{Gemini, MAX_WITHDRAWN};
use crate::realtime::{
    AudioDelta, Failure, Frame, FunctionCall, ItemStatus, ResponseStatus, SAMPLE_RATE, ServerEvent,
    Unreadable, Usage,
};

type Events = Vec<(String, ServerEvent)>;

/// Longest transcript of one utterance that is gathered, in bytes; the rest is cut off.
const MAX_TRANSCRIPT_BYTES: usize = 16 * 1024;
/// Calls taken of one message.
const MAX_CALLS: usize = 64;

/// The model's turn, as far as it has come, and the speaker's before it.
#[derive(Debug, Default)]
pub(super) struct Turn {
    /// The response that is open: its id, and whether anybody asked for it.
    response: Option<Response>,
    /// The speaker's words since their last final transcript, and their item.
    heard: String,
    utterance: Option<String>,
    /// The response whose words are being gathered, and the words.
    speaking: Option<String>,
    spoken: String,
    /// Whether all audio of this turn has come, so that more belongs to the next.
    complete: bool,
}

#[derive(Clone, Debug)]
struct Response {
    id: String,
    wanted: bool,
}

impl Gemini {
    pub(super) fn read(&mut self, frame: Frame<'_>, events: &mut Events) -> Result<(), Unreadable> {
        let message: Value = match frame {
            Frame::Text(text) => serde_json::from_str(text),
            Frame::Binary(bytes) => serde_json::from_slice(bytes),
        }
        .map_err(|_| Unreadable::NotJson)?;
        let Some(fields) = message.as_object().filter(|fields| !fields.is_empty()) else {
            return Err(Unreadable::NotAnEvent);
        };
        // In this order: what was said, what is done about it, what becomes of the connection.
        if fields.contains_key("setupComplete") {
            self.ready = true;
            events.push(("setupComplete".to_owned(), ServerEvent::SessionUpdated));
        }
        if let Some(content) = fields.get("serverContent") {
            self.content(content, events);
        }
        if let Some(call) = fields.get("toolCall") {
            self.calls(call, events);
        }
        if let Some(withdrawn) = fields.get("toolCallCancellation") {
            self.withdraw(withdrawn, events);
        }
        if let Some(usage) = fields.get("usageMetadata") {
            events.push(("usageMetadata".to_owned(), ServerEvent::Used(read_usage(usage))));
        }
        if let Some(update) = fields.get("sessionResumptionUpdate") {
            self.remember_handle(update);
            events.push(noted("sessionResumptionUpdate"));
        }
        if let Some(go_away) = fields.get("goAway") {
            let time_left = go_away["timeLeft"].as_str().and_then(read_duration);
            events.push(("goAway".to_owned(), ServerEvent::GoAway { time_left }));
        }
        for (kind, known) in fields.keys().map(|kind| (kind, is_known(kind))) {
            match known {
                Known::Read => {}
                Known::Noted => events.push(noted(kind)),
                Known::No => {
                    self.stats.unknown += 1;
                    events.push((kind.clone(), ServerEvent::Unknown));
                }
            }
        }
        Ok(())
    }

    fn content(&mut self, content: &Value, events: &mut Events) {
        if let Some(transcription) = content.get("inputTranscription") {
            self.hear(transcription, events);
        }
        let parts = content["modelTurn"]["parts"].as_array();
        for part in parts.into_iter().flatten() {
            self.part(part, events);
        }
        if let Some(transcription) = content.get("outputTranscription") {
            self.speak(transcription, events);
        }
        if content["interrupted"] == true {
            self.finish_heard(events);
            events.push(named("interrupted", ServerEvent::Interrupted));
            self.finish_spoken(events);
            self.end(ResponseStatus::Cancelled, "interrupted", events);
            self.turn.complete = true;
        }
        if content["generationComplete"] == true {
            self.end(ResponseStatus::Completed, "generationComplete", events);
            self.turn.complete = true;
        }
        if content["turnComplete"] == true {
            self.finish_heard(events);
            self.finish_spoken(events);
            self.end(ResponseStatus::Completed, "turnComplete", events);
            self.turn.complete = false;
        }
    }

    /// Words of the speaker.
    fn hear(&mut self, transcription: &Value, events: &mut Events) {
        let words = transcription["text"].as_str().unwrap_or_default();
        push_bounded(&mut self.turn.heard, words);
        let item = match &self.turn.utterance {
            Some(item) => item.clone(),
            None => {
                self.next_utterance += 1;
                self.turn.utterance.insert(format!("utterance_{}", self.next_utterance)).clone()
            }
        };
        let text = self.turn.heard.clone();
        let partial = ServerEvent::UserTranscriptPartial { item: Some(item), text };
        events.push(named("inputTranscription", partial));
        if transcription["finished"] == true {
            self.finish_heard(events);
        }
    }

    /// The speaker's words are whole: nothing says so but what follows them.
    fn finish_heard(&mut self, events: &mut Events) {
        let Some(item) = self.turn.utterance.take() else { return };
        let text = std::mem::take(&mut self.turn.heard).trim().to_owned();
        let transcript = ServerEvent::UserTranscript { item: Some(item), text, usage: None };
        events.push(named("inputTranscription.finished", transcript));
    }

    fn part(&mut self, part: &Value, events: &mut Events) {
        let Some(data) = part["inlineData"]["data"].as_str() else { return };
        let Some(response) = self.begin(events) else { return };
        let mime = part["inlineData"]["mimeType"].as_str().unwrap_or_default();
        let rate = mime.split("rate=").nth(1).and_then(|rate| rate.parse().ok());
        // One item a response.
        let pcm = self.pcm.read(&response, data);
        let event = match pcm.filter(|_| rate.unwrap_or(SAMPLE_RATE) == SAMPLE_RATE) {
            Some(pcm) => ServerEvent::Audio(AudioDelta {
                response: Some(response.clone()),
                item: response,
                content_index: 0,
                pcm,
            }),
            None => {
                self.stats.bad_audio += 1;
                ServerEvent::BadAudio
            }
        };
        events.push(named("modelTurn", event));
    }

    /// Words of the model; they may come after the end of its audio.
    fn speak(&mut self, transcription: &Value, events: &mut Events) {
        // After an interruption words may come that nobody hears.
        if self.turn.speaking.is_none() && !self.turn.complete {
            self.begin(events);
        }
        let Some(response) = self.turn.speaking.clone() else {
            events.push(noted("serverContent.outputTranscription"));
            return;
        };
        let delta = transcription["text"].as_str().unwrap_or_default().to_owned();
        push_bounded(&mut self.turn.spoken, &delta);
        let (item, response) = (Some(response.clone()), Some(response));
        let partial = ServerEvent::AssistantTranscriptPartial { response, item, delta };
        events.push(named("outputTranscription", partial));
    }

    fn finish_spoken(&mut self, events: &mut Events) {
        let Some(response) = self.turn.speaking.take() else { return };
        let text = std::mem::take(&mut self.turn.spoken).trim().to_owned();
        let (item, response) = (Some(response.clone()), Some(response));
        let transcript = ServerEvent::AssistantTranscript { response, item, text };
        events.push(named("outputTranscription.finished", transcript));
    }

    /// The response that is open; one begins if there is none. `None`: nobody asked for it.
    fn begin(&mut self, events: &mut Events) -> Option<String> {
        if let Some(response) = &self.turn.response {
            return response.wanted.then(|| response.id.clone());
        }
        self.finish_heard(events);
        self.finish_spoken(events);
        self.turn.complete = false;
        self.next_response += 1;
        let id = format!("response_{}", self.next_response);
        let wanted = self.answers_speech || self.asked > 0;
        self.asked = self.asked.saturating_sub(1);
        self.turn.response = Some(Response { id: id.clone(), wanted });
        if !wanted {
            return None;
        }
        self.turn.speaking = Some(id.clone());
        let created =
            ServerEvent::ResponseCreated { response: Some(id.clone()), metadata: BTreeMap::new() };
        events.push(named("modelTurn.begun", created));
        Some(id)
    }

    fn end(&mut self, status: ResponseStatus, kind: &str, events: &mut Events) {
        let Some(response) = self.turn.response.take() else {
            events.push(noted(&format!("serverContent.{kind}")));
            return;
        };
        if response.wanted {
            let done = ServerEvent::ResponseDone {
                response: Some(response.id),
                status,
                failure: Failure::default(),
                usage: None,
                metadata: BTreeMap::new(),
            };
            events.push(named(kind, done));
        }
    }

    fn calls(&mut self, call: &Value, events: &mut Events) {
        self.finish_heard(events);
        let response = self.turn.response.as_ref().filter(|response| response.wanted);
        let response = response.map(|response| response.id.clone());
        let calls = call["functionCalls"].as_array();
        for call in calls.into_iter().flatten().take(MAX_CALLS) {
            let text = |name: &str| call[name].as_str().unwrap_or_default().to_owned();
            let arguments = match &call["args"] {
                Value::Null => "{}".to_owned(),
                arguments => arguments.to_string(),
            };
            let call = ServerEvent::FunctionCall(FunctionCall {
                response: response.clone(),
                item: None,
                call_id: text("id"),
                name: text("name"),
                arguments,
                status: ItemStatus::Completed,
            });
            events.push(("toolCall".to_owned(), call));
        }
        // What comes after the results is an answer of its own; they may take their time.
        self.finish_spoken(events);
        self.end(ResponseStatus::Completed, "toolCall", events);
    }

    fn withdraw(&mut self, cancellation: &Value, events: &mut Events) {
        let ids = cancellation["ids"].as_array();
        let ids = ids.into_iter().flatten().filter_map(Value::as_str).take(MAX_WITHDRAWN);
        let ids: Vec<String> = ids.map(str::to_owned).collect();
        let excess = (self.withdrawn.len() + ids.len()).saturating_sub(MAX_WITHDRAWN);
        self.withdrawn.drain(..excess.min(self.withdrawn.len()));
        self.withdrawn.extend(ids.iter().cloned());
        events.push(("toolCallCancellation".to_owned(), ServerEvent::ToolCallsCancelled { ids }));
    }

    /// The newest handle that works; one that does not leaves the last that did.
    fn remember_handle(&mut self, update: &Value) {
        let handle = update["newHandle"].as_str().filter(|handle| !handle.is_empty());
        if update["resumable"] == true
            && let Some(handle) = handle
        {
            self.handle = Some(handle.to_owned());
        }
    }
}

fn named(kind: &str, event: ServerEvent) -> (String, ServerEvent) {
    (format!("serverContent.{kind}"), event)
}

fn noted(kind: &str) -> (String, ServerEvent) {
    (kind.to_owned(), ServerEvent::Noted { response: None })
}

enum Known {
    Read,
    Noted,
    No,
}

fn is_known(kind: &str) -> Known {
    match kind {
        "setupComplete"
        | "serverContent"
        | "toolCall"
        | "toolCallCancellation"
        | "usageMetadata"
        | "sessionResumptionUpdate"
        | "goAway" => Known::Read,
        "voiceActivity" | "voiceActivityDetectionSignal" => Known::Noted,
        _ => Known::No,
    }
}

fn push_bounded(text: &mut String, more: &str) {
    if text.len() + more.len() <= MAX_TRANSCRIPT_BYTES {
        text.push_str(more);
    }
}

/// A protobuf duration: seconds with `s` behind them.
fn read_duration(text: &str) -> Option<Duration> {
    let seconds: f64 = text.strip_suffix('s')?.parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok()
}

fn read_usage(usage: &Value) -> Usage {
    let count = |name: &str| usage[name].as_u64().unwrap_or_default();
    let of = |list: &str, modality: &str| {
        let details = usage[list].as_array();
        let fitting = details.into_iter().flatten().filter(|detail| detail["modality"] == modality);
        fitting.fold(0_u64, |sum, detail| {
            sum.saturating_add(detail["tokenCount"].as_u64().unwrap_or_default())
        })
    };
    Usage {
        input_text: of("promptTokensDetails", "TEXT"),
        input_audio: of("promptTokensDetails", "AUDIO"),
        input_cached: count("cachedContentTokenCount"),
        output_text: of("responseTokensDetails", "TEXT")
            .saturating_add(count("thoughtsTokenCount")),
        output_audio: of("responseTokensDetails", "AUDIO"),
        total: count("totalTokenCount"),
    }
}
