//! `/focus`: threads that belong to a session.

use localcord::world::default::{ADA, BEN, BOT_USER, GENERAL};
use reqwest::Method;
use serde_json::json;

use super::{
    agents::two_agents,
    chat::{Chat, QUIET},
};
use crate::brain::{Reply, Served};

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
    let opened = chat.event("THREAD_CREATE", |it| it["id"] == thread.to_string()).await;
    assert_eq!(opened["name"], "🤖 ops");
    let intro = chat.bot("⚙️ ops session active").await;
    assert_eq!(intro["channel_id"], thread.to_string());
    let is_said = |words: &'static str| {
        move |it: &serde_json::Value| it["content"] == words && it["author"]["bot"] == true
    };
    chat.writes(BEN, thread, "how is it going?").await;
    let answer = chat.event("MESSAGE_CREATE", is_said("All quiet.")).await;
    assert_eq!(answer["author"]["username"], "🤖 ops");
    assert_eq!(answer["channel_id"], thread.to_string());
    assert!(answer["webhook_id"].is_string(), "{answer}");
    agent.logs("outbound-echo").await;
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
    let farewells = || {
        chat.all("MESSAGE_CREATE", |it| {
            it["content"].as_str().unwrap().starts_with("⚙️ Session ended. ")
        })
    };
    chat.event("MESSAGE_CREATE", |it| {
        it["content"].as_str().unwrap().starts_with("⚙️ Session ended. ")
            && it["channel_id"] == thread.to_string()
    })
    .await;
    assert!(farewells().iter().all(|it| it["author"]["id"] == BOT_USER.to_string()));
    // The webhook came, and went with the last thread that it spoke in.
    let webhooks = chat.scene.server.world();
    while webhooks.read(|state| !state.webhooks.is_empty()) {
        tokio::task::yield_now().await;
    }
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
