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
