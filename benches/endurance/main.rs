//! What survives: random membership in virtual time, and every fault over real sockets.
//!
//! ```text
//! nothing_lost  10,000 random events in virtual time around one call (tests/simulation)
//! real_time     200 of them over real sockets, with localcord, its humans and songbird
//! fault_matrix  localcord, its humans and our call on sockets: a row for each fault
//! heartbeats    the main gateway's, while every core is busy
//! start         the release binary: from its start to READY, its memory while it waits, its size
//! killed        the release binary, killed 100 times in the middle of things
//! messages      the release binary in text, killed again and again while REST fails: 10,000 answers
//! soak_virtual  a day of conversation in virtual time: what a session holds
//! soak_real     minutes of the release binary among people who come and go: its memory
//! ```
//!
//! `cargo bench --bench endurance -- fault_matrix` runs one section; the soaks run only when asked
//! for by name. Prints tables and writes sections of `target/bench/media.json`.

#![allow(clippy::print_stdout, reason = "the table is what a benchmark is for")]

mod follower;
mod heartbeats;
mod killed;
#[allow(dead_code, reason = "what it costs is another benchmark's")]
#[path = "../media/listener.rs"]
mod listener;
mod matrix;
mod messages;
mod nothing_lost;
mod real_time;
#[path = "../report/mod.rs"]
mod report;
mod soak;
mod songbird;
#[allow(dead_code, reason = "the speech of another benchmark")]
#[path = "../media/speech.rs"]
mod speech;
mod stage;
mod start;
#[allow(dead_code, reason = "what packets wait is another benchmark's")]
#[path = "../media/waits.rs"]
mod waits;

type Section = (&'static str, fn() -> anyhow::Result<()>);

const SECTIONS: [Section; 7] = [
    ("nothing_lost", nothing_lost::measure),
    ("real_time", real_time::measure),
    ("fault_matrix", matrix::measure),
    ("heartbeats", heartbeats::measure),
    ("start", start::measure),
    ("killed", killed::measure),
    ("messages", messages::measure),
];

/// Minutes each: only by name.
const SOAKS: [Section; 2] =
    [("soak_virtual", soak::virtual_day::measure), ("soak_real", soak::real::measure)];

fn main() -> anyhow::Result<()> {
    if let Ok(which) = std::env::var(listener::WHICH) {
        return listener::run(&which);
    }
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    // `cargo test --all-targets` runs this, too, unoptimised: the crate's own tests do that.
    if !arguments.iter().any(|argument| argument == "--bench") {
        return Ok(());
    }
    let asked = |name: &str| arguments.iter().any(|argument| argument == name);
    let all = !SECTIONS.iter().chain(&SOAKS).any(|(name, _)| asked(name));
    for (name, measure) in SECTIONS {
        if all || asked(name) {
            measure()?;
        }
    }
    for (name, measure) in SOAKS {
        if asked(name) {
            measure()?;
        }
    }
    Ok(())
}
