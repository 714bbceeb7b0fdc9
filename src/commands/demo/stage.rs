//! The folder of the results and the two processes. Letting go of the stage kills them.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::{Duration, Instant},
};

use serde::Deserialize;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
    time::timeout,
};

use super::{
    control::Api,
    props::{self, Act},
};
use crate::printer::Failure;

/// How long localcord may take to serve.
const START_TIME: Duration = Duration::from_secs(20);
/// How long a process that was told to end is waited for before it is killed.
const STOP_TIME: Duration = Duration::from_secs(10);
/// How long a comparison of two recordings may take.
const COMPARE_TIME: Duration = Duration::from_secs(60);

const VOICE_CHANNEL: u8 = 2;
const TEXT_CHANNEL: u8 = 0;

/// The line of `localcord serve --json`, as far as it is needed.
#[derive(Debug, Deserialize)]
struct Served {
    api_url: String,
    control_url: String,
    bot_token: String,
    bot_user_id: String,
    channels: Vec<Channel>,
    humans: Vec<Person>,
}

#[derive(Debug, Deserialize)]
struct Channel {
    id: String,
    name: String,
    #[serde(rename = "type")]
    kind: u8,
}

#[derive(Debug, Deserialize)]
struct Person {
    id: String,
    name: String,
}

/// Who and where, by id.
#[derive(Clone, Debug)]
pub(super) struct Cast {
    pub(super) ada: String,
    pub(super) ben: String,
    pub(super) agent: String,
    pub(super) voice_channel: String,
    pub(super) voice_channel_name: String,
    pub(super) text_channel: String,
}

/// How the agent's process ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Exit {
    /// None if a signal killed it.
    pub(super) code: Option<i32>,
    pub(super) took_ms: u64,
}

/// What `localcord compare` found.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(super) struct Compared {
    pub(super) score: f64,
    pub(super) lag_ms: f64,
}

/// The processes, and where they write.
#[derive(Debug)]
pub(super) struct Stage {
    out: PathBuf,
    program: PathBuf,
    localcord: Child,
    gateway: Child,
    api: Api,
    cast: Cast,
}

impl Stage {
    /// Lays out the folder and starts both processes.
    pub(super) async fn set(program: &Path, out: &Path, act: Act) -> Result<Self, Failure> {
        // The agent reads its paths from its configuration's folder.
        let out = std::path::absolute(out)
            .and_then(|out| props::lay_out(&out).map(|()| out))
            .map_err(|error| {
                Failure::user(format_args!("cannot write to {}: {error}", out.display()))
                    .hint("name another folder with --out FOLDER")
            })?;
        let (localcord, served) = start_localcord(program, &out).await?;
        let cast = cast(&served)?;
        let api = Api::new(&served.control_url)?;
        let gateway = start_gateway(&served, &out, act)?;
        Ok(Self { out, program: program.to_owned(), localcord, gateway, api, cast })
    }

    pub(super) fn out(&self) -> &Path {
        &self.out
    }

    pub(super) fn api(&self) -> &Api {
        &self.api
    }

    pub(super) fn cast(&self) -> &Cast {
        &self.cast
    }

    /// Waits until a process ends by itself, which it must not.
    pub(super) async fn breakdown(&mut self) -> Failure {
        let (name, log, status) = tokio::select! {
            status = self.gateway.wait() => ("clawvoice gateway", "gateway.log", status),
            status = self.localcord.wait() => ("localcord", "localcord.log", status),
        };
        let how = status.map_or_else(|error| error.to_string(), |status| status.to_string());
        Failure::unexpected(format_args!("{name} ended in the middle of the scene: {how}"))
            .hint(format_args!("its log is {}", self.out.join(log).display()))
    }

    /// Adds where to look.
    pub(super) fn explain(&self, failure: Failure) -> Failure {
        failure.hint(format_args!(
            "gateway.log, localcord.log and timeline.jsonl in {} tell what happened",
            self.out.display()
        ))
    }

    /// Asks the agent's process to end, as a service manager would, and waits for it.
    pub(super) async fn stop_gateway(&mut self) -> Result<Exit, Failure> {
        let began = Instant::now();
        let status = stop("clawvoice gateway", &mut self.gateway).await?;
        let took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        Ok(Exit { code: status.code(), took_ms })
    }

    /// Asks localcord to end and waits for it.
    pub(super) async fn stop_localcord(&mut self) -> Result<(), Failure> {
        stop("localcord", &mut self.localcord).await.map(|_| ())
    }

    /// How much of the first recording is in the second, measured by localcord.
    pub(super) async fn compare(
        &self,
        reference: &Path,
        recording: &Path,
    ) -> Result<Compared, Failure> {
        let mut command = Command::new(&self.program);
        command.arg("compare").arg(reference).arg(recording).arg("--json").kill_on_drop(true);
        let output = timeout(COMPARE_TIME, command.output()).await;
        let output = output
            .map_err(|_| Failure::unexpected("`localcord compare` takes too long"))?
            .map_err(|error| cannot_run(&self.program, &error))?;
        serde_json::from_slice(&output.stdout).map_err(|_| {
            let told = String::from_utf8_lossy(&output.stderr);
            Failure::unexpected(format_args!("`localcord compare` failed: {}", told.trim()))
        })
    }
}

async fn start_localcord(program: &Path, out: &Path) -> Result<(Child, Served), Failure> {
    let mut child = Command::new(program)
        .args(["serve", "--port", "0", "--json", "--ca-dir"])
        .arg(out)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(log(out, "localcord.log")?)
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| cannot_run(program, &error))?;
    let stdout =
        child.stdout.take().ok_or_else(|| Failure::unexpected("localcord has no stdout"))?;
    let mut line = String::new();
    // A line that did not come is an empty one.
    let _ = timeout(START_TIME, BufReader::new(stdout).read_line(&mut line)).await;
    let served = serde_json::from_str(&line).map_err(|_| {
        Failure::unexpected("localcord did not say where it serves")
            .hint(format_args!("its log is {}", out.join("localcord.log").display()))
    })?;
    Ok((child, served))
}

fn start_gateway(served: &Served, out: &Path, act: Act) -> Result<Child, Failure> {
    let config = out.join("scene/config/demo.json5");
    super::write(&config, props::config(act, &served.api_url).as_bytes())?;
    let us = std::env::current_exe()
        .map_err(|error| Failure::unexpected(format_args!("where is this program? {error}")))?;
    Command::new(&us)
        .arg("gateway")
        .arg("--config")
        .arg(config)
        .arg("--timeline")
        .arg(out.join("timeline.jsonl"))
        .env("DISCORD_BOT_TOKEN", &served.bot_token)
        // Its recordings belong to the demo.
        .env("HOME", out)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log(out, "gateway.log")?)
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| cannot_run(&us, &error))
}

fn log(out: &Path, name: &str) -> Result<File, Failure> {
    let path = out.join(name);
    File::create(&path)
        .map_err(|error| Failure::user(format_args!("cannot write {}: {error}", path.display())))
}

fn cannot_run(program: &Path, error: &std::io::Error) -> Failure {
    Failure::user(format_args!("cannot run {}: {error}", program.display()))
}

fn cast(served: &Served) -> Result<Cast, Failure> {
    let channel = |kind| {
        let found = served.channels.iter().find(|channel| channel.kind == kind);
        found.ok_or_else(|| {
            Failure::unexpected(format_args!("localcord has no channel of type {kind}"))
        })
    };
    let human = |name: &str| {
        let found = served.humans.iter().find(|human| human.name == name);
        let found = found.map(|human| human.id.clone());
        found.ok_or_else(|| Failure::unexpected(format_args!("localcord has no human `{name}`")))
    };
    let voice = channel(VOICE_CHANNEL)?;
    Ok(Cast {
        ada: human("ada")?,
        ben: human("ben")?,
        agent: served.bot_user_id.clone(),
        voice_channel: voice.id.clone(),
        voice_channel_name: voice.name.clone(),
        text_channel: channel(TEXT_CHANNEL)?.id.clone(),
    })
}

/// Asks a process to end and waits for it; one that does not is killed, which is a failure.
async fn stop(name: &str, child: &mut Child) -> Result<ExitStatus, Failure> {
    ask_to_end(child);
    match timeout(STOP_TIME, child.wait()).await {
        Ok(Ok(status)) => Ok(status),
        Ok(Err(error)) => Err(Failure::unexpected(format_args!("cannot wait for {name}: {error}"))),
        Err(_) => Err(Failure::unexpected(format_args!(
            "{name} was told to end and still runs {} s later",
            STOP_TIME.as_secs()
        ))),
    }
}

#[cfg(unix)]
fn ask_to_end(child: &Child) {
    use rustix::process::{Pid, Signal, kill_process};
    let pid = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    if let Some(pid) = pid {
        // One that has just ended cannot be told, and need not be.
        let _ = kill_process(pid, Signal::TERM);
    }
}

#[cfg(not(unix))]
fn ask_to_end(child: &mut Child) {
    // There is no such request; the promises about it are not measured here.
    let _ = child.start_kill();
}
