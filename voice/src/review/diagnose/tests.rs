use std::{fmt::Write as _, fs, path::PathBuf};

use super::*;
use crate::review::Review;

fn folder() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/timeline"))
}

fn review(name: &str) -> Review {
    Review::of(&fs::read(folder().join(name)).expect("the fixture is there"))
}

/// Every recording and what must be found in it, beside what is as it should be.
const CASES: &[(&str, &[&str])] = &[
    ("agent-failed.log", &["agent-failed", "agent-silent"]),
    ("agent-never-answered.log", &["agent-never-answered"]),
    ("answer-never-spoken.log", &["answer-never-spoken"]),
    ("answer-replaced.log", &["answer-replaced"]),
    (
        "call-trouble.jsonl",
        &["suppressed", "packet-loss", "connection-interrupted", "speaking-contradicted"],
    ),
    ("capture-ignored.log", &["capture-ignored"]),
    ("clean-json.log", &[]),
    ("clean-order.log", &[]),
    ("clean-times.log", &[]),
    ("clean.jsonl", &[]),
    ("clean.log", &[]),
    ("damaged.jsonl", &[]),
    ("decrypt-recovered.jsonl", &["decrypt-failures"]),
    ("decrypt.log", &["unencrypted-frames", "decrypt-rejoin"]),
    ("dismissed.jsonl", &[]),
    ("echo.log", &["echo-cut"]),
    ("exact-speech-overflow.log", &["output-overflow"]),
    ("exact-speech-queue.log", &["answers-pile-up"]),
    ("half-sentences.log", &["half-sentences"]),
    ("held-back.jsonl", &["answer-held-back"]),
    ("interrupted.jsonl", &[]),
    ("no-trailing-silence.log", &["no-transcript"]),
    ("no-transcript.log", &["no-transcript"]),
    ("not-ready.log", &["provider-not-ready", "join-failed"]),
    ("nothing-decrypted.jsonl", &["nothing-decrypted"]),
    ("nothing-playing.log", &[]),
    ("overflow.log", &["output-overflow"]),
    ("provider-errors.log", &["provider-refused", "provider-limit", "provider-error"]),
    ("provider-took-back.log", &["provider-took-back"]),
    ("said-twice.log", &["said-twice"]),
    ("several-guilds.log", &["several-guilds"]),
    ("several-speakers.log", &["several-speakers", "slow-queue"]),
    ("slow-agent.jsonl", &["slow-agent"]),
    ("slow-consult.jsonl", &["slow-consult"]),
    ("slow-prebuffer.jsonl", &["slow-prebuffer"]),
    ("slow-provider.jsonl", &["slow-provider"]),
    ("slow-queue.jsonl", &["slow-queue"]),
    ("slow-transcript.jsonl", &["slow-transcript"]),
    ("speaker-start.log", &["start-without-audio"]),
    ("stream-close-interrupted.log", &[]),
    ("stream-close.log", &["provider-error", "stream-closed"]),
    (
        "stt-tts.jsonl",
        &["speech-synthesis-failed", "transcription-failed", "segments-without-words"],
    ),
    ("too-early.log", &["barge-in-too-early"]),
    ("wake-gate.log", &["wake-name-never-heard"]),
    ("watchdog.log", &["watchdog"]),
    ("without-effect.log", &["interruption-without-effect"]),
    ("words-without-answer.log", &["words-without-answer"]),
];

#[test]
fn every_pattern_is_found_in_its_recording_and_nothing_else() {
    for (name, wanted) in CASES {
        let found: Vec<_> = review(name)
            .findings
            .iter()
            .filter(|finding| finding.severity != Severity::Normal)
            .map(|finding| finding.id)
            .collect();
        assert_eq!(found, *wanted, "{name}");
    }
}

#[test]
fn every_recording_has_its_case() {
    let mut files: Vec<_> = fs::read_dir(folder())
        .expect("the folder is there")
        .map(|entry| entry.expect("readable").path())
        .filter(|path| path.is_file())
        .map(|path| path.file_name().expect("a name").to_string_lossy().into_owned())
        .collect();
    files.sort();
    let cases: Vec<_> = CASES.iter().map(|(name, _)| *name).collect();
    assert_eq!(files, cases);
}

#[test]
fn causes_and_advice_are_these() {
    let mut text = String::new();
    for (name, _) in CASES {
        let _ = writeln!(text, "# {name}");
        for finding in review(name).findings {
            let _ = writeln!(
                text,
                "{:?} {} x{} at line {:?}\n  {}\n  why: {}",
                finding.severity,
                finding.id,
                finding.count,
                finding.lines,
                finding.title,
                finding.cause
            );
            if let Some(change) = finding.change {
                let _ = writeln!(text, "  change: {change}");
            }
        }
        text.push('\n');
    }
    insta::assert_snapshot!("diagnoses", text);
}

#[test]
fn the_same_words_in_every_kind_of_log_are_diagnosed_alike() {
    let ids = |name: &str| -> Vec<_> {
        review(name).findings.into_iter().map(|finding| (finding.id, finding.count)).collect()
    };
    for name in ["clean-json.log", "clean-times.log", "clean-order.log"] {
        assert_eq!(ids(name), ids("clean.log"), "{name}");
    }
}

#[test]
fn an_interruption_with_words_of_its_own_is_no_echo() {
    let text = fs::read_to_string(folder().join("echo.log")).expect("the fixture is there");
    // Whoever cut the first answer then says something that the answer does not hold.
    let spoken = "2026-05-30T18:20:07.700Z [discord] info discord voice: realtime user transcript \
                  (27 chars): Wait, that is another town.\n";
    let cut = text.find("2026-05-30T18:20:10").expect("the second question");
    let with_words = format!("{}{spoken}{}", &text[..cut], &text[cut..]);
    let count = |text: &str, id: &str| {
        let review = Review::of(text.as_bytes());
        review.findings.iter().filter(|finding| finding.id == id).map(|f| f.count).sum::<usize>()
    };
    assert_eq!((count(&text, "echo-cut"), count(&text, "answer-interrupted")), (2, 0));
    assert_eq!((count(&with_words, "echo-cut"), count(&with_words, "answer-interrupted")), (1, 1));
}
