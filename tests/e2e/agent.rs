//! A `clawvoice gateway` process: its log, its timeline, its end.

use std::{
    path::Path,
    process::Stdio,
    sync::Arc,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use serde::Deserialize;
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, BufReader},
    process::{Child, Command},
    task::JoinHandle,
};

use crate::{feed::Feed, soon};

/// A line of the timeline file.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Record {
    pub(crate) at_us: u64,
    pub(crate) line: String,
    pub(crate) fields: Value,
}

/// How a process ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    /// From the signal, or from the wait, to the end.
    pub(crate) after: Duration,
    /// Everything it wrote to stderr.
    pub(crate) log: String,
}

/// A running agent; killed when dropped. A failing test prints its log.
pub(crate) struct Agent {
    child: Child,
    log: Arc<Feed<String>>,
    timeline: Arc<Feed<Record>>,
    readers: Vec<JoinHandle<()>>,
}

impl Agent {
    pub(crate) fn start(config: &Path, token: &str) -> Self {
        Self::start_with(config, token, "info")
    }

    /// `filter` is RUST_LOG.
    pub(crate) fn start_with(config: &Path, token: &str, filter: &str) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_clawvoice"))
            .args(["gateway", "--timeline", "/dev/stdout", "--health", "127.0.0.1:0", "--config"])
            .arg(config)
            .env("DISCORD_BOT_TOKEN", token)
            .env("RUST_LOG", filter)
            .env_remove("OPENAI_API_KEY")
            // The agent keeps its conversations below it.
            .env("HOME", config.parent().unwrap())
            .env("NO_COLOR", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let (log, timeline) = (Arc::<Feed<String>>::default(), Arc::<Feed<Record>>::default());
        let (lines, records) = (Arc::clone(&log), Arc::clone(&timeline));
        let readers = vec![
            tokio::spawn(read(child.stderr.take().unwrap(), move |line| lines.push(line))),
            tokio::spawn(read(child.stdout.take().unwrap(), move |line| {
                records.push(serde_json::from_str(&line).unwrap());
            })),
        ];
        Self { child, log, timeline, readers }
    }

    /// The first log line with `text` in it.
    pub(crate) async fn logs(&self, text: &str) -> String {
        soon(text, self.log.find(0, |line| line.contains(text))).await
    }

    /// Where it serves health, metrics and the dashboard: `http://127.0.0.1:<port>/`.
    pub(crate) async fn health(&self) -> String {
        let line = self.logs("dashboard, health and metrics at ").await;
        line.split(" at ").last().unwrap().trim().to_owned()
    }

    /// All records so far.
    pub(crate) fn records(&self) -> Vec<Record> {
        self.timeline.all()
    }

    /// How many records there are: a position for [`Self::record_from`].
    pub(crate) fn position(&self) -> usize {
        self.timeline.len()
    }

    /// The first record of this name.
    pub(crate) async fn record(&self, line: &str) -> Record {
        self.record_from(0, line).await
    }

    /// The first record from a position on whose name begins like this.
    pub(crate) async fn record_from(&self, from: usize, line: &str) -> Record {
        soon(line, self.timeline.find(from, |record| record.line.starts_with(line))).await
    }

    /// How many records have names that begin like this.
    pub(crate) fn count(&self, line: &str) -> usize {
        self.records().iter().filter(|record| record.line.starts_with(line)).count()
    }

    /// Sends a signal and waits for the end.
    pub(crate) async fn stop_by(&mut self, signal: Signal) -> Ended {
        let id = self.child.id().and_then(|id| Pid::from_raw(id.try_into().unwrap()));
        kill_process(id.unwrap(), signal).unwrap();
        self.ends().await
    }

    /// SIGTERM, and exit code 0.
    pub(crate) async fn stop(&mut self) -> String {
        let ended = self.stop_by(Signal::TERM).await;
        assert_eq!(ended.code, Some(0), "{}", ended.log);
        ended.log
    }

    /// Waits for the end.
    pub(crate) async fn ends(&mut self) -> Ended {
        let began = Instant::now();
        let status = soon("the agent's end", self.child.wait()).await.unwrap();
        let after = began.elapsed();
        for reader in self.readers.drain(..) {
            soon("the agent's last words", reader).await.unwrap();
        }
        Ended { code: status.code(), after, log: self.log.all().join("\n") }
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = self.log.all();
            eprintln!("the agent's log:\n{}", log[log.len().saturating_sub(300)..].join("\n"));
        }
    }
}

async fn read(from: impl AsyncRead + Unpin, mut take: impl FnMut(String)) {
    let mut lines = BufReader::new(from).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        take(line);
    }
}
