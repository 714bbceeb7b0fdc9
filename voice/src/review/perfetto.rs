//! A review as a trace for ui.perfetto.dev.
//!
//! In the JSON form of trace events, not in protobuf: Perfetto opens both, the JSON one needs no
//! wire format of our own, and it can be read and cut with a text editor. What protobuf has over it
//! (smaller files, interned names) does not matter for a conversation.

use serde_json::{Value, json};

use super::{
    Review,
    event::What,
    lanes::{Lane, LaneKind, MarkKind, SpanKind},
};

/// The trace's one process.
const PROCESS: u64 = 1;

/// Tracks of one lane: slices of one track must nest, and these may overlap.
const TRACKS_PER_LANE: u64 = 4;

/// The trace, `{"traceEvents": […]}`.
#[must_use]
pub fn trace(review: &Review) -> Value {
    let mut events = vec![json!({
        "ph": "M", "pid": PROCESS, "name": "process_name", "args": {"name": "discord voice"},
    })];
    for (index, lane) in review.lanes.iter().enumerate() {
        add_lane(review, index, lane, &mut events);
    }
    add_flows(review, &mut events);
    json!({"traceEvents": events, "displayTimeUnit": "ms"})
}

fn track(lane: usize, kind: SpanKind) -> u64 {
    let offset = match kind {
        SpanKind::Speech | SpanKind::Playback | SpanKind::Cut | SpanKind::Thinking => 0,
        SpanKind::Connected | SpanKind::Response => 0,
        SpanKind::Grace | SpanKind::Hearing | SpanKind::Repair => 1,
        SpanKind::Doubt | SpanKind::Paused | SpanKind::Connecting => 2,
    };
    track_of(lane, offset)
}

fn track_of(lane: usize, offset: u64) -> u64 {
    lane as u64 * TRACKS_PER_LANE + offset + 1
}

fn add_lane(review: &Review, index: usize, lane: &Lane, events: &mut Vec<Value>) {
    let used = |tid: u64| {
        lane.spans.iter().any(|span| track(index, span.kind) == tid)
            || (tid == track_of(index, 3) && !lane.marks.is_empty())
    };
    for offset in 0..TRACKS_PER_LANE {
        let tid = track_of(index, offset);
        if !used(tid) {
            continue;
        }
        let part = match (offset, lane.kind) {
            (0, _) => "",
            (1, LaneKind::Speaker) => ": waits",
            (1, LaneKind::Provider) => ": hears",
            (1, _) => ": repairs",
            (2, LaneKind::Speaker) => ": interrupts?",
            (2, LaneKind::Voice) => ": held back",
            (2, _) => ": connects",
            _ => ": marks",
        };
        let name = format!("{}{part}", lane.label);
        events.push(json!({
            "ph": "M", "pid": PROCESS, "tid": tid, "name": "thread_name", "args": {"name": name},
        }));
        events.push(json!({
            "ph": "M", "pid": PROCESS, "tid": tid, "name": "thread_sort_index",
            "args": {"sort_index": tid},
        }));
    }
    for span in &lane.spans {
        events.push(json!({
            "ph": "X", "pid": PROCESS, "tid": track(index, span.kind), "name": span.label,
            "cat": span.kind, "ts": span.from,
            "dur": span.to.as_micros().saturating_sub(span.from.as_micros()),
            "args": arguments(review, span.event),
        }));
    }
    for mark in &lane.marks {
        let category = match mark.kind {
            MarkKind::Words => "words",
            MarkKind::Decision => "decision",
            MarkKind::Step => "step",
            MarkKind::Trouble => "trouble",
        };
        events.push(json!({
            "ph": "i", "s": "t", "pid": PROCESS, "tid": track_of(index, 3), "name": mark.label,
            "cat": category, "ts": mark.at, "args": arguments(review, mark.event),
        }));
    }
    for curve in &lane.curves {
        let name = format!("{} {}", lane.label, curve.name);
        for (at, value) in &curve.points {
            events.push(json!({
                "ph": "C", "pid": PROCESS, "name": name, "ts": at, "args": {"value": value},
            }));
        }
    }
}

/// What a click on a slice shows: the entry behind it.
fn arguments(review: &Review, event: usize) -> Value {
    let Some(event) = review.timeline.events.get(event) else { return json!({}) };
    let line = event.line;
    match &event.what {
        What::Record(record) => {
            json!({"line": line, "name": record.name, "detail": record.detail, "fields":
                record.fields.iter().cloned().collect::<serde_json::Map<_, _>>()})
        }
        What::Decision(decision) => json!({
            "line": line, "decision": decision.kind, "user": decision.user,
            "reason": decision.reason, "inputs": decision.inputs,
            "thresholds": decision.thresholds,
        }),
        _ => json!({"line": line}),
    }
}

/// An arrow from the end of each question to the first sample of its answer.
fn add_flows(review: &Review, events: &mut Vec<Value>) {
    let voice = review.lanes.iter().position(|lane| lane.kind == LaneKind::Voice);
    for (id, exchange) in review.facts.exchanges.iter().enumerate() {
        let turn = exchange.turn.and_then(|turn| review.facts.turns.get(turn));
        let (Some(turn), Some(played), Some(voice)) = (turn, exchange.played, voice) else {
            continue;
        };
        let Some(lane) = review.lanes.iter().position(|lane| lane.user == turn.user) else {
            continue;
        };
        let Some(ended) = exchange.speech_ended.or(exchange.transcribed) else { continue };
        // An arrow is bound to the slice around its end; the speech's own end is not inside it.
        let from = turn.audio_from.unwrap_or(turn.opened).as_micros();
        let inside = ended.as_micros().saturating_sub(1).max(from);
        let common = json!({"pid": PROCESS, "name": "answer", "cat": "answer", "id": id + 1});
        let step = |phase: &str, tid: u64, at: u64| {
            let mut event = common.clone();
            event["ph"] = json!(phase);
            event["tid"] = json!(tid);
            event["ts"] = json!(at);
            event
        };
        events.push(step("s", track_of(lane, 0), inside));
        let mut end = step("f", track_of(voice, 0), played.as_micros());
        end["bp"] = json!("e");
        events.push(end);
    }
}

#[cfg(test)]
mod tests;
