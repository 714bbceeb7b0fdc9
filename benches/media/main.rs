//! What the way of a packet costs, how long a frame waits, and how far it goes: our call beside the
//! bare parts it is made of and beside songbird, on the same packets, in one run.
//!
//! ```text
//! sections                                    what they use
//! receive   a datagram to samples             speech     fixtures → Opus
//! send      samples to a datagram             room       a call and its DAVE group, no sockets
//! encoder   which Opus encoder to choose      talker     Opus → the server's datagrams
//! flat      1 to 500 speakers in one call     transport  the cipher alone, by each library
//! delay     with loss and jitter, virtual     waits      which packet came out when
//! realtime  the same, peers beside it         bot        a bot in a process of its own (listener)
//! process   processor time of whole bots      rounds     sides that take turns
//! scale     speakers on one core
//! memory    of a call, of a speaker
//! ```
//!
//! `cargo bench --bench media -- receive delay` measures those; without names, all. Prints tables
//! and writes `target/bench/media.json` (see `report`). Rounds of ours and of the peers take turns,
//! so that the machine's moods reach all; figures of different runs are not comparable, ratios of
//! one run are.

#![allow(clippy::print_stderr, reason = "progress, and what went wrong")]

mod bot;
mod delay;
mod encoder;
mod flat;
mod group;
mod hear;
mod listener;
mod memory;
mod process;
mod quality;
mod realtime;
mod receive;
#[path = "../report/mod.rs"]
mod report;
mod room;
mod rounds;
mod scale;
mod send;
mod speech;
mod talker;
mod transport;
mod waits;

use std::time::Instant;

use anyhow::bail;

/// Measures, prints and writes its part.
type Section = fn() -> anyhow::Result<()>;

const SECTIONS: [(&str, Section); 9] = [
    ("receive", receive::measure),
    ("process", process::measure),
    ("send", send::measure),
    ("encoder", encoder::measure),
    ("flat", flat::measure),
    ("delay", delay::measure),
    ("realtime", realtime::measure),
    ("scale", scale::measure),
    ("memory", memory::measure),
];

fn main() -> anyhow::Result<()> {
    if let Ok(which) = std::env::var(listener::WHICH) {
        return listener::run(&which);
    }
    if std::env::var_os(scale::WHICH).is_some() {
        return scale::run();
    }
    // `cargo test --all-targets` runs this, too, unoptimised: nothing to be learnt from that.
    if !std::env::args().any(|argument| argument == "--bench") {
        return Ok(());
    }
    let asked: Vec<String> =
        std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    if let Some(unknown) = asked.iter().find(|name| SECTIONS.iter().all(|(known, _)| known != name))
    {
        bail!("no section {unknown:?}; there are {}", SECTIONS.map(|(name, _)| name).join(", "));
    }
    let mut failed = Vec::new();
    for (name, measure) in SECTIONS {
        if !asked.is_empty() && asked.iter().all(|asked| asked != name) {
            continue;
        }
        let began = Instant::now();
        // One that fails, say because the machine is too busy, does not cost the others.
        match measure() {
            Ok(()) => eprintln!("{name}: {:.0} s", began.elapsed().as_secs_f64()),
            Err(error) => {
                eprintln!("{name}: {error:#}");
                failed.push(name);
            }
        }
    }
    if failed.is_empty() { Ok(()) } else { bail!("not measured: {}", failed.join(", ")) }
}
