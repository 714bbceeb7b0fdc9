//! The runs of a session: asked, controlled, cancelled, finished, in any order.
#![no_main]

use std::collections::BTreeSet;

use clawvoice_fuzz::Input;
use clawvoice_session::agent::{
    Control, ControlOutcome, RunActivity, RunId,
    queue::{AfterAnswer, MAX_WAITING, MAX_WORDS, QueueOutput, RunQueue},
};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let mut input = Input::new(bytes);
    let mut queue = RunQueue::<u32>::default();
    let mut asked = 0;
    let mut waiting = BTreeSet::new();
    let mut active = None;
    let (mut answered, mut stopped) = (false, false);
    // Words that were taken and have not reached the model.
    let mut words = 0;
    while !input.is_empty() {
        match input.below(9) {
            0 | 1 => {
                waiting.insert(asked);
                queue.handle_ask(RunId::new(input.byte().into()), asked);
                asked += 1;
            }
            2 => queue.handle_cancel(RunId::new(input.byte().into())),
            3 => {
                let done = queue.handle_control(Control::Cancel) == ControlOutcome::Done;
                assert!(!done || active.is_some());
            }
            kind @ (4 | 5) => {
                let said = "x".to_owned();
                let control = if kind == 4 { Control::Steer(said) } else { Control::FollowUp(said) };
                if queue.handle_control(control) == ControlOutcome::Done {
                    assert!(active.is_some() && !answered && !stopped, "words for nobody");
                    words += 1;
                    assert!(words <= MAX_WORDS);
                }
            }
            6 => {
                if let Some(ticket) = active {
                    queue.handle_activity(ticket, RunActivity::Model);
                    words -= queue.take_words(ticket).len();
                }
            }
            7 => {
                if let Some(ticket) = active {
                    match queue.handle_answer(ticket) {
                        AfterAnswer::GoOn => assert!(words > 0),
                        AfterAnswer::Over => {
                            assert_eq!(words, 0, "words that were taken never reach the model");
                            answered = true;
                        }
                        AfterAnswer::Stopped => assert!(stopped || answered),
                    }
                }
            }
            _ => {
                if let Some(ticket) = active.take() {
                    queue.handle_over(ticket);
                    (answered, stopped, words) = (false, false, 0);
                }
            }
        }
        while let Some(output) = queue.poll_output() {
            match output {
                QueueOutput::Begin { ticket, ask } => {
                    assert!(active.replace(ticket).is_none(), "two run at a time");
                    assert_eq!(waiting.pop_first(), Some(ask), "out of order");
                }
                QueueOutput::Stop(ticket) => {
                    assert_eq!(active, Some(ticket));
                    assert!(!answered && !std::mem::replace(&mut stopped, true));
                }
                QueueOutput::Drop { ask, .. } => assert!(waiting.remove(&ask), "told twice"),
            }
        }
        assert!(waiting.len() <= MAX_WAITING);
        assert!(active.is_some() || waiting.is_empty(), "something waits and nothing runs");
        assert_eq!(queue.is_idle(), active.is_none());
    }
});
