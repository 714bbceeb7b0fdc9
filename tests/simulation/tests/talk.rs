//! However many talk at once, every word is taken to the agent as whose it is, once; however a
//! provider sends an answer, the room hears it whole, once, in order.

#![allow(clippy::unwrap_used, reason = "test code")]

use clawvoice_simulation::talk;

#[test]
fn forty_conversations_at_once_mix_nobody_up() {
    let (mut turns, mut called, mut overlapping) = (0, 0, 0);
    for seed in 1..=40 {
        let report = talk::run(seed);
        assert_eq!(report.faults(), 0, "{report:?}");
        assert_eq!(report.asked, report.turns, "{report:?}");
        turns += report.turns;
        called += report.called;
        overlapping += report.overlapping_frames;
    }
    assert!(turns > 500 && called > 50 && overlapping > 5_000, "{turns} {called} {overlapping}");
}

#[test]
fn forty_providers_timings_lose_no_sample() {
    for seed in 1..=40 {
        let report = talk::run_playback(seed);
        assert_eq!(report.whole, report.answers, "{report:?}");
        assert_eq!(report.heard, report.sent, "{report:?}");
    }
}
