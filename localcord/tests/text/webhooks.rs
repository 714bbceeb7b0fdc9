//! Webhooks: made and managed, and what comes through them.

use localcord::world::{
    bits,
    default::{ADA, APPLICATION, BOT_TOKEN, BOT_USER, GENERAL, GUILD, RANDOM},
    intents,
};
use reqwest::Method;
use serde_json::{Value, json};

use super::discord::{Discord, id, refusal};

const HOOKS: &str = "/channels/1100000000000000011/webhooks";

impl Discord {
    /// A webhook of ada, who owns the guild.
    async fn hook(&self, channel: &str, name: &str) -> Value {
        let path = format!("/channels/{channel}/webhooks");
        let (status, hook) = self.human(ADA, Method::POST, &path, json!({ "name": name })).await;
        assert_eq!(status, 200, "{hook}");
        hook
    }

    async fn execute(&self, hook: &Value, query: &str, body: Value) -> (u16, Value) {
        self.anyone(Method::POST, &format!("{}{query}", path(hook)), body).await
    }
}

/// The path that needs no other right.
fn path(hook: &Value) -> String {
    format!("/webhooks/{}/{}", id(hook), hook["token"].as_str().unwrap())
}

#[tokio::test]
async fn webhooks_are_for_those_who_may_manage_them() {
    let mut discord = Discord::new().await;
    let body = json!({ "name": "bridge" });
    for (method, path) in [(Method::POST, HOOKS), (Method::GET, HOOKS)] {
        assert_eq!(refusal(discord.bot(method, path, body.clone()).await), (403, 50_013));
    }
    let everywhere = format!("/guilds/{GUILD}/webhooks");
    assert_eq!(refusal(discord.bot(Method::GET, &everywhere, body.clone()).await), (403, 50_013));
    discord.allow(BOT_USER, GENERAL, bits::MANAGE_WEBHOOKS);
    discord.events();
    for name in ["", "my Discord hook", "Clyde", &"x".repeat(81)] {
        let refused = discord.bot(Method::POST, HOOKS, json!({ "name": name })).await;
        assert_eq!(refusal(refused), (400, 50_035), "{name}");
    }
    assert_eq!(refusal(discord.bot(Method::POST, HOOKS, json!({})).await), (400, 50_035));
    let (status, hook) = discord.bot(Method::POST, HOOKS, body).await;
    assert_eq!((status, &hook["type"], &hook["name"]), (200, &json!(1), &json!("bridge")));
    assert_eq!(hook["application_id"], APPLICATION.to_string());
    assert_eq!(discord.event("WEBHOOKS_UPDATE")["channel_id"], GENERAL.to_string());
    assert_eq!(discord.bot(Method::GET, HOOKS, json!(null)).await.1[0]["id"], hook["id"]);
    let (_, all) = discord.human(ADA, Method::GET, &everywhere, json!(null)).await;
    assert_eq!(all.as_array().unwrap().len(), 1);

    let own = format!("/webhooks/{}", id(&hook));
    let (_, read) = discord.bot(Method::GET, &own, json!(null)).await;
    assert_eq!(
        (&read["token"], &read["user"]["id"]),
        (&hook["token"], &json!(BOT_USER.to_string()))
    );
    let (_, read) = discord.anyone(Method::GET, &path(&hook), json!(null)).await;
    assert_eq!((&read["name"], read.get("user")), (&json!("bridge"), None));
    let (_, renamed) = discord.bot(Method::PATCH, &own, json!({ "name": "b2" })).await;
    assert_eq!(renamed["name"], "b2");
    let (_, renamed) = discord.anyone(Method::PATCH, &path(&hook), json!({ "name": "b3" })).await;
    assert_eq!(renamed["name"], "b3");
    let elsewhere = json!({ "channel_id": RANDOM.to_string() });
    assert_eq!(refusal(discord.bot(Method::PATCH, &own, elsewhere).await), (403, 50_013));
    assert_eq!(refusal(discord.anyone(Method::GET, &own, json!(null)).await), (401, 0));
    let forged = format!("/webhooks/{}/wrong", id(&hook));
    for method in [Method::GET, Method::PATCH, Method::DELETE, Method::POST] {
        let refused = discord.anyone(method, &forged, json!({ "content": "x" })).await;
        assert_eq!(refusal(refused), (401, 50_027));
    }
    assert_eq!(discord.bot(Method::DELETE, &own, json!(null)).await.0, 204);
    assert_eq!(refusal(discord.bot(Method::GET, &own, json!(null)).await), (404, 10_015));
    let again = discord.hook(&GENERAL.to_string(), "again").await;
    assert_eq!(again["application_id"], Value::Null, "a human made it");
    assert_eq!(discord.anyone(Method::DELETE, &path(&again), json!(null)).await.0, 204);
    for number in 0..15 {
        discord.hook(&RANDOM.to_string(), &format!("hook {number}")).await;
    }
    let path = format!("/channels/{RANDOM}/webhooks");
    let refused = discord.human(ADA, Method::POST, &path, json!({ "name": "one more" })).await;
    assert_eq!(refusal(refused), (400, 30_007));
}

#[tokio::test]
async fn a_message_comes_under_the_name_that_was_asked_for() {
    let mut discord = Discord::new().await;
    let hook = discord.hook(&GENERAL.to_string(), "bridge").await;
    let wanted = intents::GUILD_MESSAGES | intents::MESSAGE_CONTENT;
    let mut gateway = discord.gateway(BOT_TOKEN, wanted).await;
    discord.events();
    assert_eq!(discord.execute(&hook, "", json!({ "content": "quiet" })).await, (204, Value::Null));
    assert_eq!(gateway.dispatch("MESSAGE_CREATE").await["author"]["username"], "bridge");
    let body = json!({
        "content": format!("@everyone <@{BOT_USER}>"),
        "username": "Luna",
        "avatar_url": "https://example.com/luna.png",
        "components": [{ "type": 1, "components": [] }],
    });
    let (status, sent) = discord.execute(&hook, "?wait=true", body).await;
    assert_eq!((status, &sent["webhook_id"]), (200, &hook["id"]));
    assert_eq!(sent["components"], json!([]), "only applications send those");
    let told = gateway.dispatch("MESSAGE_CREATE").await;
    assert_eq!((&told["author"]["username"], &told["author"]["id"]), (&json!("Luna"), &hook["id"]));
    assert_eq!((&told["author"]["bot"], told.get("member")), (&json!(true), None));
    assert_eq!(
        (&told["mention_everyone"], &told["mentions"][0]["id"]),
        (&json!(true), &json!(BOT_USER.to_string()))
    );
    assert!(told["author"]["avatar"].is_string());

    let message = format!("{}/messages/{}", path(&hook), id(&sent));
    let (_, edited) = discord.anyone(Method::PATCH, &message, json!({ "content": "new" })).await;
    assert_eq!(
        (&edited["content"], &edited["author"]["username"]),
        (&json!("new"), &json!("Luna"))
    );
    assert_eq!(discord.anyone(Method::GET, &message, json!(null)).await.1["content"], "new");
    let by_bot = format!("/channels/{GENERAL}/messages/{}", id(&sent));
    let refused = discord.bot(Method::PATCH, &by_bot, json!({ "content": "mine" })).await;
    assert_eq!(refusal(refused), (403, 50_005));
    let other = discord.hook(&GENERAL.to_string(), "other").await;
    let foreign = format!("{}/messages/{}", path(&other), id(&sent));
    for method in [Method::GET, Method::PATCH, Method::DELETE] {
        let refused = discord.anyone(method, &foreign, json!({ "content": "x" })).await;
        assert_eq!(refusal(refused), (404, 10_008));
    }
    assert_eq!(discord.anyone(Method::DELETE, &message, json!(null)).await.0, 204);
    assert_eq!(gateway.dispatch("MESSAGE_DELETE").await["id"], sent["id"]);

    for (body, expected) in [
        (json!({}), (400, 50_006)),
        (json!({ "content": "x".repeat(2001) }), (400, 50_035)),
        (json!({ "content": "x", "username": "clyde" }), (400, 50_035)),
        (json!({ "content": "x", "thread_name": "t" }), (400, 220_003)),
    ] {
        let refused = discord.execute(&hook, "", body.clone()).await;
        assert_eq!(refusal(refused), expected, "{body}");
    }
    let journal = discord.client.get(format!("{}/journal", discord.server.control_url()));
    let journal = journal.send().await.unwrap().text().await.unwrap();
    assert!(journal.contains("POST /webhooks/"));
    assert!(!journal.contains(hook["token"].as_str().unwrap()), "the token is nobody's business");
}

#[tokio::test]
async fn threads_take_webhook_messages_and_forums_posts() {
    let mut discord = Discord::new().await;
    let hook = discord.hook(&GENERAL.to_string(), "bridge").await;
    let threads = format!("/channels/{GENERAL}/threads");
    let (_, thread) = discord.bot(Method::POST, &threads, json!({ "name": "t", "type": 11 })).await;
    let archived = json!({ "archived": true });
    discord.bot(Method::PATCH, &format!("/channels/{}", id(&thread)), archived).await;
    discord.events();
    let query = format!("?wait=true&thread_id={}", id(&thread));
    let (status, sent) = discord.execute(&hook, &query, json!({ "content": "in it" })).await;
    assert_eq!((status, &sent["channel_id"]), (200, &thread["id"]));
    assert_eq!(discord.names(), ["THREAD_UPDATE", "MESSAGE_CREATE"], "a webhook joins nothing");
    let message = format!("{}/messages/{}", path(&hook), id(&sent));
    let without = discord.anyone(Method::DELETE, &message, json!(null)).await;
    assert_eq!(refusal(without), (404, 10_008));
    let with = format!("{message}?thread_id={}", id(&thread));
    assert_eq!(discord.anyone(Method::DELETE, &with, json!(null)).await.0, 204);
    let refused = discord.execute(&hook, "?thread_id=5", json!({ "content": "x" })).await;
    assert_eq!(refusal(refused), (404, 10_003));

    let forum = json!({ "name": "help", "type": "forum" });
    let (_, forum) =
        discord.control(Method::POST, &format!("/guilds/{GUILD}/channels"), forum).await;
    let hook = discord.hook(&id(&forum), "reports").await;
    let body = json!({ "content": "first", "thread_name": "report 1", "username": "Nightly" });
    discord.events();
    let (status, first) = discord.execute(&hook, "?wait=true", body.clone()).await;
    assert_eq!((status, &first["id"]), (200, &first["channel_id"]));
    assert_eq!(
        (&first["author"]["username"], &first["webhook_id"]),
        (&json!("Nightly"), &hook["id"])
    );
    let events = discord.events();
    assert_eq!((events[0].0, &events[0].1["name"]), ("THREAD_CREATE", &json!("report 1")));
    assert_eq!(events[0].1["owner_id"], hook["id"]);
    let query = format!("?wait=true&thread_id={}", id(&first));
    let more = json!({ "content": "more" });
    assert_eq!(discord.execute(&hook, &query, more.clone()).await.0, 200);
    assert_eq!(refusal(discord.execute(&hook, "", more).await), (400, 220_001));
    assert_eq!(refusal(discord.execute(&hook, &query, body).await), (400, 220_002));
}
