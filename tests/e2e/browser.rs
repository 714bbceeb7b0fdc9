//! A headless Chromium, by its DevTools protocol: opens one page, asks it things, hears its
//! complaints.
//!
//! Source: Chrome DevTools Protocol, domains Page, Runtime and Log.

use std::{path::Path, process::Stdio, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    net::TcpStream,
    process::{Child, Command},
};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async, tungstenite::Message};

use crate::soon;

/// Names under which systems have it.
const PROGRAMS: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];
/// How often a page is asked whether something has come about.
const LOOK: Duration = Duration::from_millis(100);

/// One page of one browser.
pub(crate) struct Page {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    next: u64,
    /// Exceptions, console errors, blocked requests.
    pub(crate) complaints: Vec<String>,
    _browser: Child,
    _profile: TempDir,
}

impl Page {
    /// Starts a browser that shows `url`.
    pub(crate) async fn open(url: &str) -> Self {
        let profile = tempfile::tempdir().unwrap();
        let mut browser = start(profile.path());
        let mut lines = BufReader::new(browser.stderr.take().unwrap()).lines();
        let address = async {
            loop {
                let line = lines.next_line().await.unwrap().expect("the browser ended");
                if let Some(address) = line.strip_prefix("DevTools listening on ws://") {
                    return address.split('/').next().unwrap().to_owned();
                }
            }
        };
        let address = soon("the browser", address).await;
        // What it says further is of no use, but must be read.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        let http = reqwest::Client::new();
        let opened = http.put(format!("http://{address}/json/new?about:blank")).send();
        let page: Value = soon("a page", opened).await.unwrap().json().await.unwrap();
        let socket = page["webSocketDebuggerUrl"].as_str().unwrap();
        let (socket, _) = soon("the page's socket", connect_async(socket)).await.unwrap();
        let complaints = Vec::new();
        let mut page = Self { socket, next: 0, complaints, _browser: browser, _profile: profile };
        for domain in ["Page.enable", "Runtime.enable", "Log.enable"] {
            page.call(domain, json!({})).await;
        }
        page.call("Page.navigate", json!({ "url": url })).await;
        page
    }

    /// Waits until a JavaScript expression is true.
    pub(crate) async fn until(&mut self, expression: &str) {
        let seen = async {
            while self.ask(expression).await != Value::Bool(true) {
                tokio::time::sleep(LOOK).await;
            }
        };
        soon(expression, seen).await;
    }

    /// The value of a JavaScript expression.
    pub(crate) async fn ask(&mut self, expression: &str) -> Value {
        let asked = json!({ "expression": expression, "returnByValue": true });
        self.call("Runtime.evaluate", asked).await["result"]["value"].clone()
    }

    /// A picture of the page, as PNG.
    pub(crate) async fn picture(&mut self) -> Vec<u8> {
        let size = json!({ "width": 1200, "height": 900, "deviceScaleFactor": 1, "mobile": false });
        self.call("Emulation.setDeviceMetricsOverride", size).await;
        let shot = self.call("Page.captureScreenshot", json!({ "format": "png" })).await;
        STANDARD.decode(shot["data"].as_str().unwrap()).unwrap()
    }

    async fn call(&mut self, method: &str, params: Value) -> Value {
        self.next += 1;
        let id = self.next;
        let message = json!({ "id": id, "method": method, "params": params }).to_string();
        self.socket.send(Message::text(message)).await.unwrap();
        let answered = async {
            loop {
                let message = self.socket.next().await.expect("the page is gone").unwrap();
                let Message::Text(text) = message else { continue };
                let message: Value = serde_json::from_str(&text).unwrap();
                if message["id"] == id {
                    assert!(message["error"].is_null(), "{method}: {message}");
                    return message["result"].clone();
                }
                self.complaints.extend(complaint(&message));
            }
        };
        soon(method, answered).await
    }
}

/// What an event complains of.
fn complaint(event: &Value) -> Option<String> {
    let params = &event["params"];
    let is_complaint = match event["method"].as_str()? {
        "Runtime.exceptionThrown" => true,
        "Runtime.consoleAPICalled" => matches!(params["type"].as_str(), Some("error" | "warning")),
        "Log.entryAdded" => matches!(params["entry"]["level"].as_str(), Some("error" | "warning")),
        _ => false,
    };
    is_complaint.then(|| params.to_string())
}

fn start(profile: &Path) -> Child {
    for program in PROGRAMS {
        let started = Command::new(program)
            .args(["--headless=new", "--disable-gpu", "--no-sandbox", "--no-first-run"])
            .arg("--remote-debugging-port=0")
            .arg(format!("--user-data-dir={}", profile.display()))
            .arg("about:blank")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn();
        if let Ok(child) = started {
            return child;
        }
    }
    panic!("none of {PROGRAMS:?} is installed");
}
