//! What one received 20 ms frame costs, and how long it waits: our receive path beside bare libopus
//! and beside songbird's driver, on the same packets, in one run.
//!
//! ```text
//! speech  fixtures → Opus            room    a call and its DAVE group, no sockets
//! receive our path / libopus alone   delay   virtual time, clean link
//! process two bots in one channel, our call and songbird's driver, each a process (listener)
//! ```
//!
//! Prints a table and writes `target/bench/packet_path.json`. Rounds of ours and of the peer take
//! turns, so that the machine's moods reach both; figures of different runs are not comparable,
//! ratios of one run are.

#![allow(clippy::print_stdout, reason = "the table is what a benchmark is for")]

mod delay;
mod listener;
mod process;
mod receive;
mod report;
mod room;
mod speech;

fn main() -> anyhow::Result<()> {
    if let Ok(which) = std::env::var(listener::WHICH) {
        return listener::run(&which);
    }
    // `cargo test --all-targets` runs this, too, unoptimised: nothing to be learnt from that.
    if !std::env::args().any(|argument| argument == "--bench") {
        return Ok(());
    }
    let mut records = receive::measure()?;
    records.extend(delay::measure()?);
    records.extend(process::measure()?);
    report::print(&records);
    report::write(&records)
}
