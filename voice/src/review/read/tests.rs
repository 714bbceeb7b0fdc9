use clawvoice_session::timeline::Level;
use proptest::prelude::*;
use serde_json::json;

use super::*;

fn text(lines: &[&str]) -> Timeline {
    read(format!("{}\n", lines.join("\n")).as_bytes())
}

fn names(timeline: &Timeline) -> Vec<&str> {
    timeline.events.iter().filter_map(|e| Some(e.what.record()?.name.as_str())).collect()
}

fn millis(timeline: &Timeline) -> Vec<u64> {
    timeline.events.iter().map(|event| event.at.as_millis()).collect()
}

#[test]
fn every_kind_of_entry_is_told_by_its_key() {
    let timeline = text(&[
        r#"{"clawvoice_timeline":1,"session":"s","guild":1,"started":"2026-11-27T18:20:00.5Z","settings":{"bargeIn":true},"more":2}"#,
        r#"{"at_us":1,"level":"warn","line":"realtime error","fields":{"code":"x"}}"#,
        r#"{"at_us":2,"input":"frame","user":"42","level_dbfs":-31.2}"#,
        r#"{"at_us":3,"decision":"confirmed","user":"42","reason":"speech","inputs":{"voiced_ms":320},"thresholds":{"voiced_ms":300},"lane":1}"#,
        r#"{"at_us":4,"audio":{"file":"x.wav","user":"42","from_us":2}}"#,
        r#"{"at_us":5,"weather":"fine"}"#,
    ]);
    let header = timeline.header.as_ref().expect("a header");
    assert_eq!(header.guild.as_deref(), Some("1"));
    assert_eq!(header.settings.get("bargeIn"), Some(&json!(true)));
    assert_eq!(header.rest.get("more"), Some(&json!(2)));
    assert_eq!(timeline.unix_micros_at_zero, Some(1_795_803_600_500_000));
    assert_eq!(timeline.clock, Clock::Session);
    let kinds: Vec<_> = timeline.events.iter().map(|event| &event.what).collect();
    assert!(matches!(kinds[0], What::Record(line) if line.warns()));
    assert!(matches!(kinds[1], What::Input(input) if input.values["level_dbfs"] == json!(-31.2)));
    let What::Decision(decision) = kinds[2] else { panic!("{:?}", kinds[2]) };
    assert_eq!(decision.reason.as_deref(), Some("speech"));
    assert_eq!(decision.inputs["voiced_ms"], json!(320));
    assert_eq!(decision.rest["lane"], json!(1));
    assert!(matches!(kinds[3], What::Audio(clip) if clip.from.as_micros() == 2));
    assert!(matches!(kinds[4], What::Other(other) if other["weather"] == json!("fine")));
    assert_eq!(timeline.skipped, []);
}

#[test]
fn logs_of_every_kind_say_the_same() {
    let plain = text(&[
        "2026-05-30T18:20:00.250Z  INFO something else",
        "2026-05-30T18:20:01.000Z  INFO discord voice: joined guild=1 channel=2",
        "2026-05-30T18:20:01.500Z  WARN discord voice: realtime error code=x",
    ]);
    let coloured = text(&[
        "\x1b[2m2026-05-30T18:20:01.000Z\x1b[0m \x1b[32m INFO\x1b[0m discord voice: joined guild=1 channel=2",
        "\x1b[2m2026-05-30T18:20:01.500Z\x1b[0m \x1b[33m WARN\x1b[0m discord voice: realtime error code=x",
    ]);
    let tracing = text(&[
        r#"{"timestamp":"2026-05-30T18:20:01.000Z","level":"INFO","fields":{"message":"discord voice: joined guild=1 channel=2"},"target":"clawvoice::timeline"}"#,
        r#"{"timestamp":"2026-05-30T18:20:01.500Z","level":"WARN","fields":{"message":"discord voice: realtime error code=x"}}"#,
    ]);
    let openclaw = text(&[
        r#"{"0":"{\"subsystem\":\"discord/voice\"}","1":"discord voice: joined guild=1 channel=2","_meta":{"date":"2026-05-30T18:20:01.000Z","logLevelName":"INFO"},"time":"2026-05-30T20:20:01.000+02:00"}"#,
        r#"{"0":"{\"subsystem\":\"discord/voice\"}","1":"discord voice: realtime error code=x","_meta":{"date":"2026-05-30T18:20:01.500Z","logLevelName":"WARN"}}"#,
    ]);
    let times = text(&[
        "18:20:01 [discord] info discord voice: joined guild=1 channel=2",
        "18:20:01.500 [discord] warn discord voice: realtime error code=x",
    ]);
    for timeline in [&plain, &coloured, &tracing, &openclaw, &times] {
        assert_eq!(timeline.clock, Clock::Log);
        assert_eq!(names(timeline), ["joined", "realtime error"]);
        assert_eq!(millis(timeline), [0, 500]);
        assert!(timeline.events[1].what.record().expect("a record").warns());
        assert_eq!(timeline.skipped, []);
    }
    assert_eq!(plain.foreign, 1);
    assert_eq!(plain.unix_micros_at_zero, Some(1_780_165_201_000_000));
    assert_eq!(times.unix_micros_at_zero, None);
}

#[test]
fn without_stamps_only_the_order_counts() {
    let timeline =
        text(&["discord voice: joining guild=1", "chatter", "discord voice: joined guild=1"]);
    assert_eq!(timeline.clock, Clock::Order);
    assert_eq!(millis(&timeline), [0, 1_000]);
    assert_eq!(timeline.events[1].line, 3);
}

#[test]
fn a_line_without_a_stamp_stands_beside_its_neighbour() {
    let timeline = text(&[
        "discord voice: joining guild=1",
        "18:20:01 discord voice: joined guild=1",
        "discord voice: left guild=1",
        "18:20:03 discord voice: joining guild=1",
    ]);
    assert_eq!(millis(&timeline), [0, 0, 0, 2_000]);
}

#[test]
fn damage_is_named_line_by_line() {
    let mut bytes = Vec::new();
    bytes.extend(b"{\"at_us\":10,\"line\":\"joined\",\"fields\":{}}\r\n");
    bytes.extend(b"{\"at_us\":20,\"line\":\"left\"\n");
    bytes.extend(b"\xff\xfe\n\n");
    bytes.extend(b"a stray line\n");
    bytes.extend(b"{\"at_us\":-1,\"line\":\"left\"}\n");
    bytes.extend(b"{\"at_us\":99999999999999999,\"line\":\"left\"}\n");
    bytes.extend(b"{\"at_us\":5,\"line\":\"joining\"}\n");
    bytes.extend(format!("{{\"at_us\":6,\"line\":\"{}\"}}\n", "x".repeat(MAX_LINE_BYTES)).bytes());
    bytes.extend(b"12:00:00 discord voice: joined\n");
    bytes.extend(b"{\"at_us\":30,\"line\":\"le");
    let timeline = read(&bytes);
    assert_eq!(names(&timeline), ["joining", "joined"]);
    let named: Vec<_> =
        timeline.skipped.iter().map(|skipped| (skipped.line, skipped.why)).collect();
    assert_eq!(
        named,
        [
            (2, Why::NotJson),
            (3, Why::NotUtf8),
            (5, Why::Foreign),
            (6, Why::BadTime),
            (7, Why::BadTime),
            (8, Why::OutOfOrder),
            (9, Why::TooLong),
            (10, Why::Mixed),
            (11, Why::CutOff),
        ]
    );
}

#[test]
fn a_last_line_without_a_line_break_counts() {
    let timeline = read(b"{\"at_us\":1,\"line\":\"joined\"}");
    assert_eq!(names(&timeline), ["joined"]);
    assert_eq!(timeline.skipped, []);
}

#[test]
fn the_list_of_skipped_lines_is_bounded() {
    let mut bytes = b"{\"at_us\":1,\"line\":\"joined\"}\n".to_vec();
    bytes.extend(b"nonsense\n".repeat(MAX_SKIPPED + 7));
    let timeline = read(&bytes);
    assert_eq!((timeline.skipped.len(), timeline.skipped_more), (MAX_SKIPPED, 7));
}

#[test]
fn nothing_is_an_empty_timeline() {
    assert_eq!(read(b""), Timeline::default());
}

#[test]
fn a_record_of_ours_is_read_as_it_was_written() {
    use clawvoice_session::timeline::Record;
    let record = Record::new(SessionTime::from_micros(7), Level::Verbose, "realtime usage")
        .with("totalTokens", 3);
    let timeline = read(&serde_json::to_vec(&record).expect("records serialise"));
    assert_eq!(
        timeline.events,
        [Event {
            at: SessionTime::from_micros(7),
            line: 1,
            what: What::Record(Line {
                level: Some(Level::Verbose),
                name: "realtime usage".to_owned(),
                detail: String::new(),
                fields: vec![("totalTokens".to_owned(), json!(3))],
            }),
        }]
    );
}

proptest! {
    #[test]
    fn any_bytes_are_a_timeline(bytes in prop::collection::vec(any::<u8>(), 0..2_000)) {
        let timeline = read(&bytes);
        prop_assert!(timeline.events.is_sorted_by_key(|event| event.at));
    }

    #[test]
    fn a_recording_cut_anywhere_keeps_its_beginning(cut in 0_usize..400) {
        let whole: String = (0..10)
            .map(|n| format!("{{\"at_us\":{n},\"line\":\"joined\",\"fields\":{{\"n\":\"é\"}}}}\n"))
            .collect();
        let cut = cut.min(whole.len());
        let bytes = &whole.as_bytes()[..cut];
        let timeline = read(bytes);
        let ended = bytes.iter().filter(|b| **b == b'\n').count();
        prop_assert!((ended..=ended + 1).contains(&timeline.events.len()));
        prop_assert!(timeline.skipped.iter().all(|skipped| skipped.why == Why::CutOff));
        prop_assert_eq!(timeline.events.len() + timeline.skipped.len(), ended + usize::from(!bytes.ends_with(b"\n") && cut > 0));
    }
}
