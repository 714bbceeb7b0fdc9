//! Recordings and logs, as a user hands them to `clawvoice timeline`: each is shown in every form.
#![no_main]

use std::collections::BTreeMap;

use clawvoice_voice::review::{Review, document, html, perfetto, terminal};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let review = Review::of(bytes);
    let timeline = &review.timeline;
    assert!(timeline.events.is_sorted_by_key(|event| event.at));
    assert!(timeline.events.len() + timeline.skipped.len() <= 2 * (bytes.len() + 1));
    for lane in &review.lanes {
        for span in &lane.spans {
            assert!(span.from <= span.to && span.event < timeline.events.len());
        }
    }
    for happening in &review.story {
        assert!(happening.event < timeline.events.len());
        assert!(!happening.text.chars().any(char::is_control));
    }
    for exchange in &review.facts.exchanges {
        let sum: u128 = exchange
            .stages()
            .iter()
            .map(|stage| stage.to.since(stage.from).as_micros())
            .sum();
        if let (Some(from), Some(played)) =
            (exchange.speech_ended.or(exchange.transcribed), exchange.played)
        {
            assert_eq!(sum, played.since(from).as_micros(), "{exchange:?}");
        }
    }
    for finding in &review.findings {
        assert!(finding.count > 0 && !finding.title.is_empty() && !finding.cause.is_empty());
    }
    let _ = terminal::picture(&review, 80);
    let _ = terminal::diagnosis(&review, 80);
    let _ = document(&review).to_string();
    let _ = perfetto::trace(&review).to_string();
    let page = html::page(&review, "fuzz", &BTreeMap::new());
    // The page's own three elements, whatever the recording holds.
    assert_eq!(page.matches("</script").count(), 2);
});
