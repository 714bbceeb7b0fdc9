//! A conversation, its providers, its speakers and the time they share.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use clawvoice_session::{
    ChannelId, GuildId, SessionTime, UserId,
    agent::{AgentEvent, Ask, Control, ControlOutcome, RunReport, Usage},
    timeline::Record,
};
use clawvoice_voice::{
    call::Hear,
    conversation::{Conversation, ConversationSettings, Lane, Output, Stats},
    realtime::{
        Closed,
        local::{self, Behaviour, LocalSession, Note, Script, Settings, Voice, read_wav},
    },
};
use serde_json::Value;

pub(crate) const BOT: UserId = UserId::new(9);
pub(crate) const ADA: UserId = UserId::new(11);
pub(crate) const BEN: UserId = UserId::new(12);
const TICK: Duration = Duration::from_millis(20);
const FRAME: usize = 480;
/// From asking for a connection to its upgrade.
const DIAL_TIME: Duration = Duration::from_millis(150);

/// "Stop, wait a moment please.", 1.8 s.
pub(crate) fn interrupt() -> Vec<i16> {
    read_wav(&include_bytes!("../../../fixtures/audio/interrupt.wav")[..]).unwrap()
}

/// "Hello there. Could you tell me what the weather is like today?", 3.3 s.
pub(crate) fn ask() -> Vec<i16> {
    read_wav(&include_bytes!("../../../fixtures/audio/ask.wav")[..]).unwrap()
}

/// The documented settings.
pub(crate) fn settings() -> ConversationSettings {
    ConversationSettings::new(GuildId::new(1), ChannelId::new(2), BOT)
}

/// What a speaker's microphone does at some time.
enum Sound {
    Starts(UserId),
    Frame(UserId, Vec<i16>),
    Stops(UserId),
}

struct Provider {
    session: LocalSession,
    /// Its number, as scripts count.
    number: u64,
    /// Outputs that lie before the end of the connection.
    outputs: VecDeque<local::Output>,
}

/// A frame of an answer that the room heard.
#[derive(Clone, Debug)]
pub(crate) struct Played {
    pub(crate) at: SessionTime,
    pub(crate) samples: Vec<i16>,
}

pub(crate) struct World {
    talk: Conversation,
    script: Script,
    providers: BTreeMap<Lane, Provider>,
    /// Connections on their way.
    dialling: VecDeque<(SessionTime, Lane)>,
    next_number: u64,
    /// Samples appended, by connection.
    pub(crate) appended: BTreeMap<u64, u64>,
    pub(crate) now: SessionTime,
    next_tick: SessionTime,
    sounds: VecDeque<(SessionTime, Sound)>,
    /// Frames the room heard.
    pub(crate) played: Vec<Played>,
    /// Client events except appends, with the connection's number and time.
    pub(crate) sent: Vec<(SessionTime, u64, Value)>,
    /// Server events, with the connection's number and time.
    pub(crate) received: Vec<(SessionTime, u64, Value)>,
    /// When a connection was asked for.
    pub(crate) opened: Vec<SessionTime>,
    pub(crate) records: Vec<Record>,
    pub(crate) transcripts: Vec<(Option<UserId>, String)>,
    pub(crate) failed: Option<String>,
    /// What the agent was asked, with the time.
    pub(crate) asks: Vec<(SessionTime, Ask)>,
    /// What was to be controlled, with its ticket.
    pub(crate) controls: Vec<(u64, Control)>,
    /// What became of the scenarios.
    outcomes: Vec<(&'static str, String)>,
}

impl World {
    /// A room with Ada and Ben, connected to a provider that plays this script at 50 times real time.
    pub(crate) fn new(script: &str) -> Self {
        Self::with(settings(), script)
    }

    pub(crate) fn with(settings: ConversationSettings, script: &str) -> Self {
        let no_files = |_: &str| Err("scripts here read no files".to_owned());
        let mut world = Self {
            talk: Conversation::new(settings, SessionTime::ZERO),
            script: Script::parse(script, no_files).unwrap(),
            providers: BTreeMap::new(),
            dialling: VecDeque::new(),
            next_number: 0,
            appended: BTreeMap::new(),
            now: SessionTime::ZERO,
            next_tick: SessionTime::ZERO + TICK,
            sounds: VecDeque::new(),
            played: Vec::new(),
            sent: Vec::new(),
            received: Vec::new(),
            opened: Vec::new(),
            records: Vec::new(),
            transcripts: Vec::new(),
            failed: None,
            asks: Vec::new(),
            controls: Vec::new(),
            outcomes: Vec::new(),
        };
        for (user, name) in [(ADA, "Ada"), (BEN, "Ben")] {
            world.talk.handle_name(user, name.to_owned(), false);
        }
        world.drain();
        world
    }

    /// A speaker says this from now on; the call knows 100 ms after the last packet that it is over.
    pub(crate) fn says(&mut self, user: UserId, samples: &[i16]) {
        self.says_jittered(user, samples, |_| Some(0));
    }

    /// The same with each frame so many ms late, or lost.
    pub(crate) fn says_jittered(
        &mut self,
        user: UserId,
        samples: &[i16],
        late: impl Fn(usize) -> Option<u64>,
    ) {
        let mut at = self.now;
        let mut last = at;
        self.sounds.push_back((at, Sound::Starts(user)));
        for (index, frame) in samples.chunks(FRAME).enumerate() {
            at += TICK;
            // The call gives frames in order: a late one holds up those behind it.
            let Some(late) = late(index) else { continue };
            last = last.max(at + Duration::from_millis(late));
            let mut frame = frame.to_vec();
            frame.resize(FRAME, 0);
            self.sounds.push_back((last, Sound::Frame(user, frame)));
        }
        let end = last + Duration::from_millis(100);
        self.sounds.push_back((end, Sound::Stops(user)));
        self.sounds.make_contiguous().sort_by_key(|(at, _)| *at);
    }

    /// The agent answers the ask of this index.
    pub(crate) fn agent_answers(&mut self, ask: usize, text: &str) {
        let event = AgentEvent::Answered { text: text.to_owned(), usage: Usage::default() };
        let run = self.asks[ask].1.run;
        self.talk.handle_agent(self.now, RunReport { run, event });
        self.drain();
    }

    /// The run of the ask of this index was cancelled.
    pub(crate) fn agent_cancels(&mut self, ask: usize) {
        let run = self.asks[ask].1.run;
        self.talk.handle_agent(self.now, RunReport { run, event: AgentEvent::Cancelled });
        self.drain();
    }

    /// This became of the control of this index.
    pub(crate) fn controlled(&mut self, control: usize, outcome: &ControlOutcome) {
        let ticket = self.controls[control].0;
        self.talk.handle_control(self.now, ticket, outcome);
        self.drain();
    }

    /// Lets time pass.
    pub(crate) fn run(&mut self, ms: u64) {
        let end = self.now + Duration::from_millis(ms);
        while let Some(next) = self.next_event().filter(|next| *next <= end) {
            self.now = self.now.max(next);
            self.step();
        }
        self.now = end;
    }

    /// Lets time pass until this is so, for a minute at most.
    pub(crate) fn until(&mut self, what: &str, so: impl Fn(&Self) -> bool) {
        let end = self.now + Duration::from_secs(60);
        while !so(self) {
            let next = self.next_event().filter(|next| *next <= end);
            let next = next.unwrap_or_else(|| panic!("waited too long for {what}: {self}"));
            self.now = self.now.max(next);
            self.step();
        }
    }

    fn next_event(&self) -> Option<SessionTime> {
        let talk = self.talk.poll_timeout().map(|(at, _)| at);
        let sessions = self.providers.values().filter_map(|p| Some(p.session.poll_timeout()?.0));
        let sounds = self.sounds.front().map(|(at, _)| *at);
        let dialling = self.dialling.front().map(|(at, _)| *at);
        let all = talk.into_iter().chain(sessions).chain(sounds).chain(dialling);
        all.chain([self.next_tick]).min()
    }

    fn step(&mut self) {
        while self.sounds.front().is_some_and(|(at, _)| *at <= self.now) {
            let Some((_, sound)) = self.sounds.pop_front() else { break };
            match sound {
                Sound::Starts(user) => self.talk.speaking_started(self.now, user),
                Sound::Frame(user, frame) => self.talk.audio(self.now, user, &frame),
                Sound::Stops(user) => self.talk.speaking_stopped(self.now, user),
            }
            self.drain();
        }
        while self.dialling.front().is_some_and(|(at, _)| *at <= self.now) {
            let Some((_, lane)) = self.dialling.pop_front() else { break };
            self.open(lane);
        }
        if self.talk.poll_timeout().is_some_and(|(at, _)| at <= self.now) {
            self.talk.handle_timeout(self.now);
        }
        let lanes: Vec<Lane> = self.providers.keys().copied().collect();
        for lane in lanes {
            if let Some(provider) = self.providers.get_mut(&lane) {
                provider.session.handle_timeout(self.now);
            }
        }
        self.drain();
        if self.next_tick <= self.now {
            self.next_tick += TICK;
            let mut frame = [0; FRAME];
            if self.talk.take_frame(self.now, &mut frame) {
                self.played.push(Played { at: self.now, samples: frame.to_vec() });
            }
            self.drain();
        }
    }

    /// Carries messages between the two until neither has any.
    fn drain(&mut self) {
        loop {
            let mut idle = true;
            while let Some(output) = self.talk.poll_output() {
                idle = false;
                self.handle(output);
            }
            let lanes: Vec<Lane> = self.providers.keys().copied().collect();
            for lane in lanes {
                idle &= !self.deliver(lane);
            }
            if idle {
                return;
            }
        }
    }

    fn handle(&mut self, output: Output) {
        match output {
            Output::OpenProvider { lane } => {
                self.opened.push(self.now);
                self.dialling.push_back((self.now + DIAL_TIME, lane));
            }
            Output::CloseProvider { lane } => {
                self.dialling.retain(|(_, dialled)| *dialled != lane);
                if let Some(mut provider) = self.providers.remove(&lane) {
                    self.finish(&mut provider);
                }
            }
            Output::Provider { lane, message } => {
                let Some(provider) = self.providers.get_mut(&lane) else { return };
                let event: Value = serde_json::from_str(&message).unwrap();
                if event["type"] == "input_audio_buffer.append" {
                    let length = event["audio"].as_str().unwrap().len() as u64 / 4 * 3 / 2;
                    *self.appended.entry(provider.number).or_default() += length;
                } else {
                    self.sent.push((self.now, provider.number, event));
                }
                provider.session.handle_text(self.now, &message);
            }
            Output::Timeline(record) => self.records.push(record),
            Output::Transcript { user, text, .. } => self.transcripts.push((user, text)),
            Output::Ask(ask) => self.asks.push((self.now, ask)),
            Output::Control { ticket, control, .. } => self.controls.push((ticket, control)),
            Output::Note { .. } | Output::Heard { .. } | Output::Ready => {}
            Output::Failed(why) => self.failed = Some(why),
            Output::Trace(_) => {}
        }
    }

    fn open(&mut self, lane: Lane) {
        let number = self.next_number;
        self.next_number += 1;
        if let Some((status, seconds)) = self.script.refusal(number) {
            let retry_after = seconds.map(|seconds| Duration::from_secs(seconds.into()));
            let refused = Closed::Refused { status, retry_after };
            self.talk.handle_provider_closed(self.now, lane, &refused);
            return;
        }
        let settings = Settings {
            behaviour: Behaviour::Script(Arc::new(self.script.of_connection(number))),
            model: "local".to_owned(),
            speed: 50.0,
            voice: Voice::Tones,
            record: false,
            id_seed: number,
            epoch_seconds: 0,
            expires_after: Duration::from_secs(3_600),
        };
        let session = LocalSession::new(settings, self.now);
        self.providers.insert(lane, Provider { session, number, outputs: VecDeque::new() });
        self.talk.handle_provider_opened(self.now, lane);
    }

    /// Delivers what one provider has to say; gives whether there was anything.
    fn deliver(&mut self, lane: Lane) -> bool {
        let Some(provider) = self.providers.get_mut(&lane) else { return false };
        while let Some(output) = provider.session.poll_output() {
            provider.outputs.push_back(output);
        }
        let number = provider.number;
        let Some(output) = provider.outputs.pop_front() else { return false };
        match output {
            local::Output::Text(text) => self.tell(lane, number, &text),
            local::Output::Fragments(first, second) => {
                let text = String::from_utf8([first, second].concat()).unwrap();
                self.tell(lane, number, &text);
            }
            local::Output::Close { code } => {
                self.lose(lane, &Closed::Frame { code, reason: String::new() });
            }
            local::Output::Drop => self.lose(lane, &Closed::Lost("connection reset".to_owned())),
            local::Output::Say { .. } => panic!("nobody was asked for a voice"),
            local::Output::Note(note) => self.note(number, &note),
        }
        true
    }

    fn tell(&mut self, lane: Lane, number: u64, text: &str) {
        let event = serde_json::from_str(text).unwrap_or(Value::Null);
        self.received.push((self.now, number, event));
        self.talk.handle_provider_text(self.now, lane, text);
    }

    fn lose(&mut self, lane: Lane, closed: &Closed) {
        if let Some(mut provider) = self.providers.remove(&lane) {
            self.finish(&mut provider);
        }
        self.talk.handle_provider_closed(self.now, lane, closed);
    }

    fn finish(&mut self, provider: &mut Provider) {
        provider.session.finish(self.now);
        while let Some(output) = provider.session.poll_output() {
            if let local::Output::Note(note) = output {
                self.note(provider.number, &note);
            }
        }
    }

    fn note(&mut self, number: u64, note: &Note) {
        if let Note::Event { name, fields, .. } = note
            && name.starts_with("script.")
        {
            self.outcomes
                .push((name, format!("connection {number}: {}", Value::from(fields.clone()))));
        }
    }

    /// Ends the conversation; every scenario must have been played to its end.
    pub(crate) fn end(mut self) -> Stats {
        self.talk.close(self.now);
        self.drain();
        let unmet = self.outcomes.iter().filter(|(name, _)| *name != "script.done");
        let unmet: Vec<&(&str, String)> = unmet.collect();
        assert!(unmet.is_empty(), "{unmet:?}\n{self}");
        self.talk.stats()
    }

    /// Client events of this type, with their times.
    pub(crate) fn sent_of(&self, kind: &str) -> Vec<(SessionTime, &Value)> {
        let of_kind = |(_, _, event): &&(_, _, Value)| event["type"] == kind;
        self.sent.iter().filter(of_kind).map(|(at, _, event)| (*at, event)).collect()
    }

    /// When server events of this type came.
    pub(crate) fn received_at(&self, kind: &str) -> Vec<SessionTime> {
        let of_kind = |(_, _, event): &&(_, _, Value)| event["type"] == kind;
        self.received.iter().filter(of_kind).map(|(at, _, _)| *at).collect()
    }

    /// Whether a timeline record's line and fields contain this.
    pub(crate) fn has_record(&self, text: &str) -> bool {
        self.records.iter().any(|record| record.to_line().contains(text))
    }

    /// How many timeline records contain this.
    pub(crate) fn count_records(&self, text: &str) -> usize {
        self.records.iter().filter(|record| record.to_line().contains(text)).count()
    }

    /// Milliseconds of answers heard so far.
    pub(crate) fn played_ms(&self) -> u64 {
        self.played.len() as u64 * 20
    }

    /// Everything heard, in one piece.
    pub(crate) fn played_samples(&self) -> Vec<i16> {
        self.played.iter().flat_map(|frame| frame.samples.iter().copied()).collect()
    }
}

impl std::fmt::Display for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "at {} ms; scenarios: {:?}", self.now.as_millis(), self.outcomes)?;
        for record in self.records.iter().rev().take(40).rev() {
            writeln!(f, "{:>8} {}", record.at.as_millis(), record.to_line())?;
        }
        Ok(())
    }
}
