//! `/focus`: threads that belong to a session.

use localcord::world::default::{ADA, BEN, BOT_USER, GENERAL};
use reqwest::Method;
use serde_json::{Value, json};

use super::{
    agents::two_agents,
    chat::{Chat, QUIET, id},
};
use crate::{
    brain::{Reply, Served},
    soon,
};

impl Chat {
    /// Ada binds a new thread of #general to the agent `ops`; gives it.
    async fn focuses(&self) -> u64 {
        let from = self.position();
        self.writes(ADA, GENERAL, "/focus ops").await;
        let told = self.bot_from(from, "bound to").await["content"].as_str().unwrap().to_owned();
        let thread = told.split(['#', '>']).nth(1).unwrap_or_else(|| panic!("{told}"));
        thread.parse().unwrap_or_else(|_| panic!("{told}"))
    }
}

/// Keys by which Ada commands, and a mention is needed everywhere.
fn keys() -> String {
    format!("{QUIET} allowFrom: ['{ADA}'],")
}

/// Scenario 40: a bound thread needs no mention. Its session answers there under its own name, also
/// after a restart, and is no more when somebody ends it.
#[tokio::test]
async fn a_bound_thread_belongs_to_its_session() {
    let molty = Served::new(&[Reply::Text(&["I am Molty."])]).await;
    let ops = Served::new(&[Reply::Text(&["All quiet."]), Reply::Text(&["Still quiet."])]).await;
    let chat = Chat::new().await;
    chat.lets_bot(GENERAL, &["MANAGE_WEBHOOKS"], &[]).await;
    let config = chat.config(&keys(), &two_agents(&molty, &ops, ""));
    let mut agent = chat.start(&config).await;
    let thread = chat.focuses().await;
    let place = Value::from(thread.to_string());
    let opened = chat.event("THREAD_CREATE", |it| it["id"] == place).await;
    assert_eq!(opened["name"], "🤖 ops");
    let intro = chat.bot("⚙️ ops session active").await;
    assert_eq!(intro["channel_id"], place);
    let is_said = |words: &'static str| {
        move |it: &Value| it["content"] == words && it["author"]["bot"] == true
    };
    chat.writes(BEN, thread, "how is it going?").await;
    let answer = chat.event("MESSAGE_CREATE", is_said("All quiet.")).await;
    assert_eq!(answer["author"]["username"], "🤖 ops");
    assert_eq!(answer["channel_id"], place);
    assert!(answer["webhook_id"].is_string(), "{answer}");
    agent.logs("outbound-echo").await;
    // What the webhook says is the bot's own to whoever reacts to it.
    let path = format!("/channels/{thread}/messages/{}/reactions/👍/@me", id(&answer));
    chat.acts(BEN, Method::PUT, &path, &json!(null)).await;
    agent.logs("to be told: Discord reaction added: 👍 by ben").await;
    agent.stop().await;

    let mut agent = chat.start(&config).await;
    chat.writes(BEN, thread, "and now?").await;
    let answer = chat.event("MESSAGE_CREATE", is_said("Still quiet.")).await;
    assert_eq!(answer["author"]["username"], "🤖 ops");
    let request = ops.request(1).await.to_string();
    assert!(request.contains("All quiet."), "{request}");
    // Another thread of the channel shares the webhook.
    let other = chat.focuses().await;
    chat.writes(ADA, other, "/unfocus").await;
    chat.bot("No longer bound").await;
    chat.writes(ADA, thread, "/unfocus").await;
    const FAREWELL: &str = "⚙️ Session ended. Messages here will no longer be routed.";
    let is_farewell = |it: &Value| it["content"] == FAREWELL && it["channel_id"] == place;
    let farewell = chat.event("MESSAGE_CREATE", is_farewell).await;
    assert_eq!(farewell["author"]["id"], BOT_USER.to_string());
    // The webhook came, and went with the last thread that it spoke in.
    let came_and_went = async {
        while chat.all("WEBHOOKS_UPDATE", |_| true).len() < 2 {
            tokio::task::yield_now().await;
        }
    };
    soon("the webhook's end", came_and_went).await;
    assert!(chat.scene.server.world().read(|state| state.webhooks.is_empty()));
    chat.writes(BEN, thread, "anybody?").await;
    agent.logs("no-mention").await;
    agent.stop().await;
}

/// Without the right to make webhooks the bot itself answers; a thread that is archived or deleted
/// is bound no longer.
#[tokio::test]
async fn a_bound_thread_that_ends_is_free() {
    let molty = Served::new(&[Reply::Text(&["I am Molty."])]).await;
    let ops = Served::new(&[Reply::Text(&["All quiet."])]).await;
    let chat = Chat::new().await;
    let mut agent = chat.agent(&keys(), &two_agents(&molty, &ops, "")).await;
    let thread = chat.focuses().await;
    chat.writes(BEN, thread, "how is it going?").await;
    assert_eq!(chat.bot("All quiet.").await["channel_id"], thread.to_string());
    chat.acts(ADA, Method::PATCH, &format!("/channels/{thread}"), &json!({ "archived": true }))
        .await;
    chat.writes(BEN, thread, "and now?").await;
    agent.logs("no-mention").await;
    let second = chat.focuses().await;
    chat.control(Method::DELETE, &format!("/channels/{second}"), &json!(null)).await;
    chat.writes(ADA, GENERAL, "/agents").await;
    chat.bot("Nothing is bound here.").await;
    agent.stop().await;
}

/// The same by slash command; and direct messages can be bound, too.
#[tokio::test]
async fn a_slash_command_binds_and_so_does_one_in_private() {
    let molty = Served::new(&[Reply::Text(&["I am Molty."])]).await;
    let ops = Served::new(&[Reply::Text(&["All quiet."])]).await;
    let chat = Chat::new().await;
    let mut agent = chat.agent(&keys(), &two_agents(&molty, &ops, "")).await;
    agent.logs("slash command(s)").await;
    let body = json!({
        "name": "focus", "channel_id": GENERAL.to_string(), "options": { "target": "ops" },
    });
    let path = format!("/humans/{ADA}/commands?wait=true");
    let reply = chat.control(Method::POST, &path, &body).await;
    let reply =
        reply["message"]["content"].as_str().unwrap_or_else(|| panic!("{reply}")).to_owned();
    assert!(reply.starts_with("Opened <#") && reply.contains("bound to"), "{reply}");
    chat.bot("⚙️ ops session active").await;

    chat.whispers(ADA, "who are you?").await;
    let private = chat.bot("I am Molty.").await["channel_id"].clone();
    chat.whispers(ADA, "/focus ops").await;
    chat.bot("Bound to").await;
    chat.whispers(ADA, "and now?").await;
    assert_eq!(chat.bot("All quiet.").await["channel_id"], private);
    chat.whispers(ADA, "/unfocus").await;
    chat.bot("No longer bound").await;
    let from = chat.position();
    chat.whispers(ADA, "and who now?").await;
    chat.bot_from(from, "I am Molty.").await;
    agent.stop().await;
}

/// Scenario 45, on the wire: nobody writes for as long as a binding lasts, here an instant, of
/// which the next process finds that it is over. The farewell is told once, and the thread is free.
#[tokio::test]
async fn a_binding_ends_when_nobody_writes() {
    const FAREWELL: &str = "⚙️ Session ended automatically after <1m of inactivity. Messages here \
                            will no longer be routed.";
    let molty = Served::new(&[Reply::Text(&["I am Molty."])]).await;
    let ops = Served::new(&[Reply::Text(&["All quiet."])]).await;
    let chat = Chat::new().await;
    let keys = format!("{} threadBindings: {{ idleHours: 0.000001 }},", keys());
    let config = chat.config(&keys, &two_agents(&molty, &ops, ""));
    let mut first = chat.start(&config).await;
    let thread = chat.focuses().await;
    let place = Value::from(thread.to_string());
    first.stop().await;
    let mut second = chat.start(&config).await;
    let is_farewell = |it: &Value| it["content"] == FAREWELL && it["channel_id"] == place;
    let farewell = chat.event("MESSAGE_CREATE", is_farewell).await;
    assert_eq!(farewell["author"]["id"], BOT_USER.to_string());
    chat.writes(BEN, thread, "anybody?").await;
    second.logs("no-mention").await;
    second.stop().await;
    assert_eq!(chat.all("MESSAGE_CREATE", is_farewell).len(), 1);
}
