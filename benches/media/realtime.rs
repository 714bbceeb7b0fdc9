//! How long a packet waits in bots that are in the same channel at the same time, in real time: from
//! its arrival in the process to the moment at which its samples are handed out.
//!
//! Ours: from the datagram's return from the socket to the end of the call that brought its samples,
//! decoding included. songbird: from its event of the packet's arrival to the tick with its samples.
//! @discordjs/voice: from the socket's event to the Opus packet on the receive stream, undecoded and
//! in whatever order they come; on a localcord of its own, on the clean link only, if node and npm
//! are there.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, ensure};
use futures_util::future::join_all;
use localcord::{
    Server, ServerSettings,
    fault::{FaultSettings, Faults, UdpFault},
    human::{Human, wav},
};
use serde::Serialize;

use crate::{
    bot::{Scene, soon},
    listener,
    report::{self, Table, percentile, rounded},
    speech,
};

const HUMAN: u64 = 2_000;
const BOTS: [(&str, &str, u64); 2] = [
    ("ours", listener::OURS_WAITS, 1_000),
    ("songbird 0.6.1 driver", listener::SONGBIRD_WAITS, 1_001),
];
const DISCORDJS: &str = "@discordjs/voice 0.19.2 (no order, no decode)";
/// Seconds that are spoken on each link.
const SECONDS: usize = 12;
/// Loss, percent, and jitter, plus or minus ms.
const CLEAN: (f64, f64) = (0.0, 0.0);
const ROUGH: (f64, f64) = (5.0, 20.0);
/// Of node.js.
const OLDEST_NODE: u32 = 20;
const NODE_FILES: [(&str, &str); 4] = [
    ("package.json", include_str!("../../tests/foreign/discordjs/package.json")),
    ("package-lock.json", include_str!("../../tests/foreign/discordjs/package-lock.json")),
    ("localcord.mjs", include_str!("../../tests/foreign/discordjs/localcord.mjs")),
    ("discordjs.mjs", include_str!("peers/discordjs.mjs")),
];

/// What packets waited in one bot on one link.
#[derive(Debug, Serialize)]
struct Row {
    who: &'static str,
    /// Percent.
    loss: f64,
    /// Plus or minus, ms.
    jitter_ms: f64,
    packets: usize,
    p50_ms: f64,
    p95_ms: f64,
    p99_ms: f64,
    max_ms: f64,
}

impl Row {
    fn new(
        who: &'static str,
        (loss, jitter_ms): (f64, f64),
        waits: &[f64],
    ) -> anyhow::Result<Self> {
        let expected = SECONDS as f64 * 50.0 * (1.0 - loss / 100.0);
        ensure!(
            waits.len() as f64 > 0.8 * expected,
            "{who}: {} packets of {expected:.0} were heard",
            waits.len()
        );
        let at = |percent| rounded(percentile(waits, percent));
        let [p50_ms, p95_ms, p99_ms, max_ms] = [at(50.0), at(95.0), at(99.0), at(100.0)];
        Ok(Self { who, loss, jitter_ms, packets: waits.len(), p50_ms, p95_ms, p99_ms, max_ms })
    }
}

/// Measures, prints and writes.
pub(crate) fn measure() -> anyhow::Result<()> {
    let speech: Vec<i16> = speech::pcm(SECONDS)?.into_iter().step_by(2).collect();
    let wav = wav::write_mono(&speech, wav::SAMPLE_RATE)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let mut rows = Vec::new();
    for link in [CLEAN, ROUGH] {
        rows.extend(runtime.block_on(on_link(link, &wav))?);
        if link == CLEAN {
            rows.extend(runtime.block_on(discordjs(&wav))?);
        }
    }
    let mut table = Table::new([
        "delay_real_time",
        "loss %",
        "jitter +-ms",
        "n",
        "p50 ms",
        "p95 ms",
        "p99 ms",
        "max ms",
    ]);
    for row in &rows {
        let delays = [row.p50_ms, row.p95_ms, row.p99_ms, row.max_ms];
        let link = [row.loss.to_string(), row.jitter_ms.to_string(), row.packets.to_string()];
        let delays = delays.map(|ms| format!("{ms:.2}"));
        table.row([row.who.to_owned()].into_iter().chain(link).chain(delays));
    }
    report::print(&table);
    report::write("delay_real_time", &rows)
}

/// Ours and songbird, hearing the same human.
async fn on_link(link: (f64, f64), wav: &[u8]) -> anyhow::Result<Vec<Row>> {
    let faults = Faults::default();
    let (drop_percent, jitter) = link;
    faults.set(FaultSettings {
        seed: 7,
        udp: vec![UdpFault {
            from: Some(HUMAN),
            drop_percent,
            // From none to twice, which is plus or minus around the middle.
            jitter_ms: 2.0 * jitter,
            jitter_reorders: true,
            ..UdpFault::default()
        }],
        ..faults.current()
    });
    let scene = Scene::start(faults).await?;
    let human = Human::join(scene.admit(HUMAN)).await?;
    let mut bots = Vec::new();
    for (name, which, user) in BOTS {
        bots.push((name, scene.bot(which, user)?));
    }
    soon("a common epoch", human.shares_epoch_with(&BOTS.map(|(_, _, user)| user))).await??;
    for spoken in join_all([human.speak(wav)]).await {
        ensure!(spoken?.frames_unsent == 0, "the speaker had no key");
    }
    // What is under way comes within a second.
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    bots.iter_mut().map(|(name, bot)| Row::new(name, link, &bot.ask::<Vec<f64>>()?)).collect()
}

/// The same in node.js; nothing where there is none.
async fn discordjs(wav: &[u8]) -> anyhow::Result<Option<Row>> {
    let version = output(Command::new("node").args(["-p", "process.versions.node"]));
    let major = version.as_ref().ok().and_then(|text| text.split('.').next()?.parse::<u32>().ok());
    let npm = output(Command::new("npm").arg("--version"));
    if npm.is_err() || major.is_none_or(|major| major < OLDEST_NODE) {
        eprintln!("skipped: @discordjs/voice (node {OLDEST_NODE} or newer and npm are needed)");
        return Ok(None);
    }
    let folder = installed()?;
    let server = Server::start(ServerSettings::default()).await?;
    let (summary, speech) = (folder.join("summary.json"), folder.join("speech.wav"));
    std::fs::write(&summary, server.summary().to_json())?;
    std::fs::write(&speech, wav)?;
    let ca = server.ca_path().to_owned();
    let script = folder.join("discordjs.mjs");
    // It waits for what this runtime serves.
    let printed = tokio::task::spawn_blocking(move || {
        output(
            Command::new("node").args([&script, &summary, &speech]).env("NODE_EXTRA_CA_CERTS", ca),
        )
    })
    .await?;
    server.shutdown().await;
    let printed = printed.context("@discordjs/voice")?;
    let waits: Vec<f64> = serde_json::from_str(printed.lines().last().unwrap_or_default())?;
    Ok(Some(Row::new(DISCORDJS, CLEAN, &waits)?))
}

/// The script with its libraries, which npm fetches once.
fn installed() -> anyhow::Result<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench/discordjs");
    std::fs::create_dir_all(&folder)?;
    for (name, text) in NODE_FILES {
        std::fs::write(folder.join(name), text)?;
    }
    if !folder.join("node_modules/@discordjs/voice").is_dir() {
        let arguments = ["ci", "--silent", "--no-audit", "--no-fund"];
        output(Command::new("npm").args(arguments).current_dir(&folder)).context("npm ci")?;
    }
    Ok(folder)
}

/// What a program prints; an error if it fails.
fn output(command: &mut Command) -> anyhow::Result<String> {
    let output = command.stderr(Stdio::inherit()).output()?;
    ensure!(output.status.success(), "{:?} ended with {}", command.get_program(), output.status);
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}
