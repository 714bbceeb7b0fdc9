//! The lane against a model of it that is too plain to be wrong.

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug, PartialEq, Eq)]
struct Message {
    number: usize,
    person: u8,
}

impl Queued for Message {
    fn summary(&self) -> String {
        self.number.to_string()
    }

    fn joins(&self, later: &Self) -> bool {
        self.person == later.person
    }
}

#[derive(Clone, Debug)]
enum Step {
    Turn(u8),
    Started,
    Steered(bool),
    Over,
    Busy,
    Wait(u64),
    Stop,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0_u8..2).prop_map(Step::Turn),
        3 => Just(Step::Started),
        3 => any::<bool>().prop_map(Step::Steered),
        3 => Just(Step::Over),
        2 => Just(Step::Busy),
        2 => (0_u64..3000).prop_map(Step::Wait),
        1 => Just(Step::Stop),
    ]
}

fn settings() -> impl Strategy<Value = LaneSettings> {
    let modes = [QueueMode::Steer, QueueMode::Followup, QueueMode::Collect, QueueMode::Interrupt];
    let drops = [QueueDrop::Old, QueueDrop::New, QueueDrop::Summarize];
    (prop::sample::select(modes.to_vec()), 1_usize..4, prop::sample::select(drops.to_vec()))
        .prop_map(|(mode, cap, drop)| LaneSettings { mode, cap, drop })
}

/// What became of everything that came in.
#[derive(Default)]
struct Account {
    handed: Vec<Message>,
    /// In the order in which it was given to the agent.
    given: Vec<usize>,
    dropped: Vec<(usize, DropReason)>,
    summaries: Vec<usize>,
    /// Those that went with the last turn.
    told: Vec<usize>,
    active: Option<Turn<Message>>,
    started: bool,
    cancelled: bool,
    /// The session was busy, and the same parts are to be tried again.
    pausing: Option<Turn<Message>>,
    steering: Option<Message>,
}

impl Account {
    fn waiting(&self) -> Vec<Message> {
        let out = |number: usize| {
            self.given.contains(&number)
                || self.dropped.iter().any(|(dropped, _)| *dropped == number)
                || self.steering.as_ref().is_some_and(|steering| steering.number == number)
        };
        self.handed.iter().filter(|message| !out(message.number)).cloned().collect()
    }

    fn check(&mut self, settings: LaneSettings, output: LaneOutput<Message>) {
        match output {
            LaneOutput::Begin(turn) => {
                assert!(self.active.is_none(), "two runs at a time");
                if let Some(before) = self.pausing.take() {
                    assert_eq!((&before.parts, before.summarised), (&turn.parts, turn.summarised));
                    assert!(before.run < turn.run);
                } else {
                    assert!(self.steering.is_none(), "it may be the next turn");
                    let waiting = self.waiting();
                    let first = waiting.first().expect("something waits");
                    let together =
                        matches!(settings.mode, QueueMode::Collect | QueueMode::Interrupt);
                    let expected: Vec<_> = if together {
                        waiting.iter().take_while(|next| next.person == first.person).collect()
                    } else {
                        vec![first]
                    };
                    // What comes within one drain waits behind what has begun before it came.
                    assert!(turn.parts.len() <= expected.len());
                    assert!(turn.parts.iter().zip(expected).all(|(part, other)| part == other));
                    self.given.extend(turn.parts.iter().map(|part| part.number));
                    let all = std::mem::take(&mut self.summaries);
                    assert_eq!(turn.summarised, all.len());
                    let kept = all.iter().skip(all.len().saturating_sub(settings.cap));
                    let kept: Vec<String> = kept.map(usize::to_string).collect();
                    assert_eq!(turn.summaries, kept);
                    self.told = all;
                }
                self.active = Some(turn);
                (self.started, self.cancelled) = (false, false);
            }
            LaneOutput::Steer(message) => {
                let active = self.active.as_ref().expect("there is a run");
                assert!(self.started && !self.cancelled && self.steering.is_none());
                assert_eq!(settings.mode, QueueMode::Steer);
                assert_eq!(active.parts[0].person, message.person);
                assert_eq!(self.waiting().first(), Some(&message), "it went past another");
                self.steering = Some(message);
            }
            LaneOutput::Cancel(run) => {
                assert_eq!(self.active.as_ref().map(|active| active.run), Some(run));
                assert!(!self.cancelled, "once is enough");
                self.cancelled = true;
            }
            LaneOutput::Dropped(message, why) => {
                if why == DropReason::Summarised {
                    self.summaries.push(message.number);
                }
                if why == DropReason::Busy {
                    self.given.retain(|given| *given != message.number);
                }
                self.dropped.push((message.number, why));
            }
        }
    }

    fn drain(&mut self, settings: LaneSettings, lane: &mut Lane<Message>, now: SessionTime) {
        while let Some(output) = lane.poll_output(now) {
            self.check(settings, output);
        }
    }

    fn steered(&mut self, taken: bool) {
        if let Some(message) = self.steering.take().filter(|_| taken) {
            self.given.push(message.number);
        }
    }
}

proptest! {
    #[test]
    fn every_turn_comes_out_once_and_in_order(
        settings in settings(),
        steps in prop::collection::vec(step(), 1..150),
    ) {
        let mut lane = Lane::new(settings);
        let mut account = Account::default();
        let mut now = SessionTime::ZERO;
        let ending = (0..400).map(|step| match step % 3 {
            0 => Step::Steered(false),
            1 => Step::Over,
            _ => Step::Wait(3000),
        });
        for step in steps.into_iter().chain(ending) {
            match step {
                Step::Turn(person) => {
                    let message = Message { number: account.handed.len(), person };
                    account.handed.push(message.clone());
                    lane.handle_turn(now, message);
                }
                Step::Started => {
                    if let Some(active) = &account.active {
                        lane.handle_started(now, active.run);
                        account.started = true;
                    }
                }
                Step::Steered(taken) => {
                    account.steered(taken);
                    lane.handle_steered(now, taken);
                }
                Step::Over => {
                    if let Some(active) = account.active.take() {
                        lane.handle_over(now, active.run, Outcome::Ended);
                    }
                }
                Step::Busy => {
                    if let Some(active) = account.active.take() {
                        lane.handle_over(now, active.run, Outcome::Busy);
                        if lane.poll_timeout().is_some() {
                            account.pausing = Some(active);
                        } else {
                            account.summaries.splice(0..0, std::mem::take(&mut account.told));
                        }
                    }
                }
                Step::Wait(millis) => now += Duration::from_millis(millis),
                Step::Stop => {
                    lane.handle_stop();
                    let tried = account.pausing.take().map(|turn| turn.parts).unwrap_or_default();
                    let tried: Vec<usize> = tried.iter().map(|part| part.number).collect();
                    account.given.retain(|given| !tried.contains(given));
                    account.summaries.clear();
                }
            }
            account.drain(settings, &mut lane, now);
            prop_assert!(lane.depth() <= settings.cap);
        }
        prop_assert!(lane.is_idle());
        let mut seen = account.given.clone();
        prop_assert!(seen.is_sorted(), "out of order: {:?}", seen);
        seen.extend(account.dropped.iter().map(|(number, _)| *number));
        seen.sort_unstable();
        prop_assert_eq!(seen, (0..account.handed.len()).collect::<Vec<_>>());
    }
}
