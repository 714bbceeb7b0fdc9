//! A client in virtual time against the session.

mod arbitrary;
mod input;
mod responses;
mod scripted;

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
                // A scenario may send what is no event.
                Output::Text(text) if text == "nonsense" => {}
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
            let again = self.session.poll_timeout();
            assert!(again.is_none_or(|(at, _)| at > self.now), "{again:?} is due still");
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
