//! The release binary, killed in the middle of things and started again: whatever it keeps must be
//! whole, with nothing to repair by hand.

use std::{collections::BTreeMap, process::Stdio, time::Duration};

use anyhow::{Context as _, ensure};
use clawvoice_session::{
    UserId,
    pairing::Answer,
    shell::store::{Pairings, Store},
};
use jiff::Timestamp;
use localcord::{
    human::Human,
    world::default::{ADA, BOT_USER, GUILD, LOUNGE},
};
use rand::{Rng as _, SeedableRng as _, rngs::SmallRng};
use serde::Serialize;
use tokio::{process::Command, time::timeout};

use crate::{
    report,
    start::{Place, binary},
};

/// Times it is killed.
const KILLS: usize = 100;
/// The longest it may run between two kills: past READY, the join, and the first words.
const LONGEST_MS: u64 = 3_000;
/// Longer than a start takes.
const PATIENCE: Duration = Duration::from_secs(30);
const ASK: &[u8] = include_bytes!("../../fixtures/audio/ask.wav");

#[derive(Serialize)]
struct Section {
    kills: usize,
    identified: usize,
    resumed: usize,
    store_whole: usize,
}

pub(crate) fn measure() -> anyhow::Result<()> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(run())
}

async fn run() -> anyhow::Result<()> {
    let place = Place::new(true).await?;
    let invite = place.server.world().set_voice_state(GUILD, ADA, Some(LOUNGE), false, false);
    let ada = Human::join(invite?.context("Ada gets no invitation")?).await?;
    let mut rng = SmallRng::seed_from_u64(31);
    let store = place.folder.path().join("state/sessions.sqlite");
    let mut store_whole = 0;
    // Somebody waits to be let in all the while.
    let mut pairings = Pairings::open(&store).await?;
    let stranger = UserId::new(1);
    let asked = pairings.ask("default", stranger, Timestamp::now(), &mut rng).await?;
    pairings.close().await;
    ensure!(matches!(asked, Answer::Tell(_)), "no code: {asked:?}");
    for number in 0..KILLS {
        let mut agent = place.start()?;
        let life = Duration::from_millis(rng.random_range(0..LONGEST_MS));
        // Somebody talks all the while, so that there is something to be in the middle of.
        let _ = timeout(life, async {
            loop {
                let _ = ada.speak(ASK).await;
            }
        })
        .await;
        ensure!(agent.try_wait()?.is_none(), "it ended by itself at start {number}");
        agent.kill().await?;
        if store.exists() {
            Store::check(&store).await.with_context(|| format!("after kill {number}"))?;
            store_whole += 1;
        }
    }

    // It comes up as if nothing had been, and everything it keeps is in order.
    let mut agent = place.start()?;
    let met = ada.wait_until(|stats| stats.members.contains(&BOT_USER));
    timeout(PATIENCE, met).await.context("it does not come back")??;
    agent.kill().await?;
    let doctor = Command::new(binary()?)
        .args(["doctor", "--offline", "--config"])
        .arg(place.folder.path().join("clawvoice.json5"))
        .env("DISCORD_BOT_TOKEN", place.server.bot_token())
        .env("HOME", place.folder.path())
        .env("NO_COLOR", "1")
        .stdin(Stdio::null())
        .output()
        .await?;
    let told = String::from_utf8_lossy(&doctor.stdout).into_owned();
    ensure!(told.contains("is whole and can be written to"), "{told}");

    let mut pairings = Pairings::open(&store).await?;
    let pending = pairings.pending(Timestamp::now()).await?;
    pairings.close().await;
    ensure!(pending.iter().any(|it| it.user == stranger), "the pairing request is gone");

    let entries = place.server.journal().since(0);
    let mut named: BTreeMap<&str, usize> = BTreeMap::new();
    // The voice gateway's have the same names.
    for entry in entries.iter().filter(|entry| entry.kind == "gateway") {
        *named.entry(entry.name.as_ref()).or_default() += 1;
    }
    let count = |name: &str| named.get(name).copied().unwrap_or_default();
    let section = Section {
        kills: KILLS,
        identified: count("identify"),
        resumed: count("resume"),
        store_whole,
    };
    println!(
        "killed: {} times; the store was whole {} times; {} sessions were begun and {} resumed",
        section.kills, section.store_whole, section.identified, section.resumed
    );
    report::write("killed", &section)
}
