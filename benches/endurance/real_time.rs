//! 200 random membership events over real sockets while three humans speak: localcord, its humans,
//! our call, and songbird's driver in a process of its own, which only has to survive.

use std::{
    collections::BTreeMap,
    f64::consts::TAU,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use clawvoice_simulation::tone;
use localcord::human::{Human, HumanSettings, wav};
use rand::{Rng, SeedableRng, rngs::SmallRng, seq::IndexedRandom};
use serde::Serialize;

use crate::{
    follower::{Follower, Voices},
    report,
    songbird::Songbird,
    stage::{BOT, CHANNEL, GUILD, Stage, soon},
};

const SONGBIRD: u64 = 1_999;
/// Who speaks, with the tone's frequency, Hz.
const SPEAKERS: [(u64, f64); 3] = [(1_001, 400.0), (1_002, 800.0), (1_003, 1_600.0)];
const VISITORS: [u64; 6] = [1_011, 1_012, 1_013, 1_014, 1_015, 1_016];
const EVENTS: u64 = 200;
/// Between two events.
const PAUSE_MS: std::ops::Range<u64> = 20..480;
/// How long each speaks: longer than all events take.
const SPEECH_S: usize = 80;

#[derive(Debug, Default, Serialize)]
struct Section {
    events: BTreeMap<&'static str, u64>,
    seconds: f64,
    frames: u64,
    decoded: u64,
    concealed: u64,
    lost: u64,
    wrong_user: u64,
    longest_gap_ms: u64,
    op31: u64,
    rejoins: u64,
    songbird_survived: bool,
    songbird_frames: u64,
}

pub(crate) fn measure() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let section = runtime.block_on(run())?;
    println!("real time: {:.0} s, {:?}", section.seconds, section.events);
    for (name, value) in [
        ("frames sent by three", section.frames),
        ("decoded", section.decoded),
        ("concealed", section.concealed),
        ("lost", section.lost),
        ("pieces of the wrong user", section.wrong_user),
        ("longest gap, ms", section.longest_gap_ms),
        ("op 31 of ours", section.op31),
        ("rejoins of ours", section.rejoins),
        ("frames songbird heard", section.songbird_frames),
    ] {
        println!("  {name:26} {value:>8}");
    }
    report::write("real_time", &section)?;
    ensure!(section.lost + section.concealed == 0, "frames were lost");
    ensure!(section.wrong_user == 0, "speech was heard as another user's");
    ensure!(section.songbird_survived, "songbird's driver is gone");
    Ok(())
}

async fn run() -> anyhow::Result<Section> {
    let stage = Arc::new(Stage::new().await?);
    let follower = Follower::start(Arc::clone(&stage), Voices::new(&SPEAKERS));
    let folder = tempfile::tempdir()?;
    let ca = folder.path().join("ca.pem");
    stage.write_ca(&ca)?;
    let mut humans = Vec::new();
    for (user, _) in SPEAKERS {
        humans.push(Arc::new(stage.human(user, HumanSettings::default()).await?));
    }
    let mut songbird = Songbird::start(&ca, stage.admit(SONGBIRD))?;
    for human in &humans {
        soon("a common epoch", human.shares_epoch_with(&[BOT, SONGBIRD])).await??;
    }
    let speaking: Vec<_> = humans
        .iter()
        .zip(SPEAKERS)
        .map(|(human, (_, hz))| {
            let human = Arc::clone(human);
            tokio::spawn(async move { human.speak(&sine(hz)?).await.map_err(anyhow::Error::from) })
        })
        .collect();
    for (user, _) in SPEAKERS {
        soon("the first words", follower.hears(user)).await?;
    }
    let began = Instant::now();
    let mut section = Section::default();
    churn(&stage, &mut section).await?;
    section.seconds = began.elapsed().as_secs_f64();
    for human in &humans {
        // What is left to say need not be said: what was said is counted.
        drop(human.take_unspoken().await);
    }
    soon("the end of what is heard", follower.quiet()).await?;
    for task in &speaking {
        task.abort();
    }
    let log = follower.log();
    for ((user, _), human) in SPEAKERS.into_iter().zip(&humans) {
        let tally = log.speakers.get(&user).copied().unwrap_or_default();
        section.frames += human.stats().frames_sent - tally.silence;
        section.decoded += tally.decoded;
        section.concealed += tally.concealed + tally.fec;
        let (_, gap) = log.heard.get(&user).copied().context("a speaker was never heard")?;
        section.longest_gap_ms = section.longest_gap_ms.max(gap.as_millis() as u64);
    }
    section.lost = section.frames.saturating_sub(section.decoded + section.concealed);
    (section.wrong_user, section.op31, section.rejoins) = (log.wrong, log.recoveries, log.rejoins);
    let frames = songbird.frames();
    section.songbird_survived = frames.is_ok();
    section.songbird_frames = frames.unwrap_or_default();
    Ok(section)
}

/// Visitors come, go and come back at once; the call goes down to transport encryption and back.
async fn churn(stage: &Arc<Stage>, section: &mut Section) -> anyhow::Result<()> {
    let mut rng = SmallRng::seed_from_u64(11);
    let mut there: BTreeMap<u64, Human> = BTreeMap::new();
    let mut plain = false;
    while section.events.values().sum::<u64>() < EVENTS {
        tokio::time::sleep(Duration::from_millis(rng.random_range(PAUSE_MS))).await;
        let absent: Vec<u64> =
            VISITORS.into_iter().filter(|user| !there.contains_key(user)).collect();
        let present: Vec<u64> = there.keys().copied().collect();
        let event = match rng.random_range(0..10) {
            _ if plain => {
                stage.server.change_dave_version(CHANNEL, 1);
                plain = false;
                "upgrade"
            }
            0..4 => {
                let Some(user) = absent.choose(&mut rng) else { continue };
                let human = stage.human(*user, HumanSettings::default()).await?;
                there.insert(*user, human);
                "join"
            }
            4..7 => {
                let Some(user) = present.choose(&mut rng) else { continue };
                stage.server.dismiss(GUILD, *user, 4_014);
                there.remove(user);
                "leave"
            }
            7..9 => {
                let Some(user) = present.choose(&mut rng) else { continue };
                let human = stage.human(*user, HumanSettings::default()).await?;
                there.insert(*user, human);
                "rejoin"
            }
            _ if rng.random_bool(0.3) => {
                stage.server.change_dave_version(CHANNEL, 0);
                plain = true;
                "downgrade"
            }
            _ => continue,
        };
        *section.events.entry(event).or_default() += 1;
    }
    Ok(())
}

fn sine(hz: f64) -> anyhow::Result<Vec<u8>> {
    let samples = SPEECH_S * wav::SAMPLE_RATE as usize;
    let pcm: Vec<i16> = (0..samples)
        .map(|at| ((TAU * hz * at as f64 / f64::from(wav::SAMPLE_RATE)).sin() * 12_000.0) as i16)
        .collect();
    Ok(wav::write_mono(&pcm, wav::SAMPLE_RATE)?)
}

/// Whose tone is the loudest in a piece, if any is loud.
pub(crate) fn loudest(pcm: &[i16], voices: &[(u64, f64)]) -> Option<u64> {
    let peaks = voices.iter().map(|(user, hz)| (tone::peak(pcm, *hz), *user));
    let (peak, user) = peaks.max_by(|a, b| a.0.total_cmp(&b.0))?;
    (peak > 4_000.0).then_some(user)
}
