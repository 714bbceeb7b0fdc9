use std::fs;

use proptest::prelude::*;

use super::*;

fn review(name: &str) -> Review {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/timeline/");
    Review::of(&fs::read(format!("{folder}{name}")).expect("the fixture is there"))
}

/// Without what only sets colours.
fn plain(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\x1b') {
        plain.push_str(before);
        rest = after.split_once('m').expect("a colour ends").1;
    }
    plain + rest
}

#[test]
fn an_interrupted_answer_looks_like_this() {
    insta::assert_snapshot!("interrupted", plain(&picture(&review("interrupted.jsonl"), 100)));
}

#[test]
fn a_log_of_openclaw_looks_like_this() {
    insta::assert_snapshot!("echo", plain(&picture(&review("echo.log"), 80)));
    insta::assert_snapshot!("echo_diagnosis", plain(&diagnosis(&review("echo.log"), 80)));
}

#[test]
fn damage_is_shown() {
    insta::assert_snapshot!("damaged", plain(&picture(&review("damaged.jsonl"), 80)));
}

#[test]
fn without_times_only_the_order_is_shown() {
    insta::assert_snapshot!("order", plain(&picture(&review("clean-order.log"), 80)));
}

#[test]
fn nothing_is_said_to_be_nothing() {
    let review = Review::of(b"");
    assert!(plain(&picture(&review, 80)).contains("Nothing in it is a line of a voice timeline."));
    assert!(!plain(&diagnosis(&review, 80)).contains("Nothing wrong"));
}

#[test]
fn no_line_is_wider_than_the_terminal() {
    for width in [72, 80, 132] {
        for name in ["interrupted.jsonl", "echo.log", "clean.jsonl"] {
            let review = review(name);
            for line in plain(&diagnosis(&review, width)).lines() {
                // A name behind a finding's title and the head may stand out.
                let free =
                    line.contains('[') || line.contains(" lines, ") || line.starts_with("agent:");
                assert!(free || line.chars().count() <= width, "{width}: {line}");
            }
        }
    }
}

#[test]
fn a_log_cannot_write_to_the_terminal() {
    let evil = "{\"at_us\":1,\"level\":\"warn\",\"line\":\"realtime error\",\"fields\":{\"user\":\"\\u001b]0;x\\u0007\",\
                \"message\":\"\\u001b[2J\\u202egone\",\"speaker\":\"\\u001b[1m\"}}\n\
                {\"at_us\":2,\"decision\":\"\\u001b[3J\",\"user\":\"\\u001b[H\",\"reason\":\"\\u001b[5m\",\"inputs\":{\"\\u001b[7m\":\"\\u001b[8m\"}}\n\
                {\"at_us\":3,\"level\":\"warn\",\"line\":\"x\\u001b[2Jy\",\"fields\":{}}\n";
    let review = Review::of(evil.as_bytes());
    let text = picture(&review, 80) + &diagnosis(&review, 80);
    let left = plain(&text);
    assert!(!left.chars().any(|c| c.is_control() && c != '\n'), "{left:?}");
    assert!(!text.contains("\x1b[2J") && !text.contains("\x1b[8m") && !text.contains('\u{202e}'));
}

proptest! {
    #[test]
    fn any_recording_can_be_shown(bytes in crate::review::read::any_recording(), width in 0_usize..200) {
        let review = Review::of(&bytes);
        let _ = picture(&review, width);
        let _ = diagnosis(&review, width);
    }
}
