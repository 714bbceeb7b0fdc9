//! Nothing that the DAVE protocol promises to be heard is lost, repeated, or taken for somebody
//! else's, whatever happens to the channel meanwhile.

#![allow(clippy::unwrap_used, reason = "test code")]

use clawvoice_simulation::{Settings, run};

/// Enough to meet each kind of event, few enough for an unoptimised build.
const EVENTS: u64 = 100;

#[track_caller]
fn assert_nothing_lost(seed: u64) {
    let report = run(Settings::new(seed, EVENTS)).unwrap();
    assert_eq!(report.failed, 0, "{}", report.describe());
    assert!(report.total_events() >= EVENTS);
    let frames = &report.frames;
    assert!(frames.promised > frames.arrived * 7 / 10, "little is promised: {frames:?}");
    assert_eq!(frames.promised, frames.heard);
}

#[test]
fn nothing_is_lost_of_seed_1() {
    assert_nothing_lost(1);
}

#[test]
fn nothing_is_lost_of_seed_2() {
    assert_nothing_lost(2);
}

#[test]
fn nothing_is_lost_of_seed_3() {
    assert_nothing_lost(3);
}

#[test]
fn nothing_is_lost_of_seed_4() {
    assert_nothing_lost(4);
}
