//! What microphones pick up while an answer plays, twelve hundred times, in virtual time: what ends
//! an answer that should not have, and who is not heard that should have been. By our rule and by
//! the documented one, on the same sounds; every decision of ours is then taken again from its
//! recording.

use std::{collections::BTreeMap, time::Instant};

use anyhow::ensure;
use clawvoice_simulation::{
    disturbance::corpus,
    interruption::{Outcome, Rule, run},
};
use clawvoice_voice::recording::replay;
use serde::Serialize;

use crate::report::{self, Table, rounded};

/// Sounds; three of twelve are people who want the floor, two of these over something else.
const SOUNDS: usize = 1_200;
/// None of the thresholds was chosen by these.
const SEED: u64 = 90_210;

/// Promised: of noises, and of people, at most these shares in percent.
const FALSE_STOPS: f64 = 2.0;
const MISSED: f64 = 1.0;

#[derive(Default, Serialize)]
struct Kind {
    n: usize,
    /// Answers that ended.
    ended: usize,
    /// Answers that paused and went on, or were not touched, whole to the sample.
    whole: usize,
    /// Longest pause of an answer that went on, ms.
    paused_ms: u64,
}

#[derive(Serialize)]
struct Section {
    seconds: f64,
    sounds: usize,
    false_stops_percent: f64,
    missed_percent: f64,
    not_whole: usize,
    documented_false_stops_percent: f64,
    documented_missed_percent: f64,
    replayed: usize,
    replayed_inputs: u64,
    replayed_decisions: u64,
    replayed_differently: usize,
    kinds: BTreeMap<String, Kind>,
}

/// Plays them all.
pub(crate) fn measure() -> anyhow::Result<()> {
    let began = Instant::now();
    let ours: Vec<Outcome> = corpus(SEED, SOUNDS).map(|sound| run(&sound, Rule::Confirm)).collect();
    let documented: Vec<Outcome> =
        corpus(SEED, SOUNDS).map(|sound| run(&sound, Rule::Documented)).collect();
    let mut section = Section {
        seconds: 0.0,
        sounds: SOUNDS,
        false_stops_percent: percent(&ours, |o| !o.is_speech, |o| o.cut),
        missed_percent: percent(&ours, |o| o.is_speech, |o| !o.cut),
        not_whole: ours.iter().filter(|o| !o.cut && !o.whole).count(),
        documented_false_stops_percent: percent(&documented, |o| !o.is_speech, |o| o.cut),
        documented_missed_percent: percent(&documented, |o| o.is_speech, |o| !o.cut),
        replayed: 0,
        replayed_inputs: 0,
        replayed_decisions: 0,
        replayed_differently: 0,
        kinds: kinds(&ours),
    };
    for outcome in &ours {
        let again = replay(&outcome.recording[..])?;
        section.replayed += 1;
        section.replayed_inputs += again.inputs;
        section.replayed_decisions += again.decisions;
        section.replayed_differently += usize::from(!again.is_identical());
    }
    section.seconds = rounded(began.elapsed().as_secs_f64());
    print(&section);
    report::write_to(report::INTERRUPTION, "disturbances", &section)?;
    ensure!(section.false_stops_percent < FALSE_STOPS, "too many answers ended by noise");
    ensure!(section.missed_percent < MISSED, "too many people were not heard");
    ensure!(section.not_whole == 0, "answers that went on are not whole");
    ensure!(section.replayed_differently == 0, "recordings replay differently");
    Ok(())
}

/// Of the outcomes that `are`, the share that is `bad`, in percent.
fn percent(of: &[Outcome], are: fn(&Outcome) -> bool, bad: fn(&Outcome) -> bool) -> f64 {
    let (n, bad) = of
        .iter()
        .filter(|outcome| are(outcome))
        .fold((0, 0), |(n, count), outcome| (n + 1, count + usize::from(bad(outcome))));
    rounded(100.0 * f64::from(bad as u32) / f64::from(n.max(1)))
}

fn kinds(outcomes: &[Outcome]) -> BTreeMap<String, Kind> {
    let mut kinds: BTreeMap<String, Kind> = BTreeMap::new();
    for outcome in outcomes {
        let name = match outcome.behind {
            Some(behind) => format!("{} over {behind}", outcome.kind),
            None => outcome.kind.to_owned(),
        };
        let kind = kinds.entry(name).or_default();
        kind.n += 1;
        kind.ended += usize::from(outcome.cut);
        kind.whole += usize::from(!outcome.cut && outcome.whole);
        if !outcome.cut {
            kind.paused_ms = kind.paused_ms.max(outcome.silent_ms);
        }
    }
    kinds
}

fn print(section: &Section) {
    let mut table = Table::new(["disturbances", "n", "answer ended", "went on whole", "pause ms"]);
    for (name, kind) in &section.kinds {
        let figures = [kind.n, kind.ended, kind.whole].map(|count| count.to_string());
        let [n, ended, whole] = figures;
        table.row([name.clone(), n, ended, whole, kind.paused_ms.to_string()]);
    }
    report::print(&table);
    let mut table = Table::new(["of 100", "ours", "documented rule", "promised"]);
    for (name, ours, documented, promised) in [
        (
            "noises that ended an answer",
            section.false_stops_percent,
            section.documented_false_stops_percent,
            FALSE_STOPS,
        ),
        (
            "people who were not heard",
            section.missed_percent,
            section.documented_missed_percent,
            MISSED,
        ),
    ] {
        let figures = [ours, documented].map(|figure| figure.to_string());
        let [ours, documented] = figures;
        table.row([name.to_owned(), ours, documented, format!("< {promised}")]);
    }
    report::print(&table);
    println!(
        "{} recordings replayed ({} inputs, {} decisions): {} differently\n",
        section.replayed,
        section.replayed_inputs,
        section.replayed_decisions,
        section.replayed_differently
    );
}
