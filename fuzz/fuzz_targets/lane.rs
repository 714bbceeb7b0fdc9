//! The turns of a session before the agent, in any order of events: each comes out once, in its order,
//! and one runs at a time.
#![no_main]

use std::collections::BTreeSet;

use clawvoice_config::{QueueDrop, QueueMode};
use clawvoice_fuzz::Input;
use clawvoice_session::SessionTime;
use clawvoice_text::lane::{Lane, LaneOutput, LaneSettings, Outcome, Queued, RunNumber};

/// A message by its number, and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Said {
    number: u32,
    person: u8,
}

impl Queued for Said {
    fn summary(&self) -> String {
        self.number.to_string()
    }

    fn joins(&self, later: &Self) -> bool {
        self.person == later.person
    }
}

/// What is known of the turns from outside.
#[derive(Default)]
struct Seen {
    /// Handed in, and not come out yet.
    waiting: BTreeSet<u32>,
    /// The run that the lane believes to be active, and its parts.
    active: Option<(RunNumber, Vec<u32>)>,
    /// The parts of a run that found the session busy.
    pausing: Option<Vec<u32>>,
    steering: Option<Said>,
    newest_run: Option<RunNumber>,
}

impl Seen {
    fn drain(&mut self, lane: &mut Lane<Said>, now: SessionTime) {
        while let Some(output) = lane.poll_output(now) {
            match output {
                LaneOutput::Begin(turn) => {
                    assert!(self.active.is_none(), "two run at a time");
                    assert!(self.newest_run.is_none_or(|run| run < turn.run));
                    self.newest_run = Some(turn.run);
                    let parts: Vec<u32> = turn.parts.iter().map(|part| part.number).collect();
                    match self.pausing.take() {
                        Some(before) => assert_eq!(before, parts),
                        None => parts.iter().for_each(|part| {
                            assert_eq!(self.waiting.pop_first(), Some(*part), "out of order");
                        }),
                    }
                    self.active = Some((turn.run, parts));
                }
                LaneOutput::Steer(said) => {
                    assert!(self.active.is_some() && self.steering.is_none());
                    assert!(self.waiting.remove(&said.number), "told twice");
                    self.steering = Some(said);
                }
                LaneOutput::Cancel(run) => {
                    assert_eq!(self.active.as_ref().map(|(active, _)| *active), Some(run));
                }
                LaneOutput::Dropped(said, _) => {
                    let paused = self.pausing.as_mut();
                    let from_pause = paused.is_some_and(|parts| {
                        let before = parts.len();
                        parts.retain(|part| *part != said.number);
                        parts.len() < before
                    });
                    assert!(from_pause || self.waiting.remove(&said.number), "told twice");
                    if self.pausing.as_ref().is_some_and(Vec::is_empty) {
                        self.pausing = None;
                    }
                }
            }
        }
    }
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let mut input = Input::new(bytes);
    let modes = [QueueMode::Steer, QueueMode::Followup, QueueMode::Collect, QueueMode::Interrupt];
    let drops = [QueueDrop::Old, QueueDrop::New, QueueDrop::Summarize];
    let cap = usize::from(input.below(4)) + 1;
    let settings = LaneSettings {
        mode: modes[usize::from(input.below(4))],
        cap,
        drop: drops[usize::from(input.below(3))],
    };
    let mut lane = Lane::new(settings);
    let (mut seen, mut now, mut next) = (Seen::default(), SessionTime::ZERO, 0);
    while !input.is_empty() {
        match input.below(7) {
            0 | 1 => {
                seen.waiting.insert(next);
                lane.handle_turn(now, Said { number: next, person: input.below(2) });
                next += 1;
            }
            2 => {
                if let Some((run, _)) = &seen.active {
                    lane.handle_started(now, *run);
                }
            }
            3 => {
                let taken = input.flag();
                if let Some(said) = seen.steering.take().filter(|_| !taken) {
                    // It comes out once more: as a turn, or dropped.
                    seen.waiting.insert(said.number);
                }
                lane.handle_steered(now, taken);
            }
            kind @ (4 | 5) => {
                if let Some((run, parts)) = seen.active.take() {
                    let busy = kind == 5;
                    let outcome = if busy { Outcome::Busy } else { Outcome::Ended };
                    lane.handle_over(now, run, outcome);
                    if busy {
                        seen.pausing = Some(parts);
                    }
                }
            }
            _ => {
                if input.flag() {
                    lane.handle_stop();
                } else {
                    now += input.wait();
                }
            }
        }
        seen.drain(&mut lane, now);
        assert!(lane.depth() <= cap, "more wait than may");
        let waits = seen.waiting.len() + usize::from(seen.steering.is_some());
        assert_eq!(lane.depth(), waits);
        let nothing = seen.active.is_none() && seen.pausing.is_none() && waits == 0;
        assert_eq!(lane.is_idle(), nothing);
        assert!(lane.poll_timeout().is_none_or(|due| due > now), "time stands still");
    }
});
