//! The local realtime provider under any client text.
//!
//! A script of lines: `{…}` and anything else is a text frame, `w250` waits 250 ms, `z250` wakes
//! 250 ms late, `b` is a binary frame, `s` gives the voice that was asked for last. The first line's
//! first letter chooses the behaviour.
#![no_main]

use std::{sync::Arc, time::Duration};

use clawvoice_fuzz::steps;
use clawvoice_session::SessionTime;
use clawvoice_voice::realtime::local::{
    AtEnd, Behaviour, LocalSession, Output, Pace, Script, Settings, Step, Turn, Voice,
};

/// Outputs that one step may cause besides those that the input so far explains.
const MAX_OUTPUTS: usize = 16_384;

struct Bench {
    session: LocalSession,
    now: SessionTime,
    closed: bool,
    bytes_in: usize,
    ticket: u64,
}

libfuzzer_sys::fuzz_target!(|text: &str| {
    let choice = text.bytes().next().unwrap_or_default();
    let settings = Settings {
        behaviour: match choice & 17 {
            0 => Behaviour::Parrot,
            1 => Behaviour::Script(script()),
            _ => Behaviour::Script(scenario()),
        },
        model: "local".into(),
        speed: if choice & 2 == 0 { 4.0 } else { 0.0 },
        voice: if choice & 32 == 0 { Voice::Tones } else { Voice::Owner },
        record: choice & 4 != 0,
        id_seed: 1,
        epoch_seconds: if choice & 8 == 0 { 1_700_000_000 } else { u64::MAX },
        expires_after: Duration::from_secs(60),
    };
    let now = SessionTime::from_millis(1_000);
    let mut bench =
        Bench { session: LocalSession::new(settings, now), now, closed: false, bytes_in: 0, ticket: 0 };
    bench.outputs();
    for (what, rest) in steps(text.get(1..).unwrap_or_default()) {
        bench.step(what, rest);
    }
    bench.wait(Duration::from_secs(70));
    assert!(bench.closed, "a session outlived its time");
});

fn script() -> Arc<Script> {
    let pace = Pace::default();
    let speech = Step::Audio { samples: vec![100; 2_400].into(), transcript: "Yes.".into(), pace };
    let said = Step::Say { text: "{heard} {toolOutput}".into(), pace };
    let turn = Turn { heard: Some("Hello".into()), steps: vec![speech, said], ..Turn::default() };
    Arc::new(Script::new(vec![turn], AtEnd::Repeat).expect("there is a turn"))
}

/// A scenario with most faults, one for each client event of its own.
fn scenario() -> Arc<Script> {
    let text = "{ connections: [{ steps: [
        { wait: { clientEvent: 'response.create' } },
        { fault: 'badBase64' }, { fault: 'oddBytes' }, { fault: 'duplicate' },
        { fault: { reorder: [1, 3] } }, { fault: 'splitUtf8' }, { fault: 'unknownEvent' },
        { audio: [{ tone: 440, ms: 300, transcript: 'né' }, { toolCall: { name: 'f' } }] },
        { fault: { stall: 200 } }, { wait: 'idle' }, { fault: { legacyNames: true } },
        { send: { type: 'x', of: '$response', delta: '$tone:20' } },
        { audio: { say: 'word' } }, { wait: { audioMs: 20 } },
        { expect: { type: 'response.cancel', withinMs: 500 } }, { fault: { hugeDelta: 4000 } },
        { assert: { truncateMs: 10, within: 10 } }, { fault: 'dropTcp' },
    ] }] }";
    Arc::new(Script::parse(text, |_| Err(String::new())).expect("the scenario is well formed"))
}

impl Bench {
    fn step(&mut self, what: char, rest: &str) {
        self.bytes_in += rest.len();
        let number = || u64::from(rest.trim().parse::<u16>().unwrap_or(20));
        match what {
            'w' => self.wait(Duration::from_millis(number())),
            'z' => {
                self.now += Duration::from_millis(number());
                self.wake();
            }
            's' => self.session.handle_said(self.now, self.ticket, Some(&[1; 480])),
            'b' => self.session.handle_binary(self.now),
            _ => self.session.handle_text(self.now, &format!("{what}{rest}")),
        }
        self.outputs();
    }

    fn wait(&mut self, span: Duration) {
        let until = self.now + span;
        while let Some((at, _)) = self.session.poll_timeout().filter(|(at, _)| *at <= until) {
            self.now = self.now.max(at);
            self.wake();
        }
        self.now = until;
    }

    fn wake(&mut self) {
        self.session.handle_timeout(self.now);
        if let Some((at, timer)) = self.session.poll_timeout() {
            assert!(at > self.now, "{timer:?} is due at {at} and was not done at {}", self.now);
        }
        self.outputs();
    }

    fn outputs(&mut self) {
        let limit = MAX_OUTPUTS + self.bytes_in;
        let mut count = 0;
        while let Some(output) = self.session.poll_output() {
            count += 1;
            assert!(count <= limit, "more than {limit} outputs of one input");
            match output {
                Output::Text(text) => {
                    assert!(!self.closed, "text behind the close");
                    let event: serde_json::Value =
                        serde_json::from_str(&text).expect("the session sends JSON");
                    assert!(event["type"].is_string(), "an event without a type");
                }
                Output::Fragments(first, second) => {
                    String::from_utf8([first, second].concat()).expect("one text");
                }
                Output::Say { ticket, .. } => self.ticket = ticket,
                Output::Close { .. } | Output::Drop => {
                    assert!(!self.closed, "closed twice");
                    self.closed = true;
                }
                Output::Note(_) => {}
            }
        }
    }
}
