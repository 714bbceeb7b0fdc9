//! Conversations in virtual time: many people who talk over each other, a provider that transcribes
//! late and out of order, an agent that takes its time. Whose words reach the agent as whose is
//! known beforehand, because every frame of speech says who said it.
//!
//! ```text
//! people ──frames──► Conversation ──appends──► ears (one a connection) ──transcripts, calls──►
//!                          └──asks──► the agent here ──answers──► spoken by the ears
//! ```

mod ears;
mod playback;

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use clawvoice_session::{
    ChannelId, GuildId, SessionTime, UserId,
    agent::{AgentEvent, Ask, RunReport, Usage},
};
use clawvoice_voice::{
    call::{Attribution, Hear as _},
    conversation::{ConsultPolicy, Conversation, ConversationSettings, Lane, Output, Rights},
};
use rand::{Rng as _, SeedableRng as _, rngs::SmallRng};
use serde::Serialize;

use self::ears::{Ears, Said};
pub use self::playback::{PlaybackReport, run as run_playback};

const TICK: Duration = Duration::from_millis(20);
const FRAME: usize = 480;
/// Of speech; a pause between two utterances of one person is longer than the provider's.
const UTTERANCE_MS: std::ops::Range<u64> = 200..1_600;
const PAUSE_MS: std::ops::Range<u64> = 900..4_000;
/// Utterances of each person.
const UTTERANCES: u16 = 4;
/// The room is given so long to come to rest after the last word.
const SETTLE: Duration = Duration::from_secs(40);

/// What a conversation has shown.
#[derive(Clone, Debug, Default, Serialize)]
pub struct TalkReport {
    /// Where everything random came from.
    pub seed: u64,
    /// People who talked.
    pub speakers: u64,
    /// Utterances.
    pub turns: u64,
    /// Frames spoken while somebody else spoke.
    pub overlapping_frames: u64,
    /// Utterances that the agent was asked about.
    pub asked: u64,
    /// Of these, by a call of the front end.
    pub called: u64,
    /// Utterances that never reached the agent.
    pub lost: u64,
    /// That reached it twice.
    pub repeated: u64,
    /// Asked under another user's name.
    pub wrong_user: u64,
    /// With an owner's rights for a guest, or without them for the owner.
    pub wrong_owner: u64,
    /// Results that went to another connection than their call's.
    pub wrong_results: u64,
    /// Answers that were to be spoken.
    pub answers: u64,
    /// Of these, never said, or said twice.
    pub answers_wrong: u64,
}

impl TalkReport {
    /// Everything that must be zero.
    #[must_use]
    pub fn faults(&self) -> u64 {
        self.lost
            + self.repeated
            + self.wrong_user
            + self.wrong_owner
            + self.wrong_results
            + self.answers_wrong
    }
}

struct Person {
    user: UserId,
    /// Start and end of each utterance, the number in it being its place.
    utterances: VecDeque<(SessionTime, SessionTime)>,
    next: u16,
    talking: bool,
    stops_at: Option<SessionTime>,
}

/// Something that happens later.
enum Later {
    Open(Lane),
    Provider(Lane, String),
    Answer(RunReport),
}

struct World {
    rng: SmallRng,
    talk: Conversation,
    now: SessionTime,
    people: Vec<Person>,
    ears: BTreeMap<Lane, Ears>,
    later: BTreeMap<(SessionTime, u64), Later>,
    order: u64,
    asked: BTreeMap<String, Ask>,
    spoken: BTreeMap<String, u64>,
    report: TalkReport,
}

/// The words of an utterance: no two have a telling one in common.
fn words(code: i16) -> String {
    format!("Where would I find k{code}a k{code}b k{code}c k{code}d?")
}

/// Holds one conversation of 2 to 8 people.
#[must_use]
pub fn run(seed: u64) -> TalkReport {
    let mut rng = SmallRng::seed_from_u64(seed);
    let speakers = rng.random_range(2..=8_u16);
    let people: Vec<Person> = (0..speakers).map(|n| person(&mut rng, n)).collect();
    let mut settings =
        ConversationSettings::new(GuildId::new(1), ChannelId::new(2), UserId::new(99));
    settings.consult_policy = ConsultPolicy::Always;
    settings.max_lanes = 8;
    settings.rights = Rights::open([people[0].user].into());
    let mut world = World {
        rng,
        talk: Conversation::new(settings, SessionTime::ZERO),
        now: SessionTime::ZERO,
        people,
        ears: BTreeMap::new(),
        later: BTreeMap::new(),
        order: 0,
        asked: BTreeMap::new(),
        spoken: BTreeMap::new(),
        report: TalkReport { seed, speakers: speakers.into(), ..TalkReport::default() },
    };
    world.drain();
    world.run();
    world.judge()
}

fn person(rng: &mut SmallRng, number: u16) -> Person {
    let mut at = SessionTime::from_millis(rng.random_range(500..2_500));
    let mut utterances = VecDeque::new();
    for _ in 0..UTTERANCES {
        let end = at + Duration::from_millis(rng.random_range(UTTERANCE_MS));
        utterances.push_back((at, end));
        at = end + Duration::from_millis(rng.random_range(PAUSE_MS));
    }
    let user = UserId::new(u64::from(number) + 1);
    Person { user, utterances, next: 0, talking: false, stops_at: None }
}

/// Says who said a frame and in which utterance; never zero.
fn code(person: usize, utterance: u16) -> i16 {
    1_000 * (person as i16 + 1) + utterance as i16 + 1
}

impl World {
    fn run(&mut self) {
        let last = self.people.iter().filter_map(|person| person.utterances.back());
        let end = last.map(|(_, end)| *end).max().unwrap_or_default() + SETTLE;
        while self.now < end {
            self.now += TICK;
            self.speak();
            self.happen();
            while self.talk.poll_timeout().is_some_and(|(at, _)| at <= self.now) {
                self.talk.handle_timeout(self.now);
                self.drain();
            }
            let mut frame = [0; FRAME];
            self.talk.take_frame(self.now, &mut frame);
            self.drain();
        }
    }

    /// Twenty milliseconds of everybody who talks, in random order.
    fn speak(&mut self) {
        let mut order: Vec<usize> = (0..self.people.len()).collect();
        for at in 1..order.len() {
            order.swap(at, self.rng.random_range(0..=at));
        }
        let talking = self.people.iter().filter(|person| person.talking).count() as u64;
        if talking > 1 {
            self.report.overlapping_frames += talking;
        }
        for index in order {
            self.speak_one(index);
            self.drain();
        }
    }

    fn speak_one(&mut self, index: usize) {
        let now = self.now;
        let person = &mut self.people[index];
        let user = person.user;
        if person.stops_at.is_some_and(|at| at <= now) {
            person.stops_at = None;
            self.talk.speaking_stopped(now, user);
            return;
        }
        let Some(&(start, end)) = person.utterances.front() else { return };
        if now < start {
            return;
        }
        if now >= end {
            person.utterances.pop_front();
            person.talking = false;
            person.stops_at = Some(now + Duration::from_millis(100));
            return;
        }
        if !person.talking {
            person.talking = true;
            person.next += 1;
            self.report.turns += 1;
            self.talk.speaking_started(now, user);
            self.talk.attributed(now, user, Attribution::Confirmed);
        }
        let code = code(index, self.people[index].next);
        self.talk.audio(now, user, &[code; FRAME]);
    }

    fn later(&mut self, ms: std::ops::Range<u64>, what: Later) {
        self.order += 1;
        let at = self.now + Duration::from_millis(self.rng.random_range(ms));
        self.later.insert((at, self.order), what);
    }

    fn happen(&mut self) {
        while let Some(entry) = self.later.first_entry().filter(|entry| entry.key().0 <= self.now) {
            match entry.remove() {
                Later::Open(lane) => {
                    self.talk.handle_provider_opened(self.now, lane);
                }
                Later::Provider(lane, text) => {
                    if self.ears.contains_key(&lane) {
                        self.talk.handle_provider_text(self.now, lane, &text);
                    }
                }
                Later::Answer(report) => self.talk.handle_agent(self.now, report),
            }
            self.drain();
        }
    }

    fn drain(&mut self) {
        while let Some(output) = self.talk.poll_output() {
            match output {
                Output::OpenProvider { lane } => {
                    self.ears.insert(lane, Ears::new(lane));
                    self.later(5..300, Later::Open(lane));
                }
                Output::CloseProvider { lane } => {
                    self.ears.remove(&lane);
                }
                Output::Provider { lane, message } => self.listen(lane, &message),
                Output::Ask(ask) => self.ask(ask),
                _ => {}
            }
        }
    }

    fn listen(&mut self, lane: Lane, message: &str) {
        let Some(ears) = self.ears.get_mut(&lane) else { return };
        let mut said = Vec::new();
        ears.hear(message, &mut said);
        for said in said {
            self.react(lane, said);
        }
    }

    fn react(&mut self, lane: Lane, said: Said) {
        match said {
            Said::Now(event) => self.later(0..30, Later::Provider(lane, event)),
            Said::InOrder(events) => {
                // One after the other, whatever else happens between them.
                let mut at = 10;
                for event in events {
                    at += self.rng.random_range(1..40);
                    self.later(at..at + 1, Later::Provider(lane, event));
                }
            }
            Said::Heard { event, call } => {
                let late = self.rng.random_range(0..6) == 0;
                let delay = if late { 3_000..9_000 } else { 50..900 };
                // Some front ends ask by themselves, before their transcript or after it.
                if self.rng.random_range(0..4) == 0 {
                    self.report.called += 1;
                    self.later(50..2_000, Later::Provider(lane, call));
                }
                self.later(delay, Later::Provider(lane, event));
            }
            Said::Result { of } if of != lane => self.report.wrong_results += 1,
            Said::Result { .. } => {}
            Said::Spoken(text) => *self.spoken.entry(text).or_default() += 1,
        }
    }

    fn ask(&mut self, ask: Ask) {
        let run = ask.run;
        let text = format!("The answer is {}.", ask.message);
        if self.asked.insert(ask.message.clone(), ask).is_some() {
            self.report.repeated += 1;
        }
        let event = AgentEvent::Answered { text, usage: Usage::default() };
        self.later(30..2_500, Later::Answer(RunReport { run, event }));
    }

    fn judge(mut self) -> TalkReport {
        for (index, person) in self.people.iter().enumerate() {
            for utterance in 1..=UTTERANCES {
                let words = words(code(index, utterance));
                let Some(ask) = self.asked.get(&words) else {
                    self.report.lost += 1;
                    continue;
                };
                self.report.asked += 1;
                self.report.wrong_user += u64::from(ask.by.user != person.user);
                self.report.wrong_owner += u64::from(ask.by.owner != (index == 0));
            }
        }
        self.report.answers = self.spoken.len() as u64;
        self.report.answers_wrong =
            self.spoken.values().filter(|times| **times != 1).count() as u64;
        self.report
    }
}
