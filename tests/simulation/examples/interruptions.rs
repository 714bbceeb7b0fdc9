//! temp
use clawvoice_simulation::{
    disturbance::corpus,
    interruption::{Outcome, Rule, run},
};
use std::collections::BTreeMap;
fn main() {
    let n: usize = std::env::args().nth(1).and_then(|n| n.parse().ok()).unwrap_or(240);
    let seed: u64 = std::env::args().nth(2).and_then(|n| n.parse().ok()).unwrap_or(3);
    let outcomes: Vec<Outcome> = corpus(seed, n).map(|s| run(&s, Rule::Confirm)).collect();
    let mut by: BTreeMap<String, Vec<&Outcome>> = BTreeMap::new();
    for o in &outcomes {
        by.entry(o.behind.map_or(o.kind.to_owned(), |b| format!("{}+{b}", o.kind)))
            .or_default()
            .push(o);
    }
    for (kind, all) in by {
        let c = |f: fn(&&&Outcome) -> bool| all.iter().filter(f).count();
        let mut silent: Vec<u64> = all.iter().map(|o| o.silent_ms).collect();
        silent.sort();
        let mut told: Vec<u64> = all.iter().filter_map(|o| o.told_after_ms).collect();
        told.sort();
        let mut stop: Vec<u64> = all.iter().filter_map(|o| o.stopped_after_ms).collect();
        stop.sort();
        println!(
            "{kind:18} n {:3} cut {:3} whole {:3} paused {:3} silent p50 {:4} max {:5} stop p50 {:?} max {:?} told p50 {:?} max {:?} lost {}",
            all.len(),
            c(|o| o.cut),
            c(|o| o.whole),
            c(|o| o.pauses > 0),
            silent[silent.len() / 2],
            silent[silent.len() - 1],
            stop.get(stop.len() / 2),
            stop.last(),
            told.get(told.len() / 2),
            told.last(),
            all.iter().map(|o| o.frames_lost).sum::<usize>()
        );
    }
    for (i, o) in outcomes.iter().enumerate() {
        if (!o.is_speech && (o.cut || !o.whole)) || (o.is_speech && (!o.cut || o.frames_lost > 0)) {
            println!(
                "#{i} {} {:?} cut {} whole {} lost {} pauses {}",
                o.kind, o.behind, o.cut, o.whole, o.frames_lost, o.pauses
            );
            if std::env::args().nth(3).is_some_and(|w| w == i.to_string()) {
                println!("{}", String::from_utf8_lossy(&o.recording));
            }
        }
    }
}
