//! The release binary on localcord: how long until it is ready, what it holds while it waits, and
//! how large it is.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use localcord::{
    server::{Server, ServerSettings},
    world::default::{GUILD, LOUNGE},
};
use serde::Serialize;
use serde_json::json;
use tempfile::TempDir;
use tokio::{
    process::{Child, Command},
    time::timeout,
};

use crate::report;

/// Starts that are timed.
const STARTS: usize = 20;
/// Longer than any start takes.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long it waits before its memory is read.
const IDLE: Duration = Duration::from_secs(5);

#[derive(Serialize)]
struct Section {
    ready_ms_median: f64,
    ready_ms_worst: f64,
    idle_rss_kib: u64,
    binary_bytes: u64,
}

pub(crate) fn measure() -> anyhow::Result<()> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(run())
}

async fn run() -> anyhow::Result<()> {
    let mut ready: Vec<f64> = Vec::new();
    let mut idle_rss_kib = 0;
    for number in 0..STARTS {
        let place = Place::new(false).await?;
        let began = Instant::now();
        let mut agent = place.start()?;
        place.identified(number == 0).await?;
        ready.push(began.elapsed().as_secs_f64() * 1e3);
        if number == 0 {
            tokio::time::sleep(IDLE).await;
            idle_rss_kib = resident(agent.id().context("it has ended")?)?;
        }
        agent.kill().await?;
    }
    ready.sort_by(f64::total_cmp);
    let section = Section {
        ready_ms_median: ready[ready.len() / 2],
        ready_ms_worst: ready[ready.len() - 1],
        idle_rss_kib,
        binary_bytes: fs::metadata(binary()?)?.len(),
    };
    println!(
        "start: READY after {:.0} ms (median of {STARTS}), {:.0} ms (worst); {} KiB while it waits; {:.1} MB on disk",
        section.ready_ms_median,
        section.ready_ms_worst,
        section.idle_rss_kib,
        section.binary_bytes as f64 / 1e6
    );
    report::write("start", &section)
}

/// A localcord, and a folder for the agent's configuration and state.
pub(crate) struct Place {
    pub(crate) server: Server,
    pub(crate) folder: TempDir,
}

impl Place {
    /// With `joins`, the agent is configured to be in the Lounge.
    pub(crate) async fn new(joins: bool) -> anyhow::Result<Self> {
        let server = Server::start(ServerSettings::default()).await?;
        let folder = tempfile::tempdir()?;
        let rooms = match joins {
            true => json!([{ "guildId": GUILD.to_string(), "channelId": LOUNGE.to_string() }]),
            false => json!([]),
        };
        let config = json!({
            "gateway": { "clawvoice": { "health": { "enabled": false } } },
            "session": { "store": folder.path().join("state/sessions.sqlite") },
            "channels": { "discord": {
                "apiBaseUrl": server.api_base_url(),
                "groupPolicy": "open",
                "voice": {
                    "mode": "bidi", "autoJoin": rooms, "captureSilenceGraceMs": 500,
                    "realtime": { "provider": "local", "providers": { "local": {
                        "behaviour": "parrot", "speed": 20, "silenceDurationMs": 400,
                    } } },
                },
            } },
        });
        fs::write(folder.path().join("clawvoice.json5"), config.to_string())?;
        Ok(Self { server, folder })
    }

    pub(crate) fn start(&self) -> anyhow::Result<Child> {
        let log = fs::File::options()
            .append(true)
            .create(true)
            .open(self.folder.path().join("clawvoice.log"))?;
        Command::new(binary()?)
            .args(["gateway", "--config"])
            .arg(self.folder.path().join("clawvoice.json5"))
            .env("DISCORD_BOT_TOKEN", self.server.bot_token())
            .env("HOME", self.folder.path())
            .env("NO_COLOR", "1")
            .env_remove("OPENAI_API_KEY")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .context("the program does not start")
    }

    /// Waits until localcord has taken its IDENTIFY and told it READY.
    pub(crate) async fn identified(&self, is_first: bool) -> anyhow::Result<()> {
        let told = self
            .server
            .journal()
            .wait_for(0, |entry| entry.kind == "gateway" && entry.name == "identify");
        let told = timeout(PATIENCE, told).await;
        ensure!(told.is_ok(), "no READY{}", if is_first { " at the first start" } else { "" });
        Ok(())
    }
}

/// The program beside this one, or the one that `CLAWVOICE` names.
pub(crate) fn binary() -> anyhow::Result<PathBuf> {
    if let Some(path) = std::env::var_os("CLAWVOICE") {
        return Ok(path.into());
    }
    let own = std::env::current_exe()?;
    let release = own.parent().and_then(Path::parent).context("this program is in a folder")?;
    let path = release.join("clawvoice");
    ensure!(path.exists(), "{} is missing; cargo build --release", path.display());
    Ok(path)
}

/// Memory that a process holds, in KiB. Source: proc(5), `/proc/[pid]/status`.
fn resident(pid: u32) -> anyhow::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|rest| rest.split_whitespace().next()).context("no VmRSS")?;
    Ok(kib.parse()?)
}
