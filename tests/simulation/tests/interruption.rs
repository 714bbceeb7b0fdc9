//! What microphones pick up while an answer plays, and what becomes of the answer.

use clawvoice_simulation::{
    disturbance::corpus,
    interruption::{Outcome, Rule, run},
};
use clawvoice_voice::recording::replay;

const SAMPLES: usize = 96;

fn failures(outcomes: &[Outcome], of: impl Fn(&Outcome) -> bool) -> Vec<&Outcome> {
    outcomes.iter().filter(|outcome| of(outcome)).collect()
}

#[test]
fn noises_are_taken_back_words_are_not_and_every_decision_replays() {
    let outcomes: Vec<Outcome> =
        corpus(11, SAMPLES).map(|sample| run(&sample, Rule::Confirm)).collect();
    let stopped = failures(&outcomes, |outcome| !outcome.is_speech && outcome.cut);
    let broken = failures(&outcomes, |o| !o.is_speech && !o.cut && !o.whole);
    let missed = failures(&outcomes, |outcome| outcome.is_speech && !outcome.cut);
    assert!(stopped.len() <= 1, "answers that noise ended: {stopped:#?}");
    assert!(broken.is_empty(), "answers that are not whole: {broken:#?}");
    assert!(missed.is_empty(), "people who were not heard: {missed:#?}");
    for outcome in &outcomes {
        let again = replay(&outcome.recording[..]).unwrap();
        assert!(again.is_identical() && again.inputs > 0, "{again:#?}");
    }
}

#[test]
fn by_the_documented_rule_every_sound_ends_the_answer() {
    let outcomes: Vec<Outcome> =
        corpus(11, 12).map(|sample| run(&sample, Rule::Documented)).collect();
    assert!(outcomes.iter().filter(|outcome| outcome.cut).count() >= 10, "{outcomes:#?}");
}
