//! What is no message and yet is told: reactions, pins, joins.

use localcord::world::default::{ADA, BEN, BOT_USER, CLEO, GENERAL};
use reqwest::Method;
use serde_json::{Value, json};

use super::chat::{Chat, OPEN, id, model};
use crate::brain::{Reply, Served};

impl Chat {
    /// A human adds a reaction to a message of #general, or takes it away.
    async fn reacts(&self, human: u64, method: Method, message: &Value, emoji: &str) {
        let message = id(message);
        let path = format!("/channels/{GENERAL}/messages/{message}/reactions/{emoji}/@me");
        self.acts(human, method, &path, &json!(null)).await;
    }
}

/// Reactions to the bot's own messages are told with the next message, once; those to others' are
/// not.
#[tokio::test]
async fn reactions_to_its_own_messages_are_told() {
    let served = Served::new(&[Reply::Text(&["It works."]), Reply::Text(&["Thanks."])]).await;
    let chat = Chat::new().await;
    let mut agent = chat.agent(OPEN, &model(&served)).await;
    let asked = chat.writes(ADA, GENERAL, "does it work?").await;
    let answer = chat.bot("It works.").await;
    chat.reacts(CLEO, Method::PUT, &asked, "🎉").await;
    chat.reacts(BEN, Method::PUT, &answer, "👍").await;
    agent.logs("reaction added: 👍").await;
    chat.reacts(BEN, Method::DELETE, &answer, "👍").await;
    agent.logs("reaction removed: 👍").await;
    chat.writes(ADA, GENERAL, "good").await;
    let told = served.request(1).await.to_string();
    let place = format!("by ben on localcord #general msg {}", id(&answer));
    for action in ["added", "removed"] {
        let words = format!("Discord reaction {action}: 👍 {place}");
        assert_eq!(told.matches(&words).count(), 1, "{words}: {told}");
    }
    assert!(!told.contains("🎉"), "{told}");
    chat.bot("Thanks.").await;
    chat.writes(ADA, GENERAL, "and now?").await;
    let later = served.request(2).await.to_string();
    assert!(!later.contains("Discord reaction"), "{later}");
    agent.stop().await;
}

/// Pins and joins are told with the next message.
#[tokio::test]
async fn pins_and_joins_are_told() {
    let served = Served::new(&[Reply::Text(&["I saw."])]).await;
    let chat = Chat::new().await;
    let mut agent = chat.agent(OPEN, &model(&served)).await;
    let path = format!("/channels/{GENERAL}/system-messages");
    for (kind, user) in [("pin", BEN), ("join", CLEO)] {
        let body = json!({ "type": kind, "user_id": user.to_string() });
        chat.control(Method::POST, &path, &body).await;
    }
    chat.writes(ADA, GENERAL, "what happened?").await;
    let told = served.request(0).await.to_string();
    for words in [
        "Discord system: ben pinned a message in Localcord #general",
        "Discord system: cleo user joined in Localcord #general",
    ] {
        assert_eq!(told.matches(words).count(), 1, "{words}: {told}");
    }
    assert_eq!(chat.by(BOT_USER, "I saw.").await["channel_id"], GENERAL.to_string());
    agent.stop().await;
}
