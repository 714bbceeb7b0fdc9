//! 10,000 random membership and transition events in virtual time, on two threads.

use std::{thread, time::Instant};

use anyhow::{Context, ensure};
use clawvoice_simulation::{Counts, Report, Settings, run};
use serde::Serialize;

use crate::report;

/// Events of one channel, and channels: new channels see more beginnings than one old one.
const EVENTS: u64 = 500;
const SEEDS: u64 = 20;
const THREADS: u64 = 2;

#[derive(Serialize)]
struct Section {
    seconds: f64,
    channels: Vec<Report>,
}

pub(crate) fn measure() -> anyhow::Result<()> {
    let began = Instant::now();
    let threads: Vec<_> = (0..THREADS)
        .map(|thread| {
            thread::spawn(move || {
                let seeds = (1..=SEEDS).filter(|seed| seed % THREADS == thread);
                seeds.map(|seed| run(Settings::new(seed, EVENTS))).collect::<Result<Vec<_>, _>>()
            })
        })
        .collect();
    let mut channels = Vec::new();
    for thread in threads {
        channels.extend(thread.join().ok().context("a channel panicked")??);
    }
    channels.sort_by_key(|channel| channel.seed);
    let seconds = began.elapsed().as_secs_f64();
    print(&channels, seconds);
    let failed = channels.iter().find(|channel| channel.failed > 0).map(Report::describe);
    report::write("nothing_lost", &Section { seconds, channels })?;
    ensure!(failed.is_none(), "{}", failed.unwrap_or_default());
    Ok(())
}

fn print(channels: &[Report], seconds: f64) {
    let sum = |of: fn(&Counts) -> u64| channels.iter().map(|c| of(&c.frames)).sum::<u64>();
    let events: u64 = channels.iter().map(Report::total_events).sum();
    let virtual_s: f64 = channels.iter().map(|channel| channel.virtual_s).sum();
    println!("nothing lost: {events} events, {virtual_s:.0} s of virtual time in {seconds:.0} s");
    for (name, value) in [
        ("frames that arrived", sum(|f| f.arrived)),
        ("promised to be heard", sum(|f| f.promised)),
        ("heard", sum(|f| f.heard)),
        ("lost", sum(|f| f.lost)),
        ("of the wrong user", sum(|f| f.wrong_user)),
        ("heard twice", sum(|f| f.repeated)),
        ("heard, but never sent", sum(|f| f.unknown)),
        ("not promised", sum(|f| f.unpromised.values().sum())),
        ("cut off by leaving", sum(|f| f.cut_off)),
        ("epochs", channels.iter().map(|channel| channel.epochs).sum()),
        ("recoveries", channels.iter().map(|channel| channel.recoveries).sum()),
    ] {
        println!("  {name:24} {value:>10}");
    }
}
