//! One figure beside those of its peers.

use anyhow::ensure;
use serde::Serialize;

use super::Table;

/// A figure of ours, measured in rounds that took turns with its peers'.
#[derive(Debug, Serialize)]
pub(crate) struct Record {
    /// What was measured.
    name: String,
    /// Of every value but `n` and the ratios.
    unit: &'static str,
    /// Rounds or samples.
    n: usize,
    min: f64,
    median: f64,
    max: f64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    peers: Vec<Peer>,
    /// Ours, round by round.
    #[serde(skip)]
    rounds: Vec<f64>,
}

/// What a figure is compared with.
#[derive(Debug, Serialize)]
struct Peer {
    name: String,
    median: f64,
    /// Ours over the peer's: the median of the rounds' own ratios, which a busy machine disturbs
    /// less than it does the ratio of the medians.
    ratio: f64,
    /// The ratio that is promised: at most this.
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<f64>,
}

impl Record {
    /// From what each round measured.
    pub(crate) fn new(
        name: impl Into<String>,
        unit: &'static str,
        rounds: &[f64],
    ) -> anyhow::Result<Self> {
        let name = name.into();
        ensure!(!rounds.is_empty(), "{name}: nothing was measured");
        let sorted = sorted(rounds);
        Ok(Self {
            name,
            unit,
            n: sorted.len(),
            min: rounded(sorted[0]),
            median: rounded(middle(&sorted)),
            max: rounded(sorted[sorted.len() - 1]),
            peers: Vec::new(),
            rounds: rounds.to_vec(),
        })
    }

    /// Puts a peer beside it, which was measured in the same rounds.
    pub(crate) fn beside(
        mut self,
        peer: impl Into<String>,
        theirs: &[f64],
        target: Option<f64>,
    ) -> anyhow::Result<Self> {
        let name = peer.into();
        ensure!(
            theirs.len() == self.rounds.len(),
            "{}: {} rounds of ours, {} of {name}",
            self.name,
            self.rounds.len(),
            theirs.len()
        );
        let ratios: Vec<f64> =
            self.rounds.iter().zip(theirs).map(|(ours, theirs)| ours / theirs).collect();
        self.peers.push(Peer {
            name,
            median: rounded(median(theirs)),
            ratio: rounded(median(&ratios)),
            target,
        });
        Ok(self)
    }

    /// The records as a table, a line for each peer.
    pub(crate) fn table(title: &str, records: &[Self]) -> Table {
        let head =
            [title, "unit", "n", "min", "median", "max", "beside", "median", "ratio", "target"];
        let mut table = Table::new(head);
        for record in records {
            let ours = || {
                let figures = [record.min, record.median, record.max].map(fixed);
                [record.name.clone(), record.unit.into(), record.n.to_string()]
                    .into_iter()
                    .chain(figures)
            };
            if record.peers.is_empty() {
                table.row(ours());
            }
            for (at, peer) in record.peers.iter().enumerate() {
                let target = peer.target.map_or(String::new(), |target| format!("<= {target}"));
                let theirs = [peer.name.clone(), fixed(peer.median), fixed(peer.ratio), target];
                match at {
                    0 => table.row(ours().chain(theirs)),
                    _ => table.row(std::iter::repeat_n(String::new(), 6).chain(theirs)),
                }
            }
        }
        table
    }
}

fn fixed(value: f64) -> String {
    format!("{value:.3}")
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

/// The middle of samples, of which there is at least one.
pub(crate) fn median(samples: &[f64]) -> f64 {
    middle(&sorted(samples))
}

/// The smallest sample that `percent` of all do not exceed; there is at least one sample.
pub(crate) fn percentile(samples: &[f64], percent: f64) -> f64 {
    let sorted = sorted(samples);
    let rank = (percent / 100.0 * sorted.len() as f64).ceil() as usize;
    sorted[rank.clamp(1, sorted.len()) - 1]
}

/// To a thousandth: nothing here is known better.
pub(crate) fn rounded(value: f64) -> f64 {
    (value * 1_000.0).round() / 1_000.0
}
