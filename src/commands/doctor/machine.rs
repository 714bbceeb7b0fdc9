//! This machine: folders, disk, store, sockets.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    path::{Path, PathBuf},
    time::Duration,
};

use clawvoice_config::Config;
use clawvoice_session::shell::store::{Store, StoreError};

use super::finding::Finding;
use crate::keeping::{Mib, Places};

/// Less free space than this is soon used up by recordings and logs.
const LITTLE_SPACE: u64 = 200 << 20;
/// Less is none.
const NO_SPACE: u64 = 16 << 20;
/// For a program on this machine to answer.
const LOCAL_ANSWER: Duration = Duration::from_secs(2);

pub(super) async fn check(config: &Config, health: Option<SocketAddr>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut folders: Vec<PathBuf> = Vec::new();
    if let Some(folder) = config.session_store.parent() {
        folders.push(folder.to_owned());
    }
    if let Some(timeline) = &config.discord.voice.timeline {
        folders.push(timeline.folder.clone());
    }
    for folder in &folders {
        findings.extend(writable(folder));
    }
    // Folders that are not there yet may have one above them in common.
    findings.dedup();
    if let Some(folder) = folders.first() {
        findings.extend(space(folder));
    }
    findings.extend(budget_of(config, &Places::of(config)));
    findings.push(store(&config.session_store).await);
    findings.push(udp());
    if let Some(address) = health {
        findings.push(running(address).await);
    }
    findings
}

/// A folder that is not there yet is made when it is needed; so is the one above it looked at.
fn writable(folder: &Path) -> Vec<Finding> {
    const ID: &str = "state.folder";
    let Some(there) = folder.ancestors().find(|folder| folder.exists()) else {
        return vec![Finding::error(ID, format!("{} is on no disk", folder.display()))];
    };
    let probe = there.join(format!(".clawvoice-doctor-{}", std::process::id()));
    let written = std::fs::write(&probe, b"x").and_then(|()| std::fs::remove_file(&probe));
    let mut findings = Vec::new();
    match written {
        Ok(()) => findings.push(Finding::ok(ID, format!("{} can be written to", there.display()))),
        Err(error) => {
            // What was begun is not left behind.
            let _ = std::fs::remove_file(&probe);
            let what = format!("{} cannot be written to: {error}", there.display());
            findings.push(Finding::error(ID, what).fix(match error.kind() {
                io::ErrorKind::StorageFull => "free some space on that disk",
                io::ErrorKind::ReadOnlyFilesystem => "mount the disk for writing",
                _ => "let the user that runs clawvoice own the folder, or move it (session.store, voice.timeline.folder)",
            }));
        }
    }
    #[cfg(unix)]
    if let Ok(metadata) = folder.metadata() {
        use std::os::unix::fs::PermissionsExt as _;
        if metadata.permissions().mode() & 0o007 != 0 && folder.ends_with("state") {
            let what = format!("everybody on this machine may look into {}", folder.display());
            findings.push(
                Finding::warn("state.permissions", what)
                    .fix(format!("chmod 700 {}", folder.display())),
            );
        }
    }
    findings
}

#[cfg(unix)]
fn space(folder: &Path) -> Option<Finding> {
    const ID: &str = "state.space";
    let there = folder.ancestors().find(|folder| folder.exists())?;
    let disk = rustix::fs::statvfs(there).ok()?;
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    let what = format!("{} MiB are free where {} is", free >> 20, there.display());
    Some(match free {
        ..NO_SPACE => Finding::error(ID, what).fix("free some space: nothing can be kept"),
        NO_SPACE..LITTLE_SPACE => Finding::warn(ID, what).fix("free some space before it runs out"),
        _ => Finding::ok(ID, what),
    })
}

#[cfg(not(unix))]
fn space(_: &Path) -> Option<Finding> {
    None
}

/// What is kept, held against what it may take.
fn budget_of(config: &Config, places: &Places) -> Option<Finding> {
    const ID: &str = "state.budget";
    let budget = config.session.maintenance.disk?;
    let bytes = match places.bytes() {
        Ok(bytes) => bytes,
        Err(error) => {
            return Some(Finding::warn(ID, format!("what is kept is not known: {error}")));
        }
    };
    let what = format!("what is kept takes {} of {}", Mib(bytes), Mib(budget.max));
    Some(if bytes <= budget.max {
        Finding::ok(ID, what)
    } else {
        Finding::warn(ID, what).fix(
            "a running clawvoice deletes the oldest once an hour (session.maintenance.mode              \"enforce\"); raise session.maintenance.maxDiskBytes if that does not help",
        )
    })
}

async fn store(path: &Path) -> Finding {
    const ID: &str = "state.store";
    if !path.exists() {
        return Finding::ok(ID, format!("{} is made at the first start", path.display()));
    }
    match Store::check(path).await {
        Ok(()) => Finding::ok(ID, format!("{} is whole and can be written to", path.display())),
        Err(error) => {
            let fix = match &error {
                StoreError::Open { words, .. } if words.contains("locked") => {
                    "another program holds it for writing: end that one, or wait"
                }
                error if error.may_pass() => "look at the disk and at who owns the file",
                _ => "move the file away (conversations begin anew), or restore it from a copy",
            };
            Finding::error(ID, error.to_string()).fix(fix)
        }
    }
}

/// Whether UDP can be sent at all. That it reaches Discord shows only in a call.
fn udp() -> Finding {
    const ID: &str = "network.udp";
    let tried = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))
        .and_then(|socket| socket.connect((Ipv4Addr::new(198, 51, 100, 1), 50_000)));
    match tried {
        Ok(()) => Finding::ok(ID, "UDP can be sent (voice uses UDP to ports 50000 to 65535)"),
        Err(error) => Finding::error(ID, format!("UDP cannot be sent: {error}"))
            .fix("voice needs UDP to ports 50000 to 65535: allow it in the firewall"),
    }
}

/// Whether a clawvoice runs already, and how it is.
async fn running(address: SocketAddr) -> Finding {
    const ID: &str = "process";
    let ask = async {
        let client = reqwest::Client::builder().timeout(LOCAL_ANSWER).build()?;
        let answer = client.get(format!("http://{address}/healthz")).send().await?;
        answer.json::<serde_json::Value>().await
    };
    match ask.await {
        Ok(verdict) if verdict["ok"] == true => {
            Finding::ok(ID, format!("a clawvoice runs and is well: http://{address}/"))
        }
        Ok(verdict) => {
            let problems = verdict["problems"].as_array().map(Vec::as_slice).unwrap_or_default();
            let words: Vec<&str> = problems.iter().filter_map(|it| it.as_str()).collect();
            Finding::error(ID, format!("a clawvoice runs, but: {}", words.join("; ")))
                .fix("`clawvoice logs` tells what came before")
        }
        Err(error) if error.is_connect() => Finding::ok(ID, "no clawvoice runs here at the moment"),
        Err(_) => Finding::warn(ID, format!("another program answers at {address}"))
            .fix("choose another port for health and dashboard"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::doctor::finding::Level;

    #[test]
    fn a_folder_that_cannot_be_written_to_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let fine = writable(&folder.path().join("state"));
        assert_eq!(fine.iter().map(|it| it.level).collect::<Vec<_>>(), [Level::Ok]);
        assert_eq!(folder.path().read_dir().unwrap().count(), 0, "nothing is left behind");
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        let [bad] = &writable(&file.join("state"))[..] else { panic!("one finding") };
        assert_eq!(bad.level, Level::Error);
        assert!(bad.what.contains("file cannot be written to"), "{}", bad.what);
    }

    #[test]
    fn what_is_kept_is_held_against_its_budget() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state");
        std::fs::create_dir_all(state.join("timeline")).unwrap();
        for (file, length) in [("s.sqlite", 900), ("s.sqlite-wal", 50), ("timeline/a.jsonl", 70)] {
            std::fs::write(state.join(file), vec![b'x'; length]).unwrap();
        }
        std::fs::write(state.join("timeline/notes.txt"), "not ours").unwrap();
        let found = |budget: &str| {
            let text = format!(
                "{{ channels: {{ discord: {{ token: 'a.b.c', voice: {{ timeline: {{ folder: '{state}/timeline' }} }} }} }}, \
                 session: {{ store: '{state}/s.sqlite', maintenance: {{ maxDiskBytes: {budget} }} }} }}",
                state = state.display()
            );
            let nothing: std::collections::BTreeMap<String, String> = Default::default();
            let path = folder.path().join("c.json5");
            let config = clawvoice_config::parse(&text, &path, &nothing).unwrap();
            let mut places = Places::of(&config);
            places.without_log();
            (places.bytes().unwrap(), budget_of(&config, &places).map(|it| it.level))
        };
        assert_eq!(found("1020"), (1_020, Some(Level::Ok)));
        assert_eq!(found("1019"), (1_020, Some(Level::Warn)));
        assert_eq!(found("false"), (1_020, None));
    }

    #[tokio::test]
    async fn a_store_with_something_else_in_it_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sessions.sqlite");
        assert_eq!(store(&path).await.level, Level::Ok);
        std::fs::write(&path, "not a database ".repeat(100)).unwrap();
        let bad = store(&path).await;
        assert_eq!(bad.level, Level::Error);
        assert!(bad.fix.unwrap().starts_with("move the file away"));
    }

    #[tokio::test]
    async fn what_runs_here_is_asked_how_it_is() {
        let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = nobody.local_addr().unwrap();
        drop(nobody);
        assert_eq!(running(address).await.level, Level::Ok);
    }
}
