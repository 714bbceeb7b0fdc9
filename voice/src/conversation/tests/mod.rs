//! Scenarios in virtual time: a room, its speakers and a provider that does as it is told.

mod agent;
mod answers;
mod arbitrary;
mod connections;
mod continuity;
mod control;
mod interruption;
mod other_protocols;
mod take_back;
mod telling;
mod turns;
mod wake;

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use clawvoice_session::{
    ChannelId, GuildId, SessionTime, UserId,
    agent::{AgentEvent, Ask, Control, ControlOutcome, RunId, RunReport, Usage},
    timeline::Level,
};
use serde_json::{Value, json};

use super::{Conversation, ConversationSettings, Lane, Output, Timer, Trace};
use crate::{call::Hear, realtime::Closed};

const BOT: UserId = UserId::new(9);
const ADA: UserId = UserId::new(11);
const BOB: UserId = UserId::new(12);
const TICK: Duration = Duration::from_millis(20);

fn settings() -> ConversationSettings {
    ConversationSettings::new(GuildId::new(1), ChannelId::new(2), BOT)
}

/// A conversation with everything it put out.
struct Room {
    talk: Conversation,
    now: SessionTime,
    next_tick: SessionTime,
    /// Timeline lines (not the verbose ones) and messages to the provider except appends, in order.
    journal: Vec<String>,
    /// Messages to the provider except appends.
    sent: Vec<(u32, Value)>,
    /// Samples appended, with lane and time.
    appended: Vec<(u32, SessionTime, Vec<i16>)>,
    opened: Vec<u32>,
    closed: Vec<u32>,
    ready: usize,
    failed: Option<String>,
    /// When each frame of an answer was taken, and its first sample.
    heard: Vec<(SessionTime, i16)>,
    /// Those frames.
    frames: Vec<[i16; 480]>,
    transcripts: Vec<(Option<UserId>, String)>,
    asked: Vec<Ask>,
    controls: Vec<(u64, Control)>,
    notes: Vec<(String, String)>,
    told_heard: Vec<(RunId, String)>,
    traces: Vec<Trace>,
}

impl Room {
    /// A room whose first connection is configured.
    fn ready(settings: ConversationSettings) -> Self {
        let mut room = Self::new(settings);
        room.configure(0);
        room.journal.clear();
        room.sent.clear();
        room
    }

    fn new(settings: ConversationSettings) -> Self {
        let mut room = Self {
            talk: Conversation::new(settings, SessionTime::ZERO),
            now: SessionTime::ZERO,
            next_tick: SessionTime::ZERO + TICK,
            journal: Vec::new(),
            sent: Vec::new(),
            appended: Vec::new(),
            opened: Vec::new(),
            closed: Vec::new(),
            ready: 0,
            failed: None,
            heard: Vec::new(),
            frames: Vec::new(),
            transcripts: Vec::new(),
            asked: Vec::new(),
            controls: Vec::new(),
            notes: Vec::new(),
            told_heard: Vec::new(),
            traces: Vec::new(),
        };
        room.talk.handle_name(ADA, "Ada".into(), false);
        room.talk.handle_name(BOB, "Bob".into(), false);
        room.drain();
        room
    }

    fn drain(&mut self) {
        while let Some(output) = self.talk.poll_output() {
            match output {
                Output::OpenProvider { lane } => self.opened.push(lane.number()),
                Output::CloseProvider { lane } => self.closed.push(lane.number()),
                Output::Provider { lane, message } => self.note_sent(lane.number(), &message),
                Output::Timeline(record) => {
                    if record.level > Level::Verbose {
                        let line = record.to_line();
                        self.journal.push(line.trim_start_matches("discord voice: ").to_owned());
                    }
                }
                Output::Trace(trace) => self.traces.push(trace),
                Output::Transcript { user, text, .. } => self.transcripts.push((user, text)),
                Output::Ask(ask) => {
                    self.journal.push(format!("-> agent {}", ask.run));
                    self.asked.push(ask);
                }
                Output::Control { ticket, control, .. } => {
                    self.journal.push(format!("-> agent control {ticket}"));
                    self.controls.push((ticket, control));
                }
                Output::Note { said, answered, .. } => self.notes.push((said, answered)),
                Output::Heard { run, text, .. } => self.told_heard.push((run, text)),
                Output::Ready => self.ready += 1,
                Output::Failed(why) => self.failed = Some(why),
            }
        }
    }

    fn note_sent(&mut self, lane: u32, message: &str) {
        let event: Value = serde_json::from_str(message).unwrap();
        let first = || event.as_object().unwrap().keys().next().unwrap().clone();
        let kind = event["type"].as_str().map_or_else(first, str::to_owned);
        if event["realtimeInput"]["audio"].is_object() {
            self.appended.push((lane, self.now, Vec::new()));
            return;
        }
        if kind == "input_audio_buffer.append" {
            let bytes = STANDARD.decode(event["audio"].as_str().unwrap()).unwrap();
            let pcm = bytes.chunks_exact(2).map(|b| i16::from_le_bytes([b[0], b[1]])).collect();
            self.appended.push((lane, self.now, pcm));
            return;
        }
        self.journal.push(format!("-> {lane} {kind}"));
        self.sent.push((lane, event));
    }

    /// Lets time pass: ticks every 20 ms, timers when they are due.
    fn run(&mut self, ms: u64) {
        let end = self.now + Duration::from_millis(ms);
        loop {
            let timer = self.talk.poll_timeout().map(|(at, _)| at.max(self.now));
            let next = timer.map_or(self.next_tick, |at| at.min(self.next_tick));
            if next > end {
                break;
            }
            if next == self.next_tick && timer != Some(next) && !self.talk.wants_frame() {
                // A tick on which nothing is wanted changes nothing.
                self.now = next;
                self.next_tick += TICK;
                continue;
            }
            self.now = next;
            if timer == Some(next) {
                self.talk.handle_timeout(self.now);
                self.drain();
                let again = self.talk.poll_timeout();
                assert!(again.is_none_or(|(at, _)| at > self.now), "{again:?} is due still");
            }
            if next == self.next_tick {
                self.next_tick += TICK;
                self.tick();
            }
        }
        self.now = end;
    }

    /// One 20 ms tick of the call.
    fn tick(&mut self) -> bool {
        let mut frame = [0; 480];
        let filled = self.talk.take_frame(self.now, &mut frame);
        if filled {
            self.heard.push((self.now, frame[0]));
            self.frames.push(frame);
        }
        self.drain();
        filled
    }

    /// The answer is over: one frame more, which fades out, and then nothing.
    fn fades_out(&mut self) {
        assert!(self.tick(), "a frame that fades out");
        let last = self.frames.last().unwrap();
        assert!(last[240..].iter().all(|sample| *sample == 0), "it ends within 10 ms");
        assert!(!self.tick(), "and no other");
    }

    fn start(&mut self, user: UserId) {
        self.talk.speaking_started(self.now, user);
        self.drain();
    }

    fn frame(&mut self, user: UserId) {
        self.talk.audio(self.now, user, &[700; 480]);
        self.drain();
    }

    fn stop(&mut self, user: UserId) {
        self.talk.speaking_stopped(self.now, user);
        self.drain();
    }

    /// A talkspurt: a frame each 20 ms, and the pause of 100 ms by which its end is known.
    fn speak(&mut self, user: UserId, ms: u64) {
        self.start(user);
        for _ in 0..ms / 20 {
            self.frame(user);
            self.run(20);
        }
        self.run(80);
        self.stop(user);
    }

    fn configure(&mut self, lane: u32) {
        self.talk.handle_provider_opened(self.now, Lane::new(lane));
        self.drain();
        self.server(lane, &json!({"type": "session.created", "session": {}}));
        self.server(lane, &json!({"type": "session.updated", "session": {}}));
    }

    /// The provider is there for every connection that waits for it.
    fn configure_all(&mut self) {
        let unready = self.talk.slots.iter().filter(|slot| !slot.is_ready());
        let lanes = unready.map(|slot| slot.lane.number());
        let lanes: Vec<u32> = lanes.filter(|lane| self.opened.contains(lane)).collect();
        for lane in lanes {
            self.configure(lane);
        }
    }

    fn server(&mut self, lane: u32, event: &Value) {
        self.text(lane, &event.to_string());
    }

    fn text(&mut self, lane: u32, text: &str) {
        self.talk.handle_provider_text(self.now, Lane::new(lane), text);
        self.drain();
    }

    fn lost(&mut self, lane: u32, closed: &Closed) {
        self.talk.handle_provider_closed(self.now, Lane::new(lane), closed);
        self.drain();
    }

    fn created(&mut self, lane: u32, response: &str) {
        self.server(lane, &json!({"type": "response.created", "response": {"id": response}}));
    }

    /// The provider's final transcript of what a lane's speaker said.
    fn said(&mut self, lane: u32, text: &str) {
        self.server(
            lane,
            &json!({"type": "conversation.item.input_audio_transcription.completed",
                    "item_id": format!("user {}", self.transcripts.len()), "content_index": 0,
                    "transcript": text}),
        );
    }

    /// The front end calls the consult tool.
    fn call(&mut self, lane: u32, id: &str, arguments: &Value) {
        self.call_named(lane, id, "openclaw_agent_consult", &arguments.to_string(), "completed");
    }

    fn call_named(&mut self, lane: u32, id: &str, name: &str, arguments: &str, status: &str) {
        self.server(
            lane,
            &json!({"type": "response.output_item.done", "response_id": "calls", "item": {
                "id": format!("item {id}"), "type": "function_call", "status": status,
                "call_id": id, "name": name, "arguments": arguments,
            }}),
        );
    }

    /// The agent ends a run, counted from 0 in the order of asking.
    fn agent(&mut self, asked: usize, event: AgentEvent) {
        let run = self.asked[asked].run;
        self.talk.handle_agent(self.now, RunReport { run, event });
        self.drain();
    }

    fn answer(&mut self, asked: usize, text: &str) {
        let event = AgentEvent::Answered { text: text.into(), usage: Usage::default() };
        self.agent(asked, event);
    }

    fn outcome(&mut self, control: usize, outcome: &ControlOutcome) {
        let ticket = self.controls[control].0;
        self.talk.handle_control(self.now, ticket, outcome);
        self.drain();
    }

    /// Texts that the front end was told to say, in order.
    fn told_to_say(&self) -> Vec<String> {
        let messages = self.sent.iter().filter(|(_, event)| event["item"]["role"] == "user");
        let texts = messages.filter_map(|(_, event)| event["item"]["content"][0]["text"].as_str());
        let quoted = texts.filter_map(|text| text.find(": \"").map(|at| &text[at + 2..]));
        quoted.map(|json| serde_json::from_str(json).unwrap()).collect()
    }

    /// Results of calls, by call id.
    fn results(&self) -> Vec<(String, Value)> {
        let items = self.sent.iter().map(|(_, event)| &event["item"]);
        items
            .filter(|item| item["type"] == "function_call_output")
            .map(|item| {
                let output = serde_json::from_str(item["output"].as_str().unwrap()).unwrap();
                (item["call_id"].as_str().unwrap().to_owned(), output)
            })
            .collect()
    }

    /// The front end says an exact speech: a response of `ms`, complete.
    fn say(&mut self, lane: u32, response: &str, ms: usize) {
        self.created(lane, response);
        self.delta(lane, response, &format!("item {response}"), ms);
        self.done(lane, response, "completed");
    }

    fn delta(&mut self, lane: u32, response: &str, item: &str, ms: usize) {
        self.delta_of(lane, response, item, &vec![1; ms * 24]);
    }

    fn delta_of(&mut self, lane: u32, response: &str, item: &str, pcm: &[i16]) {
        let bytes: Vec<u8> = pcm.iter().flat_map(|s| s.to_le_bytes()).collect();
        self.server(
            lane,
            &json!({
                "type": "response.output_audio.delta", "response_id": response,
                "item_id": item, "output_index": 0, "content_index": 0,
                "delta": STANDARD.encode(bytes),
            }),
        );
    }

    fn added(&mut self, lane: u32, response: &str, item: &str) {
        self.server(
            lane,
            &json!({
                "type": "response.output_item.added", "response_id": response,
                "item": {"id": item, "type": "message", "status": "in_progress"},
            }),
        );
    }

    fn done(&mut self, lane: u32, response: &str, status: &str) {
        self.server(
            lane,
            &json!({"type": "response.done", "response": {"id": response, "status": status}}),
        );
    }

    fn error(&mut self, lane: u32, code: &str, event_id: &str) {
        self.server(
            lane,
            &json!({"type": "error", "error": {
                "type": "invalid_request_error", "code": code, "message": "as told",
                "event_id": event_id,
            }}),
        );
    }

    /// Ada has lane 0 and an answer of `ms` is in the player.
    fn answering(settings: ConversationSettings, ms: usize) -> Self {
        let mut room = Self::ready(settings);
        room.speak(ADA, 200);
        room.run(3_000);
        room.created(0, "r1");
        room.added(0, "r1", "i1");
        room.delta(0, "r1", "i1", ms);
        room.journal.clear();
        room
    }

    /// The messages to the provider, without their event ids.
    fn sent(&self) -> Vec<Value> {
        self.sent
            .iter()
            .map(|(_, event)| {
                let mut event = event.clone();
                event.as_object_mut().unwrap().remove("event_id");
                event
            })
            .collect()
    }

    /// What was said is a turn.
    fn committed(&mut self, lane: u32, item: &str) {
        self.server(lane, &json!({"type": "input_audio_buffer.committed", "item_id": item}));
    }

    fn words(&mut self, lane: u32, item: &str, words: &str) {
        self.server(
            lane,
            &json!({"type": "conversation.item.input_audio_transcription.completed",
                    "item_id": item, "transcript": words}),
        );
    }

    fn answer_words(&mut self, lane: u32, response: &str, item: &str, words: &str) {
        self.server(
            lane,
            &json!({"type": "response.output_audio_transcript.done", "response_id": response,
                    "item_id": item, "transcript": words}),
        );
    }

    /// What a connection was told as text: who said it, and the words.
    fn told(&self, lane: u32) -> Vec<String> {
        self.sent
            .iter()
            .filter(|(of, event)| *of == lane && event["type"] == "conversation.item.create")
            .map(|(_, event)| {
                let role = event["item"]["role"].as_str().unwrap();
                let part = &event["item"]["content"][0];
                format!("{role}: {}", part["text"].as_str().unwrap())
            })
            .collect()
    }

    /// The samples that a connection was given.
    fn given(&self, lane: u32) -> Vec<i16> {
        let pieces = self.appended.iter().filter(|(of, ..)| *of == lane);
        pieces.flat_map(|(_, _, pcm)| pcm.iter().copied()).collect()
    }

    fn journal_has(&self, text: &str) -> bool {
        self.journal.iter().any(|line| line.contains(text))
    }

    fn count(&self, text: &str) -> usize {
        self.journal.iter().filter(|line| line.contains(text)).count()
    }
}

fn cancel(response: &str) -> Value {
    json!({"type": "response.cancel", "response_id": response})
}

fn truncate(item: &str, audio_end_ms: u64) -> Value {
    json!({"type": "conversation.item.truncate", "item_id": item, "content_index": 0,
           "audio_end_ms": audio_end_ms})
}

fn delete(item: &str) -> Value {
    json!({"type": "conversation.item.delete", "item_id": item})
}
