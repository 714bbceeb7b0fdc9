//! Holding a conversation: whose words reach the agent as whose, what is heard of the answers, and
//! how long everything takes.
//!
//! ```text
//! attribution   1,000 conversations of 2 to 8 people who talk over each other, in virtual time
//! playback      1,000 providers' timings, in virtual time
//! disturbances  1,200 sounds during an answer, in virtual time: coughs, keys, music, echo, people
//! judging       what it costs to tell them apart, beside the Opus decoding
//! latency       the release binary on localcord, 200 questions at each of two paces
//! interruption  the release binary on localcord, 400 answers talked over at each of three latencies
//!               of Discord's REST API
//! ```
//!
//! `cargo bench --bench conversation -- latency` runs one section. Prints tables and writes
//! sections of `target/bench/conversation.json`; what is about interruptions goes
//! into `target/bench/interruption.json`.
//! The last two need the release binary (`cargo build --release`) beside this benchmark's folder,
//! or named by `CLAWVOICE`.

#![allow(clippy::print_stdout, reason = "the table is what a benchmark is for")]

mod agent;
mod disturbances;
mod interruption;
mod judging;
mod latency;
mod provider;
#[path = "../report/mod.rs"]
mod report;
mod term;
mod virtual_time;
mod websocket;

type Section = (&'static str, fn() -> anyhow::Result<()>);

const SECTIONS: [Section; 6] = [
    ("attribution", virtual_time::attribution),
    ("playback", virtual_time::playback),
    ("disturbances", disturbances::measure),
    ("judging", judging::measure),
    ("latency", latency::measure),
    ("interruption", interruption::measure),
];

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    // `cargo test --all-targets` runs this, too, unoptimised: the crates' own tests do that.
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
