//! The release binary in channels of localcord where every answer is talked over, while Discord's
//! REST API takes its time. An agent that asks REST who is speaking before it stops takes that
//! time, too, and loses the words that are said meanwhile; this one must not.
//!
//! Takes about nine minutes, and a machine that does little else: a process that waits for its turn
//! is late, whatever it does then.
//!
//! All clocks are this process's. What stops, and how much of an answer was heard, is what a human
//! in the channel received; what arrives of the interruption, and what was told of the answer, is
//! what the provider was sent.

mod provider;
mod room;
mod sample;
mod sound;

use std::time::Duration;

use anyhow::{Context as _, ensure};
use futures_util::future::try_join_all;
use serde::Serialize;

use self::{
    room::Room,
    sample::{Sample, samples},
    sound::Clip,
};
use crate::{
    report::{self, Table},
    term::Term,
};

/// How long REST takes to answer, ms.
const REST_LATENCIES_MS: [u32; 3] = [0, 150, 500];
/// Rooms at once, each with an agent of its own. In every other one SPEAKING announces each speech;
/// in the rest it has told each human's SSRC once, and only packets tell of a speech.
const ROOMS: usize = 8;
/// Interruptions at each latency; `INTERRUPTIONS` in the environment says otherwise.
const INTERRUPTIONS: usize = 400;
/// How long the quiet one of each room has not spoken before they interrupt.
const QUIET: Duration = Duration::from_secs(60);

/// Promised, ms: the packet that is due when the speech arrives, and one that fades.
const STOP_P99: f64 = 30.0;
const HEARD_ERROR_P99: f64 = 20.0;

/// What a figure may be at most.
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "lowercase")]
enum Promise {
    P99(f64),
    Max(f64),
}

/// One figure at one latency.
#[derive(Serialize)]
struct Row {
    what: &'static str,
    rest_ms: u32,
    n: usize,
    #[serde(flatten)]
    term: Term,
    #[serde(skip_serializing_if = "Option::is_none")]
    promise: Option<Promise>,
}

impl Row {
    fn is_kept(&self) -> bool {
        let (measured, promised) = match self.promise {
            Some(Promise::P99(promised)) => (self.term.p99, promised),
            Some(Promise::Max(promised)) => (self.term.max, promised),
            None => return true,
        };
        measured <= promised
    }
}

#[derive(Serialize)]
struct Section {
    rooms: usize,
    rows: Vec<Row>,
}

/// Runs, prints, writes.
pub(crate) fn measure() -> anyhow::Result<()> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(run())
}

async fn run() -> anyhow::Result<()> {
    let count = match std::env::var("INTERRUPTIONS") {
        Ok(count) => count.parse().context("INTERRUPTIONS must be a number")?,
        Err(_) => INTERRUPTIONS,
    };
    let clips = [
        Clip::read(include_bytes!("../../fixtures/audio/interrupt.wav"), 0..1_800)?,
        // Up to "if I go outside", and from "Could you tell me" on.
        Clip::read(include_bytes!("../../fixtures/audio/second.wav"), 0..2_120)?,
        Clip::read(include_bytes!("../../fixtures/audio/ask.wav"), 1_040..3_320)?,
    ];
    let mut rows = Vec::new();
    for rest_ms in REST_LATENCIES_MS {
        println!("interruption: {count} answers talked over, REST takes {rest_ms} ms");
        rows.extend(at_latency(rest_ms, count, &clips).await?);
    }
    let section = Section { rooms: ROOMS, rows };
    print(&section);
    report::write_to(report::INTERRUPTION, "interruption", &section)?;
    let broken: Vec<String> =
        section.rows.iter().filter(|row| !row.is_kept()).map(describe).collect();
    ensure!(broken.is_empty(), "{}", broken.join("; "));
    Ok(())
}

/// Everything with REST as slow as that. The agents are new: they remember nobody.
async fn at_latency(rest_ms: u32, count: usize, clips: &[Clip; 3]) -> anyhow::Result<Vec<Row>> {
    let rooms = try_join_all((0..ROOMS).map(|n| Room::open(rest_ms, n % 2 == 0))).await?;
    let each = count.div_ceil(ROOMS);
    let talks = try_join_all(rooms.iter().map(|room| room.converse(clips, each, QUIET))).await?;
    let mut all: Vec<Sample> = Vec::new();
    for (room, interruptions) in rooms.iter().zip(&talks) {
        all.extend(samples(room, clips, interruptions)?);
    }
    let (calls, lookups): (Vec<usize>, Vec<usize>) = rooms.iter().map(Room::rest_calls).unzip();
    println!(
        "  {} REST calls meanwhile, {} of them looked somebody up",
        sum(&calls),
        sum(&lookups)
    );

    let row = |what, values: Vec<f64>, promise| Row {
        what,
        rest_ms,
        n: values.len(),
        term: Term::of(values),
        promise,
    };
    let of = |value: fn(&Sample) -> f64| all.iter().map(value).collect::<Vec<_>>();
    let stops = |wanted: &dyn Fn(&Sample) -> bool| {
        let samples = all.iter().filter(|sample| wanted(sample));
        samples.map(|sample| sample.stop_ms).collect::<Vec<_>>()
    };
    let stop = Some(Promise::P99(STOP_P99));
    Ok(vec![
        row(
            "first packet → last sound, after SPEAKING, ms",
            stops(&|sample| !sample.was_quiet && sample.was_announced),
            stop,
        ),
        row(
            "first packet → last sound, no SPEAKING, ms",
            stops(&|sample| !sample.was_quiet && !sample.was_announced),
            stop,
        ),
        row("the same after a quiet minute, ms", stops(&|sample| sample.was_quiet), stop),
        row("first packet → first append, ms", of(|sample| sample.append_ms), None),
        row(
            "frames lost of an interruption",
            of(|sample| sample.lost as f64),
            Some(Promise::Max(0.0)),
        ),
        row(
            "|told heard − heard|, ms",
            of(|sample| sample.heard_error_ms.abs()),
            Some(Promise::P99(HEARD_ERROR_P99)),
        ),
        row(
            "look-ups over REST of a room",
            lookups.iter().map(|count| *count as f64).collect(),
            Some(Promise::Max(0.0)),
        ),
    ])
}

fn sum(counts: &[usize]) -> usize {
    counts.iter().sum()
}

fn print(section: &Section) {
    let head = ["interruption", "REST, ms", "n", "p50", "p95", "p99", "max", "promised"];
    let mut table = Table::new(head);
    for row in &section.rows {
        let Term { p50, p95, p99, max } = row.term;
        let figures = [p50, p95, p99, max].map(|value| format!("{value:.1}"));
        let promised = match row.promise {
            Some(Promise::P99(most)) => format!("p99 <= {most}"),
            Some(Promise::Max(most)) => format!("max <= {most}"),
            None => String::new(),
        };
        let begin = [row.what.to_owned(), row.rest_ms.to_string(), row.n.to_string()];
        table.row(begin.into_iter().chain(figures).chain([promised]));
    }
    report::print(&table);
}

fn describe(row: &Row) -> String {
    let (of, measured, promised) = match row.promise {
        Some(Promise::P99(promised)) => ("p99", row.term.p99, promised),
        Some(Promise::Max(promised)) => ("max", row.term.max, promised),
        None => ("max", row.term.max, f64::INFINITY),
    };
    let Row { what, rest_ms, .. } = row;
    format!("{what} with REST at {rest_ms} ms: {of} {measured}, promised {promised}")
}
