//! Scenarios in virtual time: a room, its speakers, and a transcriber, an agent and a synthesizer
//! that do as they are told.

mod answers;
mod arbitrary;
mod hearing;
mod interruption;

use std::{io::Cursor, time::Duration};

use clawvoice_session::{
    ChannelId, GuildId, SessionTime, UserId,
    access::{self, People},
    agent::{AgentEvent, Ask, ControlOutcome, RunId, RunReport, Usage},
};

use super::{
    AgentRequest, BatchConversation, BatchSettings, Output, SegmentId, SpeechFailure, SpeechId,
};
use crate::{
    call::{Attribution, Hear},
    conversation::Rights,
};

const BOT: UserId = UserId::new(9);
const ADA: UserId = UserId::new(11);
const BOB: UserId = UserId::new(12);
const EVE: UserId = UserId::new(13);
const TICK: Duration = Duration::from_millis(20);

fn settings() -> BatchSettings {
    BatchSettings {
        rights: Rights::new([ADA].into(), Some(access::Room::of(People::of([BOB, BOT])))),
        ..BatchSettings::new(GuildId::new(1), ChannelId::new(2), BOT)
    }
}

/// A conversation with everything it put out.
struct Room {
    talk: BatchConversation,
    now: SessionTime,
    next_tick: SessionTime,
    /// Timeline lines of every level, and requests, in order.
    journal: Vec<String>,
    /// Segments to be transcribed: id, time, samples.
    segments: Vec<(SegmentId, SessionTime, Vec<i16>)>,
    asks: Vec<Ask>,
    /// Every other request to the agent.
    requests: Vec<AgentRequest>,
    speeches: Vec<(SpeechId, String)>,
    cancelled: Vec<SpeechId>,
    transcripts: Vec<(Option<UserId>, String)>,
    /// The first sample of each frame that was taken.
    heard: Vec<i16>,
}

impl Room {
    fn new(settings: BatchSettings) -> Self {
        let mut talk = BatchConversation::new(settings);
        talk.handle_name(ADA, "Ada".into(), false);
        talk.handle_name(BOB, "Bob".into(), false);
        talk.handle_name(EVE, "Eve".into(), false);
        Self {
            talk,
            now: SessionTime::ZERO,
            next_tick: SessionTime::ZERO + TICK,
            journal: Vec::new(),
            segments: Vec::new(),
            asks: Vec::new(),
            requests: Vec::new(),
            speeches: Vec::new(),
            cancelled: Vec::new(),
            transcripts: Vec::new(),
            heard: Vec::new(),
        }
    }

    fn drain(&mut self) {
        while let Some(output) = self.talk.poll_output() {
            match output {
                Output::Transcribe { segment, wav } => {
                    let reader = hound::WavReader::new(Cursor::new(wav)).unwrap();
                    let pcm = reader.into_samples().map(Result::unwrap).collect();
                    self.segments.push((segment, self.now, pcm));
                }
                Output::Synthesize { speech, text } => {
                    self.journal.push(format!("-> say {text}"));
                    self.speeches.push((speech, text));
                }
                Output::CancelSynthesis { speech } => self.cancelled.push(speech),
                Output::Agent(AgentRequest::Ask(ask)) => self.asks.push(ask),
                Output::Agent(request) => self.requests.push(request),
                Output::Timeline(record) => {
                    let line = record.to_line();
                    self.journal.push(line.trim_start_matches("discord voice: ").to_owned());
                }
                Output::Transcript { user, text, .. } => self.transcripts.push((user, text)),
            }
        }
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
            self.now = next;
            if timer == Some(next) {
                self.talk.handle_timeout(self.now);
                self.drain();
                let again = self.talk.poll_timeout();
                assert!(again.is_none_or(|(at, _)| at > self.now), "{again:?} is due still");
            }
            if next == self.next_tick {
                self.next_tick += TICK;
                let mut frame = [0; 480];
                if self.talk.take_frame(self.now, &mut frame) {
                    self.heard.push(frame[0]);
                }
                self.drain();
            }
        }
        self.now = end;
    }

    fn start(&mut self, user: UserId) {
        self.talk.speaking_started(self.now, user);
        self.talk.attributed(self.now, user, Attribution::Confirmed);
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

    /// A talkspurt: a frame each 20 ms, and its end.
    fn speak(&mut self, user: UserId, ms: u64) {
        self.start(user);
        for _ in 0..ms / 20 {
            self.frame(user);
            self.run(20);
        }
        self.stop(user);
    }

    /// The segment that is being transcribed says this.
    fn transcribed(&mut self, text: &str) {
        let (segment, ..) = *self.segments.last().unwrap();
        self.talk.handle_transcribed(self.now, segment, Ok(text.to_owned()));
        self.drain();
    }

    fn transcription_failed(&mut self, transient: bool) {
        let (segment, ..) = *self.segments.last().unwrap();
        let failure = SpeechFailure { message: "as told".into(), transient };
        self.talk.handle_transcribed(self.now, segment, Err(failure));
        self.drain();
    }

    /// Somebody says this, and it is transcribed at once.
    fn say(&mut self, user: UserId, text: &str) {
        self.speak(user, 400);
        self.run(2_500);
        self.transcribed(text);
    }

    fn report(&mut self, run: RunId, event: AgentEvent) {
        self.talk.handle_agent(self.now, RunReport { run, event });
        self.drain();
    }

    fn writes(&mut self, text: &str) {
        let run = self.asks.last().unwrap().run;
        self.report(run, AgentEvent::Text(text.to_owned()));
    }

    fn answers(&mut self, text: &str) {
        let run = self.asks.last().unwrap().run;
        let usage = Usage::default();
        self.report(run, AgentEvent::Answered { text: text.to_owned(), usage });
    }

    fn outcome(&mut self, outcome: &ControlOutcome) {
        let ticket = self.requests.iter().rev().find_map(|request| match request {
            AgentRequest::Control { ticket, .. } => Some(*ticket),
            _ => None,
        });
        self.talk.handle_control(self.now, ticket.unwrap(), outcome);
        self.drain();
    }

    /// The speech of this number gets so much audio, all samples being `level`.
    fn audio(&mut self, speech: usize, ms: usize, level: i16) {
        let (id, _) = self.speeches[speech];
        self.talk.handle_speech_audio(self.now, id, &vec![level; ms * 24]);
        self.drain();
    }

    fn ended(&mut self, speech: usize) {
        let (id, _) = self.speeches[speech];
        self.talk.handle_speech_ended(self.now, id);
        self.drain();
    }

    fn speech_failed(&mut self, speech: usize, transient: bool) {
        let (id, _) = self.speeches[speech];
        let failure = SpeechFailure { message: "as told".into(), transient };
        self.talk.handle_speech_failed(self.now, id, &failure);
        self.drain();
    }

    fn texts(&self) -> Vec<&str> {
        self.speeches.iter().map(|(_, text)| text.as_str()).collect()
    }

    /// The words that were asked, without what the agent is told about them.
    fn asked(&self) -> Vec<&str> {
        self.asks.iter().map(|ask| ask.message.lines().last().unwrap()).collect()
    }

    fn count(&self, text: &str) -> usize {
        self.journal.iter().filter(|line| line.starts_with(text)).count()
    }

    /// Ada has asked, and the answer to her plays: three sentences of a second each are written.
    fn answering(settings: BatchSettings) -> Self {
        let mut room = Self::new(settings);
        room.say(ADA, "Tell me three things.");
        room.writes("One is red. Two is green. Three is blue. And");
        room.audio(0, 1_000, 1);
        room.ended(0);
        room
    }
}
