//! An answer, and a microphone that picks something up meanwhile: does the answer stop for good, go
//! on as if nothing had been, and was every word heard?
//!
//! ```text
//! Conversation ──frames──► loudspeaker ──echo──┐
//!      ▲                                        ▼
//!      └────────── microphone ◄── coughs, keys, words (`disturbance`)
//!      └──appends──► provider: finds pauses, transcribes what it was given
//! ```
//!
//! The loop is closed: what is not played does not echo.

mod listener;
mod provider;

use std::{collections::BTreeSet, ops::Range, time::Duration};

use clawvoice_session::{ChannelId, GuildId, SessionTime, UserId};
use clawvoice_voice::{
    call::Hear as _,
    conversation::{Conversation, ConversationSettings, FloorRules, Mode, Output, Trace},
    recording::{Header, Line, Thresholds, VERSION},
};
use serde::Serialize;

use self::{listener::Listener, provider::Provider};
use crate::disturbance::{Disturbance, Loudspeaker, Sample, answer_to, from_pcm, to_pcm};

const TICK: Duration = Duration::from_millis(20);
const FRAME: usize = 480;
const BOT: UserId = UserId::new(99);
const ADA: UserId = UserId::new(1);
const BOB: UserId = UserId::new(2);
/// When a sound begins in the answer; an echo begins with it.
const SOUND_AT: Duration = Duration::from_millis(1_000);
/// Within so long after somebody's last word their interruption must have ended the answer.
const DECIDED: Duration = Duration::from_millis(3_000);

/// By which rule the conversation goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// A sound is judged, and taken back if it is no interruption.
    Confirm,
    /// Any sound interrupts that comes after 250 ms of the answer.
    Documented,
}

/// What became of an answer and of the sound during it.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    /// What the sound was.
    pub kind: &'static str,
    /// What was behind words.
    pub behind: Option<&'static str>,
    /// Whether somebody spoke to be heard.
    pub is_speech: bool,
    /// Whether the answer was ended.
    pub cut: bool,
    /// Whether all of an answer that was not ended was heard, to the sample.
    pub whole: bool,
    /// Pauses of the answer.
    pub pauses: usize,
    /// How long it was silent in them, ms.
    pub silent_ms: u64,
    /// From the first frame of speech to the last of the answer, ms; of speech only.
    pub stopped_after_ms: Option<u64>,
    /// From there to the provider being told, ms; of speech that ended the answer.
    pub told_after_ms: Option<u64>,
    /// Frames of speech that never reached the provider; of speech that ended the answer.
    pub frames_lost: usize,
    /// Recorded inputs and decisions, one JSON object a line.
    #[serde(skip)]
    pub recording: Vec<u8>,
}

/// Plays an answer while `sample` sounds.
#[must_use]
pub fn run(sample: &Sample, rule: Rule) -> Outcome {
    Room::new(sample, rule).run()
}

struct Room<'a> {
    sample: &'a Sample,
    talk: Conversation,
    now: SessionTime,
    provider: Provider,
    listener: Listener,
    loudspeaker: Option<Loudspeaker>,
    /// What the microphone takes besides echo.
    besides: Vec<f32>,
    /// What it has sent.
    sent: Vec<i16>,
    answer: Vec<i16>,
    began: Option<SessionTime>,
    cut_at: Option<SessionTime>,
    recording: Vec<u8>,
}

fn settings(rule: Rule) -> ConversationSettings {
    ConversationSettings {
        mode: Mode::Bidi,
        floor: (rule == Rule::Confirm).then(FloorRules::default),
        // What is measured is our rule, not the provider's.
        interrupt_response_on_input_audio: false,
        barge_in: true,
        ..ConversationSettings::new(GuildId::new(1), ChannelId::new(2), BOT)
    }
}

impl<'a> Room<'a> {
    fn new(sample: &'a Sample, rule: Rule) -> Self {
        let settings = settings(rule);
        let header = Header {
            clawvoice_timeline: VERSION,
            session: "simulated".into(),
            guild: settings.guild,
            channel: settings.channel,
            started: "1970-01-01T00:00:00Z".into(),
            started_us: SessionTime::ZERO,
            version: env!("CARGO_PKG_VERSION").into(),
            settings: Some(Thresholds::from(&settings)),
        };
        let mut recording = serde_json::to_vec(&header).unwrap_or_default();
        recording.push(b'\n');
        let played = from_pcm(&sample.played);
        let way = [Some(sample.kind), sample.behind].into_iter().flatten().find_map(|kind| {
            let Disturbance::Echo(way) = kind else { return None };
            Some(way)
        });
        let mut besides = from_pcm(&sample.pcm);
        if let Some(way) = way {
            let echo = way.echo(&played);
            besides.iter_mut().zip(echo).for_each(|(sum, echo)| *sum -= echo);
        }
        Self {
            talk: Conversation::new(settings, SessionTime::ZERO),
            now: SessionTime::ZERO,
            provider: Provider::new(sample.kind),
            listener: Listener::default(),
            loudspeaker: way.map(|way| way.loudspeaker(&played)),
            besides,
            sent: Vec::new(),
            answer: answer_to(sample),
            began: None,
            cut_at: None,
            recording,
            sample,
        }
    }

    fn run(mut self) -> Outcome {
        self.drain();
        // Somebody else has asked.
        self.talk.speaking_started(self.now, ADA);
        self.talk.audio(self.now, ADA, &[1; FRAME]);
        self.talk.speaking_stopped(self.now, ADA);
        self.pass(3_000);
        let lane = self.provider.lane_of_asker();
        let question = Provider::words("question", "Tell me.");
        self.talk.handle_provider_text(self.now, lane, &question);
        for message in Provider::answer(&self.answer) {
            self.talk.handle_provider_text(self.now, lane, &message);
        }
        self.drain();
        let frames = self.besides.len() / FRAME;
        let is_echo = self.loudspeaker.is_some();
        let start = self.now + if is_echo { Duration::ZERO } else { SOUND_AT };
        while self.now < start {
            self.tick();
        }
        for frame in 0..frames {
            self.tick();
            if frame == 0 {
                self.talk.speaking_started(self.now, BOB);
            }
            self.microphone(frame);
        }
        self.pass(100);
        self.talk.speaking_stopped(self.now, BOB);
        self.drain();
        self.pass(20_000);
        self.outcome(start)
    }

    fn pass(&mut self, ms: u64) {
        let end = self.now + Duration::from_millis(ms);
        while self.now < end {
            self.tick();
        }
    }

    /// 20 ms of the microphone.
    fn microphone(&mut self, frame: usize) {
        let range = frame * FRAME..(frame + 1) * FRAME;
        let mut heard = self.besides.get(range).unwrap_or_default().to_vec();
        let echo = self.listener.last_echo();
        heard.iter_mut().zip(echo).for_each(|(sum, echo)| *sum += echo);
        let pcm = to_pcm(&heard);
        self.talk.audio(self.now, BOB, &pcm);
        self.sent.extend(pcm);
        self.drain();
    }

    fn tick(&mut self) {
        self.now += TICK;
        while let Some((lane, message)) = self.provider.due(self.now) {
            self.talk.handle_provider_text(self.now, lane, &message);
            self.drain();
        }
        while self.talk.poll_timeout().is_some_and(|(at, _)| at <= self.now) {
            self.talk.handle_timeout(self.now);
            self.drain();
        }
        let mut frame = [0; FRAME];
        let filled = self.talk.take_frame(self.now, &mut frame);
        self.listener.hear(self.now, filled.then_some(&frame));
        if let Some(loudspeaker) = &mut self.loudspeaker {
            self.listener.echo = loudspeaker.play(&from_pcm(&frame));
        }
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(output) = self.talk.poll_output() {
            match output {
                Output::OpenProvider { lane } => {
                    self.talk.handle_provider_opened(self.now, lane);
                    self.provider.opened(self.now, lane);
                }
                Output::Provider { lane, message } => {
                    self.provider.take(self.now, lane, &message);
                }
                Output::Timeline(record) => {
                    let is_started = record.line == "realtime audio playback started";
                    let is_stopped = record.line == "realtime audio playback stopped";
                    let reason = record.fields.find("reason").and_then(|reason| reason.as_str());
                    if is_started && self.began.is_none() {
                        self.began = Some(self.now);
                        self.listener.begin();
                    }
                    if record.line == "realtime audio playback resumed" {
                        self.listener.resumed();
                    }
                    if is_stopped && self.cut_at.is_none() && !self.listener.is_over {
                        self.listener.is_over = true;
                        self.cut_at = (reason == Some("barge-in")).then_some(self.now);
                    }
                }
                Output::Trace(trace) => self.write(trace),
                _ => {}
            }
        }
    }

    fn write(&mut self, trace: Trace) {
        // A vector takes all that is written to it.
        let _ = Line::Trace(trace).write(&mut self.recording);
    }

    fn outcome(self, start: SessionTime) -> Outcome {
        let speech = self.sample.speech.clone();
        let spoken = |samples: usize| start + Duration::from_millis(samples as u64 / 24);
        let cut = match &speech {
            Some(speech) => self.cut_at.is_some_and(|at| at <= spoken(speech.end) + DECIDED),
            None => self.cut_at.is_some(),
        };
        let last = self.cut_at.and_then(|_| self.listener.last_frame());
        let of_speech = |at: SessionTime, from: SessionTime| at.since(from).as_millis() as u64;
        let first = speech.as_ref().map(|speech| spoken(speech.start));
        Outcome {
            kind: self.sample.kind.name(),
            behind: self.sample.behind.map(Disturbance::name),
            is_speech: speech.is_some(),
            cut,
            whole: self.listener.heard() == Heard::Whole(&self.answer),
            pauses: self.listener.pauses(),
            silent_ms: self.listener.silent_ms(),
            stopped_after_ms: first.zip(last).map(|(first, last)| of_speech(last, first)),
            told_after_ms: first.zip(self.cut_at).map(|(first, cut)| of_speech(cut, first)),
            frames_lost: match speech {
                Some(speech) if cut => self.lost(&speech),
                _ => 0,
            },
            recording: self.recording,
        }
    }

    /// Frames of the speech that the provider was not given.
    fn lost(&self, speech: &Range<usize>) -> usize {
        let given: BTreeSet<&[i16]> = self.provider.given.chunks_exact(FRAME).collect();
        let frames = self.sent.chunks_exact(FRAME).enumerate();
        let spoken = frames.filter(|(index, _)| {
            let at = index * FRAME;
            at + FRAME > speech.start && at < speech.end
        });
        spoken.filter(|(_, frame)| !given.contains(frame)).count()
    }
}

/// What was heard of an answer, to be compared.
enum Heard<'a> {
    Whole(&'a [i16]),
    Joined(Vec<i16>),
}

impl PartialEq for Heard<'_> {
    fn eq(&self, other: &Self) -> bool {
        let (joined, whole) = match (self, other) {
            (Self::Joined(joined), Self::Whole(whole)) => (joined.as_slice(), *whole),
            _ => return false,
        };
        let rest = joined.get(whole.len()..).unwrap_or_default();
        // Each of two fades is rounded towards zero.
        joined.len() >= whole.len()
            && rest.len() < FRAME
            && rest.iter().all(|sample| *sample == 0)
            && joined.iter().zip(whole).all(|(heard, said)| (heard - said).abs() <= 1)
    }
}
