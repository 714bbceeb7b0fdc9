//! What the built-in voice detector says of every kind of sound: how many milliseconds of it are a
//! voice at several thresholds, and how soon speech is one. Thresholds of barge-in are set by it.
//!
//! `cargo run --package clawvoice-simulation --example voiced [SAMPLES]`

#![allow(clippy::print_stdout, reason = "it prints a table")]

use std::collections::BTreeMap;

use clawvoice_simulation::disturbance::{Sample, corpus, resample};
use earshot::Detector;

/// Of the detector: 16 ms at 16 kHz.
const FRAME: usize = 256;
const FRAME_MS: usize = 16;
const THRESHOLDS: [f32; 3] = [0.3, 0.5, 0.7];

/// The score of every 16 ms.
fn scores(pcm: &[i16]) -> Vec<f32> {
    let samples: Vec<f32> = pcm.iter().map(|sample| f32::from(*sample)).collect();
    let at_16k: Vec<i16> = resample(&samples, 1.5).iter().map(|s| s.round() as i16).collect();
    let mut detector = Box::<Detector>::default();
    at_16k.chunks_exact(FRAME).map(|frame| detector.predict_i16(frame)).collect()
}

/// A kind, and what is behind it if that is speech.
fn name(sample: &Sample) -> String {
    let behind = sample.behind.map(|behind| format!(" over {}", behind.name()));
    format!("{}{}", sample.kind.name(), behind.unwrap_or_default())
}

/// Milliseconds in all, and the longest without a frame below, at a threshold.
fn voiced(scores: &[f32], threshold: f32) -> (usize, usize) {
    let all = scores.iter().filter(|score| **score >= threshold).count();
    let runs = scores.split(|score| *score < threshold).map(<[f32]>::len);
    (all * FRAME_MS, runs.max().unwrap_or(0) * FRAME_MS)
}

fn spread(mut values: Vec<usize>) -> String {
    values.sort_unstable();
    let at = |share: usize| values.get((values.len().max(1) - 1) * share / 100).unwrap_or(&0);
    format!("{:>4}/{:>4}/{:>4}/{:>4}", at(50), at(90), at(99), at(100))
}

fn main() {
    let samples = std::env::args().nth(1).and_then(|n| n.parse().ok()).unwrap_or(3_600);
    let mut all: BTreeMap<String, Vec<(Sample, Vec<f32>)>> = BTreeMap::new();
    for sample in corpus(1, samples) {
        let scores = scores(&sample.pcm);
        all.entry(name(&sample)).or_default().push((sample, scores));
    }
    println!("voiced ms of the whole sound: 50 %/90 %/99 %/most, and the longest run of them");
    for threshold in THRESHOLDS {
        println!("\nscore >= {threshold}\n{:<22}{:>5}  {:<22}longest run", "kind", "n", "all");
        for (name, heard) in &all {
            let figures = heard.iter().map(|(_, scores)| voiced(scores, threshold));
            let (whole, runs): (Vec<usize>, Vec<usize>) = figures.unzip();
            println!("{name:<22}{:>5}  {:<22}{}", heard.len(), spread(whole), spread(runs));
        }
    }
    println!("\nspeech: voiced ms within so long after its begin: least/1 %/10 %/50 %");
    for threshold in THRESHOLDS {
        for within in [300, 500, 700, 1_000] {
            for (name, heard) in all.iter().filter(|(name, _)| name.starts_with("speech")) {
                let mut early: Vec<usize> = heard
                    .iter()
                    .filter_map(|(sample, scores)| {
                        let first = sample.speech.clone()?.start / 24 / FRAME_MS;
                        let end = (first + within / FRAME_MS).min(scores.len());
                        Some(voiced(scores.get(first..end)?, threshold).0)
                    })
                    .collect();
                early.sort_unstable();
                let at = |share: usize| early.get(early.len() * share / 100).unwrap_or(&0);
                println!(
                    ">= {threshold} within {within} {name:<22}{:>4}/{:>4}/{:>4}/{:>4}",
                    at(0),
                    at(1),
                    at(10),
                    at(50)
                );
            }
        }
    }
}
