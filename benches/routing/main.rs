//! What it costs to decide about a message: from the bytes of a gateway event to the decision and the
//! session, on one core, beside reading the same bytes into the same typed values and nothing more.
//!
//! ```text
//! world   a configuration, a guild and sessions of a size, and events from all over it
//! main    rounds in which both sides take turns, and the two limits
//! ```
//!
//! With 10, 1,000 and 100,000 channels, sessions and entries of an allowlist. Writes
//! `target/bench/routing.json` (see `report`) and fails where a decision costs more than reading
//! does, or more with many entries than with few.

#![allow(clippy::print_stderr, reason = "progress, and what went wrong")]

#[path = "../report/mod.rs"]
mod report;
#[allow(dead_code, reason = "its wall clock is for other benchmarks")]
#[path = "../media/rounds.rs"]
mod rounds;
mod world;

use anyhow::{bail, ensure};

use crate::{
    report::{Record, median},
    rounds::{cost_each, take_turns},
    world::World,
};

/// Where the section about decisions is, in the repository.
const ROUTING: &str = "target/bench/routing.json";
const SIZES: [usize; 3] = [10, 1_000, 100_000];
/// All of it takes at most so many times what reading takes.
const BESIDE_READING: f64 = 2.0;
/// It takes at most so many times what it takes with the fewest entries.
const FLAT: f64 = 1.5;
const ROUNDS: usize = 25;

fn main() -> anyhow::Result<()> {
    // `cargo test --all-targets` runs this, too, unoptimised: nothing to be learnt from that.
    if !std::env::args().any(|argument| argument == "--bench") {
        return Ok(());
    }
    let worlds = SIZES.map(World::new).into_iter().collect::<anyhow::Result<Vec<_>>>()?;
    let mut measured: Vec<[Vec<f64>; 2]> = vec![Default::default(); worlds.len()];
    // The first round warms up and does not count.
    for round in 0..=ROUNDS {
        for (world, measured) in worlds.iter().zip(&mut measured) {
            run(world, round, measured)?;
        }
    }
    let fewest = measured.first().map(|[ours, _]| ours[1..].to_vec()).unwrap_or_default();
    let mut records = Vec::new();
    let mut broken = Vec::new();
    for (size, [ours, reading]) in SIZES.iter().zip(&measured) {
        let (ours, reading) = (&ours[1..], &reading[1..]);
        records.push(
            Record::new(format!("event to session, {size} entries"), "us/event", ours)?
                .beside("reading alone", reading, Some(BESIDE_READING))?
                .beside(format!("with {} entries", SIZES[0]), &fewest, Some(FLAT))?,
        );
        for (what, theirs, limit) in
            [("reading alone", reading, BESIDE_READING), ("the fewest entries", &fewest, FLAT)]
        {
            let ratio = ratio(ours, theirs);
            if ratio > limit {
                broken.push(format!("{size} entries: {ratio:.3} times {what}, not {limit}"));
            }
        }
    }
    report::print(&Record::table("routing", &records));
    report::write_to(ROUTING, "routing", &records)?;
    if broken.is_empty() { Ok(()) } else { bail!(broken.join("; ")) }
}

fn run(world: &World, round: usize, measured: &mut [Vec<f64>; 2]) -> anyhow::Result<()> {
    let (mut admitted, mut read) = (0, 0);
    let events = world.events.len();
    let mut ours = || {
        cost_each(events, || {
            for event in &world.events {
                admitted += usize::from(world.decide(event)?);
            }
            Ok(())
        })
    };
    let mut reading = || {
        cost_each(events, || {
            for event in &world.events {
                read += usize::from(World::read(event)?.author.id.get() > 0);
            }
            Ok(())
        })
    };
    take_turns(round, [&mut ours, &mut reading], measured)?;
    ensure!(
        admitted == world.to_be_admitted && read == events,
        "of {events} events {admitted} were admitted, not {}; {read} were read",
        world.to_be_admitted
    );
    Ok(())
}

/// The median of the rounds' own ratios.
fn ratio(ours: &[f64], theirs: &[f64]) -> f64 {
    let ratios: Vec<f64> = ours.iter().zip(theirs).map(|(ours, theirs)| ours / theirs).collect();
    median(&ratios)
}
