//! Plays a scenario: which of its steps is due, and what has become of them.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use clawvoice_session::SessionTime;
use serde_json::Value;

use super::{
    fault::Fault,
    script::{Action, Assertion, Pattern, Scenario, Step, Wait},
};

/// Client events that are kept for steps to come; beyond it the oldest goes.
const MAX_EVENTS: usize = 1_024;

/// Event types that are counted apart; further ones are not.
const MAX_KINDS: usize = 64;

/// What a step wants done.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Cue {
    Send(Value),
    Respond(Vec<Step>),
    Fault(Fault),
    /// The scenario has ended: a step was not met.
    Unmet {
        place: String,
        problem: String,
    },
    /// The scenario has ended: every step was met.
    Done {
        place: String,
    },
}

/// What a session knows and steps wait for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Facts {
    /// Samples of the user's audio so far.
    pub(super) samples: u64,
    /// No response is in progress.
    pub(super) idle: bool,
}

pub(super) struct Player {
    scenario: Arc<Scenario>,
    next: usize,
    /// Since when, and since which sample, the next step has been waited for.
    since: SessionTime,
    samples_before: u64,
    /// Client events that no step has passed over.
    events: VecDeque<Value>,
    counts: BTreeMap<String, u64>,
    last_truncate: Option<u64>,
    ended: bool,
}

impl Player {
    pub(super) fn new(scenario: Arc<Scenario>, now: SessionTime) -> Self {
        Self {
            scenario,
            next: 0,
            since: now,
            samples_before: 0,
            events: VecDeque::new(),
            counts: BTreeMap::new(),
            last_truncate: None,
            ended: false,
        }
    }

    /// A client event has come.
    pub(super) fn handle_event(&mut self, event: &Value) {
        if self.ended {
            return;
        }
        let kind = event["type"].as_str().unwrap_or_default();
        if self.counts.len() < MAX_KINDS || self.counts.contains_key(kind) {
            *self.counts.entry(kind.to_owned()).or_default() += 1;
        }
        if kind == "conversation.item.truncate" {
            self.last_truncate = event["audio_end_ms"].as_u64();
        }
        let mut kept = event.clone();
        if kind == "input_audio_buffer.append" {
            // 50 a second, and of no interest beyond that they come.
            kept["audio"] = Value::Null;
            if self.events.back().is_some_and(|last| last["type"] == kept["type"]) {
                return;
            }
        }
        if self.events.len() == MAX_EVENTS {
            self.events.pop_front();
        }
        self.events.push_back(kept);
    }

    /// The next thing to do, if any is due.
    pub(super) fn poll(&mut self, now: SessionTime, facts: Facts) -> Option<Cue> {
        let scenario = Arc::clone(&self.scenario);
        while !self.ended {
            let Some(action) = scenario.steps.get(self.next) else {
                self.ended = true;
                return Some(Cue::Done { place: scenario.place.clone() });
            };
            let cue = match action {
                Action::Send(event) => Some(Cue::Send(event.clone())),
                Action::Respond(steps) => Some(Cue::Respond(steps.clone())),
                Action::Fault(fault) => Some(Cue::Fault(fault.clone())),
                Action::Expect(pattern, within) => {
                    if !self.take(pattern) {
                        if now < self.since + *within {
                            return None;
                        }
                        let seconds = within.as_secs_f32();
                        return self.fail(format!("no {} came in {seconds} s", shown(pattern)));
                    }
                    None
                }
                Action::Wait(wait) => {
                    if !self.is_over(wait, now, facts) {
                        return None;
                    }
                    None
                }
                Action::Assert(assertion) => match self.check(assertion) {
                    Ok(()) => None,
                    Err(problem) => return self.fail(problem),
                },
            };
            self.next += 1;
            self.since = now;
            self.samples_before = facts.samples;
            if cue.is_some() {
                return cue;
            }
        }
        None
    }

    /// When [`poll`](Self::poll) has something to say without an event before.
    pub(super) fn poll_timeout(&self) -> Option<SessionTime> {
        if self.ended {
            return None;
        }
        match self.scenario.steps.get(self.next)? {
            Action::Expect(_, within) => Some(self.since + *within),
            Action::Wait(Wait::For(time)) => Some(self.since + *time),
            _ => None,
        }
    }

    /// Whether every step is done.
    pub(super) fn is_at_end(&self) -> bool {
        self.next >= self.scenario.steps.len()
    }

    /// The connection has ended: where an unfinished scenario stands.
    pub(super) fn finish(&mut self) -> Option<String> {
        let unfinished = !std::mem::replace(&mut self.ended, true);
        (unfinished && !self.is_at_end()).then(|| self.place())
    }

    fn place(&self) -> String {
        format!("{}.steps[{}]", self.scenario.place, self.next)
    }

    fn fail(&mut self, problem: String) -> Option<Cue> {
        self.ended = true;
        Some(Cue::Unmet { place: self.place(), problem })
    }

    /// Takes the first event that fits, and passes over those before it.
    fn take(&mut self, pattern: &Pattern) -> bool {
        let Some(index) = self.events.iter().position(|event| pattern.fits(event)) else {
            self.events.clear();
            return false;
        };
        self.events.drain(..=index);
        true
    }

    fn is_over(&mut self, wait: &Wait, now: SessionTime, facts: Facts) -> bool {
        match wait {
            Wait::For(time) => self.since + *time <= now,
            Wait::Samples(samples) => facts.samples >= self.samples_before + samples,
            Wait::Event(pattern) => self.take(pattern),
            Wait::Idle => facts.idle,
        }
    }

    fn check(&self, assertion: &Assertion) -> Result<(), String> {
        match assertion {
            Assertion::Truncate { ms, within } => match self.last_truncate {
                Some(found) if found.abs_diff(*ms) <= *within => Ok(()),
                Some(found) => Err(format!("truncated at {found} ms, not {ms} ± {within}")),
                None => Err("nothing was truncated".to_owned()),
            },
            Assertion::Count { kind, times } => {
                let found = self.counts.get(kind).copied().unwrap_or_default();
                if found == *times {
                    Ok(())
                } else {
                    Err(format!("{found} {kind} came, not {times}"))
                }
            }
        }
    }
}

fn shown(pattern: &Pattern) -> String {
    if pattern.fields.is_empty() {
        return pattern.kind.clone();
    }
    let fields: Vec<String> =
        pattern.fields.iter().map(|(pointer, value)| format!("{pointer} = {value}")).collect();
    format!("{} with {}", pattern.kind, fields.join(", "))
}
