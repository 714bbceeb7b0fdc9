//! How long a frame waits between its datagram and its samples, in virtual time.
//!
//! The delay of a packet is the time at which the samples of its own sequence number come out, less
//! the time at which its datagram came. Packets leave every 20 ms; each is lost by chance and each
//! arrives up to twice the jitter later than the quickest, uniformly (that is ± the jitter around
//! the middle). From 10 ms on, packets overtake each other.

use anyhow::ensure;
use clawvoice_session::SessionTime;
use clawvoice_voice::wire::aead::Mode;
use rand::{Rng, SeedableRng, rngs::SmallRng};
use serde::Serialize;

use crate::{
    hear::Deaf,
    report::{self, Table, percentile, rounded},
    room::Room,
    speech::{self, Coding, FRAME_MS},
    waits::Waits,
};

/// Seconds of each link.
const SECONDS: usize = 300;
/// Seconds of speech that are said over and over.
const SPEECH_SECONDS: usize = 30;

/// A link: packets lost, percent, and jitter, ms.
const LINKS: [(f64, u64); 6] = [(0.0, 0), (5.0, 5), (5.0, 20), (5.0, 40), (5.0, 60), (0.0, 20)];
/// The link of which a bound is promised, and the bound: 99 % wait at most this, ms.
const PROMISED: ((f64, u64), f64) = ((5.0, 20), 60.0);

/// What packets waited on one link.
#[derive(Debug, Serialize)]
struct Delays {
    /// Percent.
    loss: f64,
    /// Plus or minus, ms.
    jitter_ms: u64,
    arrived: usize,
    /// Percent of the packets that arrived, but after their place had been given up.
    late_percent: f64,
    /// Frames made up for packets that were lost or late, percent of those.
    made_up_percent: f64,
    p50_ms: f64,
    p95_ms: f64,
    p99_ms: f64,
    max_ms: f64,
    /// Of `p99_ms`: at most this.
    #[serde(skip_serializing_if = "Option::is_none")]
    target_ms: Option<f64>,
}

/// Measures, prints and writes.
pub(crate) fn measure() -> anyhow::Result<()> {
    let opus = speech::packets(Coding::Hybrid, SPEECH_SECONDS)?;
    let links = LINKS
        .into_iter()
        .map(|(loss, jitter_ms)| on_link(&opus, loss, jitter_ms))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let clean = &links[0];
    ensure!(clean.max_ms == 0.0 && clean.late_percent == 0.0, "a frame waited on a clean link");
    report::print(&table(&links));
    report::write("delay_virtual", &links)
}

fn table(links: &[Delays]) -> Table {
    let mut table = Table::new([
        "delay_virtual (loss %)",
        "jitter +-ms",
        "p50 ms",
        "p95 ms",
        "p99 ms",
        "max ms",
        "target p99",
        "late %",
        "made up %",
    ]);
    for link in links {
        let target = link.target_ms.map_or(String::new(), |target| format!("<= {target}"));
        table.row([
            link.loss.to_string(),
            link.jitter_ms.to_string(),
            format!("{:.1}", link.p50_ms),
            format!("{:.1}", link.p95_ms),
            format!("{:.1}", link.p99_ms),
            format!("{:.1}", link.max_ms),
            target,
            format!("{:.2}", link.late_percent),
            format!("{:.1}", link.made_up_percent),
        ]);
    }
    table
}

/// A datagram on its way.
struct Arrival {
    at: SessionTime,
    number: u64,
    datagram: Vec<u8>,
}

fn on_link(opus: &[Vec<u8>], loss: f64, jitter_ms: u64) -> anyhow::Result<Delays> {
    let mut room = Room::new(Mode::Aes256Gcm, 1)?;
    let mut chance = SmallRng::seed_from_u64(7);
    let frames = SECONDS * 1_000 / FRAME_MS as usize;
    let mut arrivals = Vec::new();
    for number in 0..frames as u64 {
        let lost = chance.random_bool(loss / 100.0);
        let jitter_us = chance.random_range(0..=2_000 * jitter_ms);
        let datagram = room.packet(0, &opus[number as usize % opus.len()])?;
        if !lost {
            let at = SessionTime::from_micros((number + 1) * FRAME_MS * 1_000 + jitter_us);
            arrivals.push(Arrival { at, number, datagram });
        }
    }
    arrivals.sort_by_key(|arrival| arrival.at);
    let lost = frames - arrivals.len();
    let mut waits = Waits::default();
    for arrival in &mut arrivals {
        while let Some((due, _)) = room.call.poll_timeout().filter(|(due, _)| *due < arrival.at) {
            room.now = room.now.max(due);
            room.call.handle_timeout(room.now, &mut Deaf);
            waits.update(&room.call, room.now, None);
        }
        room.now = arrival.at;
        room.call.handle_datagram(room.now, &mut arrival.datagram, &mut Deaf);
        waits.update(&room.call, room.now, Some((arrival.number, arrival.at)));
    }
    while room.call.packets_in_flight() > 0
        && let Some((due, _)) = room.call.poll_timeout()
    {
        room.now = room.now.max(due);
        room.call.handle_timeout(room.now, &mut Deaf);
        waits.update(&room.call, room.now, None);
    }
    let total = &room.call.stats().total;
    let (heard, late) = (waits.ms.len(), arrivals.len() - waits.ms.len());
    ensure!(
        heard as u64 == total.delivered && late as u64 == total.late,
        "{heard} of {} packets were seen coming out, late {late}: {total:?}",
        arrivals.len()
    );
    let at = |percent| rounded(percentile(&waits.ms, percent));
    let made_up = (total.concealed + total.fec) as f64;
    Ok(Delays {
        loss,
        jitter_ms,
        arrived: arrivals.len(),
        late_percent: rounded(100.0 * late as f64 / arrivals.len() as f64),
        made_up_percent: rounded(100.0 * made_up / (lost + late).max(1) as f64),
        p50_ms: at(50.0),
        p95_ms: at(95.0),
        p99_ms: at(99.0),
        max_ms: at(100.0),
        target_ms: ((loss, jitter_ms) == PROMISED.0).then_some(PROMISED.1),
    })
}
