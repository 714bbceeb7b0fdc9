use std::fs;

use proptest::prelude::*;

use super::*;

/// What stands between the page's data markers, parsed.
fn data_of(page: &str) -> Value {
    let (_, rest) = page.split_once(r#"<script type="application/json" id="data">"#).expect("data");
    let (data, _) = rest.split_once("</script>").expect("the data ends");
    serde_json::from_str(data).expect("the data is JSON")
}

#[test]
fn a_page_holds_everything_and_asks_for_nothing() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/timeline/");
    let bytes = fs::read(format!("{folder}interrupted.jsonl")).expect("the fixture is there");
    let sounds = BTreeMap::from([("interrupted/ben.wav".to_owned(), b"RIFF".to_vec())]);
    let page = page(&Review::of(&bytes), "interrupted.jsonl", &sounds);
    let data = data_of(&page);
    assert_eq!(data["title"], "interrupted.jsonl");
    assert_eq!(data["labels"]["1100000000000000032"], "ben");
    assert_eq!(data["clips"][0]["source"], "data:audio/wav;base64,UklGRg==");
    // Everything that can be clicked leads to an entry.
    for lane in data["lanes"].as_array().expect("lanes") {
        for span in lane["spans"].as_array().expect("spans") {
            assert!(data["events"][span["event"].to_string()].is_object(), "{span}");
        }
    }
    for place in [
        "/*STYLE*/",
        "/*DATA*/",
        "/*PICTURE*/",
        "/*PAGE*/",
        "src=\"http",
        "href=\"http",
        "@import",
        "url(http",
    ] {
        assert!(!page.contains(place), "{place}");
    }
}

#[test]
fn no_text_of_a_log_becomes_markup_or_script() {
    let evil =
        r#"</script><script>alert(1)</script><!--<img src=x onerror=alert(2)>/*PICTURE*/&#60;"#;
    let line = serde_json::json!({
        "at_us": 1, "level": "warn", "line": format!("realtime error {evil}"),
        "fields": {"message": evil, "user": evil, "speaker": evil},
    });
    let clean = page(&Review::of(b""), "x", &BTreeMap::new());
    let page = page(&Review::of(line.to_string().as_bytes()), evil, &BTreeMap::new());
    let count = |page: &str, what: &str| page.matches(what).count();
    for what in ["<script", "</script", "<img", "<!--"] {
        assert_eq!(count(&page, what), count(&clean, what), "{what}");
    }
    assert_eq!(data_of(&page)["title"], evil);
}

#[test]
fn a_long_curve_is_thinned() {
    let lines: String = (0..MAX_POINTS * 2 + 1)
        .map(|n| format!("{{\"at_us\":{n},\"input\":\"frame\",\"user\":\"1\",\"speech\":0.5}}\n"))
        .collect();
    let data = data_of(&page(&Review::of(lines.as_bytes()), "x", &BTreeMap::new()));
    let points = data["lanes"][0]["curves"][0]["points"].as_array().expect("points").len();
    assert!((MAX_POINTS / 2..=MAX_POINTS).contains(&points), "{points}");
}

proptest! {
    #[test]
    fn any_recording_is_a_page(bytes in crate::review::read::any_recording()) {
        let page = page(&Review::of(&bytes), "x", &BTreeMap::new());
        prop_assert!(data_of(&page)["lanes"].is_array());
    }
}
