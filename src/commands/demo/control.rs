//! A client of localcord's control API.

use std::time::Duration;

use reqwest::RequestBuilder;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::printer::Failure;

/// Longer than anything that is waited for takes.
const TIMEOUT: Duration = Duration::from_secs(40);

/// The way from a loudspeaker to the microphone beside it: the delays of a sound card, and how much
/// is lost, as in an ordinary room.
const ECHO_DELAY_MS: u16 = 120;
const ECHO_GAIN_DB: i16 = -12;

/// When a human spoke, in milliseconds since localcord started.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(super) struct Spoken {
    /// The first packet was sent.
    pub(super) started_at_ms: u64,
    /// The last packet of the speech was sent.
    pub(super) finished_at_ms: u64,
}

/// One packet that a human heard.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(super) struct Frame {
    /// When it came, in whole milliseconds since localcord started.
    pub(super) at_ms: u64,
    /// Its place in the recording, in samples at 48 kHz.
    pub(super) offset_samples: u64,
    /// Its length in samples at 48 kHz.
    pub(super) samples: u64,
    /// Its RTP sequence number.
    pub(super) sequence: u16,
    /// Whether it was the frame that ends a talkspurt.
    pub(super) silence: bool,
}

/// What a human heard of somebody on one voice connection.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Heard {
    /// The time of the recording's first sample.
    pub(super) first_frame_at_ms: Option<u64>,
    pub(super) frames: Vec<Frame>,
}

/// Counters of a human's voice client.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Stats {
    pub(super) dave_protocol_version: u16,
    pub(super) undecryptable_after_ready: u64,
    pub(super) undecryptable_before_ready: u64,
    pub(super) decode_errors: u64,
    /// Frames of its own, silence included.
    pub(super) frames_sent: u64,
    /// The others in the epoch.
    pub(super) members: Vec<String>,
}

/// One line of localcord's journal.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Entry {
    pub(super) seq: u64,
    pub(super) kind: String,
    pub(super) name: String,
    pub(super) data: Value,
}

/// Reads journal lines.
pub(super) fn entries(text: &str) -> Result<Vec<Entry>, Failure> {
    let entries = text.lines().map(serde_json::from_str).collect::<Result<_, _>>();
    entries.map_err(|error| Failure::unexpected(format_args!("localcord's journal: {error}")))
}

/// The API of one localcord. Cloning gives another handle to the same.
#[derive(Clone, Debug)]
pub(super) struct Api {
    client: reqwest::Client,
    base: String,
}

impl Api {
    pub(super) fn new(base: &str) -> Result<Self, Failure> {
        // A proxy of the environment does not lead to this machine.
        let client = reqwest::Client::builder().no_proxy().timeout(TIMEOUT).build();
        let client =
            client.map_err(|error| Failure::unexpected(format_args!("no HTTP client: {error}")))?;
        Ok(Self { client, base: base.to_owned() })
    }

    /// Joins a voice channel, or leaves with `None`; a join returns in the epoch of all others.
    pub(super) async fn voice(&self, human: &str, channel: Option<&str>) -> Result<(), Failure> {
        let request = self.post(&format!("humans/{human}/voice?wait=true"));
        self.read::<Value>(request.json(&json!({ "channel_id": channel }))).await.map(|_| ())
    }

    /// Speaks a WAV; returns when it is spoken.
    pub(super) async fn speak(&self, human: &str, wav: &'static [u8]) -> Result<Spoken, Failure> {
        self.read(self.post(&format!("humans/{human}/speak?wait=true")).body(wav)).await
    }

    /// Puts a loudspeaker that plays a user beside a human's microphone.
    pub(super) async fn echo(&self, human: &str, of: &str) -> Result<(), Failure> {
        let request = self.client.put(format!("{}/humans/{human}/echo", self.base));
        let body = json!({ "of": of, "delayMs": ECHO_DELAY_MS, "gainDb": ECHO_GAIN_DB });
        self.read::<Value>(request.json(&body)).await.map(|_| ())
    }

    /// Calls a slash command; gives the text of the answer.
    pub(super) async fn command(&self, human: &str, body: &Value) -> Result<String, Failure> {
        let request = self.post(&format!("humans/{human}/commands?wait=true")).json(body);
        let answer: Value = self.read(request).await?;
        let text = answer["message"]["content"].as_str().or(answer["data"]["content"].as_str());
        Ok(text.unwrap_or_default().to_owned())
    }

    /// What a human heard of a user on the latest connection.
    pub(super) async fn heard(&self, human: &str, from: &str) -> Result<Heard, Failure> {
        self.read(self.get(&format!("humans/{human}/heard?from={from}&format=json"))).await
    }

    /// The same as a WAV file.
    pub(super) async fn heard_wav(&self, human: &str, from: &str) -> Result<Vec<u8>, Failure> {
        let request = self.get(&format!("humans/{human}/heard?from={from}"));
        let bytes = self.send(request).await?.bytes().await;
        bytes.map(|bytes| bytes.to_vec()).map_err(|error| unreadable(&error))
    }

    /// Counters of a human's latest connection.
    pub(super) async fn stats(&self, human: &str) -> Result<Stats, Failure> {
        self.read(self.get(&format!("humans/{human}/stats"))).await
    }

    /// Journal entries after position `since`; waits until there is one.
    pub(super) async fn journal(&self, since: u64) -> Result<Vec<Entry>, Failure> {
        entries(&self.text(&format!("journal?since={since}&wait=true")).await?)
    }

    /// The whole journal, as it came.
    pub(super) async fn journal_text(&self) -> Result<String, Failure> {
        self.text("journal?since=0").await
    }

    /// The wall clock at localcord's zero, in microseconds since 1970.
    pub(super) async fn began_unix_us(&self) -> Result<u64, Failure> {
        let state: Value = self.read(self.get("state")).await?;
        let began = state["began_unix_us"].as_u64();
        began.ok_or_else(|| Failure::unexpected("localcord does not say when it began"))
    }

    fn get(&self, path: &str) -> RequestBuilder {
        self.client.get(format!("{}/{path}", self.base))
    }

    fn post(&self, path: &str) -> RequestBuilder {
        self.client.post(format!("{}/{path}", self.base))
    }

    async fn text(&self, path: &str) -> Result<String, Failure> {
        self.send(self.get(path)).await?.text().await.map_err(|error| unreadable(&error))
    }

    async fn read<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, Failure> {
        self.send(request).await?.json().await.map_err(|error| unreadable(&error))
    }

    async fn send(&self, request: RequestBuilder) -> Result<reqwest::Response, Failure> {
        let answer = request.send().await.map_err(|error| {
            Failure::unexpected(format_args!("localcord does not answer: {error}"))
        })?;
        if answer.status().is_success() {
            return Ok(answer);
        }
        let (url, status) = (answer.url().path().to_owned(), answer.status());
        let told: Value = answer.json().await.unwrap_or_default();
        let why = told["error"].as_str().or(told["message"].as_str()).unwrap_or("no reason given");
        Err(Failure::unexpected(format_args!("localcord refused {url}: {status}: {why}")))
    }
}

fn unreadable(error: &reqwest::Error) -> Failure {
    Failure::unexpected(format_args!("localcord's answer cannot be read: {error}"))
}
