//! What survives: random membership in virtual time, and every fault over real sockets.
//!
//! ```text
//! nothing_lost  10,000 random events in virtual time around one call (tests/simulation)
//! fault_matrix  localcord, its humans and our call on sockets: a row for each fault
//! ```
//!
//! `cargo bench --bench endurance -- fault_matrix` runs one section. Prints tables and writes
//! sections of `target/bench/media.json`.

#![allow(clippy::print_stdout, reason = "the table is what a benchmark is for")]

mod follower;
mod matrix;
mod nothing_lost;
mod report;
mod stage;

const SECTIONS: [(&str, fn() -> anyhow::Result<()>); 2] =
    [("nothing_lost", nothing_lost::measure), ("fault_matrix", matrix::measure)];

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    // `cargo test --all-targets` runs this, too, unoptimised: the crate's own tests do that.
    if !arguments.iter().any(|argument| argument == "--bench") {
        return Ok(());
    }
    let asked = |name: &str| arguments.iter().any(|argument| argument == name);
    let all = !SECTIONS.iter().any(|(name, _)| asked(name));
    for (name, measure) in SECTIONS {
        if all || asked(name) {
            measure()?;
        }
    }
    Ok(())
}
