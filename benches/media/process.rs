//! Our call over a socket beside songbird's driver: bots in one channel of one localcord hear
//! the same speakers at the same time, each in a process of its own, and the processor time of the
//! whole process is divided by the frames it heard.
//!
//! Nothing in songbird takes a datagram and gives samples, so its path cannot be timed alone. What
//! is compared is therefore socket, runtime, jitter buffer and all. We decode to 24 kHz mono;
//! songbird to its default of 48 kHz stereo, and once more to 24 kHz mono. Both run on tokio's
//! multi-thread runtime, as our program does; ours once more on the current-thread runtime.

use std::time::Duration;

use anyhow::{bail, ensure};
use futures_util::future::{join_all, try_join_all};
use localcord::{
    fault::Faults,
    human::{Human, wav},
};

use crate::{
    bot::{Bot, Scene, soon},
    listener::{self, Mark},
    report::{self, Record},
    speech,
};

const FIRST_HUMAN: u64 = 2_000;
/// Humans in the channel; first one speaks, then all.
const HUMANS: u64 = 8;
/// Windows of one second for each number of speakers.
const WINDOWS: usize = 10;
/// Seconds each speaks: the windows, and what comes before the first.
const SPEECH_SECONDS: usize = WINDOWS + 3;

const DEFAULT: &str = "songbird 0.6.1 driver, default 48 kHz stereo";
const ALIKE: &str = "songbird 0.6.1 driver, set to 24 kHz mono";

/// The bots, by the names that [`listener`] knows them by.
const BOTS: [(&str, u64); 4] = [
    (listener::OURS, 1_000),
    (listener::SONGBIRD, 1_001),
    (listener::SONGBIRD_24K, 1_002),
    (listener::OURS_ONE_THREAD, 1_003),
];

/// Measures, prints and writes: one record for one speaker, one for all.
pub(crate) fn measure() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let (cpu, memory) = runtime.block_on(records())?;
    report::print(&Record::table("process_cpu", &cpu));
    report::write("process_cpu", &cpu)?;
    report::print(&Record::table("process_memory", &memory));
    report::write("process_memory", &memory)
}

/// Of the processors, and of memory when all have been heard.
async fn records() -> anyhow::Result<(Vec<Record>, Vec<Record>)> {
    let scene = Scene::start(Faults::default()).await?;
    let joining = (0..HUMANS).map(|human| Human::join(scene.admit(FIRST_HUMAN + human)));
    let humans = try_join_all(joining).await?;
    let mut bots = BOTS
        .into_iter()
        .map(|(which, user)| scene.bot(which, user))
        .collect::<anyhow::Result<Vec<_>>>()?;
    for human in &humans {
        soon("a common epoch", human.shares_epoch_with(&BOTS.map(|(_, user)| user))).await??;
    }
    let wav = wav::write_mono(
        &speech::pcm(SPEECH_SECONDS)?.into_iter().step_by(2).collect::<Vec<_>>(),
        wav::SAMPLE_RATE,
    )?;
    let mut records = Vec::new();
    for speakers in [1, humans.len()] {
        let speaking = join_all(humans[..speakers].iter().map(|human| human.speak(&wav)));
        let (spoken, costs) = tokio::join!(speaking, windows(&mut bots, speakers));
        for spoken in spoken {
            ensure!(spoken?.frames_unsent == 0, "a speaker had no key");
        }
        let costs = costs?;
        let [ours, default, alike, one_thread] = costs.as_slice() else {
            bail!("{} bots were measured", costs.len());
        };
        let target = (speakers == humans.len()).then_some(0.65);
        let name = format!("{speakers} speaker{}", if speakers == 1 { "" } else { "s" });
        let one_thread_name = format!("{name}, current-thread runtime");
        for (name, ours, target) in [(name, ours, target), (one_thread_name, one_thread, None)] {
            records.push(
                Record::new(name, "us/frame", ours)?
                    .beside(DEFAULT, default, target)?
                    .beside(ALIKE, alike, None)?,
            );
        }
    }
    let resident = bots.iter().map(Bot::resident_kib).collect::<anyhow::Result<Vec<_>>>()?;
    let mib = |bot: usize| [resident[bot] / 1024.0];
    let memory = Record::new(format!("resident, {HUMANS} speakers heard"), "MiB", &mib(0))?
        .beside(DEFAULT, &mib(1), None)?
        .beside(ALIKE, &mib(2), None)?;
    Ok((records, vec![memory]))
}

/// Processor time per frame, µs, of each bot in each window.
async fn windows(bots: &mut [Bot], speakers: usize) -> anyhow::Result<Vec<Vec<f64>>> {
    let start = marks(bots)?;
    let warm = 25 * speakers as u64;
    soon("the first frames", async {
        let mut often = tokio::time::interval(Duration::from_millis(50));
        loop {
            often.tick().await;
            let now = marks(bots)?;
            if now.iter().zip(&start).all(|(now, start)| now.frames >= start.frames + warm) {
                return anyhow::Ok(());
            }
        }
    })
    .await??;
    let mut every_second = tokio::time::interval(Duration::from_secs(1));
    every_second.tick().await;
    let begin = marks(bots)?;
    let mut before = begin.clone();
    let mut costs = vec![Vec::new(); bots.len()];
    for _ in 0..WINDOWS {
        every_second.tick().await;
        let now = marks(bots)?;
        for ((costs, now), before) in costs.iter_mut().zip(&now).zip(&before) {
            costs.push(now.cost_since(*before)?);
        }
        before = now;
    }
    let expected = (WINDOWS * 50 * speakers) as u64;
    for (end, begin) in before.iter().zip(&begin) {
        let frames = end.frames - begin.frames;
        ensure!(
            frames.abs_diff(expected) * 20 <= expected,
            "heard {frames} frames of {expected}: the machine is too busy to compare"
        );
    }
    Ok(costs)
}

fn marks(bots: &mut [Bot]) -> anyhow::Result<Vec<Mark>> {
    bots.iter_mut().map(Bot::ask).collect()
}
