//! One figure beside its peer's, as a line of a table and as JSON.

use std::path::Path;

use anyhow::{Context, ensure};
use serde::Serialize;

/// A figure of ours and its peer's.
#[derive(Debug, Serialize)]
pub(crate) struct Record {
    /// What was measured.
    name: String,
    /// Of all values but `n` and `ratio`.
    unit: &'static str,
    /// Rounds or samples.
    n: usize,
    min: f64,
    median: f64,
    max: f64,
    /// What it is compared with.
    peer: String,
    peer_median: f64,
    /// Ours over the peer's: the median of the rounds' own ratios, which a busy machine disturbs
    /// less than it does `median / peer_median`.
    ratio: f64,
}

impl Record {
    /// From both sides' samples, round by round.
    pub(crate) fn new(
        name: impl Into<String>,
        unit: &'static str,
        ours: &[f64],
        peer: impl Into<String>,
        theirs: &[f64],
    ) -> anyhow::Result<Self> {
        ensure!(
            !ours.is_empty() && ours.len() == theirs.len(),
            "{} rounds of ours, {} of the peer's",
            ours.len(),
            theirs.len()
        );
        let ratios: Vec<f64> =
            ours.iter().zip(theirs).map(|(ours, theirs)| ours / theirs).collect();
        let (ours, theirs, ratios) = (sorted(ours), sorted(theirs), sorted(&ratios));
        Ok(Self {
            name: name.into(),
            unit,
            n: ours.len(),
            min: rounded(ours[0]),
            median: rounded(middle(&ours)),
            max: rounded(ours[ours.len() - 1]),
            peer: peer.into(),
            peer_median: rounded(middle(&theirs)),
            ratio: rounded(middle(&ratios)),
        })
    }
}

fn sorted(samples: &[f64]) -> Vec<f64> {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted
}

fn middle(sorted: &[f64]) -> f64 {
    let half = sorted.len() / 2;
    if sorted.len().is_multiple_of(2) {
        (sorted[half - 1] + sorted[half]) / 2.0
    } else {
        sorted[half]
    }
}

/// To a thousandth: nothing here is known better.
fn rounded(value: f64) -> f64 {
    (value * 1_000.0).round() / 1_000.0
}

/// Prints the table.
pub(crate) fn print(records: &[Record]) {
    let width = |text: fn(&Record) -> &str| records.iter().map(|r| text(r).len()).max();
    let name = width(|record| &record.name).unwrap_or_default();
    let peer = width(|record| &record.peer).unwrap_or_default();
    println!(
        "{:name$}  {:>4} {:>9} {:>9} {:>9} {:6}  {:peer$} {:>9} {:>7}",
        "", "n", "min", "median", "max", "", "peer", "median", "ratio"
    );
    for r in records {
        println!(
            "{:name$}  {:>4} {:>9.3} {:>9.3} {:>9.3} {:6}  {:peer$} {:>9.3} {:>7.3}",
            r.name, r.n, r.min, r.median, r.max, r.unit, r.peer, r.peer_median, r.ratio
        );
    }
}

/// Writes `target/bench/packet_path.json` in the repository.
pub(crate) fn write(records: &[Record]) -> anyhow::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench");
    let file = folder.join("packet_path.json");
    std::fs::create_dir_all(&folder)
        .and_then(|()| std::fs::write(&file, serde_json::to_vec_pretty(records)?))
        .with_context(|| format!("cannot write {}", file.display()))
}
