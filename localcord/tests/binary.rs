//! The `localcord` binary: what it prints, and how it ends.

#![allow(clippy::unwrap_used, reason = "a step that fails is the test's failure")]

use std::{
    net::TcpListener,
    process::{Output, Stdio},
    time::Duration,
};

use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Command,
    time::timeout,
};

const PATIENCE: Duration = Duration::from_secs(20);

fn localcord(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_localcord"));
    command.arg("serve").args(arguments).kill_on_drop(true);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

async fn output(arguments: &[&str]) -> Output {
    timeout(PATIENCE, localcord(arguments).output()).await.unwrap().unwrap()
}

#[cfg(unix)]
#[tokio::test]
async fn one_line_of_json_then_sigterm_ends_it_with_0() {
    let mut child = localcord(&["--port", "0", "--proxy-port", "0", "--json"]).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let line = timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap().unwrap();
    let told: Value = serde_json::from_str(&line).unwrap();
    let url = format!("{}/gateway", told["api_url"].as_str().unwrap());
    let gateway: Value = reqwest::get(url).await.unwrap().json().await.unwrap();
    assert_eq!(gateway["url"], told["gateway_url"]);
    let proxy = told["proxy_url"].as_str().unwrap();
    assert!(proxy.starts_with("http://127.0.0.1:"), "{proxy}");
    let ca = std::path::PathBuf::from(told["ca_file"].as_str().unwrap());
    assert!(ca.is_absolute() && ca.exists());

    let pid = child.id().unwrap().to_string();
    let sent = Command::new("kill").args(["-TERM", &pid]).status().await.unwrap();
    assert!(sent.success());
    let status = timeout(Duration::from_secs(2), child.wait()).await.unwrap().unwrap();
    assert_eq!(status.code(), Some(0));
    assert!(!ca.exists(), "the temporary certificate is gone");
    assert_eq!(lines.next_line().await.unwrap(), None, "nothing but that line");
}

#[tokio::test]
async fn a_latency_of_more_than_a_minute_is_a_wrong_argument() {
    let output = output(&["--port", "0", "--rest-latency-ms", "60001"]).await;
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(told.contains("0..=60000"), "{told}");
}

#[tokio::test]
async fn mistakes_get_one_sentence_a_hint_and_exit_1() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let folder = tempfile::tempdir().unwrap();
    let broken = folder.path().join("world.json5");
    std::fs::write(&broken, "{").unwrap();
    let broken = broken.to_str().unwrap();
    let missing = folder.path().join("none.json5");
    let cases = [
        (vec!["--port", port.as_str()], "cannot listen on 127.0.0.1:"),
        (vec!["--port", "0", "--bind", "192.0.2.1"], "cannot listen on 192.0.2.1:"),
        (vec!["--port", "0", "--world", missing.to_str().unwrap()], "cannot read the world file"),
        (vec!["--port", "0", "--world", broken], "world.json5:1:"),
        (vec!["--port", "0", "--ca-dir", broken], "cannot write the certificate"),
    ];
    for (arguments, expected) in cases {
        let output = output(&arguments).await;
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{arguments:?} {told}");
        assert!(told.contains(expected), "{arguments:?} {told}");
        assert!(told.lines().count() <= 2, "{told}");
        assert!(output.stdout.is_empty());
    }
}
