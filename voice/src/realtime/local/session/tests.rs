//! A client in virtual time against the session.

mod scripted;

use proptest::prelude::*;

use super::*;
use crate::realtime::local::{AtEnd, Note, Pace, Step, Turn, read_wav};

/// Audio of one append, as a client sends it.
const FRAME: usize = 480;

struct Client {
    session: LocalSession,
    now: SessionTime,
    /// Everything received and not yet looked at, with its time.
    inbox: Vec<(SessionTime, Value)>,
    notes: Vec<Note>,
    closed: Option<u16>,
    dropped: bool,
    /// Texts that the session wants spoken.
    says: Vec<(u64, String)>,
    /// Every event of both directions, audio as its length.
    journal: String,
}

impl Client {
    fn new(behaviour: Behaviour) -> Self {
        let settings = Settings {
            behaviour,
            model: "parrot-1".to_owned(),
            speed: 4.0,
            voice: Voice::Tones,
            record: true,
            id_seed: 7,
            epoch_seconds: 1_000,
            expires_after: Duration::from_secs(3_600),
        };
        let mut client = Self {
            session: LocalSession::new(settings, SessionTime::ZERO),
            now: SessionTime::ZERO,
            inbox: Vec::new(),
            notes: Vec::new(),
            closed: None,
            dropped: false,
            says: Vec::new(),
            journal: String::new(),
        };
        client.drain();
        client
    }

    /// With a session update sent, and the greeting read.
    fn configured(behaviour: Behaviour, session: Value) -> Self {
        let mut client = Self::new(behaviour);
        let mut session = session;
        session["type"] = "realtime".into();
        client.send(json!({ "type": "session.update", "session": session }));
        assert_eq!(client.types(), ["session.created", "session.updated"]);
        client
    }

    fn script(turns: Vec<Turn>) -> Behaviour {
        Behaviour::Script(Arc::new(Script::new(turns, AtEnd::Silent).expect("turns")))
    }

    fn send(&mut self, event: Value) {
        self.write_down("→", event.clone());
        self.session.handle_text(self.now, &event.to_string());
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(output) = self.session.poll_output() {
            match output {
                Output::Text(text) => {
                    let event: Value = serde_json::from_str(&text).expect("events are JSON");
                    assert!(event["event_id"].is_string() && event["type"].is_string(), "{event}");
                    self.write_down("←", event.clone());
                    self.inbox.push((self.now, event));
                }
                Output::Fragments(first, second) => {
                    let text = String::from_utf8([first, second].concat()).expect("a whole text");
                    self.inbox.push((self.now, serde_json::from_str(&text).expect("JSON")));
                }
                Output::Drop => self.dropped = true,
                Output::Say { ticket, text } => self.says.push((ticket, text)),
                Output::Close { code } => self.closed = Some(code),
                Output::Note(note) => self.notes.push(note),
            }
        }
    }

    fn write_down(&mut self, direction: &str, mut event: Value) {
        for field in ["audio", "delta"] {
            if event[field].as_str().is_some_and(|text| text.len() > 100) {
                event[field] =
                    format!("({} characters)", event[field].as_str().map_or(0, str::len)).into();
            }
        }
        let at = self.now.as_millis();
        self.journal.push_str(&format!("{at:>6} {direction} {event}\n"));
    }

    /// What became of the scenario: names and places of its notes.
    fn outcomes(&self) -> Vec<(&'static str, String)> {
        let outcome = |note: &Note| match note {
            Note::Event { name, fields, .. } if name.starts_with("script.") => {
                let place = fields["place"].as_str().unwrap_or_default();
                let problem = fields.get("problem").and_then(Value::as_str);
                Some((*name, problem.map_or_else(|| place.to_owned(), |p| format!("{place}: {p}"))))
            }
            _ => None,
        };
        self.notes.iter().filter_map(outcome).collect()
    }

    /// Lets time pass, waking the session when it asks for it.
    fn wait(&mut self, ms: u64) {
        let end = self.now + Duration::from_millis(ms);
        while let Some((at, _)) = self.session.poll_timeout().filter(|(at, _)| *at <= end) {
            self.now = self.now.max(at);
            self.session.handle_timeout(self.now);
            self.drain();
        }
        self.now = end;
    }

    /// Sends audio in real time, 20 ms at a time.
    fn speak(&mut self, samples: &[i16]) {
        for frame in samples.chunks(FRAME) {
            self.send(append(frame));
            self.wait(20);
        }
    }

    fn types(&mut self) -> Vec<String> {
        self.take().iter().map(|event| event["type"].as_str().unwrap_or("").to_owned()).collect()
    }

    fn take(&mut self) -> Vec<Value> {
        self.inbox.drain(..).map(|(_, event)| event).collect()
    }

    fn error(&mut self) -> Value {
        let events = self.take();
        let [event] = &events[..] else { panic!("{events:?}") };
        assert_eq!(event["type"], "error");
        event["error"].clone()
    }
}

fn append(samples: &[i16]) -> Value {
    use base64::{Engine, engine::general_purpose::STANDARD};
    let bytes: Vec<u8> = samples.iter().flat_map(|s| s.to_le_bytes()).collect();
    json!({ "type": "input_audio_buffer.append", "audio": STANDARD.encode(bytes) })
}

fn samples_of(events: &[Value]) -> Vec<i16> {
    use base64::{Engine, engine::general_purpose::STANDARD};
    events
        .iter()
        .filter(|event| event["type"] == "response.output_audio.delta")
        .flat_map(|event| STANDARD.decode(event["delta"].as_str().expect("text")).expect("base64"))
        .collect::<Vec<u8>>()
        .chunks_exact(2)
        .map(|pair| i16::from_le_bytes([pair[0], pair[1]]))
        .collect()
}

fn ask() -> Vec<i16> {
    read_wav(&include_bytes!("../../../../../fixtures/audio/ask.wav")[..]).expect("a WAV")
}

fn manual() -> Value {
    json!({ "audio": { "input": { "turn_detection": null } } })
}

fn audio_step(ms: usize, transcript: &str) -> Step {
    let samples: Vec<i16> = (0..24 * ms).map(|n| n as i16).collect();
    Step::Audio {
        samples: samples.into(),
        transcript: transcript.to_owned(),
        pace: Pace::default(),
    }
}

fn turn(steps: Vec<Step>) -> Turn {
    Turn { steps, ..Turn::default() }
}

fn field(events: &[Value], kind: &str, pointer: &str) -> Value {
    let found = events.iter().find(|event| event["type"] == kind);
    let found = found.unwrap_or_else(|| panic!("no {kind} in {events:#?}"));
    found.pointer(pointer).unwrap_or_else(|| panic!("no {pointer} in {found:#}")).clone()
}

#[test]
fn the_session_is_created_with_every_field() {
    let mut client = Client::new(Behaviour::Parrot);
    let events = client.take();
    let [created] = &events[..] else { panic!("{events:?}") };
    assert_eq!(created["type"], "session.created");
    let mut session = created["session"].clone();
    assert!(session["id"].as_str().is_some_and(|id| id.starts_with("sess_")));
    session["id"] = "sess".into();
    let format = json!({ "type": "audio/pcm", "rate": 24_000 });
    assert_eq!(
        session,
        json!({
            "type": "realtime", "object": "realtime.session", "id": "sess", "model": "parrot-1",
            "expires_at": 4_600, "output_modalities": ["audio"], "instructions": "", "tools": [],
            "tool_choice": "auto", "max_output_tokens": "inf", "truncation": "auto",
            "tracing": null, "prompt": null, "include": null,
            "audio": {
                "input": {
                    "format": format, "noise_reduction": null, "transcription": null,
                    "turn_detection": {
                        "type": "server_vad", "threshold": 0.5, "prefix_padding_ms": 300,
                        "silence_duration_ms": 200, "idle_timeout_ms": null,
                        "create_response": true, "interrupt_response": true,
                    },
                },
                "output": { "format": format, "voice": "marin", "speed": 1.0 },
            },
        })
    );
}

#[test]
fn a_spoken_turn_comes_back_sample_for_sample() {
    let mut client = Client::configured(
        Behaviour::Parrot,
        json!({ "audio": { "input": {
            "transcription": { "model": "any" },
            "turn_detection": { "type": "server_vad", "silence_duration_ms": 500 },
        } } }),
    );
    let lead = 24_000;
    let speech = ask();
    let mut said = vec![0; lead];
    said.extend(&speech);
    said.extend(vec![0; 24_000]);
    client.speak(&said);
    client.wait(5_000);
    let events = client.take();

    let start = field(&events, "input_audio_buffer.speech_started", "/audio_start_ms");
    let start = start.as_u64().expect("ms");
    assert!((600..=800).contains(&start), "speech after 1000 ms less 300 ms padding: {start}");
    let stop = field(&events, "input_audio_buffer.speech_stopped", "/audio_end_ms");
    let stop = stop.as_u64().expect("ms");
    let end = (lead + speech.len()) as u64 / 24 + 500;
    assert!(stop.abs_diff(end) <= 200, "stopped at {stop}, expected about {end}");

    let heard = &said[start as usize * 24..stop as usize * 24];
    assert_eq!(samples_of(&events), heard, "the echo is not what was heard");

    let item = field(&events, "input_audio_buffer.speech_started", "/item_id");
    for kind in [
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
        "conversation.item.input_audio_transcription.completed",
    ] {
        assert_eq!(field(&events, kind, "/item_id"), item, "{kind}");
    }
    let seconds = heard.len() as f64 / 24_000.0;
    assert_eq!(
        field(&events, "conversation.item.input_audio_transcription.completed", "/transcript"),
        format!("({seconds:.1} s of speech)")
    );
    assert_eq!(
        field(&events, "conversation.item.input_audio_transcription.completed", "/usage"),
        json!({ "type": "duration", "seconds": seconds })
    );
    let usage = field(&events, "response.done", "/response/usage");
    let ms = heard.len() as u64 / 24;
    assert_eq!(usage["input_token_details"]["audio_tokens"], ms.div_ceil(100));
    assert_eq!(usage["output_token_details"]["audio_tokens"], ms.div_ceil(50));
}

#[test]
fn a_response_has_the_documented_order_and_constant_ids() {
    let behaviour = Client::script(vec![turn(vec![audio_step(250, "one two three")])]);
    let mut client = Client::configured(behaviour, manual());
    client.send(json!({ "type": "response.create" }));
    client.wait(1_000);
    let events = client.take();
    let types: Vec<&str> = events.iter().filter_map(|event| event["type"].as_str()).collect();
    assert_eq!(
        types,
        [
            "response.created",
            "rate_limits.updated",
            "response.output_item.added",
            "conversation.item.added",
            "response.content_part.added",
            "response.output_audio_transcript.delta",
            "response.output_audio.delta",
            "response.output_audio_transcript.delta",
            "response.output_audio.delta",
            "response.output_audio.delta",
            "response.output_audio.done",
            "response.output_audio_transcript.done",
            "response.content_part.done",
            "conversation.item.done",
            "response.output_item.done",
            "response.done",
        ]
    );
    let response = field(&events, "response.created", "/response/id");
    let item = field(&events, "response.output_item.added", "/item/id");
    for event in &events {
        if let Some(id) = event.get("response_id") {
            assert_eq!(*id, response, "{event}");
            assert_eq!(event["output_index"], 0, "{event}");
        }
        if let Some(id) = event.get("item_id") {
            assert_eq!(*id, item, "{event}");
            assert_eq!(event["content_index"], 0, "{event}");
        }
    }
    assert_eq!(
        field(&events, "response.content_part.done", "/part"),
        json!({ "type": "audio", "transcript": "one two three" })
    );
    let done = field(&events, "response.done", "/response");
    assert_eq!(done["status"], "completed");
    assert_eq!(
        done["output"][0]["content"][0],
        json!({ "type": "output_audio", "transcript": "one two three" })
    );
    assert_eq!(samples_of(&events).len(), 24 * 250);
}

#[test]
fn deltas_are_100_ms_of_audio_at_four_times_its_pace() {
    let behaviour = Client::script(vec![turn(vec![audio_step(1_000, "")])]);
    let mut client = Client::configured(behaviour, manual());
    client.send(json!({ "type": "response.create" }));
    client.wait(1_000);
    let times: Vec<u64> = client
        .inbox
        .iter()
        .filter(|(_, event)| event["type"] == "response.output_audio.delta")
        .map(|(at, _)| at.as_millis())
        .collect();
    assert_eq!(times, [0, 25, 50, 75, 100, 125, 150, 175, 200, 225]);
    let done = client.inbox.iter().find(|(_, event)| event["type"] == "response.done");
    assert_eq!(done.map(|(at, _)| at.as_millis()), Some(250));
}

#[test]
fn speech_interrupts_when_asked_to() {
    for (interrupt, status) in [(true, "cancelled"), (false, "completed")] {
        let behaviour = Client::script(vec![turn(vec![audio_step(60_000, "on and on")])]);
        let rules = json!({ "type": "server_vad", "silence_duration_ms": 500,
            "interrupt_response": interrupt, "create_response": false });
        let mut client = Client::configured(
            behaviour,
            json!({ "audio": { "input": { "turn_detection": rules } } }),
        );
        client.send(json!({ "type": "response.create" }));
        client.speak(&ask());
        client.wait(20_000);
        let events = client.take();
        let done = field(&events, "response.done", "/response");
        assert_eq!(done["status"], status);
        if interrupt {
            assert_eq!(
                done["status_details"],
                json!({ "type": "cancelled", "reason": "turn_detected" })
            );
            assert_eq!(field(&events, "response.output_item.done", "/item/status"), "incomplete");
            let types: Vec<&Value> = events.iter().map(|event| &event["type"]).collect();
            let at = |kind: &str| types.iter().position(|found| *found == kind);
            assert!(at("input_audio_buffer.speech_started") < at("response.output_audio.done"));
            assert!(
                !types[at("response.done").expect("done")..]
                    .contains(&&json!("response.output_audio.delta"))
            );
        }
    }
}

#[test]
fn a_turn_during_a_response_is_refused_if_it_may_not_interrupt() {
    let behaviour = Client::script(vec![turn(vec![audio_step(60_000, "")])]);
    let rules =
        json!({ "type": "server_vad", "silence_duration_ms": 500, "interrupt_response": false });
    let mut client =
        Client::configured(behaviour, json!({ "audio": { "input": { "turn_detection": rules } } }));
    client.send(json!({ "type": "response.create" }));
    let mut said = ask();
    said.extend(vec![0; 24_000]);
    client.speak(&said);
    let events = client.take();
    assert_eq!(field(&events, "error", "/error/code"), "conversation_already_has_active_response");
}

#[test]
fn cancelling() {
    let behaviour = Client::script(vec![turn(vec![audio_step(10_000, "a b c")])]);
    let mut client = Client::configured(behaviour, manual());
    client.send(json!({ "type": "response.cancel", "event_id": "mine" }));
    let error = client.error();
    assert_eq!(
        (&error["code"], &error["event_id"]),
        (&json!("response_cancel_not_active"), &json!("mine"))
    );

    client.send(json!({ "type": "response.create" }));
    client.wait(60);
    client.take();
    client.send(json!({ "type": "response.create", "event_id": "agents_js_response_create_2" }));
    let error = client.error();
    assert_eq!(error["code"], "conversation_already_has_active_response");
    assert_eq!(error["event_id"], "agents_js_response_create_2");

    client.send(json!({ "type": "response.cancel", "response_id": "resp_other" }));
    assert_eq!(client.error()["code"], "response_cancel_not_active");

    client.send(json!({ "type": "response.cancel" }));
    let events = client.take();
    let types: Vec<&str> = events.iter().filter_map(|event| event["type"].as_str()).collect();
    assert_eq!(
        types,
        [
            "response.output_audio.done",
            "response.output_audio_transcript.done",
            "response.content_part.done",
            "conversation.item.done",
            "response.output_item.done",
            "response.done",
        ]
    );
    assert_eq!(
        field(&events, "response.done", "/response/status_details/reason"),
        "client_cancelled"
    );
    client.wait(10_000);
    assert_eq!(client.types(), Vec::<String>::new());
}

#[test]
fn truncation_is_bounded_by_what_was_sent() {
    let behaviour = Client::script(vec![turn(vec![audio_step(1_000, "a b c d")])]);
    let mut client = Client::configured(behaviour, manual());
    client.send(json!({ "type": "response.create" }));
    client.wait(60); // three deltas
    let item = field(&client.take(), "response.output_item.added", "/item/id");
    let truncate = |ms: u64| json!({ "type": "conversation.item.truncate", "item_id": item, "content_index": 0, "audio_end_ms": ms });
    client.send(truncate(301));
    assert_eq!(client.error()["message"], "Audio content of 300ms is already shorter than 301ms");
    client.send(json!({ "type": "response.cancel" }));
    client.take();
    client.send(truncate(120));
    assert_eq!(client.types(), ["conversation.item.truncated"]);
    client.send(json!({ "type": "conversation.item.retrieve", "item_id": item }));
    let events = client.take();
    let part = field(&events, "conversation.item.retrieved", "/item/content/0");
    assert_eq!(part["transcript"], Value::Null);
    let audio = conversation::decode_audio(part["audio"].as_str().expect("text"), "audio");
    assert_eq!(audio.map(|bytes| bytes.len()), Ok(120 * 24 * 2));
    let noted = client.notes.iter().filter(|note| {
        matches!(note, Note::Event { name: "truncate", fields, .. } if fields["accepted"] == true)
    });
    assert_eq!(noted.count(), 1);
}

#[test]
fn manual_turns() {
    let mut client = Client::configured(Behaviour::Parrot, manual());
    client.send(json!({ "type": "input_audio_buffer.commit" }));
    assert_eq!(client.error()["code"], "input_audio_buffer_commit_empty");

    client.speak(&[5; 24 * 200]);
    client.send(json!({ "type": "input_audio_buffer.clear" }));
    assert_eq!(client.types(), ["input_audio_buffer.cleared"]);
    client.send(json!({ "type": "input_audio_buffer.commit" }));
    assert_eq!(client.error()["code"], "input_audio_buffer_commit_empty");

    client.speak(&[6; 24 * 200]);
    client.send(json!({ "type": "input_audio_buffer.commit" }));
    client.wait(1_000);
    assert_eq!(
        client.types(),
        ["input_audio_buffer.committed", "conversation.item.added", "conversation.item.done"]
    );
    client.send(json!({ "type": "response.create" }));
    client.wait(1_000);
    assert_eq!(samples_of(&client.take()), vec![6; 24 * 200]);
}

#[test]
fn a_deleted_turn_is_not_echoed() {
    let mut client = Client::configured(Behaviour::Parrot, manual());
    client.speak(&[6; 24 * 200]);
    client.send(json!({ "type": "input_audio_buffer.commit" }));
    let item = field(&client.take(), "input_audio_buffer.committed", "/item_id");
    client.send(json!({ "type": "conversation.item.delete", "item_id": item }));
    assert_eq!(client.types(), ["conversation.item.deleted"]);
    client.send(json!({ "type": "response.create" }));
    client.wait(1_000);
    let events = client.take();
    assert_eq!(field(&events, "response.done", "/response/output"), json!([]));
}

#[test]
fn a_script_is_played_in_order() {
    let call = Step::ToolCall { name: "clock".into(), arguments: "{\"zone\":\"UTC\"}".into() };
    let fail =
        Step::Fail { code: "inference_rate_limit_exceeded".into(), message: "Later.".into() };
    let behaviour = Client::script(vec![
        Turn { heard: Some("What is the time?".into()), steps: vec![call], ..Turn::default() },
        turn(vec![Step::Stall(Duration::from_millis(700)), audio_step(100, "Noon.")]),
        turn(vec![fail]),
        turn(vec![Step::Close(1_011)]),
    ]);
    let mut session = manual();
    session["audio"]["input"]["transcription"] = json!({ "model": "any" });
    let mut client = Client::configured(behaviour, session);
    client.speak(&[6; 24 * 200]);
    client.send(json!({ "type": "input_audio_buffer.commit" }));
    let events = client.take();
    assert_eq!(
        field(&events, "conversation.item.input_audio_transcription.completed", "/transcript"),
        "What is the time?"
    );

    client.send(json!({ "type": "response.create" }));
    let events = client.take();
    let types: Vec<&str> = events.iter().filter_map(|event| event["type"].as_str()).collect();
    assert_eq!(
        types,
        [
            "response.created",
            "rate_limits.updated",
            "response.output_item.added",
            "conversation.item.added",
            "response.function_call_arguments.delta",
            "response.function_call_arguments.done",
            "conversation.item.done",
            "response.output_item.done",
            "response.done",
        ]
    );
    let added = field(&events, "response.output_item.added", "/item");
    assert_eq!((&added["status"], &added["arguments"]), (&json!("in_progress"), &json!("")));
    let done = field(&events, "response.output_item.done", "/item");
    assert_eq!(done["status"], "completed");
    assert_eq!(done["arguments"], "{\"zone\":\"UTC\"}");
    assert!(done["call_id"].as_str().is_some_and(|id| id.len() <= 32), "{done}");

    client.send(json!({ "type": "conversation.item.create", "item": {
        "type": "function_call_output", "call_id": done["call_id"], "output": "12:00" } }));
    assert_eq!(client.types(), ["conversation.item.added", "conversation.item.done"]);

    client.send(json!({ "type": "response.create" }));
    client.wait(690);
    assert_eq!(client.types(), ["response.created", "rate_limits.updated"]);
    client.wait(100);
    assert_eq!(samples_of(&client.take()).len(), 2_400);

    client.send(json!({ "type": "response.create" }));
    let events = client.take();
    let failed = field(&events, "response.done", "/response");
    assert_eq!(failed["status"], "failed");
    assert_eq!(failed["status_details"]["error"]["code"], "inference_rate_limit_exceeded");

    client.send(json!({ "type": "response.create" }));
    assert_eq!(client.closed, Some(1_011));
    assert_eq!(client.session.poll_timeout(), None);
}

#[test]
fn several_items_in_one_response() {
    let call = Step::ToolCall { name: "f".into(), arguments: "{}".into() };
    let behaviour = Client::script(vec![turn(vec![audio_step(100, "One moment."), call])]);
    let mut client = Client::configured(behaviour, manual());
    client.send(json!({ "type": "response.create" }));
    client.wait(1_000);
    let events = client.take();
    let indexes: Vec<&Value> = events
        .iter()
        .filter(|event| event["type"] == "response.output_item.done")
        .map(|event| &event["output_index"])
        .collect();
    assert_eq!(indexes, [&json!(0), &json!(1)]);
    let output = field(&events, "response.done", "/response/output");
    assert_eq!(
        (&output[0]["type"], &output[1]["type"]),
        (&json!("message"), &json!("function_call"))
    );
}

#[test]
fn text_answers_and_responses_out_of_band() {
    let behaviour = Client::script(vec![
        turn(vec![audio_step(5_000, "long")]),
        turn(vec![audio_step(500, "said aside")]),
    ]);
    let mut client = Client::configured(behaviour, manual());
    client.send(json!({ "type": "response.create" }));
    client.take();
    client.send(json!({ "type": "response.create", "response": {
        "conversation": "none", "output_modalities": ["text"], "metadata": { "topic": "x" } } }));
    client.wait(500);
    let aside: Vec<Value> = client
        .take()
        .into_iter()
        .filter(|event| {
            event["response"]["metadata"]["topic"] == "x"
                || event["type"] == "response.output_text.done"
        })
        .collect();
    assert_eq!(field(&aside, "response.output_text.done", "/text"), "said aside");
    let done = field(&aside, "response.done", "/response");
    assert_eq!(done["conversation_id"], Value::Null);
    assert_eq!(
        done["output"][0]["content"][0],
        json!({ "type": "output_text", "text": "said aside" })
    );
}

#[test]
fn wrong_input_is_answered_and_the_session_goes_on() {
    let mut client = Client::configured(Behaviour::Parrot, manual());
    for (text, code) in [
        ("", "invalid_json"),
        ("{", "invalid_json"),
        ("[]", "invalid_json"),
        ("{}", "missing_required_parameter"),
        ("{\"type\":5}", "invalid_type"),
        ("{\"type\":\"response.creat\"}", "invalid_value"),
        ("{\"type\":\"response.cancel\",\"event_id\":5}", "invalid_type"),
        ("{\"type\":\"session.update\"}", "missing_required_parameter"),
        ("{\"type\":\"input_audio_buffer.append\"}", "missing_required_parameter"),
        ("{\"type\":\"input_audio_buffer.append\",\"audio\":\"*\"}", "invalid_value"),
        (
            "{\"type\":\"conversation.item.retrieve\",\"item_id\":\"x\"}",
            "item_retrieve_invalid_item_id",
        ),
        (
            "{\"type\":\"conversation.item.delete\",\"item_id\":\"x\"}",
            "item_delete_invalid_item_id",
        ),
        ("{\"type\":\"response.create\",\"response\":{\"conversation\":\"x\"}}", "invalid_value"),
        ("{\"type\":\"response.create\",\"response\":{\"metadata\":[]}}", "invalid_value"),
    ] {
        client.session.handle_text(client.now, text);
        client.drain();
        assert_eq!(client.error()["code"], code, "{text}");
    }
    client.session.handle_binary(client.now);
    client.drain();
    assert_eq!(client.error()["code"], "invalid_json");
    client.send(json!({ "type": "input_audio_buffer.clear" }));
    assert_eq!(client.types(), ["input_audio_buffer.cleared"]);
}

#[test]
fn a_session_expires() {
    let mut client = Client::new(Behaviour::Parrot);
    client.take();
    client.wait(3_599_999);
    assert_eq!(client.closed, None);
    client.wait(1);
    assert_eq!(client.error()["code"], "session_expired");
    assert_eq!(client.closed, Some(1_001));
}

#[test]
fn what_was_heard_and_sent_is_noted_whole() {
    let mut client = Client::configured(Behaviour::Parrot, manual());
    let said: Vec<i16> = (0..24 * 300).map(|n| n as i16).collect();
    client.speak(&said);
    client.send(json!({ "type": "input_audio_buffer.commit" }));
    client.send(json!({ "type": "response.create" }));
    client.wait(1_000);
    let (mut heard, mut sent) = (Vec::<i16>::new(), Vec::<i16>::new());
    for note in &client.notes {
        match note {
            Note::Heard(samples) => heard.extend(samples),
            Note::Sent(samples) => sent.extend(samples),
            Note::Event { .. } => {}
        }
    }
    assert_eq!(heard, said);
    assert_eq!(sent, said);
}

fn event() -> impl Strategy<Value = Value> {
    let id = prop::sample::select(vec!["item_00000000000000070000003", "x", "root", ""]);
    let number = prop_oneof![Just(json!(0)), Just(json!(100)), Just(json!(-1)), Just(json!("a"))];
    let kind = prop::sample::select(vec![
        "session.update",
        "input_audio_buffer.append",
        "input_audio_buffer.commit",
        "input_audio_buffer.clear",
        "conversation.item.create",
        "conversation.item.retrieve",
        "conversation.item.truncate",
        "conversation.item.delete",
        "response.create",
        "response.cancel",
        "nonsense",
    ]);
    let body = prop_oneof![
        Just(json!({})),
        Just(append(&[9_000; 24 * 120])),
        Just(append(&ask()[..24_000])),
        Just(json!({ "session": { "type": "realtime", "audio": { "input": { "turn_detection": null } } } })),
        Just(json!({ "session": { "type": "realtime", "output_modalities": ["text"] } })),
        Just(json!({ "session": { "type": "realtime", "audio": { "input": { "turn_detection":
            { "type": "semantic_vad" } } } } })),
        Just(json!({ "item": { "type": "message", "role": "user", "content":
            [{ "type": "input_text", "text": "hi" }] } })),
        Just(json!({ "response": { "conversation": "none" } })),
        (id, number.clone(), number).prop_map(|(id, content, end)| {
            json!({ "item_id": id, "content_index": content, "audio_end_ms": end, "response_id": id })
        }),
        any::<String>().prop_map(|text| json!({ "audio": text, "item": text, "session": text })),
    ];
    (kind, body).prop_map(|(kind, mut body)| {
        body["type"] = kind.into();
        body
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_text_is_survived(texts in prop::collection::vec(any::<String>(), 0..20)) {
        let mut client = Client::new(Behaviour::Parrot);
        for text in texts {
            client.session.handle_text(client.now, &text);
            client.drain();
        }
    }

    #[test]
    fn every_response_that_begins_is_done_once(
        steps in prop::collection::vec((event(), 0..200u64), 0..40),
        scripted: bool,
    ) {
        let behaviour = if scripted {
            let call = Step::ToolCall { name: "f".into(), arguments: "{}".into() };
            Client::script(vec![turn(vec![audio_step(300, "a b"), call, audio_step(50, "")])])
        } else {
            Behaviour::Parrot
        };
        let mut client = Client::new(behaviour);
        let mut events = Vec::new();
        for (event, wait) in steps {
            client.send(event);
            client.wait(wait);
            events.append(&mut client.take());
        }
        client.wait(600_000);
        events.append(&mut client.take());
        let ids = |kind: &str| {
            let mut ids: Vec<String> = events
                .iter()
                .filter(|event| event["type"] == kind)
                .filter_map(|event| event["response"]["id"].as_str().map(str::to_owned))
                .collect();
            ids.sort();
            ids
        };
        prop_assert_eq!(ids("response.created"), ids("response.done"));
    }
}
