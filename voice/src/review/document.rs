//! A review as one JSON document, for other programs and for the page in a browser.

use serde_json::{Value, json};

use super::{Review, facts::Exchange};

/// The document of `--json`.
///
/// Times are microseconds since the recording's zero (`…_us`), lengths milliseconds (`…_ms`), an
/// `event` is an index into the recording's entries in order of time, a `line` counts the lines of
/// the file from 1.
#[must_use]
pub fn document(review: &Review) -> Value {
    json!({
        "timeline": {
            "header": review.timeline.header,
            "clock": review.timeline.clock,
            "unix_micros_at_zero": review.timeline.unix_micros_at_zero,
            "end_us": review.facts.end,
            "events": review.timeline.events.len(),
            "foreign_lines": review.timeline.foreign,
        },
        "lanes": review.lanes,
        "turns": turns(review),
        "story": review.story,
        "findings": review.findings,
        "clean": review.is_clean(),
        "skipped": review.timeline.skipped,
        "skipped_more": review.timeline.skipped_more,
    })
}

/// Questions and their answers with their latency budgets.
pub(super) fn turns(review: &Review) -> Vec<Value> {
    review.facts.exchanges.iter().map(|exchange| turn(review, exchange)).collect()
}

fn turn(review: &Review, exchange: &Exchange) -> Value {
    let playback = exchange.playback.and_then(|index| review.facts.playbacks.get(index));
    json!({
        "user": exchange.user,
        "label": exchange.user.as_deref().map(|user| review.facts.label(user)),
        "words": exchange.words,
        "answer": exchange.answer,
        "outcome": exchange.outcome,
        "speech_ended_us": exchange.speech_ended,
        "transcribed_us": exchange.transcribed,
        "asked_us": exchange.asked,
        "answered_us": exchange.answered,
        "first_audio_us": exchange.audio,
        "played_us": exchange.played,
        "stopped_us": playback.and_then(|playback| playback.stopped),
        "stop_reason": playback.map(|playback| playback.reason.as_str()),
        "heard_ms": playback.map(super::facts::Playback::length_ms),
        "latency_ms": exchange.latency_ms(),
        "stages": exchange
            .stages()
            .iter()
            .map(|stage| json!({
                "name": stage.name,
                "words": stage.name.words(),
                "from_us": stage.from,
                "to_us": stage.to,
                "ms": stage.millis(),
            }))
            .collect::<Vec<_>>(),
        "events": exchange.events,
    })
}
