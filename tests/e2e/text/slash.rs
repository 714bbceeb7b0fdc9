//! Slash commands: who may give them, what they show, and who sees it.

use localcord::world::default::{ADA, BEN, GENERAL};
use reqwest::Method;
use serde_json::{Value, json};

use super::chat::{Chat, OPEN, model};
use crate::brain::{Reply, Served};

/// Discord's flag for what only one person sees.
const EPHEMERAL: u64 = 64;
/// Discord's flag for a message of components alone.
const COMPONENTS_V2: u64 = 32_768;

impl Chat {
    /// A human types a slash command in #general; gives what it is answered.
    async fn types(&self, human: u64, name: &str, options: &Value) -> Value {
        self.scene.has_commands().await;
        let body = json!({
            "name": name, "channel_id": GENERAL.to_string(), "options": options,
        });
        let path = format!("/humans/{human}/commands?wait=true");
        self.control(Method::POST, &path, &body).await["message"].clone()
    }
}

fn words(message: &Value) -> &str {
    message["content"].as_str().unwrap_or_default()
}

fn has(message: &Value, flag: u64) -> bool {
    message["flags"].as_u64().unwrap_or_default() & flag != 0
}

/// Keys by which Ada commands and Ben does not.
fn keys() -> String {
    format!("{OPEN} allowFrom: ['{ADA}'],")
}

/// Scenario 56: whoever may not is told so, at once and alone.
#[tokio::test]
async fn a_stranger_is_denied_visibly() {
    let chat = Chat::new().await;
    let mut agent = chat.agent(&keys(), "").await;
    let denied = chat.types(BEN, "status", &json!({})).await;
    assert_eq!(words(&denied), "You are not authorized to use this command.", "{denied}");
    assert!(has(&denied, EPHEMERAL), "{denied}");
    let told = chat.types(ADA, "status", &json!({})).await;
    assert!(words(&told).contains("agent:main:discord:channel:"), "{told}");
    assert!(has(&told, EPHEMERAL), "{told}");
    assert_eq!(chat.by_bot(), [""; 0]);
    agent.stop().await;
}

/// With `slashCommand.ephemeral: false` all see replies, and still nobody else a menu.
#[tokio::test]
async fn replies_for_all_to_see() {
    let chat = Chat::new().await;
    let keys = format!("{} slashCommand: {{ ephemeral: false }},", keys());
    let mut agent = chat.agent(&keys, "").await;
    let told = chat.types(ADA, "whoami", &json!({})).await;
    assert!(words(&told).contains(&ADA.to_string()), "{told}");
    assert!(!has(&told, EPHEMERAL), "{told}");
    let menu = chat.types(ADA, "queue", &json!({})).await;
    assert!(has(&menu, EPHEMERAL), "{menu}");
    agent.stop().await;
}

#[tokio::test]
async fn an_argument_that_is_left_out_is_a_menu() {
    let chat = Chat::new().await;
    let mut agent = chat.agent(&keys(), "").await;
    let menu = chat.types(ADA, "queue", &json!({})).await;
    assert!(words(&menu).starts_with("Choose what becomes of a message"), "{menu}");
    let first = &menu["components"][0]["components"][0];
    let id = format!("cmdarg:command=queue;arg=mode;value=steer;user={ADA}");
    assert_eq!(first["custom_id"], id.as_str(), "{menu}");
    let told = chat.types(ADA, "queue", &json!({ "mode": "collect" })).await;
    assert!(words(&told).starts_with("Queue: `collect`"), "{told}");
    agent.stop().await;
}

#[tokio::test]
async fn models_are_picked() {
    let served = Served::new(&[Reply::Text(&["Hello."])]).await;
    let chat = Chat::new().await;
    let mut agent = chat.agent(&keys(), &model(&served)).await;
    let picker = chat.types(ADA, "model", &json!({})).await;
    assert!(has(&picker, COMPONENTS_V2) && has(&picker, EPHEMERAL), "{picker}");
    let shown = picker["components"].to_string();
    assert!(shown.contains("mdlpk:c=model;a=provider;v=providers;"), "{picker}");
    assert!(shown.contains("Current: test/think-1"), "{picker}");
    let denied = chat.types(BEN, "model", &json!({})).await;
    assert_eq!(words(&denied), "You are not authorized to use this command.", "{denied}");
    agent.stop().await;
}

/// What is written behind `/new` is asked in the new conversation.
#[tokio::test]
async fn a_new_conversation_begins_with_a_question() {
    let chat = Chat::new().await;
    let mut agent = chat.agent(&keys(), "").await;
    let told = chat.types(ADA, "new", &json!({ "message": "who goes there?" })).await;
    assert_eq!(words(&told), "New conversation.", "{told}");
    chat.bot("You said: who goes there?").await;
    agent.stop().await;
}
