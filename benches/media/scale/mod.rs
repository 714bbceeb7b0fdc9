//! How many speakers one core serves in real time.
//!
//! A process pinned to one core hears (`receiver`): the real call on the shell's socket and clock,
//! on tokio's current-thread runtime, end-to-end encryption on. On another core datagrams are sent
//! at the speakers' real pace (`generator`). A frame is late if its samples come more than 20 ms
//! after its datagram was due to be sent, or never. The most speakers with less than 0.1 % late
//! frames is searched by halving; a number passes if one of two attempts passes, because one stall of
//! a shared machine makes more frames late than that.
//!
//! Twice: all speakers in one call, and each in a call of their own, with a socket and a task each.
//! Beside it the floor: libopus's decoding alone, on the same core, in the same process, with as
//! many decoders visited in turn. 20 ms by that is what no program that uses libopus can exceed.

mod generator;
mod link;
mod preference;
mod receiver;

use anyhow::{Context, ensure};
use serde::Serialize;

use self::{
    generator::Generator,
    link::{CALLS, Counts, Receiver},
    preference::Preference,
};
use crate::report::{self, Table, rounded};

pub(crate) use self::receiver::{WHICH, run};

/// Late frames that are borne, per mille.
const LATE_PER_MILLE: f64 = 1.0;
/// The most speakers that are tried: the call takes 512 streams.
const MOST: usize = 500;
/// Attempts at one number.
const ATTEMPTS: usize = 2;
/// Attempts that do not count because the generator itself was late too often.
const VOID: usize = 3;
/// The search ends at this part of the floor.
const PRECISION: usize = 40;

/// What one way of serving came to.
#[derive(Debug, Serialize)]
struct Scale {
    what: &'static str,
    /// The most that were served.
    speakers: usize,
    /// As many as were tried.
    at_limit: bool,
    /// Late frames with so many, per mille.
    late_per_mille: f64,
    /// Processor time of the receiving process with so many, percent of its core.
    busy_percent: f64,
    /// libopus alone, us per frame.
    decode_us: f64,
    /// 20 ms by that.
    floor_speakers: usize,
    /// Of the floor.
    share: f64,
}

/// Measures, prints and writes.
pub(crate) fn measure() -> anyhow::Result<()> {
    let _preference = Preference::take();
    let scales =
        [search("speakers in one call", 1, MOST)?, search("calls of one speaker", CALLS, 1)?];
    let mut table = Table::new([
        "scale on one core",
        "most",
        "late per mille",
        "busy %",
        "decode us",
        "floor",
        "share",
    ]);
    for scale in &scales {
        let most = format!("{}{}", if scale.at_limit { ">= " } else { "" }, scale.speakers);
        table.row([
            scale.what.to_owned(),
            most,
            format!("{:.2}", scale.late_per_mille),
            format!("{:.0}", scale.busy_percent),
            format!("{:.2}", scale.decode_us),
            scale.floor_speakers.to_string(),
            format!("{:.3}", scale.share),
        ]);
    }
    report::print(&table);
    report::write("scale", &scales)
}

fn search(what: &'static str, calls: usize, talkers: usize) -> anyhow::Result<Scale> {
    let mut generator = Generator::new()?;
    let mut receiver = Receiver::start(calls, talkers, &mut generator)?;
    let floor = 20_000.0 / receiver.decode_us();
    let most = (calls * talkers).min(MOST);
    let step = (floor as usize / PRECISION).max(1);
    // The floor itself cannot pass.
    let (mut passed, mut failed) = (0, most.min(floor as usize) + 1);
    let mut best = None;
    let mut next = (floor as usize * 3 / 5).min(most);
    while failed - passed > step {
        match attempt(&mut receiver, &mut generator, next)? {
            Some(counts) => (passed, best) = (next, Some(counts)),
            None => failed = next,
        }
        if failed > most && most - passed <= step && passed < most {
            next = most;
        } else {
            next = passed.midpoint(failed);
        }
        if next == passed {
            break;
        }
    }
    let best = best.with_context(|| format!("{what}: not even {failed} were served in time"))?;
    Ok(Scale {
        what,
        speakers: passed,
        at_limit: passed == most,
        late_per_mille: rounded(best.late_per_mille()),
        busy_percent: rounded(best.busy_percent()),
        decode_us: rounded(receiver.decode_us()),
        floor_speakers: floor as usize,
        share: rounded(passed as f64 / floor),
    })
}

/// Whether so many are served: what was counted, or `None`.
fn attempt(
    receiver: &mut Receiver,
    generator: &mut Generator,
    speakers: usize,
) -> anyhow::Result<Option<Counts>> {
    let (mut tried, mut void) = (0, 0);
    while tried < ATTEMPTS {
        let Some(counts) = receiver.probe(generator, speakers)? else {
            void += 1;
            ensure!(void < VOID, "the machine is too busy to send in time");
            continue;
        };
        tried += 1;
        let (late, busy) = (counts.late_per_mille(), counts.busy_percent());
        let excused = counts.excused;
        eprintln!(
            "  {speakers} speakers: {late:.2} per mille late, {busy:.0} % busy, {excused} excused"
        );
        if late < LATE_PER_MILLE {
            return Ok(Some(counts));
        }
        // Far too many: another attempt would not be better.
        if late > 20.0 * LATE_PER_MILLE && busy > 97.0 {
            return Ok(None);
        }
    }
    Ok(None)
}
