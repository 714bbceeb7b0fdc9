//! Which tools a turn has.

use localcord::world::default::{ADA, BEN, GENERAL};
use serde_json::Value;

use super::chat::{Chat, OPEN, model};
use crate::brain::{Reply, Served, messages};

/// What a model is offered, by name.
fn offered(request: &Value) -> Vec<&str> {
    let tools = request["tools"].as_array().map(Vec::as_slice).unwrap_or_default();
    tools.iter().filter_map(|tool| tool["function"]["name"].as_str()).collect()
}

/// What a guild does not let somebody use is neither offered nor carried out; somebody else may.
#[tokio::test]
async fn a_guild_says_which_tools_and_for_whom() {
    let served = Served::new(&[
        Reply::Tool("current_time"),
        Reply::Text(&["I may not."]),
        Reply::Tool("current_time"),
        Reply::Text(&["It is late."]),
    ])
    .await;
    let chat = Chat::new().await;
    let lists = format!(
        "tools: {{ deny: ['current_time', 'group:memory'] }}, \
         toolsBySender: {{ '{BEN}': {{ allow: ['current_*'] }} }}"
    );
    let keys = OPEN.replace("requireMention: false", &format!("requireMention: false, {lists}"));
    let mut agent = chat.agent(&keys, &model(&served)).await;
    chat.writes(ADA, GENERAL, "what time is it?").await;
    chat.bot("I may not.").await;
    assert_eq!(offered(&served.request(0).await), [""; 0]);
    let told = messages(&served.request(1).await);
    let told = told.iter().find(|(role, _)| role == "tool").unwrap();
    assert_eq!(told.1, r#"{"error":"Tool \"current_time\" not available"}"#);
    chat.writes(BEN, GENERAL, "and for me?").await;
    chat.bot("It is late.").await;
    assert_eq!(offered(&served.request(2).await), ["current_time"]);
    let told = messages(&served.request(3).await);
    let told = told.iter().rfind(|(role, _)| role == "tool").unwrap();
    assert!(!told.1.contains("not available"), "{told:?}");
    agent.stop().await;
}
