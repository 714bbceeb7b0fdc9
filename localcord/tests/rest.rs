//! REST and the control API as clients see them, over real sockets.

#![allow(clippy::unwrap_used, reason = "a step that fails is the test's failure")]

use std::time::Duration;

use localcord::{
    Server, ServerSettings,
    world::{Dispatch, default},
};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::{sync::broadcast, time::timeout};

const PATIENCE: Duration = Duration::from_secs(10);

/// A server and a client with the default bot's token.
struct Discord {
    server: Server,
    client: Client,
    events: broadcast::Receiver<Arc<Dispatch>>,
}

impl Discord {
    async fn new() -> Self {
        let server = Server::start(ServerSettings::default()).await.unwrap();
        let events = server.world().subscribe();
        Self { server, client: Client::new(), events }
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let token = format!("Bot {}", self.server.bot_token());
        let url = format!("{}{path}", self.server.api_base_url());
        self.client.request(method, url).header("authorization", token)
    }

    fn control(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.server.control_url()))
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        read(self.request(Method::GET, path)).await
    }

    async fn send(&self, method: Method, path: &str, body: Value) -> (u16, Value) {
        read(self.request(method, path).json(&body)).await
    }

    async fn order(&self, path: &str, body: Value) -> (u16, Value) {
        read(self.control(Method::POST, path).json(&body)).await
    }

    async fn event(&mut self, name: &str) -> Value {
        let wanted = async {
            loop {
                let event = self.events.recv().await.unwrap();
                if event.event == name {
                    return event.data.clone();
                }
            }
        };
        timeout(PATIENCE, wanted).await.unwrap()
    }
}

async fn read(request: RequestBuilder) -> (u16, Value) {
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    (status, json_of(response).await)
}

async fn json_of(response: Response) -> Value {
    let bytes = response.bytes().await.unwrap();
    serde_json::from_slice(&bytes).unwrap_or(Value::Null)
}

fn id(value: &Value) -> String {
    value["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_bot_finds_itself_and_its_guild() {
    let discord = Discord::new().await;
    let (guild, lounge, ada) = (default::GUILD, default::LOUNGE, default::ADA);
    let cases = [
        ("/gateway".to_owned(), "/url", json!(discord.server.gateway_url())),
        ("/gateway/bot".to_owned(), "/session_start_limit/max_concurrency", json!(1)),
        ("/users/@me".to_owned(), "/username", json!("clawvoice")),
        (format!("/users/{ada}"), "/username", json!("ada")),
        ("/applications/@me".to_owned(), "/id", json!(default::APPLICATION.to_string())),
        ("/oauth2/applications/@me".to_owned(), "/name", json!("clawvoice")),
        ("/users/@me/guilds".to_owned(), "/0/id", json!(guild.to_string())),
        (format!("/guilds/{guild}"), "/owner_id", json!(ada.to_string())),
        (format!("/guilds/{guild}?with_counts=true"), "/approximate_member_count", json!(4)),
        (format!("/guilds/{guild}/channels"), "/0/name", json!("general")),
        (format!("/guilds/{guild}/roles"), "/0/name", json!("@everyone")),
        (format!("/guilds/{guild}/members?limit=2"), "/1/user/bot", json!(false)),
        (format!("/guilds/{guild}/members/search?query=AD"), "/0/user/username", json!("ada")),
        (format!("/guilds/{guild}/members/{ada}"), "/user/id", json!(ada.to_string())),
        (format!("/guilds/{guild}/members/@me"), "/user/bot", json!(true)),
        (format!("/channels/{lounge}"), "/type", json!(2)),
    ];
    for (path, pointer, expected) in cases {
        let (status, body) = discord.get(&path).await;
        assert_eq!(status, 200, "{path} {body}");
        assert_eq!(body.pointer(pointer), Some(&expected), "{path} {body}");
    }
    let unversioned = discord.server.api_base_url().replace("/api/v10", "/api");
    let gateway = discord.client.get(format!("{unversioned}/gateway")).send().await.unwrap();
    assert_eq!(gateway.status(), 200);
}

#[tokio::test]
async fn refusals_have_discords_codes() {
    let discord = Discord::new().await;
    let (guild, general) = (default::GUILD, default::GENERAL);
    let cases = [
        (Method::GET, "/channels/5".to_owned(), json!(null), 404, 10_003),
        (Method::GET, "/channels/x".to_owned(), json!(null), 400, 50_035),
        (Method::GET, "/guilds/5".to_owned(), json!(null), 404, 10_004),
        (Method::GET, format!("/guilds/{guild}/members/5"), json!(null), 404, 10_007),
        (Method::GET, format!("/guilds/{guild}/voice-states/@me"), json!(null), 404, 10_065),
        (Method::GET, format!("/channels/{general}/messages/5"), json!(null), 404, 10_008),
        (Method::GET, format!("/channels/{general}/messages?limit=101"), json!(null), 400, 50_035),
        (Method::POST, format!("/channels/{general}/messages"), json!({}), 400, 50_006),
        (
            Method::POST,
            format!("/channels/{general}/messages"),
            json!({ "content": "x".repeat(2001) }),
            400,
            50_035,
        ),
        (
            Method::POST,
            format!("/channels/{general}/messages"),
            json!({ "content": "re", "message_reference": { "message_id": "5" } }),
            400,
            50_035,
        ),
        (
            Method::POST,
            "/users/@me/channels".to_owned(),
            json!({ "recipient_id": "5" }),
            404,
            10_013,
        ),
        (Method::GET, "/users/5".to_owned(), json!(null), 404, 10_013),
        (Method::GET, "/applications/5/commands".to_owned(), json!(null), 403, 20_012),
        (Method::GET, "/nowhere".to_owned(), json!(null), 404, 0),
        (Method::DELETE, "/gateway".to_owned(), json!(null), 405, 0),
        (Method::POST, "/interactions/1/x/callback".to_owned(), json!({ "type": 5 }), 404, 10_062),
        (Method::POST, "/webhooks/1/x".to_owned(), json!({ "content": "x" }), 404, 10_015),
    ];
    for (method, path, body, status, code) in cases {
        let (found, answer) = discord.send(method, &path, body).await;
        assert_eq!((found, answer["code"].as_u64()), (status, Some(code)), "{path} {answer}");
    }
    for header in ["Bot wrong", "Bearer token", ""] {
        let url = format!("{}/users/@me", discord.server.api_base_url());
        let answer = read(discord.client.get(url).header("authorization", header)).await;
        assert_eq!(answer, (401, json!({ "message": "401: Unauthorized", "code": 0 })));
    }
    let old = discord.server.api_base_url().replace("v10", "v5");
    let token = format!("Bot {}", discord.server.bot_token());
    let answer = read(discord.client.get(format!("{old}/gateway")).header("authorization", token));
    assert_eq!(answer.await.1["code"], 50_041);
}

#[tokio::test]
async fn missing_permissions_are_told_from_missing_access() {
    let discord = Discord::new().await;
    let deny = |channel: u64, bits: u64| {
        discord.server.world().write(|state| {
            let target = localcord::world::Target::Member(default::BOT_USER);
            let overwrite = localcord::world::Overwrite { target, allow: 0, deny: bits };
            state.channels.get_mut(&channel).unwrap().overwrites.push(overwrite);
        });
    };
    deny(default::GENERAL, localcord::world::bits::SEND_MESSAGES);
    deny(default::RANDOM, localcord::world::bits::VIEW_CHANNEL);
    for (channel, code) in [(default::GENERAL, 50_013), (default::RANDOM, 50_001)] {
        let path = format!("/channels/{channel}/messages");
        let (status, body) = discord.send(Method::POST, &path, json!({ "content": "hi" })).await;
        assert_eq!((status, body["code"].as_u64()), (403, Some(code)));
    }
}

#[tokio::test]
async fn a_message_is_sent_read_edited_and_deleted() {
    let mut discord = Discord::new().await;
    let base = format!("/channels/{}/messages", default::GENERAL);
    let content = json!({ "content": "one", "embeds": [{ "title": "t" }] });
    let (status, one) = discord.send(Method::POST, &base, content).await;
    assert_eq!(status, 200);
    assert_eq!(discord.event("MESSAGE_CREATE").await["content"], "one");
    assert_eq!(one["embeds"][0]["type"], "rich");
    let reply = json!({ "content": "two", "message_reference": { "message_id": one["id"] } });
    let (_, two) = discord.send(Method::POST, &base, reply).await;
    assert_eq!(two["type"], 19);
    assert_eq!(two["referenced_message"]["content"], "one");

    let (_, list) = discord.get(&base).await;
    let contents: Vec<&Value> = list.as_array().unwrap().iter().map(|m| &m["content"]).collect();
    assert_eq!(contents, ["two", "one"], "newest first");
    for (query, expected) in [("after", "two"), ("around", "two")] {
        let (_, found) = discord.get(&format!("{base}?{query}={}", id(&one))).await;
        assert_eq!(found[0]["content"], expected, "{query}");
    }
    let (_, before) = discord.get(&format!("{base}?before={}", id(&two))).await;
    assert_eq!(before.as_array().unwrap().len(), 1);

    let path = format!("{base}/{}", id(&one));
    let (_, edited) = discord.send(Method::PATCH, &path, json!({ "content": "ONE" })).await;
    assert_eq!((&edited["content"], edited["edited_timestamp"].is_string()), (&json!("ONE"), true));
    assert_eq!(edited["embeds"][0]["title"], "t", "what is not named stays");
    let emptied = json!({ "content": "", "embeds": [] });
    assert_eq!(discord.send(Method::PATCH, &path, emptied).await.1["code"], 50_006);

    let reaction = format!("{path}/reactions/%F0%9F%91%8D/@me");
    assert_eq!(discord.send(Method::PUT, &reaction, json!(null)).await.0, 204);
    assert_eq!(discord.event("MESSAGE_REACTION_ADD").await["emoji"]["name"], "👍");
    assert_eq!(discord.get(&path).await.1["reactions"][0]["count"], 1);

    assert_eq!(discord.request(Method::DELETE, &path).send().await.unwrap().status(), 204);
    assert_eq!(discord.get(&path).await.1["code"], 10_008);

    let ada = format!("/humans/{}/messages", default::ADA);
    let said = json!({ "channel_id": default::GENERAL.to_string(), "content": "mine" });
    let (_, hers) = discord.order(&ada, said).await;
    let path = format!("{base}/{}", id(&hers));
    assert_eq!(
        discord.send(Method::PATCH, &path, json!({ "content": "no" })).await.1["code"],
        50_005
    );
    assert_eq!(discord.send(Method::DELETE, &path, json!(null)).await.1["code"], 50_013);
}

#[tokio::test]
async fn files_come_back_and_too_much_is_refused() {
    let discord = Discord::new().await;
    let path = format!("/channels/{}/messages", default::GENERAL);
    let parts = "--x\r\ncontent-disposition: form-data; name=\"payload_json\"\r\n\r\n\
        {\"attachments\":[{\"id\":0,\"description\":\"a note\"}]}\r\n--x\r\n\
        content-disposition: form-data; name=\"files[0]\"; filename=\"note.txt\"\r\n\
        content-type: text/plain\r\n\r\nhello file\r\n--x--\r\n";
    let upload = discord
        .request(Method::POST, &path)
        .header("content-type", "multipart/form-data; boundary=x")
        .body(parts);
    let (status, message) = read(upload).await;
    assert_eq!(status, 200, "{message}");
    let attachment = &message["attachments"][0];
    assert_eq!((&attachment["filename"], &attachment["size"]), (&json!("note.txt"), &json!(10)));
    assert_eq!(attachment["description"], "a note");
    let url = attachment["url"].as_str().unwrap();
    let fetched = discord.client.get(url).send().await.unwrap();
    assert_eq!(fetched.headers()["content-type"], "text/plain");
    assert_eq!(fetched.text().await.unwrap(), "hello file");

    let huge = discord
        .request(Method::POST, &path)
        .header("content-type", "application/json")
        .body(vec![b' '; 11 * 1024 * 1024]);
    let refused = huge.send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn the_sixth_message_has_to_wait_and_faults_fail_on_demand() {
    let discord = Discord::new().await;
    let path = format!("/channels/{}/messages", default::GENERAL);
    let mut bucket = None;
    for left in (0..5).rev() {
        let sent = discord.request(Method::POST, &path).json(&json!({ "content": "x" }));
        let sent = sent.send().await.unwrap();
        assert_eq!(sent.headers()["x-ratelimit-limit"], "5");
        assert_eq!(sent.headers()["x-ratelimit-remaining"], left.to_string());
        bucket = Some(sent.headers()["x-ratelimit-bucket"].clone());
    }
    let sixth = discord.request(Method::POST, &path).json(&json!({ "content": "x" }));
    let sixth = sixth.send().await.unwrap();
    assert_eq!(sixth.status(), 429);
    let headers = sixth.headers().clone();
    assert_eq!(headers.get("x-ratelimit-bucket"), bucket.as_ref());
    assert_eq!(headers["x-ratelimit-scope"], "user");
    assert!(headers.contains_key("retry-after") && headers.contains_key("x-ratelimit-reset"));
    let body = json_of(sixth).await;
    assert_eq!(body["global"], false);
    assert!(body["retry_after"].as_f64().unwrap() > 0.0);

    let faults = json!({ "rest": [
        { "pathPrefix": "/users/", "status": 503, "times": 1 },
        { "pathPrefix": "/users/", "status": 429, "times": 1, "retryAfter": 0.25 },
    ]});
    let set = read(discord.control(Method::PUT, "/faults").json(&faults)).await;
    assert_eq!(set.0, 200);
    assert_eq!(discord.get("/users/@me").await.0, 503);
    let (status, body) = discord.get("/users/@me").await;
    assert_eq!((status, &body["retry_after"]), (429, &json!(0.25)));
    assert_eq!(discord.get("/users/@me").await.0, 200);
    let wrong = json!({ "rest": [{ "pathPrefix": "/", "status": 200, "times": 1 }] });
    assert_eq!(read(discord.control(Method::PUT, "/faults").json(&wrong)).await.0, 400);
    let unknown = json!({ "udpDrop": 5 });
    assert_eq!(read(discord.control(Method::PUT, "/faults").json(&unknown)).await.0, 400);
}

#[tokio::test]
async fn commands_are_registered_listed_changed_and_replaced() {
    let discord = Discord::new().await;
    let global = format!("/applications/{}/commands", default::APPLICATION);
    let guild =
        format!("/applications/{}/guilds/{}/commands", default::APPLICATION, default::GUILD);
    for (base, guild_id) in [(&global, Value::Null), (&guild, json!(default::GUILD.to_string()))] {
        let vc = json!({ "name": "vc", "description": "Voice" });
        let (status, made) = discord.send(Method::POST, base, vc.clone()).await;
        assert_eq!((status, &made["guild_id"]), (201, &guild_id));
        let (status, again) = discord.send(Method::POST, base, vc).await;
        assert_eq!((status, &again["id"]), (200, &made["id"]), "the same name replaces");
        let one = format!("{base}/{}", id(&made));
        let (_, changed) = discord.send(Method::PATCH, &one, json!({ "description": "new" })).await;
        assert_eq!(changed["description"], "new");
        assert_eq!(discord.get(&one).await.1["description"], "new");
        let wrong =
            json!([{ "name": "vc", "description": "d" }, { "name": "VC", "description": "d" }]);
        let (status, refused) = discord.send(Method::PUT, base, wrong).await;
        assert_eq!((status, refused["code"].as_u64()), (400, Some(50_035)));
        assert!(refused.pointer("/errors/1/name/_errors/0/code").is_some(), "{refused}");
        let both =
            json!([{ "name": "vc", "description": "d" }, { "name": "b", "description": "d" }]);
        let (_, all) = discord.send(Method::PUT, base, both).await;
        assert_eq!((all[0]["id"].clone(), all.as_array().unwrap().len()), (made["id"].clone(), 2));
        assert_eq!(discord.request(Method::DELETE, &one).send().await.unwrap().status(), 204);
        assert_eq!(discord.get(&one).await.1["code"], 10_063);
        assert_eq!(discord.get(base).await.1.as_array().unwrap().len(), 1);
    }
}

/// Registers `/vc join|leave` and lets ada call it.
async fn call(discord: &Discord, options: Value, wait: bool) -> (u16, Value) {
    let global = format!("/applications/{}/commands", default::APPLICATION);
    let channel = json!({ "name": "channel", "description": "d", "type": 7 });
    let join = json!({ "name": "join", "description": "d", "type": 1, "options": [channel] });
    let leave = json!({ "name": "leave", "description": "d", "type": 1 });
    let vc = json!([{ "name": "vc", "description": "Voice", "options": [join, leave] }]);
    assert_eq!(discord.send(Method::PUT, &global, vc).await.0, 200);
    let path = format!("/humans/{}/commands?wait={wait}", default::ADA);
    discord.order(&path, json!({ "name": "vc", "options": options })).await
}

#[tokio::test]
async fn an_interaction_is_answered_once_and_followed_up() {
    let mut discord = Discord::new().await;
    let options = json!({ "join": { "channel": default::LOUNGE.to_string() } });
    let (status, _) = call(&discord, options, false).await;
    assert_eq!(status, 202);
    let called = discord.event("INTERACTION_CREATE").await;
    let lounge = default::LOUNGE.to_string();
    assert_eq!(called["data"]["options"][0]["options"][0]["value"], lounge);
    assert_eq!(called["data"]["resolved"]["channels"][&lounge]["name"], "Lounge");
    assert_eq!(called["member"]["user"]["username"], "ada");
    assert_eq!(called["context"], 0);

    let token = called["token"].as_str().unwrap().to_owned();
    let callback = format!("/interactions/{}/{token}/callback", id(&called));
    let update = json!({ "type": 7, "data": { "content": "x" } });
    assert_eq!(discord.send(Method::POST, &callback, update).await.1["code"], 50_035);
    let url = format!("{}{callback}?with_response=true", discord.server.api_base_url());
    let answer = json!({ "type": 4, "data": { "content": "Joining", "flags": 64 } });
    // Without an Authorization header: the token is the right.
    let (status, given) = read(discord.client.post(url).json(&answer)).await;
    assert_eq!(status, 200, "{given}");
    assert_eq!(given["interaction"]["response_message_ephemeral"], true);
    assert_eq!(given["resource"]["message"]["content"], "Joining");
    let (status, second) = discord.send(Method::POST, &callback, answer).await;
    assert_eq!((status, second["code"].as_u64()), (400, Some(40_060)));

    let hook = format!("/webhooks/{}/{token}", default::APPLICATION);
    let original = format!("{hook}/messages/@original");
    assert_eq!(discord.get(&original).await.1["content"], "Joining");
    let (_, edited) = discord.send(Method::PATCH, &original, json!({ "content": "Joined" })).await;
    assert_eq!((&edited["content"], &edited["flags"]), (&json!("Joined"), &json!(64)));
    let channel = format!("/channels/{}/messages", default::GENERAL);
    assert_eq!(discord.get(&channel).await.1, json!([]), "only ada sees the answer");

    let (_, more) = discord.send(Method::POST, &hook, json!({ "content": "More" })).await;
    assert_eq!(discord.get(&channel).await.1[0]["content"], "More");
    let path = format!("{hook}/messages/{}", id(&more));
    assert_eq!(discord.request(Method::DELETE, &path).send().await.unwrap().status(), 204);
    assert_eq!(discord.request(Method::DELETE, &original).send().await.unwrap().status(), 204);
    assert_eq!(discord.get(&original).await.1["code"], 10_008);

    let journal = discord.control(Method::GET, "/journal").send().await.unwrap();
    let journal = journal.text().await.unwrap();
    assert!(journal.contains("POST /interactions/"), "the calls are written down");
    assert!(!journal.contains(&token), "the token is not");
    assert!(!journal.contains(&discord.server.bot_token()));
}

#[tokio::test]
async fn a_deferred_answer_is_waited_for() {
    let mut discord = Discord::new().await;
    assert_eq!(call(&discord, json!({ "leave": {} }), false).await.0, 202);
    let _ = discord.event("INTERACTION_CREATE").await;

    let client = discord.client.clone();
    let url =
        format!("{}/humans/{}/commands?wait=true", discord.server.control_url(), default::ADA);
    let asked = tokio::spawn(async move {
        read(client.post(url).json(&json!({ "name": "vc", "options": { "leave": {} } }))).await
    });
    let called = discord.event("INTERACTION_CREATE").await;
    let token = called["token"].as_str().unwrap();
    let callback = format!("/interactions/{}/{token}/callback", id(&called));
    assert_eq!(discord.send(Method::POST, &callback, json!({ "type": 5 })).await.0, 204);
    let original = format!("/webhooks/{}/{token}/messages/@original", default::APPLICATION);
    assert_eq!(discord.get(&original).await.1["flags"], 128, "thinking");
    let (_, edited) = discord.send(Method::PATCH, &original, json!({ "content": "Left" })).await;
    assert_eq!((&edited["flags"], &edited["edited_timestamp"]), (&json!(0), &Value::Null));
    let (status, answer) = timeout(PATIENCE, asked).await.unwrap().unwrap();
    assert_eq!((status, &answer["type"]), (200, &json!(5)));
    assert_eq!(answer["message"]["content"], "Left");
}

#[tokio::test]
async fn commands_that_do_not_exist_or_get_no_answer_are_told_apart() {
    let discord = Discord::new().await;
    let path = format!("/humans/{}/commands?wait=true", default::ADA);
    assert_eq!(discord.order(&path, json!({ "name": "nope" })).await.0, 404);
    let (status, body) = call(&discord, json!({ "stop": {} }), true).await;
    assert_eq!((status, &body["error"]), (400, &json!("there is no option `stop`")));
    let quick = json!({ "name": "vc", "options": { "leave": {} }, "timeout_ms": 50 });
    let (status, body) = discord.order(&path, quick).await;
    assert_eq!((status, &body["error"]), (504, &json!("The application did not respond")));
}

#[tokio::test]
async fn a_button_updates_its_message() {
    let mut discord = Discord::new().await;
    let button = json!({ "type": 2, "style": 1, "label": "Stop", "custom_id": "stop" });
    let message =
        json!({ "content": "Playing", "components": [{ "type": 1, "components": [button] }] });
    let path = format!("/channels/{}/messages", default::GENERAL);
    let (_, sent) = discord.send(Method::POST, &path, message).await;
    let press = json!({
        "channel_id": default::GENERAL.to_string(),
        "message_id": sent["id"],
        "custom_id": "stop",
    });
    let human = format!("/humans/{}/components", default::BEN);
    assert_eq!(discord.order(&human, press).await.0, 202);
    let pressed = discord.event("INTERACTION_CREATE").await;
    assert_eq!((&pressed["type"], &pressed["data"]["component_type"]), (&json!(3), &json!(2)));
    assert_eq!(pressed["message"]["id"], sent["id"]);
    let token = pressed["token"].as_str().unwrap();
    let callback = format!("/interactions/{}/{token}/callback", id(&pressed));
    let update = json!({ "type": 7, "data": { "content": "Stopped", "components": [] } });
    assert_eq!(discord.send(Method::POST, &callback, update).await.0, 204);
    let (_, after) = discord.get(&format!("{path}/{}", id(&sent))).await;
    assert_eq!((&after["content"], &after["components"]), (&json!("Stopped"), &json!([])));
}

#[tokio::test]
async fn threads_direct_messages_and_typing() {
    let mut discord = Discord::new().await;
    let base = format!("/channels/{}", default::GENERAL);
    let (_, sent) =
        discord.send(Method::POST, &format!("{base}/messages"), json!({ "content": "x" })).await;
    let path = format!("{base}/messages/{}/threads", id(&sent));
    let (status, thread) = discord.send(Method::POST, &path, json!({ "name": "about x" })).await;
    assert_eq!((status, &thread["id"]), (201, &sent["id"]));
    assert_eq!(
        discord.send(Method::POST, &path, json!({ "name": "again" })).await.1["code"],
        160_004
    );
    let (_, free) = discord
        .send(Method::POST, &format!("{base}/threads"), json!({ "name": "t", "type": 11 }))
        .await;
    let into = format!("/channels/{}/messages", id(&free));
    assert_eq!(discord.send(Method::POST, &into, json!({ "content": "in" })).await.0, 200);

    let recipient = json!({ "recipient_id": default::BEN.to_string() });
    let (_, direct) = discord.send(Method::POST, "/users/@me/channels", recipient.clone()).await;
    assert_eq!((&direct["type"], &direct["recipients"][0]["username"]), (&json!(1), &json!("ben")));
    let (_, again) = discord.send(Method::POST, "/users/@me/channels", recipient).await;
    assert_eq!(again["id"], direct["id"]);
    let typing = format!("/channels/{}/typing", id(&direct));
    assert_eq!(discord.send(Method::POST, &typing, json!(null)).await.0, 204);
    assert_eq!(discord.event("TYPING_START").await["channel_id"], direct["id"]);
}

#[tokio::test]
async fn humans_and_bots_come_and_a_reset_takes_them_away() {
    let discord = Discord::new().await;
    let (status, bot) = discord.order("/bots", json!({ "name": "second" })).await;
    assert_eq!(status, 201);
    let token = format!("Bot {}", bot["token"].as_str().unwrap());
    let me = format!("{}/users/@me", discord.server.api_base_url());
    let found = read(discord.client.get(&me).header("authorization", &token)).await;
    assert_eq!((found.0, &found.1["id"]), (200, &bot["user_id"]));

    let (_, dora) = discord.order("/humans", json!({ "name": "dora" })).await;
    let hello = json!({ "channel_id": default::GENERAL.to_string(), "content": "hello" });
    let as_me = discord.control(Method::POST, "/humans/@me/messages").json(&hello);
    let as_me = as_me.header("authorization", dora["token"].as_str().unwrap());
    assert_eq!(read(as_me).await.1["author"]["id"], dora["id"]);
    let read_back = format!("/channels/{}/messages", default::GENERAL);
    let (_, messages) = read(discord.control(Method::GET, &read_back)).await;
    assert_eq!(messages[0]["content"], "hello");
    assert_eq!(discord.order("/humans/5/messages", hello.clone()).await.0, 404);
    assert_eq!(discord.order("/humans", json!({})).await.0, 400);

    let reset = discord.control(Method::POST, "/reset").send().await.unwrap();
    assert_eq!(reset.status(), 204);
    assert_eq!(read(discord.client.get(&me).header("authorization", &token)).await.0, 401);
    let (_, state) = read(discord.control(Method::GET, "/state")).await;
    assert_eq!(state["humans"].as_array().unwrap().len(), 3);
    let foreign = discord.control(Method::POST, "/reset").header("origin", "https://example.com");
    assert_eq!(foreign.send().await.unwrap().status(), 403);
}

#[tokio::test]
async fn humans_talk_through_the_control_api() {
    let discord = Discord::new().await;
    let ask = include_bytes!("../../fixtures/audio/interrupt.wav");
    let lounge = json!({ "channel_id": default::LOUNGE.to_string() });
    let path = |human: u64, what: &str| format!("/humans/{human}/{what}");
    let silent = discord.control(Method::POST, &path(default::ADA, "speak")).body(&ask[..]);
    assert_eq!(read(silent).await.0, 409, "ada is nowhere yet");
    for human in [default::ADA, default::BEN] {
        let (status, joined) = discord.order(&path(human, "voice?wait=true"), lounge.clone()).await;
        assert_eq!((status, &joined["connection"]), (200, &json!(0)), "{joined}");
    }
    let voice = format!("/guilds/{}/voice-states/{}", default::GUILD, default::ADA);
    assert_eq!(discord.get(&voice).await.1["channel_id"], lounge["channel_id"]);
    let speech = discord.control(Method::POST, &path(default::ADA, "speak?wait=true"));
    let (status, spoken) = read(speech.body(&ask[..])).await;
    assert_eq!((status, &spoken["frames_unsent"]), (200, &json!(0)), "{spoken}");
    let bad = discord.control(Method::POST, &path(default::ADA, "speak?wait=true")).body("no wav");
    assert_eq!(read(bad).await.0, 400);

    let heard = path(default::BEN, &format!("heard?from={}", default::ADA));
    let wav = discord.control(Method::GET, &heard).send().await.unwrap().bytes().await.unwrap();
    let samples = hound::WavReader::new(&wav[..]).unwrap().duration();
    let (_, told) = read(discord.control(Method::GET, &format!("{heard}&format=json"))).await;
    assert_eq!(told["samples"], samples);
    assert_eq!(told["talkspurts"][0]["frames"], spoken["frames"]);
    let (_, stats) = read(discord.control(Method::GET, &path(default::BEN, "stats"))).await;
    assert_eq!(stats["dave_protocol_version"], 1);
    assert_eq!(stats["members"], json!([default::ADA.to_string()]));
    assert_eq!(stats["undecryptable_after_ready"], 0);

    let close = json!({ "user_id": default::BEN.to_string(), "code": 4015 });
    assert_eq!(discord.order("/faults/voice-close", close.clone()).await.0, 204);
    let left = discord.order(&path(default::ADA, "voice"), json!({ "channel_id": null })).await;
    assert_eq!(left.0, 200);
    assert_eq!(discord.get(&voice).await.1["code"], 10_065);
    let (status, again) = discord.order(&path(default::ADA, "voice"), lounge).await;
    assert_eq!((status, &again["connection"]), (200, &json!(1)), "a new connection");
    let nobody = json!({ "user_id": default::CLEO.to_string(), "code": 4015 });
    assert_eq!(discord.order("/faults/voice-close", nobody).await.0, 409);
}

#[tokio::test]
async fn a_bot_asks_to_speak_in_a_stage() {
    let mut discord = Discord::new().await;
    let world = discord.server.world().clone();
    let path = format!("/guilds/{}/voice-states/@me", default::GUILD);
    let code = async |discord: &Discord, body: Value| {
        discord.send(Method::PATCH, &path, body).await.1["code"].clone()
    };
    assert_eq!(code(&discord, json!({ "suppress": true })).await, 10_065);
    let stage = Some(default::STAGE);
    world.set_voice_state(default::GUILD, default::BOT_USER, stage, false, false).unwrap();
    for (body, expected) in [
        (json!({ "suppress": false }), 50_013),
        (json!({ "channel_id": default::LOUNGE.to_string(), "suppress": true }), 50_024),
        (json!({ "channel_id": "x" }), 50_035),
        (json!({ "suppress": "yes" }), 50_035),
        (json!({ "request_to_speak_timestamp": "soon" }), 50_035),
        (json!({ "request_to_speak_timestamp": "2020-01-01T00:00:00Z" }), 50_035),
    ] {
        assert_eq!(code(&discord, body.clone()).await, expected, "{body}");
    }
    assert_eq!(discord.event("VOICE_STATE_UPDATE").await["suppress"], true);
    let at = "2100-01-01T00:00:00.000000+00:00";
    let asks =
        json!({ "channel_id": default::STAGE.to_string(), "request_to_speak_timestamp": at });
    assert_eq!(discord.send(Method::PATCH, &path, asks).await.0, 204);
    assert_eq!(discord.event("VOICE_STATE_UPDATE").await["request_to_speak_timestamp"], at);
    assert_eq!(discord.get(&path).await.1["request_to_speak_timestamp"], at);
}

#[tokio::test]
async fn the_journal_is_json_lines_from_a_position_on() {
    let discord = Discord::new().await;
    assert_eq!(discord.get("/users/@me").await.0, 200);
    let read_from = async |since: u64, wait: bool| -> Vec<Value> {
        let path = format!("/journal?since={since}&wait={wait}");
        let text = discord.control(Method::GET, &path).send().await.unwrap().text().await.unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let all = read_from(0, false).await;
    let last = all.last().unwrap();
    assert_eq!((&last["kind"], &last["name"]), (&json!("rest"), &json!("GET /users/@me")));
    assert_eq!(last["data"]["status"], 200);
    let since = last["seq"].as_u64().unwrap();
    assert_eq!(read_from(since, false).await, Vec::<Value>::new());
    let (waited, _) = tokio::join!(read_from(since, true), discord.get("/gateway"));
    assert_eq!(waited[0]["name"], "GET /gateway");
}
