//! Uploads before the message, and what Discord asks of a voice message, over real sockets.

#![allow(clippy::unwrap_used, reason = "a step that fails is the test's failure")]

use localcord::{
    Server, ServerSettings,
    fault::{FaultSettings, RestFault},
    world::default::{GENERAL, LOUNGE},
};
use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};

/// 256 points, all of the same height.
fn waveform() -> String {
    "CQkJ".repeat(85) + "CQ=="
}

struct Discord {
    server: Server,
    client: Client,
}

impl Discord {
    async fn new() -> Self {
        let server = Server::start(ServerSettings::default()).await.unwrap();
        Self { server, client: Client::new() }
    }

    async fn call(&self, method: Method, path: &str, body: &Value) -> (u16, Value) {
        let token = format!("Bot {}", self.server.bot_token());
        let url = format!("{}{path}", self.server.api_base_url());
        let request = self.client.request(method, url).header("authorization", token);
        let response = request.json(body).send().await.unwrap();
        let status = response.status().as_u16();
        (status, serde_json::from_slice(&response.bytes().await.unwrap()).unwrap_or(Value::Null))
    }

    async fn post(&self, body: &Value) -> (u16, Value) {
        self.call(Method::POST, &format!("/channels/{GENERAL}/messages"), body).await
    }

    /// A place for a file of this size in #general: its address, and its name.
    async fn place(&self, size: usize) -> (String, String) {
        let path = format!("/channels/{GENERAL}/attachments");
        let file = json!({ "filename": "voice-message.ogg", "file_size": size, "id": "0" });
        let (status, body) = self.call(Method::POST, &path, &json!({ "files": [file] })).await;
        assert_eq!(status, 200, "{body}");
        let place = &body["attachments"][0];
        assert_eq!(place["id"], 0);
        let text = |field: &str| place[field].as_str().unwrap().to_owned();
        (text("upload_url"), text("upload_filename"))
    }

    fn put(&self, url: &str, content_type: &str, bytes: &'static [u8]) -> RequestBuilder {
        self.client.put(url).header("content-type", content_type).body(bytes)
    }

    async fn uploaded(&self, content_type: &str) -> String {
        let (url, name) = self.place(4).await;
        let response = self.put(&url, content_type, b"OggS").send().await.unwrap();
        assert_eq!(response.status(), 200);
        name
    }
}

fn voice(name: &str) -> Value {
    json!({
        "flags": 8192,
        "attachments": [{
            "id": "0",
            "filename": "voice-message.ogg",
            "uploaded_filename": name,
            "duration_secs": 1.07,
            "waveform": waveform(),
        }],
    })
}

#[tokio::test]
async fn an_uploaded_file_becomes_a_voice_message_once() {
    let discord = Discord::new().await;
    let name = discord.uploaded("audio/ogg").await;
    let (status, sent) = discord.post(&voice(&name)).await;
    assert_eq!(status, 200, "{sent}");
    assert_eq!(sent["flags"], 8192);
    let attachment = &sent["attachments"][0];
    assert_eq!(attachment["filename"], "voice-message.ogg");
    assert_eq!(attachment["content_type"], "audio/ogg");
    assert_eq!(attachment["duration_secs"], 1.07);
    assert_eq!(attachment["waveform"], waveform());
    assert_eq!((&attachment["size"], sent["attachments"][1].is_null()), (&json!(4), true));
    let file = discord.client.get(attachment["url"].as_str().unwrap()).send().await.unwrap();
    assert_eq!(&file.bytes().await.unwrap()[..], b"OggS");

    let (status, refused) = discord.post(&voice(&name)).await;
    assert_eq!((status, &refused["code"]), (400, &json!(50_146)), "posted a second time");
    let path = format!("/channels/{GENERAL}/messages/{}", sent["id"].as_str().unwrap());
    let (status, refused) = discord.call(Method::PATCH, &path, &json!({ "content": "x" })).await;
    assert_eq!((status, &refused["code"]), (400, &json!(50_162)), "edited");
}

#[tokio::test]
async fn an_uploaded_file_can_be_posted_as_a_file() {
    let discord = Discord::new().await;
    let name = discord.uploaded("audio/ogg").await;
    let about = json!({ "id": "0", "filename": "song.ogg", "uploaded_filename": name });
    let body = json!({ "content": "listen", "attachments": [about] });
    let (status, sent) = discord.post(&body).await;
    assert_eq!(status, 200, "{sent}");
    assert_eq!(sent["attachments"][0]["filename"], "song.ogg");
    assert!(sent["attachments"][0].get("waveform").is_none());
}

#[tokio::test]
async fn what_discord_refuses_is_refused() {
    let discord = Discord::new().await;
    let text = discord.uploaded("text/plain").await;
    let (_, never_put) = discord.place(4).await;
    let one = discord.uploaded("audio/ogg").await;
    let mut with_text = voice(&one);
    with_text["content"] = "hello".into();
    // No more: five messages in five seconds are all that is allowed.
    let cases = [
        (voice("unknown/voice-message.ogg"), 50_146),
        (voice(&never_put), 50_146),
        (voice(&text), 50_160),
        (with_text, 50_159),
    ];
    for (body, code) in cases {
        let (status, refused) = discord.post(&body).await;
        assert_eq!((status, &refused["code"]), (400, &json!(code)), "{body}");
    }
    // A refusal does not use the file up; that of another channel is not there.
    let path = format!("/channels/{LOUNGE}/messages");
    let (status, refused) = discord.call(Method::POST, &path, &voice(&one)).await;
    assert_eq!((status, &refused["code"]), (400, &json!(50_146)));
    assert_eq!(discord.post(&voice(&one)).await.0, 200);
}

#[tokio::test]
async fn the_storage_takes_only_what_was_announced() {
    let discord = Discord::new().await;
    let path = "/channels/5/attachments";
    let (status, refused) = discord.call(Method::POST, path, &json!({ "files": [] })).await;
    assert_eq!((status, &refused["code"]), (400, &json!(50_035)));
    let file = json!({ "filename": "a.ogg", "file_size": 11 * 1024 * 1024 });
    let files = json!({ "files": [file] });
    let (status, refused) = discord.call(Method::POST, path, &files).await;
    assert_eq!((status, &refused["code"]), (413, &json!(40_005)));
    let files = json!({ "files": [{ "filename": "a.ogg", "file_size": 4 }] });
    let (status, refused) = discord.call(Method::POST, path, &files).await;
    assert_eq!((status, &refused["code"]), (404, &json!(10_003)));

    let (url, name) = discord.place(5).await;
    let status = async |request: RequestBuilder| request.send().await.unwrap().status().as_u16();
    let with_token = discord.put(&url, "audio/ogg", b"OggS!").header("authorization", "Bot x");
    assert_eq!(status(with_token).await, 401, "a token at the storage");
    assert_eq!(status(discord.put(&url, "audio/ogg", b"OggS")).await, 400, "too short");
    let unknown = format!("{}x", &url[..url.len() - 1]);
    assert_eq!(status(discord.put(&unknown, "audio/ogg", b"OggS!")).await, 404);
    let rest = vec![RestFault {
        path_prefix: "/upload/".to_owned(),
        status: 503,
        times: 1,
        retry_after: 0.0,
        carried_out: false,
    }];
    discord.server.faults().set(FaultSettings { rest, ..FaultSettings::default() });
    assert_eq!(status(discord.put(&url, "audio/ogg", b"OggS!")).await, 503);
    assert_eq!(discord.post(&voice(&name)).await.1["code"], 50_146, "nothing was taken so far");
    assert_eq!(status(discord.put(&url, "audio/ogg", b"OggS!")).await, 200);
    assert_eq!(discord.post(&voice(&name)).await.0, 200);
}
