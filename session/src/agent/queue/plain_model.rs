//! The queue against a model of it that is too plain to be wrong.

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Step {
    Ask(u64),
    Cancel(u64),
    CancelActive,
    Steer,
    FollowUp,
    CallModel,
    Answer,
    Over,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0_u64..6).prop_map(Step::Ask),
        1 => (0_u64..6).prop_map(Step::Cancel),
        1 => Just(Step::CancelActive),
        2 => Just(Step::Steer),
        2 => Just(Step::FollowUp),
        3 => Just(Step::CallModel),
        3 => Just(Step::Answer),
        3 => Just(Step::Over),
    ]
}

/// What the queue should do, written without thought of speed: lists and a flag each.
#[derive(Default)]
struct Plain {
    waiting: Vec<(u64, usize)>,
    active: Option<(u64, usize)>,
    over: bool,
    stopping: bool,
    steers: Vec<String>,
    follow_ups: Vec<String>,
    begun: Vec<usize>,
    dropped: Vec<usize>,
    stops: usize,
}

impl Plain {
    fn begin(&mut self) {
        if self.active.is_none() && !self.waiting.is_empty() {
            let next = self.waiting.remove(0);
            self.active = Some(next);
            self.begun.push(next.1);
            (self.over, self.stopping) = (false, false);
            self.steers.clear();
            self.follow_ups.clear();
        }
    }

    fn open(&self) -> bool {
        self.active.is_some() && !self.over && !self.stopping
    }

    fn stop(&mut self) {
        if self.open() {
            self.stopping = true;
            self.stops += 1;
        }
    }
}

proptest! {
    #[test]
    fn it_does_what_a_plain_model_does(steps in prop::collection::vec(step(), 1..200)) {
        let mut queue = RunQueue::<usize>::default();
        let mut plain = Plain::default();
        let mut ticket = None;
        let (mut begun, mut dropped, mut stops) = (Vec::new(), Vec::new(), 0);
        for (number, step) in steps.into_iter().enumerate() {
            let text = number.to_string();
            match step {
                Step::Ask(run) => {
                    queue.handle_ask(RunId::new(run), number);
                    if plain.waiting.len() == MAX_WAITING {
                        plain.dropped.push(number);
                    } else {
                        plain.waiting.push((run, number));
                        plain.begin();
                    }
                }
                Step::Cancel(run) => {
                    queue.handle_cancel(RunId::new(run));
                    let named = |waiting: &(u64, usize)| waiting.0 == run;
                    plain.dropped.extend(
                        plain.waiting.iter().filter(|w| named(w)).map(|w| w.1),
                    );
                    plain.waiting.retain(|w| !named(w));
                    if plain.active.is_some_and(|active| active.0 == run) {
                        plain.stop();
                    }
                }
                Step::CancelActive => {
                    let outcome = queue.handle_control(Control::Cancel);
                    let done = plain.open() || plain.active.is_some() && plain.stopping;
                    prop_assert_eq!(outcome == ControlOutcome::Done, done);
                    plain.stop();
                }
                Step::Steer | Step::FollowUp => {
                    let now = matches!(step, Step::Steer);
                    let outcome = queue.handle_control(if now {
                        Control::Steer(text.clone())
                    } else {
                        Control::FollowUp(text.clone())
                    });
                    let room = plain.steers.len() + plain.follow_ups.len() < MAX_WORDS;
                    let taken = plain.open() && room;
                    prop_assert_eq!(outcome == ControlOutcome::Done, taken);
                    if taken {
                        if now { &mut plain.steers } else { &mut plain.follow_ups }.push(text);
                    }
                }
                Step::CallModel => {
                    if let Some(ticket) = ticket {
                        let expected = if plain.open() {
                            std::mem::take(&mut plain.steers)
                        } else {
                            Vec::new()
                        };
                        prop_assert_eq!(queue.take_words(ticket), expected);
                    }
                }
                Step::Answer => {
                    if let (Some(ticket), true) = (ticket, plain.open()) {
                        if plain.steers.is_empty() && !plain.follow_ups.is_empty() {
                            plain.steers.push(plain.follow_ups.remove(0));
                        }
                        plain.over = plain.steers.is_empty();
                        let over = queue.handle_answer(ticket) == AfterAnswer::Over;
                        prop_assert_eq!(over, plain.over);
                    }
                }
                Step::Over => {
                    if let Some(ticket) = ticket.take() {
                        queue.handle_over(ticket);
                        plain.active = None;
                        plain.begin();
                    }
                }
            }
            while let Some(output) = queue.poll_output() {
                match output {
                    QueueOutput::Begin { ticket: new, ask } => {
                        prop_assert!(ticket.is_none(), "two runs at a time");
                        ticket = Some(new);
                        begun.push(ask);
                    }
                    QueueOutput::Stop(stopped) => {
                        prop_assert_eq!(Some(stopped), ticket);
                        stops += 1;
                    }
                    QueueOutput::Drop { ask, .. } => dropped.push(ask),
                }
            }
            dropped.sort_unstable();
            plain.dropped.sort_unstable();
            prop_assert_eq!(&begun, &plain.begun);
            prop_assert_eq!(&dropped, &plain.dropped);
            prop_assert_eq!(stops, plain.stops);
        }
    }
}
