//! What a bot without the message content intent gets to read.

use localcord::world::{
    State,
    default::{ADA, BOT_TOKEN, BOT_USER, GENERAL, default_state},
    intents,
};
use reqwest::Method;
use serde_json::{Value, json};

use super::discord::{Discord, id, refusal};

const WITHOUT: u64 = intents::GUILDS | intents::GUILD_MESSAGES | intents::DIRECT_MESSAGES;

/// The default world, whose bot may not ask for the content intent.
fn shy() -> State {
    let mut state = default_state();
    for application in state.applications.values_mut() {
        application.privileged_intents = 0;
    }
    state
}

#[tokio::test]
async fn the_contents_of_others_are_empty() {
    let discord = Discord::with(shy()).await;
    let mut gateway = discord.gateway(BOT_TOKEN, WITHOUT).await;
    let body = json!({
        "channel_id": GENERAL.to_string(),
        "content": "secret",
        "embeds": [{ "title": "t" }],
        "files": [{ "name": "a.txt", "text": "x" }],
    });
    let (_, said) = discord.control(Method::POST, &format!("/humans/{ADA}/messages"), body).await;
    let path = format!("/channels/{GENERAL}/messages");
    let (_, listed) = discord.bot(Method::GET, &path, json!(null)).await;
    let (_, read) = discord.bot(Method::GET, &format!("{path}/{}", id(&said)), json!(null)).await;
    for message in [&gateway.dispatch("MESSAGE_CREATE").await, &listed[0], &read] {
        assert_eq!((&message["id"], &message["content"]), (&said["id"], &json!("")));
        for field in ["embeds", "attachments", "components"] {
            assert_eq!(message[field], json!([]), "{field}");
        }
        assert_eq!(message["author"]["username"], "ada");
    }
    let forward = json!({ "message_reference": {
        "type": 1, "message_id": said["id"], "channel_id": GENERAL.to_string() } });
    assert_eq!(refusal(discord.bot(Method::POST, &path, forward).await), (400, 160_014));

    let mentioned = discord.says(ADA, GENERAL, &format!("hey <@{BOT_USER}>")).await;
    let told = gateway.dispatch("MESSAGE_CREATE").await;
    assert_eq!(told["content"], mentioned["content"]);
    let own = discord.bot_says(GENERAL, "mine").await;
    assert_eq!(gateway.dispatch("MESSAGE_CREATE").await["content"], "mine");
    // An answer to the bot pings it; what the answer is to, it wrote itself.
    let body = json!({ "channel_id": GENERAL.to_string(), "content": "to you",
        "message_reference": { "message_id": own["id"] } });
    discord.control(Method::POST, &format!("/humans/{ADA}/messages"), body).await;
    let told = gateway.dispatch("MESSAGE_CREATE").await;
    assert_eq!(
        (&told["content"], &told["referenced_message"]["content"]),
        (&json!("to you"), &json!("mine"))
    );
    // Its own answer to somebody else says nothing of what that one said.
    let body = json!({ "content": "re", "message_reference": { "message_id": said["id"] } });
    let (_, answer) = discord.bot(Method::POST, &path, body).await;
    assert_eq!(
        (&answer["content"], &answer["referenced_message"]["content"]),
        (&json!("re"), &json!(""))
    );
    let direct = json!({ "user_id": BOT_USER.to_string(), "content": "in private" });
    discord.control(Method::POST, &format!("/humans/{ADA}/messages"), direct).await;
    let told = std::iter::from_fn(|| Some(())).take(2);
    let mut last = Value::Null;
    for () in told {
        last = gateway.dispatch("MESSAGE_CREATE").await;
    }
    assert_eq!((&last["content"], last.get("guild_id")), (&json!("in private"), None));
}

#[tokio::test]
async fn a_bot_with_the_intent_reads_everything_and_an_edit_too() {
    let discord = Discord::new().await;
    let mut gateway = discord.gateway(BOT_TOKEN, WITHOUT | intents::MESSAGE_CONTENT).await;
    let mut blind = discord.gateway(BOT_TOKEN, WITHOUT).await;
    let said = discord.says(ADA, GENERAL, "one").await;
    let path = format!("/channels/{GENERAL}/messages/{}", id(&said));
    discord.human(ADA, Method::PATCH, &path, json!({ "content": "two" })).await;
    assert_eq!(gateway.dispatch("MESSAGE_CREATE").await["content"], "one");
    assert_eq!(gateway.dispatch("MESSAGE_UPDATE").await["content"], "two");
    let told = blind.dispatch("MESSAGE_UPDATE").await;
    assert_eq!((&told["content"], told["edited_timestamp"].is_string()), (&json!(""), true));
}
