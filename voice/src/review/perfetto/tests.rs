use std::{collections::BTreeMap, fs};

use proptest::prelude::*;

use super::*;

fn trace_of(name: &str) -> Vec<Value> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/timeline/");
    let bytes = fs::read(format!("{folder}{name}")).expect("the fixture is there");
    let trace = trace(&Review::of(&bytes));
    trace["traceEvents"].as_array().expect("events").clone()
}

#[test]
fn slices_marks_counters_and_arrows_are_there() {
    let events = trace_of("interrupted.jsonl");
    let phases = events.iter().fold(BTreeMap::new(), |mut phases, event| {
        *phases.entry(event["ph"].as_str().expect("a phase").to_owned()).or_insert(0) += 1;
        phases
    });
    assert_eq!((phases["s"], phases["f"]), (2, 2));
    assert!(phases["X"] >= 10 && phases["i"] >= 10 && phases["C"] >= 100, "{phases:?}");
    let cut = events.iter().find(|event| event["cat"] == "cut").expect("the cut answer");
    assert_eq!((cut["ts"].as_u64(), cut["dur"].as_u64()), (Some(6_150_000), Some(2_420_000)));
    let confirmed = events.iter().find(|event| event["args"]["decision"] == "confirmed");
    assert_eq!(confirmed.expect("the decision")["args"]["thresholds"]["voiced_ms"], 300);
}

#[test]
fn every_arrow_begins_and_ends_in_a_slice() {
    for name in ["interrupted.jsonl", "clean.jsonl", "several-speakers.log", "slow-queue.jsonl"] {
        let events = trace_of(name);
        let number = |event: &Value, key: &str| event[key].as_u64().unwrap_or_default();
        for arrow in events.iter().filter(|event| event["ph"] == "s" || event["ph"] == "f") {
            let at = number(arrow, "ts");
            let inside = events.iter().any(|slice| {
                slice["ph"] == "X"
                    && slice["tid"] == arrow["tid"]
                    && (number(slice, "ts")..=number(slice, "ts") + number(slice, "dur"))
                        .contains(&at)
            });
            assert!(inside, "{name}: {arrow}");
        }
    }
}

#[test]
fn slices_of_one_track_nest() {
    for name in
        ["interrupted.jsonl", "dismissed.jsonl", "clean.jsonl", "echo.log", "call-trouble.jsonl"]
    {
        let mut tracks: BTreeMap<u64, Vec<(u64, u64)>> = BTreeMap::new();
        for event in trace_of(name).iter().filter(|event| event["ph"] == "X") {
            let from = event["ts"].as_u64().expect("a time");
            let to = from + event["dur"].as_u64().expect("a length");
            tracks.entry(event["tid"].as_u64().expect("a track")).or_default().push((from, to));
        }
        for (track, slices) in tracks {
            for (a, b) in slices.iter().flat_map(|a| slices.iter().map(move |b| (a, b))) {
                let crosses = a.0 < b.0 && b.0 < a.1 && a.1 < b.1;
                assert!(!crosses, "{name}, track {track}: {a:?} crosses {b:?}");
            }
        }
    }
}

proptest! {
    #[test]
    fn any_recording_is_a_trace(bytes in crate::review::read::any_recording()) {
        let trace = trace(&Review::of(&bytes));
        prop_assert!(serde_json::to_string(&trace).is_ok());
    }
}
