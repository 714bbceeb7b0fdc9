//! What the control API sets about speech and media.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, helpers included")]

use std::{future::Future, time::Duration};

use localcord::{Server, ServerSettings, world::default};
use reqwest::Method;
use serde_json::{Value, json};

const INTERRUPT: &[u8] = include_bytes!("../../fixtures/audio/interrupt.wav");

/// Nothing here takes this long.
async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    let waited = tokio::time::timeout(Duration::from_secs(20), future).await;
    waited.unwrap_or_else(|_| panic!("waited too long for {what}"))
}

/// A localcord with its default world.
struct Discord {
    server: Server,
    client: reqwest::Client,
}

impl Discord {
    async fn new() -> Self {
        let server = Server::start(ServerSettings::default()).await.unwrap();
        Self { server, client: reqwest::Client::new() }
    }

    /// A call of the control API.
    async fn order(&self, method: Method, path: &str, body: Value) -> (u16, Value) {
        let url = format!("{}{path}", self.server.control_url());
        let answer = soon(path, self.client.request(method, url).json(&body).send()).await.unwrap();
        let status = answer.status().as_u16();
        (status, answer.json().await.unwrap_or_default())
    }

    async fn join(&self, human: u64, channel: u64) {
        let path = format!("/humans/{human}/voice?wait=true");
        let to = json!({ "channel_id": channel.to_string() });
        assert_eq!(self.order(Method::POST, &path, to).await.0, 200);
    }

    /// Speaks to the end.
    async fn speak(&self, human: u64) -> Value {
        let url = format!("{}/humans/{human}/speak?wait=true", self.server.control_url());
        let answer = soon("the speech", self.client.post(url).body(INTERRUPT).send()).await;
        answer.unwrap().json().await.unwrap()
    }

    async fn heard(&self, human: u64, from: u64) -> Value {
        let path = format!("/humans/{human}/heard?from={from}&format=json");
        self.order(Method::GET, &path, Value::Null).await.1
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn how_a_human_speaks_lasts_beyond_its_stay() {
    let discord = Discord::new().await;
    let path = format!("/humans/{}/speech", default::ADA);
    let usual = json!({ "application": "audio", "bitrate": 64_000, "fec": false,
        "expectedLossPercent": 0, "frameMs": 20.0, "channels": "stereo" });
    assert_eq!(discord.order(Method::PUT, &path, json!({})).await, (200, usual.clone()));
    for wrong in [
        json!({ "frameMs": 15 }),
        json!({ "bitrate": 1_000 }),
        json!({ "fec": true }),
        json!({ "dtx": true }),
        json!(null),
    ] {
        let (status, answer) = discord.order(Method::PUT, &path, wrong.clone()).await;
        assert_eq!((status, answer["error"].is_string()), (400, true), "{wrong}");
    }
    assert_eq!(discord.order(Method::PUT, "/humans/5/speech", json!({})).await.0, 404);

    let mut expected = usual;
    expected["frameMs"] = 60.0.into();
    let set = discord.order(Method::PUT, &path, json!({ "frameMs": 60 })).await;
    assert_eq!(set, (200, expected));
    for human in [default::ADA, default::BEN] {
        discord.join(human, default::LOUNGE).await;
    }
    let spoken = discord.speak(default::ADA).await;
    let heard = discord.heard(default::BEN, default::ADA).await;
    assert_eq!(heard["talkspurts"][0]["frames"], spoken["frames"]);
    assert_eq!(heard["frames"][0]["samples"], 2_880);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_microphone_beside_a_loudspeaker_sends_back_what_it_hears() {
    let discord = Discord::new().await;
    let path = format!("/humans/{}/echo", default::BEN);
    let ada = default::ADA.to_string();
    for (status, wrong) in [
        (400, json!({})),
        (400, json!({ "of": "nobody" })),
        (400, json!({ "of": ada, "delayMs": 10 })),
        (400, json!({ "of": ada, "delayMs": 1_001 })),
        (400, json!({ "of": ada, "gainDb": 1 })),
        (400, json!({ "of": ada, "loud": true })),
        (400, json!({ "of": default::BEN.to_string() })),
        (404, json!({ "of": "5" })),
    ] {
        let (found, answer) = discord.order(Method::PUT, &path, wrong.clone()).await;
        assert_eq!((found, answer["error"].is_string()), (status, true), "{wrong}");
    }
    let usual = json!({ "of": ada, "delayMs": 120, "gainDb": -12.0 });
    let set = discord.order(Method::PUT, &path, json!({ "of": default::ADA })).await;
    assert_eq!(set, (200, usual), "what is left out is as usual");

    for human in [default::ADA, default::BEN, default::CLEO] {
        discord.join(human, default::LOUNGE).await;
    }
    let spoken = discord.speak(default::ADA).await;
    let finished_at_ms = spoken["finished_at_ms"].as_u64().unwrap();
    // Longer than the echo goes on.
    discord.speak(default::CLEO).await;
    let heard = discord.heard(default::CLEO, default::BEN).await;
    let talkspurts = heard["talkspurts"].as_array().unwrap();
    assert_eq!(talkspurts.len(), 1);
    let began = |talkspurt: &Value| talkspurt["started_at_ms"].as_u64().unwrap();
    let original = discord.heard(default::CLEO, default::ADA).await;
    let later = began(&talkspurts[0]).saturating_sub(began(&original["talkspurts"][0]));
    assert!(later >= 115, "{later} ms");
    assert!(talkspurts[0]["ended_at_ms"].as_u64().unwrap() > finished_at_ms);

    assert_eq!(discord.order(Method::PUT, &path, Value::Null).await, (200, Value::Null));
    discord.speak(default::ADA).await;
    let heard = discord.heard(default::CLEO, default::BEN).await;
    assert_eq!(heard["talkspurts"].as_array().unwrap().len(), 1, "no more");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_audience_of_a_stage_is_not_heard_until_a_moderator_lets_it() {
    let discord = Discord::new().await;
    for human in [default::ADA, default::BEN] {
        discord.join(human, default::STAGE).await;
    }
    let let_speak = |moderator: u64, user: &str| {
        let path = format!("/humans/{moderator}/voice-states/{user}");
        let discord = &discord;
        async move { discord.order(Method::PATCH, &path, json!({ "suppress": false })).await }
    };
    discord.speak(default::BEN).await;
    discord.speak(default::ADA).await;
    let heard = discord.heard(default::BEN, default::ADA).await;
    assert!(heard["samples"].as_u64().unwrap() > 0, "the owner moderates");
    assert_eq!(discord.heard(default::ADA, default::BEN).await["samples"], 0);

    let (status, refused) = let_speak(default::BEN, "@me").await;
    assert_eq!((status, &refused["code"]), (403, &json!(50_013)));
    let nobody = let_speak(default::ADA, &default::CLEO.to_string()).await;
    assert_eq!((nobody.0, &nobody.1["code"]), (404, &json!(10_065)));
    assert_eq!(let_speak(default::ADA, &default::BEN.to_string()).await.0, 204);
    let spoken = discord.speak(default::BEN).await;
    let heard = discord.heard(default::ADA, default::BEN).await;
    assert_eq!(heard["talkspurts"][0]["frames"], spoken["frames"]);

    // What was kept back is in the journal.
    let counted = discord.server.journal().wait_for(0, |entry| {
        entry.name == "counts" && entry.data["counts"]["suppressed"].as_u64() > Some(0)
    });
    let counted = soon("the counts", counted).await;
    assert_eq!(counted.data["user_id"], default::BEN.to_string());
    assert!(discord.server.world().moderate_voice(
        default::GUILD,
        default::BEN,
        Some(true),
        None,
        None
    ));
    let before = discord.heard(default::ADA, default::BEN).await["frames"].clone();
    discord.speak(default::BEN).await;
    assert_eq!(discord.heard(default::ADA, default::BEN).await["frames"], before);
}

/// RTP packets of a pcap file: source port, destination port, packet.
fn packets(file: &std::path::Path) -> Vec<(u16, u16, Vec<u8>)> {
    let bytes = std::fs::read(file).unwrap();
    let (header, mut rest) = bytes.split_at(24);
    assert_eq!(header[20..], [101, 0, 0, 0]);
    let mut found = Vec::new();
    while !rest.is_empty() {
        let length = u32::from_le_bytes(rest[8..12].try_into().unwrap()) as usize;
        let packet = etherparse::SlicedPacket::from_ip(&rest[16..16 + length]).unwrap();
        let Some(etherparse::TransportSlice::Udp(udp)) = packet.transport else { panic!("no UDP") };
        found.push((udp.source_port(), udp.destination_port(), udp.payload().to_vec()));
        rest = &rest[16 + length..];
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn every_packet_is_in_the_capture_as_it_was() {
    let discord = Discord::new().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("call.pcap");
    for human in [default::ADA, default::BEN] {
        discord.join(human, default::LOUNGE).await;
    }
    for (body, status) in [
        (json!({}), 400),
        (json!({ "file": "x", "format": "pcapng" }), 400),
        (json!({ "file": folder.path() }), 400),
    ] {
        assert_eq!(discord.order(Method::PUT, "/capture", body.clone()).await.0, status, "{body}");
    }
    assert_eq!(discord.order(Method::DELETE, "/capture", Value::Null).await.0, 404);
    let faults = json!({ "packets": [
        { "every": 3, "change": { "padding": { "bytes": 9 } } },
        { "every": 4, "change": { "csrcs": { "count": 2 } } },
        { "every": 5, "times": 1, "change": "sourcePort" },
    ] });
    assert_eq!(discord.order(Method::PUT, "/faults", faults).await.0, 200);
    let (status, report) = discord.order(Method::PUT, "/capture", json!({ "file": file })).await;
    assert_eq!((status, &report["written"]), (200, &json!(0)));
    let spoken = discord.speak(default::ADA).await;
    assert_eq!(discord.order(Method::GET, "/capture", Value::Null).await.0, 200);
    let (_, report) = discord.order(Method::DELETE, "/capture", Value::Null).await;
    let all = packets(&file);
    assert_eq!(report["written"], all.len());
    assert_eq!((&report["dropped"], &report["sealed"]), (&json!(0), &json!(0)));

    let ada = all[0].0;
    let (received, sent): (Vec<_>, Vec<_>) = all.iter().partition(|packet| packet.0 == ada);
    let frames = spoken["frames"].as_u64().unwrap() as usize + 5;
    assert_eq!((received.len(), sent.len()), (frames, frames));
    assert!(sent[0].0 != sent[1].0 && sent[1].0 == sent[2].0, "one from another port");
    for (n, ((_, server, from), (_, _, to))) in received.iter().zip(&sent).enumerate() {
        assert_eq!((*server, from[0]), (sent[1].0, 0x90), "{n}");
        let csrcs = if n % 4 == 0 { 2 } else { 0 };
        let padding = usize::from(to[0] & 0x20 != 0) * usize::from(*to.last().unwrap());
        if n % 3 == 0 {
            assert_eq!(padding, 9);
        }
        assert_eq!(to[0] & !0x20, 0x90 | csrcs);
        // The same header, and behind CSRCs and extension the same DAVE frame.
        assert_eq!(from[1..12], to[1..12], "{n}");
        let body = 12 + 4 * usize::from(csrcs) + 8;
        assert_eq!(from[20..], to[body..to.len() - padding], "{n}");
        assert!(from.len() > 40 || n >= frames - 5, "a frame and its DAVE trailer");
        assert!(from.ends_with(&[0xFA, 0xFA]) || from.ends_with(&[0xF8, 0xFF, 0xFE]), "{n}");
    }
}

#[tokio::test]
async fn a_bitrate_is_set_or_refused() {
    let discord = Discord::new().await;
    let path = |channel: u64| format!("/channels/{channel}");
    let set = json!({ "bitrate": 96_000 });
    let (status, lounge) = discord.order(Method::PATCH, &path(default::LOUNGE), set.clone()).await;
    assert_eq!((status, &lounge["bitrate"]), (200, &json!(96_000)));
    for (channel, body, status) in [
        (default::LOUNGE, json!({ "bitrate": 1 }), 400),
        (default::LOUNGE, json!({ "bitrate": "96000" }), 400),
        (default::LOUNGE, json!({ "user_limit": 1 }), 400),
        (default::LOUNGE, json!({}), 400),
        (default::LOUNGE, json!(null), 400),
        (default::GENERAL, set.clone(), 400),
        (5, set, 404),
    ] {
        assert_eq!(
            discord.order(Method::PATCH, &path(channel), body.clone()).await.0,
            status,
            "{body}"
        );
    }
}
