//! What must never go wrong, a thousand times.

use std::time::Instant;

use anyhow::ensure;
use clawvoice_simulation::talk::{self, PlaybackReport, TalkReport};
use serde::Serialize;

use crate::report::{self, Table, rounded};

const CONVERSATIONS: u64 = 1_000;

#[derive(Serialize)]
struct Attribution {
    seconds: f64,
    conversations: u64,
    turns: u64,
    asked: u64,
    called: u64,
    overlapping_frames: u64,
    answers: u64,
    lost: u64,
    repeated: u64,
    wrong_user: u64,
    wrong_owner: u64,
    wrong_results: u64,
    answers_wrong: u64,
}

/// Whose words reach the agent as whose.
pub(crate) fn attribution() -> anyhow::Result<()> {
    let began = Instant::now();
    let reports: Vec<TalkReport> = (1..=CONVERSATIONS).map(talk::run).collect();
    let sum = |of: fn(&TalkReport) -> u64| reports.iter().map(of).sum();
    let section = Attribution {
        seconds: rounded(began.elapsed().as_secs_f64()),
        conversations: CONVERSATIONS,
        turns: sum(|r| r.turns),
        asked: sum(|r| r.asked),
        called: sum(|r| r.called),
        overlapping_frames: sum(|r| r.overlapping_frames),
        answers: sum(|r| r.answers),
        lost: sum(|r| r.lost),
        repeated: sum(|r| r.repeated),
        wrong_user: sum(|r| r.wrong_user),
        wrong_owner: sum(|r| r.wrong_owner),
        wrong_results: sum(|r| r.wrong_results),
        answers_wrong: sum(|r| r.answers_wrong),
    };
    let mut table = Table::new(["attribution", ""]);
    for (name, value) in [
        ("conversations of 2 to 8 people", section.conversations),
        ("turns", section.turns),
        ("frames spoken over others", section.overlapping_frames),
        ("turns that reached the agent", section.asked),
        ("front ends that asked by themselves", section.called),
        ("turns lost", section.lost),
        ("turns asked twice", section.repeated),
        ("of the wrong person", section.wrong_user),
        ("with the wrong rights", section.wrong_owner),
        ("results to the wrong connection", section.wrong_results),
        ("answers not said exactly once", section.answers_wrong),
    ] {
        table.row([name.to_owned(), value.to_string()]);
    }
    report::print(&table);
    let failed = reports.iter().find(|report| report.faults() > 0);
    report::write_to(report::CONVERSATION, "attribution", &section)?;
    ensure!(failed.is_none(), "{failed:?}");
    ensure!(section.asked == section.turns, "not every turn was asked about");
    Ok(())
}

#[derive(Serialize)]
struct Playback {
    seconds: f64,
    providers: u64,
    answers: u64,
    whole: u64,
    samples_sent: u64,
    samples_heard: u64,
    starved_ticks: u64,
}

/// What is heard of answers.
pub(crate) fn playback() -> anyhow::Result<()> {
    let began = Instant::now();
    let reports: Vec<PlaybackReport> = (1..=CONVERSATIONS).map(talk::run_playback).collect();
    let sum = |of: fn(&PlaybackReport) -> u64| reports.iter().map(of).sum();
    let section = Playback {
        seconds: rounded(began.elapsed().as_secs_f64()),
        providers: CONVERSATIONS,
        answers: sum(|r| r.answers),
        whole: sum(|r| r.whole),
        samples_sent: sum(|r| r.sent),
        samples_heard: sum(|r| r.heard),
        starved_ticks: sum(|r| r.starved),
    };
    let mut table = Table::new(["playback", ""]);
    for (name, value) in [
        ("providers' timings", section.providers),
        ("answers", section.answers),
        ("heard whole, in order, once", section.whole),
        ("samples sent", section.samples_sent),
        ("samples heard", section.samples_heard),
        ("ticks starved by stalls", section.starved_ticks),
    ] {
        table.row([name.to_owned(), value.to_string()]);
    }
    report::print(&table);
    let failed = reports.iter().find(|report| report.whole != report.answers);
    report::write_to(report::CONVERSATION, "playback", &section)?;
    ensure!(failed.is_none(), "{failed:?}");
    Ok(())
}
